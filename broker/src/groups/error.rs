//! What a group request can fail with.

use wire::ErrorCode;

/// An error a group coordinator answers with. Each variant is one of Kafka's error codes
/// (`org.apache.kafka.common.protocol.Errors`), which [`GroupError::code`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(i16)]
pub enum GroupError {
    /// The log refused the records, in a way the client can do nothing about.
    #[error("the server experienced an unexpected error when processing the request")]
    UnknownServerError = -1,
    /// A commit carried more metadata than `offset.metadata.max.bytes`.
    #[error("the committing offset data size is not valid")]
    InvalidCommitOffsetSize = 28,
    /// The metadata of one committed offset is longer than `offset.metadata.max.bytes`.
    #[error("the metadata field of the offset request was too large")]
    OffsetMetadataTooLarge = 12,
    /// The partition of `__consumer_offsets` is still being read.
    #[error("the coordinator is loading and hence can't process requests")]
    CoordinatorLoadInProgress = 14,
    /// There is no `__consumer_offsets` yet, or the coordinator is stopping.
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable = 15,
    /// The group's partition of `__consumer_offsets` is not led here.
    #[error("this is not the correct coordinator")]
    NotCoordinator = 16,
    /// The generation is not the group's current one.
    #[error("specified group generation id is not valid")]
    IllegalGeneration = 22,
    /// No protocol in common with the rest of the group, or another protocol type.
    #[error("the group member's supported protocols are incompatible with those of existing members")]
    InconsistentGroupProtocol = 23,
    /// The group id is empty where it must not be.
    #[error("the group id is invalid")]
    InvalidGroupId = 24,
    /// The coordinator does not know the member.
    #[error("the coordinator is not aware of this member")]
    UnknownMemberId = 25,
    /// Outside of `group.min.session.timeout.ms` to `group.max.session.timeout.ms`.
    #[error("the session timeout is not within the range allowed by the broker")]
    InvalidSessionTimeout = 26,
    /// The group is rebalancing: join again.
    #[error("the group is rebalancing, so a rejoin is needed")]
    RebalanceInProgress = 27,
    /// The version of the API cannot be used for this group.
    #[error("the version of the API is not supported for this group")]
    UnsupportedVersion = 35,
    /// The request breaks a rule of the protocol.
    #[error("this most likely occurs because of a request being malformed by the client library")]
    InvalidRequest = 42,
    /// The group has members.
    #[error("the group is not empty")]
    NonEmptyGroup = 68,
    /// There is no such group, or it is of another type.
    #[error("the group id does not exist")]
    GroupIdNotFound = 69,
    /// Join once more with the member id in this reply (KIP-394).
    #[error("the group member needs to have a valid member id before actually entering a consumer group")]
    MemberIdRequired = 79,
    /// The group has `group.max.size` members.
    #[error("the consumer group has reached its max size")]
    GroupMaxSizeReached = 81,
    /// Another member joined with this instance id (KIP-345).
    #[error("another static consumer with the same group.instance.id is registered with a different member.id")]
    FencedInstanceId = 82,
    /// The group consumes the topic, so its offsets stay.
    #[error("deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it")]
    GroupSubscribedToTopic = 86,
    /// There are transactional commits of unknown outcome (KIP-447).
    #[error("there are unstable offsets that need to be cleared")]
    UnstableOffsetCommit = 88,
    /// The producer was fenced by a newer one of the same transactional id.
    #[error("producer attempted to produce with an old epoch")]
    InvalidProducerEpoch = 47,
    /// The group's partition is not part of the producer's transaction any more.
    #[error("the producer attempted a transactional operation in an invalid state")]
    InvalidTxnState = 48,
    /// The member epoch was fenced by the coordinator (KIP-848).
    #[error("the member epoch is fenced by the group coordinator: abandon all partitions and rejoin")]
    FencedMemberEpoch = 110,
    /// The instance id is in use by a live member (KIP-848).
    #[error("the instance id is still used by another member in the consumer group")]
    UnreleasedInstanceId = 111,
    /// The assignor is not one of `group.consumer.assignors`.
    #[error("the assignor or its version range is not supported by the consumer group")]
    UnsupportedAssignor = 112,
    /// The member epoch is older than the one the coordinator knows: retry with the new one (KIP-848).
    #[error("the member epoch is stale")]
    StaleMemberEpoch = 113,
    /// The regular expression does not compile (KIP-848).
    #[error("the regular expression is not valid")]
    InvalidRegularExpression = 128,
}

impl GroupError {
    /// The error as replies carry it.
    pub fn code(self) -> ErrorCode {
        ErrorCode::from_code(self as i16).unwrap_or(ErrorCode::UnknownServerError)
    }
}

impl From<GroupError> for ErrorCode {
    fn from(error: GroupError) -> Self {
        error.code()
    }
}
