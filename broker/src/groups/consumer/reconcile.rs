//! One member's step from its current assignment towards its target (`CurrentAssignmentBuilder` in Kafka).
//!
//! A member first gives back what is no longer its own, staying at its epoch; then it moves to the target's epoch and
//! takes what is free; what others still hold it gets later. So a partition never has two owners.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::group::{ConsumerGroup, Member};
use crate::groups::record::{CurrentValue, MemberState, PartitionEpochs, Partitions};
use crate::groups::topics::Topics;

/// What a member is reconciled against.
#[derive(Debug)]
pub(crate) struct Goal<'a> {
    pub group: &'a ConsumerGroup,
    pub topics: &'a dyn Topics,
    pub target_epoch: i32,
    pub target: &'a Partitions,
    /// What the member says it owns; `None` when it says nothing.
    pub owned: Option<&'a Partitions>,
    /// The member has just changed its subscription: what it no longer subscribes to goes at once.
    pub subscription_changed: bool,
}

/// The state of the member is one that only a later Kafka knows: it has to give up everything first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownState;

impl Goal<'_> {
    /// The member's next current assignment; the one it has if it cannot move.
    pub fn advance(&self, member: &Member) -> Result<CurrentValue, UnknownState> {
        let current = &member.current;
        if !self.subscription_changed && member.is_reconciled_to(self.target_epoch) {
            return Ok(current.clone());
        }
        Ok(match current.state {
            MemberState::Stable if current.epoch != self.target_epoch => self.next(member, current.epoch),
            MemberState::Stable => self.drop_unsubscribed(member),
            MemberState::UnrevokedPartitions if self.still_owns(&current.pending_revocation) => {
                if self.subscription_changed { self.drop_unsubscribed(member) } else { current.clone() }
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => self.next(member, current.epoch),
            MemberState::Unknown if self.owned.is_some_and(Partitions::is_empty) => {
                self.next(member, self.target_epoch)
            }
            MemberState::Unknown => return Err(UnknownState),
        })
    }

    fn still_owns(&self, revoked: &PartitionEpochs) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, numbers)| {
            revoked.get(topic).is_some_and(|revoked| numbers.iter().any(|number| revoked.contains_key(number)))
        })
    }

    fn subscribed(&self, member: &Member) -> BTreeSet<Uuid> {
        let ids = self.group.topics_of(member).filter_map(|name| self.topics.topic(name));
        ids.map(|topic| topic.id).collect()
    }

    /// Takes away the topics the member does not subscribe to any more, and nothing else.
    fn drop_unsubscribed(&self, member: &Member) -> CurrentValue {
        let current = &member.current;
        let subscribed = self.subscribed(member);
        let (assigned, dropped): (PartitionEpochs, PartitionEpochs) =
            current.assigned.clone().into_iter().partition(|(topic, _)| subscribed.contains(topic));
        if dropped.is_empty() {
            return current.clone();
        }
        let mut pending = current.pending_revocation.clone();
        for (topic, numbers) in dropped {
            pending.entry(topic).or_default().extend(numbers);
        }
        let (previous_epoch, epoch) = (current.epoch, current.epoch);
        if self.still_owns(&pending) {
            let state = MemberState::UnrevokedPartitions;
            CurrentValue { epoch, previous_epoch, state, assigned, pending_revocation: pending }
        } else {
            // The member does not have them any more: it only shrinks.
            CurrentValue { epoch, previous_epoch, assigned, ..current.clone() }
        }
    }

    fn next(&self, member: &Member, epoch: i32) -> CurrentValue {
        let split = self.split(member);
        let previous_epoch = member.current.epoch;
        if !split.revoked.is_empty() && self.still_owns(&split.revoked) {
            let state = MemberState::UnrevokedPartitions;
            return CurrentValue {
                epoch,
                previous_epoch,
                state,
                assigned: split.kept,
                pending_revocation: split.revoked,
            };
        }
        let mut assigned = split.kept;
        for (topic, number) in split.free {
            assigned.entry(topic).or_default().insert(number, self.target_epoch);
        }
        let state = if split.unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        let epoch = self.target_epoch;
        CurrentValue { epoch, previous_epoch, state, assigned, pending_revocation: PartitionEpochs::new() }
    }

    fn split(&self, member: &Member) -> Split {
        let subscribed = self.subscribed(member);
        let nothing = BTreeSet::new();
        let wanted = |topic: &Uuid| self.target.get(topic).filter(|_| subscribed.contains(topic)).unwrap_or(&nothing);
        let mut split = Split::default();
        for (topic, numbers) in &member.current.assigned {
            let (kept, revoked): (std::collections::BTreeMap<i32, i32>, _) =
                numbers.iter().partition(|(number, _)| wanted(topic).contains(number));
            if !kept.is_empty() {
                split.kept.insert(*topic, kept);
            }
            if !revoked.is_empty() {
                split.revoked.insert(*topic, revoked);
            }
        }
        for topic in self.target.keys() {
            let kept = split.kept.get(topic);
            let missing = wanted(topic).iter().filter(|number| kept.is_none_or(|kept| !kept.contains_key(*number)));
            for number in missing {
                // What the member is still giving back is its own to take again.
                let returning =
                    member.current.pending_revocation.get(topic).is_some_and(|numbers| numbers.contains_key(number));
                if self.group.is_owned(*topic, *number) && !returning {
                    split.unreleased = true;
                } else {
                    split.free.push((*topic, *number));
                }
            }
        }
        split
    }
}

/// A member's partitions against its target.
#[derive(Debug, Default)]
struct Split {
    /// Assigned and wanted.
    kept: PartitionEpochs,
    /// Assigned and not wanted.
    revoked: PartitionEpochs,
    /// Wanted and free.
    free: Vec<(Uuid, i32)>,
    /// Something wanted is still held by another member.
    unreleased: bool,
}
