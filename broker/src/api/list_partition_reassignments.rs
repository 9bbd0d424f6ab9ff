//! ListPartitionReassignments (key 46): those under way, as metadata has them. Source:
//! `ReplicationControlManager.listPartitionReassignments`, KIP-455.

use wire::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use wire::messages::list_partition_reassignments_response::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};

use super::Context;
use crate::metadata::Topic;

/// Answers a request.
pub fn handle(
    context: &Context<'_>,
    request: ListPartitionReassignmentsRequest<'_>,
) -> ListPartitionReassignmentsResponse<'static> {
    let image = context.node.controller.image();
    let topics: Vec<_> = match &request.topics {
        None => image.topics.iter().filter_map(|topic| ongoing(topic, |_| true)).collect(),
        Some(asked) => {
            let found = asked.iter().filter_map(|asked| {
                let topic = image.topic(&asked.name)?;
                ongoing(topic, |index| asked.partition_indexes.contains(&index))
            });
            found.collect()
        }
    };
    ListPartitionReassignmentsResponse { error_message: None, topics, ..ListPartitionReassignmentsResponse::default() }
}

/// The partitions of a topic that are being moved, if there are any.
fn ongoing(topic: &Topic, asked: impl Fn(i32) -> bool) -> Option<OngoingTopicReassignment<'static>> {
    let partitions = (0..).zip(&topic.partitions).filter(|(index, partition)| {
        asked(*index) && !(partition.adding_replicas.is_empty() && partition.removing_replicas.is_empty())
    });
    let partitions = partitions.map(|(partition_index, partition)| OngoingPartitionReassignment {
        partition_index,
        replicas: partition.replicas.clone(),
        adding_replicas: partition.adding_replicas.clone(),
        removing_replicas: partition.removing_replicas.clone(),
        ..OngoingPartitionReassignment::default()
    });
    let partitions: Vec<_> = partitions.collect();
    let name = topic.name.to_string().into();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment {
        name,
        partitions,
        ..OngoingTopicReassignment::default()
    })
}
