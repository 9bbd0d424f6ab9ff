//! Moving a log to another directory while it is in use. Source: `ReplicaAlterLogDirsThread`,
//! `LogManager.replaceCurrentWithFutureLog` (KIP-113).
//!
//! Files are copied into `<topic>-<partition>.<uuid>-future`. Closed segments are copied while appends and reads go on;
//! then both wait for the rest, which is little. The copy becomes `<topic>-<partition>` and the folder it was copied from
//! is left to the trash. Killed in between, a start finds an unfinished copy, and begins the move anew, or two folders
//! that hold the same: it keeps one. A stop leaves the copy's folder with nothing but the topic's id, so that the next start goes
//! on with the move; Apache Kafka reads it as a copy that has not got far.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tracing::warn;

use super::Log;
use crate::checkpoint::PARTITION_METADATA;
use crate::error::LogError;
use crate::names::{DELETE_FOLDER, FUTURE_FOLDER, Suffix, TopicPartition, parse_file_name};

/// Bytes copied at a time; in between it is seen whether the log was closed or deleted.
const CHUNK: usize = 1 << 20;

/// How far a move is.
#[derive(Debug, Default)]
pub struct MoveProgress {
    bytes: AtomicU64,
    end_offset: AtomicI64,
}

impl MoveProgress {
    /// Bytes of closed segments that are in the new directory.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The first offset that is not there yet.
    pub fn end_offset(&self) -> i64 {
        self.end_offset.load(Ordering::Relaxed)
    }
}

/// What tells that a file is still the one that was copied: whatever is done to a file changes its ctime.
#[derive(PartialEq, Eq)]
struct Version(u64, u64, i64, i64);

impl Version {
    fn of(metadata: &Metadata) -> Version {
        Version(metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec())
    }
}

impl Log {
    /// Moves the log into `parent`, another log directory, and returns when it is there and on the medium. Blocks while
    /// files are copied.
    ///
    /// # Errors
    /// The log is where it was, in use as before, and nothing of the copy is left; also when the log was deleted
    /// meanwhile. When it was closed, the copy's folder is left with the topic's id.
    pub fn move_to(&self, parent: &Path, progress: &MoveProgress, now_ms: i64) -> Result<(), LogError> {
        self.check_running()?;
        let name = |named: fn(&TopicPartition) -> String, end: &str| {
            TopicPartition::parse(&self.name).map_or_else(|| format!("{}{end}", self.name), |it| named(&it))
        };
        let future = parent.join(name(TopicPartition::future_folder_name, FUTURE_FOLDER));
        let gone = name(TopicPartition::delete_folder_name, DELETE_FOLDER);
        fs::create_dir(&future).map_err(LogError::io("create folder", &future))?;
        let mut copy = Copy { log: self, to: &future, copied: HashMap::new() };
        let moved = copy
            .topic_id()
            .and_then(|()| copy.closed_segments(progress))
            .and_then(|()| copy.the_rest_and_switch(parent, &gone, now_ms));
        if moved.is_err() {
            let was_closed = matches!(moved, Err(LogError::Closed { .. })) && self.folder().ends_with(&self.name);
            let removed = if was_closed { copy.empty() } else { fs::remove_dir_all(&future) };
            if let Err(error) = removed {
                warn!(folder = %future.display(), %error, "unfinished copy not removed");
            }
        }
        moved
    }
}

struct Copy<'a> {
    log: &'a Log,
    to: &'a Path,
    /// Files that are there, by name, as they were when they were copied.
    copied: HashMap<OsString, Version>,
}

