//! What a log remembers of its producers (Kafka's `ProducerStateManager`): who wrote which sequence last, and which
//! transactions are open.
//!
//! ```text
//!             first undecided                    high watermark    log end
//!                    |                                 |              |
//!  … decided ………… [ T1 first record … T2 … T1 commit ………………… T2 … )
//!                    ^ last stable offset: read_committed stops here until the marker of T1, and every marker of a
//!                      transaction that began before the high watermark, lies below the high watermark
//! ```
//!
//! A transaction is *ongoing* from its first record to its marker, then *unreplicated* until the high watermark has
//! passed the marker. The state is a function of the log: a `.snapshot` of it at some offset plus the batches after
//! that offset give it back.

mod append;
mod entry;
mod marker;
mod snapshot;
mod snapshots;

use std::collections::{BTreeMap, HashMap};

pub(crate) use append::{Claim, CompletedTxn, ProducerBatch, Updates, Verdict, stale_epoch};
pub(crate) use entry::ProducerEntry;
pub(crate) use marker::{EndMarker, end_marker};
pub(crate) use snapshots::Snapshots;

use crate::txn_index::AbortedTxn;

/// After `transaction.max.timeout.ms` plus this, in ms, an open transaction is late (Kafka's
/// `LATE_TRANSACTION_BUFFER_MS`).
const LATE_TRANSACTION_BUFFER_MS: i64 = 5 * 60 * 1000;

/// A producer that the log remembers, as DescribeProducers reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    /// The producer's id.
    pub producer_id: i64,
    /// Its latest epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record, -1 if none is remembered.
    pub last_sequence: i32,
    /// Offset of its last record, -1 if none is remembered.
    pub last_offset: i64,
    /// Timestamp of its last batch or marker.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker, -1 without one.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub current_txn_first_offset: Option<i64>,
}

/// Proof that a transaction was verified with its coordinator before this append (KIP-890). It stands for one
/// producer on one partition until its first transactional batch is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationGuard(u64);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Verification {
    pub(crate) guard: VerificationGuard,
    pub(crate) timestamp: i64,
    pub(crate) lowest_sequence: i32,
    pub(crate) epoch: i16,
    pub(crate) supports_epoch_bump: bool,
}

/// The state of all producers of one log.
#[derive(Debug, Default)]
pub(crate) struct ProducerState {
    producers: HashMap<i64, ProducerEntry>,
    /// First offset -> producer.
    ongoing: BTreeMap<i64, i64>,
    /// First offset -> offset of the marker.
    unreplicated: BTreeMap<i64, i64>,
    verifications: HashMap<i64, Verification>,
    last_guard: u64,
    /// The state is that of the log up to here.
    pub(crate) end: i64,
}

impl ProducerState {
    /// The state before `start`: nobody is known.
    pub(crate) fn empty_at(start: i64) -> ProducerState {
        ProducerState { end: start, ..ProducerState::default() }
    }

    /// The state as a snapshot at `end` has it, without the producers that had expired at `now_ms`.
    pub(crate) fn from_entries(
        entries: Vec<(i64, ProducerEntry)>,
        end: i64,
        now_ms: i64,
        expiration_ms: i64,
    ) -> ProducerState {
        let mut state = ProducerState::empty_at(end);
        for (producer_id, entry) in entries {
            if entry.is_expired(now_ms, expiration_ms) {
                continue;
            }
            if let Some(first) = entry.txn_first {
                state.ongoing.insert(first, producer_id);
            }
            state.producers.insert(producer_id, entry);
        }
        state
    }

