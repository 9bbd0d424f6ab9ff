//! Snapshots and `bootstrap.checkpoint`: an image as a file of record batches.
//!
//! ```text
//! | control: SnapshotHeader [KraftVersion, KraftVoters] | metadata records … | control: SnapshotFooter |
//! ```
//!
//! Offsets count from 0 within the file and have nothing to do with those of the log. A file is written under
//! `.part`, flushed, and then gets its name; a file without a footer is not a snapshot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wire::data::{SnapshotFooterRecord, SnapshotHeaderRecord};
use wire::metadata::MetadataRecord;
use wire::{Encode, EncodeError, Encoder};

use super::batch::{self, BatchError, Batches, ControlType, NewRecord};
use super::files;
use super::image::{Image, ReplayError};
use super::version::record_version;

/// Records in one batch of a snapshot.
const RECORDS_PER_BATCH: usize = 1024;

/// Where in the log a snapshot stands, and in which epoch: its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SnapshotId {
    /// The first offset that is not in it.
    pub(super) end_offset: i64,
    /// Epoch of the last record in it.
    pub(super) epoch: i32,
}

impl SnapshotId {
    pub(super) fn file_name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end_offset, self.epoch)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (end_offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        (end_offset.len() == 20 && epoch.len() == 10)
            .then(|| Some(Self { end_offset: end_offset.parse().ok()?, epoch: epoch.parse().ok()? }))?
    }
}

/// The snapshots of a folder, oldest first. Removes what a crash left of unfinished ones.
pub(super) fn list(folder: &Path) -> io::Result<Vec<SnapshotId>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".checkpoint.part") || name.ends_with(".checkpoint.deleted") {
            fs::remove_file(entry.path())?;
        } else if let Some(id) = SnapshotId::parse(name) {
            found.push(id);
        }
    }
    found.sort();
    Ok(found)
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file is damaged.
    #[error("{path} is damaged: {error}; remove it if an older snapshot and the log after it are there")]
    Batch {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: BatchError,
    },
    /// The file is cut off.
    #[error("{0} has no footer: it was cut off; remove it if an older snapshot and the log after it are there")]
    NoFooter(PathBuf),
    /// A record this version does not know, or that does not fit.
    #[error("{path}: {error}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: RecordError,
    },
    /// A record that can't be written: a mistake of this broker.
    #[error("a record can't be written: {0}")]
    Encode(#[from] EncodeError),
    /// A batch that can't be written.
    #[error("a batch can't be written: {0}")]
    Build(BatchError),
}

/// Why a record could not be taken into the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The batch around it is damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Its bytes are no record that this version knows.
    #[error("a metadata record can't be read ({0}); a newer Kafka may have written it")]
    Decode(#[from] wire::DecodeError),
    /// It does not fit to what came before.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// A control record that must survive in snapshots: `kraft.version` and the voters.
pub(super) type Control = (ControlType, Vec<u8>);

/// Collects records into batches of a snapshot.
pub(super) struct SnapshotWriter {
    bytes: Vec<u8>,
    next_offset: i64,
    epoch: i32,
    now_ms: i64,
    waiting: Vec<NewRecord>,
}

impl SnapshotWriter {
    /// Begins with the header: `last_timestamp` is the time of the newest batch that is in it, or 0.
    pub(super) fn new(
        epoch: i32,
        now_ms: i64,
        last_timestamp: i64,
        controls: &[Control],
    ) -> Result<Self, SnapshotError> {
        let mut writer = Self { bytes: Vec::new(), next_offset: 0, epoch, now_ms, waiting: Vec::new() };
        let header = SnapshotHeaderRecord { last_contained_log_timestamp: last_timestamp, ..Default::default() };
        let mut records = vec![(Some(ControlType::SnapshotHeader.key()), encode(&header, 0)?)];
        records.extend(controls.iter().map(|(kind, value)| (Some(kind.key()), value.clone())));
        writer.batch(true, &records)?;
        Ok(writer)
    }

    pub(super) fn record(&mut self, record: &MetadataRecord<'_>, metadata_version: i16) -> Result<(), SnapshotError> {
        let value = record.encode_frame(record_version(record, metadata_version))?;
        self.waiting.push((None, value));
        if self.waiting.len() >= RECORDS_PER_BATCH {
            self.write_waiting()?;
        }
        Ok(())
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, SnapshotError> {
        self.write_waiting()?;
        let footer = encode(&SnapshotFooterRecord::default(), 0)?;
        self.batch(true, &[(Some(ControlType::SnapshotFooter.key()), footer)])?;
        Ok(self.bytes)
    }

    fn write_waiting(&mut self) -> Result<(), SnapshotError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() { Ok(()) } else { self.batch(false, &waiting) }
    }

    fn batch(&mut self, control: bool, records: &[NewRecord]) -> Result<(), SnapshotError> {
        let batch = batch::build(self.next_offset, self.epoch, self.now_ms, control, records);
        self.bytes.extend(batch.map_err(SnapshotError::Build)?);
        self.next_offset += records.len() as i64;
        Ok(())
    }
}

/// A message without frame: control records.
pub(super) fn encode(message: &impl Encode, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new();
    message.encode(&mut encoder, version)?;
    encoder.into_bytes()
}

/// The bytes of a snapshot of `image`.
pub(super) fn of_image(
    image: &Image,
    now_ms: i64,
    last_timestamp: i64,
    controls: &[Control],
) -> Result<Vec<u8>, SnapshotError> {
    let version = image.feature(super::image::METADATA_VERSION);
    let mut writer = SnapshotWriter::new(image.epoch, now_ms, last_timestamp, controls)?;
    image.write_records(|record| writer.record(&record, version))?;
    writer.finish()
}

/// Writes a snapshot file.
pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    files::replace(path, Path::new(&part), bytes).map_err(|error| SnapshotError::Io { path: path.into(), error })
}

