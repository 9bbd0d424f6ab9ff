//! What the API layer asks the coordinator, and what it gets back: plain structs, no wire format.

use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use commitlog::VerificationGuard;
use uuid::Uuid;

use super::GroupError;
use super::record::{Name, Partitions};

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `client.id` of the request header, empty for null.
    pub id: Name,
    /// Where it comes from, in Java's writing.
    pub host: Name,
}

impl Client {
    /// A client at an address.
    pub fn new(id: &str, address: IpAddr) -> Self {
        Self { id: id.into(), host: java_address(address).into() }
    }
}

/// `java.net.InetAddress.toString` of an unresolved address: `/127.0.0.1`, `/0:0:0:0:0:0:0:1`.
pub fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("/{v4}"),
        IpAddr::V6(v6) => format!("/{}", java_v6(v6)),
    }
}

fn java_v6(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}

/// JoinGroup, every version.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// The API version: 4 and later get a member id first (KIP-394), 9 and later may skip the assignment (KIP-814).
    pub version: i16,
    /// Who asks.
    pub client: Client,
    /// The group.
    pub group_id: Name,
    /// In milliseconds.
    pub session_timeout_ms: i32,
    /// In milliseconds; `None` before version 1, where the session timeout stands for it.
    pub rebalance_timeout_ms: Option<i32>,
    /// Empty on the first join.
    pub member_id: Name,
    /// Static membership (KIP-345).
    pub instance_id: Option<Name>,
    /// `consumer`, `connect`, …
    pub protocol_type: Name,
    /// Protocols with the member's metadata for each, most preferred first.
    pub protocols: Vec<(Name, Bytes)>,
    /// Why, for the log (KIP-800).
    pub reason: Option<String>,
}

/// The reply to JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinReply {
    /// `None` on success.
    pub error: Option<GroupError>,
    /// -1 on error.
    pub generation: i32,
    /// The group's protocol type; `None` on error.
    pub protocol_type: Option<Name>,
    /// The chosen protocol; `None` on error: the API layer writes an empty text before version 7.
    pub protocol_name: Option<Name>,
    /// The leader's member id, empty on error.
    pub leader: Name,
    /// The leader need not compute an assignment (version 9).
    pub skip_assignment: bool,
    /// The member's id; with [`GroupError::MemberIdRequired`] the one to join again with.
    pub member_id: Name,
    /// Every member, for the leader only.
    pub members: Vec<JoinedMember>,
}

