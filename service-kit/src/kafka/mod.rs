//! Kafka as services use it: topics, a producer, and the loop that consumes, processes and produces.
//!
//! What holds:
//! - An offset is committed only after the broker has acknowledged (idempotent producer, `acks=all`) everything that
//!   was produced for the record; with [`Delivery::Transactional`] both become visible at once or not at all.
//! - Outputs of one input partition are produced in the order of its records, so order is kept per key.
//! - A partition that is taken away has nothing in flight: batches are worked through between two polls, and what was
//!   polled but not begun is left to the next owner.

mod config;
mod connection;
mod consumer;
mod context;
mod delivery;
mod fence;
mod plan;
mod producer;
mod record;
mod retry;
mod session;
mod table;
mod topics;
mod transactions;

pub use config::{Delivery, KafkaSettings};
pub use connection::Kafka;
pub use consumer::{Batch, Consumer, Processor};
pub use fence::Fence;
pub use plan::Outcome;
pub use producer::{Producer, SendError};
pub use record::{Output, Place, Record};
pub use retry::Retries;
pub use table::{Followed, TableError};
pub use transactions::Transactions;
