//! `__transaction_state` and transaction markers between the transaction coordinator and the partitions they are kept in.

use std::sync::Arc;

use commitlog::{AppendContext, AppendError};
use tracing::error;
use wire::ErrorCode;
use wire::record_batch::{BatchBuilder, BatchError, BatchOptions, NewRecord, control};

use crate::groups::{self, GroupCoordinator};
use crate::internal_topics::InternalTopic;
use crate::metadata::Controller;
use crate::node::now_ms;
use crate::offsets_log;
use crate::replica::{AppendFailure, Lookup, ReplicaManager};
use crate::transactions::codec::EncodedRecord;
use crate::transactions::log::Durability;
use crate::transactions::{LogEntry, Marker, MarkerError, Markers, Partition, TransactionCoordinator, TransactionLog};

/// The feature that says which version of transactions the cluster has agreed on.
const FEATURE: &str = "transaction.version";

/// The coordinator's log: the partitions of `__transaction_state`.
#[derive(Debug)]
pub struct ReplicaTransactionLog {
    replicas: Arc<ReplicaManager>,
    controller: Controller,
    fsync: bool,
}

impl ReplicaTransactionLog {
    /// With `fsync`, answers wait until records are on the disk (`broker.acks.fsync`).
    pub fn new(replicas: Arc<ReplicaManager>, controller: Controller, fsync: bool) -> Self {
        Self { replicas, controller, fsync }
    }
}

impl TransactionLog for ReplicaTransactionLog {
    fn append(&self, partition: i32, record: EncodedRecord) -> Result<i64, ErrorCode> {
        let partition = match self.replicas.by_name(InternalTopic::TransactionState.name(), partition) {
            Lookup::Found(partition) => partition,
            Lookup::NoTopic | Lookup::NoPartition => return Err(ErrorCode::CoordinatorNotAvailable),
            Lookup::Offline => return Err(ErrorCode::NotCoordinator),
        };
        let now = now_ms();
        let mut batch = build(&record, now).map_err(|_| ErrorCode::UnknownServerError)?;
        let appended = partition.append(&mut batch, &AppendContext::coordinator(partition.leader_epoch(), now));
        match appended {
            Ok(info) => Ok(info.last_offset + 1),
            Err(AppendError::RecordTooLarge { .. } | AppendError::RecordListTooLarge { .. }) => {
                Err(ErrorCode::UnknownServerError)
            }
            Err(AppendError::Log(_)) => Err(ErrorCode::NotCoordinator),
            Err(other) => Err(AppendFailure::from(&other).code),
        }
    }

    fn feature_level(&self) -> i16 {
        self.controller.image().features.get(FEATURE).copied().unwrap_or(0)
    }

    fn durability(&self, partition: i32, offset: i64) -> Option<Durability> {
        if !self.fsync {
            return None;
        }
        let found = self.replicas.by_name(InternalTopic::TransactionState.name(), partition).found();
        Some(Box::pin(async move {
            let flushed = found.map_err(|_| ErrorCode::NotCoordinator)?.fsync(offset).await;
            flushed.map_err(|_| ErrorCode::NotCoordinator)
        }))
    }
}

fn build(record: &EncodedRecord, timestamp: i64) -> Result<Vec<u8>, BatchError> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(NewRecord { timestamp, key: Some(&record.key), value: record.value.as_deref(), headers: &[] })?;
    batch.build()
}

/// Writes markers into this node's partitions.
#[derive(Debug)]
pub struct PartitionMarkers {
    replicas: Arc<ReplicaManager>,
    groups: GroupCoordinator,
}

impl PartitionMarkers {
    /// The groups are told of the transactions that end in `__consumer_offsets`.
    pub fn new(replicas: Arc<ReplicaManager>, groups: GroupCoordinator) -> Self {
        Self { replicas, groups }
    }

    /// Appends a marker to one partition.
    ///
    /// # Errors
    /// Kafka's error for the partition; the marker is not in it.
    pub fn append(&self, topic: &str, index: i32, marker: &Marker) -> Result<(), ErrorCode> {
        let partition = self.replicas.by_name(topic, index).found()?;
        if marker.producer.epoch < 0 {
            return Err(ErrorCode::UnknownServerError);
        }
        let now = now_ms();
        let (id, epoch) = (marker.producer.id, marker.producer.epoch);
        let options = BatchOptions::default();
        let batch = control::end_transaction(id, epoch, marker.commit, marker.coordinator_epoch, now, options);
        let mut batch = batch.map_err(|_| ErrorCode::UnknownServerError)?;
        let context = AppendContext {
            transaction_version: marker.transaction_version,
            ..AppendContext::coordinator(partition.leader_epoch(), now)
        };
        partition.append(&mut batch, &context).map_err(|failed| AppendFailure::from(&failed).code)?;
        if InternalTopic::named(topic) == Some(InternalTopic::ConsumerOffsets) {
            self.groups.transaction_ended(index, id, marker.commit);
        }
        Ok(())
    }
}

impl Markers for PartitionMarkers {
    fn write(&self, (topic, index): &Partition, marker: &Marker) -> Result<(), MarkerError> {
        self.append(topic, *index, marker).map_err(|code| match code {
            ErrorCode::UnknownTopicOrPartition => MarkerError::Gone,
            ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => MarkerError::Fenced,
            other => {
                error!(%topic, partition = index, error = other.name(), "transaction marker not written");
                MarkerError::Unavailable
            }
        })
    }
}

/// Takes all partitions of `__transaction_state` into service, reading `buffer` bytes at a time
/// (`transaction.state.log.load.buffer.size`). What cannot be read is logged; its transactional ids stay without a
/// coordinator, as in Kafka. Blocks: the logs are read from one end to the other.
pub fn load(transactions: &TransactionCoordinator, replicas: &ReplicaManager, partitions: i32, buffer: usize) {
    transactions.set_partitions(partitions);
    for index in 0..partitions {
        let loaded = match replicas.by_name(InternalTopic::TransactionState.name(), index).found() {
            Ok(partition) => {
                let entries = offsets_log::entries(&partition, buffer).filter_map(|entry| match entry {
                    Ok(groups::LogEntry::Record { key, value, .. }) => Some(Ok(LogEntry { key, value })),
                    Ok(groups::LogEntry::Marker { .. }) => None,
                    Err(error) => Some(Err(error)),
                });
                transactions.load(index, partition.leader_epoch(), entries).map_err(|error| error.to_string())
            }
            Err(code) => Err(code.message().to_owned()),
        };
        if let Err(error) = loaded {
            error!(partition = index, %error, "transactions of this partition of __transaction_state are not served");
        }
    }
}
