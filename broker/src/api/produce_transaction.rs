//! Transactional batches of a Produce request, before they are appended. Source: `ReplicaManager.handleProduceAppend`,
//! KIP-890.

use std::collections::HashMap;
use std::sync::Arc;

use commitlog::VerificationGuard;
use wire::ErrorCode;

use super::Context;
use super::transaction::{self, Support, Write, Writer};
use crate::replica::{AppendFailure, Partition};
use crate::transactions::request::ProducerIdentity;

/// The first version whose clients know `TRANSACTION_ABORTABLE`.
const FIRST_ABORTABLE_VERSION: i16 = 11;
/// The first version that speaks transactions version 2.
const FIRST_V2_VERSION: i16 = 12;

const HEADER: usize = 61;
const MAGIC: usize = 16;
const ATTRIBUTES: usize = 21;
const TRANSACTIONAL: i16 = 0x10;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;

/// What the header of a transactional batch says of its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionalBatch {
    /// The producer.
    pub producer: ProducerIdentity,
    /// The first record's number in the producer's sequence.
    pub sequence: i32,
}

impl TransactionalBatch {
    /// Looks at the first batch in a partition's records; `None` if it is not transactional or no batch at all.
    pub fn of(records: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = records.first_chunk()?;
        let short = |at: usize| i16::from_be_bytes([header[at], header[at + 1]]);
        if header[MAGIC] != 2 || short(ATTRIBUTES) & TRANSACTIONAL == 0 {
            return None;
        }
        let id = header[PRODUCER_ID..].first_chunk().map(|bytes| i64::from_be_bytes(*bytes))?;
        let sequence = header[BASE_SEQUENCE..].first_chunk().map(|bytes| i32::from_be_bytes(*bytes))?;
        let producer = ProducerIdentity { id, epoch: short(PRODUCER_EPOCH) };
        Some(Self { producer, sequence })
    }
}

/// A transactional batch on its way: topic and partition by their places in the request.
pub struct Wanted {
    /// Places in the request.
    pub at: (usize, usize),
    /// Where it goes.
    pub partition: Arc<Partition>,
    /// Its header.
    pub batch: TransactionalBatch,
}

/// For each partition with a transactional batch, by its place in the request, what to append with.
pub type Verified = HashMap<(usize, usize), Result<Option<VerificationGuard>, AppendFailure>>;

/// Asks the coordinator whether the partitions are part of the producer's transaction.
///
/// # Errors
/// The error of every partition of the request.
pub async fn verify(context: &Context<'_>, id: Option<&str>, mut wanted: Vec<Wanted>) -> Result<Verified, ErrorCode> {
    if wanted.is_empty() {
        return Ok(Verified::new());
    }
    let id = id.ok_or(ErrorCode::TransactionalIdAuthorizationFailed)?;
    // Without a producer there is nothing to ask for; the log refuses such a batch.
    wanted.retain(|one| one.batch.producer.id >= 0);
    let Some(first) = wanted.first() else { return Ok(Verified::new()) };
    let producer = first.batch.producer;
    if wanted.iter().any(|one| one.batch.producer != producer) {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let support = match context.version {
        FIRST_V2_VERSION.. => Support::AddsPartitions,
        FIRST_ABORTABLE_VERSION => Support::AbortableError,
        _ => Support::OldErrors,
    };
    let writes: Vec<Write> = wanted.iter().map(|one| (Arc::clone(&one.partition), one.batch.sequence)).collect();
    let guards = transaction::verify(context.node, Writer { id, producer, support }, &writes).await;
    let results = guards.into_iter().map(|guard| guard.map_err(|code| failure(code, support)));
    Ok(wanted.iter().map(|one| one.at).zip(results).collect())
}

/// Errors of the coordinator that old clients do not repeat a Produce for become one that they do.
fn failure(code: ErrorCode, support: Support) -> AppendFailure {
    let unable = || {
        let text = "Unable to verify the partition has been added to the transaction. Underlying error: ";
        AppendFailure::new(ErrorCode::NotEnoughReplicas, format!("{text}{}", code.name()))
    };
    match code {
        ErrorCode::InvalidTxnState => AppendFailure::new(code, "Partition was not added to the transaction"),
        ErrorCode::CoordinatorLoadInProgress | ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => {
            unable()
        }
        ErrorCode::ConcurrentTransactions if support != Support::AddsPartitions => unable(),
        _ => AppendFailure::code(code),
    }
}
