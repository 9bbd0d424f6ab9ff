//! One partition of a topic.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use commitlog::{AppendContext, AppendError, AppendInfo, Fetched, Isolation, Log, LogError, Offsets, ReadError};
use tokio::sync::Notify;
use tracing::error;
use uuid::Uuid;
use wire::ErrorCode;

use super::waiters::Waiters;
use crate::config::TopicConfig;
use crate::observability::metrics::{FLUSH_SECONDS, TopicMetrics};

/// One partition: the log with what the broker adds to it.
///
/// Appends queue on the log's own lock; everything else may run beside them. After [`Self::retire`] no waiter is left
/// and appends fail.
#[derive(Debug)]
pub struct Partition {
    topic: Arc<str>,
    topic_id: Uuid,
    index: i32,
    leader_epoch: AtomicI32,
    min_insync_replicas: AtomicI32,
    log: Log,
    waiters: Waiters,
    retired: AtomicBool,
    /// Found when they are first counted: most partitions of a large broker are idle.
    metrics: OnceLock<TopicMetrics>,
}

impl Partition {
    /// A partition around an open log.
    pub fn new(topic: Arc<str>, topic_id: Uuid, index: i32, log: Log) -> Self {
        Self {
            topic,
            topic_id,
            index,
            leader_epoch: AtomicI32::new(0),
            min_insync_replicas: AtomicI32::new(1),
            log,
            waiters: Waiters::default(),
            retired: AtomicBool::new(false),
            metrics: OnceLock::new(),
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The topic's id.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Partition index.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// The leader epoch, as metadata has it.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
    }

    /// `min.insync.replicas` of the topic.
    pub fn min_insync_replicas(&self) -> i32 {
        self.min_insync_replicas.load(Ordering::Relaxed)
    }

    /// Takes over what metadata says of the partition and its topic.
    pub fn follow(&self, leader_epoch: i32, config: &TopicConfig) {
        self.leader_epoch.store(leader_epoch, Ordering::Release);
        self.min_insync_replicas.store(config.min_insync_replicas, Ordering::Relaxed);
        self.log.update_config(Arc::clone(&config.log));
    }

    /// The log itself, for housekeeping and for questions that need no waiting.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What is counted of the topic.
    pub fn metrics(&self) -> &TopicMetrics {
        self.metrics.get_or_init(|| TopicMetrics::new(&self.topic))
    }

    /// The log's offsets now.
    pub fn offsets(&self) -> Offsets {
        self.log.offsets()
    }

    /// Checks the leader epoch that a client knows (-1: none) as `Partition.checkCurrentLeaderEpoch` does.
    pub fn check_leader_epoch(&self, known: i32) -> Result<(), ErrorCode> {
        match known {
            -1 => Ok(()),
            known if known < self.leader_epoch() => Err(ErrorCode::FencedLeaderEpoch),
            known if known > self.leader_epoch() => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// Appends batches as they came and wakes who waits. On an error nothing of them is in the log.
    pub fn append(self: &Arc<Self>, batches: &mut [u8], context: &AppendContext) -> Result<AppendInfo, AppendError> {
        let info = self.log.append(batches, context)?;
        self.log.advance_high_watermark(self.log.offsets().log_end);
        self.waiters.wake();
        if !info.duplicate {
            let metrics = self.metrics();
            metrics.produced_bytes.increment(info.bytes as u64);
            let records = info.last_offset - info.first_offset + 1;
            metrics.produced_records.increment(u64::try_from(records).unwrap_or(0));
        }
        if info.rolled {
            self.flush_sealed();
        }
        self.log.flush_if_due(context.now_ms)?;
        Ok(info)
    }

    /// Puts closed segments on the disk in the background, as Kafka does after a roll.
    fn flush_sealed(self: &Arc<Self>) {
        let partition = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = partition.log.flush_sealed() {
                error!(topic = %partition.topic, partition = partition.index, %error, "closed segment not flushed");
            }
        });
    }

    /// Reads from `offset` on, from one segment.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        min_one_batch: bool,
    ) -> Result<Fetched, ReadError> {
        self.log.read(offset, max_bytes, isolation, min_one_batch)
    }

    /// Has `waiter` woken by the next append, or when the partition goes.
    pub fn register(&self, waiter: &Arc<Notify>) {
        self.waiters.register(waiter);
        if self.is_retired() {
            self.waiters.wake();
        }
    }

    /// Returns once all records below `offset` are on the disk; callers of the same moment share one fsync.
    pub async fn fsync(self: &Arc<Self>, offset: i64) -> Result<(), LogError> {
        let partition = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let synced = partition.log.sync_data(offset);
            metrics::histogram!(FLUSH_SECONDS).record(started.elapsed().as_secs_f64());
            synced
        });
        synced.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }

    /// Wakes all who wait, so that they look at the log again.
    pub(super) fn wake(&self) {
        self.waiters.wake();
    }

    /// Whether the topic was deleted.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Marks the partition as gone and wakes all who wait, so that they see it.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.waiters.wake();
    }
}
