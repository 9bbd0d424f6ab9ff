//! The transaction coordinator: which producer holds a transactional id, and what its transaction spans.
//!
//! ```text
//!   api/*.rs          TransactionCoordinator        Shard                        TransactionLog / Markers
//!  end_transaction --> lock of one partition --> end(now, request) -> records --> append to __transaction_state
//!        reply  <----- once PrepareX is safe      written(records) -> markers --> append to each partition
//!                                                 markers_written  -> records --> append (CompleteX)
//! ```
//!
//! [`shard::Shard`] is the state machine of one partition of `__transaction_state`: it does no I/O and has no clock.
//! Its state is a function of the records: a handler only decides what to write, [`shard::Shard::written`] takes it over.
//! [`TransactionCoordinator`] is the shell: it finds the shard of a transactional id, appends what a step wants
//! written, writes the markers of decided transactions, and looks for what has timed out or expired.
//!
//! ```text
//!            add partitions                 EndTxn                       markers written
//!   Empty ------------------> Ongoing ---------------> PrepareCommit ----------------------> CompleteCommit
//!     ^                        ^   \                                                          |   (as Empty)
//!     |                        |    `- EndTxn, timeout, new producer -> PrepareAbort --> CompleteAbort
//!     `- InitProducerId -------+----------------------------------------------------------------'
//! ```
//!
//! Source: `TransactionCoordinator`, `TransactionStateManager`, `TransactionMetadata` of Apache Kafka 4.3; KIP-98,
//! KIP-360, KIP-890.

mod answers;
pub mod codec;
mod end;
mod init;
pub mod log;
mod metadata;
#[cfg(test)]
mod model;
mod partitions;
pub mod request;
mod service;
pub mod shard;
mod state;

pub use log::{LogEntry, Marker, MarkerError, Markers, TransactionLog};
pub use metadata::{Name, Partition, Transaction};
pub use service::{LoadError, TransactionConfig, TransactionCoordinator};
pub use state::TransactionState;
