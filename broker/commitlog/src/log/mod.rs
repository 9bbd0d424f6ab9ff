//! A partition's log (Kafka's `UnifiedLog` and `LocalLog`).
//!
//! ```text
//!  segment 0            segment 57                    segment 131 (active)
//! [ . . . . . . . . . ][ . . . . . . . . . . . . . . ][ . . . . . . . . . . . . . . .
//!        ^                      ^                           ^            ^           ^
//!        log start              recovery point              last stable  high        log end
//!                               (all before is fsynced)     offset       watermark
//! ```
//!
//! Invariants, true whenever no lock is held:
//! - `log_start <= last_stable <= high_watermark <= log_end` and `recovery_point <= log_end`;
//! - segments are sorted by base offset, there is at least one, and `first base <= log_start`;
//! - `[0, end_position)` of the active segment holds the batches below `log_end`, and nothing else;
//! - the producers' state, the transaction indexes and the epochs are those of `[log_start, log_end)`.
//!
//! After a failed write or fsync the log is *offline*: every change is refused with [`LogError::Offline`], reads of
//! what was there go on. What the failed write left behind lies beyond `end_position`, where nobody reads; the next
//! start, which is then an unclean one, cuts it off or finds it whole.
//!
//! Locks are taken in this order: `flushing`, `writer`, `producers`, `view`; the last two for moments only, never
//! across a call to the disk.

mod housekeeping;
mod load;
mod lookup;
mod read;
mod recover;
mod relocate;
mod replace;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

pub use load::OpenOptions;
pub use lookup::{OffsetQuery, TimestampOffset};
pub use read::{Fetched, FileSlice, Isolation, ReadError};
pub(crate) use recover::RecoveredBatches;
pub use relocate::MoveProgress;
pub use replace::Cleanable;

use crate::checkpoint;
use crate::config::LogConfig;
use crate::epoch_cache::{EpochCache, EpochEnd, EpochEntry};
use crate::error::LogError;
use crate::file::Folder;
use crate::producer::{ProducerInfo, ProducerState, Snapshots, VerificationGuard};
use crate::segment::Segment;

/// The log's offsets at one moment: `log_start <= last_stable <= high_watermark <= log_end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset that may be read.
    pub log_start: i64,
    /// Where read_committed readers stop: before the first transaction that is open.
    pub last_stable: i64,
    /// Where readers stop.
    pub high_watermark: i64,
    /// The offset the next record gets.
    pub log_end: i64,
}

/// What readers see of the log, replaced piece by piece by the writer.
#[derive(Debug)]
struct View {
    segments: Vec<Arc<Segment>>,
    log_start: i64,
    log_end: i64,
    /// Where `log_end` is in the active segment.
    end_position: u64,
    high_watermark: i64,
    /// First offset of the oldest undecided transaction.
    first_unstable: Option<i64>,
    /// Grows whenever segments leave the list.
    generation: u64,
}

impl View {
    fn offsets(&self) -> Offsets {
        let unstable = self.first_unstable.unwrap_or(i64::MAX).max(self.log_start);
        Offsets {
            log_start: self.log_start,
            last_stable: unstable.min(self.high_watermark),
            high_watermark: self.high_watermark,
            log_end: self.log_end,
        }
    }

    /// Index of the segment that holds `offset` or would.
    fn segment_of(&self, offset: i64) -> usize {
        self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
    }
}

/// What only the holder of the writer mutex may touch.
#[derive(Debug)]
struct Writer {
    snapshots: Snapshots,
    /// The leader epoch of the last append; `None` until the epoch cache was asked.
    latest_epoch: Option<i32>,
    /// Something was appended or cut since the log was opened.
    touched: bool,
}

/// A partition's log. See the [crate documentation](crate) for who may call what.
#[derive(Debug)]
pub struct Log {
    folder: Arc<Folder>,
    name: String,
    config: RwLock<Arc<LogConfig>>,
    view: RwLock<View>,
    writer: Mutex<Writer>,
    producers: Mutex<ProducerState>,
    epochs: EpochCache,
    recovery_point: AtomicI64,
    /// All batches before it are on the medium, if not all of their indexes: at least the recovery point.
    synced: AtomicI64,
    last_flush_ms: AtomicI64,
    flushing: Mutex<()>,
    topic_id: RwLock<Option<Option<Uuid>>>,
    stopped: OnceLock<Stopped>,
    /// The folder itself and its `partition.metadata` are on the medium.
    folder_is_durable: AtomicBool,
}

