//! What the transaction APIs share, and the check that a write belongs to its producer's transaction (KIP-890). Source:
//! `ReplicaManager.maybeSendPartitionsToTransactionCoordinator`, `AddPartitionsToTxnManager`.

use std::sync::Arc;

use commitlog::VerificationGuard;
use wire::ErrorCode;

use super::Context;
use crate::node::Node;
use crate::replica::{AppendFailure, Partition};
use crate::transactions::request::{Outcome, PartitionsRequest, ProducerIdentity};

/// The first version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose clients know `PRODUCER_FENCED`; before,
/// `INVALID_PRODUCER_EPOCH` says it.
const FIRST_FENCED_VERSION: i16 = 2;

/// The error code of a result, 0 for success, as clients of the request's version understand it.
pub fn code<T>(context: &Context<'_>, outcome: &Outcome<T>) -> i16 {
    match outcome {
        Ok(_) => ErrorCode::None.code(),
        Err(ErrorCode::ProducerFenced) if context.version < FIRST_FENCED_VERSION => {
            ErrorCode::InvalidProducerEpoch.code()
        }
        Err(code) => code.code(),
    }
}

/// What a client that writes into a transaction understands, by the version of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Only errors that were there before KIP-890.
    OldErrors,
    /// `TRANSACTION_ABORTABLE`.
    AbortableError,
    /// Transactions version 2: writing adds the partition to the transaction.
    AddsPartitions,
}

/// The producer that writes, and the id of its transaction.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The transactional id.
    pub id: &'a str,
    /// The producer.
    pub producer: ProducerIdentity,
    /// What its client understands.
    pub support: Support,
}

/// A partition that is about to be written to, and the sequence of the first batch (-1 for none).
pub type Write = (Arc<Partition>, i32);

/// Makes sure that each partition is part of the writer's transaction, adding it where the client leaves that to the
/// broker. The answers come in the order of the partitions: a guard to append with, or `None` where none is needed.
pub async fn verify(
    node: &Node,
    writer: Writer<'_>,
    writes: &[Write],
) -> Vec<Result<Option<VerificationGuard>, ErrorCode>> {
    let adds = writer.support == Support::AddsPartitions;
    if !adds && !node.config().transactions.transaction_partition_verification_enable {
        return vec![Ok(None); writes.len()];
    }
    let ProducerIdentity { id, epoch } = writer.producer;
    let start = |(partition, sequence): &Write| {
        let started = partition.log().start_verification(id, epoch, *sequence, adds, node.now_ms());
        started.map_err(|error| AppendFailure::from(&error).code)
    };
    let mut guards: Vec<_> = writes.iter().map(start).collect();
    let asked: Vec<usize> = (0..guards.len()).filter(|&at| matches!(guards[at], Ok(Some(_)))).collect();
    if asked.is_empty() {
        return guards;
    }
    let partitions = asked.iter().map(|&at| (Arc::clone(writes[at].0.topic()), writes[at].0.index()));
    let request = PartitionsRequest {
        id: writer.id.into(),
        producer: writer.producer,
        partitions: partitions.collect(),
        client_version: if adds { 2 } else { 0 },
    };
    let answers = ask(node, request, adds).await;
    for (at, answer) in asked.into_iter().zip(answers) {
        if let Err(code) = answer {
            guards[at] = Err(translated(code, writer.support));
        }
    }
    guards
}

async fn ask(node: &Node, request: PartitionsRequest, adds: bool) -> Vec<Outcome<()>> {
    let count = request.partitions.len();
    let outcome = if adds {
        node.transactions.add_partitions(request).await.map(|()| vec![Ok(()); count])
    } else {
        node.transactions.verify_partitions(&request)
    };
    outcome.unwrap_or_else(|code| vec![Err(code); count])
}

/// The coordinator's errors as those who write know them.
fn translated(code: ErrorCode, support: Support) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if support == Support::OldErrors => ErrorCode::InvalidTxnState,
        other => other,
    }
}
