//! Partitions: a log, its offsets, and who waits for them.
//!
//! A single node is its own in-sync replica set, so the high watermark follows the log end at once.

mod append_failure;
mod cleaned_offsets;
mod failed_directories;
mod manager;
mod moves;
mod partition;
mod waiters;

pub use append_failure::AppendFailure;
pub use manager::{Lookup, ReplicaManager, StartError, Volume};
pub use partition::Partition;
