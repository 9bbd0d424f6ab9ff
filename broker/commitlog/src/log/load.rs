//! Opening a log: what is in the folder, what of it holds, and what has to be rebuilt.
//!
//! 1. Files that a stop has left half done are dealt with: `.deleted` and `.cleaned` go; a `.swap` is complete, so the
//!    segments it replaces go and it takes their place (unless a `.cleaned` file at or below it shows that the set it
//!    belongs to was never complete).
//! 2. Index files without their `.log` go; a `.log` without indexes gets new ones.
//! 3. After a clean stop that is all: the log end is found behind the last index entry of the last segment, by a read
//!    or two, and the producers' state is the snapshot at the log end. No file stays open and no index is loaded.
//! 4. After any other stop, the segments from the recovery point on are read ([`super::recover`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use tracing::warn;
use uuid::Uuid;

use super::recover::{Recovered, Recovery};
use super::{Log, View, Writer};
use crate::checkpoint;
use crate::config::LogConfig;
use crate::env::Env;
use crate::epoch_cache::EpochCache;
use crate::error::LogError;
use crate::file::Folder;
use crate::names::{FileKind, Suffix, file_name, parse_file_name};
use crate::producer::Snapshots;
use crate::segment::Segment;

/// What a start knows of a log besides its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// The log was closed before the process ended: its files are whole.
    pub clean: bool,
    /// Everything below was fsynced (`recovery-point-offset-checkpoint`); 0 if unknown.
    pub recovery_point: i64,
    /// First offset that may be read (`log-start-offset-checkpoint`); 0 if unknown.
    pub log_start_offset: i64,
    /// The topic's id, written to `partition.metadata` when the folder is made.
    pub topic_id: Option<Uuid>,
    /// The clock, in ms since the epoch.
    pub now_ms: i64,
}

impl OpenOptions {
    /// A log that is new, or of which nothing is known: everything is checked.
    pub fn new(now_ms: i64) -> OpenOptions {
        OpenOptions { clean: false, recovery_point: 0, log_start_offset: 0, topic_id: None, now_ms }
    }
}

/// A log's folder as it is found, temporary files already dealt with.
#[derive(Debug, Default)]
struct Listing {
    /// Base offset -> size of the `.log`.
    logs: BTreeMap<i64, u64>,
    offset_indexes: BTreeSet<i64>,
    time_indexes: BTreeSet<i64>,
    others: Vec<(i64, FileKind)>,
    snapshots: BTreeSet<i64>,
}

impl Log {
    /// Opens the log in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// [`LogError::Io`]; [`LogError::Corrupt`] for a checkpoint that can't be read. What a crash leaves behind is no
    /// error.
    pub fn open(
        env: &Arc<Env>,
        folder: PathBuf,
        config: Arc<LogConfig>,
        options: &OpenOptions,
    ) -> Result<Log, LogError> {
        let is_new = make_folder(env, &folder, options)?;
        let folder = Folder::new(env, folder);
        let name = folder.name();
        let listing = if is_new { Listing::default() } else { read_folder(&folder)? };
        let mut segments = open_segments(&folder, &listing, options.now_ms);
        if segments.is_empty() {
            let base = options.log_start_offset.max(0);
            segments.push(Arc::new(Segment::create(&folder, base, Suffix::None, &config, options.now_ms)?));
        }
        let epochs = EpochCache::new(&folder);
        let snapshots = Snapshots::new(&folder, listing.snapshots.clone());
        let recovery = Recovery { folder: &folder, name: &name, config: &config, epochs: &epochs, snapshots, options };
        let Recovered { segments, snapshots, producers, log_start, log_end, recovery_point } =
            recovery.run(segments, |base| !listing.has_indexes(base) && listing.logs.contains_key(&base))?;
        let end_position = segments.last().map_or(0, |active| active.size());
        segments.iter().for_each(|segment| segment.close_files());
        let first_unstable = producers.first_unstable();
        Ok(Log {
            name,
            config: RwLock::new(config),
            view: RwLock::new(View {
                segments,
                log_start,
                log_end,
                end_position,
                high_watermark: log_end,
                first_unstable,
                generation: 0,
            }),
            writer: Mutex::new(Writer { snapshots, latest_epoch: None, touched: !options.clean && end_position > 0 }),
            producers: Mutex::new(producers),
            epochs,
            recovery_point: AtomicI64::new(recovery_point),
            synced: AtomicI64::new(recovery_point),
            last_flush_ms: AtomicI64::new(options.now_ms),
            flushing: Mutex::new(()),
            topic_id: RwLock::new(options.topic_id.filter(|_| is_new).map(Some)),
            stopped: OnceLock::new(),
            folder_is_durable: AtomicBool::new(options.clean),
            folder,
        })
    }
}

/// Makes the folder with its `partition.metadata` if it is missing; true if so. The first flush makes both durable.
fn make_folder(env: &Arc<Env>, folder: &Path, options: &OpenOptions) -> Result<bool, LogError> {
    if folder.is_dir() {
        return Ok(false);
    }
    fs::create_dir_all(folder).map_err(LogError::io("create folder", folder))?;
    if let Some(id) = options.topic_id {
        checkpoint::write_topic_id(&*env.disk, folder, id)?;
    }
    Ok(true)
}

