//! Fetch (key 1): reads record batches, waiting for `min_bytes` of them. Source: `KafkaApis.handleFetchRequest`,
//! `ReplicaManager.fetchMessages`, `DelayedFetch`.
//!
//! Records go from the segment file to the socket without passing through this process, except for small replies,
//! where one write of everything costs less, and for clients of the 0.10 era, whose formats are made here.

use std::sync::Arc;
use std::time::Duration;

use commitlog::{EpochEnd, FileSlice, Isolation, LogError, ReadError};
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::messages::fetch_request::{FetchPartition, FetchRequest};
use wire::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use wire::{ErrorCode, Records};

use super::fetch_session::{FetchKey, FetchPlan, FetchSpec, ReplySummary, SessionRequest};
use super::{Context, Outcome, RequestError, old_format};
use crate::replica::{Lookup, Partition};

/// A slice up to this size is read into the reply: cheaper than a system call of its own.
const INLINE_BYTES: usize = 16 * 1024;
/// The first version whose records are of format v2; older ones get v1 (2, 3) or v0 (0, 1).
const FIRST_V2_VERSION: i16 = 4;
/// The first version that names topics by id.
const FIRST_BY_ID_VERSION: i16 = 13;
/// No leader epoch.
const NO_EPOCH: i32 = -1;

/// Answers a request; waits up to `max_wait_ms` for `min_bytes`.
pub async fn handle(context: &Context<'_>, request: FetchRequest<'_>) -> Result<Outcome, RequestError> {
    let node = context.node;
    if !(0..=1).contains(&request.isolation_level) {
        return context.reply(&refused(context.version, &request, ErrorCode::UnknownServerError));
    }
    let limits = Limits {
        max_bytes: usize::try_from(request.max_bytes).unwrap_or(0).min(node.limits().max_fetch_bytes),
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0),
        isolation: if request.isolation_level == 1 { Isolation::LastStable } else { Isolation::HighWatermark },
        is_negative: request.max_bytes < 0,
        hard_limit: context.version < 3,
    };
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let plan = match node.fetch_sessions.plan(session_request(context, &request), node.now_ms()) {
        Ok(plan) => plan,
        Err(error_code) => {
            return context.reply(&FetchResponse { error_code: error_code.code(), ..FetchResponse::default() });
        }
    };
    let targets = plan.partitions.iter().map(|(key, spec)| Target::find(context, key, *spec)).collect::<Vec<_>>();
    let reads = read_when_ready(context, &targets, limits, max_wait).await;
    answer(context, &plan, &targets, reads)
}

/// The answer to a request that cannot be understood. Source: `FetchRequest.getErrorResponse`.
fn refused<'a>(version: i16, request: &FetchRequest<'a>, code: ErrorCode) -> FetchResponse<'a> {
    let partition = |asked: &FetchPartition| PartitionData {
        partition_index: asked.partition,
        error_code: code.code(),
        high_watermark: -1,
        records: Some(Records::Bytes((&[][..]).into())),
        ..PartitionData::default()
    };
    let topics = request.topics.iter().filter(|_| version < FIRST_BY_ID_VERSION);
    let topics = topics.map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
        ..FetchableTopicResponse::default()
    });
    FetchResponse { error_code: code.code(), responses: topics.collect(), ..FetchResponse::default() }
}

fn session_request(context: &Context<'_>, request: &FetchRequest<'_>) -> SessionRequest {
    let by_id = context.version >= FIRST_BY_ID_VERSION;
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let name: Arc<str> = topic.topic.as_ref().into();
        for partition in &topic.partitions {
            let key = FetchKey { topic: Arc::clone(&name), topic_id: topic.topic_id, partition: partition.partition };
            let spec = FetchSpec {
                offset: partition.fetch_offset,
                max_bytes: partition.partition_max_bytes,
                leader_epoch: partition.current_leader_epoch.max(NO_EPOCH),
                last_fetched_epoch: partition.last_fetched_epoch.max(NO_EPOCH),
            };
            partitions.push((key, spec));
        }
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let name: Arc<str> = topic.topic.as_ref().into();
        forgotten.extend(topic.partitions.iter().map(|&partition| FetchKey {
            topic: Arc::clone(&name),
            topic_id: topic.topic_id,
            partition,
        }));
    }
    SessionRequest { id: request.session_id, epoch: request.session_epoch, by_id, partitions, forgotten }
}

#[derive(Clone, Copy)]
struct Limits {
    max_bytes: usize,
    min_bytes: usize,
    isolation: Isolation,
    /// The request has a limit below 0.
    is_negative: bool,
    /// Versions 0 to 2: a batch that does not fit is cut instead of sent whole.
    hard_limit: bool,
}