impl Copy<'_> {
    /// The folder's name says which partition it is of, and this file of which topic.
    fn topic_id(&mut self) -> Result<(), LogError> {
        let path = self.log.folder.path().join(PARTITION_METADATA);
        if path.exists() { self.file(&path) } else { Ok(()) }
    }

    /// Removes all but the topic's id.
    fn empty(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.to)? {
            let path = entry?.path();
            if !path.ends_with(PARTITION_METADATA) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn closed_segments(&mut self, progress: &MoveProgress) -> Result<(), LogError> {
        let mut segments = self.log.segments();
        segments.pop();
        for segment in segments {
            progress.end_offset.store(segment.base_offset, Ordering::Relaxed);
            let path = segment.log.path();
            // Retention or compaction may have taken it away.
            if path.exists() {
                self.file(&path)?;
                progress.bytes.fetch_add(segment.size(), Ordering::Relaxed);
            }
        }
        progress.end_offset.store(self.log.active_base_offset(), Ordering::Relaxed);
        Ok(())
    }

    /// Holds up whatever changes the log, copies what is not copied or has changed since, and takes the copy into use.
    fn the_rest_and_switch(&mut self, parent: &Path, gone: &str, now_ms: i64) -> Result<(), LogError> {
        let log = self.log;
        let _one_at_a_time = log.flushing.lock();
        let _writer = log.writer.lock();
        log.check_running()?;
        // What is in memory alone has to be in the files.
        let written = log.active().seal().and_then(|()| log.segments().iter().try_for_each(|it| it.write_indexes()));
        written.and_then(|()| log.epochs.flush()).map_err(|error| log.fail(error))?;
        let from = log.folder.path();
        let mut stale: HashMap<OsString, Version> = std::mem::take(&mut self.copied);
        for entry in fs::read_dir(&from).map_err(LogError::io("list", &from))? {
            let entry = entry.map_err(LogError::io("list", &from))?;
            let name = entry.file_name();
            let temporary = parse_file_name(&name.to_string_lossy()).is_some_and(|(.., suffix)| suffix != Suffix::None);
            let metadata = entry.metadata().map_err(LogError::io("stat", entry.path()))?;
            if !temporary && metadata.is_file() && stale.remove(&name) != Some(Version::of(&metadata)) {
                self.file(&entry.path())?;
            }
        }
        stale.into_keys().try_for_each(|name| self.remove(&name))?;
        let disk = &*log.folder.env.disk;
        disk.sync_dir(self.to).map_err(LogError::io("fsync folder", self.to))?;
        let gone: PathBuf = from.with_file_name(gone);
        log.folder.replace(self.to, parent.join(&log.name), &gone)?;
        {
            let mut view = log.view.write();
            view.segments.iter().for_each(|segment| segment.close_files());
            view.segments = view.segments.iter().map(|old| Arc::new(old.forgetful(&log.folder))).collect();
            view.generation += 1;
        }
        log.folder.env.trash.add(vec![gone], now_ms.saturating_add(log.config().file_delete_delay_ms));
        let folders = [Some(parent), from.parent()];
        folders.into_iter().flatten().try_for_each(|folder| {
            disk.sync_dir(folder).map_err(LogError::io("fsync folder", folder)).map_err(|error| log.fail(error))
        })
    }

    fn remove(&self, name: &OsStr) -> Result<(), LogError> {
        let path = self.to.join(name);
        match self.log.folder.env.disk.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(LogError::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Copies a file, fsync and time of modification included.
    fn file(&mut self, from: &Path) -> Result<(), LogError> {
        let Some(name) = from.file_name() else { return Ok(()) };
        let (disk, to) = (&*self.log.folder.env.disk, self.to.join(name));
        let source = File::open(from).map_err(LogError::io("open", from))?;
        let metadata = source.metadata().map_err(LogError::io("stat", from))?;
        self.remove(name)?;
        let target = disk.open(&to, true).map_err(LogError::io("create", &to))?;
        let most = usize::try_from(metadata.len()).unwrap_or(CHUNK).clamp(1, CHUNK);
        let (mut chunk, mut position) = (vec![0; most], 0);
        loop {
            self.log.check_running()?;
            let read = source.read_at(&mut chunk, position).map_err(LogError::io("read", from))?;
            if read == 0 {
                break;
            }
            disk.write_at(&target, &chunk[..read], position).map_err(LogError::io("write", &to))?;
            position += read as u64;
        }
        let modified = metadata.modified().map_err(LogError::io("stat", from))?;
        target.set_modified(modified).map_err(LogError::io("set the time of", &to))?;
        disk.sync(&target).map_err(LogError::io("fsync", &to))?;
        self.copied.insert(name.to_owned(), Version::of(&metadata));
        Ok(())
    }
}
