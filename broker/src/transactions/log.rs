//! What the coordinator needs of the logs: `__transaction_state`, and the partitions that markers go to.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use wire::ErrorCode;

use super::codec::EncodedRecord;
use super::{Partition, request::ProducerIdentity};

/// A wait until records are as safe as `acks=all` promises.
pub type Durability = Pin<Box<dyn Future<Output = Result<(), ErrorCode>> + Send>>;

/// The log of `__transaction_state`, as the replica layer offers it.
pub trait TransactionLog: Send + Sync + 'static {
    /// Appends a record. It is called under a lock: it may write to a file, and must not wait for anything else.
    /// Returns the offset after it.
    ///
    /// # Errors
    /// What to answer the client; the record is not in the log, nor will be.
    fn append(&self, partition: i32, record: EncodedRecord) -> Result<i64, ErrorCode>;

    /// `transaction.version` as the cluster has agreed on it, 0 to 2.
    fn feature_level(&self) -> i16;

    /// What to wait for until everything below `offset` is as safe as `acks=all` promises; `None` if it is already,
    /// as with Kafka's default of relying on the page cache.
    fn durability(&self, partition: i32, offset: i64) -> Option<Durability>;
}

/// The end of a transaction, as it is written to each of its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The producer, with the epoch of the marker.
    pub producer: ProducerIdentity,
    /// Commit, or abort.
    pub commit: bool,
    /// The leader epoch of the coordinator's partition of `__transaction_state`.
    pub coordinator_epoch: i32,
    /// The version of the transaction: with 2 the marker's epoch is above that of its records.
    pub transaction_version: i16,
}

/// Why a marker is not in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerError {
    /// The partition is gone: there is nothing to end.
    Gone,
    /// A newer producer or coordinator has been there: the marker is not needed any more.
    Fenced,
    /// The partition does not take records now; try again.
    Unavailable,
}

/// Writes markers into partitions, those of `__consumer_offsets` included.
pub trait Markers: Send + Sync + 'static {
    /// Appends a marker and lets those who wait for it know. It may write to a file, and must not wait for anything
    /// else.
    ///
    /// # Errors
    /// [`MarkerError`]; the marker is not in the partition.
    fn write(&self, partition: &Partition, marker: &Marker) -> Result<(), MarkerError>;
}

/// One record of `__transaction_state`, as the shard replays it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The key.
    pub key: Bytes,
    /// The value; `None` for a tombstone.
    pub value: Option<Bytes>,
}
