//! A log directory: the folders of many partitions, and the files about all of them (Kafka's `LogManager`).
//!
//! ```text
//! .lock                                held while a broker runs; two brokers never share a directory
//! .kafka_cleanshutdown                 written last at a stop, removed first at a start
//! recovery-point-offset-checkpoint     up to where each log is fsynced
//! log-start-offset-checkpoint          first offsets that DeleteRecords has moved
//! replication-offset-checkpoint        high watermarks
//! cleaner-offset-checkpoint            up to where each log is compacted
//! <topic>-<partition>/                 a log
//! <topic>-<partition>.<uuid>-delete/   a log whose topic is deleted
//! <topic>-<partition>.<uuid>-future/   a log that is being moved here from another directory
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions as FileOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tracing::warn;
use uuid::Uuid;

use crate::checkpoint::{self, read_offsets, write_offsets};
use crate::config::LogConfig;
use crate::env::Env;
use crate::error::LogError;
use crate::log::{Log, OpenOptions};
use crate::names::{DELETE_FOLDER, FUTURE_FOLDER, STRAY_FOLDER, TopicPartition};

const LOCK: &str = ".lock";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";

/// Why a log directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Another broker, ours or Apache Kafka, in this or another process, has the directory.
    #[error("{path} is in use by another broker; stop that one, or set log.dirs to another directory", path = path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The disk refused, or a checkpoint is corrupt.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The partitions that have a folder in a directory, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whose log is here.
    pub logs: Vec<TopicPartition>,
    /// Whose log was on its way here when the broker before this one ended.
    pub moving: Vec<TopicPartition>,
}

/// A log directory, locked for this process until it is dropped.
#[derive(Debug)]
pub struct LogDir {
    env: Arc<Env>,
    path: PathBuf,
    clean: bool,
    previous_broker_epoch: Option<i64>,
    recovery_points: BTreeMap<TopicPartition, i64>,
    log_starts: BTreeMap<TopicPartition, i64>,
    _lock: DirLock,
}

impl LogDir {
    /// Locks the directory, which is made if it is missing, and notes whether it was stopped cleanly. From here on it
    /// counts as not stopped cleanly, until [`LogDir::mark_clean_shutdown`].
    ///
    /// # Errors
    /// [`DirError::InUse`]; or the disk refused.
    pub fn open(env: &Arc<Env>, path: impl Into<PathBuf>) -> Result<LogDir, DirError> {
        LogDir::open_locked(env, DirLock::take(path)?)
    }

