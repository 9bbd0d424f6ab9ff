//! Open files: made on first use, closed again when all logs together hold too many.
//!
//! Ten thousand partitions have tens of thousands of files, and a process may open a few thousand. A [`LogFile`] knows
//! its path and opens it when somebody asks; the [`FilePool`] closes the files that nobody has asked for lately
//! (second chance). Whoever holds the `Arc<File>` may go on using it after that.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::env::Env;
use crate::error::LogError;
use crate::names::{FileKind, Suffix, file_name};

/// A log's folder, which is renamed when its topic is deleted.
#[derive(Debug)]
pub(crate) struct Folder {
    path: RwLock<PathBuf>,
    pub(crate) env: Arc<Env>,
}

impl Folder {
    pub(crate) fn new(env: &Arc<Env>, path: PathBuf) -> Arc<Folder> {
        Arc::new(Folder { path: RwLock::new(path), env: Arc::clone(env) })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().clone()
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.read().join(name)
    }

    /// The name of the folder itself, `<topic>-<partition>`.
    pub(crate) fn name(&self) -> String {
        self.path.read().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(crate) fn rename(&self, to: PathBuf) -> Result<(), LogError> {
        let mut path = self.path.write();
        self.env.disk.rename(&path, &to).map_err(LogError::io("rename", &*path))?;
        *path = to;
        Ok(())
    }

    /// Lets `moved`, a complete copy, take the folder's place as `to`. The folder itself is then `gone`.
    pub(crate) fn replace(&self, moved: &Path, to: PathBuf, gone: &Path) -> Result<(), LogError> {
        let disk = &*self.env.disk;
        let mut path = self.path.write();
        disk.rename(moved, &to).map_err(LogError::io("rename", moved))?;
        if let Err(error) = disk.rename(&path, gone) {
            // There must not be two folders of one log.
            disk.rename(&to, moved).map_err(LogError::io("rename", &*to))?;
            return Err(LogError::io("rename", &*path)(error));
        }
        *path = to;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), LogError> {
        let path = self.path();
        self.env.disk.sync_dir(&path).map_err(LogError::io("fsync folder", &path))
    }
}

#[derive(Debug, Default)]
struct Slot {
    file: Mutex<Option<Arc<File>>>,
    used: AtomicBool,
}

/// Keeps the number of open files near its limit.
#[derive(Debug)]
pub(crate) struct FilePool {
    limit: usize,
    open: Mutex<VecDeque<Weak<Slot>>>,
}

impl FilePool {
    pub(crate) fn new(limit: usize) -> FilePool {
        FilePool { limit, open: Mutex::new(VecDeque::new()) }
    }

    fn register(&self, slot: &Arc<Slot>) {
        let mut open = self.open.lock();
        open.push_back(Arc::downgrade(slot));
        // Each file gets at most one second chance a call, so that this ends.
        let mut chances = open.len();
        while open.len() > self.limit {
            let Some(oldest) = open.pop_front() else { break };
            let Some(candidate) = oldest.upgrade() else { continue };
            if chances > 0 && candidate.used.swap(false, Ordering::Relaxed) {
                chances -= 1;
                open.push_back(oldest);
                continue;
            }
            // A slot whose lock is taken is in use this instant.
            match candidate.file.try_lock() {
                Some(mut file) => drop(file.take()),
                None => {
                    open.push_back(oldest);
                    if chances == 0 {
                        break;
                    }
                    chances -= 1;
                }
            };
        }
    }
}

/// One file of a segment: its place, and its descriptor while somebody needs it.
#[derive(Debug)]
pub(crate) struct LogFile {
    folder: Arc<Folder>,
    base_offset: i64,
    kind: FileKind,
    suffix: AtomicU8,
    slot: Arc<Slot>,
}

impl LogFile {
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, kind: FileKind, suffix: Suffix) -> LogFile {
        LogFile {
            folder: Arc::clone(folder),
            base_offset,
            kind,
            suffix: AtomicU8::new(suffix as u8),
            slot: Arc::default(),
        }
    }

    pub(crate) fn suffix(&self) -> Suffix {
        Suffix::from_u8(self.suffix.load(Ordering::Acquire))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(file_name(self.base_offset, self.kind, self.suffix()))
    }

    pub(crate) fn env(&self) -> &Env {
        &self.folder.env
    }

    /// The open file; `None` if it does not exist.
    pub(crate) fn existing(&self) -> Result<Option<Arc<File>>, LogError> {
        match self.open(false) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::io("open", self.path())(error)),
        }
    }

    /// The open file, which must exist.
    pub(crate) fn get(&self) -> Result<Arc<File>, LogError> {
        self.open(false).map_err(|error| LogError::io("open", self.path())(error))
    }

    /// The open file, made if it is not there yet.
    pub(crate) fn create(&self) -> Result<Arc<File>, LogError> {
        self.open(true).map_err(|error| LogError::io("create", self.path())(error))
    }

    fn open(&self, create: bool) -> io::Result<Arc<File>> {
        let opened = {
            let mut slot = self.slot.file.lock();
            if let Some(file) = &*slot {
                self.slot.used.store(true, Ordering::Relaxed);
                return Ok(Arc::clone(file));
            }
            let path = self.folder.join(file_name(self.base_offset, self.kind, self.suffix()));
            let file = Arc::new(self.folder.env.disk.open(&path, create)?);
            *slot = Some(Arc::clone(&file));
            file
        };
        self.slot.used.store(true, Ordering::Relaxed);
        self.folder.env.files.register(&self.slot);
        Ok(opened)
    }

    /// Length in bytes; 0 if the file does not exist.
    pub(crate) fn len(&self) -> Result<u64, LogError> {
        if let Some(file) = &*self.slot.file.lock() {
            return Ok(file.metadata().map_err(LogError::io("stat", self.path()))?.len());
        }
        match std::fs::metadata(self.path()) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(LogError::io("stat", self.path())(error)),
        }
    }

    pub(crate) fn write_at(&self, bytes: &[u8], position: u64) -> Result<(), LogError> {
        let file = self.create()?;
        // The path is put together only where it is needed: this runs for every append.
        self.env().disk.write_at(&file, bytes, position).map_err(|error| LogError::io("write", self.path())(error))
    }

    pub(crate) fn set_len(&self, len: u64) -> Result<(), LogError> {
        let file = self.create()?;
        self.env().disk.set_len(&file, len).map_err(LogError::io("truncate", self.path()))
    }

    /// Fsync; a file that does not exist has nothing to sync.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        let Some(file) = self.existing()? else { return Ok(()) };
        self.env().disk.sync(&file).map_err(LogError::io("fsync", self.path()))
    }

    /// Closes the descriptor; the next use opens the file again.
    pub(crate) fn close(&self) {
        self.slot.file.lock().take();
    }

    /// Gives the file another suffix; a file that does not exist only changes its name for later.
    pub(crate) fn change_suffix(&self, to: Suffix) -> Result<(), LogError> {
        // Whoever opens the file meanwhile waits, so that nobody looks for it under a name it no longer has.
        let _slot = self.slot.file.lock();
        let from = self.path();
        let target = self.folder.join(file_name(self.base_offset, self.kind, to));
        match self.env().disk.rename(&from, &target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LogError::io("rename", from)(error));
            }
            _ => {}
        }
        self.suffix.store(to as u8, Ordering::Release);
        Ok(())
    }
}
