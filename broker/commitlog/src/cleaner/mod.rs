//! Compaction: of each key only the latest record stays (Kafka's `LogCleaner` and `Cleaner`).
//!
//! ```text
//!   log start        first dirty                end of the round     first uncleanable    active
//!      |  cleaned before  |  the map is built here       |   next round     |               |
//!      [ . . . . . . . . .|. . . . . . . . . . . . . . . | . . . . . . . . .[ . . . . . . . [ . . .
//!      '----------- rewritten without what the map knows better -----------'
//! ```
//!
//! One round: read the dirty part and note in a map of bounded size the last offset of each key, as far as the map has
//! room; then write the segments up to there anew, without the records of which the map has a later one. Small
//! neighbours become one segment. A new segment is written under the suffix `.cleaned` and synced, renamed to `.swap`,
//! put in the place of the old ones, which become `.deleted`, and gets its own name: at whatever point that is
//! interrupted, the next start finds either all of the old or all of the new.
//!
//! Tombstones (records without value) stay until `delete.retention.ms` after a round first kept one: that time, the
//! batch's *delete horizon*, is written into the batch (KIP-534). Transaction markers go the same way once nothing of
//! their transaction is left. Records of aborted transactions go at once. What a producer's state rests on stays, if
//! need be as a batch without records.

mod filter;
mod offset_map;
mod transactions;

use std::sync::Arc;

use tracing::{debug, info, warn};
use wire::record_batch::RecordBatch;

use crate::config::LogConfig;
use crate::error::LogError;
use crate::log::{Cleanable, Log, RecoveredBatches};
use crate::producer::end_marker;
use crate::segment::Segment;
use filter::{Filter, LIMIT, Left};
use offset_map::OffsetMap;
use transactions::Transactions;

/// The broker's settings of compaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.dedupe.buffer.size` over `log.cleaner.threads`: the most the map of keys may take, in bytes; 24 a
    /// key. Taken as needed and given back after each round.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: how full the map may get, 0 to 1.
    pub load_factor: f64,
    /// Half of `log.cleaner.io.buffer.size` over `log.cleaner.threads`: how many bytes of rewritten batches are gathered
    /// for a write.
    pub write_buffer_bytes: usize,
}

impl Default for CleanerConfig {
    fn default() -> Self {
        CleanerConfig { dedupe_buffer_bytes: 128 << 20, load_factor: 0.9, write_buffer_bytes: 256 << 10 }
    }
}

/// Holds cleaners back to `log.cleaner.io.max.bytes.per.second`.
pub trait Pace: std::fmt::Debug + Send + Sync {
    /// Called after so many bytes were read or written; returns when more may be.
    fn spend(&self, bytes: usize);
}

/// As fast as the disk goes.
#[derive(Debug)]
struct Unlimited;

impl Pace for Unlimited {
    fn spend(&self, _: usize) {}
}

/// What a round has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanReport {
    /// The log is clean up to here: the value for `cleaner-offset-checkpoint`.
    pub cleaned_to: i64,
    /// Bytes of the segments that were rewritten.
    pub bytes_before: u64,
    /// Bytes of the segments that took their place.
    pub bytes_after: u64,
    /// Segments that were rewritten.
    pub segments_before: usize,
    /// Segments that took their place.
    pub segments_after: usize,
    /// The log changed under the cleaner (truncated, its segments deleted by retention) and the rest was left as it was.
    pub interrupted: bool,
}

/// Compacts logs, one at a time. A thread of the broker owns one.
#[derive(Debug)]
pub struct Cleaner {
    map: OffsetMap,
    write_buffer_bytes: usize,
    pace: Arc<dyn Pace>,
}

impl Cleaner {
    /// A cleaner with an empty map, as fast as the disk goes.
    pub fn new(config: CleanerConfig) -> Cleaner {
        Cleaner::paced(config, Arc::new(Unlimited))
    }

    /// A cleaner that `pace` holds back.
    pub fn paced(config: CleanerConfig, pace: Arc<dyn Pace>) -> Cleaner {
        let map = OffsetMap::new(config.dedupe_buffer_bytes, config.load_factor);
        Cleaner { map, write_buffer_bytes: config.write_buffer_bytes, pace }
    }

