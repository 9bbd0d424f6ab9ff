//! Record batches: the format that records have in requests, replies and segment files (magic 2), and the two older
//! ones (magic 0 and 1).
//!
//! ```text
//!  0  base offset i64                 27  base timestamp i64 (or the delete horizon)
//!  8  length i32 (of all after it)    35  max timestamp i64
//! 12  partition leader epoch i32      43  producer id i64
//! 16  magic i8                        51  producer epoch i16
//! 17  CRC-32C u32 (of all after it)   53  base sequence i32
//! 21  attributes i16                  57  number of records i32
//! 23  last offset delta i32           61  records, compressed as one
//! ```
//! Source: [message format](https://kafka.apache.org/documentation/#recordbatch), `DefaultRecordBatch` in Kafka.

mod batches;
mod builder;
pub mod control;
pub mod convert;
mod edit;
mod error;
pub mod legacy;
mod record;
#[cfg(test)]
mod tests;
mod view;

pub use batches::RecordBatches;
pub use builder::{BatchBuilder, BatchOptions, NewRecord, Producer};
pub use edit::RecordBatchMut;
pub use error::BatchError;
pub use record::{Header, Headers, Record, RecordIter, RecordSet};
pub use view::{Attributes, RecordBatch, TimestampType};

/// Bytes before the records of a batch.
pub const HEADER_SIZE: usize = 61;
/// Bytes that a batch's or an old message's length does not count: the offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// Where the magic byte is, in all formats.
pub const MAGIC_OFFSET: usize = 16;
/// Timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;
/// Producer id of a batch whose producer is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// Producer epoch of a batch whose producer is not idempotent.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Base sequence of a batch whose producer is not idempotent.
pub const NO_SEQUENCE: i32 = -1;
/// Leader epoch of a batch that no leader has appended yet.
pub const NO_LEADER_EPOCH: i32 = -1;

/// The format of what `buffer` starts with: 2 for a batch, 0 or 1 for old messages; none if it is too short to tell.
pub fn magic(buffer: &[u8]) -> Option<i8> {
    buffer.get(MAGIC_OFFSET).map(|magic| magic.cast_signed())
}
