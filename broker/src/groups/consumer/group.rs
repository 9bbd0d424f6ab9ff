//! A group of the consumer protocol (KIP-848): a function of its records, but for a few hints that need not survive.
//!
//! ```text
//!   members' subscriptions --> group epoch --> target assignment --> each member's current assignment
//!        (heartbeats)            (grows)        (at an epoch)        (reconciled one member at a time)
//! ```
//!
//! What always holds: no partition is in the current assignment of two members, whether assigned or still to be given
//! back; a member's epoch is never larger than the target's, and the target's never larger than the group's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::groups::Assignor;
use crate::groups::classic::CONSUMER;
use crate::groups::record::{
    ClassicMemberMetadata, ConsumerPart, CurrentValue, MemberState, MemberValue, Name, PartitionEpochs, Partitions,
    RegexValue,
};
use crate::groups::topics::{Topics, metadata_hash};

/// A member's epoch when it has left for good.
pub(crate) const LEFT: i32 = -1;
/// A static member's epoch while it is away for a restart.
pub(crate) const AWAY: i32 = -2;

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub id: Name,
    pub value: MemberValue,
    pub current: CurrentValue,
}

impl Member {
    /// A member that nothing is known of yet.
    pub fn new(id: Name) -> Self {
        let nothing = || Name::from("");
        let value = MemberValue {
            instance_id: None,
            rack_id: None,
            client_id: nothing(),
            client_host: nothing(),
            topic_names: Vec::new(),
            topic_regex: Some(nothing()),
            rebalance_timeout_ms: -1,
            server_assignor: None,
            classic: None,
        };
        Self { id, value, current: nothing_assigned(0) }
    }

    pub fn epoch(&self) -> i32 {
        self.current.epoch
    }

    /// The member's regular expression, if it subscribes by one.
    pub fn regex(&self) -> Option<&Name> {
        self.value.topic_regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// The server-side assignor it asks for.
    pub fn assignor(&self) -> Option<Assignor> {
        self.value.server_assignor.as_deref().and_then(Assignor::named)
    }

    pub fn is_classic(&self) -> bool {
        self.value.classic.is_some()
    }

    pub fn classic(&self) -> Option<&ClassicMemberMetadata> {
        self.value.classic.as_ref()
    }

    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == epoch
    }
}

pub(crate) fn nothing_assigned(epoch: i32) -> CurrentValue {
    CurrentValue {
        epoch,
        previous_epoch: epoch,
        state: MemberState::Stable,
        assigned: PartitionEpochs::new(),
        pending_revocation: PartitionEpochs::new(),
    }
}

/// Where a consumer group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    /// The target is older than the group.
    Assigning,
    /// Members are on their way to the target.
    Reconciling,
    Stable,
}

impl State {
    /// The name in ListGroups and ConsumerGroupDescribe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A group of the consumer protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerGroup {
    pub epoch: i32,
    pub metadata_hash: i64,
    members: BTreeMap<Name, Member>,
    /// Instance id to member id.
    statics: HashMap<Name, Name>,
    pub target_epoch: i32,
    /// When the target was computed, in milliseconds since 1970; 0 when there was none.
    pub target_timestamp: i64,
    targets: BTreeMap<Name, Partitions>,
    regexes: BTreeMap<Name, RegexValue>,
    /// Who holds each partition.
    owners: HashMap<Uuid, HashMap<i32, Name>>,
    /// A hint: subscribed topics may have changed since their hash was stored, so the next heartbeat looks.
    pub refresh: bool,
}

impl ConsumerGroup {
    /// A group without members. Its epochs begin at 1, with nothing assigned.
    pub fn new() -> Self {
        Self {
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            statics: HashMap::new(),
            target_epoch: 1,
            target_timestamp: 0,
            targets: BTreeMap::new(),
            regexes: BTreeMap::new(),
            owners: HashMap::new(),
            refresh: true,
        }
    }

