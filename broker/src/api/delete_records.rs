//! DeleteRecords (key 21): moves the start of logs. Source: `ReplicaManager.deleteRecords`,
//! `Partition.deleteRecordsOnLeader`.

use std::collections::BTreeMap;
use std::sync::Arc;

use commitlog::LogError;
use wire::ErrorCode;
use wire::messages::delete_records_request::DeleteRecordsRequest;
use wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use super::Context;
use crate::internal_topics::is_internal;
use crate::replica::Partition;

/// Asks for everything up to the high watermark to go.
const HIGH_WATERMARK: i64 = -1;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: DeleteRecordsRequest<'_>) -> DeleteRecordsResponse<'static> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        // What stands twice is done once, as it stands last.
        let asked: BTreeMap<i32, _> = topic.partitions.iter().map(|asked| (asked.partition_index, asked)).collect();
        for asked in asked.into_values() {
            let deleted = delete(context, &topic.name, asked.partition_index, asked.offset).await;
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: *deleted.as_ref().unwrap_or(&-1),
                error_code: deleted.err().unwrap_or(ErrorCode::None).code(),
                ..DeleteRecordsPartitionResult::default()
            });
        }
        let name = topic.name.clone().into_owned().into();
        topics.push(DeleteRecordsTopicResult { name, partitions, ..DeleteRecordsTopicResult::default() });
    }
    DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() }
}

/// Deletes what is below `offset`; the log's start then.
async fn delete(context: &Context<'_>, topic: &str, index: i32, offset: i64) -> Result<i64, ErrorCode> {
    let partition = context.node.replicas.by_name(topic, index).found()?;
    if is_internal(topic) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let config = partition.log().config();
    if config.compact && !config.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let before = if offset == HIGH_WATERMARK { partition.offsets().high_watermark } else { offset };
    if before < 0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let deleting = Arc::clone(&partition);
    let deleted = tokio::task::spawn_blocking(move || deleting.log().delete_records(before)).await;
    match deleted.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic())) {
        Ok(log_start) => Ok(log_start),
        Err(LogError::OutOfRange { .. }) => Err(ErrorCode::OffsetOutOfRange),
        Err(error) => Err(storage_error(&partition, &error)),
    }
}

fn storage_error(partition: &Partition, error: &LogError) -> ErrorCode {
    tracing::error!(topic = %partition.topic(), partition = partition.index(), %error, "records not deleted");
    ErrorCode::KafkaStorageError
}
