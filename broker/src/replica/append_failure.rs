//! An append that was not done, as a client is told of it.

use commitlog::{AppendError, RecordError};
use wire::ErrorCode;

/// Kafka's error for a partition of a Produce reply, and what it says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendFailure {
    /// Kafka's error.
    pub code: ErrorCode,
    /// What was wrong, for the reply's `error_message`; `None` where Kafka sends null.
    pub message: Option<String>,
    /// Records at fault: index in the batch and what is wrong with it.
    pub records: Vec<(i32, String)>,
    /// Where the log starts, if it was the log that refused; else -1.
    pub log_start: i64,
}

impl AppendFailure {
    /// A failure that the code says all about.
    pub fn code(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new(), log_start: -1 }
    }

    /// A failure with a text of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), records: Vec::new(), log_start: -1 }
    }

    /// What a log that starts there refused. Kafka does not tell the start with errors that a broker expects.
    pub fn in_log(error: &AppendError, log_start: i64) -> Self {
        let is_expected = matches!(
            error,
            AppendError::CorruptMessage(_)
                | AppendError::RecordTooLarge { .. }
                | AppendError::RecordListTooLarge { .. }
                | AppendError::Log(_)
        );
        let failure = Self::from(error);
        if is_expected { failure } else { Self { log_start, ..failure } }
    }
}

impl From<&AppendError> for AppendFailure {
    fn from(error: &AppendError) -> Self {
        let code = match error {
            AppendError::CorruptMessage(_) => ErrorCode::CorruptMessage,
            AppendError::InvalidRecord { .. } => ErrorCode::InvalidRecord,
            AppendError::Undecodable(_) => ErrorCode::UnknownServerError,
            AppendError::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
            AppendError::RecordTooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::RecordListTooLarge { .. } => ErrorCode::RecordListTooLarge,
            AppendError::UnsupportedForMessageFormat(_) => ErrorCode::UnsupportedForMessageFormat,
            AppendError::OutOfOrderSequence(_) => ErrorCode::OutOfOrderSequenceNumber,
            AppendError::InvalidProducerEpoch(_) => ErrorCode::InvalidProducerEpoch,
            AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
            AppendError::TransactionCoordinatorFenced(_) => ErrorCode::TransactionCoordinatorFenced,
            AppendError::Log(_) => ErrorCode::KafkaStorageError,
        };
        let records: &[RecordError] = match error {
            AppendError::InvalidRecord { records, .. } | AppendError::InvalidTimestamp { records, .. } => records,
            _ => &[],
        };
        // As in Kafka, only faults of single records are put in words of their own.
        let message = (!records.is_empty()).then(|| error.to_string());
        let records = records.iter().map(|record| (record.index, record.message.clone())).collect();
        Self { code, message, records, log_start: -1 }
    }
}