    /// Applies a record of the group, other than the one that deletes it.
    pub fn replay(&mut self, part: ConsumerPart) {
        match part {
            ConsumerPart::Metadata(Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
                self.refresh = false;
            }
            ConsumerPart::Member(id, Some(value)) => {
                let mut member = self.members.get(&id).cloned().unwrap_or_else(|| Member::new(id));
                member.value = value;
                self.put(member);
            }
            ConsumerPart::Member(id, None) => self.remove(&id),
            ConsumerPart::TargetMetadata(value) => {
                self.target_epoch = value.map_or(-1, |value| value.epoch);
                self.target_timestamp = value.map_or(0, |value| value.timestamp);
            }
            ConsumerPart::Target(id, Some(partitions)) => drop(self.targets.insert(id, partitions)),
            ConsumerPart::Target(id, None) => drop(self.targets.remove(&id)),
            ConsumerPart::Current(id, value) => {
                // A compacted log may hold the assignment of a member whose description is gone already.
                if value.is_none() && !self.members.contains_key(&id) {
                    return;
                }
                let mut member = self.members.get(&id).cloned().unwrap_or_else(|| Member::new(id));
                member.current = value.unwrap_or_else(|| nothing_assigned(LEFT));
                self.put(member);
            }
            ConsumerPart::Regex(regex, Some(value)) => drop(self.regexes.insert(regex, value)),
            ConsumerPart::Regex(regex, None) => drop(self.regexes.remove(&regex)),
            ConsumerPart::Metadata(None) | ConsumerPart::PartitionMetadata => {}
        }
    }

    /// Adds or replaces a member.
    pub fn put(&mut self, member: Member) {
        self.release(&member.id);
        for partitions in [&member.current.assigned, &member.current.pending_revocation] {
            for (topic, numbers) in partitions {
                let owners = self.owners.entry(*topic).or_default();
                owners.extend(numbers.keys().map(|number| (*number, member.id.clone())));
            }
        }
        if let Some(instance_id) = &member.value.instance_id {
            self.statics.insert(instance_id.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    fn remove(&mut self, id: &Name) {
        self.release(id);
        let Some(member) = self.members.remove(id) else { return };
        let Some(instance_id) = member.value.instance_id else { return };
        // A new member may have taken over the instance id before this one was deleted.
        if self.statics.get(&instance_id) == Some(id) {
            self.statics.remove(&instance_id);
        }
    }

    /// Takes what a member holds out of `owners`.
    fn release(&mut self, id: &Name) {
        let Some(member) = self.members.get(id) else { return };
        for partitions in [&member.current.assigned, &member.current.pending_revocation] {
            for (topic, numbers) in partitions {
                let Some(owners) = self.owners.get_mut(topic) else { continue };
                for number in numbers.keys() {
                    if owners.get(number) == Some(id) {
                        owners.remove(number);
                    }
                }
            }
        }
        self.owners.retain(|_, owners| !owners.is_empty());
    }

    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.get(self.statics.get(instance_id)?)
    }

    /// Whether some member holds the partition.
    pub fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.owners.get(&topic).is_some_and(|owners| owners.contains_key(&partition))
    }

    /// The target of a member, or of the one it replaces.
    pub fn target(&self, member: &Member) -> Partitions {
        let own = self.targets.get(&member.id);
        let replaced = || self.targets.get(self.statics.get(member.value.instance_id.as_ref()?)?);
        own.or_else(replaced).cloned().unwrap_or_default()
    }

    pub fn target_of(&self, id: &str) -> Option<&Partitions> {
        self.targets.get(id)
    }

    pub fn regexes(&self) -> &BTreeMap<Name, RegexValue> {
        &self.regexes
    }

    /// How many members subscribe by this regular expression.
    pub fn regex_subscribers(&self, regex: &str) -> usize {
        self.members.values().filter(|member| member.regex().is_some_and(|own| **own == *regex)).count()
    }

    pub fn state(&self) -> State {
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.target_epoch {
            State::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    /// The topics a member subscribes to, by name and by what its regular expression was resolved to.
    pub fn topics_of<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a Name> {
        let resolved = member.regex().and_then(|regex| self.regexes.get(regex)).map(|value| &value.topics);
        member.value.topic_names.iter().chain(resolved.into_iter().flatten())
    }

    /// The members as they are after `change`.
    pub fn members_after<'a>(&'a self, change: &'a Change<'a>) -> impl Iterator<Item = &'a Member> {
        let stays = |member: &&Member| {
            let replaced = change.put.is_some_and(|put| put.id == member.id);
            !replaced && !change.gone.iter().any(|gone| **gone == member.id)
        };
        self.members.values().filter(stays).chain(change.put)
    }

    /// The hash over the topics that the members subscribe to after `change`.
    pub fn metadata_hash_after(&self, change: &Change<'_>, topics: &dyn Topics) -> i64 {
        let names: BTreeSet<&Name> = self.members_after(change).flat_map(|member| self.topics_of(member)).collect();
        metadata_hash(topics, names.into_iter())
    }

    /// Whether a member subscribes to the topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.topics_of(member).any(|name| **name == *topic))
    }

