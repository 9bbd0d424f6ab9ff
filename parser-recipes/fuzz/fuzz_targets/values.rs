//! Any text is read as every kind of value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parser_recipes::selectors::Selector;
use parser_recipes::values;

fuzz_target!(|text: &str| {
    let _ = (values::minutes(text), values::kcal(text), values::quantity(text, "g"), values::Yield::read([text]));
    let _ = (values::author_name(text), values::title(text, &["site"]), values::steps(text), values::clean_lines(text));
    assert!(values::numbers(text).all(|n| n.start < n.end && n.end <= text.len() && n.value >= 0.0));
    let _ = Selector::parse(text);
});
