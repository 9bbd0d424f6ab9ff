//! A disk that fails on demand, for tests of this crate and of those above it.
//!
//! The files are real ones. What is simulated is a full disk (a write stops in the middle, then `ENOSPC`), a failing
//! fsync, a process that is killed between two operations, and a crash of the machine: bytes that were written and not synced are cut off or read as zeros, and files
//! whose folder was not synced after they were made are gone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::disk::{Disk, RealDisk};

/// What a crash leaves of the bytes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The file ends after so many of them.
    Cut(u64),
    /// So many are there, zeros follow up to the old length: the length reached the disk and the data did not.
    Zeros(u64),
}

#[derive(Debug)]
struct Tracked {
    file: File,
    /// Length at the last fsync.
    synced: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that may still be written; `None` for no limit.
    space: Option<u64>,
    syncs_fail: bool,
    /// Operations that may still be done; `None` for no limit.
    operations: Option<u64>,
    files: HashMap<(u64, u64), Tracked>,
    /// Files made since their folder was last synced.
    unsynced_names: Vec<PathBuf>,
}

/// A [`Disk`] that can be full, lose what was not synced, and fail to sync.
#[derive(Debug, Default)]
pub struct FaultyDisk {
    state: Mutex<State>,
}

impl FaultyDisk {
    /// A disk without faults.
    pub fn new() -> FaultyDisk {
        FaultyDisk::default()
    }

    /// After `bytes` more the disk is full: the write that reaches the limit is done in part. `None` makes room.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.state.lock().space = bytes;
    }

    /// Lets every fsync fail, or succeed again.
    pub fn fail_syncs(&self, fail: bool) {
        self.state.lock().syncs_fail = fail;
    }

    /// After so many operations more none is done any longer: the process was killed there. Drop its logs, and open
    /// them on another disk.
    pub fn kill_after(&self, operations: u64) {
        self.state.lock().operations = Some(operations);
    }

    /// Counts an operation; an error if the process is dead.
    fn operation(&self) -> io::Result<()> {
        match &mut self.state.lock().operations {
            Some(0) => Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The machine crashes: of each file's unsynced bytes (their number is given) only what `loss` says is left, and
    /// files in folders that were not synced are gone. Every log on this disk must have been dropped.
    ///
    /// # Errors
    /// The real disk's.
    pub fn crash(&self, mut loss: impl FnMut(u64) -> Loss) -> io::Result<()> {
        let State { files, unsynced_names, .. } = std::mem::take(&mut *self.state.lock());
        for Tracked { file, synced } in files.into_values() {
            let len = file.metadata()?.len();
            let unsynced = len.saturating_sub(synced);
            if unsynced == 0 {
                continue;
            }
            let (kept, zeros) = match loss(unsynced) {
                Loss::Cut(kept) => (kept.min(unsynced), 0),
                Loss::Zeros(kept) => (kept.min(unsynced), unsynced - kept.min(unsynced)),
            };
            file.set_len(synced + kept)?;
            file.set_len(synced + kept + zeros)?;
        }
        for path in unsynced_names {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn track(&self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        let mut state = self.state.lock();
        if let Entry::Vacant(vacant) = state.files.entry((metadata.dev(), metadata.ino())) {
            vacant.insert(Tracked { file: file.try_clone()?, synced: metadata.len() });
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<File> {
        self.operation()?;
        let is_new = create && !path.exists();
        let file = RealDisk.open(path, create)?;
        if is_new {
            self.state.lock().unsynced_names.push(path.to_path_buf());
        }
        self.track(&file)?;
        Ok(file)
    }

    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        self.operation()?;
        let allowed = {
            let mut state = self.state.lock();
            match &mut state.space {
                Some(space) => {
                    let allowed = (*space).min(bytes.len() as u64);
                    *space -= allowed;
                    allowed as usize
                }
                None => bytes.len(),
            }
        };
        file.write_all_at(&bytes[..allowed], position)?;
        if allowed < bytes.len() {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
        }
        Ok(())
    }

    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        self.operation()?;
        file.set_len(len)?;
        let metadata = file.metadata()?;
        if let Some(tracked) = self.state.lock().files.get_mut(&(metadata.dev(), metadata.ino())) {
            tracked.synced = tracked.synced.min(len);
        }
        Ok(())
    }

    fn reserve(&self, file: &File, len: u64) -> io::Result<()> {
        RealDisk.reserve(file, len)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.operation()?;
        let metadata = file.metadata()?;
        let mut state = self.state.lock();
        if state.syncs_fail {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        if let Some(tracked) = state.files.get_mut(&(metadata.dev(), metadata.ino())) {
            tracked.synced = metadata.len();
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.operation()?;
        let mut state = self.state.lock();
        if state.syncs_fail {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        state.unsynced_names.retain(|name| name.parent() != Some(path));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation()?;
        RealDisk.rename(from, to)?;
        for name in &mut self.state.lock().unsynced_names {
            if let Ok(inside) = name.strip_prefix(from) {
                *name = if inside.as_os_str().is_empty() { to.to_path_buf() } else { to.join(inside) };
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operation()?;
        RealDisk.remove_file(path)?;
        self.state.lock().unsynced_names.retain(|name| name != path);
        Ok(())
    }
}
