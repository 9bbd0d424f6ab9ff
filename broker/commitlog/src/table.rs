//! A file of entries of one size: what `.index`, `.timeindex` and `.txnindex` have in common.
//!
//! ```text
//! file:     | e0 | e1 | … | e(written-1) |          memory: | pending … |      at most PENDING_MAX entries
//! ```
//!
//! New entries wait in memory and are written many at once, because an index entry that is lost is no loss: a segment
//! above the recovery point has its indexes rebuilt after an unclean stop, and one below it was synced, which writes
//! them. Lookups go to memory first (readers at the tail of a log), then to the file by `pread`. So an index costs no
//! memory until it is written to, and 4 to 6 KB while it is.
//!
//! One thread at a time may change a table (the log's writer mutex sees to it); any number may look things up.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::LogError;
use crate::file::{Folder, LogFile};
use crate::names::{FileKind, Suffix};

const PENDING_MAX: usize = 512;

#[derive(Debug, Default)]
struct State<const N: usize> {
    /// Whole entries in the file; `None` until somebody asks.
    written: Option<usize>,
    pending: Vec<[u8; N]>,
}

/// A file of entries of `N` bytes each.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    file: LogFile,
    state: Mutex<State<N>>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, kind: FileKind, suffix: Suffix) -> Table<N> {
        Table {
            file: LogFile::new(folder, base_offset, kind, suffix),
            state: Mutex::new(State { written: None, pending: Vec::new() }),
        }
    }

    pub(crate) fn file(&self) -> &LogFile {
        &self.file
    }

    /// Number of entries in the file. The lock is not held while the file system is asked.
    fn written(&self) -> Result<usize, LogError> {
        if let Some(written) = self.state.lock().written {
            return Ok(written);
        }
        let found = usize::try_from(self.file.len()?).unwrap_or(usize::MAX) / N;
        Ok(*self.state.lock().written.get_or_insert(found))
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> Result<usize, LogError> {
        let written = self.written()?;
        Ok(written + self.state.lock().pending.len())
    }

    /// Entry `index`, which must be below [`Table::len`].
    pub(crate) fn get(&self, index: usize) -> Result<[u8; N], LogError> {
        let written = self.written()?;
        if index >= written
            && let Some(entry) = self.state.lock().pending.get(index - written)
        {
            return Ok(*entry);
        }
        let mut entry = [0; N];
        self.read(index, &mut entry)?;
        Ok(entry)
    }

    pub(crate) fn last(&self) -> Result<Option<[u8; N]>, LogError> {
        match self.len()? {
            0 => Ok(None),
            len => Ok(Some(self.get(len - 1)?)),
        }
    }

    /// Adds an entry at the end.
    pub(crate) fn push(&self, entry: [u8; N]) -> Result<(), LogError> {
        self.written()?;
        let full = {
            let mut state = self.state.lock();
            state.pending.push(entry);
            state.pending.len() >= PENDING_MAX
        };
        if full { self.write_pending() } else { Ok(()) }
    }

    /// Writes the entries that wait in memory. Readers may look up meanwhile.
    pub(crate) fn write_pending(&self) -> Result<(), LogError> {
        let written = self.written()?;
        let bytes = self.state.lock().pending.concat();
        if !bytes.is_empty() {
            self.file.write_at(&bytes, (written * N) as u64)?;
            let mut state = self.state.lock();
            state.written = Some(written + bytes.len() / N);
            state.pending = Vec::new();
        }
        Ok(())
    }

    /// Fsync of what was written; an empty file has nothing to sync, and its name is the folder's affair.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        if self.written()? == 0 { Ok(()) } else { self.file.sync() }
    }

    /// Keeps the first `len` entries, and cuts the file to whole entries.
    pub(crate) fn truncate(&self, len: usize) -> Result<(), LogError> {
        let written = self.written()?;
        self.state.lock().pending.truncate(len.saturating_sub(written));
        let keep = written.min(len);
        if self.file.len()? != (keep * N) as u64 {
            self.file.set_len((keep * N) as u64)?;
        }
        self.state.lock().written = Some(keep);
        Ok(())
    }

    /// How many entries stand at the front for which `before` holds (it must hold for a prefix of the table).
    pub(crate) fn partition_point(&self, before: impl Fn(&[u8; N]) -> bool) -> Result<usize, LogError> {
        let written = self.written()?;
        {
            let state = self.state.lock();
            if state.pending.first().is_some_and(&before) {
                return Ok(written + state.pending.partition_point(&before));
            }
        }
        // Most lookups are for recent entries: try the last block first, then halve over the blocks before it.
        let (mut low, mut high) = (0, written.div_ceil(PENDING_MAX));
        let mut middle = high.saturating_sub(1);
        while low < high {
            if before(&self.get(middle * PENDING_MAX)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
            middle = low.midpoint(high);
        }
        // Block `low - 1` is the last one that starts before the point.
        let Some(block) = low.checked_sub(1) else { return Ok(0) };
        let start = block * PENDING_MAX;
        let mut entries = vec![[0; N]; PENDING_MAX.min(written - start)];
        self.read(start, entries.as_flattened_mut())?;
        Ok(start + entries.partition_point(&before))
    }

    fn read(&self, index: usize, into: &mut [u8]) -> Result<(), LogError> {
        let position = (index * N) as u64;
        self.file.get()?.read_exact_at(into, position).map_err(LogError::io("read", self.file.path()))
    }
}
