//! JSON Schemas of the messages, made from the types themselves. `recipes/schemas/` holds the same as files for readers
//! in other languages; a test keeps the two equal.

use schemars::Schema;

use crate::{Alert, AlertState, CrawlState, ParsedRecipe, SCHEMA_VERSION, SiteEvent, SiteStats, SourceReport};

/// Value of the `schema` header on `parsed_recipes`: `ParsedRecipe/1`.
#[must_use]
pub fn parsed_recipe_header() -> String {
    format!("ParsedRecipe/{SCHEMA_VERSION}")
}

/// Each message's name with its JSON Schema (draft 2020-12).
#[must_use]
pub fn all() -> [(&'static str, Schema); 7] {
    [
        ("Alert", schemars::schema_for!(Alert)),
        ("AlertState", schemars::schema_for!(AlertState)),
        ("CrawlState", schemars::schema_for!(CrawlState)),
        ("ParsedRecipe", schemars::schema_for!(ParsedRecipe)),
        ("SiteEvent", schemars::schema_for!(SiteEvent)),
        ("SiteStats", schemars::schema_for!(SiteStats)),
        ("SourceReport", schemars::schema_for!(SourceReport)),
    ]
}
