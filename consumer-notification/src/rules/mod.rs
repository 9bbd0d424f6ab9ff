//! Rules: what raises an alert.

mod rule;

pub use rule::{Rule, RuleSet};
