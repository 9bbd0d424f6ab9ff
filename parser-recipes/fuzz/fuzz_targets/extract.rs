//! Any bytes end as a recipe or a reason, and both paths agree.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use parser_recipes::extract::{fast, full};
use parser_recipes::html::{Document, NodeId, Tag};
use parser_recipes::jsonld::Scripts;
use parser_recipes::{Page, Rules, encoding, record};

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::built_in().expect("the built-in rules compile"));

/// The data of the page's JSON-LD scripts as the tree has them.
fn scripts_in_tree(text: &str) -> Vec<Vec<u8>> {
    let tree = Document::parse(text);
    let is_json_ld = |n: NodeId| tree.attr_raw(n, "type").is_some_and(|t| t.to_ascii_lowercase().contains("ld+json"));
    let scripts = tree.all().filter(|&n| tree.tag(n) == Tag::Script && is_json_ld(n));
    scripts.map(|n| tree.children(n).next().map_or("", |data| tree.raw(data)).as_bytes().to_vec()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let page = Page { bytes, url: None, content_type: None };
    let (fast, full) = (fast(page, &RULES), full(page, &RULES));
    // A broken page may hide a script from one of the two: in a comment, or in an attribute that never ends.
    if let (Some(fast), Ok(full)) = (&fast, &full)
        && scripts_in_tree(&encoding::decode(bytes, None)) == Scripts::of(bytes).map(|r| &bytes[r]).collect::<Vec<_>>()
    {
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
