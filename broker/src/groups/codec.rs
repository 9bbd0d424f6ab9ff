//! Records of `__consumer_offsets` as bytes, in the versions that Apache Kafka 4.3 writes.

use std::borrow::Cow;

use bytes::Bytes;
use uuid::Uuid;
use wire::coordinator::{self as stored, GroupKey};
use wire::coordinator_record::{decode_value, encode_key, encode_value};
use wire::{DecodeError, EncodeError};

use super::record::{
    ClassicMemberMetadata, ClassicMemberValue, ClassicValue, ConsumerMetadataValue, ConsumerPart, CurrentValue,
    GroupRecord, MemberState, MemberValue, Name, OffsetValue, PartitionEpochs, Partitions, RegexValue,
    TargetMetadataValue,
};

/// Version of the committed offsets we write: 1 is the only one that can say when they expire.
const OFFSET_VERSION: i16 = 4;
const OFFSET_VERSION_WITH_EXPIRY: i16 = 1;
/// Version of the classic groups we write.
const CLASSIC_VERSION: i16 = 3;
/// Version of every record of the consumer protocol.
const CONSUMER_VERSION: i16 = 0;

/// A record as it goes into a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The key.
    pub key: Bytes,
    /// The value; `None` for a tombstone.
    pub value: Option<Bytes>,
}

/// Writes a record.
///
/// # Errors
/// [`EncodeError`] for a text that is longer than its length prefix can say.
pub fn encode(record: &GroupRecord) -> Result<EncodedRecord, EncodeError> {
    match record {
        GroupRecord::Offset { group, topic, partition, value } => {
            let key = stored::OffsetCommitKey { group: text(group), topic: text(topic), partition: *partition };
            encoded(encode_key(&key), value.as_ref().map(encode_offset))
        }
        GroupRecord::Classic { group, value } => {
            let key = stored::GroupMetadataKey { group: text(group) };
            encoded(encode_key(&key), value.as_ref().map(encode_classic))
        }
        GroupRecord::Consumer { group, part } => encode_part(group, part),
    }
}

/// Reads a record; `None` for the types of other coordinators (share and streams groups), which are left alone.
///
/// # Errors
/// [`DecodeError`] for bytes that are no such record.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<GroupRecord>, DecodeError> {
    let record = match GroupKey::decode(key)? {
        GroupKey::LegacyOffsetCommit(key) => GroupRecord::Offset {
            group: name(&key.group),
            topic: name(&key.topic),
            partition: key.partition,
            value: value.map(decode_offset).transpose()?,
        },
        GroupKey::OffsetCommit(key) => GroupRecord::Offset {
            group: name(&key.group),
            topic: name(&key.topic),
            partition: key.partition,
            value: value.map(decode_offset).transpose()?,
        },
        GroupKey::GroupMetadata(key) => {
            GroupRecord::Classic { group: name(&key.group), value: value.map(decode_classic).transpose()? }
        }
        key => match decode_part(key, value)? {
            Some((group, part)) => GroupRecord::Consumer { group, part },
            None => return Ok(None),
        },
    };
    Ok(Some(record))
}

fn text(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(name)
}

fn optional_text(name: &Option<Name>) -> Option<Cow<'_, str>> {
    name.as_deref().map(Cow::Borrowed)
}

fn name(text: &str) -> Name {
    Name::from(text)
}

fn optional_name(text: Option<Cow<'_, str>>) -> Option<Name> {
    text.as_deref().map(Name::from)
}

fn encoded(
    key: Result<Vec<u8>, EncodeError>,
    value: Option<Result<Vec<u8>, EncodeError>>,
) -> Result<EncodedRecord, EncodeError> {
    Ok(EncodedRecord { key: key?.into(), value: value.transpose()?.map(Bytes::from) })
}

fn encode_offset(value: &OffsetValue) -> Result<Vec<u8>, EncodeError> {
    let version = if value.expire_timestamp.is_some() { OFFSET_VERSION_WITH_EXPIRY } else { OFFSET_VERSION };
    let value = stored::OffsetCommitValue {
        offset: value.offset,
        leader_epoch: value.leader_epoch.unwrap_or(-1),
        metadata: Cow::Borrowed(&value.metadata),
        commit_timestamp: value.commit_timestamp,
        expire_timestamp: value.expire_timestamp.unwrap_or(-1),
        topic_id: value.topic_id,
        unknown_tagged_fields: Vec::new(),
    };
    encode_value(&value, version)
}

