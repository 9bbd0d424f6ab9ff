//! One segment of a log: a `.log` file with its indexes (Kafka's `LogSegment`).
//!
//! ```text
//! 00000000000000000042.log        batches, one after the other, offsets from 42 on
//! 00000000000000000042.index      offset -> position          (sparse)
//! 00000000000000000042.timeindex  timestamp -> offset         (sparse)
//! 00000000000000000042.txnindex   aborted transactions        (only where there are some)
//! ```
//!
//! Invariant: `[0, size)` of the `.log` holds whole batches whose offsets grow. Bytes beyond `size` are a write under
//! way, or one that failed, and nobody reads them.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::batch::{BatchHeader, HeaderWalk};
use crate::config::LogConfig;
use crate::error::LogError;
use crate::file::{Folder, LogFile};
use crate::names::{FileKind, Suffix};
use crate::offset_index::OffsetIndex;
use crate::time_index::{TimeEntry, TimeIndex};
use crate::txn_index::TxnIndex;

/// What a segment knows of its records' times, read from its files when it is first asked for.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// Largest timestamp of the first batch; segments roll `segment.ms` after it.
    first: Option<i64>,
    /// Largest timestamp so far with the last offset of the first batch that has it.
    max: Option<TimeEntry>,
    /// `max` is what the files say.
    max_loaded: bool,
}

/// A `.log` with its indexes. Readers share it; changes come from the holder of the log's writer mutex only.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) log: LogFile,
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    pub(crate) txns: TxnIndex,
    size: AtomicU64,
    bytes_since_index: AtomicU32,
    created_ms: i64,
    known: Mutex<Times>,
}

