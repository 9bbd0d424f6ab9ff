//! Reading: from an offset to a slice of one segment's file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{Log, Offsets};
use crate::error::LogError;
use crate::segment::Segment;
use crate::txn_index::AbortedTxn;

/// How far a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the log end (coordinators loading their state, replicas).
    LogEnd,
    /// Up to the high watermark (consumers, read_uncommitted).
    HighWatermark,
    /// Up to the last stable offset (consumers, read_committed); the reply then names the aborted transactions.
    LastStable,
}

/// Bytes of a segment's file. They stay readable after the segment is deleted.
#[derive(Debug, Clone)]
pub struct FileSlice {
    /// The open file.
    pub file: Arc<File>,
    /// Where the slice begins, in bytes.
    pub position: u64,
    /// How long it is, in bytes.
    pub len: usize,
}

impl FileSlice {
    /// Appends the slice's bytes to `into`.
    ///
    /// # Errors
    /// The disk's; `UnexpectedEof` if the log was truncated meanwhile. `into` is then as it was.
    pub fn read_into(&self, into: &mut Vec<u8>) -> io::Result<()> {
        let start = into.len();
        into.resize(start + self.len, 0);
        let read = self.file.read_exact_at(&mut into[start..], self.position);
        if read.is_err() {
            into.truncate(start);
        }
        read
    }

    /// The slice's bytes.
    ///
    /// # Errors
    /// As [`FileSlice::read_into`].
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(&mut bytes)?;
        Ok(bytes)
    }
}

/// What a read found.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Batches from the one that holds the offset on; `None` if there is nothing to read yet. The first batch may begin
    /// before the offset, and the last one may be cut short, as Kafka's consumers expect.
    pub slice: Option<FileSlice>,
    /// The first batch is larger than the limit and the slice is only a part of it: nothing whole is in there.
    pub first_batch_incomplete: bool,
    /// The log's offsets when it was read.
    pub offsets: Offsets,
    /// With [`Isolation::LastStable`], the aborted transactions with records in the slice.
    pub aborted: Vec<AbortedTxn>,
}

/// A read that can't be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// `OFFSET_OUT_OF_RANGE`.
    #[error("offset {offset} is out of range [{log_start}, {log_end}] of {log}")]
    OutOfRange {
        /// `<topic>-<partition>`.
        log: String,
        /// What was asked for.
        offset: i64,
        /// First offset that may be read.
        log_start: i64,
        /// The log's end, at which a read is empty and not an error.
        log_end: i64,
    },
    /// `KAFKA_STORAGE_ERROR`.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A segment with what was in it at one moment.
struct Place {
    segment: Arc<Segment>,
    /// Bytes of it below the log end.
    size: u64,
    /// Where the next segment begins, or the log ends.
    next_base: i64,
}

impl Log {
    /// The batches from the one that holds `offset` on, up to `isolation`, about `max_bytes` of them, all from one
    /// segment. With `min_one_batch` the first batch is there whole however large it is (KIP-74).
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] if `offset` is below the log start or above the log end.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        min_one_batch: bool,
    ) -> Result<Fetched, ReadError> {
        self.steadily(|| self.read_once(offset, max_bytes, isolation, min_one_batch))
    }

    fn read_once(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        min_one_batch: bool,
    ) -> Result<Fetched, ReadError> {
        let offsets = self.offsets();
        if offset < offsets.log_start || offset > offsets.log_end {
            let Offsets { log_start, log_end, .. } = offsets;
            return Err(ReadError::OutOfRange { log: self.name.clone(), offset, log_start, log_end });
        }
        let upper = match isolation {
            Isolation::LogEnd => offsets.log_end,
            Isolation::HighWatermark => offsets.high_watermark,
            Isolation::LastStable => offsets.last_stable,
        };
        let empty = Fetched { slice: None, first_batch_incomplete: false, offsets, aborted: Vec::new() };
        if offset >= upper {
            return Ok(empty);
        }
        self.read_below(offset, upper, max_bytes, min_one_batch, isolation, empty)
    }

    fn read_below(
        &self,
        offset: i64,
        upper: i64,
        max_bytes: usize,
        min_one_batch: bool,
        isolation: Isolation,
        empty: Fetched,
    ) -> Result<Fetched, ReadError> {
        let mut from = offset;
        while from < upper {
            let Place { segment, size, next_base } = self.place_of(from);
            let end = if upper >= next_base { size } else { segment.position_of(upper, size)? };
            // Compaction may have left nothing at or above the offset in this segment: the next one has it.
            let Some(first) = segment.locate(offset, end)? else {
                from = next_base;
                continue;
            };
            let first_size = first.header.size().unwrap_or_default();
            let limit = if min_one_batch { max_bytes.max(first_size) } else { max_bytes };
            let len = limit.min(usize::try_from(end - first.position).unwrap_or(usize::MAX));
            if len == 0 {
                break;
            }
            let aborted = if isolation == Isolation::LastStable {
                let to = segment.offsets.offset_after(first.position + len as u64)?.unwrap_or(next_base);
                self.aborted_in(offset, to)?
            } else {
                Vec::new()
            };
            let slice = FileSlice { file: segment.file()?, position: first.position, len };
            return Ok(Fetched { slice: Some(slice), first_batch_incomplete: len < first_size, aborted, ..empty });
        }
        Ok(empty)
    }

    /// The segment that holds `offset` or would.
    fn place_of(&self, offset: i64) -> Place {
        let view = self.view.read();
        let at = view.segment_of(offset);
        let segment = Arc::clone(&view.segments[at]);
        match view.segments.get(at + 1) {
            Some(next) => Place { size: segment.size(), segment, next_base: next.base_offset },
            None => Place { segment, size: view.end_position, next_base: view.log_end },
        }
    }

    /// The aborted transactions with records in `[from, to)`.
    ///
    /// # Errors
    /// The transaction indexes can't be read.
    pub fn aborted_transactions(&self, from: i64, to: i64) -> Result<Vec<AbortedTxn>, LogError> {
        self.steadily(|| self.aborted_in(from, to))
    }

    fn aborted_in(&self, from: i64, to: i64) -> Result<Vec<AbortedTxn>, LogError> {
        let segments = {
            let view = self.view.read();
            view.segments[view.segment_of(from)..].to_vec()
        };
        let mut found = Vec::new();
        for segment in segments {
            if segment.txns.collect(from, to, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}
