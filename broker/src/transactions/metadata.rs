//! What is known of one transactional id.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::TransactionState;
use super::request::ProducerIdentity;

/// A text shared by all who refer to it.
pub type Name = Arc<str>;
/// A topic's name and a partition of it.
pub type Partition = (Name, i32);

/// No producer id.
pub const NO_PRODUCER_ID: i64 = -1;
/// No producer epoch.
pub const NO_EPOCH: i16 = -1;
/// The last epoch that a producer is given. The one above it is for fencing that producer, or for its last markers.
pub const LAST_EPOCH: i16 = i16::MAX - 1;
/// The version of transactions in which every end bumps the epoch (KIP-890).
pub const VERSION_WITH_EPOCH_BUMP: i16 = 2;

/// A transactional id's state. Source: `TransactionMetadata`.
///
/// `partitions` is empty unless the state is Ongoing or PrepareX. `next_producer_id` is set only in PrepareX, when the
/// epochs of `producer_id` are used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The id that the producer has.
    pub producer_id: i64,
    /// The id that it had before, as of the last change.
    pub previous_producer_id: i64,
    /// The id that it gets once the markers are written; -1 to keep it.
    pub next_producer_id: i64,
    /// The producer's epoch; -1 when it has never been given one.
    pub producer_epoch: i16,
    /// The epoch before, from which the producer may repeat its last request (KIP-360); -1 for none. Not stored.
    pub last_producer_epoch: i16,
    /// How long a transaction may be open, in ms.
    pub timeout_ms: i32,
    /// Where the transaction stands.
    pub state: TransactionState,
    /// What the transaction spans.
    pub partitions: BTreeSet<Partition>,
    /// When the open or last transaction began, in ms since 1970; -1 if there was none.
    pub started_ms: i64,
    /// When any of this last changed, in ms since 1970.
    pub updated_ms: i64,
    /// The version of transactions that the producer speaks.
    pub client_version: i16,
}

impl Transaction {
    /// An id that nobody had before.
    pub fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_EPOCH,
            last_producer_epoch: NO_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            started_ms: -1,
            updated_ms: now_ms,
            client_version: 0,
        }
    }

    /// The producer as it knows itself.
    pub fn producer(&self) -> ProducerIdentity {
        ProducerIdentity { id: self.producer_id, epoch: self.producer_epoch }
    }

    /// Whether the id's epochs are used up.
    pub fn is_exhausted(&self) -> bool {
        self.producer_epoch >= LAST_EPOCH
    }

    /// The same id in another state; every change begins here.
    fn changed(&self, state: TransactionState, now_ms: i64) -> Self {
        Self { state, previous_producer_id: self.producer_id, updated_ms: now_ms, ..self.clone() }
    }

    /// For a producer that starts, with the next epoch.
    pub fn initialised(&self, epoch: i16, last_epoch: i16, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_epoch: epoch,
            last_producer_epoch: last_epoch,
            timeout_ms,
            partitions: BTreeSet::new(),
            started_ms: -1,
            ..self.changed(TransactionState::Empty, now_ms)
        }
    }

    /// For a producer that starts, with a new id since the epochs of the old one are used up.
    pub fn rotated(&self, producer_id: i64, timeout_ms: i32, keep_last_epoch: bool, now_ms: i64) -> Self {
        let last_epoch = if keep_last_epoch { self.producer_epoch } else { NO_EPOCH };
        Self { producer_id, ..self.initialised(0, last_epoch, timeout_ms, now_ms) }
    }

    /// With more partitions.
    pub fn with_partitions(&self, more: &[Partition], client_version: i16, now_ms: i64) -> Self {
        let mut partitions = self.partitions.clone();
        partitions.extend(more.iter().cloned());
        let started_ms = if self.state.is_idle() { now_ms } else { self.started_ms };
        Self { partitions, started_ms, client_version, ..self.changed(TransactionState::Ongoing, now_ms) }
    }

    /// Decided. With transactions version 2 the markers carry the next epoch, which is why writes of the ended
    /// transaction that come late are refused; a transaction without partitions never had a start, so it gets this one.
    pub fn prepared(&self, commit: bool, client_version: i16, next_producer_id: i64, now_ms: i64) -> Self {
        let state = if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let mut prepared = Self { client_version, next_producer_id, ..self.changed(state, now_ms) };
        if client_version >= VERSION_WITH_EPOCH_BUMP {
            (prepared.producer_epoch, prepared.last_producer_epoch) = (self.producer_epoch + 1, self.producer_epoch);
        }
        if self.state.is_idle() {
            prepared.started_ms = now_ms;
        }
        prepared
    }

    /// All markers are written.
    pub fn completed(&self, now_ms: i64) -> Self {
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        let mut completed =
            Self { next_producer_id: NO_PRODUCER_ID, partitions: BTreeSet::new(), ..self.changed(state, now_ms) };
        if self.client_version >= VERSION_WITH_EPOCH_BUMP && self.next_producer_id != NO_PRODUCER_ID {
            (completed.producer_id, completed.producer_epoch) = (self.next_producer_id, 0);
        }
        completed
    }

    /// Whether the open transaction has taken too long.
    pub fn has_timed_out(&self, now_ms: i64) -> bool {
        self.state == TransactionState::Ongoing && self.started_ms.saturating_add(self.timeout_ms.into()) < now_ms
    }

    /// Whether nobody has used the id for `retention_ms`.
    pub fn has_expired(&self, now_ms: i64, retention_ms: i64) -> bool {
        self.state.is_idle() && self.updated_ms <= now_ms - retention_ms
    }
}
