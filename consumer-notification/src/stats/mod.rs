//! Statistics of sites over windows of event time.
//!
//! ```text
//! parsed_recipes ──┐
//! recipe_alerts  ──┼─> events ──> site_events, by site ──> windows ──> recipe_stats
//! raw_recipes.dead ┘                                          ▲ on assignment │
//!                                                             └───────────────┘
//! ```
//!
//! One group reads all four topics. What it writes and the offsets of what it read are one transaction: an event is told
//! once and counted once, whatever is killed. Rules per site are asked after each event; their alerts and their words
//! (`site_alert_state`) are part of the same transaction.

mod counting;
mod events;
mod site_rules;
mod sites;
pub mod window;

pub use counting::{GROUP, LATE, Statistics, TOPICS};
pub use events::told;
pub use sites::Sites;
