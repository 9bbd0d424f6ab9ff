//! Finding offsets by time, as ListOffsets asks for them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use wire::record_batch::{BatchError, RecordBatch};

use super::Log;
use crate::batch::{BatchHeader, HeaderWalk};
use crate::error::LogError;
use crate::segment::{Located, Segment};

/// What a batch that is searched for a timestamp may take once decompressed.
const LIMIT: usize = 1 << 30;

/// A question by time. The numbers are those that ListOffsets uses for a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetQuery {
    /// -2: the log start.
    Earliest,
    /// -1: the log end. The caller limits it to the high watermark or last stable offset.
    Latest,
    /// -3: the first record that has the largest timestamp.
    MaxTimestamp,
    /// The first record with this timestamp, in ms, or a later one.
    Timestamp(i64),
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp; -1 for the log's start and end.
    pub timestamp: i64,
    /// The offset.
    pub offset: i64,
    /// The leader epoch that wrote it, if known.
    pub leader_epoch: Option<i32>,
}

impl Log {
    /// The offset a query stands for; `None` if no record answers it. Records beyond the high watermark are found, too.
    ///
    /// # Errors
    /// Files can't be read, or a batch that may hold the record can't be opened.
    pub fn find(&self, query: OffsetQuery) -> Result<Option<TimestampOffset>, LogError> {
        let offsets = self.offsets();
        match query {
            OffsetQuery::Earliest => {
                let leader_epoch = self.epochs.epoch_of(offsets.log_start)?;
                Ok(Some(TimestampOffset { timestamp: -1, offset: offsets.log_start, leader_epoch }))
            }
            OffsetQuery::Latest => {
                let leader_epoch = self.epochs.latest()?;
                Ok(Some(TimestampOffset { timestamp: -1, offset: offsets.log_end, leader_epoch }))
            }
            OffsetQuery::MaxTimestamp => self.steadily(|| self.find_max(self.offsets().log_start)),
            OffsetQuery::Timestamp(target) => self.steadily(|| self.find_timestamp(target, self.offsets().log_start)),
        }
    }

    /// Offsets where segments begin, and the log end, newest first: the answer of ListOffsets version 0, which knows
    /// no time index. Only boundaries last written to no later than `timestamp` count, and at most `limit` are given.
    /// The log end counts as written to now, at `now_ms`.
    /// Source: `ReplicaManager.legacyFetchOffsetsBefore` of Kafka 3.9.
    ///
    /// # Errors
    /// A segment can't be looked at.
    pub fn boundaries_before(&self, timestamp: i64, limit: usize, now_ms: i64) -> Result<Vec<i64>, LogError> {
        let mut boundaries = Vec::new();
        let offsets = self.offsets();
        for segment in self.segments() {
            boundaries.push((segment.base_offset.max(offsets.log_start), segment.last_modified()?));
        }
        if boundaries.last().is_some_and(|(base, _)| *base < offsets.log_end) {
            boundaries.push((offsets.log_end, now_ms));
        }
        let counts = |written: i64| match timestamp {
            -1 => true,
            -2 => false,
            timestamp => written <= timestamp,
        };
        let mut newest = boundaries.len();
        while newest > 0 && !counts(boundaries[newest - 1].1) {
            newest -= 1;
        }
        // The earliest offset is always there, however young its segment.
        let first = if timestamp == -2 { 1 } else { newest };
        Ok(boundaries[..first.min(boundaries.len())].iter().rev().take(limit).map(|(offset, _)| *offset).collect())
    }

    fn find_max(&self, log_start: i64) -> Result<Option<TimestampOffset>, LogError> {
        let mut best: Option<(i64, Arc<Segment>)> = None;
        for segment in self.segments() {
            if let Some(max) = max_from(&segment, log_start)?
                && best.as_ref().is_none_or(|(timestamp, _)| max > *timestamp)
            {
                best = Some((max, segment));
            }
        }
        let Some((timestamp, segment)) = best else { return Ok(None) };
        search(&segment, timestamp, log_start)
    }

    fn find_timestamp(&self, target: i64, log_start: i64) -> Result<Option<TimestampOffset>, LogError> {
        for segment in self.segments() {
            if segment.max_timestamp()?.is_some_and(|max| max.timestamp >= target)
                && let Some(found) = search(&segment, target, log_start)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The largest timestamp of the segment's records at or above `log_start`.
fn max_from(segment: &Segment, log_start: i64) -> Result<Option<i64>, LogError> {
    if segment.base_offset >= log_start {
        return Ok(segment.max_timestamp()?.map(|max| max.timestamp));
    }
    // What the segment knows of its times may be about records that are deleted.
    let size = segment.size();
    let Some(Located { position, .. }) = segment.locate(log_start, size)? else { return Ok(None) };
    let file = segment.file()?;
    let mut walk = HeaderWalk::new(&file, position, size);
    let mut max = None;
    while let Some((position, header)) = walk.next().map_err(LogError::io("read", segment.log.path()))? {
        let timestamp = if header.base_offset >= log_start {
            Some(header.max_timestamp)
        } else {
            let records = read_records(segment, &file, position, &header)?;
            records.into_iter().filter(|(offset, _)| *offset >= log_start).map(|(_, timestamp)| timestamp).max()
        };
        max = max.max(timestamp);
    }
    Ok(max.filter(|timestamp| *timestamp >= 0))
}

/// Offsets and timestamps of a batch's records.
fn read_records(
    segment: &Segment,
    file: &File,
    position: u64,
    header: &BatchHeader,
) -> Result<Vec<(i64, i64)>, LogError> {
    let path = || segment.log.path();
    let mut bytes = vec![0; header.size().unwrap_or_default()];
    file.read_exact_at(&mut bytes, position).map_err(LogError::io("read", path()))?;
    let bad = |error: BatchError| LogError::corrupt(path(), position, error.to_string());
    let set = RecordBatch::parse(&bytes).and_then(|batch| batch.records(LIMIT)).map_err(bad)?;
    set.iter().map(|record| record.map(|record| (record.offset, record.timestamp)).map_err(bad)).collect()
}

/// The first record in the segment at or above `log_start` whose timestamp is `target` or later.
fn search(segment: &Segment, target: i64, log_start: i64) -> Result<Option<TimestampOffset>, LogError> {
    let size = segment.size();
    // Up to the time index's entry below the target every record is older.
    let from = segment.times.lookup(target.saturating_sub(1))?.max(log_start);
    let Some(Located { position, .. }) = segment.locate(from, size)? else { return Ok(None) };
    let file = segment.file()?;
    let mut walk = HeaderWalk::new(&file, position, size);
    while let Some((position, header)) = walk.next().map_err(LogError::io("read", segment.log.path()))? {
        if header.max_timestamp < target {
            continue;
        }
        for (offset, timestamp) in read_records(segment, &file, position, &header)? {
            if timestamp >= target && offset >= log_start {
                let leader_epoch = (header.leader_epoch >= 0).then_some(header.leader_epoch);
                return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
            }
        }
    }
    Ok(None)
}
