//! DescribeLogDirs (key 35): what is in which log directory, and how much room there is. Source:
//! `ReplicaManager.describeLogDirs`, KIP-113, KIP-827.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wire::ErrorCode;
use wire::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::Context;
use crate::replica::{Lookup, Partition, Volume};

/// Answers a request: all partitions, or those of the request that are here.
pub fn handle(context: &Context<'_>, request: DescribeLogDirsRequest<'_>) -> DescribeLogDirsResponse<'static> {
    let replicas = &context.node.replicas;
    let partitions = match &request.topics {
        None => replicas.all(),
        Some(topics) => {
            let asked = topics.iter().flat_map(|topic| topic.partitions.iter().map(|index| (&topic.topic, *index)));
            let found = asked.filter_map(|(topic, index)| match replicas.by_name(topic, index) {
                Lookup::Found(partition) => Some(partition),
                Lookup::NoTopic | Lookup::NoPartition | Lookup::Offline => None,
            });
            found.collect()
        }
    };
    let results = replicas.volumes().iter().map(|volume| describe(context, volume, &partitions));
    DescribeLogDirsResponse { results: results.collect(), ..DescribeLogDirsResponse::default() }
}

fn describe(context: &Context<'_>, volume: &Volume, partitions: &[Arc<Partition>]) -> DescribeLogDirsResult<'static> {
    let path = volume.dir.path();
    if !volume.is_online() {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir: absolute(path).into(),
            total_bytes: -1,
            usable_bytes: -1,
            ..DescribeLogDirsResult::default()
        };
    }
    let mut topics: BTreeMap<&Arc<str>, BTreeMap<i32, DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions {
        if let Some(described) = describe_partition(context, partition, path) {
            topics.entry(partition.topic()).or_default().insert(partition.index(), described);
        }
    }
    let topics = topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic {
        name: name.to_string().into(),
        partitions: partitions.into_values().collect(),
        ..DescribeLogDirsTopic::default()
    });
    let image = context.node.controller.image();
    let cordoned = image.broker(context.node.config().node_id).and_then(|broker| broker.cordoned_log_dirs.as_ref());
    let space = Space::of(path);
    DescribeLogDirsResult {
        error_code: space.as_ref().err().copied().unwrap_or(ErrorCode::None).code(),
        log_dir: absolute(path).into(),
        topics: topics.collect(),
        total_bytes: space.as_ref().map_or(-1, |space| space.total),
        usable_bytes: space.as_ref().map_or(-1, |space| space.usable),
        is_cordoned: cordoned.is_some_and(|dirs| dirs.contains(&volume.id)),
        ..DescribeLogDirsResult::default()
    }
}

/// A partition in a directory: there, or on its way there.
fn describe_partition(context: &Context<'_>, partition: &Partition, path: &Path) -> Option<DescribeLogDirsPartition> {
    let log = partition.log();
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let described = DescribeLogDirsPartition { partition_index: partition.index(), ..Default::default() };
    if log.folder().parent() == Some(path) {
        return Some(DescribeLogDirsPartition { partition_size: size(log.size()), ..described });
    }
    let moving = context.node.replicas.moving(partition).filter(|wanted| wanted.to == path)?;
    Some(DescribeLogDirsPartition {
        partition_size: size(moving.progress.bytes()),
        offset_lag: (log.offsets().log_end - moving.progress.end_offset()).max(0),
        is_future_key: true,
        ..described
    })
}

/// A path as Kafka prints it: from the root, links and dots as they are.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

/// Bytes of a file system.
struct Space {
    total: i64,
    /// What this process may still write.
    usable: i64,
}

impl Space {
    fn of(path: &Path) -> Result<Self, ErrorCode> {
        let stat = rustix::fs::statvfs(path).map_err(|error| {
            tracing::error!(directory = %path.display(), %error, "space of the log directory not known");
            ErrorCode::KafkaStorageError
        })?;
        let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
        Ok(Self { total: bytes(stat.f_blocks), usable: bytes(stat.f_bavail) })
    }
}
