//! What the API layer asks the coordinator, and what it gets back: plain structs, no wire format.

use regex::Regex;
use wire::ErrorCode;

use super::{Name, Partition, TransactionState};

/// A producer's id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerIdentity {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
}

/// InitProducerId with a transactional id.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// The transactional id.
    pub id: Name,
    /// How long its transactions may be open, in ms.
    pub timeout_ms: i32,
    /// What the producer had until now, when it goes on after an error (KIP-360).
    pub known: Option<ProducerIdentity>,
}

/// AddPartitionsToTxn, for one transaction; AddOffsetsToTxn; Produce and TxnOffsetCommit with transactions version 2.
#[derive(Debug, Clone)]
pub struct PartitionsRequest {
    /// The transactional id.
    pub id: Name,
    /// Who asks.
    pub producer: ProducerIdentity,
    /// Partitions that exist.
    pub partitions: Vec<Partition>,
    /// The version of transactions that the producer speaks: 0 or 2.
    pub client_version: i16,
}

/// EndTxn.
#[derive(Debug, Clone)]
pub struct EndRequest {
    /// The transactional id.
    pub id: Name,
    /// Who asks.
    pub producer: ProducerIdentity,
    /// Commit, or abort.
    pub commit: bool,
    /// The version of transactions that the producer speaks: 0 or 2.
    pub client_version: i16,
}

/// Which transactions ListTransactions wants.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Any state when `None`.
    pub states: Option<Vec<TransactionState>>,
    /// Any producer when empty.
    pub producer_ids: Vec<i64>,
    /// Open for longer than this, in ms; negative for any (version 1 and later).
    pub duration_ms: i64,
    /// The whole transactional id matches (version 2).
    pub pattern: Option<Regex>,
}

/// A transaction as ListTransactions shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The transactional id.
    pub id: Name,
    /// Its producer.
    pub producer_id: i64,
    /// Where it stands.
    pub state: TransactionState,
}

/// A result, or Kafka's error.
pub type Outcome<T> = Result<T, ErrorCode>;
