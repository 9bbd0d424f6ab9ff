//! `.timeindex`: from timestamps to offsets (Kafka's `TimeIndex`).
//!
//! Entries of 12 bytes, big-endian: `timestamp: i64 | offset - base offset: i32`, meaning: the largest timestamp up to
//! here is `timestamp`, in the batch that ends with `offset`. Both columns grow strictly. When a segment is rolled or closed
//! its largest timestamp is added, so that the last entry tells how old the segment is.

use std::sync::Arc;

use crate::error::LogError;
use crate::file::Folder;
use crate::names::{FileKind, Suffix};
use crate::table::Table;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 12;

/// A timestamp with the offset it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// The sparse index over timestamps of one segment.
#[derive(Debug)]
pub(crate) struct TimeIndex {
    base_offset: i64,
    table: Table<ENTRY>,
}

fn timestamp_of(entry: &[u8; ENTRY]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn relative_of(entry: &[u8; ENTRY]) -> u32 {
    let [.., i, j, k, l] = *entry;
    u32::from_be_bytes([i, j, k, l])
}

impl TimeIndex {
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, suffix: Suffix) -> TimeIndex {
        TimeIndex { base_offset, table: Table::new(folder, base_offset, FileKind::TimeIndex, suffix) }
    }

    pub(crate) fn table(&self) -> &Table<ENTRY> {
        &self.table
    }

    fn entry(&self, entry: &[u8; ENTRY]) -> TimeEntry {
        TimeEntry { timestamp: timestamp_of(entry), offset: self.base_offset + i64::from(relative_of(entry)) }
    }

    pub(crate) fn last(&self) -> Result<Option<TimeEntry>, LogError> {
        Ok(self.table.last()?.as_ref().map(|entry| self.entry(entry)))
    }

    /// Adds the largest timestamp so far, unless it is no larger than the last entry's.
    pub(crate) fn push(&self, entry: TimeEntry) -> Result<(), LogError> {
        if let Some(last) = self.last()?
            && (entry.timestamp <= last.timestamp || entry.offset <= last.offset)
        {
            return Ok(());
        }
        let relative = u32::try_from(entry.offset - self.base_offset).unwrap_or(u32::MAX);
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&entry.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&relative.to_be_bytes());
        self.table.push(bytes)
    }

    /// The offset of the last entry whose timestamp is at or below `timestamp`: records with a larger timestamp stand
    /// after it.
    pub(crate) fn lookup(&self, timestamp: i64) -> Result<i64, LogError> {
        match self.table.partition_point(|entry| timestamp_of(entry) <= timestamp)? {
            0 => Ok(self.base_offset),
            after => Ok(self.entry(&self.table.get(after - 1)?).offset),
        }
    }

    /// Drops the entries for `offset` and above.
    pub(crate) fn truncate_to(&self, offset: i64) -> Result<(), LogError> {
        let relative = offset - self.base_offset;
        let keep = self.table.partition_point(|entry| i64::from(relative_of(entry)) < relative)?;
        self.table.truncate(keep)
    }

    /// One entry less than fits, because the roll adds the last one.
    pub(crate) fn is_full(&self, max_bytes: usize) -> Result<bool, LogError> {
        Ok(self.table.len()? + 1 >= max_bytes / ENTRY)
    }
}
