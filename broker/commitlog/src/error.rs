//! What can go wrong, one variant for each case a caller branches on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A failed operation on a log's files.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The disk refused. The log is offline from here on (`KAFKA_STORAGE_ERROR`): what was being written may be on disk
    /// in part, and recovery at the next start decides how much of it holds.
    #[error("{action} {path}: {source}; check the disk, then restart the broker", path = path.display())]
    Io {
        /// What was tried, as a verb phrase ("write", "fsync", …).
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// An earlier failure has taken the log offline; nothing was tried.
    #[error("log {log} is offline since an earlier failure: {reason}; check the disk, then restart the broker")]
    Offline {
        /// `<topic>-<partition>`.
        log: String,
        /// The failure that took it offline.
        reason: Arc<str>,
    },
    /// The log was closed or its topic deleted.
    #[error("log {log} is closed")]
    Closed {
        /// `<topic>-<partition>`.
        log: String,
    },
    /// A file does not hold what its format demands and cannot be rebuilt from the log.
    #[error("{path} is corrupt at byte {position}: {reason}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// An offset outside of the log was named.
    #[error("offset {offset} is out of range [{log_start}, {log_end}] of {log}")]
    OutOfRange {
        /// `<topic>-<partition>`.
        log: String,
        /// What was asked for.
        offset: i64,
        /// First offset that may be read.
        log_start: i64,
        /// The largest offset that may be named.
        log_end: i64,
    },
}

impl LogError {
    /// Wraps an I/O error; for use in `map_err`.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> LogError {
        let path = path.as_ref().to_path_buf();
        move |source| LogError::Io { action, path, source: Arc::new(source) }
    }

    /// A file that breaks its format.
    pub(crate) fn corrupt(path: impl AsRef<Path>, position: u64, reason: impl Into<String>) -> LogError {
        LogError::Corrupt { path: path.as_ref().to_path_buf(), position, reason: reason.into() }
    }
}

/// Why one record of a refused batch was refused; becomes `record_errors` in the Produce reply (v8 and later).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Index of the record within the batch, from 0.
    pub index: i32,
    /// Text for people.
    pub message: String,
}

/// A refused append. In every case but [`AppendError::Log`] nothing was written and the log is unchanged, so that the
/// caller may go on; the name of each variant is the Kafka error it answers with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// `CORRUPT_MESSAGE`: the frame, the length or the CRC-32C is wrong.
    #[error("{0}")]
    CorruptMessage(String),
    /// `INVALID_RECORD`.
    #[error("{message}")]
    InvalidRecord {
        /// Text for people, as Kafka words it.
        message: String,
        /// The records at fault, where they are known.
        records: Vec<RecordError>,
    },
    /// `UNKNOWN_SERVER_ERROR`: compressed bytes that are none. Kafka has no code of their own for them.
    #[error("{0}")]
    Undecodable(String),
    /// `INVALID_TIMESTAMP`.
    #[error("{message}")]
    InvalidTimestamp {
        /// Text for people, as Kafka words it.
        message: String,
        /// The records at fault.
        records: Vec<RecordError>,
    },
    /// `MESSAGE_TOO_LARGE`: a batch is larger than `max.message.bytes`.
    #[error(
        "The record batch size in the append to {log} is {size} bytes which exceeds the maximum configured value of {max}."
    )]
    RecordTooLarge {
        /// `<topic>-<partition>`.
        log: String,
        /// Size of the batch in bytes.
        size: usize,
        /// `max.message.bytes`.
        max: usize,
    },
    /// `RECORD_LIST_TOO_LARGE`: the batches do not fit into one segment.
    #[error(
        "Message batch size is {size} bytes in append to partition {log}, which exceeds the maximum configured segment size of {max}."
    )]
    RecordListTooLarge {
        /// `<topic>-<partition>`.
        log: String,
        /// Size of all batches in bytes.
        size: usize,
        /// `segment.bytes`.
        max: usize,
    },
    /// `UNSUPPORTED_FOR_MESSAGE_FORMAT`.
    #[error("{0}")]
    UnsupportedForMessageFormat(String),
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error("{0}")]
    OutOfOrderSequence(String),
    /// `INVALID_PRODUCER_EPOCH`.
    #[error("{0}")]
    InvalidProducerEpoch(String),
    /// `INVALID_TXN_STATE`.
    #[error("{0}")]
    InvalidTxnState(String),
    /// `TRANSACTION_COORDINATOR_FENCED`.
    #[error("{0}")]
    TransactionCoordinatorFenced(String),
    /// `KAFKA_STORAGE_ERROR`: the log is offline. Whether the batch will be there after the next start is unknown.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl AppendError {
    pub(crate) fn invalid(message: impl Into<String>) -> AppendError {
        AppendError::InvalidRecord { message: message.into(), records: Vec::new() }
    }
}
