//! What all logs of a process share: the disk, the budget of open files, the trash.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::disk::{Disk, RealDisk};
use crate::file::FilePool;
use crate::trash::Trash;

/// Shared by every log of a process; cheap to clone as an [`Arc`].
#[derive(Debug)]
pub struct Env {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) files: FilePool,
    pub(crate) trash: Trash,
    producer_expiration_ms: AtomicI64,
    transaction_verification: AtomicBool,
    on_failure: OnceLock<OnFailure>,
}

struct OnFailure(Box<dyn Fn(&Path) + Send + Sync>);

impl fmt::Debug for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnFailure")
    }
}

impl Env {
    /// The machine's disk, with at most about `open_files` descriptors held by all logs together. One more is open for
    /// each read that is still being sent and each write under way. At least 16.
    pub fn new(open_files: usize) -> Arc<Env> {
        Env::with_disk(Arc::new(RealDisk), open_files)
    }

    /// As [`Env::new`] on another disk.
    pub fn with_disk(disk: Arc<dyn Disk>, open_files: usize) -> Arc<Env> {
        Arc::new(Env {
            disk,
            files: FilePool::new(open_files.max(16)),
            trash: Trash::default(),
            producer_expiration_ms: AtomicI64::new(86_400_000),
            transaction_verification: AtomicBool::new(true),
            on_failure: OnceLock::new(),
        })
    }

    /// Has `told` called with the folder of each log that the disk has failed from now on, on the thread that found it
    /// and under the log's locks: it must not touch the log. Only the first call counts.
    pub fn on_failure(&self, told: impl Fn(&Path) + Send + Sync + 'static) {
        self.on_failure.get_or_init(|| OnFailure(Box::new(told)));
    }

    pub(crate) fn failed(&self, folder: &Path) {
        if let Some(OnFailure(told)) = self.on_failure.get() {
            told(folder);
        }
    }

    /// Removes the deleted files and folders whose `file.delete.delay.ms` is over at `now_ms`, and returns how many
    /// segments and folders that were. A file that can't be removed is logged and left to the next start.
    pub fn collect_trash(&self, now_ms: i64) -> usize {
        self.trash.collect(&*self.disk, now_ms)
    }

    /// When [`Env::collect_trash`] has work next, in ms since the epoch.
    pub fn next_trash_ms(&self) -> Option<i64> {
        self.trash.next_due()
    }

    /// `producer.id.expiration.ms`: a producer that is silent for so long, and has no transaction open, is forgotten.
    /// 86,400,000 (a day) unless set.
    pub fn set_producer_expiration_ms(&self, expiration_ms: i64) {
        self.producer_expiration_ms.store(expiration_ms, Ordering::Relaxed);
    }

    pub(crate) fn producer_expiration_ms(&self) -> i64 {
        self.producer_expiration_ms.load(Ordering::Relaxed)
    }

    /// `transaction.partition.verification.enable`: whether a transaction's first batch needs a guard from
    /// [`crate::Log::start_verification`]. True unless set.
    pub fn set_transaction_verification(&self, enabled: bool) {
        self.transaction_verification.store(enabled, Ordering::Relaxed);
    }

    pub(crate) fn transaction_verification(&self) -> bool {
        self.transaction_verification.load(Ordering::Relaxed)
    }
}