    /// Does a round on a log. Appends and reads go on meanwhile.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] if a batch can't be read: the log is then left as it is, and should not be tried again
    /// before the next start. [`LogError::Io`]: before segments are replaced the log is unharmed, too; a failure while
    /// they are takes the log offline.
    pub fn clean(&mut self, log: &Log, cleanable: &Cleanable, now_ms: i64) -> Result<CleanReport, LogError> {
        let result = self.round(log, cleanable, now_ms);
        self.map.clear();
        result
    }

    fn round(&mut self, log: &Log, cleanable: &Cleanable, now_ms: i64) -> Result<CleanReport, LogError> {
        let config = log.config();
        let segments = log.segments_below(cleanable.first_uncleanable);
        let all_mapped = self.build_map(log, &segments, cleanable)?;
        let end_offset = self.map.latest_offset + 1;
        let mut report = CleanReport {
            cleaned_to: end_offset.max(cleanable.first_dirty),
            bytes_before: 0,
            bytes_after: 0,
            segments_before: 0,
            segments_after: 0,
            interrupted: false,
        };
        if end_offset <= cleanable.first_dirty {
            if all_mapped {
                report.cleaned_to = cleanable.first_uncleanable;
            } else {
                warn!(log = log.name(), "log.cleaner.dedupe.buffer.size has no room for a single batch's keys");
            }
            return Ok(report);
        }
        let filter = Filter {
            map: &self.map,
            producers: log.producers().into_iter().map(|producer| (producer.producer_id, producer)).collect(),
            now_ms,
            delete_retention_ms: config.delete_retention_ms,
            end_offset: cleanable.first_uncleanable,
        };
        let writing =
            Writing { log, filter: &filter, config: &config, buffer: self.write_buffer_bytes, pace: &*self.pace };
        let mut transactions = Transactions::default();
        let within: Vec<_> = segments.into_iter().filter(|segment| segment.base_offset < end_offset).collect();
        for group in group(&within, cleanable.first_uncleanable, &config)? {
            let cleaned = writing.clean_group(group, &mut transactions, cleanable.first_uncleanable)?;
            report.bytes_before += group.iter().map(|segment| segment.size()).sum::<u64>();
            report.bytes_after += cleaned.size();
            report.segments_before += group.len();
            report.segments_after += 1;
            if !log.replace(group, Arc::new(cleaned), now_ms)? {
                report.interrupted = true;
                report.cleaned_to = cleanable.first_dirty;
                debug!(log = log.name(), "log changed while it was compacted, the rest waits");
                return Ok(report);
            }
        }
        info!(
            log = log.name(),
            cleaned_to = report.cleaned_to,
            bytes_before = report.bytes_before,
            bytes_after = report.bytes_after,
            "log is compacted"
        );
        Ok(report)
    }

