//! Files that were deleted by name and still wait out `file.delete.delay.ms`.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;
use tracing::warn;

use crate::disk::Disk;

#[derive(Debug)]
struct Item {
    due_ms: i64,
    paths: Vec<PathBuf>,
}

/// A queue of paths with the time from which on they may go. Paths are those after the rename (`….deleted`,
/// `…-delete`). A folder renamed meanwhile takes its files along: those paths are then gone, which is no error.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    items: Mutex<VecDeque<Item>>,
}

impl Trash {
    pub(crate) fn add(&self, paths: Vec<PathBuf>, due_ms: i64) {
        let mut items = self.items.lock();
        let at = items.partition_point(|item| item.due_ms <= due_ms);
        items.insert(at, Item { due_ms, paths });
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.items.lock().front().map(|item| item.due_ms)
    }

    pub(crate) fn collect(&self, disk: &dyn Disk, now_ms: i64) -> usize {
        let due: Vec<Item> = {
            let mut items = self.items.lock();
            let count = items.partition_point(|item| item.due_ms <= now_ms);
            items.drain(..count).collect()
        };
        for path in due.iter().flat_map(|item| &item.paths) {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { disk.remove_file(path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(path = %path.display(), %error, "deleted file can't be removed, the next start tries again");
                }
                _ => {}
            }
        }
        due.len()
    }
}