fn open_segments(folder: &Arc<Folder>, listing: &Listing, now_ms: i64) -> Vec<Arc<Segment>> {
    let open = |(&base, &size): (&i64, &u64)| Arc::new(Segment::new(folder, base, Suffix::None, size, now_ms));
    listing.logs.iter().map(open).collect()
}

impl Listing {
    fn has_indexes(&self, base: i64) -> bool {
        self.offset_indexes.contains(&base) && self.time_indexes.contains(&base)
    }

    fn add(&mut self, base: i64, kind: FileKind, path: &Path) -> Result<(), LogError> {
        match kind {
            FileKind::Log => {
                let size = fs::metadata(path).map_err(LogError::io("stat", path))?.len();
                self.logs.insert(base, size);
            }
            FileKind::OffsetIndex => {
                self.offset_indexes.insert(base);
            }
            FileKind::TimeIndex => {
                self.time_indexes.insert(base);
            }
            FileKind::Snapshot => {
                self.snapshots.insert(base);
            }
            FileKind::TxnIndex => {}
        }
        if kind != FileKind::Log && kind != FileKind::Snapshot {
            self.others.push((base, kind));
        }
        Ok(())
    }
}

fn read_folder(folder: &Folder) -> Result<Listing, LogError> {
    let mut swaps = Vec::new();
    let mut cleaned = Vec::new();
    let mut plain = Vec::new();
    let path = folder.path();
    for entry in fs::read_dir(&path).map_err(LogError::io("list", &path))? {
        let entry = entry.map_err(LogError::io("list", &path))?;
        let name = entry.file_name();
        let Some((base, kind, suffix)) = name.to_str().and_then(parse_file_name) else { continue };
        match suffix {
            Suffix::None => plain.push((base, kind)),
            Suffix::Swap => swaps.push((base, kind)),
            Suffix::Cleaned => cleaned.push((base, kind)),
            Suffix::Deleted => remove(folder, base, kind, suffix)?,
        }
    }
    // Swap files at or above a cleaned one belong to a set of which not every segment was complete.
    let first_cleaned = cleaned.iter().map(|(base, _)| *base).min().unwrap_or(i64::MAX);
    for (base, kind) in cleaned {
        remove(folder, base, kind, Suffix::Cleaned)?;
    }
    let (complete, partial): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|(base, _)| *base < first_cleaned);
    for (base, kind) in partial {
        remove(folder, base, kind, Suffix::Swap)?;
    }
    if !complete.is_empty() {
        finish_swap(folder, &mut plain, complete)?;
    }
    let mut listing = Listing::default();
    for (base, kind) in plain {
        listing.add(base, kind, &folder.join(file_name(base, kind, Suffix::None)))?;
    }
    for (base, kind) in std::mem::take(&mut listing.others) {
        if !listing.logs.contains_key(&base) {
            warn!(log = folder.name(), base, file = kind.extension(), "index without a segment is removed");
            remove(folder, base, kind, Suffix::None)?;
        }
    }
    Ok(listing)
}

/// Puts the swap files in the place of the segments whose offsets they cover.
fn finish_swap(folder: &Folder, plain: &mut Vec<(i64, FileKind)>, swaps: Vec<(i64, FileKind)>) -> Result<(), LogError> {
    let mut covered = Vec::new();
    for &(base, kind) in &swaps {
        if kind == FileKind::Log {
            let path = folder.join(file_name(base, kind, Suffix::Swap));
            // Nothing may be left in it, and still it stands for the segment with its own base.
            covered.push(base..end_of_file(&path, base)?.max(base + 1));
        }
    }
    let (from, to) = (
        covered.iter().map(|range| range.start).min().unwrap_or(i64::MAX),
        covered.iter().map(|range| range.end).max().unwrap_or(i64::MIN),
    );
    let replaced = |base: i64, kind: FileKind| base >= from && base < to && kind != FileKind::Snapshot;
    for (base, kind) in plain.iter().copied().filter(|&(base, kind)| replaced(base, kind)) {
        remove(folder, base, kind, Suffix::None)?;
    }
    plain.retain(|&(base, kind)| !replaced(base, kind));
    for (base, kind) in swaps {
        let (old, new) = (file_name(base, kind, Suffix::Swap), file_name(base, kind, Suffix::None));
        let (old, new) = (folder.join(old), folder.join(new));
        folder.env.disk.rename(&old, &new).map_err(LogError::io("rename", &old))?;
        if !plain.contains(&(base, kind)) {
            plain.push((base, kind));
        }
    }
    folder.sync()
}

/// The offset after the last batch of a complete segment file.
fn end_of_file(path: &Path, base: i64) -> Result<i64, LogError> {
    let file = fs::File::open(path).map_err(LogError::io("open", path))?;
    let size = file.metadata().map_err(LogError::io("stat", path))?.len();
    let mut walk = crate::batch::HeaderWalk::new(&file, 0, size);
    let mut end = base;
    while let Some((_, header)) = walk.next().map_err(LogError::io("read", path))? {
        end = header.last_offset() + 1;
    }
    Ok(end)
}

fn remove(folder: &Folder, base: i64, kind: FileKind, suffix: Suffix) -> Result<(), LogError> {
    let path = folder.join(file_name(base, kind, suffix));
    match folder.env.disk.remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
