//! What the broker tells its operators: logs, metrics, health.
//!
//! A broker inside another program uses that program's logger and recorder: [`metrics`] only names things, and nothing
//! here is installed but by [`logging::init`] and [`metrics::install`], which the binary calls.

pub mod health;
pub mod http;
pub mod loggers;
pub mod logging;
pub mod metrics;
mod process;
