//! Why a configuration change is refused.

/// A refusal, in the words of Kafka, under the error code Kafka answers with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `INVALID_CONFIG` (40): a name or value that topics and groups do not accept.
    #[error("{0}")]
    InvalidConfig(String),
    /// `INVALID_REQUEST` (42): a change that broker and client-metrics resources do not accept.
    #[error("{0}")]
    InvalidRequest(String),
}

impl ConfigError {
    /// `org.apache.kafka.common.config.ConfigException(name, value, reason)`.
    pub(super) fn invalid_value(name: &str, value: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::InvalidConfig(format!("Invalid value {value} for configuration {name}: {reason}"))
    }

    /// The same refusal as `INVALID_REQUEST`.
    #[must_use]
    pub fn into_invalid_request(self) -> Self {
        match self {
            Self::InvalidConfig(message) | Self::InvalidRequest(message) => Self::InvalidRequest(message),
        }
    }
}
