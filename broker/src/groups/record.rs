//! The records of `__consumer_offsets`, as the state machines write and replay them.
//!
//! Names and fields follow Kafka's coordinator records (`kafka-group-coordinator`, `common/message/`); how they are
//! laid out in bytes is the business of the `codec` module.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

/// A group, member, topic or protocol name. Shared, because timers, maps and replies all hold them.
pub type Name = Arc<str>;

/// One record: what it is about and, unless it is a tombstone, its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRecord {
    /// A committed offset; `None` deletes it.
    Offset {
        /// The group that committed.
        group: Name,
        /// The topic's name.
        topic: Name,
        /// The partition's number.
        partition: i32,
        /// What was committed.
        value: Option<OffsetValue>,
    },
    /// A group of the classic protocol; `None` deletes it.
    Classic {
        /// The group.
        group: Name,
        /// Its members and generation.
        value: Option<ClassicValue>,
    },
    /// A part of a group of the consumer protocol (KIP-848).
    Consumer {
        /// The group.
        group: Name,
        /// The part, with its value or deleted.
        part: ConsumerPart,
    },
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read, if the client said.
    pub leader_epoch: Option<i32>,
    /// Whatever the client wanted to keep with it.
    pub metadata: Box<str>,
    /// When it was committed, in milliseconds since 1970.
    pub commit_timestamp: i64,
    /// When it expires, where the client asked for a time of its own (OffsetCommit 2 to 4).
    pub expire_timestamp: Option<i64>,
    /// The topic's id, nil when unknown.
    pub topic_id: Uuid,
}

/// A classic group as it is stored: always of a finished generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicValue {
    /// Empty for none.
    pub protocol_type: Name,
    /// The generation.
    pub generation: i32,
    /// The protocol that was chosen.
    pub protocol: Option<Name>,
    /// The leader's member id.
    pub leader: Option<Name>,
    /// When the group came into its state, in milliseconds since 1970; `None` in records older than Kafka 2.1.
    pub state_timestamp: Option<i64>,
    /// The members.
    pub members: Vec<ClassicMemberValue>,
}

/// A member of a classic group as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicMemberValue {
    /// Member id.
    pub member_id: Name,
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// `client.id`.
    pub client_id: Name,
    /// Address in Java's writing: `/127.0.0.1`.
    pub client_host: Name,
    /// In milliseconds.
    pub rebalance_timeout_ms: i32,
    /// In milliseconds.
    pub session_timeout_ms: i32,
    /// The member's metadata for the chosen protocol.
    pub subscription: Bytes,
    /// What the leader assigned.
    pub assignment: Bytes,
}

/// A part of a consumer group. Where the value is an `Option`, `None` is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerPart {
    /// The group's epoch.
    Metadata(Option<ConsumerMetadataValue>),
    /// Partition metadata of the subscribed topics, which Kafka 4.0 and older kept: only ever deleted.
    PartitionMetadata,
    /// What a member said of itself.
    Member(Name, Option<MemberValue>),
    /// The epoch of the target assignment.
    TargetMetadata(Option<TargetMetadataValue>),
    /// A member's target assignment.
    Target(Name, Option<Partitions>),
    /// A member's epoch and current assignment.
    Current(Name, Option<CurrentValue>),
    /// The topics a regular expression stands for.
    Regex(Name, Option<RegexValue>),
}

impl ConsumerPart {
    /// Whether the part is deleted.
    pub fn is_tombstone(&self) -> bool {
        match self {
            Self::PartitionMetadata => true,
            Self::Metadata(value) => value.is_none(),
            Self::Member(_, value) => value.is_none(),
            Self::TargetMetadata(value) => value.is_none(),
            Self::Target(_, value) => value.is_none(),
            Self::Current(_, value) => value.is_none(),
            Self::Regex(_, value) => value.is_none(),
        }
    }
}

/// Partitions by topic id, ordered, so that the same assignment is always the same bytes.
pub type Partitions = std::collections::BTreeMap<Uuid, std::collections::BTreeSet<i32>>;
/// Partitions by topic id with the member epoch at which each was assigned.
pub type PartitionEpochs = std::collections::BTreeMap<Uuid, std::collections::BTreeMap<i32, i32>>;

/// A consumer group's epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerMetadataValue {
    /// Grows with every change of members, subscriptions or subscribed topics.
    pub epoch: i32,
    /// Hash over the subscribed topics (KIP-1101), 0 for none.
    pub metadata_hash: i64,
}

/// A consumer group member's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberValue {
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// Rack.
    pub rack_id: Option<Name>,
    /// `client.id`.
    pub client_id: Name,
    /// Address in Java's writing.
    pub client_host: Name,
    /// Sorted.
    pub topic_names: Vec<Name>,
    /// Regular expression, `None` if never set.
    pub topic_regex: Option<Name>,
    /// In milliseconds.
    pub rebalance_timeout_ms: i32,
    /// The assignor the member prefers.
    pub server_assignor: Option<Name>,
    /// Set for a member that still speaks the classic protocol.
    pub classic: Option<ClassicMemberMetadata>,
}

/// What a classic member of a consumer group joined with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicMemberMetadata {
    /// In milliseconds.
    pub session_timeout_ms: i32,
    /// Protocols with their metadata, in the member's order of preference.
    pub protocols: Vec<(Name, Bytes)>,
}

/// The target assignment's epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetMetadataValue {
    /// The group epoch it was computed for.
    pub epoch: i32,
    /// When, in milliseconds since 1970; 0 in records older than Kafka 4.3.
    pub timestamp: i64,
}

/// A member's place in the reconciliation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentValue {
    /// The epoch the member is at.
    pub epoch: i32,
    /// The epoch before.
    pub previous_epoch: i32,
    /// Where it stands.
    pub state: MemberState,
    /// What it may use.
    pub assigned: PartitionEpochs,
    /// What it has to give back first.
    pub pending_revocation: PartitionEpochs,
}

/// Where a member of a consumer group stands on the way to its target assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// At its target.
    Stable,
    /// Must give partitions back before it moves on.
    UnrevokedPartitions,
    /// Waits for partitions that others still hold.
    UnreleasedPartitions,
    /// Written by a later version of Kafka.
    Unknown,
}

/// The topics a regular expression stood for when it was last resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexValue {
    /// Topic names, sorted.
    pub topics: Vec<Name>,
    /// Version of the metadata image it was resolved against.
    pub version: i64,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
}
