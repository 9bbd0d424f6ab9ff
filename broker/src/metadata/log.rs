//! `__cluster_metadata-0`: the log of metadata records, with its snapshots (`KafkaRaftLog`, `SnapshotGenerator` in
//! Kafka).
//!
//! ```text
//! oldest snapshot           newest snapshot
//! |                         |
//! v  log start              v                         log end
//! ---[ batches ............ | batches that start replays ]
//! ```
//!
//! A start reads the newest snapshot and the batches after it. Old snapshots go by size and age, and with them the
//! segments that only they needed: the log always begins at or before the end of its oldest snapshot.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commitlog::{AppendContext, Env, Isolation, Log, LogConfig, LogError, OpenOptions, Origin};
use wire::metadata::MetadataRecord;

use super::MetadataError;
use super::batch::{self, Batch, BatchError, Batches, ControlType, NewRecord};
use super::delta::Delta;
use super::files;
use super::ids::METADATA_TOPIC_ID;
use super::image::{Image, METADATA_VERSION, ReplayError};
use super::snapshot::{self, Control, RecordError, SnapshotError, SnapshotId};
use super::version::record_version;

/// Name of the log's folder.
pub const METADATA_LOG: &str = "__cluster_metadata-0";
/// How much of the log is read at once.
const READ_BYTES: usize = 1 << 20;
/// Most records in a batch: what Kafka's controller writes at most into one.
const MAX_RECORDS_PER_BATCH: usize = 10_000;
/// A stop writes a snapshot if the next start would replay more than this, and more than the snapshot is long.
const CLOSING_SNAPSHOT_BYTES: u64 = 256 << 10;

/// How the metadata log is kept. [`Default`] has Kafka's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataLogSettings {
    /// `metadata.log.segment.bytes`: largest size of a segment.
    pub segment_bytes: u64,
    /// `metadata.log.segment.ms`: longest time until a segment is closed, in ms.
    pub segment_ms: i64,
    /// `metadata.log.max.record.bytes.between.snapshots`: bytes of log after which a snapshot is written.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`: longest time that a record waits for a snapshot, in ms; 0 for no limit.
    pub snapshot_interval_ms: i64,
    /// `metadata.max.retention.bytes`: size of log and snapshots above which old snapshots go; negative for no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`: age above which old snapshots go, in ms; negative for no limit.
    pub retention_ms: i64,
}

impl Default for MetadataLogSettings {
    fn default() -> Self {
        const DAY_MS: i64 = 86_400_000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            snapshot_bytes: 20 << 20,
            snapshot_interval_ms: 3_600_000,
            retention_bytes: 100 << 20,
            retention_ms: 7 * DAY_MS,
        }
    }
}

/// A batch of records to append.
#[derive(Debug)]
pub(super) struct NewBatch {
    control: bool,
    records: Vec<NewRecord>,
}

impl NewBatch {
    /// Control records.
    pub(super) fn control(records: &[Control]) -> Self {
        let records = records.iter().map(|(kind, value)| (Some(kind.key()), value.clone()));
        Self { control: true, records: records.collect() }
    }

    /// Metadata records, in the versions that `metadata_version` allows.
    pub(super) fn metadata(records: &[MetadataRecord<'_>], metadata_version: i16) -> Result<Self, wire::EncodeError> {
        let encode = |record: &MetadataRecord<'_>| {
            record.encode_frame(record_version(record, metadata_version)).map(|value| (None, value))
        };
        Ok(Self { control: false, records: records.iter().map(encode).collect::<Result<_, _>>()? })
    }

    pub(super) fn len(&self) -> i64 {
        self.records.len() as i64
    }
}

/// A snapshot that is on disk.
#[derive(Debug, Clone, Copy)]
struct Saved {
    id: SnapshotId,
    bytes: u64,
    /// Time of the newest record that is in it, ms since 1970.
    last_timestamp: i64,
}

/// The log and its snapshots. One owner: the controller's thread.
#[derive(Debug)]
pub(super) struct MetadataLog {
    log: Log,
    folder: PathBuf,
    settings: MetadataLogSettings,
    snapshots: Vec<Saved>,
    /// `kraft.version` and voters, where the log has them.
    controls: Vec<Control>,
    /// Bytes appended or replayed since the newest snapshot.
    bytes_since_snapshot: u64,
    /// When the first record after the newest snapshot was written, ms since 1970.
    unsaved_since_ms: Option<i64>,
    last_timestamp: i64,
}

