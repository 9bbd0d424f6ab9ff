//! OffsetForLeaderEpoch (key 23): where an epoch ended, so that clients notice a log that was cut (KIP-101, KIP-320).
//! Source: `ReplicaManager.lastOffsetForLeaderEpoch`.

use commitlog::EpochEnd;
use wire::ErrorCode;
use wire::messages::offset_for_leader_epoch_request::{OffsetForLeaderEpochRequest, OffsetForLeaderPartition};
use wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use super::Context;

/// The first version whose reply names the epoch.
const FIRST_EPOCH_VERSION: i16 = 1;

/// Answers a request.
pub fn handle(
    context: &Context<'_>,
    request: OffsetForLeaderEpochRequest<'_>,
) -> OffsetForLeaderEpochResponse<'static> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let found = find(context, &topic.topic, asked);
            let (end, error) = match found {
                Ok(end) => (end, ErrorCode::None),
                Err(code) => (EpochEnd { epoch: -1, end_offset: -1 }, code),
            };
            EpochEndOffset {
                error_code: error.code(),
                partition: asked.partition,
                leader_epoch: if context.version >= FIRST_EPOCH_VERSION { end.epoch } else { -1 },
                end_offset: end.end_offset,
                ..EpochEndOffset::default()
            }
        });
        OffsetForLeaderTopicResult {
            topic: topic.topic.clone().into_owned().into(),
            partitions: partitions.collect(),
            ..OffsetForLeaderTopicResult::default()
        }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() }
}

fn find(context: &Context<'_>, topic: &str, asked: &OffsetForLeaderPartition) -> Result<EpochEnd, ErrorCode> {
    let partition = context.node.replicas.by_name(topic, asked.partition).found()?;
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    // The epoch of now ends where the log does, also before its first record.
    if asked.leader_epoch == partition.leader_epoch() {
        return Ok(EpochEnd { epoch: asked.leader_epoch, end_offset: partition.offsets().log_end });
    }
    partition.log().end_offset_for_epoch(asked.leader_epoch).map_err(|error| {
        tracing::error!(topic, partition = asked.partition, %error, "end of epoch not found");
        ErrorCode::KafkaStorageError
    })
}
