//! `.txnindex`: the aborted transactions that end in a segment (Kafka's `TransactionIndex`).
//!
//! Entries of 34 bytes, big-endian, in order of their end:
//! `version: i16 = 0 | producer id: i64 | first offset: i64 | last offset: i64 | last stable offset: i64`.
//! The file exists only where a transaction was aborted. Other than the other indexes it is not written lazily: a
//! marker is acknowledged only after the entry is in the file.

use std::sync::Arc;

use crate::error::LogError;
use crate::file::Folder;
use crate::names::{FileKind, Suffix};
use crate::table::Table;

const ENTRY: usize = 34;

/// A transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of the abort marker.
    pub last_offset: i64,
    /// The last stable offset once the marker was written.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    fn encode(&self) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        entry[2..10].copy_from_slice(&self.producer_id.to_be_bytes());
        entry[10..18].copy_from_slice(&self.first_offset.to_be_bytes());
        entry[18..26].copy_from_slice(&self.last_offset.to_be_bytes());
        entry[26..].copy_from_slice(&self.last_stable_offset.to_be_bytes());
        entry
    }

    fn decode(entry: &[u8; ENTRY]) -> AbortedTxn {
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&entry[at..at + 8]);
            i64::from_be_bytes(bytes)
        };
        AbortedTxn { producer_id: long(2), first_offset: long(10), last_offset: long(18), last_stable_offset: long(26) }
    }
}

/// The index over aborted transactions of one segment.
#[derive(Debug)]
pub(crate) struct TxnIndex {
    table: Table<ENTRY>,
}

impl TxnIndex {
    pub(crate) fn new(folder: &Arc<Folder>, base_offset: i64, suffix: Suffix) -> TxnIndex {
        TxnIndex { table: Table::new(folder, base_offset, FileKind::TxnIndex, suffix) }
    }

    pub(crate) fn table(&self) -> &Table<ENTRY> {
        &self.table
    }

    pub(crate) fn push(&self, txn: &AbortedTxn) -> Result<(), LogError> {
        self.table.push(txn.encode())?;
        self.table.write_pending()
    }

    pub(crate) fn all(&self) -> Result<Vec<AbortedTxn>, LogError> {
        (0..self.table.len()?).map(|at| Ok(AbortedTxn::decode(&self.table.get(at)?))).collect()
    }

    /// Adds to `found` the transactions with records in `[from, to)`. True once no later segment can hold one.
    pub(crate) fn collect(&self, from: i64, to: i64, found: &mut Vec<AbortedTxn>) -> Result<bool, LogError> {
        for txn in self.all()? {
            if txn.last_offset >= from && txn.first_offset < to {
                found.push(txn);
            }
            if txn.last_stable_offset >= to {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops the transactions that end at `offset` or above. Empties but keeps the file.
    pub(crate) fn truncate_to(&self, offset: i64) -> Result<(), LogError> {
        if self.table.len()? == 0 && self.table.file().len()? == 0 {
            return Ok(());
        }
        let keep = self.table.partition_point(|entry| AbortedTxn::decode(entry).last_offset < offset)?;
        self.table.truncate(keep)
    }
}
