//! The classic group protocol: members join, a leader among them assigns, all of them sync.
//!
//! The rules are those of `GroupMetadataManager` and `ClassicGroup` in Apache Kafka 4.3, with KIP-345 (static
//! members), KIP-394 (member ids), KIP-559 (protocol checks), KIP-800 (reasons) and KIP-814 (skipped assignments).

mod group;
mod heartbeat;
mod join;
mod leave;
mod member;
#[cfg(test)]
mod model;
mod rebalance;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use group::{CONSUMER, ClassicGroup, State};
pub use join::Replaced;
pub(crate) use member::Member;
