//! AlterReplicaLogDirs (key 34): moves partitions between log directories. Source: `ReplicaManager.alterReplicaLogDirs`,
//! KIP-113.
//!
//! The answer comes at once; the move is done in the background, and DescribeLogDirs shows it until it is done.

use indexmap::IndexMap;
use wire::ErrorCode;
use wire::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
use wire::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};

use super::Context;
use super::describe_log_dirs::absolute;

/// Answers a request. Of several directories for one partition the last counts.
pub fn handle(context: &Context<'_>, request: AlterReplicaLogDirsRequest<'_>) -> AlterReplicaLogDirsResponse<'static> {
    let mut wanted: IndexMap<&str, IndexMap<i32, &str>> = IndexMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            let partitions = wanted.entry(&*topic.name).or_default();
            partitions.extend(topic.partitions.iter().map(|index| (*index, &*dir.path)));
        }
    }
    let results = wanted.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(partition_index, path)| AlterReplicaLogDirPartitionResult {
            partition_index,
            error_code: outcome(context, topic, partition_index, path).code(),
            ..AlterReplicaLogDirPartitionResult::default()
        });
        AlterReplicaLogDirTopicResult {
            topic_name: topic.to_owned().into(),
            partitions: partitions.collect(),
            ..AlterReplicaLogDirTopicResult::default()
        }
    });
    AlterReplicaLogDirsResponse { results: results.collect(), ..AlterReplicaLogDirsResponse::default() }
}

fn outcome(context: &Context<'_>, topic: &str, index: i32, path: &str) -> ErrorCode {
    let replicas = &context.node.replicas;
    let Some(volume) = replicas.volumes().iter().find(|volume| absolute(volume.dir.path()) == path) else {
        return ErrorCode::LogDirNotFound;
    };
    if !volume.is_online() {
        return ErrorCode::KafkaStorageError;
    }
    let partition = match replicas.by_name(topic, index).found() {
        Ok(partition) => partition,
        Err(code) => return code,
    };
    let here = partition.log().folder().parent() == Some(volume.dir.path());
    if !here || replicas.moving(&partition).is_some() {
        replicas.start_move(&context.node.controller, &partition, volume.dir.path());
    }
    ErrorCode::None
}
