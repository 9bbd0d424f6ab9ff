//! Selectors: recipes by the markup of one site or one recipe plugin, written in TOML (see `selectors.toml`).
//!
//! Rules come with the program (microformats, recipe plugins, the tutorial's Allrecipes); a user adds more in a file of
//! the same form, which is read again when it changes.

mod css;
mod file;
mod rule;

pub use css::{Selector, SelectorError};
pub use file::RulesFile;
pub use rule::{Rule, Rules, RulesError};
