//! The consumer group protocol (KIP-848): members say what they want, the coordinator says what they have.
//!
//! The rules are those of `GroupMetadataManager` in Apache Kafka 4.3.1, with KIP-1263 (the least time between two
//! assignments) and the epochs of assigned partitions that fence late commits.

mod assignor;
mod classic_member;
mod describe;
mod embedded;
mod group;
mod heartbeat;
mod leave;
mod migrate;
#[cfg(test)]
mod model;
mod plan;
mod reconcile;
mod regex;
#[cfg(test)]
mod tests;
mod validate;

pub(crate) use group::ConsumerGroup;
pub(crate) use migrate::Downgrade;
pub(crate) use validate::validate_commit;
