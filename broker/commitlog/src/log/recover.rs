//! Finding out, at a start, what of a log holds (Kafka's `LogLoader`).
//!
//! From the segment that holds the recovery point on, every batch is read: its length must lie within the file, its
//! magic be 2, its CRC right, its offsets above those before it. At the first one that fails, the segment is cut there,
//! and the segments after it go. On the way the indexes are written anew, the leader epochs are completed, and the
//! producers' state is brought forward, from the latest sound snapshot at or below the first of these segments.
//!
//! Doing it again changes nothing: recovery may itself be interrupted at any point.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tracing::{info, warn};

use super::{Log, OpenOptions, Writer};
use crate::batch::{self, BatchHeader, HEADER, HeaderWalk};
use crate::config::LogConfig;
use crate::epoch_cache::EpochCache;
use crate::error::LogError;
use crate::file::Folder;
use crate::names::Suffix;
use crate::producer::{Claim, ProducerBatch, ProducerState, Snapshots, Verdict, end_marker};
use crate::segment::Segment;
use crate::txn_index::AbortedTxn;

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// The whole and sound batches of a file, in order. Ends at the end, or where something else follows.
pub(crate) struct RecoveredBatches<'a> {
    file: &'a File,
    size: u64,
    position: u64,
    buffer: Vec<u8>,
    /// Where `buffer` begins in the file.
    start: u64,
    next_offset: i64,
    end_offset: i64,
}

impl<'a> RecoveredBatches<'a> {
    /// From the front of a segment whose offsets lie in `[base_offset, end_offset)`. The CRC does not cover a batch's
    /// offset, so that these bounds are all there is to judge it by.
    pub(crate) fn new(file: &'a File, size: u64, base_offset: i64, end_offset: i64) -> RecoveredBatches<'a> {
        let end_offset = end_offset.min(base_offset.saturating_add(i64::from(i32::MAX) + 1));
        RecoveredBatches { file, size, position: 0, buffer: Vec::new(), start: 0, next_offset: base_offset, end_offset }
    }

    /// The end of the sound part so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch with its position.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, BatchHeader, &[u8])>> {
        let position = self.position;
        if !self.fill(HEADER)? {
            return Ok(None);
        }
        let at = (position - self.start) as usize;
        let Some(header) = BatchHeader::parse(&self.buffer[at..]) else { return Ok(None) };
        let Some(size) = header.size().filter(|_| header.magic == 2) else { return Ok(None) };
        if !self.fill(size)? {
            return Ok(None);
        }
        let at = (position - self.start) as usize;
        let batch = &self.buffer[at..at + size];
        let fits = header.base_offset >= self.next_offset
            && header.last_offset_delta >= 0
            && header.last_offset() < self.end_offset;
        if !fits || batch::crc_of(batch) != header.crc {
            return Ok(None);
        }
        self.next_offset = header.last_offset() + 1;
        self.position = position + size as u64;
        Ok(Some((position, header, batch)))
    }

    /// Makes `count` bytes from the position on available; false if the file has not so many. What is allocated is
    /// bounded by the file's size.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        if self.position + count as u64 > self.size {
            return Ok(false);
        }
        let have = (self.start + self.buffer.len() as u64).saturating_sub(self.position);
        if have >= count as u64 && self.position >= self.start {
            return Ok(true);
        }
        let want = (self.size - self.position).min(count.max(CHUNK) as u64) as usize;
        self.buffer.resize(want, 0);
        self.start = self.position;
        self.file.read_exact_at(&mut self.buffer, self.position)?;
        Ok(true)
    }
}

/// What a start works with.
pub(super) struct Recovery<'a> {
    pub(super) folder: &'a Arc<Folder>,
    pub(super) name: &'a str,
    pub(super) config: &'a LogConfig,
    pub(super) epochs: &'a EpochCache,
    pub(super) snapshots: Snapshots,
    pub(super) options: &'a OpenOptions,
}

/// A log whose files hold what they should.
pub(super) struct Recovered {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) snapshots: Snapshots,
    pub(super) producers: ProducerState,
    pub(super) log_start: i64,
    pub(super) log_end: i64,
    pub(super) recovery_point: i64,
}