impl JoinReply {
    /// A reply that carries an error and the member's id.
    pub fn failed(member_id: Name, error: GroupError) -> Self {
        Self {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: Name::from(""),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Member id.
    pub member_id: Name,
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// Metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// SyncGroup, every version.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The group.
    pub group_id: Name,
    /// The generation joined.
    pub generation: i32,
    /// The member.
    pub member_id: Name,
    /// Static membership.
    pub instance_id: Option<Name>,
    /// From version 5 on: must be the group's.
    pub protocol_type: Option<Name>,
    /// From version 5 on: must be the group's.
    pub protocol_name: Option<Name>,
    /// The leader's assignments by member id.
    pub assignments: Vec<(Name, Bytes)>,
}

/// The reply to SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReply {
    /// `None` on success.
    pub error: Option<GroupError>,
    /// The group's protocol type; `None` on error.
    pub protocol_type: Option<Name>,
    /// The chosen protocol; `None` on error.
    pub protocol_name: Option<Name>,
    /// Empty on error.
    pub assignment: Bytes,
}

impl SyncReply {
    /// A reply that carries only an error.
    pub fn failed(error: GroupError) -> Self {
        Self { error: Some(error), protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// Heartbeat.
#[derive(Debug, Clone)]
pub struct HeartbeatRequest {
    /// The group.
    pub group_id: Name,
    /// The generation the member is in.
    pub generation: i32,
    /// The member.
    pub member_id: Name,
    /// Static membership.
    pub instance_id: Option<Name>,
}

/// LeaveGroup; versions before 3 send one member without instance id.
#[derive(Debug, Clone)]
pub struct LeaveRequest {
    /// The group.
    pub group_id: Name,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One member of a LeaveGroup request.
#[derive(Debug, Clone)]
pub struct LeavingMember {
    /// Empty to name a static member by its instance id alone.
    pub member_id: Name,
    /// Static membership.
    pub instance_id: Option<Name>,
    /// Why, for the log (KIP-800).
    pub reason: Option<String>,
}

/// What became of one leaving member, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    /// As in the request.
    pub member_id: Name,
    /// As in the request.
    pub instance_id: Option<Name>,
    /// `None` on success. Before version 3 this is the reply's error.
    pub error: Option<GroupError>,
}

/// OffsetCommit and TxnOffsetCommit. The API layer has resolved topic ids and answered unknown topics by itself.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// The API version of OffsetCommit: from 9 on a missing group and a stale epoch get errors of their own.
    pub version: i16,
    /// The group.
    pub group_id: Name,
    /// Generation or member epoch; -1 for a consumer that does not use group management.
    pub generation: i32,
    /// The member; empty for none.
    pub member_id: Name,
    /// Static membership.
    pub instance_id: Option<Name>,
    /// OffsetCommit 2 to 4: how long to keep the offsets; `None` for the broker's setting (-1 on the wire).
    pub retention_ms: Option<i64>,
    /// What to commit.
    pub topics: Vec<TopicPartitions<CommitPartition>>,
}

/// A topic with something for each of some partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartitions<P> {
    /// The topic's name.
    pub topic: Name,
    /// The topic's id, nil when unknown.
    pub topic_id: Uuid,
    /// One entry for each partition, in the order of the request.
    pub partitions: Vec<P>,
}

/// One partition of a commit.
#[derive(Debug, Clone)]
pub struct CommitPartition {
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// -1 for none.
    pub leader_epoch: i32,
    /// Null for none.
    pub metadata: Option<String>,
    /// OffsetCommit 1: the time of the commit in milliseconds since 1970; `None` (-1 on the wire) for now.
    pub timestamp: Option<i64>,
}

/// What became of one partition, in the order of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionResult {
    /// The partition.
    pub partition: i32,
    /// `None` on success.
    pub error: Option<GroupError>,
}

/// The producer of a TxnOffsetCommit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// Proof that the group's partition is part of its transaction; `None` if the log need not be shown one.
    pub verified: Option<VerificationGuard>,
}

/// One group of an OffsetFetch.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The group.
    pub group_id: Name,
    /// From version 9 on, for members of a consumer group.
    pub member_id: Option<Name>,
    /// From version 9 on; -1 for none.
    pub member_epoch: i32,
    /// `None` for every topic with a committed offset.
    pub topics: Option<Vec<TopicPartitions<i32>>>,
    /// Partitions with transactional commits of unknown outcome answer [`GroupError::UnstableOffsetCommit`].
    pub require_stable: bool,
}

/// One partition of an OffsetFetch reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: i32,
    /// -1 for none.
    pub offset: i64,
    /// -1 for none.
    pub leader_epoch: i32,
    /// Empty for none.
    pub metadata: String,
    /// `None` on success.
    pub error: Option<GroupError>,
}

/// OffsetDelete.
#[derive(Debug, Clone)]
pub struct DeleteOffsetsRequest {
    /// The group.
    pub group_id: Name,
    /// What to delete.
    pub topics: Vec<TopicPartitions<i32>>,
}

/// A group as ListGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group_id: Name,
    /// Empty for none.
    pub protocol_type: Name,
    /// State as Kafka writes it: `Stable`, `PreparingRebalance`, …
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
}

