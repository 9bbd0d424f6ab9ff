//! What a heartbeat, or a join of the classic protocol, makes of a group: decided here, applied by replaying the records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics::counter;
use tracing::info;
use uuid::Uuid;

use super::assignor::{Candidate, assign};
use super::group::{Change, ConsumerGroup, Member, nothing_assigned};
use super::reconcile::Goal;
use super::regex;
use crate::groups::record::{
    ConsumerMetadataValue, ConsumerPart, GroupRecord, MemberState, Name, Partitions, TargetMetadataValue,
};
use crate::groups::request::Rejected;
use crate::groups::time::Now;
use crate::groups::topics::Topics;
use crate::groups::{Assignor, GroupConfig, GroupError, GroupOverrides};
use crate::observability::metrics::REBALANCES;

/// What decisions are made with.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub now: Now,
    pub config: Arc<GroupConfig>,
    pub overrides: GroupOverrides,
    pub topics: Arc<dyn Topics>,
    /// The version of the topics when one was last created.
    pub topic_created_at: i64,
    /// The group's regular expressions are about to be resolved.
    pub resolving: bool,
}

/// A group in the course of a decision. `group` does not change: the records say what will.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub id: &'a Name,
    pub group: &'a ConsumerGroup,
    pub context: &'a Context,
    pub records: Vec<GroupRecord>,
    /// The member as it was; a new one is blank.
    pub before: Member,
    /// The member as it will be.
    pub member: Member,
    /// The id of the static member that this one replaces.
    pub replaces: Option<Name>,
    epoch: i32,
    target_epoch: i32,
    target: Partitions,
    subscription_changed: bool,
    /// The subscribed topics were looked at and are as they were.
    pub refreshed: bool,
    /// The group's regular expressions have to be resolved.
    pub resolve: bool,
}

impl<'a> Plan<'a> {
    pub fn new(
        id: &'a Name,
        group: &'a ConsumerGroup,
        context: &'a Context,
        records: Vec<GroupRecord>,
        member: Member,
    ) -> Self {
        let target = Partitions::new();
        Self {
            id,
            group,
            context,
            records,
            before: member.clone(),
            member,
            replaces: None,
            epoch: group.epoch,
            target_epoch: group.target_epoch,
            target,
            subscription_changed: false,
            refreshed: false,
            resolve: false,
        }
    }

    pub fn push(&mut self, part: ConsumerPart) {
        self.records.push(GroupRecord::Consumer { group: self.id.clone(), part });
    }

    /// The member takes over the place of a static one that is away, under an id of its own.
    pub fn replace(&mut self, old: &Member, id: Name) {
        let current = crate::groups::record::CurrentValue { epoch: 0, previous_epoch: 0, ..old.current.clone() };
        let new = Member { id: id.clone(), value: old.value.clone(), current };
        for part in removal(&old.id) {
            self.push(part);
        }
        self.push(ConsumerPart::Member(id.clone(), Some(new.value.clone())));
        let target = self.group.target_of(&old.id).cloned().unwrap_or_default();
        self.push(ConsumerPart::Target(id.clone(), Some(target)));
        self.push(ConsumerPart::Current(id, Some(new.current.clone())));
        self.replaces = Some(old.id.clone());
        self.before = new.clone();
        self.member = new;
    }

    /// Writes what the member now says of itself, and bumps the group's epoch if that changes what the group reads.
    /// `true` when the subscription has changed.
    pub fn update_subscription(&mut self) -> Result<bool, Rejected> {
        let names_changed = self.member.value.topic_names != self.before.value.topic_names;
        if self.member.value != self.before.value || !self.is_known() {
            self.push(ConsumerPart::Member(self.member.id.clone(), Some(self.member.value.clone())));
        }
        let regex = regex::look(self)?;
        self.subscription_changed = names_changed || regex.changed;
        let bump = names_changed || regex.changed_and_resolved;
        if bump || self.group.refresh {
            self.bump_epoch(bump);
        }
        Ok(self.subscription_changed)
    }

    /// Whether the member, or the one it replaces, is in the group.
    fn is_known(&self) -> bool {
        self.replaces.is_some() || self.group.member(&self.member.id).is_some()
    }

    fn bump_epoch(&mut self, changed: bool) {
        let gone: Vec<&Name> = self.replaces.iter().collect();
        let change = Change { gone: &gone, put: Some(&self.member) };
        let metadata_hash = self.group.metadata_hash_after(&change, &*self.context.topics);
        if changed || metadata_hash != self.group.metadata_hash {
            self.epoch = self.group.epoch + 1;
            let epoch = self.epoch;
            info!(group = &**self.id, epoch, "group epoch bumped");
            self.push(ConsumerPart::Metadata(Some(ConsumerMetadataValue { epoch, metadata_hash })));
        } else {
            self.refreshed = true;
        }
    }

