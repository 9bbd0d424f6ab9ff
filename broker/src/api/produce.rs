//! Produce (key 0): appends record batches. Source: `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`,
//! `ProduceRequest.validateRecords`.
//!
//! The batches are appended from the buffer they were read into: only their offsets, leader epoch and, where the topic
//! asks for it, timestamps are written over in place.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use commitlog::{AppendContext, AppendError, VerificationGuard, next_size};
use uuid::Uuid;
use wire::messages::produce_request::ProduceRequest;
use wire::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use wire::{Decode, Decoder, ErrorCode};

use super::produce_transaction::{self, TransactionalBatch, Verified, Wanted};
use super::{Context, Outcome, RequestError, old_format};
use crate::internal_topics::is_internal;
use crate::replica::{AppendFailure, Lookup, Partition};

/// The first version that carries record format v2 and nothing else.
const FIRST_V2_VERSION: i16 = 3;
/// The first version in which zstd may be used (KIP-110).
const FIRST_ZSTD_VERSION: i16 = 7;
/// The first version that names topics by id.
const FIRST_BY_ID_VERSION: i16 = 13;

const ATTRIBUTES_OFFSET: usize = 21;
const CODEC_MASK: u8 = 0x07;
const CODEC_ZSTD: u8 = 4;
/// Kafka's own admin tools may write to internal topics under this client id (`AdminUtils.ADMIN_CLIENT_ID`).
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Answers a request whose body starts at `body` in `frame`.
pub async fn handle(context: &Context<'_>, frame: &mut [u8], body: usize) -> Result<Outcome, RequestError> {
    let plan = Plan::read(context, frame, body)?;
    let mut verified = plan.verify(context, frame).await;
    let mut response = ProduceResponse::default();
    for (topic_at, topic) in plan.topics.iter().enumerate() {
        let mut partition_responses = Vec::with_capacity(topic.partitions.len());
        for (at, (index, records)) in topic.partitions.iter().enumerate() {
            let records = records.clone().map(|range| &mut frame[range]);
            let partition = topic.partition(context, *index);
            let result = match partition {
                Ok(partition) => match verified.take((topic_at, at)) {
                    Ok(guard) => append(context, &plan, &partition, records, guard).await,
                    Err(failure) => Err(failure),
                },
                Err(code) => Err(AppendFailure::code(code)),
            };
            partition_responses.push(partition_response(*index, result));
        }
        response.responses.push(TopicProduceResponse {
            name: Cow::Borrowed(&topic.name),
            topic_id: topic.id,
            partition_responses,
            ..TopicProduceResponse::default()
        });
    }
    if plan.acks != 0 {
        return context.reply(&response);
    }
    let failed =
        response.responses.iter().flat_map(|topic| &topic.partition_responses).find(|part| part.error_code != 0);
    match failed {
        Some(failed) => Err(RequestError::UnacknowledgedProduce(
            ErrorCode::from_code(failed.error_code).unwrap_or(ErrorCode::UnknownServerError),
        )),
        None => Ok(Outcome::Silent),
    }
}

/// A request, taken apart so that the frame can be written to.
struct Plan {
    acks: i16,
    transactional_id: Option<String>,
    topics: Vec<PlanTopic>,
}

struct PlanTopic {
    name: String,
    id: Uuid,
    /// Partition index and where in the frame its records are.
    partitions: Vec<(i32, Option<Range<usize>>)>,
}

impl Plan {
    fn read(context: &Context<'_>, frame: &[u8], body: usize) -> Result<Self, RequestError> {
        let request = ProduceRequest::decode(&mut Decoder::new(&frame[body..]), context.version)?;
        let start = frame.as_ptr().addr();
        let range = |records: &[u8]| {
            let at = records.as_ptr().addr() - start;
            at..at + records.len()
        };
        let topics = request.topic_data.iter().map(|topic| PlanTopic {
            name: topic.name.clone().into_owned(),
            id: topic.topic_id,
            partitions: topic
                .partition_data
                .iter()
                .map(|part| (part.index, part.records.as_ref().and_then(|records| records.as_bytes()).map(range)))
                .collect(),
        });
        Ok(Self {
            acks: request.acks,
            transactional_id: request.transactional_id.as_ref().map(|id| id.clone().into_owned()),
            topics: topics.collect(),
        })
    }
}

/// What is known of the request's transaction: the same error for all partitions, or what holds for each.
struct Verification(Result<Verified, ErrorCode>);

impl Verification {
    /// What to append the partition at a place of the request with.
    fn take(&mut self, at: (usize, usize)) -> Result<Option<VerificationGuard>, AppendFailure> {
        match &mut self.0 {
            Ok(verified) => verified.remove(&at).unwrap_or(Ok(None)),
            Err(code) => Err(AppendFailure::code(*code)),
        }
    }
}

impl Plan {
    /// Makes sure that transactional batches belong to their producer's transaction.
    async fn verify(&self, context: &Context<'_>, frame: &[u8]) -> Verification {
        let mut wanted = Vec::new();
        for (topic_at, topic) in self.topics.iter().enumerate() {
            for (at, (index, records)) in topic.partitions.iter().enumerate() {
                let batch = records.clone().and_then(|range| TransactionalBatch::of(&frame[range]));
                let found = batch.map(|batch| (batch, topic.partition(context, *index)));
                if let Some((batch, Ok(partition))) = found {
                    wanted.push(Wanted { at: (topic_at, at), partition, batch });
                }
            }
        }
        let id = self.transactional_id.as_deref();
        Verification(produce_transaction::verify(context, id, wanted).await)
    }
}

