//! Committed offsets, and those whose transaction is still open.
//!
//! What holds: a partition's committed offset is the one written last in the log among those that count, where a
//! transactional commit counts from its marker on but keeps the place where it was written. So a commit that came
//! after it in the log wins, whichever was decided first.

use std::collections::{BTreeMap, HashMap};

use super::record::{GroupRecord, Name, OffsetValue};
use super::shard::Group;
use super::time::Now;

type ByTopic<T> = BTreeMap<Name, BTreeMap<i32, T>>;

/// A committed offset and where its record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub value: OffsetValue,
    record_offset: i64,
}

/// The offsets of one shard's groups.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: HashMap<Name, ByTopic<Committed>>,
    /// By producer id.
    pending: HashMap<i64, HashMap<Name, ByTopic<Committed>>>,
    /// How many open transactions touch a partition, by group.
    open: HashMap<Name, ByTopic<usize>>,
}

impl Offsets {
    /// Applies a commit that stands at `record_offset` in the log, in the transaction of `producer` if there is one.
    pub fn put(
        &mut self,
        record_offset: i64,
        producer: Option<i64>,
        group: Name,
        topic: Name,
        partition: i32,
        value: OffsetValue,
    ) {
        let committed = Committed { value, record_offset };
        let Some(producer) = producer else {
            self.committed.entry(group).or_default().entry(topic).or_default().insert(partition, committed);
            return;
        };
        let offsets = self.pending.entry(producer).or_default().entry(group.clone()).or_default();
        if offsets.entry(topic.clone()).or_default().insert(partition, committed).is_none() {
            *self.open.entry(group).or_default().entry(topic).or_default().entry(partition).or_default() += 1;
        }
    }

    /// Deletes an offset, with whatever transactions wanted to make of it.
    pub fn remove(&mut self, group: &Name, topic: &Name, partition: i32) {
        remove_in(&mut self.committed, group, topic, partition);
        if remove_in(&mut self.open, group, topic, partition).is_some() {
            for groups in self.pending.values_mut() {
                remove_in(groups, group, topic, partition);
            }
            self.pending.retain(|_, groups| !groups.is_empty());
        }
    }

    /// Decides a transaction.
    pub fn end_transaction(&mut self, producer: i64, commit: bool) {
        for (group, topics) in self.pending.remove(&producer).unwrap_or_default() {
            for (topic, partitions) in topics {
                for (partition, pending) in partitions {
                    self.close(&group, &topic, partition);
                    if commit {
                        self.materialise(&group, &topic, partition, pending);
                    }
                }
            }
        }
    }

    fn close(&mut self, group: &Name, topic: &Name, partition: i32) {
        let count = self
            .open
            .get_mut(group)
            .and_then(|topics| topics.get_mut(topic))
            .and_then(|partitions| partitions.get_mut(&partition));
        if let Some(count) = count {
            *count -= 1;
            if *count == 0 {
                remove_in(&mut self.open, group, topic, partition);
            }
        }
    }

