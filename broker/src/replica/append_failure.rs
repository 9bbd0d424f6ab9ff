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
}

impl AppendFailure {
    /// A failure that the code says all about.
    pub fn code(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new() }
    }

    /// A failure with a text of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), records: Vec::new() }
    }
}

impl From<&AppendError> for AppendFailure {
    fn from(error: &AppendError) -> Self {
        let code = match error {
            AppendError::CorruptMessage(_) => ErrorCode::CorruptMessage,
            AppendError::InvalidRecord { .. } => ErrorCode::InvalidRecord,
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
        Self { code, message, records }
    }
}