impl PlanTopic {
    fn partition(&self, context: &Context<'_>, index: i32) -> Result<Arc<Partition>, ErrorCode> {
        let replicas = &context.node.replicas;
        if context.version < FIRST_BY_ID_VERSION {
            return replicas.by_name(&self.name, index).found();
        }
        match replicas.by_id(self.id, index) {
            Lookup::NoTopic => Err(ErrorCode::UnknownTopicId),
            other => other.found(),
        }
    }
}

/// Where an append ended up.
struct Appended {
    base_offset: i64,
    log_append_time_ms: i64,
    log_start: i64,
}

async fn append(
    context: &Context<'_>,
    plan: &Plan,
    partition: &Arc<Partition>,
    records: Option<&mut [u8]>,
    verification: Option<VerificationGuard>,
) -> Result<Appended, AppendFailure> {
    let node = context.node;
    if !(-1..=1).contains(&plan.acks) {
        return Err(AppendFailure::code(ErrorCode::InvalidRequiredAcks));
    }
    let records = records.unwrap_or_default();
    if is_internal(partition.topic()) && context.client_id() != Some(ADMIN_CLIENT_ID) {
        return Err(AppendFailure::code(ErrorCode::InvalidTopicException));
    }
    let log_start = || partition.offsets().log_start;
    if plan.acks == -1 && partition.min_insync_replicas() > 1 {
        return Err(AppendFailure { log_start: log_start(), ..AppendFailure::code(ErrorCode::NotEnoughReplicas) });
    }
    if context.version < FIRST_V2_VERSION && records.is_empty() {
        // Nothing, accepted: later versions refuse it.
        return Ok(Appended { base_offset: -1, log_append_time_ms: -1, log_start: log_start() });
    }
    let mut converted;
    let records = if context.version < FIRST_V2_VERSION {
        converted = old_format::up_convert(records)?;
        converted.as_mut_slice()
    } else {
        check_batch(context.version, records).map_err(|failure| match failure.code {
            // In Kafka it is the log that stumbles, where nobody looked before.
            ErrorCode::UnknownServerError if context.version >= FIRST_ZSTD_VERSION => {
                AppendFailure { log_start: log_start(), ..failure }
            }
            _ => failure,
        })?;
        records
    };
    let append = AppendContext { verification, ..AppendContext::client(partition.leader_epoch(), node.now_ms()) };
    let info = partition.append(records, &append).map_err(|error| AppendFailure::in_log(&error, log_start()))?;
    if plan.acks == -1 && node.config().storage.acks_fsync {
        let flushed = partition.fsync(info.last_offset + 1).await;
        flushed.map_err(|error| AppendFailure::new(ErrorCode::KafkaStorageError, error.to_string()))?;
    }
    Ok(Appended {
        base_offset: info.first_offset,
        log_append_time_ms: info.log_append_time,
        log_start: info.log_start_offset,
    })
}

/// What `ProduceRequest.validateRecords` asks of a partition's records since version 3: one batch, format v2. Bytes after
/// it that are no whole batch are dropped.
fn check_batch(version: i16, records: &[u8]) -> Result<(), AppendFailure> {
    let invalid = || AppendFailure::code(ErrorCode::InvalidRecord);
    let corrupt = |error: AppendError| AppendFailure::new(ErrorCode::CorruptMessage, error.to_string());
    let (magic, size) = whole_batch(records).map_err(corrupt)?.ok_or_else(invalid)?;
    if magic != 2 {
        return Err(invalid());
    }
    let codec = records.get(ATTRIBUTES_OFFSET + 1).map_or(0, |attributes| attributes & CODEC_MASK);
    if version < FIRST_ZSTD_VERSION && codec == CODEC_ZSTD {
        return Err(AppendFailure::code(ErrorCode::UnsupportedCompressionType));
    }
    if codec > CODEC_ZSTD {
        // As Kafka, where the exception behind it has no code of its own.
        return Err(AppendFailure::code(ErrorCode::UnknownServerError));
    }
    match whole_batch(&records[size..]) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(invalid()),
        Err(_) => Err(AppendFailure::code(ErrorCode::CorruptMessage)),
    }
}

/// Magic and size of the batch that `records` begins with, if all of it is there.
fn whole_batch(records: &[u8]) -> Result<Option<(i8, usize)>, AppendError> {
    next_size(records).map(|found| found.filter(|(_, size)| *size <= records.len()))
}

fn partition_response<'a>(index: i32, result: Result<Appended, AppendFailure>) -> PartitionProduceResponse<'a> {
    match result {
        Ok(appended) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: appended.log_start,
            ..PartitionProduceResponse::default()
        },
        Err(failure) => PartitionProduceResponse {
            index,
            error_code: failure.code.code(),
            base_offset: -1,
            log_start_offset: failure.log_start,
            error_message: failure.message.map(Into::into),
            record_errors: failure.records.into_iter().map(record_error).collect(),
            ..PartitionProduceResponse::default()
        },
    }
}

fn record_error<'a>((batch_index, message): (i32, String)) -> BatchIndexAndErrorMessage<'a> {
    BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(message.into()),
        ..BatchIndexAndErrorMessage::default()
    }
}