impl Recovery<'_> {
    /// Checks and rebuilds what has to be. `lacks_index` names segments that need new indexes even after a clean stop.
    pub(super) fn run(
        mut self,
        mut segments: Vec<Arc<Segment>>,
        lacks_index: impl Fn(i64) -> bool,
    ) -> Result<Recovered, LogError> {
        let bases: BTreeSet<i64> = segments.iter().map(|segment| segment.base_offset).collect();
        self.snapshots.remove_strays(&bases)?;
        let first_base = segments[0].base_offset;
        let log_start = self.options.log_start_offset.max(first_base);
        let first = self.first_to_check(&segments, lacks_index)?;
        let from = segments.get(first).map(|segment| segment.base_offset);
        let (clean_end, _) = match from {
            None => segments[segments.len() - 1].read_next_offset()?,
            Some(base) => (base, 0),
        };
        let expiration = self.folder.env.producer_expiration_ms();
        let mut producers =
            self.snapshots.load(log_start, clean_end.max(log_start), self.options.now_ms, expiration)?;
        replay(self.name, &mut producers, &segments, log_start, clean_end)?;
        let mut log_end = clean_end;
        let mut at = first;
        while at < segments.len() {
            let next_base = segments.get(at + 1).map_or(i64::MAX, |next| next.base_offset);
            let (end, cut) = self.recover_segment(&segments[at], next_base, &mut producers, log_start)?;
            log_end = end;
            if cut > 0 {
                let gone = segments.split_off(at + 1);
                warn!(
                    log = self.name,
                    offset = end,
                    bytes = cut,
                    segments = gone.len(),
                    "log is cut at its first bad batch"
                );
                self.delete(&gone)?;
            }
            self.snapshots.take(&producers, log_start)?;
            at += 1;
        }
        if from.is_some() {
            self.epochs.truncate_from_end(log_end)?;
            self.epochs.truncate_from_start(log_start)?;
        }
        if log_start > log_end {
            return self.start_over(segments, log_start);
        }
        // All that is there counts as replicated: see the high watermark in `Log::open`.
        producers.high_watermark_moved(log_end);
        let checkpointed = self.options.recovery_point.min(log_end);
        let recovery_point = if from.is_none() && self.options.clean { log_end } else { checkpointed };
        Ok(Recovered { segments, snapshots: self.snapshots, producers, log_start, log_end, recovery_point })
    }

    /// Index of the first segment whose batches must be read; beyond the last if none.
    fn first_to_check(&self, segments: &[Arc<Segment>], lacks_index: impl Fn(i64) -> bool) -> Result<usize, LogError> {
        let mut first = segments.len();
        if self.options.clean {
            let last = &segments[segments.len() - 1];
            let (_, whole) = last.read_next_offset()?;
            if whole < last.size() {
                warn!(log = self.name, base = last.base_offset, "segment is torn although the log was closed");
                first = segments.len() - 1;
            }
        } else {
            // Records below the log start are gone for readers; whether they reached the medium is of no matter.
            let point = self.options.recovery_point.max(self.options.log_start_offset);
            let holder = segments.partition_point(|segment| segment.base_offset <= point);
            first = holder.saturating_sub(1);
        }
        if let Some(lacking) = segments.iter().position(|segment| lacks_index(segment.base_offset)) {
            warn!(log = self.name, base = segments[lacking].base_offset, "segment has no index, a new one is made");
            first = first.min(lacking);
        }
        Ok(first)
    }

    /// Reads a segment, cuts it at the first bad batch, writes its indexes anew. Returns the offset after its last
    /// batch and how many bytes were cut off.
    fn recover_segment(
        &self,
        segment: &Segment,
        next_base: i64,
        producers: &mut ProducerState,
        log_start: i64,
    ) -> Result<(i64, u64), LogError> {
        segment.reset_indexes()?;
        let file = segment.log.create()?;
        let read = || LogError::io("read", segment.log.path());
        let size = file.metadata().map_err(LogError::io("stat", segment.log.path()))?.len();
        let mut batches = RecoveredBatches::new(&file, size, segment.base_offset, next_base);
        let mut latest_epoch = self.epochs.latest()?.unwrap_or(-1);
        let mut end = segment.base_offset;
        while let Some((position, header, bytes)) = batches.next().map_err(read())? {
            segment.note(&header, position, self.config.index_interval_bytes)?;
            if header.leader_epoch > latest_epoch {
                self.epochs.assign(header.leader_epoch, header.base_offset)?;
                latest_epoch = header.leader_epoch;
            }
            end = header.last_offset() + 1;
            if header.has_producer_id() && header.base_offset >= log_start {
                let marker = if header.is_control() { end_marker(bytes) } else { None };
                for txn in apply(self.name, producers, ProducerBatch { header, marker }) {
                    segment.txns.push(&txn)?;
                }
            }
            producers.end = end.max(producers.end);
        }
        let sound = batches.position();
        if sound < size {
            segment.log.set_len(sound)?;
        }
        segment.set_size(sound);
        segment.seal()?;
        // An index that had nothing to note must exist all the same.
        segment.offsets.table().file().create()?;
        segment.times.table().file().create()?;
        segment.close_files();
        Ok((end, size - sound))
    }

    fn delete(&mut self, gone: &[Arc<Segment>]) -> Result<(), LogError> {
        let mut paths = Vec::new();
        for segment in gone {
            segment.close_files();
            segment.change_suffix(Suffix::Deleted)?;
            paths.extend(segment.paths());
            paths.extend(self.snapshots.mark_deleted(segment.base_offset)?);
        }
        if !paths.is_empty() {
            let due = self.options.now_ms.saturating_add(self.config.file_delete_delay_ms);
            self.folder.env.trash.add(paths, due);
        }
        Ok(())
    }

    /// Nothing is left at or above the log start: begin with an empty segment there, so that no offset is used twice.
    fn start_over(mut self, segments: Vec<Arc<Segment>>, log_start: i64) -> Result<Recovered, LogError> {
        warn!(log = self.name, log_start, "log ends before its first offset, it begins anew there");
        self.delete(&segments)?;
        self.snapshots.clear()?;
        self.epochs.clear()?;
        let now_ms = self.options.now_ms;
        let segment = Segment::create(self.folder, log_start, Suffix::None, self.config, now_ms)?;
        Ok(Recovered {
            segments: vec![Arc::new(segment)],
            snapshots: self.snapshots,
            producers: ProducerState::empty_at(log_start),
            log_start,
            log_end: log_start,
            recovery_point: log_start,
        })
    }
}

