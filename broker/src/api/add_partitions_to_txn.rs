//! AddPartitionsToTxn (key 24): makes partitions part of a transaction. Since version 4 brokers send it for several
//! transactions, to add or only to ask. Source: `KafkaApis.handleAddPartitionsToTxnRequest`; KIP-98, KIP-890.

use std::borrow::Cow;
use std::collections::HashSet;

use wire::ErrorCode;
use wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopicResult,
};

use super::{Context, transaction};
use crate::internal_topics::is_internal;
use crate::replica::Lookup;
use crate::transactions::Partition;
use crate::transactions::request::{Outcome, PartitionsRequest, ProducerIdentity};

/// The first version for several transactions; its clients speak transactions version 2.
const FIRST_BATCH_VERSION: i16 = 4;

/// Answers a request.
pub async fn handle<'a>(
    context: &Context<'_>,
    request: AddPartitionsToTxnRequest<'a>,
) -> AddPartitionsToTxnResponse<'a> {
    if context.version >= FIRST_BATCH_VERSION {
        let mut results = Vec::with_capacity(request.transactions.len());
        for one in request.transactions {
            let topic_results = add(context, &one, 2).await;
            results.push(AddPartitionsToTxnResult {
                transactional_id: one.transactional_id,
                topic_results,
                ..AddPartitionsToTxnResult::default()
            });
        }
        return AddPartitionsToTxnResponse { results_by_transaction: results, ..AddPartitionsToTxnResponse::default() };
    }
    let only = AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        topics: request.v3_and_below_topics,
        ..AddPartitionsToTxnTransaction::default()
    };
    let results_by_topic_v3_and_below = add(context, &only, 0).await;
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..AddPartitionsToTxnResponse::default() }
}

/// One transaction. Where a partition does not exist, nothing is added and the others are told so.
async fn add<'a>(
    context: &Context<'_>,
    request: &AddPartitionsToTxnTransaction<'a>,
    client_version: i16,
) -> Vec<AddPartitionsToTxnTopicResult<'a>> {
    // Where each partition has its own answer, Kafka gives one for all its mentions.
    let asked = if request.verify_only { &distinct(&request.topics) } else { &request.topics };
    let topics = asked.as_slice();
    let refusal = |topic: &str, index: i32| match context.node.replicas.by_name(topic, index) {
        // Brokers may add internal topics, clients may not.
        _ if context.version < FIRST_BATCH_VERSION && is_internal(topic) => Some(ErrorCode::TopicAuthorizationFailed),
        Lookup::NoTopic | Lookup::NoPartition => Some(ErrorCode::UnknownTopicOrPartition),
        Lookup::Found(_) | Lookup::Offline => None,
    };
    if topics.iter().any(|topic| topic.partitions.iter().any(|&index| refusal(&topic.name, index).is_some())) {
        let refused = |topic: &str, index| refusal(topic, index).unwrap_or(ErrorCode::OperationNotAttempted);
        return results(&distinct(topics), |topic, index| refused(topic, index).code());
    }
    if request.transactional_id.is_empty() {
        return results(topics, |_, _| ErrorCode::InvalidRequest.code());
    }
    let partitions: Vec<Partition> = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|&index| (topic.name.as_ref().into(), index)))
        .collect();
    let transaction = PartitionsRequest {
        id: request.transactional_id.as_ref().into(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        partitions,
        client_version,
    };
    let transactions = &context.node.transactions;
    let outcome: Outcome<Vec<Outcome<()>>> = if request.verify_only {
        transactions.verify_partitions(&transaction)
    } else {
        let count = transaction.partitions.len();
        transactions.add_partitions(transaction).await.map(|()| vec![Ok(()); count])
    };
    let mut each = match outcome {
        Ok(each) => each.into_iter(),
        Err(code) => return results(topics, |_, _| transaction::code::<()>(context, &Err(code))),
    };
    results(topics, |_, _| each.next().map_or(0, |one| transaction::code(context, &one)))
}

/// The topics with every partition once.
fn distinct<'a>(topics: &[AddPartitionsToTxnTopic<'a>]) -> Vec<AddPartitionsToTxnTopic<'a>> {
    let mut topics = topics.to_vec();
    for topic in &mut topics {
        let mut seen = HashSet::new();
        topic.partitions.retain(|&index| seen.insert(index));
    }
    topics
}

fn results<'a>(
    topics: &[AddPartitionsToTxnTopic<'a>],
    mut code: impl FnMut(&str, i32) -> i16,
) -> Vec<AddPartitionsToTxnTopicResult<'a>> {
    let mut topic_result = |topic: &AddPartitionsToTxnTopic<'a>| {
        let partition_result = |&index: &i32| AddPartitionsToTxnPartitionResult {
            partition_index: index,
            partition_error_code: code(&topic.name, index),
            ..AddPartitionsToTxnPartitionResult::default()
        };
        AddPartitionsToTxnTopicResult {
            name: Cow::clone(&topic.name),
            results_by_partition: topic.partitions.iter().map(partition_result).collect(),
            ..AddPartitionsToTxnTopicResult::default()
        }
    };
    topics.iter().map(&mut topic_result).collect()
}