    fn materialise(&mut self, group: &Name, topic: &Name, partition: i32, pending: Committed) {
        let partitions = self.committed.entry(group.clone()).or_default().entry(topic.clone()).or_default();
        let later = partitions.get(&partition).is_some_and(|known| known.record_offset > pending.record_offset);
        if !later {
            partitions.insert(partition, pending);
        }
    }

    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.committed.get(group)?.get(topic)?.get(&partition)
    }

    /// Every committed offset of a group.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = (&Name, &BTreeMap<i32, Committed>)> {
        self.committed.get(group).into_iter().flatten()
    }

    /// Whether a transaction that touches the partition is open.
    pub fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.open
            .get(group)
            .and_then(|topics| topics.get(topic))
            .is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Whether anything is known of the partition, committed or in an open transaction.
    pub fn knows(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.get(group, topic, partition).is_some() || self.is_unstable(group, topic, partition)
    }

    /// Tombstones for everything the group has committed or is about to.
    pub fn tombstones(&self, group: &Name, records: &mut Vec<GroupRecord>) {
        let mut all: BTreeMap<&Name, std::collections::BTreeSet<i32>> = BTreeMap::new();
        for (topic, partitions) in self.of_group(group) {
            all.entry(topic).or_default().extend(partitions.keys());
        }
        for (topic, partitions) in self.open.get(group).into_iter().flatten() {
            all.entry(topic).or_default().extend(partitions.keys());
        }
        for (topic, partitions) in all {
            records.extend(partitions.into_iter().map(|partition| tombstone(group, topic, partition)));
        }
    }

    /// Tombstones for the partitions of a topic that is gone, in all groups. A topic of the same name but another
    /// id has its own offsets.
    pub fn topic_tombstones(&self, topic: &str, topic_id: uuid::Uuid, records: &mut Vec<GroupRecord>) {
        for (group, topics) in &self.committed {
            if let Some((name, partitions)) = topics.get_key_value(topic) {
                let gone = partitions.iter().filter(|(_, known)| is_same_topic(known.value.topic_id, topic_id));
                records.extend(gone.map(|(partition, _)| tombstone(group, name, *partition)));
            }
        }
        for (group, topics) in &self.open {
            if let Some((name, partitions)) = topics.get_key_value(topic) {
                let only_open = partitions.keys().filter(|partition| self.get(group, topic, **partition).is_none());
                records.extend(only_open.map(|partition| tombstone(group, name, *partition)));
            }
        }
    }

    /// Tombstones for the group's expired offsets; `true` if nothing of the group is left after them.
    pub fn expire(
        &self,
        now: Now,
        id: &Name,
        group: &Group,
        retention_ms: i64,
        records: &mut Vec<GroupRecord>,
    ) -> bool {
        let is_open = self.open.contains_key(id);
        if !self.committed.contains_key(id) {
            return !is_open;
        }
        let Some(condition) = Expiry::of(group) else { return false };
        let mut all = true;
        for (topic, partitions) in self.of_group(id) {
            let subscribed = is_subscribed(group, topic);
            for (partition, committed) in partitions {
                let expired = !subscribed && condition.is_over(now, &committed.value, retention_ms);
                if expired && !self.is_unstable(id, topic, *partition) {
                    records.push(tombstone(id, topic, *partition));
                } else {
                    all = false;
                }
            }
        }
        all && !is_open
    }
}

/// Where the retention of a group's offsets counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// When each was committed.
    SinceCommit,
    /// When the group came into its state.
    Since(i64),
}

impl Expiry {
    /// `None` while the group's offsets cannot expire.
    fn of(group: &Group) -> Option<Self> {
        use super::classic::State;
        match group {
            // No group management: only the commits tell that somebody is there.
            Group::Classic(group) if group.protocol_type.is_none() => Some(Self::SinceCommit),
            Group::Classic(group) if group.is_in(State::Empty) => {
                Some(group.state_timestamp().map_or(Self::SinceCommit, Self::Since))
            }
            // A stable group expires the offsets of topics it no longer reads.
            Group::Classic(group) if group.is_in(State::Stable) => group.subscribed().map(|_| Self::SinceCommit),
            Group::Classic(_) => None,
            Group::Consumer(_) => Some(Self::SinceCommit),
        }
    }

    fn is_over(self, now: Now, value: &OffsetValue, retention_ms: i64) -> bool {
        // A retention the client asked for overrules the broker's.
        if let Some(expires) = value.expire_timestamp {
            return now.unix_ms >= expires;
        }
        let since = match self {
            Self::SinceCommit => value.commit_timestamp,
            Self::Since(timestamp) => timestamp,
        };
        now.unix_ms.saturating_sub(since) >= retention_ms
    }
}

/// Whether the group reads the topic, so that its offsets stay.
pub(crate) fn is_subscribed(group: &Group, topic: &str) -> bool {
    match group {
        Group::Classic(group) => group.is_subscribed_to(topic),
        Group::Consumer(group) => group.is_subscribed_to(topic),
    }
}

/// Ids agree, or one of them is unknown.
pub(crate) fn is_same_topic(known: uuid::Uuid, asked: uuid::Uuid) -> bool {
    known.is_nil() || asked.is_nil() || known == asked
}

/// Deletes one offset.
pub(crate) fn tombstone(group: &Name, topic: &Name, partition: i32) -> GroupRecord {
    GroupRecord::Offset { group: group.clone(), topic: topic.clone(), partition, value: None }
}

/// Takes one entry out, and the maps that are empty without it.
fn remove_in<T>(groups: &mut HashMap<Name, ByTopic<T>>, group: &Name, topic: &Name, partition: i32) -> Option<T> {
    let topics = groups.get_mut(group)?;
    let partitions = topics.get_mut(topic)?;
    let removed = partitions.remove(&partition);
    if partitions.is_empty() {
        topics.remove(topic);
    }
    if topics.is_empty() {
        groups.remove(group);
    }
    removed
}