    /// Computes the target anew if it is older than the group, but not more often than the interval allows.
    pub fn update_target(&mut self) {
        let interval_ms = self
            .context
            .overrides
            .assignment_interval_ms
            .unwrap_or(self.context.config.consumer.assignment_interval_ms);
        let since = self.group.target_timestamp;
        let now = self.context.now.unix_ms;
        let may = since == 0 || interval_ms == 0 || now >= since.saturating_add(i64::from(interval_ms));
        if self.group.target_epoch >= self.epoch || !may {
            self.target = self.group.target(&self.member);
            return;
        }
        let gone: Vec<Name> = self.replaces.iter().cloned().collect();
        let gone: Vec<&Name> = gone.iter().collect();
        let member = self.member.clone();
        let change = Change { gone: &gone, put: Some(&member) };
        let targets = self.compute_targets(&change);
        for (id, target) in &targets {
            // A member that replaces another has been given its target above.
            let replaced = self.replaces.as_ref().filter(|_| *id == self.member.id);
            let old = self.group.target_of(replaced.unwrap_or(id));
            if old != Some(target) {
                self.push(ConsumerPart::Target(id.clone(), Some(target.clone())));
            }
        }
        self.target = targets.get(&self.member.id).cloned().unwrap_or_default();
        self.target_epoch = self.epoch;
        let (epoch, timestamp) = (self.epoch, now);
        self.push(ConsumerPart::TargetMetadata(Some(TargetMetadataValue { epoch, timestamp })));
    }

    fn compute_targets(&self, change: &Change<'_>) -> BTreeMap<Name, Partitions> {
        let topics = &self.context.topics;
        let mut sizes: BTreeMap<Uuid, i32> = BTreeMap::new();
        let mut candidates = BTreeMap::new();
        for member in self.group.members_after(change) {
            let known: Vec<_> = self.group.topics_of(member).filter_map(|name| topics.topic(name)).collect();
            sizes.extend(known.iter().map(|topic| (topic.id, topic.partitions)));
            let candidate = Candidate {
                instance_id: member.value.instance_id.clone(),
                topics: known.iter().map(|topic| topic.id).collect(),
                current: self.group.target(member),
            };
            candidates.insert(member.id.clone(), candidate);
        }
        let assignor = preferred_assignor(self.group, self.group.members_after(change), &self.context.config);
        let targets = assign(assignor, &candidates, &sizes);
        let (epoch, members) = (self.epoch, targets.len());
        info!(group = &**self.id, epoch, members, assignor = assignor.name(), "target assignment computed");
        counter!(REBALANCES, "protocol" => "consumer").increment(1);
        targets
    }

    /// Moves the member towards its target.
    pub fn reconcile(&mut self, owned: Option<&Partitions>) -> Result<(), Rejected> {
        let goal = Goal {
            group: self.group,
            topics: &*self.context.topics,
            target_epoch: self.target_epoch,
            target: &self.target,
            owned,
            subscription_changed: self.subscription_changed,
        };
        // Kafka compares the member with what it was before: its epoch may be renewed without anything else changing.
        let next = goal.advance(&self.member).map_err(|_| {
            let message = "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
            Rejected::new(GroupError::FencedMemberEpoch, message)
        })?;
        if next != self.member.current {
            self.member.current = next.clone();
            self.push(ConsumerPart::Current(self.member.id.clone(), Some(next)));
        }
        Ok(())
    }

    /// Whether the member has something to give back by its rebalance timeout.
    pub fn must_revoke(&self) -> bool {
        self.member.current.state == MemberState::UnrevokedPartitions
    }
}

/// Tombstones for a member, in the order that matters to Kafka's replay.
pub(crate) fn removal(id: &Name) -> [ConsumerPart; 3] {
    [
        ConsumerPart::Current(id.clone(), None),
        ConsumerPart::Target(id.clone(), None),
        ConsumerPart::Member(id.clone(), None),
    ]
}

/// A member that joins for the first time.
pub(crate) fn new_member(id: Name) -> Member {
    Member { current: nothing_assigned(0), ..Member::new(id) }
}

/// The assignor most of the members ask for; else the first of the settings. Of several it is the one that a hash map of
/// Kafka's has first: uniform, unless nobody in the group asked for it before.
pub(crate) fn preferred_assignor<'a>(
    group: &ConsumerGroup,
    members: impl Iterator<Item = &'a Member>,
    config: &GroupConfig,
) -> Assignor {
    let before: BTreeSet<Assignor> = group.members().filter_map(Member::assignor).collect();
    let mut votes: Vec<(Assignor, usize)> = before.into_iter().map(|assignor| (assignor, 0)).collect();
    for assignor in members.filter_map(Member::assignor) {
        match votes.iter_mut().find(|(known, _)| *known == assignor) {
            Some((_, count)) => *count += 1,
            None => votes.push((assignor, 1)),
        }
    }
    // Of those with as many votes `max_by_key` takes the last.
    let supported = votes.iter().rev().filter(|(assignor, _)| config.consumer.assignors.contains(assignor));
    let most = supported.filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count).map(|(assignor, _)| *assignor);
    most.or_else(|| config.consumer.assignors.first().copied()).unwrap_or(Assignor::Uniform)
}
