//! Channels: where alerts go. Each reads `recipe_alerts` in a group of its own, so that one that is slow or down holds
//! up no other.

mod log;

pub use log::{GROUP as LOG_GROUP, LogChannel};

/// Name of the channel that prints alerts, for rules.
pub const LOG: &str = "log";
