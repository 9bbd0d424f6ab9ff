//! Any bytes end as a recipe or a reason, and both paths agree.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use parser_recipes::extract::{fast, full};
use parser_recipes::{Page, Rules, record};

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::built_in().expect("the built-in rules compile"));

fuzz_target!(|bytes: &[u8]| {
    let page = Page { bytes, url: None, content_type: None };
    let (fast, full) = (fast(page, &RULES), full(page, &RULES));
    if let (Some(fast), Ok(full)) = (&fast, &full) {
        assert_eq!(fast.draft.title, full.draft.title);
        assert_eq!(fast.draft.ingredients, full.draft.ingredients);
        // The tree may know more, never something else.
        assert!(fast.draft.calories.is_none() || fast.draft.calories == full.draft.calories);
    }
    if let Ok(recipe) = full {
        let recipe = record(recipe, None, None);
        assert!(recipe.title.trim().is_empty() || recipe.to_json().is_ok());
    }
});
