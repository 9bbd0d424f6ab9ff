//! Moving partitions between brokers (`ReplicationControlManager.alterPartitionReassignments` in Kafka), of which there
//! is one here.

use wire::ErrorCode;

use super::Context;
use super::image::Image;
use super::request::ApiError;
use super::topics::check_assignment;

/// Where a partition is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reassignment {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The brokers; `None` cancels a reassignment that is under way.
    pub replicas: Option<Vec<i32>>,
}

/// Whether a partition is where it is asked to be: on this node.
pub(super) fn check(context: &Context, image: &Image, asked: &Reassignment) -> Result<(), ApiError> {
    let Reassignment { topic, partition, replicas } = asked;
    let unknown = |message: String| Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, message));
    let Some(found) = image.topic(topic) else {
        return unknown(format!("Unable to find a topic named {topic}."));
    };
    if found.partition(*partition).is_none() {
        return unknown(format!("Unable to find partition {topic}:{partition}."));
    }
    match replicas {
        None => Err(ApiError::bare(ErrorCode::NoReassignmentInProgress)),
        Some(replicas) => check_assignment(context, replicas),
    }
}