fn decode_offset(bytes: &[u8]) -> Result<OffsetValue, DecodeError> {
    let (value, _) = decode_value::<stored::OffsetCommitValue<'_>>(bytes)?;
    Ok(OffsetValue {
        offset: value.offset,
        leader_epoch: Some(value.leader_epoch).filter(|epoch| *epoch != -1),
        metadata: value.metadata.into(),
        commit_timestamp: value.commit_timestamp,
        expire_timestamp: Some(value.expire_timestamp).filter(|timestamp| *timestamp != -1),
        topic_id: value.topic_id,
    })
}

fn encode_classic(value: &ClassicValue) -> Result<Vec<u8>, EncodeError> {
    let value = stored::GroupMetadataValue {
        protocol_type: text(&value.protocol_type),
        generation: value.generation,
        protocol: optional_text(&value.protocol),
        leader: optional_text(&value.leader),
        current_state_timestamp: value.state_timestamp.unwrap_or(-1),
        members: value.members.iter().map(stored_member).collect(),
        unknown_tagged_fields: Vec::new(),
    };
    encode_value(&value, CLASSIC_VERSION)
}

fn stored_member(member: &ClassicMemberValue) -> stored::group_metadata_value::MemberMetadata<'_> {
    stored::group_metadata_value::MemberMetadata {
        member_id: text(&member.member_id),
        group_instance_id: optional_text(&member.instance_id),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: Cow::Borrowed(&member.subscription),
        assignment: Cow::Borrowed(&member.assignment),
        unknown_tagged_fields: Vec::new(),
    }
}

fn decode_classic(bytes: &[u8]) -> Result<ClassicValue, DecodeError> {
    let (value, _) = decode_value::<stored::GroupMetadataValue<'_>>(bytes)?;
    let member = |member: stored::group_metadata_value::MemberMetadata<'_>| ClassicMemberValue {
        member_id: name(&member.member_id),
        instance_id: optional_name(member.group_instance_id),
        client_id: name(&member.client_id),
        client_host: name(&member.client_host),
        rebalance_timeout_ms: member.rebalance_timeout,
        session_timeout_ms: member.session_timeout,
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    };
    Ok(ClassicValue {
        protocol_type: name(&value.protocol_type),
        generation: value.generation,
        protocol: optional_name(value.protocol),
        leader: optional_name(value.leader),
        state_timestamp: Some(value.current_state_timestamp).filter(|timestamp| *timestamp != -1),
        members: value.members.into_iter().map(member).collect(),
    })
}

fn encode_part(group: &Name, part: &ConsumerPart) -> Result<EncodedRecord, EncodeError> {
    let group_id = text(group);
    match part {
        ConsumerPart::Metadata(value) => {
            let value = value.map(|value| stored::ConsumerGroupMetadataValue {
                epoch: value.epoch,
                metadata_hash: value.metadata_hash,
                unknown_tagged_fields: Vec::new(),
            });
            let key = stored::ConsumerGroupMetadataKey { group_id };
            encoded(encode_key(&key), value.map(|value| encode_value(&value, CONSUMER_VERSION)))
        }
        ConsumerPart::PartitionMetadata => {
            encoded(encode_key(&stored::ConsumerGroupPartitionMetadataKey { group_id }), None)
        }
        ConsumerPart::Member(member, value) => {
            let key = stored::ConsumerGroupMemberMetadataKey { group_id, member_id: text(member) };
            encoded(encode_key(&key), value.as_ref().map(encode_member))
        }
        ConsumerPart::TargetMetadata(value) => {
            let value = value.map(|value| stored::ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch: value.epoch,
                assignment_timestamp: value.timestamp,
                unknown_tagged_fields: Vec::new(),
            });
            let key = stored::ConsumerGroupTargetAssignmentMetadataKey { group_id };
            encoded(encode_key(&key), value.map(|value| encode_value(&value, CONSUMER_VERSION)))
        }
        ConsumerPart::Target(member, value) => {
            let key = stored::ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: text(member) };
            encoded(encode_key(&key), value.as_ref().map(encode_target))
        }
        ConsumerPart::Current(member, value) => {
            let key = stored::ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: text(member) };
            encoded(encode_key(&key), value.as_ref().map(encode_current))
        }
        ConsumerPart::Regex(expression, value) => {
            let key = stored::ConsumerGroupRegularExpressionKey { group_id, regular_expression: text(expression) };
            let value = value.as_ref().map(|value| stored::ConsumerGroupRegularExpressionValue {
                topics: value.topics.iter().map(|topic| text(topic)).collect(),
                version: value.version,
                timestamp: value.timestamp,
                unknown_tagged_fields: Vec::new(),
            });
            encoded(encode_key(&key), value.map(|value| encode_value(&value, CONSUMER_VERSION)))
        }
    }
}

