//! Alerts for tests of channels.

use recipes::{Alert, ParsedRecipe};

use crate::rules::Rule;

/// An alert for a dish of that name.
pub(crate) fn alert(title: &str) -> Alert {
    let recipe = ParsedRecipe { title: title.to_owned(), calories: Some(310.0), ..ParsedRecipe::default() };
    let id = Alert::id("calories", title, 0, 0, 0);
    let rule = Rule::calories_above(200.0).expect("a number");
    rule.alert(id, &recipe, "https://a.example/pie", None, time::macros::datetime!(2026-11-21 12:00 UTC))
}