/// A partition of the plan, found or not.
struct Target {
    spec: FetchSpec,
    partition: Result<Arc<Partition>, ErrorCode>,
}

impl Target {
    fn find(context: &Context<'_>, key: &FetchKey, spec: FetchSpec) -> Self {
        let replicas = &context.node.replicas;
        let partition = if context.version >= FIRST_BY_ID_VERSION {
            match replicas.by_id(key.topic_id, key.partition) {
                Lookup::Found(partition) => Ok(partition),
                Lookup::NoTopic => Err(ErrorCode::UnknownTopicId),
                Lookup::NoPartition => Err(ErrorCode::UnknownTopicOrPartition),
                Lookup::Offline => Err(ErrorCode::KafkaStorageError),
            }
        } else {
            replicas.by_name(&key.topic, key.partition).found()
        };
        Self { spec, partition }
    }
}

/// What was read of one partition.
struct Read {
    error: ErrorCode,
    high_watermark: i64,
    last_stable: i64,
    log_start: i64,
    slice: Option<FileSlice>,
    aborted: Option<Vec<AbortedTransaction>>,
    diverging: Option<EpochEnd>,
}

impl Read {
    fn failed(error: ErrorCode) -> Self {
        Self { error, high_watermark: -1, last_stable: -1, log_start: -1, slice: None, aborted: None, diverging: None }
    }

    fn bytes(&self) -> usize {
        self.slice.as_ref().map_or(0, |slice| slice.len)
    }

    fn summary(&self) -> ReplySummary {
        ReplySummary {
            error: self.error,
            bytes: self.bytes(),
            high_watermark: self.high_watermark,
            log_start: self.log_start,
            diverging: self.diverging.is_some(),
        }
    }
}

/// Reads until there is enough, something went wrong, or time is up.
async fn read_when_ready(context: &Context<'_>, targets: &[Target], limits: Limits, max_wait: Duration) -> Vec<Read> {
    let reads = read_all(targets, limits);
    if max_wait.is_zero() || targets.is_empty() || is_enough(&reads, limits) {
        return reads;
    }
    let deadline = Instant::now() + max_wait;
    let waiter = Arc::new(Notify::new());
    loop {
        // Register first, then look: an append between the two wakes this request at once.
        for partition in targets.iter().filter_map(|target| target.partition.as_ref().ok()) {
            partition.register(&waiter);
        }
        let reads = read_all(targets, limits);
        if is_enough(&reads, limits) {
            return reads;
        }
        tokio::select! {
            () = waiter.notified() => {}
            () = tokio::time::sleep_until(deadline) => return reads,
            () = context.node.stopping.cancelled() => return reads,
        }
    }
}

fn is_enough(reads: &[Read], limits: Limits) -> bool {
    reads.iter().any(|read| read.error != ErrorCode::None || read.diverging.is_some())
        || reads.iter().map(Read::bytes).sum::<usize>() >= limits.min_bytes
}

fn read_all(targets: &[Target], limits: Limits) -> Vec<Read> {
    let mut left = limits.max_bytes;
    // KIP-74: the first batch is sent even where it is larger than the limits, so that every reader gets on.
    let mut min_one = !limits.hard_limit;
    let mut reads = Vec::with_capacity(targets.len());
    for target in targets {
        let read = match &target.partition {
            Ok(partition) => read_one(partition, target.spec, left, min_one, limits),
            Err(code) => Read { aborted: Some(Vec::new()), ..Read::failed(*code) },
        };
        left = left.saturating_sub(read.bytes());
        min_one &= read.bytes() == 0;
        reads.push(read);
    }
    reads
}

