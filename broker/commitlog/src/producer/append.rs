//! What an append does to the producers' state, and when it is refused (Kafka's `ProducerAppendInfo` and
//! `UnifiedLog.analyzeAndValidateProducerState`).

use super::entry::BatchMeta;
use super::marker::EndMarker;
use super::{ProducerEntry, ProducerState, Verification, VerificationGuard};
use crate::append::Origin;
use crate::batch::BatchHeader;
use crate::error::AppendError;

/// A batch of a producer: its header, with offsets as they will be, and its marker if it holds one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProducerBatch {
    pub(crate) header: BatchHeader,
    pub(crate) marker: Option<EndMarker>,
}

/// A transaction whose marker is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompletedTxn {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) aborted: bool,
}

/// What to change once the batches are in the log; see [`ProducerState::commit`].
#[derive(Debug, Default)]
pub(crate) struct Updates {
    /// Producer, its new entry, and whether a transactional batch is among the changes.
    pub(crate) entries: Vec<(i64, ProducerEntry, bool)>,
    /// First offset and producer of transactions that begin.
    pub(crate) started: Vec<(i64, i64)>,
    pub(crate) completed: Vec<CompletedTxn>,
}

/// The answer to an append.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Write it, then commit these changes.
    Accept(Updates),
    /// A batch is in the log already: answer with where it is.
    Duplicate(BatchMeta),
}

/// Who appends, and what was verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) log: &'a str,
    /// `None` when batches are read back from the log itself: they were checked when they were written.
    pub(crate) origin: Option<Origin>,
    pub(crate) guard: Option<VerificationGuard>,
    pub(crate) verification_enabled: bool,
    pub(crate) transaction_version: i16,
}

impl ProducerState {
    /// Checks batches with a producer id against the state, in order.
    pub(crate) fn check(&self, batches: &[ProducerBatch], claim: &Claim<'_>) -> Result<Verdict, AppendError> {
        let mut updates = Updates::default();
        for batch in batches.iter().filter(|batch| batch.header.has_producer_id()) {
            let header = &batch.header;
            let current = self.get(header.producer_id);
            if claim.origin == Some(Origin::Client)
                && let Some(duplicate) = current.and_then(|entry| entry.duplicate_of(header))
            {
                return Ok(Verdict::Duplicate(duplicate));
            }
            if matches!(claim.origin, Some(Origin::Client | Origin::Coordinator)) && header.is_transactional() {
                self.check_verified(header, claim)?;
            }
            let at = match updates.entries.iter().position(|(id, ..)| *id == header.producer_id) {
                Some(at) => at,
                None => {
                    let entry = current.cloned().unwrap_or(ProducerEntry::NEW);
                    updates.entries.push((header.producer_id, entry, false));
                    updates.entries.len() - 1
                }
            };
            let (_, entry, transactional) = &mut updates.entries[at];
            *transactional |= header.is_transactional();
            let mut step = Step { entry, current, verification: self.verification(header.producer_id), header, claim };
            if header.is_control() {
                let completed = match batch.marker {
                    Some(marker) => step.end_transaction(marker)?,
                    None => None,
                };
                updates.completed.extend(completed);
            } else if step.data()? {
                updates.started.push((header.base_offset, header.producer_id));
            }
        }
        Ok(Verdict::Accept(updates))
    }

    fn check_verified(&self, header: &BatchHeader, claim: &Claim<'_>) -> Result<(), AppendError> {
        let BatchHeader { producer_id, producer_epoch, .. } = *header;
        if self.has_ongoing_transaction(producer_id, producer_epoch) {
            return Ok(());
        }
        if let Some(entry) = self.get(producer_id).filter(|entry| producer_epoch < entry.epoch) {
            return Err(stale_epoch(producer_id, producer_epoch, entry.epoch));
        }
        let verified = claim.guard.is_some() && claim.guard == self.verification(producer_id).map(|known| known.guard);
        if claim.verification_enabled && !header.is_control() && !verified {
            return Err(AppendError::InvalidTxnState("Record was not part of an ongoing transaction".to_owned()));
        }
        Ok(())
    }
}

/// The refusal of an old epoch before anything else is looked at.
pub(crate) fn stale_epoch(producer_id: i64, epoch: i16, current: i16) -> AppendError {
    AppendError::InvalidProducerEpoch(format!(
        "Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {current}"
    ))
}

/// One batch on its way into a producer's entry.
struct Step<'a> {
    /// The entry as the batches before this one in the same append have left it.
    entry: &'a mut ProducerEntry,
    /// The entry as it is without this append.
    current: Option<&'a ProducerEntry>,
    verification: Option<&'a Verification>,
    header: &'a BatchHeader,
    claim: &'a Claim<'a>,
}

