//! The snapshots in a log's folder: one at the base offset of each segment, and one at the log end after a clean stop.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::{ProducerState, snapshot};
use crate::error::LogError;
use crate::file::Folder;
use crate::names::{FileKind, Suffix, file_name};

/// The offsets for which there are snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots {
    folder: Arc<Folder>,
    offsets: BTreeSet<i64>,
}

impl Snapshots {
    pub(crate) fn new(folder: &Arc<Folder>, offsets: BTreeSet<i64>) -> Snapshots {
        Snapshots { folder: Arc::clone(folder), offsets }
    }

    fn path(&self, offset: i64) -> PathBuf {
        self.folder.join(file_name(offset, FileKind::Snapshot, Suffix::None))
    }

    pub(crate) fn latest(&self) -> Option<i64> {
        self.offsets.last().copied()
    }

    /// Writes the state if there is no snapshot of it or of a later one. It is not synced: a snapshot that a crash tears
    /// is found by its checksum, and the one before it is taken.
    pub(crate) fn take(&mut self, state: &ProducerState, log_start: i64) -> Result<(), LogError> {
        if state.end <= self.latest().unwrap_or(log_start) {
            return Ok(());
        }
        snapshot::write(&*self.folder.env.disk, &self.path(state.end), state.iter())?;
        self.offsets.insert(state.end);
        Ok(())
    }

    /// Loads the latest snapshot in `(log_start, log_end]` that is sound, and removes those that are not or lie
    /// outside. Without one the state is empty at `log_start`.
    pub(crate) fn load(
        &mut self,
        log_start: i64,
        log_end: i64,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<ProducerState, LogError> {
        let outside: Vec<i64> =
            self.offsets.iter().copied().filter(|&offset| offset > log_end || offset <= log_start).collect();
        outside.into_iter().try_for_each(|offset| self.remove(offset))?;
        while let Some(offset) = self.latest() {
            let path = self.path(offset);
            let bytes = fs::read(&path).map_err(LogError::io("read", &path))?;
            match snapshot::decode(&bytes) {
                Ok(entries) => return Ok(ProducerState::from_entries(entries, offset, now_ms, expiration_ms)),
                Err(reason) => {
                    warn!(path = %path.display(), reason, "producer snapshot is corrupt, an earlier one is taken");
                    self.remove(offset)?;
                }
            }
        }
        Ok(ProducerState::empty_at(log_start))
    }

    pub(crate) fn remove(&mut self, offset: i64) -> Result<(), LogError> {
        if self.offsets.remove(&offset) {
            let path = self.path(offset);
            match self.folder.env.disk.remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LogError::io("remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the snapshots that belong to no segment, but for the latest if it lies above all of them.
    pub(crate) fn remove_strays(&mut self, bases: &BTreeSet<i64>) -> Result<(), LogError> {
        let newest_base = bases.last().copied().unwrap_or(i64::MIN);
        let latest = self.latest().filter(|&offset| offset > newest_base);
        let strays: Vec<i64> =
            self.offsets.iter().copied().filter(|offset| !bases.contains(offset) && Some(*offset) != latest).collect();
        strays.into_iter().try_for_each(|offset| self.remove(offset))
    }

    /// Removes all of them.
    pub(crate) fn clear(&mut self) -> Result<(), LogError> {
        let all: Vec<i64> = self.offsets.iter().copied().collect();
        all.into_iter().try_for_each(|offset| self.remove(offset))
    }

    /// Takes the snapshot at `offset` out of the set under the name of a deleted file; returns that file.
    pub(crate) fn mark_deleted(&mut self, offset: i64) -> Result<Option<PathBuf>, LogError> {
        if !self.offsets.remove(&offset) {
            return Ok(None);
        }
        let (from, to) = (self.path(offset), self.folder.join(file_name(offset, FileKind::Snapshot, Suffix::Deleted)));
        self.folder.env.disk.rename(&from, &to).map_err(LogError::io("rename", &from))?;
        Ok(Some(to))
    }
}
