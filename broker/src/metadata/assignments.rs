//! Which log directory each partition is in (`ReplicationControlManager.handleAssignReplicasToDirs` in Kafka, KIP-858).

use uuid::Uuid;
use wire::metadata::{BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord};

use super::Context;
use super::image::Image;
use super::leadership;

/// Where a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryAssignment {
    /// The topic's id.
    pub topic: Uuid,
    /// The partition.
    pub partition: i32,
    /// The directory's id.
    pub directory: Uuid,
}

/// A record for each partition that metadata has elsewhere. Partitions that are gone are passed over.
pub(super) fn assign(
    context: &Context,
    image: &Image,
    assignments: &[DirectoryAssignment],
) -> Vec<MetadataRecord<'static>> {
    if !context.names_directories() {
        return Vec::new();
    }
    let is_news = |assigned: &&DirectoryAssignment| {
        let partition = image.topics.by_id(assigned.topic).and_then(|topic| topic.partition(assigned.partition));
        partition.is_some_and(|partition| partition.directories != [assigned.directory])
    };
    let record = |assigned: &DirectoryAssignment| {
        PartitionChangeRecord {
            topic_id: assigned.topic,
            partition_id: assigned.partition,
            directories: Some(vec![assigned.directory]),
            ..Default::default()
        }
        .into()
    };
    assignments.iter().filter(is_news).map(record).collect()
}

/// The records of a directory that has failed (`handleDirectoriesOffline`): its partitions have no leader any more, and
/// the broker no such directory.
pub(super) fn directory_failed(context: &Context, image: &Image, directory: Uuid) -> Vec<MetadataRecord<'static>> {
    let Some(broker) = image.broker(context.node_id).filter(|_| context.names_directories()) else { return Vec::new() };
    let mut records = leadership::lose(image, context.node_id, directory);
    let change = BrokerRegistrationChangeRecord {
        broker_id: context.node_id,
        broker_epoch: context.broker_epoch,
        log_dirs: broker.log_dirs.iter().copied().filter(|id| *id != directory).collect(),
        ..Default::default()
    };
    records.push(change.into());
    records
}