/// What replaying a log gave.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) image: Image,
    /// The log ends within a metadata transaction, which is to be aborted.
    pub(super) open_transaction: bool,
    /// The last epoch of the log; 0 if it is empty.
    pub(super) epoch: i32,
}

impl MetadataLog {
    /// Opens the log in `directory`, making it if it is missing, and replays it.
    pub(super) fn open(
        env: &Arc<Env>,
        directory: &Path,
        settings: MetadataLogSettings,
        now_ms: i64,
    ) -> Result<(Self, Replayed), MetadataError> {
        let folder = directory.join(METADATA_LOG);
        let config = Arc::new(LogConfig {
            segment_bytes: settings.segment_bytes,
            segment_ms: settings.segment_ms,
            max_message_bytes: i32::MAX as usize,
            retention_ms: -1,
            retention_bytes: -1,
            delete: false,
            ..LogConfig::default()
        });
        let options = OpenOptions { topic_id: Some(METADATA_TOPIC_ID), ..OpenOptions::new(now_ms) };
        let log = Log::open(env, folder.clone(), config, &options)?;
        let mut this = Self {
            log,
            folder,
            settings,
            snapshots: Vec::new(),
            controls: Vec::new(),
            bytes_since_snapshot: 0,
            unsaved_since_ms: None,
            last_timestamp: 0,
        };
        let replayed = this.replay(now_ms)?;
        Ok((this, replayed))
    }

    fn replay(&mut self, now_ms: i64) -> Result<Replayed, MetadataError> {
        let io = |error| MetadataError::Io { path: self.folder.clone(), error };
        let mut image = Image::default();
        for id in snapshot::list(&self.folder).map_err(io)? {
            let path = self.folder.join(id.file_name());
            let bytes = fs::metadata(&path).map_err(io)?.len();
            self.snapshots.push(Saved { id, bytes, last_timestamp: 0 });
        }
        if let Some(newest) = self.snapshots.last_mut() {
            let path = self.folder.join(newest.id.file_name());
            let mut nobody = Delta::default();
            let read = snapshot::read(&path, |record| image.apply(record, &mut nobody))?;
            (image.offset, image.epoch) = (newest.id.end_offset - 1, newest.id.epoch);
            newest.last_timestamp = read.last_timestamp;
            (self.controls, self.last_timestamp) = (read.controls, read.last_timestamp);
        }
        let offsets = self.log.offsets();
        let from = image.offset + 1;
        if offsets.log_start > from {
            return Err(MetadataError::Gap {
                folder: self.folder.clone(),
                snapshot_end: from,
                log_start: offsets.log_start,
            });
        }
        if offsets.log_end < from {
            // All of the log is in the snapshot.
            self.log.truncate_fully_and_start_at(from, now_ms)?;
        }
        let mut replay = Replay { image, before_transaction: None };
        self.replay_log(&mut replay, from)?;
        let epoch = self.log.latest_epoch()?.unwrap_or(0).max(replay.image.epoch);
        let open_transaction = replay.before_transaction.is_some();
        let image = match replay.before_transaction {
            // What an unfinished transaction did is undone; the records stay, up to where the log ends.
            Some(mut before) => {
                (before.offset, before.epoch) = (replay.image.offset, replay.image.epoch);
                *before
            }
            None => replay.image,
        };
        Ok(Replayed { image, open_transaction, epoch })
    }

    fn replay_log(&mut self, replay: &mut Replay, from: i64) -> Result<(), MetadataError> {
        let mut offset = from;
        let end = self.log.offsets().log_end;
        while offset < end {
            let fetched = self.log.read(offset, READ_BYTES, Isolation::LogEnd, true)?;
            let Some(slice) = fetched.slice else { break };
            let bytes = slice.to_vec().map_err(|error| MetadataError::Io { path: self.folder.clone(), error })?;
            for batch in Batches::new(&bytes) {
                let batch = match batch {
                    Ok(batch) => batch,
                    // The read ends where its limit was, within a batch.
                    Err(BatchError::Torn { at }) if at > 0 => break,
                    Err(error) => return Err(self.damaged(offset, error.into())),
                };
                if batch.last_offset >= offset {
                    self.take_in(replay, &batch).map_err(|error| self.damaged(batch.base_offset, error))?;
                    offset = batch.last_offset + 1;
                }
            }
            self.bytes_since_snapshot += bytes.len() as u64;
        }
        Ok(())
    }