/// Brings the producers' state forward to `end` over batches that need no check.
fn replay(
    log: &str,
    producers: &mut ProducerState,
    segments: &[Arc<Segment>],
    log_start: i64,
    end: i64,
) -> Result<(), LogError> {
    let from = producers.end.max(log_start);
    if from >= end {
        return Ok(());
    }
    info!(log, from, end, "producer state is read from the log");
    let begin = segments.partition_point(|segment| segment.base_offset <= from).saturating_sub(1);
    for segment in segments[begin..].iter().take_while(|segment| segment.base_offset < end) {
        let file = segment.file()?;
        let start = segment.position_of(from, segment.size())?;
        let mut walk = HeaderWalk::new(&file, start, segment.size());
        let read = || LogError::io("read", segment.log.path());
        while let Some((position, header)) = walk.next().map_err(read())? {
            if header.base_offset >= from && header.base_offset < end && header.has_producer_id() {
                let marker =
                    if header.is_control() { read_marker(&file, position, &header).map_err(read())? } else { None };
                apply(log, producers, ProducerBatch { header, marker });
            }
        }
        segment.close_files();
    }
    producers.end = end;
    Ok(())
}

/// Takes a batch of the log into the producers' state. Returns the transactions it aborts.
fn apply(log: &str, producers: &mut ProducerState, batch: ProducerBatch) -> Vec<AbortedTxn> {
    let claim = Claim { log, origin: None, guard: None, verification_enabled: false, transaction_version: 0 };
    match producers.check(&[batch], &claim) {
        Ok(Verdict::Accept(updates)) => producers.commit(updates),
        Ok(Verdict::Duplicate(_)) => Vec::new(),
        Err(error) => {
            let offset = batch.header.base_offset;
            warn!(log, offset, %error, "batch does not fit the producer's state, it is passed over");
            Vec::new()
        }
    }
}

impl Log {
    /// The producers' state of the log if it ended at `end`, from the latest snapshot below and the batches after it.
    pub(super) fn producer_state_at(
        &self,
        writer: &mut Writer,
        segments: &[Arc<Segment>],
        log_start: i64,
        end: i64,
        now_ms: i64,
    ) -> Result<ProducerState, LogError> {
        let expiration = self.folder.env.producer_expiration_ms();
        let mut producers = writer.snapshots.load(log_start, end, now_ms, expiration)?;
        replay(&self.name, &mut producers, segments, log_start, end)?;
        Ok(producers)
    }
}

/// The marker in the control batch at `position`. Control batches are small; one of more than 1 KB holds no marker.
fn read_marker(file: &File, position: u64, header: &BatchHeader) -> io::Result<Option<crate::producer::EndMarker>> {
    let size = header.size().unwrap_or(0);
    if size > 1024 {
        return Ok(None);
    }
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, position)?;
    Ok(end_marker(&bytes))
}
