//! TxnOffsetCommit (key 28): commits offsets as part of a transaction. Source: `KafkaApis.handleTxnOffsetCommitRequest`,
//! `GroupCoordinatorService.commitTransactionalOffsets`; KIP-447, KIP-890.

use std::sync::Arc;

use wire::ErrorCode;
use wire::messages::txn_offset_commit_request::{TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition};
use wire::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};

use super::transaction::{self, Support, Writer};
use super::{Context, group};
use crate::groups::CommitResults;
use crate::groups::request::{CommitPartition, CommitRequest, Producer, TopicPartitions};
use crate::internal_topics::InternalTopic;
use crate::transactions::request::ProducerIdentity;

/// The first version whose clients know `TRANSACTION_ABORTABLE`.
const FIRST_ABORTABLE_VERSION: i16 = 4;
/// The first version that speaks transactions version 2.
const FIRST_V2_VERSION: i16 = 5;
/// Clients before this version know `COORDINATOR_NOT_AVAILABLE` and not that the coordinator is loading.
const FIRST_LOADING_VERSION: i16 = 2;

/// Answers a request. Partitions that do not exist get an error of their own; the rest is committed.
pub async fn handle<'a>(
    context: &Context<'_>,
    request: TxnOffsetCommitRequest<'a>,
) -> TxnOffsetCommitResponse<'static> {
    let image = context.node.controller.image();
    let mut topics = Vec::new();
    let mut known = Vec::new();
    for topic in &request.topics {
        let found = image.topic(&topic.name);
        let count = found.map_or(0, |found| found.partitions.len());
        let exists = |part: &&TxnOffsetCommitRequestPartition<'_>| {
            usize::try_from(part.partition_index).is_ok_and(|index| index < count)
        };
        let (good, bad): (Vec<_>, Vec<_>) = topic.partitions.iter().partition(exists);
        if !bad.is_empty() {
            let codes = bad.iter().map(|part| (part.partition_index, ErrorCode::UnknownTopicOrPartition.code()));
            topics.push(answer(&topic.name, codes));
        }
        let Some(found) = found.filter(|_| !good.is_empty()) else { continue };
        let partitions = good.into_iter().map(commit_partition).collect();
        known.push(TopicPartitions { topic: Arc::clone(&found.name), topic_id: found.id, partitions });
    }
    if known.is_empty() {
        return TxnOffsetCommitResponse { topics, ..TxnOffsetCommitResponse::default() };
    }
    match commit(context, &request, known.clone()).await {
        Ok(results) => {
            for topic in results {
                merge(
                    &mut topics,
                    &topic.topic,
                    topic.partitions.iter().map(|it| (it.partition, group::code(it.error))),
                );
            }
        }
        Err(code) => {
            let loading = code == ErrorCode::CoordinatorLoadInProgress && context.version < FIRST_LOADING_VERSION;
            let code = if loading { ErrorCode::CoordinatorNotAvailable } else { code }.code();
            for topic in known {
                merge(&mut topics, &topic.topic, topic.partitions.iter().map(|it| (it.partition, code)));
            }
        }
    }
    TxnOffsetCommitResponse { topics, ..TxnOffsetCommitResponse::default() }
}

/// Commits what exists; an error is for every partition.
async fn commit(
    context: &Context<'_>,
    request: &TxnOffsetCommitRequest<'_>,
    topics: Vec<TopicPartitions<CommitPartition>>,
) -> Result<CommitResults, ErrorCode> {
    let node = context.node;
    if request.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let offsets = node.internal_topic(InternalTopic::ConsumerOffsets).await?;
    let index = node.groups.partition_of(&request.group_id);
    let partition =
        node.replicas.by_name(&offsets.name, index).found().map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
    let support = match context.version {
        FIRST_V2_VERSION.. => Support::AddsPartitions,
        FIRST_ABORTABLE_VERSION => Support::AbortableError,
        _ => Support::OldErrors,
    };
    let producer = ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch };
    let writer = Writer { id: &request.transactional_id, producer, support };
    let mut guards = transaction::verify(node, writer, &[(partition, -1)]).await;
    let verified = guards.pop().unwrap_or(Ok(None))?;
    let producer = Producer { id: producer.id, epoch: producer.epoch, verified };
    let commit = CommitRequest {
        version: context.version,
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id,
        member_id: request.member_id.as_ref().into(),
        instance_id: request.group_instance_id.as_deref().map(Into::into),
        retention_ms: None,
        topics,
    };
    node.groups.commit_offsets_in_transaction(producer, commit).await.map_err(|error| error.code())
}

fn commit_partition(part: &TxnOffsetCommitRequestPartition<'_>) -> CommitPartition {
    CommitPartition {
        partition: part.partition_index,
        offset: part.committed_offset,
        leader_epoch: part.committed_leader_epoch,
        metadata: part.committed_metadata.as_ref().map(|text| text.clone().into_owned()),
        timestamp: None,
    }
}

/// Adds a topic's results, to the entry it has already if some of its partitions failed before.
fn merge(topics: &mut Vec<TxnOffsetCommitResponseTopic<'static>>, name: &str, codes: impl Iterator<Item = (i32, i16)>) {
    let results = answer(name, codes);
    match topics.iter_mut().find(|topic| topic.name == name) {
        Some(topic) => topic.partitions.extend(results.partitions),
        None => topics.push(results),
    }
}

fn answer(name: &str, codes: impl Iterator<Item = (i32, i16)>) -> TxnOffsetCommitResponseTopic<'static> {
    let partitions = codes.map(|(partition_index, error_code)| TxnOffsetCommitResponsePartition {
        partition_index,
        error_code,
        ..TxnOffsetCommitResponsePartition::default()
    });
    TxnOffsetCommitResponseTopic {
        name: name.to_owned().into(),
        partitions: partitions.collect(),
        ..TxnOffsetCommitResponseTopic::default()
    }
}