impl Step<'_> {
    /// A batch of records. True if it begins a transaction.
    fn data(&mut self) -> Result<bool, AppendError> {
        let header = self.header;
        self.check_epoch(0)?;
        if self.claim.origin == Some(Origin::Client) {
            self.check_sequence()?;
        }
        self.entry.set_epoch(header.producer_epoch);
        self.entry.add_batch(BatchMeta {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        match (self.entry.txn_first, header.is_transactional()) {
            (Some(_), false) => Err(AppendError::InvalidTxnState(format!(
                "Expected transactional write from producer {} at offset {} in partition {}",
                header.producer_id, header.base_offset, self.claim.log
            ))),
            (None, true) => {
                self.entry.txn_first = Some(header.base_offset);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A marker that ends a transaction. `None` if none was open: that has no influence on readers.
    fn end_transaction(&mut self, marker: EndMarker) -> Result<Option<CompletedTxn>, AppendError> {
        let header = self.header;
        self.check_epoch(self.claim.transaction_version)?;
        if self.entry.coordinator_epoch > marker.coordinator_epoch && self.claim.origin.is_some() {
            return Err(AppendError::TransactionCoordinatorFenced(format!(
                "Invalid coordinator epoch for producerId {} at offset {} in partition {}: {} (zombie), {} (current)",
                header.producer_id,
                header.base_offset,
                self.claim.log,
                marker.coordinator_epoch,
                self.entry.coordinator_epoch
            )));
        }
        let completed = self.entry.txn_first.take().map(|first_offset| CompletedTxn {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.base_offset,
            aborted: marker.abort,
        });
        self.entry.set_epoch(header.producer_epoch);
        self.entry.coordinator_epoch = marker.coordinator_epoch;
        self.entry.last_timestamp = header.max_timestamp;
        Ok(completed)
    }

    /// Markers of transactions version 2 come with a bumped epoch, so that the one of the transaction itself is stale
    /// (KIP-890); a marker that comes again after its transaction ended is let through.
    fn check_epoch(&self, transaction_version: i16) -> Result<(), AppendError> {
        let (epoch, seen) = (self.header.producer_epoch, self.entry.epoch);
        let bumped = transaction_version >= 2;
        let stale = if bumped { epoch <= seen } else { epoch < seen };
        let retried = bumped && epoch == seen && (self.entry.txn_first.is_none() || epoch == i16::MAX);
        if !stale || retried || self.claim.origin.is_none() {
            return Ok(());
        }
        Err(AppendError::InvalidProducerEpoch(format!(
            "Epoch of producer {} at offset {} in {} is {epoch}, which is {} the last seen epoch {seen}",
            self.header.producer_id,
            self.header.base_offset,
            self.claim.log,
            if bumped { "smaller than or equal to" } else { "smaller than" },
        )))
    }

    fn check_sequence(&self) -> Result<(), AppendError> {
        let BatchHeader { producer_id, producer_epoch: epoch, base_sequence: first, base_offset, .. } = *self.header;
        let log = self.claim.log;
        let refuse = |why: String| Err(AppendError::OutOfOrderSequence(why));
        if let Some(verification) = self.verification {
            let unknown = self.current.is_none_or(ProducerEntry::is_empty);
            if verification.supports_epoch_bump && first != 0 && unknown {
                return refuse(format!(
                    "Invalid sequence number for producer {producer_id} at offset {base_offset} in partition {log}: \
                     {first} (incoming seq. number). Expected sequence 0 for a producer with no existing state."
                ));
            }
            if first > verification.lowest_sequence {
                return refuse(format!(
                    "Out of order sequence number for producer {producer_id} at offset {base_offset} in partition \
                     {log}: {first} (incoming seq. number), {} (earliest seen sequence)",
                    verification.lowest_sequence
                ));
            }
        }
        if epoch != self.entry.epoch {
            if first != 0 && self.entry.epoch != -1 {
                return refuse(format!(
                    "Invalid sequence number for new epoch of producer {producer_id} at offset {base_offset} in \
                     partition {log}: {epoch} (request epoch), {first} (seq. number), {} (current producer epoch)",
                    self.entry.epoch
                ));
            }
            return Ok(());
        }
        let current_epoch = self.current.map_or(-1, |entry| entry.epoch);
        let last = match self.entry.last_batch() {
            Some(batch) => batch.last_sequence,
            None if epoch == current_epoch => self.current.map_or(-1, ProducerEntry::last_sequence),
            None => -1,
        };
        let follows = i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX);
        // Without an epoch everything of this producer was deleted or expired: any sequence may go on.
        if current_epoch == -1 || follows {
            return Ok(());
        }
        refuse(format!(
            "Out of order sequence number for producer {producer_id} at offset {base_offset} in partition {log}: \
             {first} (incoming seq. number), {last} (current end sequence number)"
        ))
    }
}