/// A batch in a file: where it stands, and its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl Segment {
    /// A segment of `size` bytes whose files have `suffix`. Nothing is read before it is needed.
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, suffix: Suffix, size: u64, now_ms: i64) -> Segment {
        Segment {
            base_offset,
            log: LogFile::new(folder, base_offset, FileKind::Log, suffix),
            offsets: OffsetIndex::new(folder, base_offset, suffix),
            times: TimeIndex::new(folder, base_offset, suffix),
            txns: TxnIndex::new(folder, base_offset, suffix),
            size: AtomicU64::new(size),
            bytes_since_index: AtomicU32::new(0),
            created_ms: now_ms,
            known: Mutex::new(Times::default()),
        }
    }

    /// Makes the files of a new segment.
    pub(crate) fn create(
        folder: &Arc<Folder>,
        base_offset: i64,
        suffix: Suffix,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Segment, LogError> {
        let segment = Segment::new(folder, base_offset, suffix, 0, now_ms);
        segment.known.lock().max_loaded = true;
        let log = segment.log.create()?;
        let env = &folder.env;
        env.disk.set_len(&log, 0).map_err(LogError::io("truncate", segment.log.path()))?;
        if config.preallocate {
            env.disk.reserve(&log, config.segment_bytes).map_err(LogError::io("reserve", segment.log.path()))?;
        }
        segment.offsets.table().truncate(0)?;
        segment.times.table().truncate(0)?;
        segment.txns.truncate_to(i64::MIN)?;
        segment.offsets.table().file().create()?;
        segment.times.table().file().create()?;
        Ok(segment)
    }

    /// The segment with nothing of it in memory, as after a clean start.
    pub(crate) fn forgetful(&self, folder: &Arc<Folder>) -> Segment {
        Segment::new(folder, self.base_offset, Suffix::None, self.size(), self.created_ms)
    }

    /// Bytes of whole batches.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    fn io(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> LogError {
        move |error| LogError::io(action, self.log.path())(error)
    }

    /// Writes `bytes`, whole batches with the headers `batches`, at the end, in one write.
    pub(crate) fn append(&self, bytes: &[u8], config: &LogConfig) -> Result<(), LogError> {
        self.load_max()?;
        let start = self.size();
        self.log.write_at(bytes, start)?;
        let mut position = start;
        for (header, batch) in crate::batch::Batches::new(bytes) {
            self.note(&header, position, config.index_interval_bytes)?;
            position += batch.len() as u64;
        }
        self.set_size(position);
        Ok(())
    }

    /// Takes a batch that stands at `position` into the indexes and times.
    pub(crate) fn note(&self, header: &BatchHeader, position: u64, interval: u32) -> Result<(), LogError> {
        let (max, last_offset) = {
            let mut known = self.known.lock();
            if position == 0 {
                known.first = Some(header.max_timestamp);
            }
            if known.max.is_none_or(|max| header.max_timestamp > max.timestamp) && header.max_timestamp >= 0 {
                known.max = Some(TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() });
            }
            (known.max, header.last_offset())
        };
        let since = self.bytes_since_index.load(Ordering::Relaxed);
        let size = header.size().unwrap_or_default() as u32;
        if since > interval {
            self.offsets.push(last_offset, position)?;
            if let Some(max) = max {
                self.times.push(max)?;
            }
            self.bytes_since_index.store(size, Ordering::Relaxed);
        } else {
            self.bytes_since_index.store(since.saturating_add(size), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The first batch that holds `offset` or a later one, walking from the index entry before it.
    pub(crate) fn locate(&self, offset: i64, end: u64) -> Result<Option<Located>, LogError> {
        if end == 0 {
            return Ok(None);
        }
        let file = self.log.get()?;
        let mut walk = HeaderWalk::new(&file, self.offsets.lookup(offset)?, end);
        while let Some((position, header)) = walk.next().map_err(self.io("read"))? {
            if header.last_offset() >= offset {
                return Ok(Some(Located { position, header }));
            }
        }
        Ok(None)
    }

    /// Where the first batch begins that holds `offset` or a later one, at most `end`.
    pub(crate) fn position_of(&self, offset: i64, end: u64) -> Result<u64, LogError> {
        Ok(self.locate(offset, end)?.map_or(end, |located| located.position))
    }

    /// The offset after the last record in `[0, size)`, found by walking from the last index entry. Also says how far
    /// the walk came: short of the size, what follows there is no batch.
    pub(crate) fn read_next_offset(&self) -> Result<(i64, u64), LogError> {
        let end = self.size();
        if end == 0 {
            return Ok((self.base_offset, 0));
        }
        let file = self.log.get()?;
        // An index that points beyond the log is stale: start from the front.
        let start = self.offsets.last_position()?;
        let mut walk = HeaderWalk::new(&file, if start < end { start } else { 0 }, end);
        let mut next = self.base_offset;
        while let Some((_, header)) = walk.next().map_err(self.io("read"))? {
            next = header.last_offset() + 1;
        }
        Ok((next, walk.position()))
    }

    pub(crate) fn file(&self) -> Result<Arc<File>, LogError> {
        self.log.get()
    }

    fn load_max(&self) -> Result<(), LogError> {
        if !self.known.lock().max_loaded {
            let max = self.times.last()?;
            let mut known = self.known.lock();
            if !known.max_loaded {
                known.max = max;
                known.max_loaded = true;
            }
        }
        Ok(())
    }

    /// The largest timestamp with the last offset of its batch, if any batch has one.
    pub(crate) fn max_timestamp(&self) -> Result<Option<TimeEntry>, LogError> {
        self.load_max()?;
        Ok(self.known.lock().max)
    }

    /// The largest timestamp, or where no record has one the file's modification time, in ms since the epoch.
    pub(crate) fn largest_timestamp(&self) -> Result<i64, LogError> {
        if let Some(max) = self.max_timestamp()? {
            return Ok(max.timestamp);
        }
        self.last_modified()
    }

    /// When the file was last written to, in ms since the epoch.
    pub(crate) fn last_modified(&self) -> Result<i64, LogError> {
        let path = self.log.path();
        let modified = std::fs::metadata(&path).and_then(|file| file.modified()).map_err(LogError::io("stat", path))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The largest timestamp of the first batch, if the segment has one.
    pub(crate) fn first_timestamp(&self) -> Result<Option<i64>, LogError> {
        if let Some(first) = self.known.lock().first {
            return Ok(Some(first));
        }
        if self.size() == 0 {
            return Ok(None);
        }
        let file = self.log.get()?;
        let first = HeaderWalk::new(&file, 0, self.size()).next().map_err(self.io("read"))?;
        let first = first.map(|(_, header)| header.max_timestamp);
        self.known.lock().first = first;
        Ok(first)
    }

    /// Whether the next append must go to a new segment: this one is full (by size, index, or offsets that do not fit
    /// into 31 bits), or old enough.
    pub(crate) fn should_roll(&self, next: &RollRequest, config: &LogConfig) -> Result<bool, LogError> {
        let size = self.size();
        if size > config.segment_bytes.saturating_sub(next.bytes as u64)
            || next.last_offset - self.base_offset > i64::from(i32::MAX)
        {
            return Ok(true);
        }
        if size > 0 {
            let waited = match self.first_timestamp()? {
                Some(first) if first >= 0 => next.max_timestamp.unwrap_or(next.now_ms) - first,
                _ => next.now_ms - self.created_ms,
            };
            if waited > config.max_segment_ms() - self.jitter(config) {
                return Ok(true);
            }
        }
        Ok(self.offsets.is_full(config.segment_index_bytes)? || self.times.is_full(config.segment_index_bytes)?)
    }

    /// A jitter that is the same each time it is asked for, and different from segment to segment.
    fn jitter(&self, config: &LogConfig) -> i64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let bound = config.segment_jitter_ms.min(config.max_segment_ms());
        if bound <= 0 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        (self.base_offset, self.created_ms, self.log.path()).hash(&mut hasher);
        (hasher.finish() % bound.unsigned_abs()) as i64
    }

    /// Ends a segment's life as the active one: its largest timestamp goes into the time index, indexes are written.
    pub(crate) fn seal(&self) -> Result<(), LogError> {
        if let Some(max) = self.max_timestamp()? {
            self.times.push(max)?;
        }
        self.offsets.table().write_pending()?;
        self.times.table().write_pending()
    }

    /// Writes the index entries that wait in memory.
    pub(crate) fn write_indexes(&self) -> Result<(), LogError> {
        self.offsets.table().write_pending()?;
        self.times.table().write_pending()
    }

    /// Fsync of the data, then of the indexes that describe it.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        self.log.sync()?;
        self.offsets.table().sync()?;
        self.times.table().sync()?;
        self.txns.table().sync()
    }

    /// Cuts the segment before the batch that holds `offset`.
    pub(crate) fn truncate_to(&self, offset: i64) -> Result<(), LogError> {
        let position = self.position_of(offset, self.size())?;
        self.offsets.truncate_to(offset)?;
        self.times.truncate_to(offset)?;
        self.txns.truncate_to(offset)?;
        self.log.set_len(position)?;
        self.set_size(position);
        self.bytes_since_index.store(0, Ordering::Relaxed);
        let mut known = self.known.lock();
        if position == 0 {
            known.first = None;
        }
        known.max_loaded = false;
        drop(known);
        self.reload_max()
    }

    /// Finds the largest timestamp from the time index and the batches after its last entry.
    fn reload_max(&self) -> Result<(), LogError> {
        let mut max = self.times.last()?;
        let file = self.log.get()?;
        let start = match max {
            Some(entry) => self.position_of(entry.offset, self.size())?,
            None => 0,
        };
        let mut walk = HeaderWalk::new(&file, start, self.size());
        while let Some((_, header)) = walk.next().map_err(self.io("read"))? {
            if header.max_timestamp >= 0 && max.is_none_or(|max| header.max_timestamp > max.timestamp) {
                max = Some(TimeEntry { timestamp: header.max_timestamp, offset: header.last_offset() });
            }
        }
        let mut known = self.known.lock();
        known.max = max;
        known.max_loaded = true;
        Ok(())
    }

    /// Empties the indexes before recovery fills them anew. The transaction index is emptied, too: the producer state
    /// that recovery replays writes it again.
    pub(crate) fn reset_indexes(&self) -> Result<(), LogError> {
        self.offsets.table().truncate(0)?;
        self.times.table().truncate(0)?;
        self.txns.truncate_to(i64::MIN)?;
        self.bytes_since_index.store(0, Ordering::Relaxed);
        *self.known.lock() = Times { first: None, max: None, max_loaded: true };
        Ok(())
    }

    /// Gives the `.log` the modification time of another segment's, which is how old its records are if they have no
    /// times of their own.
    pub(crate) fn copy_modified(&self, from: &Segment) -> Result<(), LogError> {
        let modified = from.file()?.metadata().and_then(|metadata| metadata.modified());
        let modified = modified.map_err(LogError::io("stat", from.log.path()))?;
        self.file()?.set_modified(modified).map_err(LogError::io("set time of", self.log.path()))
    }

    fn files(&self) -> [&LogFile; 4] {
        [&self.log, self.offsets.table().file(), self.times.table().file(), self.txns.table().file()]
    }

    /// Gives all files another suffix.
    pub(crate) fn change_suffix(&self, to: Suffix) -> Result<(), LogError> {
        self.files().into_iter().try_for_each(|file| file.change_suffix(to))
    }

    pub(crate) fn close_files(&self) {
        self.files().into_iter().for_each(LogFile::close);
    }

    pub(crate) fn paths(&self) -> Vec<std::path::PathBuf> {
        self.files().into_iter().map(LogFile::path).collect()
    }
}

/// What is about to be appended, as far as rolling depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RollRequest {
    pub(crate) bytes: usize,
    pub(crate) last_offset: i64,
    /// Largest timestamp of the batches; `None` when nothing is appended.
    pub(crate) max_timestamp: Option<i64>,
    pub(crate) now_ms: i64,
}
