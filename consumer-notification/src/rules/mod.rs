//! Rules: what raises an alert.
//!
//! A rule is a condition in CEL ([`condition`]) over a recipe or a site ([`facts`]), with what is said when it begins to hold. The
//! rules come from a TOML file ([`file`]), or there is the one that needs none ([`source`]).

mod commands;
pub mod condition;
pub mod facts;
pub mod file;
pub mod message;
pub mod quiet;
mod rule;
mod source;

pub use commands::{check_rules, test_rule};
pub use recipes::Per;
pub use rule::{Rule, RuleSet, RuleVersion};
pub use source::RuleSource;
