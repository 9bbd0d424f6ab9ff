//! What the coordinator needs of the log of `__consumer_offsets`.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::codec::EncodedRecord;
use super::request::Producer;
use super::shard::AppendError;

/// A wait until records are as safe as `acks=all` promises.
pub type Durability = Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>;

/// The log of `__consumer_offsets`, as the replica layer offers it.
pub trait OffsetsLog: Send + Sync + 'static {
    /// Appends the records as one batch and returns the offset of the first; in the name of a transaction's producer
    /// where there is one (a transactional batch whose sequence nobody checks). The batch's timestamps are the time of
    /// the call. It is called under a lock: it may write to a file, and must not wait for anything else.
    ///
    /// # Errors
    /// Nothing of the batch is in the log, nor will be.
    fn append(
        &self,
        partition: i32,
        producer: Option<Producer>,
        records: Vec<EncodedRecord>,
    ) -> Result<i64, AppendError>;

    /// What to wait for until everything below `offset` is as safe as `acks=all` promises; `None` if it is already,
    /// as with Kafka's default of relying on the page cache.
    fn durability(&self, partition: i32, offset: i64) -> Option<Durability> {
        let _ = (partition, offset);
        None
    }
}

/// One thing that stands in the log, as the shard replays it. Control records other than transaction markers are not
/// handed over, nor are records of transactions left out: the coordinator decides by itself what counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// A record.
    Record {
        /// Its offset.
        offset: i64,
        /// The producer id, if it is part of a transaction.
        producer_id: Option<i64>,
        /// The key.
        key: Bytes,
        /// The value; `None` for a tombstone.
        value: Option<Bytes>,
    },
    /// A transaction's end.
    Marker {
        /// The transaction's producer id.
        producer_id: i64,
        /// Committed, or aborted.
        commit: bool,
    },
}
