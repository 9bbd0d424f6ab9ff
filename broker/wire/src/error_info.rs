//! What is known of an error code.

use crate::ErrorCode;

/// One row of the table of errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorInfo {
    pub(crate) name: &'static str,
    pub(crate) retriable: bool,
    pub(crate) message: &'static str,
}

impl ErrorCode {
    /// The number that replies carry.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The error with this code, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.binary_search_by_key(&code, |error| error.code()).ok().map(|index| Self::ALL[index])
    }

    /// Its name in Kafka, such as `UNKNOWN_TOPIC_OR_PARTITION`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The message that Kafka gives with it; empty for [`ErrorCode::None`].
    pub const fn message(self) -> &'static str {
        self.info().message
    }

    /// Whether clients try again by themselves.
    pub const fn is_retriable(self) -> bool {
        self.info().retriable
    }

    /// Whether it stands for no error.
    pub const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }
}

impl From<ErrorCode> for i16 {
    fn from(error: ErrorCode) -> Self {
        error.code()
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// As in Kafka, a code that is not known counts as [`ErrorCode::UnknownServerError`].
impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self::from_code(code).unwrap_or(Self::UnknownServerError)
    }
}