    /// As [`LogDir::open`], with a lock that was taken before, so that the directory could be looked at or formatted.
    ///
    /// # Errors
    /// The disk refused.
    pub fn open_locked(env: &Arc<Env>, lock: DirLock) -> Result<LogDir, DirError> {
        let path = lock.path.clone();
        let marker = path.join(CLEAN_SHUTDOWN);
        let previous_broker_epoch = fs::read_to_string(&marker).ok().as_deref().and_then(broker_epoch);
        let clean = match env.disk.remove_file(&marker) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(LogError::io("remove", marker)(error).into()),
        };
        if clean {
            env.disk.sync_dir(&path).map_err(LogError::io("fsync folder", &path))?;
        }
        let recovery_points = read_or_warn(&path.join(RECOVERY_POINTS))?;
        let log_starts = read_or_warn(&path.join(LOG_STARTS))?;
        Ok(LogDir {
            env: Arc::clone(env),
            path,
            clean,
            previous_broker_epoch,
            recovery_points,
            log_starts,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the broker before this one closed all its logs.
    pub fn was_stopped_cleanly(&self) -> bool {
        self.clean
    }

    /// The broker epoch that the broker before this one noted when it stopped cleanly.
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        self.previous_broker_epoch
    }

    /// The partitions that have a folder here. Folders of deleted topics go to the trash, due at once, and so does what
    /// there is of a copy: the move begins anew.
    ///
    /// # Errors
    /// The directory can't be listed.
    pub fn scan(&self) -> Result<Found, LogError> {
        let list = || LogError::io("list", &self.path);
        let mut found = Found::default();
        for entry in fs::read_dir(&self.path).map_err(list())? {
            let entry = entry.map_err(list())?;
            if !entry.file_type().map_err(list())?.is_dir() {
                continue;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(DELETE_FOLDER) || name.ends_with(FUTURE_FOLDER) {
                found.moving.extend(TopicPartition::parse_future_folder(&name));
                self.env.trash.add(vec![entry.path()], i64::MIN);
            } else if name.ends_with(STRAY_FOLDER) {
                warn!(folder = %name, "folder that Kafka has set aside is left alone");
            } else if let Some(partition) = TopicPartition::parse(&name) {
                found.logs.push(partition);
            } else {
                warn!(folder = %name, "folder is no partition's and is left alone");
            }
        }
        found.logs.sort();
        found.moving.sort();
        Ok(found)
    }

    /// The folder of a partition.
    pub fn folder_of(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
    }

    /// The topic id that a partition's folder bears, if it has one, without opening the log.
    ///
    /// # Errors
    /// `partition.metadata` can't be read.
    pub fn topic_id(&self, partition: &TopicPartition) -> Result<Option<Uuid>, LogError> {
        checkpoint::read_topic_id(&self.folder_of(partition))
    }

    /// Renames a partition's folder without opening its log, so that it is deleted at `due_ms`: for folders that the
    /// metadata knows no topic of.
    ///
    /// # Errors
    /// The rename failed.
    pub fn discard(&self, partition: &TopicPartition, due_ms: i64) -> Result<(), LogError> {
        let (from, to) = (self.folder_of(partition), self.path.join(partition.delete_folder_name()));
        self.env.disk.rename(&from, &to).map_err(LogError::io("rename", &from))?;
        self.env.trash.add(vec![to], due_ms);
        Ok(())
    }

    /// Opens logs, `threads` at a time (`num.recovery.threads.per.data.dir`), in the order of `partitions`.
    pub fn open_logs(
        &self,
        partitions: &[TopicPartition],
        threads: usize,
        now_ms: i64,
        config_of: impl Fn(&TopicPartition) -> Arc<LogConfig> + Sync,
    ) -> Vec<Result<Log, LogError>> {
        let next = AtomicUsize::new(0);
        let opened = Mutex::new(Vec::with_capacity(partitions.len()));
        let work = || {
            // Results are handed over many at once: the lock is not what threads should wait for.
            let mut mine = Vec::new();
            while let Some((at, partition)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                partitions.get(at).map(|partition| (at, partition))
            } {
                let options = self.options(partition, None, now_ms);
                mine.push((at, Log::open(&self.env, self.folder_of(partition), config_of(partition), &options)));
            }
            opened.lock().append(&mut mine);
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(partitions.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut opened = opened.into_inner();
        opened.sort_unstable_by_key(|(at, _)| *at);
        opened.into_iter().map(|(_, log)| log).collect()
    }

    /// Makes the log of a new partition, or opens the one whose folder is there.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn create_log(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: Arc<LogConfig>,
        now_ms: i64,
    ) -> Result<Log, LogError> {
        let options = self.options(partition, Some(topic_id), now_ms);
        Log::open(&self.env, self.folder_of(partition), config, &options)
    }

    fn options(&self, partition: &TopicPartition, topic_id: Option<Uuid>, now_ms: i64) -> OpenOptions {
        let of = |offsets: &BTreeMap<TopicPartition, i64>| offsets.get(partition).copied().unwrap_or(0);
        // A folder that is not there has no past, whatever a checkpoint says of an earlier topic of that name.
        let known = topic_id.is_none();
        OpenOptions {
            clean: known && self.clean,
            recovery_point: if known { of(&self.recovery_points) } else { 0 },
            log_start_offset: if known { of(&self.log_starts) } else { 0 },
            topic_id,
            now_ms,
        }
    }

    /// Writes the checkpoints of recovery points, log starts and high watermarks. `logs` must be all logs of this
    /// directory but the metadata log.
    ///
    /// # Errors
    /// The disk refused; the checkpoints before are still there.
    pub fn write_checkpoints<'a>(&self, logs: impl IntoIterator<Item = &'a Log>) -> Result<(), LogError> {
        let mut recovery_points = BTreeMap::new();
        let mut log_starts = BTreeMap::new();
        let mut high_watermarks = BTreeMap::new();
        for log in logs {
            let Some(partition) = TopicPartition::parse(log.name()) else { continue };
            let offsets = log.offsets();
            recovery_points.insert(partition.clone(), log.recovery_point());
            high_watermarks.insert(partition.clone(), offsets.high_watermark);
            if offsets.log_start > log.first_base_offset() {
                log_starts.insert(partition, offsets.log_start);
            }
        }
        let disk = &*self.env.disk;
        write_offsets(disk, &self.path.join(LOG_STARTS), &log_starts)?;
        write_offsets(disk, &self.path.join(RECOVERY_POINTS), &recovery_points)?;
        write_offsets(disk, &self.path.join(HIGH_WATERMARKS), &high_watermarks)
    }

    /// Says that every log was closed ([`Log::close`] returned `Ok` for each) and the checkpoints were written, so that
    /// the next start, ours or Apache Kafka's, need not check them. `broker_epoch` is that of the registration.
    ///
    /// # Errors
    /// The disk refused; the next start is then an unclean one.
    pub fn mark_clean_shutdown(&self, broker_epoch: i64) -> Result<(), LogError> {
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        checkpoint::replace_file(&*self.env.disk, &self.path.join(CLEAN_SHUTDOWN), text.as_bytes())
    }

    /// Up to where each compacted log is compacted.
    ///
    /// # Errors
    /// The checkpoint can't be read.
    pub fn cleaner_offsets(&self) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        read_or_warn(&self.path.join(CLEANER_OFFSETS))
    }

    /// Replaces the checkpoint of [`LogDir::cleaner_offsets`].
    ///
    /// # Errors
    /// The disk refused.
    pub fn write_cleaner_offsets(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        write_offsets(&*self.env.disk, &self.path.join(CLEANER_OFFSETS), offsets)
    }
}

/// The number after `"brokerEpoch":` in the mark of a clean stop.
fn broker_epoch(mark: &str) -> Option<i64> {
    let (_, rest) = mark.split_once("\"brokerEpoch\"")?;
    let number = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = number.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// A corrupt checkpoint costs a longer recovery, and is no reason not to start.
fn read_or_warn(path: &Path) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
    match read_offsets(path) {
        Err(error @ LogError::Corrupt { .. }) => {
            warn!(%error, "checkpoint is passed over");
            Ok(BTreeMap::new())
        }
        other => other,
    }
}

/// Takes the lock in both ways: as Java does, between processes (`fcntl`), and between the users of one process
/// (`flock`).
/// A directory that this process alone may write to, until this is dropped.
#[derive(Debug)]
pub struct DirLock {
    path: PathBuf,
    _file: File,
}

impl DirLock {
    /// Locks a directory, which is made if it is missing; nothing else in it is touched.
    ///
    /// # Errors
    /// [`DirError::InUse`]; or the disk refused.
    pub fn take(path: impl Into<PathBuf>) -> Result<DirLock, DirError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(LogError::io("create folder", &path))?;
        let file = lock(&path)?;
        Ok(DirLock { path, _file: file })
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn lock(folder: &Path) -> Result<File, DirError> {
    use rustix::fs::{FlockOperation, fcntl_lock, flock};
    let path = folder.join(LOCK);
    let file = FileOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(LogError::io("create", &path))?;
    let taken = flock(&file, FlockOperation::NonBlockingLockExclusive)
        .and_then(|()| fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive));
    match taken {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            Err(DirError::InUse { path: folder.to_path_buf() })
        }
        Err(errno) => Err(LogError::io("lock", path)(errno.into()).into()),
    }
}
