//! ListOffsets (key 2): finds offsets by time. Source: `ReplicaManager.fetchOffset`, `Partition.fetchOffsetForTimestamp`.

use std::collections::{HashMap, HashSet};

use commitlog::{Isolation, LogError, OffsetQuery};
use wire::ErrorCode;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::Context;
use crate::node::now_ms;
use crate::replica::Partition;

/// The first version whose reply has the leader epoch.
const FIRST_EPOCH_VERSION: i16 = 4;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Answers a request.
pub fn handle<'a>(context: &Context<'_>, request: ListOffsetsRequest<'a>) -> ListOffsetsResponse<'a> {
    let isolation = match request.isolation_level {
        0 => Ok(Isolation::HighWatermark),
        1 => Ok(Isolation::LastStable),
        // As Kafka, where the exception behind it has no code of its own.
        _ => Err(ErrorCode::UnknownServerError),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let mut times: HashMap<i32, usize> = HashMap::new();
        topic.partitions.iter().for_each(|asked| *times.entry(asked.partition_index).or_default() += 1);
        let mut refused = HashSet::new();
        let partitions = topic.partitions.iter().filter_map(|asked| {
            let index = asked.partition_index;
            // What stands twice is refused once; version 0 answers each time.
            let found = if context.version > 0 && times[&index] > 1 {
                refused.insert(index).then_some(Err(ErrorCode::InvalidRequest))?
            } else if context.version < first_version(asked.timestamp) {
                Err(ErrorCode::UnsupportedVersion)
            } else {
                isolation.and_then(|isolation| {
                    let partition = context.node.replicas.by_name(&topic.name, index).found()?;
                    find(context.version, &partition, asked, isolation)
                })
            };
            Some(found.unwrap_or_else(|code| ListOffsetsPartitionResponse {
                partition_index: index,
                error_code: code.code(),
                ..ListOffsetsPartitionResponse::default()
            }))
        });
        ListOffsetsTopicResponse {
            partitions: partitions.collect(),
            name: topic.name.clone(),
            ..ListOffsetsTopicResponse::default()
        }
    });
    ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
}

fn find(
    version: i16,
    partition: &Partition,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let mut response = ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        ..ListOffsetsPartitionResponse::default()
    };
    let offsets = partition.offsets();
    let readable_end = if isolation == Isolation::LastStable { offsets.last_stable } else { offsets.high_watermark };
    if version == 0 {
        response.old_style_offsets = old_style(partition, asked, readable_end)?;
        return Ok(response);
    }
    let epoch = |epoch| if version >= FIRST_EPOCH_VERSION { epoch } else { -1 };
    let query = match asked.timestamp {
        LATEST => {
            response.offset = readable_end;
            response.leader_epoch = epoch(partition.leader_epoch());
            return Ok(response);
        }
        // There is no tiered storage: all is local, nothing is remote, nothing waits for an upload.
        EARLIEST | EARLIEST_LOCAL => OffsetQuery::Earliest,
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => return Ok(response),
        MAX_TIMESTAMP => OffsetQuery::MaxTimestamp,
        timestamp => OffsetQuery::Timestamp(timestamp),
    };
    let found = partition.log().find(query).map_err(|error| storage_error(partition, &error))?;
    // A record that a read_committed reader may not see yet counts as not found.
    if let Some(found) = found.filter(|found| found.offset < readable_end || query == OffsetQuery::Earliest) {
        response.timestamp = found.timestamp;
        response.offset = found.offset;
        // The leader's epoch begins before its first record.
        let of_start = if query == OffsetQuery::Earliest { partition.leader_epoch() } else { -1 };
        response.leader_epoch = epoch(found.leader_epoch.unwrap_or(of_start));
    }
    Ok(response)
}

/// The first version that knows what a timestamp stands for.
fn first_version(timestamp: i64) -> i16 {
    match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        ..EARLIEST_PENDING_UPLOAD => i16::MAX,
        _ => 0,
    }
}

/// Version 0: up to `max_num_offsets` segment boundaries before a time, newest first.
fn old_style(partition: &Partition, asked: &ListOffsetsPartition, readable_end: i64) -> Result<Vec<i64>, ErrorCode> {
    // As Kafka, where the exception behind it has no code of its own.
    let limit = usize::try_from(asked.max_num_offsets).map_err(|_| ErrorCode::UnknownServerError)?;
    let found = partition.log().boundaries_before(asked.timestamp, limit, now_ms());
    let mut found = found.map_err(|error| storage_error(partition, &error))?;
    if found.iter().any(|offset| *offset > readable_end) {
        found.retain(|offset| *offset <= readable_end);
        found.insert(0, readable_end);
    }
    Ok(found)
}

fn storage_error(partition: &Partition, error: &LogError) -> ErrorCode {
    tracing::error!(topic = %partition.topic(), partition = partition.index(), %error, "offset lookup failed");
    ErrorCode::KafkaStorageError
}