/// What a snapshot holds besides its metadata records.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// `kraft.version` and voters.
    pub(super) controls: Vec<Control>,
    /// Time of the newest batch of the log that is in it, ms since 1970.
    pub(super) last_timestamp: i64,
}

/// Reads a snapshot, and calls `each` with every metadata record.
pub(super) fn read(
    path: &Path,
    mut each: impl FnMut(&MetadataRecord<'_>) -> Result<(), ReplayError>,
) -> Result<Read, SnapshotError> {
    let bytes = fs::read(path).map_err(|error| SnapshotError::Io { path: path.into(), error })?;
    let failed = |error| SnapshotError::Record { path: path.into(), error };
    let (mut read, mut footer) = (Read::default(), false);
    for batch in Batches::new(&bytes) {
        let batch = batch.map_err(|error| SnapshotError::Batch { path: path.into(), error })?;
        if batch.control {
            footer |= read_controls(&batch, &mut read).map_err(failed)?;
            continue;
        }
        batch
            .for_each(|record| {
                let (record, _) = MetadataRecord::decode_frame(record.value)?;
                each(&record).map_err(RecordError::from)
            })
            .map_err(failed)?;
    }
    if footer { Ok(read) } else { Err(SnapshotError::NoFooter(path.into())) }
}

/// Takes in the records of a control batch; whether the footer is among them.
fn read_controls(batch: &batch::Batch<'_>, read: &mut Read) -> Result<bool, RecordError> {
    let mut footer = false;
    batch.for_each(|record| {
        match control_type(record.key) {
            Some(ControlType::SnapshotHeader) => {
                let mut decoder = wire::Decoder::new(record.value);
                let header = <SnapshotHeaderRecord as wire::Decode>::decode(&mut decoder, 0)?;
                read.last_timestamp = header.last_contained_log_timestamp;
            }
            Some(ControlType::SnapshotFooter) => footer = true,
            Some(kind @ (ControlType::KraftVersion | ControlType::KraftVoters)) => {
                keep_control(&mut read.controls, kind, record.value);
            }
            Some(ControlType::LeaderChange) | None => {}
        }
        Ok::<_, RecordError>(())
    })?;
    Ok(footer)
}

/// The type that the key of a control record names; `None` for types of no concern here.
pub(super) fn control_type(key: Option<&[u8]>) -> Option<ControlType> {
    match key {
        Some([_, _, high, low]) => ControlType::from_number(i16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// Of each kind the newest counts.
pub(super) fn keep_control(controls: &mut Vec<Control>, kind: ControlType, value: &[u8]) {
    controls.retain(|(known, _)| *known != kind);
    controls.push((kind, value.to_vec()));
    controls.sort_by_key(|(kind, _)| *kind as i16);
}
