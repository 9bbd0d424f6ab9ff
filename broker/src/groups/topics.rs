//! What consumer groups need to know of topics.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use twox_hash::XxHash3_64;
use uuid::Uuid;

use super::record::Name;

/// A view of the broker's topics at one moment.
pub trait Topics: Send + Sync + fmt::Debug {
    /// Grows with every change of any topic.
    fn version(&self) -> i64;

    /// The topic of this name.
    fn topic(&self, name: &str) -> Option<TopicInfo>;

    /// The name of the topic with this id.
    fn name_of(&self, id: Uuid) -> Option<Name>;

    /// Calls `visit` with the name of every topic.
    fn for_each_name(&self, visit: &mut dyn FnMut(&str));

    /// `broker.rack`, which all replicas of a single node are in.
    fn rack(&self) -> Option<&str> {
        None
    }
}

/// A topic's id and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
}

/// Topics in maps.
#[derive(Debug, Clone, Default)]
pub struct TopicsImage {
    version: i64,
    by_name: BTreeMap<Name, TopicInfo>,
    by_id: HashMap<Uuid, Name>,
}

impl TopicsImage {
    /// These topics.
    pub fn new(version: i64, topics: impl IntoIterator<Item = (Name, TopicInfo)>) -> Self {
        let by_name: BTreeMap<Name, TopicInfo> = topics.into_iter().collect();
        let by_id = by_name.iter().map(|(name, topic)| (topic.id, name.clone())).collect();
        Self { version, by_name, by_id }
    }
}

impl Topics for TopicsImage {
    fn version(&self) -> i64 {
        self.version
    }

    fn topic(&self, name: &str) -> Option<TopicInfo> {
        self.by_name.get(name).copied()
    }

    fn name_of(&self, id: Uuid) -> Option<Name> {
        self.by_id.get(&id).cloned()
    }

    fn for_each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.by_name.keys().for_each(|name| visit(name));
    }
}

/// The hash of a group's subscribed topics (KIP-1101): when it changes, the group rebalances. Topics that do not exist
/// do not count; without any it is 0. It is stored with the group, so it is the very hash that Kafka computes
/// (`org.apache.kafka.coordinator.group.Utils.computeGroupHash`: XXH3 of 64 bits over little-endian fields).
pub(crate) fn metadata_hash<'a>(topics: &dyn Topics, names: impl Iterator<Item = &'a Name>) -> i64 {
    let hash_of = |name: &'a Name| topics.topic(name).map(|topic| (name, topic_hash(name, topic, topics.rack())));
    let mut hashes: Vec<(&Name, i64)> = names.filter_map(hash_of).collect();
    if hashes.is_empty() {
        return 0;
    }
    // Java orders text by its UTF-16 units; topic names are ASCII.
    hashes.sort_unstable();
    let bytes: Vec<u8> = hashes.iter().flat_map(|(_, hash)| hash.to_le_bytes()).collect();
    xxh3(&bytes)
}

fn topic_hash(name: &str, topic: TopicInfo, rack: Option<&str>) -> i64 {
    let (most, least) = topic.id.as_u64_pair();
    let mut bytes = vec![0];
    bytes.extend(most.to_le_bytes());
    bytes.extend(least.to_le_bytes());
    put_text(&mut bytes, name);
    bytes.extend(topic.partitions.to_le_bytes());
    for partition in 0..topic.partitions {
        bytes.extend(partition.to_le_bytes());
        if let Some(rack) = rack {
            let units = i32::try_from(rack.encode_utf16().count()).unwrap_or(i32::MAX);
            bytes.extend(units.to_le_bytes());
            put_text(&mut bytes, rack);
        }
    }
    xxh3(&bytes)
}

/// The UTF-16 units of a text, then how many there are (`HashStream.putString` of hash4j).
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let before = bytes.len();
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let units = i32::try_from((bytes.len() - before) / 2).unwrap_or(i32::MAX);
    bytes.extend(units.to_le_bytes());
}

fn xxh3(bytes: &[u8]) -> i64 {
    XxHash3_64::oneshot(bytes).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_kafka_stores() {
        // Read from a `ConsumerGroupMetadataValue` that Apache Kafka 4.3.1 wrote.
        let id = Uuid::parse_str("b5a4467c-56f6-4943-b023-ce6bcb4c8fc1").unwrap();
        let image = TopicsImage::new(1, [("t".into(), TopicInfo { id, partitions: 4 })]);
        let names: [Name; 2] = ["missing".into(), "t".into()];
        assert_eq!(metadata_hash(&image, names.iter()), -8_011_639_321_785_879_084);
        assert_eq!(metadata_hash(&image, names[..1].iter()), 0);
    }
}
