//! The state machine of one partition of `__transaction_state`: every transactional id that hashes to it.
//!
//! Each request is one method: it looks at the state, and says what is to be written and what to answer. The shell
//! appends the record, hands it to [`Shard::written`], and only then answers; where the append fails nothing has
//! changed. Replaying the partition's records therefore gives exactly the state that was acknowledged.
//!
//! Invariants: a transaction is decided once, by the record of PrepareX; from there it can only become CompleteX. The
//! producer's epoch never goes back under one producer id, and no id comes back under which epochs were used up.

use std::collections::BTreeMap;

use wire::ErrorCode;

use super::log::Marker;
use super::metadata::{NO_EPOCH, NO_PRODUCER_ID, Name, Partition, Transaction, VERSION_WITH_EPOCH_BUMP};
use super::request::{Outcome, ProducerIdentity};
use super::state::TransactionState;

/// A record to append: a transactional id's new state, or `None` to forget the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The transactional id.
    pub id: Name,
    /// What is known of it from then on.
    pub value: Option<Transaction>,
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T> {
    /// Answer this.
    Answer(Outcome<T>),
    /// Answer this once the record is written.
    Write(Change, Outcome<T>),
    /// Ask again with a producer id that nobody had before.
    NeedsProducerId,
}

impl<T> Decision<T> {
    pub(super) fn refuse(code: ErrorCode) -> Self {
        Self::Answer(Err(code))
    }

    pub(super) fn write(id: &Name, value: Transaction, answer: Outcome<T>) -> Self {
        Self::Write(Change { id: Name::clone(id), value: Some(value) }, answer)
    }
}

/// A decided transaction whose markers are to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkerJob {
    /// The transactional id.
    pub id: Name,
    /// What to write.
    pub marker: Marker,
    /// Where it is still missing.
    pub partitions: Vec<Partition>,
}

/// The moment a request is handled, and the version of transactions that the cluster has agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// `transaction.version`, 0 to 2.
    pub feature_level: i16,
}

/// Every transactional id of one partition of `__transaction_state`.
#[derive(Debug, Default)]
pub struct Shard {
    pub(super) transactions: BTreeMap<Name, Transaction>,
    coordinator_epoch: i32,
}

impl Shard {
    /// A shard that has replayed nothing yet; the epoch is the partition's leader epoch.
    pub fn new(coordinator_epoch: i32) -> Self {
        Self { transactions: BTreeMap::new(), coordinator_epoch }
    }

    /// Applies one record of the log.
    pub fn replay(&mut self, id: Name, value: Option<Transaction>) {
        match value {
            Some(transaction) => self.transactions.insert(id, transaction),
            None => self.transactions.remove(&id),
        };
    }

    /// Everything is replayed: what was decided and not finished.
    pub fn unfinished(&self) -> Vec<MarkerJob> {
        self.transactions.iter().filter_map(|(id, transaction)| self.job(id, transaction)).collect()
    }

    /// A record is in the log. For a decided transaction, says which markers to write now.
    pub fn written(&mut self, change: Change) -> Option<MarkerJob> {
        let Change { id, value } = change;
        let job = value.as_ref().and_then(|transaction| self.job(&id, transaction));
        self.replay(id, value);
        job
    }

    /// All markers of a job are written: the record that says so. `None` if the transaction is not waiting for it.
    pub fn markers_written(&self, now: Now, job: &MarkerJob) -> Option<Change> {
        let transaction = self.transactions.get(&job.id)?;
        let waiting = transaction.state.is_prepared() && transaction.producer() == job.marker.producer;
        waiting.then(|| Change { id: Name::clone(&job.id), value: Some(transaction.completed(now.ms)) })
    }

    fn job(&self, id: &Name, transaction: &Transaction) -> Option<MarkerJob> {
        let commit = match transaction.state {
            TransactionState::PrepareCommit => true,
            TransactionState::PrepareAbort => false,
            _ => return None,
        };
        let marker = Marker {
            producer: transaction.producer(),
            commit,
            coordinator_epoch: self.coordinator_epoch,
            transaction_version: transaction.client_version,
        };
        let partitions = transaction.partitions.iter().cloned().collect();
        Some(MarkerJob { id: Name::clone(id), marker, partitions })
    }

    /// The transactional id's state, or the error of requests that name an id nobody has.
    pub(super) fn known(&self, id: &str) -> Outcome<&Transaction> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.transactions.get(id).ok_or(ErrorCode::InvalidProducerIdMapping)
    }

    /// The ids whose transaction has been open for too long; see [`Self::abort_late`].
    pub fn late(&self, now: Now) -> Vec<Name> {
        let late = self.transactions.iter().filter(|(_, transaction)| transaction.has_timed_out(now.ms));
        late.map(|(id, _)| Name::clone(id)).collect()
    }

    /// Aborts a transaction that has been open for too long. `fresh_id` is an id that nobody had before, if the caller
    /// has drawn one.
    pub fn abort_late(&self, now: Now, id: &Name, fresh_id: Option<i64>) -> Decision<()> {
        match self.transactions.get(id) {
            Some(transaction) if transaction.has_timed_out(now.ms) => transaction.fence(now, id, fresh_id, Ok(())),
            _ => Decision::Answer(Ok(())),
        }
    }

    /// Forgets the ids that nobody has used for `retention_ms`.
    pub fn expire(&self, now: Now, retention_ms: i64) -> Vec<Change> {
        let expired = self.transactions.iter().filter(|(_, transaction)| transaction.has_expired(now.ms, retention_ms));
        expired.map(|(id, _)| Change { id: Name::clone(id), value: None }).collect()
    }
}

impl Transaction {
    /// Aborts the open transaction in the name of the coordinator: with the next epoch, so that the producer that began
    /// it is shut out.
    pub(super) fn fence<T>(&self, now: Now, id: &Name, fresh_id: Option<i64>, answer: Outcome<T>) -> Decision<T> {
        let version = now.feature_level;
        if version < VERSION_WITH_EPOCH_BUMP {
            let producer_epoch = self.producer_epoch.saturating_add(1);
            let bumped = Self { producer_epoch, last_producer_epoch: NO_EPOCH, ..self.clone() };
            return Decision::write(id, bumped.prepared(false, version, NO_PRODUCER_ID, now.ms), answer);
        }
        let next_producer_id = match (self.is_exhausted(), fresh_id) {
            (false, _) => NO_PRODUCER_ID,
            (true, Some(fresh_id)) => fresh_id,
            (true, None) => return Decision::NeedsProducerId,
        };
        Decision::write(id, self.prepared(false, version, next_producer_id, now.ms), answer)
    }
}

/// The producer that a decided transaction's producer is told to go on as.
pub(super) fn after_end(prepared: &Transaction) -> ProducerIdentity {
    prepared.completed(prepared.updated_ms).producer()
}
