//! `.index`: from offsets to positions in the `.log` (Kafka's `OffsetIndex`).
//!
//! Entries of 8 bytes, big-endian, about one for each `index.interval.bytes` of log:
//! `offset - base offset: i32 | position: i32`, the **last** offset of a batch and where that batch begins. A lookup
//! goes to the entry at or below the wanted offset and walks on from there, batch by batch.

use std::sync::Arc;

use crate::error::LogError;
use crate::file::Folder;
use crate::names::{FileKind, Suffix};
use crate::table::Table;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 8;

/// The sparse index over offsets of one segment.
#[derive(Debug)]
pub(crate) struct OffsetIndex {
    base_offset: i64,
    table: Table<ENTRY>,
}

fn decode(entry: &[u8; ENTRY]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *entry;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

impl OffsetIndex {
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, suffix: Suffix) -> OffsetIndex {
        OffsetIndex { base_offset, table: Table::new(folder, base_offset, FileKind::OffsetIndex, suffix) }
    }

    pub(crate) fn table(&self) -> &Table<ENTRY> {
        &self.table
    }

    /// Adds an entry, whose offset must be above that of the entry before it; a repeated one is left out.
    pub(crate) fn push(&self, offset: i64, position: u64) -> Result<(), LogError> {
        let relative = u32::try_from(offset - self.base_offset).unwrap_or(u32::MAX);
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        if let Some((last, _)) = self.table.last()?.as_ref().map(decode)
            && relative <= last
        {
            return Ok(());
        }
        let mut entry = [0; ENTRY];
        entry[..4].copy_from_slice(&relative.to_be_bytes());
        entry[4..].copy_from_slice(&position.to_be_bytes());
        self.table.push(entry)
    }

    /// A position at or before that of the batch with `offset`, from which to walk on.
    pub(crate) fn lookup(&self, offset: i64) -> Result<u64, LogError> {
        let relative = offset - self.base_offset;
        match self.table.partition_point(|entry| i64::from(decode(entry).0) <= relative)? {
            0 => Ok(0),
            after => Ok(u64::from(decode(&self.table.get(after - 1)?).1)),
        }
    }

    /// The first entry's position above `position` whose offset is known, for estimating where a byte range ends:
    /// an offset above every offset stored before `position + size`, if the index knows one.
    pub(crate) fn offset_after(&self, position: u64) -> Result<Option<i64>, LogError> {
        let at = self.table.partition_point(|entry| u64::from(decode(entry).1) < position)?;
        if at == self.table.len()? {
            return Ok(None);
        }
        Ok(Some(self.base_offset + i64::from(decode(&self.table.get(at)?).0)))
    }

    /// The position of the last entry, 0 without one.
    pub(crate) fn last_position(&self) -> Result<u64, LogError> {
        Ok(self.table.last()?.as_ref().map_or(0, |entry| u64::from(decode(entry).1)))
    }

    /// Drops the entries for `offset` and above.
    pub(crate) fn truncate_to(&self, offset: i64) -> Result<(), LogError> {
        let relative = offset - self.base_offset;
        let keep = self.table.partition_point(|entry| i64::from(decode(entry).0) < relative)?;
        self.table.truncate(keep)
    }

    pub(crate) fn is_full(&self, max_bytes: usize) -> Result<bool, LogError> {
        Ok(self.table.len()? >= max_bytes / ENTRY)
    }
}
