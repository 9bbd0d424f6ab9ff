//! OffsetFetch (key 9): a group's committed offsets. Source: `KafkaApis.handleOffsetFetchRequest`, KIP-447, KIP-709.

use std::borrow::Cow;

use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use wire::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

use super::{Context, group};
use crate::groups::GroupError;
use crate::groups::request::{FetchRequest, FetchedOffset, TopicPartitions};
use crate::metadata::Image;

/// The first version with an error for the whole reply.
const FIRST_ERROR_VERSION: i16 = 2;
/// The first version that asks for several groups.
const FIRST_BATCH_VERSION: i16 = 8;
/// The first version that names topics by id.
const FIRST_BY_ID_VERSION: i16 = 10;

/// Answers a request.
pub fn handle(context: &Context<'_>, request: OffsetFetchRequest<'_>) -> OffsetFetchResponse<'static> {
    if context.version >= FIRST_BATCH_VERSION {
        let groups = request.groups.iter().map(|asked| one_group(context, asked, request.require_stable));
        return OffsetFetchResponse { groups: groups.collect(), ..OffsetFetchResponse::default() };
    }
    let asked = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| TopicPartitions {
            topic: topic.name.as_ref().into(),
            topic_id: Uuid::nil(),
            partitions: topic.partition_indexes.clone(),
        });
        topics.collect::<Vec<_>>()
    });
    let fetched = context.node.groups.fetch_offsets(&FetchRequest {
        group_id: request.group_id.as_ref().into(),
        member_id: None,
        member_epoch: -1,
        topics: asked.clone(),
        require_stable: request.require_stable,
    });
    match fetched {
        Ok(topics) => OffsetFetchResponse {
            topics: topics.into_iter().map(old_topic).collect(),
            ..OffsetFetchResponse::default()
        },
        Err(error) if context.version >= FIRST_ERROR_VERSION => {
            OffsetFetchResponse { error_code: error.code().code(), ..OffsetFetchResponse::default() }
        }
        Err(error) => {
            let topics = asked.unwrap_or_default().into_iter().map(|topic| old_topic(failed(topic, error)));
            OffsetFetchResponse { topics: topics.collect(), ..OffsetFetchResponse::default() }
        }
    }
}

fn failed(topic: TopicPartitions<i32>, error: GroupError) -> TopicPartitions<FetchedOffset> {
    let partitions = topic.partitions.into_iter().map(|partition| FetchedOffset {
        partition,
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        error: Some(error),
    });
    TopicPartitions { topic: topic.topic, topic_id: topic.topic_id, partitions: partitions.collect() }
}

fn old_topic(topic: TopicPartitions<FetchedOffset>) -> OffsetFetchResponseTopic<'static> {
    let partitions = topic.partitions.into_iter().map(|it| OffsetFetchResponsePartition {
        partition_index: it.partition,
        committed_offset: it.offset,
        committed_leader_epoch: it.leader_epoch,
        metadata: Some(it.metadata.into()),
        error_code: group::code(it.error),
        ..OffsetFetchResponsePartition::default()
    });
    OffsetFetchResponseTopic {
        name: topic.topic.to_string().into(),
        partitions: partitions.collect(),
        ..OffsetFetchResponseTopic::default()
    }
}

fn one_group(
    context: &Context<'_>,
    asked: &OffsetFetchRequestGroup<'_>,
    require_stable: bool,
) -> OffsetFetchResponseGroup<'static> {
    let image = context.node.controller.image();
    let by_id = context.version >= FIRST_BY_ID_VERSION;
    let mut unknown = Vec::new();
    let topics = asked.topics.as_ref().map(|topics| {
        let mut found = Vec::with_capacity(topics.len());
        for topic in topics {
            let name = if by_id {
                image.topic_by_id(topic.topic_id).map(|known| Cow::Owned(known.name.to_string()))
            } else {
                Some(topic.name.clone())
            };
            match name {
                Some(name) => found.push(TopicPartitions {
                    topic: name.as_ref().into(),
                    topic_id: topic.topic_id,
                    partitions: topic.partition_indexes.clone(),
                }),
                None => unknown.push(unknown_topic(topic.topic_id, &topic.partition_indexes)),
            }
        }
        found
    });
    let fetched = context.node.groups.fetch_offsets(&FetchRequest {
        group_id: asked.group_id.as_ref().into(),
        member_id: asked.member_id.as_deref().map(Into::into),
        member_epoch: asked.member_epoch,
        topics,
        require_stable,
    });
    let group_id = asked.group_id.clone().into_owned().into();
    match fetched {
        Ok(topics) => {
            let topics = topics.into_iter().filter_map(|topic| new_topic(&image, by_id, topic)).chain(unknown);
            OffsetFetchResponseGroup { group_id, topics: topics.collect(), ..OffsetFetchResponseGroup::default() }
        }
        Err(error) => OffsetFetchResponseGroup {
            group_id,
            error_code: error.code().code(),
            ..OffsetFetchResponseGroup::default()
        },
    }
}

/// A topic of the reply; `None` for one that is to be named by id and has none any more.
fn new_topic(
    image: &Image,
    by_id: bool,
    topic: TopicPartitions<FetchedOffset>,
) -> Option<OffsetFetchResponseTopics<'static>> {
    let topic_id = if by_id { image.topic(&topic.topic)?.id } else { Uuid::nil() };
    let partitions = topic.partitions.into_iter().map(|it| OffsetFetchResponsePartitions {
        partition_index: it.partition,
        committed_offset: it.offset,
        committed_leader_epoch: it.leader_epoch,
        metadata: Some(it.metadata.into()),
        error_code: group::code(it.error),
        ..OffsetFetchResponsePartitions::default()
    });
    Some(OffsetFetchResponseTopics {
        name: if by_id { "".into() } else { topic.topic.to_string().into() },
        topic_id,
        partitions: partitions.collect(),
        ..OffsetFetchResponseTopics::default()
    })
}

fn unknown_topic(topic_id: Uuid, partitions: &[i32]) -> OffsetFetchResponseTopics<'static> {
    let partitions = partitions.iter().map(|&partition_index| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        metadata: Some("".into()),
        error_code: ErrorCode::UnknownTopicId.code(),
        ..OffsetFetchResponsePartitions::default()
    });
    OffsetFetchResponseTopics { topic_id, partitions: partitions.collect(), ..OffsetFetchResponseTopics::default() }
}
