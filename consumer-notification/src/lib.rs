//! Checks rules and delivers alerts.
//!
//! ```text
//! parsed_recipes ──> engine (rules, state) ──> recipe_alerts ──> channels/ (each its own group)
//!                         │      ▲                    │
//!                         ▼      │ on assignment      └──> page/ (no group: every instance shows all)
//!                       alert_state
//! ```
//!
//! What happens on sites is counted by [`stats`], and rules per site are asked there.
//!
//! An alert is a crossing: a rule's condition holds for a recipe for which it did not hold before, or was never asked.
//! What each rule last said of each recipe stands in the compacted topic `alert_state`, in the partition of the same
//! number as the recipe's, and is read back when the partition is assigned.

pub mod channels;
mod engine;
mod judge;
pub mod page;
pub mod rules;
mod service;
mod settings;
mod state;
pub mod stats;
mod text;

pub use engine::{Engine, OnRuleChange, counters};
pub use service::Notifier;
pub use settings::Settings;
pub use state::States;
