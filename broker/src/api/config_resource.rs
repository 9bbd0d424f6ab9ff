//! What settings belong to, by the numbers of `ConfigResource.Type`.

/// A kind of resource with settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// 2.
    Topic,
    /// 4.
    Broker,
    /// 8.
    BrokerLogger,
    /// 16.
    ClientMetrics,
    /// 32.
    Group,
}

impl ResourceType {
    /// The kind with this number.
    pub fn from_code(code: i8) -> Option<Self> {
        Some(match code {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            _ => return None,
        })
    }

    /// The kind's number.
    pub fn code(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}
