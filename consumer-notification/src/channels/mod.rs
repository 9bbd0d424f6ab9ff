//! Channels: where alerts go. Each reads `recipe_alerts` in a group of its own, with its own tries, rate and dead
//! letters, so that one that is slow or down holds up no other.

pub mod chat;
mod commands;
mod deliver;
pub mod digest;
pub mod email;
pub mod exec;
pub mod http;
mod log;
pub mod notice;
pub mod pace;
pub mod secret;
pub mod sender;
mod spec;
#[cfg(test)]
pub(crate) mod testing;
pub mod webhook;

pub use commands::send_test;
pub use deliver::Deliver;
pub use log::{GROUP as LOG_GROUP, LogChannel};
pub use spec::ChannelSpec;

/// Name of the channel that prints alerts, for rules.
pub const LOG: &str = "log";
