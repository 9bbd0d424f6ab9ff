//! DescribeProducers (key 61): what a partition's log remembers of producers. Source:
//! `KafkaApis.handleDescribeProducersRequest`, `UnifiedLog.activeProducers`; KIP-664.

use wire::ErrorCode;
use wire::messages::describe_producers_request::DescribeProducersRequest;
use wire::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use super::Context;
use crate::metadata::{ApiError, check_topic_name};
use crate::replica::Lookup;

/// Answers a request.
pub fn handle<'a>(context: &Context<'_>, request: DescribeProducersRequest<'a>) -> DescribeProducersResponse<'a> {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|&index| partition(context, &topic.name, index));
        let partitions = partitions.collect();
        TopicResponse { name: topic.name, partitions, ..TopicResponse::default() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() }
}

fn partition<'a>(context: &Context<'_>, topic: &str, partition_index: i32) -> PartitionResponse<'a> {
    let found = check_topic_name(topic).and_then(|()| {
        let found = context.node.replicas.by_name(topic, partition_index);
        // A partition that an existing topic has not is told by the code alone.
        let message = matches!(found, Lookup::NoTopic).then(|| ErrorCode::UnknownTopicOrPartition.message().to_owned());
        found.found().map_err(|code| ApiError { code, message })
    });
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            return PartitionResponse {
                partition_index,
                error_code: error.code.code(),
                error_message: error.message.map(Into::into),
                ..PartitionResponse::default()
            };
        }
    };
    let active_producers = found.log().producers().into_iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.current_txn_first_offset.unwrap_or(-1),
        ..ProducerState::default()
    });
    PartitionResponse {
        partition_index,
        error_code: ErrorCode::None.code(),
        active_producers: active_producers.collect(),
        ..PartitionResponse::default()
    }
}