fn decode_part(key: GroupKey<'_>, value: Option<&[u8]>) -> Result<Option<(Name, ConsumerPart)>, DecodeError> {
    Ok(Some(match key {
        GroupKey::ConsumerGroupMetadata(key) => {
            let value = value.map(decode_value::<stored::ConsumerGroupMetadataValue>).transpose()?;
            let value = value
                .map(|(value, _)| ConsumerMetadataValue { epoch: value.epoch, metadata_hash: value.metadata_hash });
            (name(&key.group_id), ConsumerPart::Metadata(value))
        }
        GroupKey::ConsumerGroupPartitionMetadata(key) => (name(&key.group_id), ConsumerPart::PartitionMetadata),
        GroupKey::ConsumerGroupMemberMetadata(key) => {
            (name(&key.group_id), ConsumerPart::Member(name(&key.member_id), value.map(decode_member).transpose()?))
        }
        GroupKey::ConsumerGroupTargetAssignmentMetadata(key) => {
            let value = value.map(decode_value::<stored::ConsumerGroupTargetAssignmentMetadataValue>).transpose()?;
            let value = value.map(|(value, _)| TargetMetadataValue {
                epoch: value.assignment_epoch,
                timestamp: value.assignment_timestamp,
            });
            (name(&key.group_id), ConsumerPart::TargetMetadata(value))
        }
        GroupKey::ConsumerGroupTargetAssignmentMember(key) => {
            (name(&key.group_id), ConsumerPart::Target(name(&key.member_id), value.map(decode_target).transpose()?))
        }
        GroupKey::ConsumerGroupCurrentMemberAssignment(key) => {
            (name(&key.group_id), ConsumerPart::Current(name(&key.member_id), value.map(decode_current).transpose()?))
        }
        GroupKey::ConsumerGroupRegularExpression(key) => {
            let value = value.map(decode_value::<stored::ConsumerGroupRegularExpressionValue<'_>>).transpose()?;
            let value = value.map(|(value, _)| RegexValue {
                topics: value.topics.iter().map(|topic| name(topic)).collect(),
                version: value.version,
                timestamp: value.timestamp,
            });
            (name(&key.group_id), ConsumerPart::Regex(name(&key.regular_expression), value))
        }
        _ => return Ok(None),
    }))
}

fn encode_member(value: &MemberValue) -> Result<Vec<u8>, EncodeError> {
    let classic =
        value.classic.as_ref().map(|classic| stored::consumer_group_member_metadata_value::ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic
                .protocols
                .iter()
                .map(|(name, metadata)| stored::consumer_group_member_metadata_value::ClassicProtocol {
                    name: text(name),
                    metadata: Cow::Borrowed(metadata),
                    unknown_tagged_fields: Vec::new(),
                })
                .collect(),
            unknown_tagged_fields: Vec::new(),
        });
    let value = stored::ConsumerGroupMemberMetadataValue {
        instance_id: optional_text(&value.instance_id),
        rack_id: optional_text(&value.rack_id),
        client_id: text(&value.client_id),
        client_host: text(&value.client_host),
        subscribed_topic_names: value.topic_names.iter().map(|topic| text(topic)).collect(),
        subscribed_topic_regex: optional_text(&value.topic_regex),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        server_assignor: optional_text(&value.server_assignor),
        classic_member_metadata: classic,
        unknown_tagged_fields: Vec::new(),
    };
    encode_value(&value, CONSUMER_VERSION)
}

