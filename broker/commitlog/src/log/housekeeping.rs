//! What happens to a log besides appends and reads: fsync, retention, truncation, closing, deletion.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::info;

use super::{Log, Stopped, Writer};
use crate::checkpoint::PARTITION_METADATA;
use crate::config::LogConfig;
use crate::error::LogError;
use crate::names::{Suffix, TopicPartition};
use crate::producer::ProducerState;
use crate::segment::Segment;

impl Log {
    /// Fsync of everything up to the log end of this moment; then the recovery point is there. Appends and reads go on
    /// meanwhile. Several callers share one fsync if they come while one is under way.
    ///
    /// # Errors
    /// A failed fsync takes the log offline; what was appended since the recovery point may or may not be on the medium.
    pub fn flush(&self) -> Result<(), LogError> {
        self.flush_all().map(|_| ())
    }

    /// True if there was something to flush.
    fn flush_all(&self) -> Result<bool, LogError> {
        let wanted = self.view.read().log_end;
        let _one_at_a_time = self.flushing.lock();
        if self.recovery_point() >= wanted {
            return Ok(false);
        }
        let (segments, end) = {
            let view = self.view.read();
            (view.segments.clone(), view.log_end)
        };
        self.flush_segments(&segments, end)?;
        Ok(true)
    }

