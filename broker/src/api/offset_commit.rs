//! OffsetCommit (key 8). Source: `KafkaApis.handleOffsetCommitRequest`, `OffsetMetadataManager.commitOffset`.

use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use wire::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::{Context, group};
use crate::groups::request::{CommitPartition, CommitRequest, TopicPartitions};
use crate::metadata::Image;

/// The first version that names topics by id.
const FIRST_BY_ID_VERSION: i16 = 10;

/// Answers a request. Topics that do not exist get an error of their own; the rest is committed.
pub async fn handle(context: &Context<'_>, request: OffsetCommitRequest<'_>) -> OffsetCommitResponse<'static> {
    let image = context.node.controller.image();
    let mut response = OffsetCommitResponse::default();
    let mut known = Vec::new();
    for topic in &request.topics {
        match Resolved::find(context.version, &image, topic) {
            Ok(found) => known.push(found.split(topic, &mut response)),
            Err(code) => response.topics.push(failed(topic, code)),
        }
    }
    known.retain(|topic| !topic.partitions.is_empty());
    if known.is_empty() {
        return response;
    }
    let commit = CommitRequest {
        version: context.version,
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id_or_member_epoch,
        member_id: request.member_id.as_ref().into(),
        instance_id: request.group_instance_id.as_deref().map(Into::into),
        retention_ms: (request.retention_time_ms >= 0).then_some(request.retention_time_ms),
        topics: known.clone(),
    };
    match context.node.groups.commit_offsets(commit).await {
        Ok(results) => {
            for topic in results {
                let codes = topic.partitions.iter().map(|it| (it.partition, group::code(it.error)));
                merge(&mut response, context.version, &topic.topic, topic.topic_id, codes);
            }
        }
        Err(error) => {
            for topic in known {
                let codes = topic.partitions.iter().map(|it| (it.partition, error.code().code()));
                merge(&mut response, context.version, &topic.topic, topic.topic_id, codes);
            }
        }
    }
    response
}

struct Resolved {
    name: std::sync::Arc<str>,
    id: Uuid,
    partitions: i32,
}

impl Resolved {
    fn find(version: i16, image: &Image, topic: &OffsetCommitRequestTopic<'_>) -> Result<Self, ErrorCode> {
        let found = if version >= FIRST_BY_ID_VERSION {
            image.topic_by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId)?
        } else {
            image.topic(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)?
        };
        Ok(Self { name: std::sync::Arc::clone(&found.name), id: found.id, partitions: found.partitions.len() as i32 })
    }

    /// Takes the partitions that exist and answers for the others.
    fn split(
        self,
        topic: &OffsetCommitRequestTopic<'_>,
        response: &mut OffsetCommitResponse<'static>,
    ) -> TopicPartitions<CommitPartition> {
        let exists = |part: &&OffsetCommitRequestPartition<'_>| (0..self.partitions).contains(&part.partition_index);
        let (good, bad): (Vec<_>, Vec<_>) = topic.partitions.iter().partition(exists);
        if !bad.is_empty() {
            let partitions =
                bad.iter().map(|part| result(part.partition_index, ErrorCode::UnknownTopicOrPartition.code()));
            response.topics.push(OffsetCommitResponseTopic {
                name: topic.name.clone().into_owned().into(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
                ..OffsetCommitResponseTopic::default()
            });
        }
        let partitions = good.into_iter().map(|part| CommitPartition {
            partition: part.partition_index,
            offset: part.committed_offset,
            leader_epoch: part.committed_leader_epoch,
            metadata: part.committed_metadata.as_ref().map(|text| text.clone().into_owned()),
            timestamp: (part.commit_timestamp >= 0).then_some(part.commit_timestamp),
        });
        TopicPartitions { topic: self.name, topic_id: self.id, partitions: partitions.collect() }
    }
}

fn failed(topic: &OffsetCommitRequestTopic<'_>, code: ErrorCode) -> OffsetCommitResponseTopic<'static> {
    OffsetCommitResponseTopic {
        name: topic.name.clone().into_owned().into(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|part| result(part.partition_index, code.code())).collect(),
        ..OffsetCommitResponseTopic::default()
    }
}

fn result(partition_index: i32, error_code: i16) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index, error_code, ..OffsetCommitResponsePartition::default() }
}

/// Adds a topic's results, to the entry it has already if some of its partitions failed before.
fn merge(
    response: &mut OffsetCommitResponse<'static>,
    version: i16,
    name: &str,
    id: Uuid,
    codes: impl Iterator<Item = (i32, i16)>,
) {
    let by_id = version >= FIRST_BY_ID_VERSION;
    let partitions = codes.map(|(index, code)| result(index, code));
    let same =
        |topic: &&mut OffsetCommitResponseTopic<'_>| if by_id { topic.topic_id == id } else { topic.name == name };
    match response.topics.iter_mut().find(same) {
        Some(topic) => topic.partitions.extend(partitions),
        None => response.topics.push(OffsetCommitResponseTopic {
            name: if by_id { "".into() } else { name.to_owned().into() },
            topic_id: if by_id { id } else { Uuid::nil() },
            partitions: partitions.collect(),
            ..OffsetCommitResponseTopic::default()
        }),
    }
}