fn decode_member(bytes: &[u8]) -> Result<MemberValue, DecodeError> {
    let (value, _) = decode_value::<stored::ConsumerGroupMemberMetadataValue<'_>>(bytes)?;
    let classic = value.classic_member_metadata.map(|classic| ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic
            .supported_protocols
            .iter()
            .map(|protocol| (name(&protocol.name), Bytes::copy_from_slice(&protocol.metadata)))
            .collect(),
    });
    Ok(MemberValue {
        instance_id: optional_name(value.instance_id),
        rack_id: optional_name(value.rack_id),
        client_id: name(&value.client_id),
        client_host: name(&value.client_host),
        topic_names: value.subscribed_topic_names.iter().map(|topic| name(topic)).collect(),
        topic_regex: optional_name(value.subscribed_topic_regex),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        server_assignor: optional_name(value.server_assignor),
        classic,
    })
}

fn encode_target(value: &Partitions) -> Result<Vec<u8>, EncodeError> {
    use stored::consumer_group_target_assignment_member_value::TopicPartition;
    let topic = |(topic_id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| TopicPartition {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        unknown_tagged_fields: Vec::new(),
    };
    let value = stored::ConsumerGroupTargetAssignmentMemberValue {
        topic_partitions: value.iter().map(topic).collect(),
        unknown_tagged_fields: Vec::new(),
    };
    encode_value(&value, CONSUMER_VERSION)
}

fn decode_target(bytes: &[u8]) -> Result<Partitions, DecodeError> {
    let (value, _) = decode_value::<stored::ConsumerGroupTargetAssignmentMemberValue>(bytes)?;
    Ok(value
        .topic_partitions
        .into_iter()
        .map(|topic| (topic.topic_id, topic.partitions.into_iter().collect()))
        .collect())
}

fn encode_current(value: &CurrentValue) -> Result<Vec<u8>, EncodeError> {
    let value = stored::ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: value.epoch,
        previous_member_epoch: value.previous_epoch,
        state: match value.state {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        },
        assigned_partitions: encode_epochs(&value.assigned),
        partitions_pending_revocation: encode_epochs(&value.pending_revocation),
        unknown_tagged_fields: Vec::new(),
    };
    encode_value(&value, CONSUMER_VERSION)
}

fn encode_epochs(
    partitions: &PartitionEpochs,
) -> Vec<stored::consumer_group_current_member_assignment_value::TopicPartitions> {
    let topic = |(topic_id, partitions): (&Uuid, &std::collections::BTreeMap<i32, i32>)| {
        stored::consumer_group_current_member_assignment_value::TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
            unknown_tagged_fields: Vec::new(),
        }
    };
    partitions.iter().map(topic).collect()
}

fn decode_current(bytes: &[u8]) -> Result<CurrentValue, DecodeError> {
    let (value, _) = decode_value::<stored::ConsumerGroupCurrentMemberAssignmentValue>(bytes)?;
    let epoch = value.member_epoch;
    Ok(CurrentValue {
        epoch,
        previous_epoch: value.previous_member_epoch,
        state: match value.state {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        },
        assigned: decode_epochs(value.assigned_partitions, epoch),
        pending_revocation: decode_epochs(value.partitions_pending_revocation, epoch),
    })
}

/// Records older than Kafka 4.2 do not say when a partition was assigned: then it was at the member's epoch.
fn decode_epochs(
    topics: Vec<stored::consumer_group_current_member_assignment_value::TopicPartitions>,
    member_epoch: i32,
) -> PartitionEpochs {
    let topic = |topic: stored::consumer_group_current_member_assignment_value::TopicPartitions| {
        let epochs = topic.assignment_epochs.unwrap_or_default();
        let epochs = epochs.into_iter().chain(std::iter::repeat(member_epoch));
        (topic.topic_id, topic.partitions.into_iter().zip(epochs).collect())
    };
    topics.into_iter().map(topic).collect()
}