    fn take_in(&mut self, replay: &mut Replay, batch: &Batch<'_>) -> Result<(), RecordError> {
        self.unsaved_since_ms.get_or_insert(batch.max_timestamp);
        self.last_timestamp = batch.max_timestamp;
        batch.for_each(|record| {
            if !batch.control {
                let (record, _) = MetadataRecord::decode_frame(record.value)?;
                return replay.record(&record).map_err(RecordError::from);
            }
            let kind = snapshot::control_type(record.key);
            if let Some(kind @ (ControlType::KraftVersion | ControlType::KraftVoters)) = kind {
                snapshot::keep_control(&mut self.controls, kind, record.value);
            }
            Ok(())
        })?;
        (replay.image.offset, replay.image.epoch) = (batch.last_offset, batch.epoch);
        Ok(())
    }

    fn damaged(&self, offset: i64, error: RecordError) -> MetadataError {
        MetadataError::Record { folder: self.folder.clone(), offset, error }
    }

    /// The control records that decide who the voters are.
    pub(super) fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// Notes control records of a batch that is to be appended: snapshots have them too.
    pub(super) fn keep_controls(&mut self, controls: &[Control]) {
        for (kind, value) in controls {
            snapshot::keep_control(&mut self.controls, *kind, value);
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The offset the next record gets.
    pub(super) fn next_offset(&self) -> i64 {
        self.log.offsets().log_end
    }

    /// Appends batches and returns when they are on disk. After an error none of them counts, and nothing more can be
    /// appended.
    pub(super) fn append(&mut self, batches: &[NewBatch], epoch: i32, now_ms: i64) -> Result<(), MetadataError> {
        let context = AppendContext { origin: Origin::RaftLeader, ..AppendContext::coordinator(epoch, now_ms) };
        let room = usize::try_from(self.settings.segment_bytes.min(READ_BYTES as u64)).unwrap_or(READ_BYTES);
        let (mut bytes, mut length) = (Vec::new(), 0);
        let mut offset = self.next_offset();
        for new in batches {
            for records in new.records.chunks(MAX_RECORDS_PER_BATCH) {
                let batch = batch::build(offset, epoch, now_ms, new.control, records).map_err(MetadataError::Batch)?;
                offset += records.len() as i64;
                length += batch.len() as u64;
                // What is appended at once goes into one segment.
                if !bytes.is_empty() && bytes.len() + batch.len() > room {
                    self.log.append(&mut std::mem::take(&mut bytes), &context)?;
                }
                bytes.extend(batch);
            }
        }
        if length == 0 {
            return Ok(());
        }
        self.log.append(&mut bytes, &context)?;
        self.log.flush()?;
        self.log.advance_high_watermark(offset);
        self.bytes_since_snapshot += length;
        self.unsaved_since_ms.get_or_insert(now_ms);
        self.last_timestamp = now_ms;
        Ok(())
    }

    /// When a snapshot falls due by age, ms since 1970; `None` if there is nothing to save.
    pub(super) fn snapshot_due_ms(&self) -> Option<i64> {
        let interval = Some(self.settings.snapshot_interval_ms).filter(|interval| *interval > 0)?;
        self.unsaved_since_ms.map(|since| since.saturating_add(interval))
    }

    /// Writes a snapshot of `image`, which is that of the log end, if one is due by size or age, and lets go of what is
    /// too old or too much.
    pub(super) fn maintain(&mut self, image: &Image, now_ms: i64) -> Result<(), MetadataError> {
        let old = self.snapshot_due_ms().is_some_and(|due| due <= now_ms);
        if old || self.bytes_since_snapshot >= self.settings.snapshot_bytes {
            self.save(image, now_ms)?;
        }
        self.clean(now_ms)
    }

    /// Writes a snapshot if replaying the log would take the next start longer than reading one, and closes the log.
    pub(super) fn close(&mut self, image: &Image, now_ms: i64) -> Result<(), MetadataError> {
        if self.bytes_since_snapshot > CLOSING_SNAPSHOT_BYTES {
            let bytes = snapshot::of_image(image, now_ms, self.last_timestamp, &self.controls)?;
            if self.bytes_since_snapshot > bytes.len() as u64 {
                self.save_bytes(image, &bytes)?;
            }
        }
        Ok(self.log.close()?)
    }

    fn save(&mut self, image: &Image, now_ms: i64) -> Result<(), SnapshotError> {
        let bytes = snapshot::of_image(image, now_ms, self.last_timestamp, &self.controls)?;
        self.save_bytes(image, &bytes)
    }

    fn save_bytes(&mut self, image: &Image, bytes: &[u8]) -> Result<(), SnapshotError> {
        let id = SnapshotId { end_offset: image.offset + 1, epoch: image.epoch };
        if self.snapshots.last().is_some_and(|newest| newest.id.end_offset >= id.end_offset) {
            return Ok(());
        }
        snapshot::save(&self.folder.join(id.file_name()), bytes)?;
        let (length, last_timestamp) = (bytes.len() as u64, self.last_timestamp);
        self.snapshots.push(Saved { id, bytes: length, last_timestamp });
        (self.bytes_since_snapshot, self.unsaved_since_ms) = (0, None);
        tracing::info!(snapshot = id.file_name(), bytes = length, "metadata snapshot written");
        Ok(())
    }

    /// Removes old snapshots, never the newest, and the segments before the oldest that stays.
    fn clean(&mut self, now_ms: i64) -> Result<(), MetadataError> {
        let mut removed = false;
        while let [oldest, next, ..] = self.snapshots[..] {
            let total = self.log.size() + self.snapshots.iter().map(|saved| saved.bytes).sum::<u64>();
            let too_much = u64::try_from(self.settings.retention_bytes).is_ok_and(|limit| total > limit);
            let age = now_ms.saturating_sub(oldest.last_timestamp);
            // A snapshot of an earlier run, whose time was not read, is as old as the next one at least.
            let age = if oldest.last_timestamp > 0 { age } else { now_ms.saturating_sub(next.last_timestamp) };
            let too_old = self.settings.retention_ms >= 0 && age > self.settings.retention_ms;
            if !too_much && !too_old {
                break;
            }
            let path = self.folder.join(oldest.id.file_name());
            fs::remove_file(&path).map_err(|error| MetadataError::Io { path: path.clone(), error })?;
            self.snapshots.remove(0);
            removed = true;
        }
        if removed {
            files::sync_parent(&self.folder.join("."))
                .map_err(|error| MetadataError::Io { path: self.folder.clone(), error })?;
            if let Some(oldest) = self.snapshots.first() {
                self.log.delete_records(oldest.id.end_offset)?;
                self.log.delete_old_segments(now_ms)?;
            }
        }
        Ok(())
    }
}

/// An image that records are applied to, transactions included (KIP-866).
#[derive(Debug)]
struct Replay {
    image: Image,
    /// The image as it was before the transaction that is open.
    before_transaction: Option<Box<Image>>,
}

impl Replay {
    fn record(&mut self, record: &MetadataRecord<'_>) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::BeginTransaction(_) => {
                if self.before_transaction.replace(Box::new(self.image.clone())).is_some() {
                    return Err(ReplayError::Transaction("begins within another"));
                }
            }
            MetadataRecord::EndTransaction(_) => {
                self.before_transaction.take().ok_or(ReplayError::Transaction("ends that did not begin"))?;
            }
            MetadataRecord::AbortTransaction(_) => {
                let before = self.before_transaction.take();
                self.image = *before.ok_or(ReplayError::Transaction("is aborted that did not begin"))?;
            }
            record => self.image.apply(record, &mut Delta::default())?,
        }
        Ok(())
    }
}

impl From<LogError> for MetadataError {
    fn from(error: LogError) -> Self {
        Self::Log(error.to_string())
    }
}

impl From<commitlog::AppendError> for MetadataError {
    fn from(error: commitlog::AppendError) -> Self {
        Self::Log(error.to_string())
    }
}

impl From<commitlog::ReadError> for MetadataError {
    fn from(error: commitlog::ReadError) -> Self {
        Self::Log(error.to_string())
    }
}

/// The level of `metadata.version` of an image, for the records that are written.
pub(super) fn metadata_version(image: &Image) -> i16 {
    image.feature(METADATA_VERSION)
}
