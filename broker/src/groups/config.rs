//! The coordinator's settings.

use crate::config::BrokerConfig;

/// Settings of the group coordinator, under Kafka's names and with Kafka's defaults. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`, default 6,000.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`, default 1,800,000.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`, default 3,000: how long a new group waits for more members.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`, default 2,147,483,647 members.
    pub max_size: i32,
    /// A new member of the classic protocol that is still waiting for its first join reply is given up after this
    /// time: 300,000 (a constant in Kafka too).
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`, default 4,096. Kafka counts UTF-16 units, and so do we.
    pub offset_metadata_max_bytes: i32,
    /// `offsets.retention.minutes` in milliseconds, default 7 days.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`, default 600,000.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`, default 5,000: how long a request waits until what it wrote is safe.
    pub commit_timeout_ms: i32,
    /// Settings of the consumer protocol (KIP-848).
    pub consumer: ConsumerConfig,
}

/// Settings of the consumer protocol, broker level; the two timeouts can be set for each group too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// `group.consumer.session.timeout.ms`, default 45,000.
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`, default 5,000.
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`, default 2,147,483,647 members.
    pub max_size: i32,
    /// `group.consumer.assignors`, default uniform then range; the first is the default of a group.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`, default bidirectional.
    pub migration_policy: MigrationPolicy,
    /// `group.consumer.assignment.interval.ms`, default 1,000: the least time between two assignments of a group.
    pub assignment_interval_ms: i32,
    /// `group.consumer.regex.refresh.interval.ms`, default 600,000.
    pub regex_refresh_interval_ms: i32,
}

/// What can be set for one group (`kafka-configs --entity-type groups`); `None` for the broker's setting. The API
/// layer has checked the ranges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupOverrides {
    /// `consumer.session.timeout.ms`.
    pub session_timeout_ms: Option<i32>,
    /// `consumer.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: Option<i32>,
    /// `consumer.assignment.interval.ms`.
    pub assignment_interval_ms: Option<i32>,
}

/// A server-side assignor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assignor {
    /// As even as possible, moving as little as possible.
    Uniform,
    /// Partitions of the same number together, moving as little as possible.
    Range,
}

impl Assignor {
    /// The assignor of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// The name in requests and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }
}

/// `group.consumer.migration.policy`: which way a group may change its protocol while it has members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// Both ways.
    Bidirectional,
    /// From classic to consumer only.
    Upgrade,
    /// From consumer to classic only.
    Downgrade,
    /// Neither way.
    Disabled,
}

impl MigrationPolicy {
    /// The policy of this name, in any case of letters.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => Some(Self::Bidirectional),
            "upgrade" => Some(Self::Upgrade),
            "downgrade" => Some(Self::Downgrade),
            "disabled" => Some(Self::Disabled),
            _ => None,
        }
    }

    pub(crate) fn upgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    pub(crate) fn downgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

impl From<&BrokerConfig> for GroupConfig {
    fn from(config: &BrokerConfig) -> Self {
        let (groups, offsets) = (&config.groups, &config.offsets);
        let assignors = groups.group_consumer_assignors.iter().filter_map(|name| Assignor::named(name)).collect();
        Self {
            min_session_timeout_ms: groups.group_min_session_timeout_ms,
            max_session_timeout_ms: groups.group_max_session_timeout_ms,
            initial_rebalance_delay_ms: groups.group_initial_rebalance_delay_ms,
            max_size: groups.group_max_size,
            offset_metadata_max_bytes: offsets.offset_metadata_max_bytes,
            commit_timeout_ms: offsets.offsets_commit_timeout_ms,
            offsets_retention_ms: i64::from(offsets.offsets_retention_minutes) * 60_000,
            offsets_retention_check_interval_ms: offsets.offsets_retention_check_interval_ms,
            consumer: ConsumerConfig {
                session_timeout_ms: groups.group_consumer_session_timeout_ms,
                heartbeat_interval_ms: groups.group_consumer_heartbeat_interval_ms,
                max_size: groups.group_consumer_max_size,
                assignors,
                migration_policy: MigrationPolicy::named(&groups.group_consumer_migration_policy)
                    .unwrap_or(MigrationPolicy::Bidirectional),
                assignment_interval_ms: groups.group_consumer_assignment_interval_ms,
                regex_refresh_interval_ms: groups.group_consumer_regex_refresh_interval_ms,
            },
            ..Self::default()
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: i32::MAX,
            new_member_join_timeout_ms: 300_000,
            offset_metadata_max_bytes: 4_096,
            commit_timeout_ms: 5_000,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
            consumer: ConsumerConfig::default(),
        }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            max_size: i32::MAX,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration_policy: MigrationPolicy::Bidirectional,
            assignment_interval_ms: 1_000,
            regex_refresh_interval_ms: 600_000,
        }
    }
}
