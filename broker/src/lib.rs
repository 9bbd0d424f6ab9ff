//! A single-node broker that is Apache Kafka to everything around it.
//!
//! Layers, top to bottom: [`server`] (accept, frames, order of replies) -> [`api`] (one file per Kafka API: decode,
//! do, encode) -> coordinators ([`groups`], [`transactions`]) and [`metadata`] -> [`replica`] (a partition: log, offsets, waiters) ->
//! the crate `commitlog`. [`Broker`] starts and stops all of it; [`node::Node`] is what a handler can reach.

pub mod api;
mod broker;
mod cleaner;
pub mod cli;
pub mod config;
mod config_rules;
mod gauges;
mod group_metadata;
pub mod groups;
mod internal_topics;
mod maintenance;
pub mod metadata;
mod metadata_follower;
pub mod node;
pub mod observability;
mod offsets_log;
mod opened;
mod producer_ids;
pub mod replica;
pub mod server;
mod transaction_log;
pub mod transactions;

pub use broker::{Broker, StartError};
