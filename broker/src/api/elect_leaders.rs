//! ElectLeaders (key 43). With one node every partition is led by its preferred replica, and the answer is that there
//! is nothing to elect. Source: `ReplicationControlManager.electLeaders`, KIP-460.

use wire::ErrorCode;
use wire::messages::elect_leaders_request::ElectLeadersRequest;
use wire::messages::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};

use super::Context;
use crate::metadata::{ApiError, Image};

/// The preferred leader, or any replica.
const ELECTION_TYPES: [i8; 2] = [0, 1];

/// Answers a request.
pub fn handle(context: &Context<'_>, request: ElectLeadersRequest<'_>) -> ElectLeadersResponse<'static> {
    let image = context.node.controller.image();
    let known = ELECTION_TYPES.contains(&request.election_type);
    let unknown_type = || {
        let message = format!("Unknown election type {}", request.election_type);
        ApiError::new(ErrorCode::InvalidRequest, message)
    };
    let results: Vec<_> = match &request.topic_partitions {
        // Of all partitions only those are listed that were elected.
        None => image.topics.iter().map(|topic| result(&topic.name, Vec::new())).collect(),
        Some(topics) => {
            let result = topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|&index| {
                    let error = if known { elect(&image, &topic.topic, index) } else { unknown_type() };
                    partition(index, error)
                });
                result(&topic.topic, partitions.collect())
            });
            result.collect()
        }
    };
    let error = if known { ErrorCode::None } else { ErrorCode::InvalidRequest };
    ElectLeadersResponse {
        error_code: error.code(),
        replica_election_results: results,
        ..ElectLeadersResponse::default()
    }
}

/// Why a partition needs no election.
fn elect(image: &Image, topic: &str, index: i32) -> ApiError {
    let Some(found) = image.topic(topic) else {
        return ApiError::new(ErrorCode::UnknownTopicOrPartition, format!("No such topic as {topic}"));
    };
    if found.partition(index).is_none() {
        return ApiError::new(ErrorCode::UnknownTopicOrPartition, format!("No such partition as {topic}-{index}"));
    }
    ApiError::new(ErrorCode::ElectionNotNeeded, ErrorCode::ElectionNotNeeded.message())
}

fn partition(partition_id: i32, error: ApiError) -> PartitionResult<'static> {
    PartitionResult {
        partition_id,
        error_code: error.code.code(),
        error_message: error.message.map(Into::into),
        ..PartitionResult::default()
    }
}

fn result(topic: &str, partition_result: Vec<PartitionResult<'static>>) -> ReplicaElectionResult<'static> {
    ReplicaElectionResult { topic: topic.to_owned().into(), partition_result, ..ReplicaElectionResult::default() }
}