fn read_one(partition: &Partition, spec: FetchSpec, left: usize, min_one: bool, limits: Limits) -> Read {
    if partition.is_retired() {
        return Read::failed(ErrorCode::UnknownTopicOrPartition);
    }
    if let Err(code) = partition.check_leader_epoch(spec.leader_epoch) {
        return Read::failed(code);
    }
    if limits.is_negative || spec.max_bytes < 0 {
        // As Kafka, where the exception behind it has no code of its own.
        return Read::failed(ErrorCode::UnknownServerError);
    }
    let offsets = partition.offsets();
    let mut read = Read {
        error: ErrorCode::None,
        high_watermark: offsets.high_watermark,
        last_stable: offsets.last_stable,
        log_start: offsets.log_start,
        slice: None,
        aborted: None,
        diverging: None,
    };
    if spec.last_fetched_epoch >= 0 {
        let end = match partition.log().end_offset_for_epoch(spec.last_fetched_epoch) {
            Ok(end) => end,
            Err(error) => return storage_error(partition, spec, &error),
        };
        if end.epoch == NO_EPOCH {
            return Read::failed(ErrorCode::OffsetOutOfRange);
        }
        if end.epoch < spec.last_fetched_epoch || end.end_offset < spec.offset {
            read.diverging = Some(end);
            return read;
        }
    }
    let max_bytes = left.min(usize::try_from(spec.max_bytes).unwrap_or(0));
    match partition.read(spec.offset, max_bytes, limits.isolation, min_one) {
        Ok(fetched) => {
            read.high_watermark = fetched.offsets.high_watermark;
            read.last_stable = fetched.offsets.last_stable;
            read.log_start = fetched.offsets.log_start;
            // A piece of a batch is of use only to the oldest clients, which expect it.
            read.slice = fetched.slice.filter(|_| limits.hard_limit || !fetched.first_batch_incomplete);
            if limits.isolation == Isolation::LastStable {
                let aborted = fetched.aborted.into_iter();
                read.aborted = Some(
                    aborted
                        .map(|txn| AbortedTransaction {
                            producer_id: txn.producer_id,
                            first_offset: txn.first_offset,
                            ..AbortedTransaction::default()
                        })
                        .collect(),
                );
            }
            read
        }
        Err(ReadError::OutOfRange { .. }) => Read::failed(ErrorCode::OffsetOutOfRange),
        Err(ReadError::Log(error)) => storage_error(partition, spec, &error),
    }
}

fn storage_error(partition: &Partition, spec: FetchSpec, error: &LogError) -> Read {
    tracing::error!(topic = %partition.topic(), partition = partition.index(), offset = spec.offset, %error, "read failed");
    Read::failed(ErrorCode::KafkaStorageError)
}

fn answer(
    context: &Context<'_>,
    plan: &FetchPlan,
    targets: &[Target],
    mut reads: Vec<Read>,
) -> Result<Outcome, RequestError> {
    let summaries = reads.iter().map(Read::summary).collect::<Vec<_>>();
    let (session_id, named) = match context.node.fetch_sessions.settle(plan, &summaries, context.node.now_ms()) {
        Ok(settled) => settled,
        Err(code) => return context.reply(&FetchResponse { error_code: code.code(), ..FetchResponse::default() }),
    };
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    let mut slices = Vec::new();
    for (index, ((key, _), read)) in plan.partitions.iter().zip(&mut reads).enumerate() {
        if !named[index] {
            continue;
        }
        if let (Ok(partition), Some(slice)) = (&targets[index].partition, &read.slice) {
            partition.metrics().fetched_bytes.increment(slice.len as u64);
        }
        let records = match read.slice.take() {
            None => Some(Records::Bytes((&[][..]).into())),
            Some(slice) if context.version < FIRST_V2_VERSION => {
                match old_format::down_convert(context.version, &slice.to_vec()?, targets[index].spec.offset) {
                    Ok(bytes) => Some(bytes.into()),
                    Err(code) => {
                        *read = Read::failed(code);
                        None
                    }
                }
            }
            Some(slice) if slice.len <= INLINE_BYTES => {
                let mut bytes = Vec::with_capacity(slice.len);
                slice.read_into(&mut bytes)?;
                Some(bytes.into())
            }
            Some(slice) => {
                // A reply holds less than 2^31 bytes.
                let len = u32::try_from(slice.len).unwrap_or(u32::MAX);
                slices.push(slice);
                Some(Records::External { len, id: slices.len() as u64 - 1 })
            }
        };
        let partition = PartitionData { records, ..partition_data(key.partition, read) };
        push_partition(&mut response, key, partition);
    }
    context.reply_with_files(&response, slices)
}

fn push_partition<'a>(response: &mut FetchResponse<'a>, key: &'a FetchKey, partition: PartitionData<'a>) {
    let last = response.responses.last_mut();
    match last.filter(|last| last.topic == *key.topic && last.topic_id == key.topic_id) {
        Some(last) => last.partitions.push(partition),
        None => response.responses.push(FetchableTopicResponse {
            topic: (&*key.topic).into(),
            topic_id: key.topic_id,
            partitions: vec![partition],
            ..FetchableTopicResponse::default()
        }),
    }
}

fn partition_data<'a>(partition_index: i32, read: &mut Read) -> PartitionData<'a> {
    PartitionData {
        partition_index,
        error_code: read.error.code(),
        high_watermark: read.high_watermark,
        last_stable_offset: read.last_stable,
        log_start_offset: read.log_start,
        diverging_epoch: read.diverging.as_ref().map_or_else(EpochEndOffset::default, |end| EpochEndOffset {
            epoch: end.epoch,
            end_offset: end.end_offset,
            ..EpochEndOffset::default()
        }),
        aborted_transactions: read.aborted.take(),
        ..PartitionData::default()
    }
}
