//! Which leader wrote what: the first offset of each leader epoch (Kafka's `LeaderEpochFileCache`).
//!
//! Epochs and offsets grow from entry to entry. The cache is read from `leader-epoch-checkpoint` when it is first needed,
//! and written there when the log is flushed or closed. Recovery finds later epochs in the batches above the recovery
//! point, and cuts off those that lie beyond the log's ends.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::checkpoint;
use crate::error::LogError;
use crate::file::Folder;

/// An epoch with the offset of its first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEntry {
    /// The leader epoch.
    pub epoch: i32,
    /// The log end when the leader took over.
    pub start_offset: i64,
}

/// Where an epoch ends, the answer to OffsetsForLeaderEpoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest known epoch at or below the one asked for; -1 if there is none.
    pub epoch: i32,
    /// The offset after its last record; -1 if there is none.
    pub end_offset: i64,
}

#[derive(Debug, Default)]
struct State {
    /// `None` until they are read.
    entries: Option<Vec<EpochEntry>>,
    /// The file holds others.
    dirty: bool,
}

#[derive(Debug)]
pub(crate) struct EpochCache {
    folder: Arc<Folder>,
    state: Mutex<State>,
}

impl EpochCache {
    pub(crate) fn new(folder: &Arc<Folder>) -> EpochCache {
        EpochCache { folder: Arc::clone(folder), state: Mutex::default() }
    }

    /// Runs `change` on the entries, which says whether it changed them.
    fn with<T>(&self, change: impl FnOnce(&mut Vec<EpochEntry>) -> (bool, T)) -> Result<T, LogError> {
        let mut state = self.state.lock();
        let State { entries, dirty } = &mut *state;
        let entries = match entries {
            Some(entries) => entries,
            empty => empty.insert(checkpoint::read_epochs(&self.folder.path())?),
        };
        let (changed, result) = change(entries);
        *dirty |= changed;
        Ok(result)
    }

    /// Writes the file, durably, if it holds other entries.
    pub(crate) fn flush(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        if let (true, Some(entries)) = (state.dirty, &state.entries) {
            checkpoint::write_epochs(&*self.folder.env.disk, &self.folder.path(), entries)?;
            state.dirty = false;
        }
        Ok(())
    }

    /// Notes that `epoch` begins at `start_offset`, unless it is known or older than the latest.
    pub(crate) fn assign(&self, epoch: i32, start_offset: i64) -> Result<bool, LogError> {
        self.with(|entries| {
            if epoch < 0 || entries.last().is_some_and(|last| last.epoch >= epoch) {
                return (false, false);
            }
            // An epoch without records gives way to the next one.
            while entries.last().is_some_and(|last| last.start_offset >= start_offset) {
                entries.pop();
            }
            entries.push(EpochEntry { epoch, start_offset });
            (true, true)
        })
    }

    pub(crate) fn latest(&self) -> Result<Option<i32>, LogError> {
        self.with(|entries| (false, entries.last().map(|entry| entry.epoch)))
    }

    pub(crate) fn all(&self) -> Result<Vec<EpochEntry>, LogError> {
        self.with(|entries| (false, entries.clone()))
    }

    /// The epoch that wrote `offset`.
    pub(crate) fn epoch_of(&self, offset: i64) -> Result<Option<i32>, LogError> {
        self.with(|entries| {
            let after = entries.partition_point(|entry| entry.start_offset <= offset);
            (false, after.checked_sub(1).map(|at| entries[at].epoch))
        })
    }

    /// The end of the largest epoch at or below `epoch`, as Kafka's `endOffsetFor` answers.
    pub(crate) fn end_of(&self, epoch: i32, log_end: i64) -> Result<EpochEnd, LogError> {
        const UNKNOWN: EpochEnd = EpochEnd { epoch: -1, end_offset: -1 };
        self.with(|entries| {
            let end = match entries.last() {
                Some(last) if last.epoch == epoch => EpochEnd { epoch, end_offset: log_end },
                Some(last) if epoch != UNKNOWN.epoch && epoch < last.epoch => {
                    let higher = entries.partition_point(|entry| entry.epoch <= epoch);
                    let floor = higher.checked_sub(1).map_or(epoch, |at| entries[at].epoch);
                    EpochEnd { epoch: floor, end_offset: entries[higher].start_offset }
                }
                _ => UNKNOWN,
            };
            (false, end)
        })
    }

    /// Forgets the epochs that begin at `end_offset` or above.
    pub(crate) fn truncate_from_end(&self, end_offset: i64) -> Result<(), LogError> {
        self.with(|entries| {
            let keep = entries.partition_point(|entry| entry.start_offset < end_offset);
            let changed = keep < entries.len();
            entries.truncate(keep);
            (changed, ())
        })
    }

    /// Forgets the epochs that end at `start_offset` or before; the one that holds it begins there from now on.
    pub(crate) fn truncate_from_start(&self, start_offset: i64) -> Result<(), LogError> {
        self.with(|entries| {
            let after = entries.partition_point(|entry| entry.start_offset <= start_offset);
            let Some(holder) = after.checked_sub(1) else { return (false, ()) };
            let changed = holder > 0 || entries[holder].start_offset < start_offset;
            entries[holder].start_offset = start_offset;
            entries.drain(..holder);
            (changed, ())
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> Result<(), LogError> {
        self.with(|entries| (!std::mem::take(entries).is_empty(), ()))
    }
}
