//! The group coordinator: members, generations and committed offsets of consumer groups.
//!
//! ```text
//!   api/*.rs            GroupCoordinator            Shard                          OffsetsLog
//!  join_group(..) ---> lock of one partition ---> join(now, request, waiter) ---+
//!                                                  state' + records + answers   |
//!                      append(records) ---------------------------------------------> append
//!                      appended(base offset) ---> applies them, more answers     |
//!      reply <-------- once durable <--------------------------------------------+
//! ```
//!
//! [`shard::Shard`] is the state machine of one partition of `__consumer_offsets`. It does no I/O, has no clock and no
//! randomness: the moment and new member ids are handed to it, so that the tests run it by the hundred thousand.
//! [`GroupCoordinator`] is the shell: it finds the shard of a group, appends the records a step wants to have written,
//! sends the answers after that, and wakes up for the deadlines.
//!
//! # How to use it
//! ```text
//! let coordinator = GroupCoordinator::new(config, partitions, log);   // log: Arc<dyn OffsetsLog>
//! tokio::spawn(coordinator.clone().run(stop));                        // timers
//! coordinator.set_partitions(n);                                      // when __consumer_offsets exists with n partitions
//! coordinator.load(partition, entries)?;                              // for each, at start and after creating the topic
//! coordinator.join_group(request).await                               // see the methods of GroupCoordinator
//! coordinator.transaction_ended(partition, producer_id, commit);      // after each marker written to __consumer_offsets
//! coordinator.topic_deleted(name, id).await;                          // after a topic was deleted
//! coordinator.topics_changed(&topics, &changed, created);             // at start and after every change of topics
//! coordinator.group_config_changed(group, overrides);                 // at start and after a group's settings changed
//! ```
//!
//! Checked before the coordinator is asked, by the API layer: authorisation, topics that do not exist, topic ids, and
//! what a version must or must not carry.

mod api;
mod classic;
pub mod codec;
mod commit;
mod config;
mod consumer;
mod describe;
mod error;
pub mod log;
mod offsets;
#[cfg(test)]
mod offsets_tests;
mod partition;
pub mod record;
pub mod request;
mod service;
#[cfg(test)]
mod service_tests;
pub mod shard;
#[cfg(test)]
mod testing;
pub mod time;
pub mod topics;

pub use api::ListFilter;
pub use commit::CommitResults;
pub use config::{Assignor, ConsumerConfig, GroupConfig, GroupOverrides, MigrationPolicy};
pub use error::GroupError;
pub use log::{LogEntry, OffsetsLog};
pub use partition::partition_for;
pub use service::{GroupCoordinator, LoadError};