    /// Notes the keys of the dirty part; false if there was no room for some.
    fn build_map(&mut self, log: &Log, segments: &[Arc<Segment>], cleanable: &Cleanable) -> Result<bool, LogError> {
        self.map.clear();
        let mut transactions = Transactions::default();
        transactions.add(log.aborted_transactions(cleanable.first_dirty, cleanable.first_uncleanable)?);
        let first = segments.partition_point(|segment| segment.base_offset <= cleanable.first_dirty).saturating_sub(1);
        for segment in &segments[first.min(segments.len())..] {
            if !self.map_segment(segment, cleanable.first_dirty, &mut transactions)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// False once the map is full.
    fn map_segment(
        &mut self,
        segment: &Segment,
        first_dirty: i64,
        transactions: &mut Transactions,
    ) -> Result<bool, LogError> {
        let mut room = true;
        let pace = Arc::clone(&self.pace);
        each_batch(segment, |header, bytes| {
            pace.spend(bytes.len());
            if !room || header.last_offset() < first_dirty {
                return Ok(());
            }
            if header.is_control() {
                transactions.control(header, end_marker(bytes));
            } else if !transactions.data(header) {
                for record in RecordBatch::parse(bytes)?.records(LIMIT)?.iter() {
                    let record = record?;
                    let key = record.key.filter(|_| record.offset >= first_dirty);
                    if key.is_some_and(|key| !self.map.put(key, record.offset)) {
                        room = false;
                        return Ok(());
                    }
                }
            }
            self.map.latest_offset = header.last_offset();
            Ok(())
        })?;
        Ok(room)
    }
}

/// Calls `on` for each batch of a sealed segment.
fn each_batch(
    segment: &Segment,
    mut on: impl FnMut(&crate::batch::BatchHeader, &[u8]) -> Result<(), wire::record_batch::BatchError>,
) -> Result<(), LogError> {
    let path = segment.log.path();
    let file = segment.file()?;
    let mut batches = RecoveredBatches::new(&file, segment.size(), segment.base_offset, i64::MAX);
    while let Some((position, header, bytes)) = batches.next().map_err(LogError::io("read", &path))? {
        on(&header, bytes).map_err(|error| LogError::corrupt(&path, position, error.to_string()))?;
    }
    if batches.position() < segment.size() {
        return Err(LogError::corrupt(&path, batches.position(), "no sound batch begins here"));
    }
    Ok(())
}

/// Neighbours that fit together into one segment (Kafka's `groupSegmentsBySize`).
fn group<'a>(
    segments: &'a [Arc<Segment>],
    end_offset: i64,
    config: &LogConfig,
) -> Result<Vec<&'a [Arc<Segment>]>, LogError> {
    let mut groups = Vec::new();
    let mut start = 0;
    let mut sums = (0_u64, 0_usize, 0_usize);
    for (at, segment) in segments.iter().enumerate() {
        let bytes = segment.size();
        let index = segment.offsets.table().file().len()? as usize;
        let times = segment.times.table().file().len()? as usize;
        let last_offset = segments.get(at + 1).map_or(end_offset, |next| next.base_offset) - 1;
        let fits = sums.0 + bytes <= config.segment_bytes
            && sums.1 + index <= config.segment_index_bytes
            && sums.2 + times <= config.segment_index_bytes
            && last_offset - segments[start].base_offset <= i64::from(i32::MAX);
        if at > start && !fits {
            groups.push(&segments[start..at]);
            start = at;
            sums = (0, 0, 0);
        }
        sums = (sums.0 + bytes, sums.1 + index, sums.2 + times);
    }
    if start < segments.len() {
        groups.push(&segments[start..]);
    }
    Ok(groups)
}

/// The second half of a round.
#[derive(Clone, Copy)]
struct Writing<'a> {
    log: &'a Log,
    filter: &'a Filter<'a>,
    config: &'a LogConfig,
    buffer: usize,
    pace: &'a dyn Pace,
}

impl Writing<'_> {
    /// Writes what is left of a group into a segment with the suffix `.cleaned`, synced.
    fn clean_group(
        &self,
        group: &[Arc<Segment>],
        transactions: &mut Transactions,
        end_offset: i64,
    ) -> Result<Segment, LogError> {
        let Writing { log, filter, config, buffer, pace } = *self;
        let append = |cleaned: &Segment, gathered: &mut Vec<u8>| {
            let appended = cleaned.append(gathered, config);
            pace.spend(gathered.len());
            gathered.clear();
            appended
        };
        let cleaned = log.new_cleaned_segment(group[0].base_offset, filter.now_ms)?;
        let mut gathered = Vec::new();
        for segment in group {
            transactions.add(log.aborted_transactions(segment.base_offset, end_offset)?);
            let mut aborted = Vec::new();
            let mut failed = None;
            each_batch(segment, |header, bytes| {
                pace.spend(bytes.len());
                let (left, txn) = filter.apply(header, bytes, transactions)?;
                aborted.extend(txn);
                match left {
                    Left::Nothing => {}
                    Left::AsItIs => gathered.extend_from_slice(bytes),
                    Left::Rewritten(new) => gathered.extend_from_slice(&new),
                }
                if gathered.len() >= buffer && failed.is_none() {
                    failed = append(&cleaned, &mut gathered).err();
                }
                Ok(())
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            aborted.iter().try_for_each(|txn| cleaned.txns.push(txn))?;
        }
        if !gathered.is_empty() {
            append(&cleaned, &mut gathered)?;
        }
        cleaned.seal()?;
        cleaned.sync()?;
        if let Some(last) = group.last() {
            cleaned.copy_modified(last)?;
        }
        Ok(cleaned)
    }
}
