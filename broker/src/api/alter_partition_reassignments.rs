//! AlterPartitionReassignments (key 45). One node can have a partition only on itself, where it is already: such a
//! reassignment is done when it is asked for. Source: `ReplicationControlManager.alterPartitionReassignments`, KIP-455.

use wire::messages::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest;
use wire::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};

use super::Context;
use crate::metadata::{ApiError, Reassignment};

/// Answers a request.
pub async fn handle(
    context: &Context<'_>,
    request: AlterPartitionReassignmentsRequest<'_>,
) -> AlterPartitionReassignmentsResponse<'static> {
    let asked = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| Reassignment {
            topic: topic.name.clone().into_owned(),
            partition: partition.partition_index,
            replicas: partition.replicas.clone(),
        })
    });
    let mut response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        // Kafka's controller answers an empty request without looking.
        error_message: request.topics.is_empty().then(Default::default),
        ..AlterPartitionReassignmentsResponse::default()
    };
    let mut outcomes = match context.node.controller.alter_reassignments(asked.collect()).await {
        Ok(outcomes) => outcomes.into_iter(),
        Err(error) => {
            let error = ApiError::from(&error);
            response.error_code = error.code.code();
            response.error_message = error.message.map(Into::into);
            return response;
        }
    };
    for topic in &request.topics {
        let partitions = topic.partitions.iter().zip(&mut outcomes).map(|(partition, outcome)| {
            let error = outcome.err();
            ReassignablePartitionResponse {
                partition_index: partition.partition_index,
                error_code: error.as_ref().map_or(0, |error| error.code.code()),
                error_message: error.and_then(|error| error.message).map(Into::into),
                ..ReassignablePartitionResponse::default()
            }
        });
        response.responses.push(ReassignableTopicResponse {
            partitions: partitions.collect(),
            name: topic.name.clone().into_owned().into(),
            ..ReassignableTopicResponse::default()
        });
    }
    response
}
