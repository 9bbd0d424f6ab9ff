//! `__consumer_offsets` between the group coordinator and the partitions it is kept in.

use std::sync::Arc;

use bytes::Bytes;
use commitlog::{AppendContext, AppendError as LogAppendError, Isolation, ReadError};
use tracing::error;
use wire::compression::Compression;
use wire::record_batch::control::ControlType;
use wire::record_batch::{self, BatchBuilder, BatchError, BatchOptions, NewRecord, RecordBatches};

use crate::groups::codec::EncodedRecord;
use crate::groups::log::Durability;
use crate::groups::request::Producer;
use crate::groups::shard::AppendError;
use crate::groups::{GroupCoordinator, LogEntry, OffsetsLog};
use crate::internal_topics::InternalTopic;
use crate::node::now_ms;
use crate::replica::{Lookup, Partition, ReplicaManager};

/// Most bytes that a batch may decompress to.
const MAX_DECOMPRESSED: usize = 256 * 1024 * 1024;

/// The coordinator's log: the partitions of `__consumer_offsets`.
#[derive(Debug)]
pub struct ReplicaOffsetsLog {
    replicas: Arc<ReplicaManager>,
    fsync: bool,
    compression: Compression,
}

impl ReplicaOffsetsLog {
    /// With `fsync`, answers wait until records are on the disk (`broker.acks.fsync`). `codec` is
    /// `offsets.topic.compression.codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub fn new(replicas: Arc<ReplicaManager>, fsync: bool, codec: i32) -> Self {
        let compression = match codec {
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            _ => Compression::None,
        };
        Self { replicas, fsync, compression }
    }
}

fn partition_of(replicas: &ReplicaManager, index: i32) -> Result<Arc<Partition>, AppendError> {
    match replicas.by_name(InternalTopic::ConsumerOffsets.name(), index) {
        Lookup::Found(partition) => Ok(partition),
        Lookup::NoTopic | Lookup::NoPartition => Err(AppendError::NotLeader),
        Lookup::Offline => Err(AppendError::Offline("the partition's log is offline".to_owned())),
    }
}

impl OffsetsLog for ReplicaOffsetsLog {
    fn append(
        &self,
        partition: i32,
        producer: Option<Producer>,
        records: Vec<EncodedRecord>,
    ) -> Result<i64, AppendError> {
        let partition = partition_of(&self.replicas, partition)?;
        let timestamp = now_ms();
        let mut batch = build(self.compression, producer, &records, timestamp)
            .map_err(|error| AppendError::Offline(error.to_string()))?;
        let context = AppendContext {
            verification: producer.and_then(|producer| producer.verified),
            ..AppendContext::coordinator(partition.leader_epoch(), timestamp)
        };
        let appended = partition.append(&mut batch, &context).map_err(|error| match error {
            LogAppendError::RecordTooLarge { .. } | LogAppendError::RecordListTooLarge { .. } => AppendError::TooLarge,
            LogAppendError::InvalidProducerEpoch(_) => AppendError::InvalidProducerEpoch,
            LogAppendError::InvalidTxnState(_) => AppendError::InvalidTxnState,
            other => AppendError::Offline(other.to_string()),
        })?;
        Ok(appended.first_offset)
    }

    fn durability(&self, partition: i32, offset: i64) -> Option<Durability> {
        if !self.fsync {
            return None;
        }
        let partition = partition_of(&self.replicas, partition);
        Some(Box::pin(async move {
            partition?.fsync(offset).await.map_err(|error| AppendError::Offline(error.to_string()))
        }))
    }
}

fn build(
    compression: Compression,
    producer: Option<Producer>,
    records: &[EncodedRecord],
    timestamp: i64,
) -> Result<Vec<u8>, BatchError> {
    let mut options = BatchOptions { compression, ..BatchOptions::default() };
    if let Some(producer) = producer {
        options.producer =
            record_batch::Producer { id: producer.id, epoch: producer.epoch, ..record_batch::Producer::default() };
        options.is_transactional = true;
    }
    let mut batch = BatchBuilder::new(options);
    for record in records {
        batch.append(NewRecord { timestamp, key: Some(&record.key), value: record.value.as_deref(), headers: &[] })?;
    }
    batch.build()
}

/// Why a partition of an internal topic could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// The log said no.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The disk said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A batch is not one.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Takes all partitions of `__consumer_offsets` into service, reading `buffer` bytes at a time
/// (`offsets.load.buffer.size`). What cannot be read is logged; its groups stay without a
/// coordinator, as in Kafka. Blocks: the logs are read from one end to the other.
pub fn load(groups: &GroupCoordinator, replicas: &ReplicaManager, partitions: i32, buffer: usize) {
    groups.set_partitions(partitions);
    for index in 0..partitions {
        let loaded = match partition_of(replicas, index) {
            Ok(partition) => groups.load(index, entries(&partition, buffer)).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = loaded {
            error!(partition = index, %error, "groups of this partition of __consumer_offsets are not served");
        }
    }
}

/// Everything in a partition's log, in order, about `buffer` bytes of it in memory at a time.
pub fn entries(partition: &Arc<Partition>, buffer: usize) -> impl Iterator<Item = Result<LogEntry, ReadFailure>> {
    let partition = Arc::clone(partition);
    let mut next = partition.offsets().log_start;
    let mut chunk = Vec::new().into_iter();
    let mut failed = false;
    std::iter::from_fn(move || {
        loop {
            if let Some(entry) = chunk.next() {
                return Some(Ok(entry));
            }
            if failed {
                return None;
            }
            match read_chunk(&partition, next, buffer) {
                Ok(None) => return None,
                Ok(Some((entries, end))) => {
                    next = end;
                    chunk = entries.into_iter();
                }
                Err(error) => {
                    failed = true;
                    return Some(Err(error));
                }
            }
        }
    })
}

/// Entries from `offset` on, and the offset to go on from; `None` at the end.
fn read_chunk(partition: &Partition, offset: i64, buffer: usize) -> Result<Option<(Vec<LogEntry>, i64)>, ReadFailure> {
    let fetched = partition.read(offset, buffer, Isolation::LogEnd, true)?;
    let Some(slice) = fetched.slice else { return Ok(None) };
    let bytes = slice.to_vec()?;
    let mut entries = Vec::new();
    let mut next = offset;
    for batch in RecordBatches::new(&bytes) {
        let batch = match batch {
            // The last batch of a slice may be cut short; it comes whole with the next one.
            Err(BatchError::Torn { .. }) if next > offset => break,
            other => other?,
        };
        let producer_id = batch.is_transactional().then(|| batch.producer_id());
        for record in batch.records(MAX_DECOMPRESSED)?.iter() {
            let record = record?;
            if batch.is_control() {
                entries.extend(marker(&record, batch.producer_id())?);
                continue;
            }
            let Some(key) = record.key else { continue };
            entries.push(LogEntry::Record {
                offset: record.offset,
                producer_id,
                key: Bytes::copy_from_slice(key),
                value: record.value.map(Bytes::copy_from_slice),
            });
        }
        next = batch.next_offset();
    }
    Ok(Some((entries, next)))
}

fn marker(record: &record_batch::Record<'_>, producer_id: i64) -> Result<Option<LogEntry>, BatchError> {
    Ok(match ControlType::of(record)? {
        Some(ControlType::Commit) => Some(LogEntry::Marker { producer_id, commit: true }),
        Some(ControlType::Abort) => Some(LogEntry::Marker { producer_id, commit: false }),
        _ => None,
    })
}