    pub(crate) fn get(&self, producer_id: i64) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id)
    }

    pub(crate) fn verification(&self, producer_id: i64) -> Option<&Verification> {
        self.verifications.get(&producer_id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &ProducerEntry)> {
        self.producers.iter().map(|(&id, entry)| (id, entry))
    }

    pub(crate) fn info(&self) -> Vec<ProducerInfo> {
        let mut all: Vec<_> = self.iter().map(|(id, entry)| entry.info(id)).collect();
        all.sort_unstable_by_key(|producer| producer.producer_id);
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.producers.len()
    }

    /// First offset of the oldest transaction that is not decided below the high watermark.
    pub(crate) fn first_unstable(&self) -> Option<i64> {
        let ongoing = self.ongoing.keys().next().copied();
        let unreplicated = self.unreplicated.keys().next().copied();
        match (ongoing, unreplicated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Forgets the decided transactions whose marker lies below the high watermark.
    pub(crate) fn high_watermark_moved(&mut self, high_watermark: i64) {
        while let Some(first) = self.unreplicated.first_entry().filter(|txn| *txn.get() < high_watermark) {
            first.remove();
        }
    }

    /// The log starts at `start` from now on.
    pub(crate) fn log_start_moved(&mut self, start: i64) {
        self.high_watermark_moved(start);
        self.end = self.end.max(start);
    }

    /// The last stable offset once `txn` is complete.
    fn last_stable_after(&self, txn: &CompletedTxn) -> i64 {
        let other = self.ongoing.iter().find(|(_, producer)| **producer != txn.producer_id);
        other.map_or(txn.last_offset + 1, |(first, _)| *first)
    }

    /// Takes over what an append has changed. Returns the aborted transactions, for the transaction index.
    pub(crate) fn commit(&mut self, updates: Updates) -> Vec<AbortedTxn> {
        for (first, producer_id) in updates.started {
            self.ongoing.insert(first, producer_id);
        }
        for (producer_id, entry, transactional) in updates.entries {
            self.producers.insert(producer_id, entry);
            // With a first record or a marker in the log the guard has done its work.
            if transactional {
                self.verifications.remove(&producer_id);
            }
        }
        let mut aborted = Vec::new();
        for txn in updates.completed {
            if txn.aborted {
                aborted.push(AbortedTxn {
                    producer_id: txn.producer_id,
                    first_offset: txn.first_offset,
                    last_offset: txn.last_offset,
                    last_stable_offset: self.last_stable_after(&txn),
                });
            }
            self.ongoing.remove(&txn.first_offset);
            self.unreplicated.insert(txn.first_offset, txn.last_offset);
        }
        aborted
    }

    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, entry| !entry.is_expired(now_ms, expiration_ms));
        self.verifications.retain(|_, verification| now_ms - verification.timestamp < expiration_ms);
        before - self.producers.len()
    }

    pub(crate) fn has_late_transaction(&self, now_ms: i64, max_timeout_ms: i64) -> bool {
        let oldest = self.ongoing.values().next().and_then(|producer| self.producers.get(producer));
        oldest.is_some_and(|entry| {
            entry.last_timestamp > 0
                && now_ms - entry.last_timestamp > max_timeout_ms.saturating_add(LATE_TRANSACTION_BUFFER_MS)
        })
    }

    pub(crate) fn has_ongoing_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.get(producer_id).is_some_and(|entry| entry.txn_first.is_some() && entry.epoch == epoch)
    }

    /// The guard for a producer's next transaction here, made if there is none.
    pub(crate) fn guard(
        &mut self,
        producer_id: i64,
        epoch: i16,
        sequence: i32,
        supports_epoch_bump: bool,
        now_ms: i64,
    ) -> VerificationGuard {
        self.last_guard += 1;
        let fresh = Verification {
            guard: VerificationGuard(self.last_guard),
            timestamp: now_ms,
            lowest_sequence: sequence,
            epoch,
            supports_epoch_bump,
        };
        let known = self.verifications.entry(producer_id).or_insert(fresh);
        if epoch == known.epoch {
            known.lowest_sequence = known.lowest_sequence.min(sequence);
        } else if epoch > known.epoch {
            (known.epoch, known.lowest_sequence) = (epoch, sequence);
        }
        known.guard
    }
}
