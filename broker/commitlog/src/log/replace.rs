//! What compaction needs of a log: what of it is due, and putting new segments in the place of old ones.

use std::sync::Arc;

use super::Log;
use crate::error::LogError;
use crate::names::Suffix;
use crate::segment::Segment;

/// What of a log can be compacted (Kafka's `LogToClean`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cleanable {
    /// Below this the log was compacted before.
    pub first_dirty: i64,
    /// From here on it may not be compacted yet: the base offset of the active segment, of the one that holds the last
    /// stable offset, or of the first one with a record younger than `min.compaction.lag.ms`.
    pub first_uncleanable: i64,
    /// Bytes before `first_dirty`.
    pub clean_bytes: u64,
    /// Bytes between the two.
    pub cleanable_bytes: u64,
    /// A dirty record is older than `max.compaction.lag.ms`.
    pub overdue: bool,
}

impl Cleanable {
    /// Cleanable bytes over all, 0 to 1. The log with the largest ratio goes first.
    pub fn dirty_ratio(&self) -> f64 {
        let all = self.clean_bytes + self.cleanable_bytes;
        if all == 0 { 0.0 } else { self.cleanable_bytes as f64 / all as f64 }
    }

    /// Whether it is time, by `min.cleanable.dirty.ratio` and `max.compaction.lag.ms`.
    pub fn is_due(&self, min_dirty_ratio: f64) -> bool {
        self.cleanable_bytes > 0 && (self.overdue || self.dirty_ratio() > min_dirty_ratio)
    }
}

impl Log {
    /// What can be compacted at `now_ms`, if `checkpointed` is how far earlier rounds came. A checkpoint that does not fit
    /// the log counts as none.
    ///
    /// # Errors
    /// Files can't be read.
    pub fn cleanable(&self, checkpointed: Option<i64>, now_ms: i64) -> Result<Cleanable, LogError> {
        let config = self.config();
        let offsets = self.offsets();
        let known = checkpointed.filter(|at| (offsets.log_start..=offsets.log_end).contains(at));
        let first_dirty = known.unwrap_or(offsets.log_start);
        let segments = self.segments();
        let mut limit = self.active_base_offset().min(offsets.last_stable);
        let dirty = segments.partition_point(|segment| segment.base_offset <= first_dirty).saturating_sub(1);
        let sealed = &segments[dirty..segments.len().saturating_sub(1).max(dirty)];
        let mut overdue = false;
        for segment in sealed {
            if config.min_compaction_lag_ms > 0
                && segment.largest_timestamp()? > now_ms.saturating_sub(config.min_compaction_lag_ms)
            {
                limit = limit.min(segment.base_offset);
            }
            if let Some(first) = segment.first_timestamp()?.filter(|first| *first > 0) {
                overdue |= first < now_ms.saturating_sub(config.max_compaction_lag_ms.max(0));
            }
        }
        // Segments are compacted as a whole.
        let holder = segments.partition_point(|segment| segment.base_offset <= limit).saturating_sub(1);
        let first_uncleanable = segments[holder].base_offset.max(first_dirty);
        let bytes_in = |from: i64, to: i64| -> u64 {
            let inside = |segment: &&Arc<Segment>| segment.base_offset >= from && segment.base_offset < to;
            segments.iter().filter(inside).map(|segment| segment.size()).sum()
        };
        Ok(Cleanable {
            first_dirty,
            first_uncleanable,
            clean_bytes: bytes_in(i64::MIN, first_dirty),
            cleanable_bytes: bytes_in(first_dirty, first_uncleanable),
            overdue,
        })
    }

    /// The segments that begin below `offset`, but for the active one.
    pub(crate) fn segments_below(&self, offset: i64) -> Vec<Arc<Segment>> {
        let mut segments = self.segments();
        segments.pop();
        segments.retain(|segment| segment.base_offset < offset);
        segments
    }

    /// An empty segment for compaction to write to.
    pub(crate) fn new_cleaned_segment(&self, base_offset: i64, now_ms: i64) -> Result<Segment, LogError> {
        let config = crate::config::LogConfig { preallocate: false, ..(*self.config()).clone() };
        Segment::create(&self.folder, base_offset, Suffix::Cleaned, &config, now_ms)
    }

    /// Puts `new`, complete and synced with the suffix `.cleaned`, in the place of `old`; false, and `new` is dropped, if
    /// those are no longer neighbours in the log.
    pub(crate) fn replace(&self, old: &[Arc<Segment>], new: Arc<Segment>, now_ms: i64) -> Result<bool, LogError> {
        self.check_running()?;
        let mut writer = self.writer.lock();
        let Some(at) = self.position_of_run(old) else {
            new.close_files();
            for path in new.paths().into_iter().filter(|path| path.exists()) {
                self.folder.env.disk.remove_file(&path).map_err(LogError::io("remove", path))?;
            }
            return Ok(false);
        };
        let swap = || -> Result<(), LogError> {
            new.change_suffix(Suffix::Swap)?;
            self.folder.sync()
        };
        swap().map_err(|error| self.fail(error))?;
        {
            let mut view = self.view.write();
            view.segments.splice(at..at + old.len(), [Arc::clone(&new)]);
            view.generation += 1;
        }
        let config = self.config();
        let mut finish = || -> Result<(), LogError> {
            let mut paths = Vec::new();
            for segment in old {
                segment.change_suffix(Suffix::Deleted)?;
                segment.close_files();
                paths.extend(segment.paths());
                // The new segment begins where the first old one did, and needs that snapshot.
                if segment.base_offset != new.base_offset {
                    paths.extend(writer.snapshots.mark_deleted(segment.base_offset)?);
                }
            }
            self.folder.env.trash.add(paths, now_ms.saturating_add(config.file_delete_delay_ms));
            new.change_suffix(Suffix::None)?;
            self.folder.sync()
        };
        finish().map_err(|error| self.fail(error))?;
        Ok(true)
    }

    /// Where `run` begins in the list of segments, if it is there as it was.
    fn position_of_run(&self, run: &[Arc<Segment>]) -> Option<usize> {
        let view = self.view.read();
        let first = run.first()?;
        let at = view.segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let there = view.segments.get(at..at + run.len())?;
        there.iter().zip(run).all(|(a, b)| Arc::ptr_eq(a, b)).then_some(at)
    }
}
