//! What compaction leaves of one batch (Kafka's `Cleaner.shouldRetainRecord` and `MemoryRecords.filterTo`).

use std::collections::HashMap;

use wire::record_batch::{BatchBuilder, BatchError, BatchOptions, Producer, Record, RecordBatch, TimestampType};

use super::offset_map::OffsetMap;
use super::transactions::{MarkerFate, Transactions};
use crate::batch::{self, BatchHeader, HEADER};
use crate::producer::{ProducerInfo, end_marker};
use crate::txn_index::AbortedTxn;

/// What the records of one batch may take once decompressed, in bytes.
pub(super) const LIMIT: usize = 1 << 30;

/// What is left of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    AsItIs,
    Rewritten(Vec<u8>),
}

/// What decides over records.
pub(super) struct Filter<'a> {
    pub(super) map: &'a OffsetMap,
    pub(super) producers: HashMap<i64, ProducerInfo>,
    pub(super) now_ms: i64,
    pub(super) delete_retention_ms: i64,
    /// First offset that is not cleaned.
    pub(super) end_offset: i64,
}

impl Filter<'_> {
    /// Decides over a batch; for the marker of an aborted transaction that is kept, its entry in the new index.
    pub(super) fn apply(
        &self,
        header: &BatchHeader,
        bytes: &[u8],
        transactions: &mut Transactions,
    ) -> Result<(Left, Option<AbortedTxn>), BatchError> {
        let view = RecordBatch::parse(bytes)?;
        let mut aborted = None;
        let (discardable, is_empty_txn) = if header.is_control() {
            match transactions.control(header, end_marker(bytes)) {
                MarkerFate::Keep => (false, false),
                MarkerFate::KeepAborted(txn) => {
                    aborted = Some(txn);
                    (false, false)
                }
                // A marker outlives its records for as long as a tombstone does.
                MarkerFate::Discard => (header.delete_horizon_ms().is_some_and(|at| at <= self.now_ms), true),
            }
        } else {
            (transactions.data(header), false)
        };
        let keep_empty = self.is_last_of_producer(header) || header.last_offset() + 1 == self.end_offset;
        if discardable && !keep_empty {
            return Ok((Left::Nothing, aborted));
        }
        let set = view.records(LIMIT)?;
        let mut kept = Vec::new();
        let mut tombstones = false;
        for record in set.iter() {
            let record = record?;
            if !discardable && (header.is_control() || self.keeps(header, &record)) {
                tombstones |= record.value.is_none();
                kept.push(record);
            }
        }
        let sets_horizon = (is_empty_txn || tombstones && !header.is_control())
            && header.delete_horizon_ms().is_none()
            && !kept.is_empty();
        if kept.is_empty() {
            let left = if !keep_empty {
                Left::Nothing
            } else if header.count == 0 {
                Left::AsItIs
            } else {
                Left::Rewritten(emptied(bytes))
            };
            return Ok((left, aborted));
        }
        if kept.len() == usize::try_from(header.count).unwrap_or(0) && !sets_horizon {
            return Ok((Left::AsItIs, aborted));
        }
        let horizon = if sets_horizon {
            Some(self.now_ms.saturating_add(self.delete_retention_ms))
        } else {
            header.delete_horizon_ms()
        };
        Ok((Left::Rewritten(rewrite(header, view, &kept, horizon)?), aborted))
    }

    fn keeps(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if record.offset > self.map.latest_offset {
            return true;
        }
        // Records without a key have no place in a compacted log; they come from before it was one.
        let Some(key) = record.key else { return false };
        let is_latest = self.map.get(key).is_none_or(|latest| record.offset >= latest);
        let tombstone_stays = header.delete_horizon_ms().is_none_or(|horizon| self.now_ms < horizon);
        is_latest && (record.value.is_some() || tombstone_stays)
    }

    /// The batch that a producer's state rests on has to stay, if only as a header: its last records hold the sequence,
    /// or, where there are none, its last marker the epoch.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.has_producer_id()
            && self.producers.get(&header.producer_id).is_some_and(|last| match last.last_offset {
                -1 => header.is_control() && header.producer_epoch == last.producer_epoch,
                offset => header.last_offset() == offset,
            })
    }
}

/// The batch's header alone: no records, its offsets and producer as before, not compressed.
fn emptied(bytes: &[u8]) -> Vec<u8> {
    let mut header = bytes[..HEADER].to_vec();
    header[8..12].copy_from_slice(&((HEADER - batch::LOG_OVERHEAD) as u32).to_be_bytes());
    // The codec, and a delete horizon in place of the base timestamp, are about records.
    header[22] &= !0x47;
    header[27..35].copy_from_slice(&(-1_i64).to_be_bytes());
    header[57..61].copy_from_slice(&0_u32.to_be_bytes());
    let crc = batch::crc_of(&header);
    header[17..21].copy_from_slice(&crc.to_be_bytes());
    header
}

/// The batch with fewer records, or with a delete horizon. Its first and last offset stay.
fn rewrite(
    header: &BatchHeader,
    view: RecordBatch<'_>,
    kept: &[Record<'_>],
    delete_horizon: Option<i64>,
) -> Result<Vec<u8>, BatchError> {
    let stamped = view.timestamp_type() == TimestampType::LogAppendTime;
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: header.base_offset,
        leader_epoch: header.leader_epoch,
        compression: view.compression()?,
        level: None,
        log_append_time: stamped.then_some(header.max_timestamp),
        producer: Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
        is_transactional: header.is_transactional(),
        is_control: header.is_control(),
        delete_horizon,
    });
    kept.iter().try_for_each(|record| builder.append_record(record))?;
    builder.set_last_offset(header.last_offset())?;
    builder.build()
}
