//! OffsetDelete (key 47): forgets a group's offsets. Source: `KafkaApis.handleOffsetDeleteRequest`, KIP-496.

use wire::ErrorCode;
use wire::messages::offset_delete_request::OffsetDeleteRequest;
use wire::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::{Context, group};
use crate::groups::request::{DeleteOffsetsRequest, TopicPartitions};

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: OffsetDeleteRequest<'_>) -> OffsetDeleteResponse<'static> {
    let image = context.node.controller.image();
    let mut response = OffsetDeleteResponse::default();
    let mut topics = Vec::new();
    for topic in request.topics {
        let count = image.topic(&topic.name).map_or(0, |known| known.partitions.len() as i32);
        let indexes = topic.partitions.iter().map(|part| part.partition_index);
        let (good, bad): (Vec<_>, Vec<_>) = indexes.partition(|index| (0..count).contains(index));
        if !bad.is_empty() {
            let code = ErrorCode::UnknownTopicOrPartition.code();
            add(&mut response, &topic.name, bad.into_iter().map(|index| (index, code)));
        }
        if !good.is_empty() {
            let topic_id = image.topic(&topic.name).map(|known| known.id).unwrap_or_default();
            topics.push(TopicPartitions { topic: topic.name.as_ref().into(), topic_id, partitions: good });
        }
    }
    let group_id = request.group_id.as_ref().into();
    match context.node.groups.delete_offsets(DeleteOffsetsRequest { group_id, topics }).await {
        Ok(results) => {
            for topic in results {
                add(
                    &mut response,
                    &topic.topic,
                    topic.partitions.iter().map(|it| (it.partition, group::code(it.error))),
                );
            }
            response
        }
        Err(error) => OffsetDeleteResponse { error_code: error.code().code(), ..OffsetDeleteResponse::default() },
    }
}

fn add(response: &mut OffsetDeleteResponse<'static>, name: &str, codes: impl Iterator<Item = (i32, i16)>) {
    let partitions =
        codes.map(|(partition_index, error_code)| OffsetDeleteResponsePartition { partition_index, error_code });
    match response.topics.iter_mut().find(|topic| topic.name == name) {
        Some(topic) => topic.partitions.extend(partitions),
        None => response
            .topics
            .push(OffsetDeleteResponseTopic { name: name.to_owned().into(), partitions: partitions.collect() }),
    }
}