/// An error that may be about a file that is gone.
trait AsLogError {
    fn is_missing_file(&self) -> bool;
}

impl AsLogError for LogError {
    fn is_missing_file(&self) -> bool {
        matches!(self, LogError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl AsLogError for ReadError {
    fn is_missing_file(&self) -> bool {
        matches!(self, ReadError::Log(error) if error.is_missing_file())
    }
}

/// Why a log takes no more changes.
#[derive(Debug, Clone)]
enum Stopped {
    Failed(Arc<str>),
    Closed,
}

impl Log {
    /// `<topic>-<partition>`, as the folder was called when the log was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the log is.
    pub fn folder(&self) -> PathBuf {
        self.folder.path()
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.config.read())
    }

    /// Puts other settings in force, from the next operation on.
    pub fn update_config(&self, config: Arc<LogConfig>) {
        *self.config.write() = config;
    }

    /// The offsets at this moment.
    pub fn offsets(&self) -> Offsets {
        self.view.read().offsets()
    }

    /// All before it, as far as it still is in the log, is on the medium; recovery after an unclean stop begins here.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// Moves the high watermark up to `offset`, at most to the log end, never back. True if it moved.
    pub fn advance_high_watermark(&self, offset: i64) -> bool {
        let moved = {
            let mut view = self.view.write();
            let target = offset.min(view.log_end);
            let moved = target > view.high_watermark;
            view.high_watermark = view.high_watermark.max(target);
            moved.then_some((target, view.first_unstable.is_some()))
        };
        let Some((target, unstable)) = moved else { return false };
        if unstable {
            let mut producers = self.producers.lock();
            producers.high_watermark_moved(target);
            self.view.write().first_unstable = producers.first_unstable();
        }
        true
    }

    /// Bytes of all segments' records.
    pub fn size(&self) -> u64 {
        self.view.read().segments.iter().map(|segment| segment.size()).sum()
    }

    /// Number of segments, the active one included.
    pub fn segment_count(&self) -> usize {
        self.view.read().segments.len()
    }

    /// Base offset of the active segment.
    pub fn active_base_offset(&self) -> i64 {
        self.active().base_offset
    }

    /// Base offset of the oldest segment.
    pub fn first_base_offset(&self) -> i64 {
        self.view.read().segments[0].base_offset
    }

    fn active(&self) -> Arc<Segment> {
        let view = self.view.read();
        // There is always one; see the invariants.
        Arc::clone(&view.segments[view.segments.len() - 1])
    }

    /// Runs a reader, and again if a file was gone because its segment left the list meanwhile: between the moment a
    /// reader copies the list and the moment it opens a file, the segment may have been deleted or compacted, and with
    /// no delay for deleted files its files may be gone, too.
    fn steadily<T, E: AsLogError>(&self, read: impl Fn() -> Result<T, E>) -> Result<T, E> {
        loop {
            let generation = self.view.read().generation;
            match read() {
                Err(error) if error.is_missing_file() && self.view.read().generation != generation => {}
                result => return result,
            }
        }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        self.view.read().segments.clone()
    }

    /// The topic's id from `partition.metadata`, read when it is first asked for; `None` if there is no such file, or
    /// if a crash has torn it before the log was ever flushed.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn topic_id(&self) -> Result<Option<Uuid>, LogError> {
        if let Some(known) = *self.topic_id.read() {
            return Ok(known);
        }
        let id = match checkpoint::read_topic_id(&self.folder.path()) {
            Err(error @ LogError::Corrupt { .. }) => {
                tracing::warn!(log = self.name, %error, "topic id is passed over");
                None
            }
            other => other?,
        };
        *self.topic_id.write() = Some(id);
        Ok(id)
    }

    /// Writes the topic's id to `partition.metadata`, for a log that has none.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn assign_topic_id(&self, id: Uuid) -> Result<(), LogError> {
        self.check_running()?;
        let _writer = self.writer.lock();
        let write = checkpoint::write_topic_id(&*self.folder.env.disk, &self.folder.path(), id);
        write.map_err(|error| self.fail(error))?;
        self.folder_is_durable.store(false, Ordering::Release);
        *self.topic_id.write() = Some(Some(id));
        Ok(())
    }