/// A group as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    /// The group.
    pub group_id: Name,
    /// Set for a group that is missing or of another type, whose state is `Dead`: the API layer sends code and message
    /// from version 6 on.
    pub missing: Option<String>,
    /// State as Kafka writes it.
    pub state: &'static str,
    /// Empty for none.
    pub protocol_type: Name,
    /// The chosen protocol of a stable group, else empty.
    pub protocol: Name,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// A member as DescribeGroups shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    /// Member id.
    pub member_id: Name,
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// `client.id`.
    pub client_id: Name,
    /// Address in Java's writing.
    pub client_host: Name,
    /// Metadata for the chosen protocol; empty unless the group is stable.
    pub metadata: Bytes,
    /// The last that the leader made.
    pub assignment: Bytes,
}

/// An error with a message of its own, which the reply carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// The error.
    pub error: GroupError,
    /// What it says; empty where there is nothing to say but what the error means.
    pub message: String,
}

impl Rejected {
    pub(crate) fn new(error: GroupError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl From<GroupError> for Rejected {
    fn from(error: GroupError) -> Self {
        Self { error, message: String::new() }
    }
}

/// ConsumerGroupHeartbeat (KIP-848). `None` stands for null: unchanged since the last heartbeat.
#[derive(Debug, Clone)]
pub struct ConsumerHeartbeatRequest {
    /// The API version: from 1 on members bring an id of their own.
    pub version: i16,
    /// Who asks.
    pub client: Client,
    /// The group.
    pub group_id: Name,
    /// The member; empty in version 0 to be given an id.
    pub member_id: Name,
    /// 0 to join, -1 to leave, -2 for a static member that will be back.
    pub member_epoch: i32,
    /// Static membership.
    pub instance_id: Option<Name>,
    /// Rack.
    pub rack_id: Option<Name>,
    /// In milliseconds; -1 for unchanged.
    pub rebalance_timeout_ms: i32,
    /// Subscribed topics.
    pub topic_names: Option<Vec<Name>>,
    /// Subscribed regular expression, from version 1 on; empty for none.
    pub topic_regex: Option<Name>,
    /// The assignor the member prefers.
    pub server_assignor: Option<Name>,
    /// What the member owns.
    pub owned: Option<Partitions>,
}

/// The reply to ConsumerGroupHeartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatReply {
    /// The member.
    pub member_id: Name,
    /// Its epoch.
    pub member_epoch: i32,
    /// When to send the next, in milliseconds; 0 for a member that left.
    pub heartbeat_interval_ms: i32,
    /// What the member may use, when it has to be told.
    pub assignment: Option<Partitions>,
}

/// A group as ConsumerGroupDescribe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// The group.
    pub group_id: Name,
    /// State as Kafka writes it.
    pub state: &'static str,
    /// The group's epoch.
    pub epoch: i32,
    /// The target assignment's epoch.
    pub assignment_epoch: i32,
    /// The assignor that computes it.
    pub assignor: &'static str,
    /// The members.
    pub members: Vec<DescribedConsumer>,
}

/// A member as ConsumerGroupDescribe shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// Member id.
    pub member_id: Name,
    /// Instance id of a static member.
    pub instance_id: Option<Name>,
    /// Rack.
    pub rack_id: Option<Name>,
    /// The member's epoch.
    pub epoch: i32,
    /// `client.id`.
    pub client_id: Name,
    /// Address in Java's writing.
    pub client_host: Name,
    /// Subscribed topics.
    pub topic_names: Vec<Name>,
    /// Subscribed regular expression; empty for none, null for a record of Kafka 3.
    pub topic_regex: Option<Name>,
    /// What it may use.
    pub assignment: Vec<TopicPartitions<i32>>,
    /// What it is to have.
    pub target: Vec<TopicPartitions<i32>>,
    /// Whether it speaks the classic protocol (member type 0; 1 otherwise).
    pub is_classic: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_does() {
        assert_eq!(java_address(IpAddr::from([127, 0, 0, 1])), "/127.0.0.1");
        assert_eq!(java_address(IpAddr::V6(Ipv6Addr::LOCALHOST)), "/0:0:0:0:0:0:0:1");
        assert_eq!(java_address("::ffff:10.0.0.7".parse().unwrap()), "/10.0.0.7");
    }
}