    /// Returns once all batches below `offset` are on the medium, for acknowledgements that wait for that
    /// (`broker.acks.fsync`): one fsync, of the data alone, for all callers that come while the one before is under way.
    /// The recovery point stays where it is: after a crash the batches are found by reading them, and need no index.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn sync_data(&self, offset: i64) -> Result<(), LogError> {
        let done = || self.synced.load(Ordering::Acquire).max(self.recovery_point());
        if done() >= offset {
            return Ok(());
        }
        let _one_at_a_time = self.flushing.lock();
        let from = done();
        if from >= offset {
            return Ok(());
        }
        self.check_running()?;
        let (segments, end) = {
            let view = self.view.read();
            (view.segments.clone(), view.log_end)
        };
        let first = segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
        let unsynced = &segments[first..];
        let sync = || {
            unsynced.iter().try_for_each(|segment| segment.log.sync())?;
            if unsynced.iter().any(|segment| segment.base_offset >= from) {
                self.folder.sync()?;
            }
            self.make_folder_durable()
        };
        sync().map_err(|error| self.fail(error))?;
        self.synced.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// As [`Log::flush`], up to the active segment: what a roll has closed.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush_sealed(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.flushing.lock();
        let mut segments = self.segments();
        match segments.pop() {
            Some(active) if active.base_offset > self.recovery_point() => {
                self.flush_segments(&segments, active.base_offset)
            }
            _ => Ok(()),
        }
    }

    /// Does the fsync that `flush.ms` or a roll has made due; true if there was one.
    ///
    /// # Errors
    /// As [`Log::flush`].
    pub fn flush_if_due(&self, now_ms: i64) -> Result<bool, LogError> {
        if self.unflushed_records() <= 0 {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
            return Ok(false);
        }
        let last = self.last_flush_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last) >= self.config().flush_ms {
            self.last_flush_ms.store(now_ms, Ordering::Relaxed);
            return self.flush().map(|()| true);
        }
        if self.active_base_offset() > self.recovery_point() {
            return self.flush_sealed().map(|()| true);
        }
        Ok(false)
    }

    /// The caller holds `flushing`. `segments` reach up to `end`.
    fn flush_segments(&self, segments: &[Arc<Segment>], end: i64) -> Result<(), LogError> {
        self.check_running()?;
        let point = self.recovery_point();
        // Also the segment that ends at the point: sealing it has added to its indexes after it was synced.
        let first = segments.partition_point(|segment| segment.base_offset < point).saturating_sub(1);
        let unflushed = &segments[first..];
        {
            // Index entries are written by the holder of the writer mutex; the slow part comes after it.
            let _writer = self.writer.lock();
            unflushed.iter().try_for_each(|segment| segment.write_indexes()).map_err(|error| self.fail(error))?;
        }
        let sync = || {
            unflushed.iter().try_for_each(|segment| segment.sync())?;
            // Segments made since the recovery point are not in the folder for good before this.
            if unflushed.iter().any(|segment| segment.base_offset >= point) {
                self.folder.sync()?;
            }
            self.epochs.flush()?;
            self.make_folder_durable()
        };
        sync().map_err(|error| self.fail(error))?;
        self.recovery_point.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Syncs `partition.metadata` and the entry of the folder in its parent, once.
    fn make_folder_durable(&self) -> Result<(), LogError> {
        if self.folder_is_durable.load(Ordering::Acquire) {
            return Ok(());
        }
        let disk = &*self.folder.env.disk;
        let metadata = self.folder.join(PARTITION_METADATA);
        if metadata.exists() {
            let file = disk.open(&metadata, false).map_err(LogError::io("open", &metadata))?;
            disk.sync(&file).map_err(LogError::io("fsync", &metadata))?;
            self.folder.sync()?;
        }
        if let Some(parent) = self.folder.path().parent() {
            disk.sync_dir(parent).map_err(LogError::io("fsync folder", parent))?;
        }
        self.folder_is_durable.store(true, Ordering::Release);
        Ok(())
    }

    /// Deletes the segments that retention by time, size or log start offset lets go, and returns how many. Only whole
    /// segments below the high watermark go; if all do, an empty one takes their place.
    ///
    /// # Errors
    /// A failed rename takes the log offline.
    pub fn delete_old_segments(&self, now_ms: i64) -> Result<usize, LogError> {
        self.check_running()?;
        let config = self.config();
        let mut writer = self.writer.lock();
        let segments = self.segments();
        let mut gone = self.below_log_start(&segments);
        if config.delete {
            gone = gone.max(self.over_size(&segments, &config)).max(self.too_old(&segments, &config, now_ms)?);
        }
        gone = gone.min(self.deletable(&segments));
        if gone > 0 {
            self.delete_front(&mut writer, gone, &config, now_ms).map_err(|error| self.fail(error))?;
        }
        Ok(gone)
    }

    /// How many segments from the front lie below the high watermark. An empty active segment is not worth replacing.
    fn deletable(&self, segments: &[Arc<Segment>]) -> usize {
        let view = self.view.read();
        let ends = segments.iter().skip(1).map(|segment| segment.base_offset).chain([view.log_end]);
        let below = ends.take_while(|end| *end <= view.high_watermark).count();
        let last_is_empty = segments.last().is_some_and(|active| active.size() == 0);
        if last_is_empty { below.min(segments.len() - 1) } else { below }
    }

    fn below_log_start(&self, segments: &[Arc<Segment>]) -> usize {
        let log_start = self.view.read().log_start;
        segments.iter().skip(1).take_while(|next| next.base_offset <= log_start).count()
    }

    fn over_size(&self, segments: &[Arc<Segment>], config: &LogConfig) -> usize {
        let Ok(limit) = u64::try_from(config.retention_bytes) else { return 0 };
        let mut excess = segments.iter().map(|segment| segment.size()).sum::<u64>().saturating_sub(limit);
        let mut count = 0;
        for segment in segments {
            if excess < segment.size() || excess == 0 {
                break;
            }
            excess -= segment.size();
            count += 1;
        }
        count
    }

    fn too_old(&self, segments: &[Arc<Segment>], config: &LogConfig, now_ms: i64) -> Result<usize, LogError> {
        if config.retention_ms < 0 {
            return Ok(0);
        }
        let mut count = 0;
        for segment in segments {
            if now_ms.saturating_sub(segment.largest_timestamp()?) <= config.retention_ms {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    fn delete_front(&self, writer: &mut Writer, count: usize, config: &LogConfig, now_ms: i64) -> Result<(), LogError> {
        if count == self.segment_count() {
            self.roll_locked(writer, now_ms, config)?;
        }
        let (gone, start) = {
            let mut view = self.view.write();
            let gone: Vec<Arc<Segment>> = view.segments.drain(..count).collect();
            view.log_start = view.log_start.max(view.segments[0].base_offset);
            view.generation += 1;
            (gone, view.log_start)
        };
        info!(log = self.name, segments = gone.len(), log_start = start, "old segments are deleted");
        self.discard(writer, &gone, config, now_ms)?;
        self.log_start_moved(start)
    }

    /// Renames segments that are no longer in the view to `.deleted`, and leaves them to the trash.
    pub(super) fn discard(
        &self,
        writer: &mut Writer,
        gone: &[Arc<Segment>],
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<(), LogError> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for segment in gone {
            segment.change_suffix(Suffix::Deleted)?;
            segment.close_files();
            paths.extend(segment.paths());
            paths.extend(writer.snapshots.mark_deleted(segment.base_offset)?);
        }
        self.folder.env.trash.add(paths, now_ms.saturating_add(config.file_delete_delay_ms));
        Ok(())
    }

    /// Brings epochs and producers in line with a log start that has moved.
    fn log_start_moved(&self, log_start: i64) -> Result<(), LogError> {
        self.epochs.truncate_from_start(log_start)?;
        let mut producers = self.producers.lock();
        producers.log_start_moved(log_start);
        self.view.write().first_unstable = producers.first_unstable();
        Ok(())
    }

    /// Moves the log start up to `before` (DeleteRecords), never back, and returns where it is. Segments that lie wholly
    /// below go at the next [`Log::delete_old_segments`]. The log start is durable once it is in the checkpoint that
    /// [`crate::LogDir::write_checkpoints`] writes.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] if `before` is above the high watermark.
    pub fn delete_records(&self, before: i64) -> Result<i64, LogError> {
        self.check_running()?;
        let _writer = self.writer.lock();
        let log_start = {
            let mut view = self.view.write();
            if before > view.high_watermark {
                let (log, log_start, log_end) = (self.name.clone(), view.log_start, view.high_watermark);
                return Err(LogError::OutOfRange { log, offset: before, log_start, log_end });
            }
            if before <= view.log_start {
                return Ok(view.log_start);
            }
            view.log_start = before;
            before
        };
        self.log_start_moved(log_start).map_err(|error| self.fail(error))?;
        Ok(log_start)
    }

    /// Cuts the log so that it ends at `offset`; true if there was something to cut. Slices handed out before may then
    /// be read short.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn truncate_to(&self, offset: i64, now_ms: i64) -> Result<bool, LogError> {
        self.check_running()?;
        let _one_at_a_time = self.flushing.lock();
        let mut writer = self.writer.lock();
        let offsets = self.offsets();
        if offset >= offsets.log_end {
            return Ok(false);
        }
        let config = self.config();
        let cut = if offset <= self.segments()[0].base_offset {
            self.empty_at(&mut writer, offset, &config, now_ms)
        } else {
            self.cut_at(&mut writer, offset, &config, now_ms)
        };
        cut.map_err(|error| self.fail(error))?;
        Ok(true)
    }

    /// Empties the log and lets it begin at `offset`.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn truncate_fully_and_start_at(&self, offset: i64, now_ms: i64) -> Result<(), LogError> {
        self.check_running()?;
        let _one_at_a_time = self.flushing.lock();
        let mut writer = self.writer.lock();
        self.empty_at(&mut writer, offset, &self.config(), now_ms).map_err(|error| self.fail(error))
    }

    fn cut_at(&self, writer: &mut Writer, offset: i64, config: &LogConfig, now_ms: i64) -> Result<(), LogError> {
        let (gone, last) = {
            let mut view = self.view.write();
            let keep = view.segments.partition_point(|segment| segment.base_offset < offset);
            let gone = view.segments.split_off(keep);
            view.generation += 1;
            (gone, Arc::clone(&view.segments[keep - 1]))
        };
        self.discard(writer, &gone, config, now_ms)?;
        last.truncate_to(offset)?;
        // A sealed segment may be the active one now: its largest timestamp has to be written again.
        writer.touched = true;
        let (end, _) = last.read_next_offset()?;
        self.epochs.truncate_from_end(end)?;
        writer.latest_epoch = None;
        let segments = self.segments();
        let log_start = self.view.read().log_start.min(end);
        let high_watermark = self.view.read().high_watermark.min(end);
        let mut producers = self.producer_state_at(writer, &segments, log_start, end, now_ms)?;
        producers.high_watermark_moved(high_watermark);
        self.recovery_point.fetch_min(end, Ordering::AcqRel);
        self.synced.fetch_min(end, Ordering::AcqRel);
        let first_unstable = producers.first_unstable();
        *self.producers.lock() = producers;
        let mut view = self.view.write();
        view.log_end = end;
        view.log_start = log_start;
        view.end_position = last.size();
        view.high_watermark = high_watermark;
        view.first_unstable = first_unstable;
        Ok(())
    }

    fn empty_at(&self, writer: &mut Writer, offset: i64, config: &LogConfig, now_ms: i64) -> Result<(), LogError> {
        let old = self.segments();
        self.discard(writer, &old, config, now_ms)?;
        writer.snapshots.clear()?;
        self.epochs.clear()?;
        writer.latest_epoch = None;
        let segment = Arc::new(Segment::create(&self.folder, offset, Suffix::None, config, now_ms)?);
        *self.producers.lock() = ProducerState::empty_at(offset);
        self.recovery_point.store(offset, Ordering::Release);
        self.synced.store(offset, Ordering::Release);
        let mut view = self.view.write();
        view.segments = vec![segment];
        view.generation += 1;
        (view.log_start, view.log_end, view.high_watermark) = (offset, offset, offset);
        (view.end_position, view.first_unstable) = (0, None);
        Ok(())
    }

    /// Flushes, writes the producers' snapshot, and closes the files, so that the next start is a cheap one. The log
    /// takes no changes after that.
    ///
    /// # Errors
    /// The log is, or goes, offline: then the stop was not a clean one, and the directory must not say so.
    pub fn close(&self) -> Result<(), LogError> {
        self.check_running()?;
        let touched = {
            let mut writer = self.writer.lock();
            if writer.touched {
                let log_start = self.view.read().log_start;
                let seal = self.active().seal();
                let snapshot = seal.and_then(|()| writer.snapshots.take(&self.producers.lock(), log_start));
                snapshot.map_err(|error| self.fail(error))?;
            }
            writer.touched
        };
        if !self.flush_all()? && touched {
            // All was flushed before, but for what sealing has added to the indexes.
            self.active().sync().map_err(|error| self.fail(error))?;
        }
        self.epochs.flush().map_err(|error| self.fail(error))?;
        self.segments().iter().for_each(|segment| segment.close_files());
        // Only the first of several callers closes; a failure meanwhile keeps its own reason.
        self.stopped.get_or_init(|| Stopped::Closed);
        Ok(())
    }

    /// Renames the folder to `<topic>-<partition>.<uuid>-delete` and leaves it to the trash. Slices handed out stay
    /// readable. The log takes no changes after that.
    ///
    /// # Errors
    /// The rename failed: the log is still there.
    pub fn delete(&self, now_ms: i64) -> Result<(), LogError> {
        let _one_at_a_time = self.flushing.lock();
        let _writer = self.writer.lock();
        let folder = self.folder.path();
        let name = TopicPartition::parse(&self.name)
            .map_or_else(|| format!("{}-delete", self.name), |partition| partition.delete_folder_name());
        let target = folder.with_file_name(name);
        self.folder.rename(target.clone())?;
        if let Some(parent) = target.parent() {
            self.folder.env.disk.sync_dir(parent).map_err(LogError::io("fsync folder", parent))?;
        }
        self.stopped.get_or_init(|| Stopped::Closed);
        self.segments().iter().for_each(|segment| segment.close_files());
        let due = now_ms.saturating_add(self.config().file_delete_delay_ms);
        self.folder.env.trash.add(vec![target], due);
        Ok(())
    }
}
