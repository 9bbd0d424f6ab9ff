//! The consumer protocol that is embedded in the classic one: what members say of themselves, and their assignments.

use std::borrow::Cow;

use bytes::Bytes;
use wire::coordinator_record::{decode_value, encode_value};
use wire::data::consumer_protocol_assignment::TopicPartition;
use wire::data::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};

use crate::groups::record::{Name, PartitionEpochs, Partitions};
use crate::groups::topics::Topics;

/// The versions that Kafka's own classes read; a later one is read as this.
const LATEST: i16 = 3;

/// What a classic member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub version: i16,
    /// Sorted.
    pub topics: Vec<Name>,
    /// What it owns; since version 1.
    pub owned: Partitions,
    pub rack_id: Option<Name>,
}

/// Reads a subscription; `None` for bytes that are none.
pub(crate) fn subscription(metadata: &Bytes, topics: &dyn Topics) -> Option<Subscription> {
    let bytes = as_known_version(metadata)?;
    let (read, version) = decode_value::<ConsumerProtocolSubscription<'_>>(&bytes).ok()?;
    let mut names: Vec<Name> = read.topics.iter().map(|topic| Name::from(&**topic)).collect();
    names.sort();
    names.dedup();
    let mut owned = Partitions::new();
    for part in &read.owned_partitions {
        if let Some(topic) = topics.topic(&part.topic) {
            owned.entry(topic.id).or_default().extend(&part.partitions);
        }
    }
    Some(Subscription { version, topics: names, owned, rack_id: read.rack_id.map(|rack| Name::from(&*rack)) })
}

/// Reads an assignment, for which the group has to be stable. `None` for bytes that are none, or that carry data of a
/// client's own assignor, which would be lost.
pub(crate) fn assignment(bytes: &Bytes, topics: &dyn Topics) -> Option<Partitions> {
    if bytes.is_empty() {
        return Some(Partitions::new());
    }
    let bytes = as_known_version(bytes)?;
    let (read, _) = decode_value::<ConsumerProtocolAssignment<'_>>(&bytes).ok()?;
    if read.user_data.is_some_and(|data| !data.is_empty()) {
        return None;
    }
    let mut partitions = Partitions::new();
    for part in &read.assigned_partitions {
        if let Some(topic) = topics.topic(&part.topic) {
            partitions.entry(topic.id).or_default().extend(&part.partitions);
        }
    }
    Some(partitions)
}

/// Writes an assignment in the version that the member's subscription has.
pub(crate) fn write_assignment(partitions: &Partitions, version: i16, topics: &dyn Topics) -> Bytes {
    let named = |(id, numbers): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
        let topic = topics.name_of(*id)?;
        let partitions = numbers.iter().copied().collect();
        Some(TopicPartition { topic: Cow::Owned(topic.to_string()), partitions })
    };
    let value = ConsumerProtocolAssignment {
        assigned_partitions: partitions.iter().filter_map(named).collect(),
        user_data: None,
    };
    // Names come from topics that exist, so they have a length that can be written.
    encode_value(&value, version.clamp(0, LATEST)).unwrap_or_default().into()
}

/// The same partitions without their epochs.
pub(crate) fn without_epochs(partitions: &PartitionEpochs) -> Partitions {
    partitions.iter().map(|(topic, numbers)| (*topic, numbers.keys().copied().collect())).collect()
}

/// A later version only adds fields at the end.
fn as_known_version(bytes: &Bytes) -> Option<Cow<'_, [u8]>> {
    let version = i16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    if version <= LATEST {
        return Some(Cow::Borrowed(bytes));
    }
    let mut known = bytes.to_vec();
    known[..2].copy_from_slice(&LATEST.to_be_bytes());
    Some(Cow::Owned(known))
}