    /// Whether all members but those speak the classic protocol.
    pub fn all_classic_except(&self, gone: &[&Name]) -> bool {
        self.members.values().all(|member| member.is_classic() || gone.contains(&&member.id))
    }

    /// Whether somebody of the classic protocol may join with these protocols: one of them must be common to all
    /// classic members.
    pub fn supports_classic(&self, protocol_type: &str, names: &[&Name]) -> bool {
        let classics = self.members.values().filter_map(Member::classic);
        let offers = |member: &ClassicMemberMetadata, name: &Name| member.protocols.iter().any(|(own, _)| own == name);
        protocol_type == CONSUMER && names.iter().any(|name| classics.clone().all(|member| offers(member, name)))
    }

    /// Tombstones for everything, in the order that Kafka writes them.
    pub fn tombstones(&self) -> Vec<ConsumerPart> {
        let mut parts: Vec<ConsumerPart> = Vec::new();
        parts.extend(self.members.keys().map(|id| ConsumerPart::Current(id.clone(), None)));
        parts.extend(self.targets.keys().map(|id| ConsumerPart::Target(id.clone(), None)));
        parts.push(ConsumerPart::TargetMetadata(None));
        parts.extend(self.members.keys().map(|id| ConsumerPart::Member(id.clone(), None)));
        parts.extend(self.regexes.keys().map(|regex| ConsumerPart::Regex(regex.clone(), None)));
        parts.push(ConsumerPart::PartitionMetadata);
        parts.push(ConsumerPart::Metadata(None));
        parts
    }

    #[cfg(test)]
    pub fn check_invariants(&self) {
        let mut held = BTreeSet::new();
        for member in self.members.values() {
            for partitions in [&member.current.assigned, &member.current.pending_revocation] {
                for (topic, numbers) in partitions {
                    for number in numbers.keys() {
                        assert!(held.insert((*topic, *number)), "{topic}-{number} has two owners");
                        assert_eq!(self.owners[topic].get(number), Some(&member.id));
                    }
                }
            }
            assert!(member.epoch() <= self.target_epoch, "{member:?} is ahead of {}", self.target_epoch);
        }
        assert_eq!(held.len(), self.owners.values().map(HashMap::len).sum::<usize>());
        assert!(self.target_epoch <= self.epoch);
        for (instance_id, id) in &self.statics {
            assert_eq!(self.members[id].value.instance_id.as_ref(), Some(instance_id));
        }
        for id in self.targets.keys() {
            assert!(self.members.contains_key(id), "a target for {id}, who is no member");
        }
    }
}

/// A step of a group that is being decided.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Change<'a> {
    /// Members that go.
    pub gone: &'a [&'a Name],
    /// The member that comes or changes.
    pub put: Option<&'a Member>,
}
