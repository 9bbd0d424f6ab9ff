//! Any text makes a tree that holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parser_recipes::html::Document;

fuzz_target!(|text: &str| {
    let page = Document::parse(text);
    for node in page.all() {
        assert!(page.end(node) > node && page.end(node) <= page.len());
        if let Some(parent) = page.parent(node) {
            assert!(page.contains(parent, node));
        }
        let _ = page.attributes(node).count();
    }
    if !page.is_empty() {
        let _ = (page.text(0), page.lines(0));
    }
});