    /// Whether a failure has taken the log offline.
    pub fn is_offline(&self) -> bool {
        matches!(self.stopped.get(), Some(Stopped::Failed(_)))
    }

    /// Takes the log offline, because of something that is wrong with its disk.
    pub fn go_offline(&self, reason: &str) {
        self.stopped.get_or_init(|| Stopped::Failed(reason.into()));
    }

    fn check_running(&self) -> Result<(), LogError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(Stopped::Failed(reason)) => {
                Err(LogError::Offline { log: self.name.clone(), reason: Arc::clone(reason) })
            }
            Some(Stopped::Closed) => Err(LogError::Closed { log: self.name.clone() }),
        }
    }

    /// Takes the log offline because of `error`, which is returned. For use in `map_err` around whatever writes.
    fn fail(&self, error: LogError) -> LogError {
        if !matches!(error, LogError::Offline { .. } | LogError::Closed { .. }) {
            let reason: Arc<str> = error.to_string().into();
            if self.stopped.set(Stopped::Failed(reason)).is_ok() {
                tracing::error!(log = self.name, %error, "log is offline");
                self.folder.env.failed(&self.folder.path());
            }
        }
        error
    }

    /// Notes that `epoch` leads from the log end on (KRaft's become-leader). True if it was news.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn assign_epoch(&self, epoch: i32) -> Result<bool, LogError> {
        self.check_running()?;
        let mut writer = self.writer.lock();
        let end = self.view.read().log_end;
        let news = self.epochs.assign(epoch, end).map_err(|error| self.fail(error))?;
        writer.latest_epoch = None;
        Ok(news)
    }

    /// The latest leader epoch, `None` if there never was one.
    ///
    /// # Errors
    /// The checkpoint can't be read.
    pub fn latest_epoch(&self) -> Result<Option<i32>, LogError> {
        self.epochs.latest()
    }

    /// All leader epochs with their first offsets, oldest first.
    ///
    /// # Errors
    /// The checkpoint can't be read.
    pub fn epochs(&self) -> Result<Vec<EpochEntry>, LogError> {
        self.epochs.all()
    }

    /// Where the largest epoch at or below `epoch` ends (OffsetsForLeaderEpoch).
    ///
    /// # Errors
    /// The checkpoint can't be read.
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Result<EpochEnd, LogError> {
        let end = self.view.read().log_end;
        self.epochs.end_of(epoch, end)
    }

    /// The producers that the log remembers, by id (DescribeProducers).
    pub fn producers(&self) -> Vec<ProducerInfo> {
        self.producers.lock().info()
    }

    /// Number of producers that the log remembers.
    pub fn producer_count(&self) -> usize {
        self.producers.lock().len()
    }

    /// Forgets the producers that were silent for [`crate::Env::set_producer_expiration_ms`], and returns how many.
    pub fn expire_producers(&self, now_ms: i64) -> usize {
        self.producers.lock().expire(now_ms, self.folder.env.producer_expiration_ms())
    }

    /// Whether a transaction is open for longer than `max_timeout_ms` (`transaction.max.timeout.ms`) and 5 minutes.
    pub fn has_late_transaction(&self, now_ms: i64, max_timeout_ms: i64) -> bool {
        self.producers.lock().has_late_transaction(now_ms, max_timeout_ms)
    }

    /// Begins to verify a producer's transaction with its coordinator (KIP-890): `None` if the transaction is open here
    /// already and needs no verification, otherwise the guard to append with once the coordinator has confirmed it.
    /// `sequence` is that of the first batch; `supports_epoch_bump` is that of transactions version 2.
    ///
    /// # Errors
    /// [`crate::AppendError::InvalidProducerEpoch`] if the log has seen a larger epoch.
    pub fn start_verification(
        &self,
        producer_id: i64,
        epoch: i16,
        sequence: i32,
        supports_epoch_bump: bool,
        now_ms: i64,
    ) -> Result<Option<VerificationGuard>, crate::AppendError> {
        let mut producers = self.producers.lock();
        if let Some(entry) = producers.get(producer_id).filter(|entry| epoch < entry.epoch) {
            return Err(crate::producer::stale_epoch(producer_id, epoch, entry.epoch));
        }
        if producers.has_ongoing_transaction(producer_id, epoch) {
            return Ok(None);
        }
        Ok(Some(producers.guard(producer_id, epoch, sequence, supports_epoch_bump, now_ms)))
    }
}
