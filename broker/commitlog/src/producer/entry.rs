//! What is remembered of one producer: its epoch, its last batches, its open transaction.

use super::ProducerInfo;
use crate::batch::BatchHeader;

/// How many batches a producer may have in flight, and so how many may come twice (Kafka's `NUM_BATCHES_TO_RETAIN`).
const REMEMBERED: usize = 5;

/// A batch that a producer wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BatchMeta {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl BatchMeta {
    pub(crate) fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    fn first_sequence(&self) -> i32 {
        let first = i64::from(self.last_sequence) - i64::from(self.offset_delta);
        (if first < 0 { first + i64::from(i32::MAX) + 1 } else { first }) as i32
    }
}

/// One producer (Kafka's `ProducerStateEntry`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProducerEntry {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp: i64,
    pub(crate) txn_first: Option<i64>,
    /// Oldest first; the first `count` are in use.
    batches: [BatchMeta; REMEMBERED],
    count: u8,
}

impl ProducerEntry {
    /// A producer of whom nothing is known.
    pub(crate) const NEW: ProducerEntry = ProducerEntry {
        epoch: -1,
        coordinator_epoch: -1,
        last_timestamp: -1,
        txn_first: None,
        batches: [BatchMeta { last_sequence: 0, last_offset: 0, offset_delta: 0, timestamp: 0 }; REMEMBERED],
        count: 0,
    };

    pub(crate) fn batches(&self) -> &[BatchMeta] {
        &self.batches[..usize::from(self.count)]
    }

    pub(crate) fn last_batch(&self) -> Option<&BatchMeta> {
        self.batches().last()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sequence of the last record, -1 without one.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(-1, |batch| batch.last_sequence)
    }

    /// A new epoch begins with no batches.
    pub(crate) fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.count = 0;
        }
    }

    pub(crate) fn add_batch(&mut self, batch: BatchMeta) {
        if usize::from(self.count) == REMEMBERED {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
        self.last_timestamp = batch.timestamp;
    }

    /// The remembered batch that `header` repeats.
    pub(crate) fn duplicate_of(&self, header: &BatchHeader) -> Option<BatchMeta> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        let same = |batch: &&BatchMeta| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        };
        self.batches().iter().find(same).copied()
    }

    /// Nothing heard for `expiration_ms`, and no transaction open.
    pub(crate) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.txn_first.is_none() && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    pub(crate) fn info(&self, producer_id: i64) -> ProducerInfo {
        ProducerInfo {
            producer_id,
            producer_epoch: self.epoch,
            last_sequence: self.last_sequence(),
            last_offset: self.last_batch().map_or(-1, |batch| batch.last_offset),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            current_txn_first_offset: self.txn_first,
        }
    }
}
