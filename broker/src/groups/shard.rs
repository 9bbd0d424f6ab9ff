//! The state machine of one partition of `__consumer_offsets`: every group that hashes to it, and their offsets.
//!
//! Each request or timer is one method: it takes the moment it happens and an [`Effects`] to put into what is to be
//! done: records to append and parked requests to answer. The shell appends the records and then calls
//! [`Shard::appended`] or [`Shard::append_failed`], before any other method; only then may it send answers.
//!
//! State comes into being in one of two ways. Offsets and consumer groups are a function of the records: a handler
//! only decides what to write, [`Then::Replay`] applies it. A classic group changes in its handlers, because most of
//! what it goes through (who has joined so far) is never stored; a finished generation is. Either way, replaying
//! the partition's records gives the groups and offsets that were acknowledged.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tracing::{info, warn};

use super::classic::{ClassicGroup, State};
use super::consumer::{ConsumerGroup, Downgrade};
use super::offsets::Offsets;
use super::record::{ConsumerPart, GroupRecord, Name};
use super::request::{JoinReply, Producer, SyncReply};
use super::time::{Deadline, Now, Timers};
use super::topics::{Topics, TopicsImage};
use super::{GroupConfig, GroupError, GroupOverrides};

/// When to try again what a deadline wanted written and the log refused, in milliseconds.
const RETRY_MS: i32 = 500;

/// A parked request, by a number the shell gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Waiter(pub u64);

/// An answer to a parked request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To JoinGroup.
    Join(Waiter, JoinReply),
    /// To SyncGroup.
    Sync(Waiter, SyncReply),
}

/// What a step wants done.
#[derive(Debug, Default)]
pub struct Effects {
    /// Records to append, in one batch unless `splittable`.
    pub records: Vec<GroupRecord>,
    /// The records belong to this producer's transaction.
    pub producer: Option<Producer>,
    /// The records need not be written together.
    pub splittable: bool,
    /// What the shard does once they are appended.
    pub then: Then,
    /// Answers to send once they are appended.
    pub answers: Vec<Answer>,
    /// The deadline that is behind all this, to be tried again if the records cannot be appended.
    pub(crate) retry: Option<Timer>,
}

/// What is left to do when the records of a step are in the log.
#[derive(Debug, Default)]
pub enum Then {
    /// The state has moved on already.
    #[default]
    Nothing,
    /// Apply the records.
    Replay,
    /// A classic group was made for this join.
    Created {
        /// The group.
        group: Name,
        /// The member that joined, if it waits already.
        member: Option<Name>,
    },
    /// The leader's assignment is stored: hand it out.
    Assign {
        /// The group.
        group: Name,
        /// The generation it is for.
        generation: i32,
        /// By member id.
        assignments: HashMap<Name, Bytes>,
    },
    /// A static member came back under a new id while its group was stable.
    Replaced(Box<super::classic::Replaced>),
    /// A consumer group has only members of the classic protocol left: it becomes a classic group.
    Downgrade(Box<Downgrade>),
}

/// The records could not be appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The batch is larger than the topic's `max.message.bytes`.
    #[error("the records are larger than max.message.bytes of __consumer_offsets")]
    TooLarge,
    /// A newer producer has the transactional id.
    #[error("the producer's epoch is old")]
    InvalidProducerEpoch,
    /// The producer's transaction has ended.
    #[error("the producer has no transaction open")]
    InvalidTxnState,
    /// The partition is gone, or led elsewhere.
    #[error("the partition of __consumer_offsets is not here")]
    NotLeader,
    /// The log is offline.
    #[error("the log does not take records: {0}")]
    Offline(String),
}

impl From<&AppendError> for GroupError {
    /// As `GroupCoordinatorService` maps errors of the log.
    fn from(error: &AppendError) -> Self {
        match error {
            AppendError::TooLarge => Self::UnknownServerError,
            AppendError::InvalidProducerEpoch => Self::InvalidProducerEpoch,
            AppendError::InvalidTxnState => Self::InvalidTxnState,
            AppendError::NotLeader | AppendError::Offline(_) => Self::NotCoordinator,
        }
    }
}

/// Where member ids come from; random in the shell, counted in tests.
pub trait MemberIds: Send + fmt::Debug {
    /// The unique part of the next member id.
    fn next(&mut self) -> String;
}

/// What a deadline is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The join phase of a classic group ends, or its initial delay.
    Join(Name),
    /// Members of a classic group that have not synced are given up.
    Sync(Name),
    /// A member of a classic group was silent for its session timeout.
    Heartbeat(Name, Name),
    /// A member of a consumer group was silent for its session timeout.
    Session(Name, Name),
    /// A member of a consumer group has not given back what it must within its rebalance timeout.
    Revocation(Name, Name),
    /// A classic member of a consumer group was told to rejoin and has not within its rebalance timeout.
    Rejoin(Name, Name),
    /// A classic member of a consumer group has joined and not synced within its rebalance timeout.
    Resync(Name, Name),
    /// A consumer group's regular expressions are to be resolved.
    Regex(Name),
    /// Time to expire offsets.
    Cleanup,
}

/// A group of either protocol.
#[derive(Debug)]
pub(crate) enum Group {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

/// Every group of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct Shard {
    pub(crate) config: Arc<GroupConfig>,
    pub(crate) groups: HashMap<Name, Group>,
    pub(crate) offsets: Offsets,
    pub(crate) timers: Timers<Timer>,
    pub(crate) ids: Box<dyn MemberIds>,
    pub(crate) topics: Arc<dyn Topics>,
    /// The version of `topics` when one was last created.
    pub(crate) topic_created_at: i64,
    /// Settings of single groups.
    pub(crate) overrides: HashMap<Name, GroupOverrides>,
}

impl Shard {
    /// A shard that has replayed nothing yet.
    pub fn new(config: Arc<GroupConfig>, ids: Box<dyn MemberIds>) -> Self {
        Self {
            config,
            groups: HashMap::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            ids,
            topics: Arc::new(TopicsImage::default()),
            topic_created_at: 0,
            overrides: HashMap::new(),
        }
    }

    /// Applies one record that is in the log at `offset`; `producer` is the id of the transaction it belongs to.
    pub fn replay(&mut self, offset: i64, producer: Option<i64>, record: GroupRecord) {
        match record {
            GroupRecord::Offset { group, topic, partition, value: Some(value) } => {
                let made = || Group::Classic(ClassicGroup::simple(group.clone()));
                self.groups.entry(group.clone()).or_insert_with(made);
                self.offsets.put(offset, producer, group, topic, partition, value);
            }
            GroupRecord::Offset { group, topic, partition, value: None } => {
                self.offsets.remove(&group, &topic, partition);
            }
            GroupRecord::Classic { group, value: Some(value) } => {
                let loaded = ClassicGroup::from_record(group.clone(), value);
                self.groups.insert(group, Group::Classic(loaded));
            }
            GroupRecord::Classic { group, value: None } => self.remove_group(&group),
            GroupRecord::Consumer { group, part: ConsumerPart::Metadata(None) } => self.remove_group(&group),
            GroupRecord::Consumer { group, part } => self.replay_part(group, part),
        }
    }

    fn replay_part(&mut self, id: Name, part: ConsumerPart) {
        let is_tombstone = part.is_tombstone();
        match self.groups.get_mut(&id) {
            Some(Group::Consumer(group)) => {
                let gone = if let ConsumerPart::Member(member, None) = &part { Some(member.clone()) } else { None };
                group.replay(part);
                gone.into_iter().for_each(|member| self.cancel_consumer_timers(&id, &member));
            }
            // Offsets that come before the group in a compacted log have made a group without members of it.
            None | Some(Group::Classic(_)) if !is_tombstone => {
                let mut group = ConsumerGroup::new();
                group.replay(part);
                self.groups.insert(id, Group::Consumer(group));
            }
            None | Some(Group::Classic(_)) => {}
        }
    }

    /// The topics have changed: `changed` are those that came, went or grew. Groups that read them look at the next
    /// heartbeat.
    pub fn topics_changed(&mut self, topics: Arc<dyn Topics>, changed: &[Name], created: bool) {
        if created {
            self.topic_created_at = topics.version();
        }
        self.topics = topics;
        for group in self.groups.values_mut() {
            if let Group::Consumer(group) = group {
                group.refresh |= changed.iter().any(|topic| group.is_subscribed_to(topic));
            }
        }
    }

    /// The settings of one group have changed.
    pub fn set_overrides(&mut self, id: Name, overrides: GroupOverrides) {
        if overrides == GroupOverrides::default() {
            self.overrides.remove(&id);
        } else {
            self.overrides.insert(id, overrides);
        }
    }

    /// Applies a transaction marker that is in the log.
    pub fn replay_marker(&mut self, producer_id: i64, commit: bool) {
        self.offsets.end_transaction(producer_id, commit);
    }

    /// Starts timers, once everything is replayed.
    pub fn loaded(&mut self, now: Now, fx: &mut Effects) {
        self.schedule_cleanup(now);
        let ids: Vec<Name> = self.groups.keys().cloned().collect();
        for id in ids {
            match self.groups.get(&id) {
                Some(Group::Classic(_)) => self.classic_loaded(now, &id, fx),
                Some(Group::Consumer(_)) => self.consumer_loaded(now, &id),
                None => {}
            }
        }
    }

    /// The records of the last step are in the log, the first at `base_offset`.
    pub fn appended(
        &mut self,
        now: Now,
        then: Then,
        records: Vec<GroupRecord>,
        producer: Option<Producer>,
        base_offset: i64,
        fx: &mut Effects,
    ) {
        match then {
            Then::Nothing | Then::Created { .. } => {}
            Then::Replay => {
                for (record, offset) in records.into_iter().zip(base_offset..) {
                    self.replay(offset, producer.map(|producer| producer.id), record);
                }
            }
            Then::Assign { group, generation, assignments } => {
                self.assign(now, &group, generation, &assignments, fx);
            }
            Then::Replaced(replaced) => self.static_member_replaced(*replaced, fx),
            Then::Downgrade(downgrade) => self.downgraded(now, *downgrade, fx),
        }
    }

    /// The records of the last step are not in the log and never will be.
    pub fn append_failed(&mut self, now: Now, then: Then, error: &AppendError, fx: &mut Effects) {
        warn!(%error, "group records not written");
        self.try_again(now, fx);
        match then {
            Then::Nothing | Then::Replay | Then::Created { member: None, .. } | Then::Downgrade(_) => {}
            Then::Created { group, member: Some(member) } => {
                self.creation_failed(now, &group, &member, error.into(), fx);
            }
            Then::Assign { group, generation, .. } => self.assign_failed(now, &group, generation, error.into(), fx),
            Then::Replaced(replaced) => self.static_replacement_failed(now, *replaced, error.into(), fx),
        }
    }

    /// The deadlines of a consumer group only have an effect through the log.
    fn try_again(&mut self, now: Now, fx: &mut Effects) {
        use Timer::{Regex, Rejoin, Resync, Revocation, Session};
        if let Some(timer @ (Session(..) | Revocation(..) | Rejoin(..) | Resync(..) | Regex(_))) = fx.retry.take() {
            self.timers.set(timer, now.after(RETRY_MS));
        }
    }

    /// A moment no later than the next deadline.
    pub fn next_deadline(&mut self) -> Option<Deadline> {
        self.timers.first()
    }

    /// Handles one deadline that has come; `false` if there is none.
    pub fn fire(&mut self, now: Now, fx: &mut Effects) -> bool {
        let Some(timer) = self.timers.pop(now) else { return false };
        fx.retry = Some(timer.clone());
        match timer {
            Timer::Join(group) => self.join_phase_over(now, &group, fx),
            Timer::Sync(group) => self.sync_phase_over(now, &group, fx),
            Timer::Heartbeat(group, member) => self.session_over(now, &group, &member, fx),
            Timer::Session(group, member) => {
                self.fence(now, &group, &member, "no heartbeat within its session timeout", fx);
            }
            Timer::Revocation(group, member) => self.revocation_over(now, &group, &member, fx),
            Timer::Rejoin(group, member) => {
                self.fence(now, &group, &member, "no join within its rebalance timeout", fx);
            }
            Timer::Resync(group, member) => {
                self.fence(now, &group, &member, "no sync within its rebalance timeout", fx);
            }
            Timer::Regex(group) => self.resolve_regexes(now, &group, fx),
            Timer::Cleanup => self.clean_up(now, fx),
        }
        true
    }

    /// The coordinator stops: answers everything that waits.
    pub fn unload(&mut self, fx: &mut Effects) {
        for group in self.groups.values_mut() {
            let Group::Classic(group) = group else { continue };
            for id in group.member_ids() {
                if let Some(waiter) = group.take_join(&id) {
                    fx.answers.push(Answer::Join(waiter, JoinReply::failed(id.clone(), GroupError::NotCoordinator)));
                }
                if let Some(waiter) = group.member_mut(&id).and_then(|member| member.syncing.take()) {
                    fx.answers.push(Answer::Sync(waiter, SyncReply::failed(GroupError::NotCoordinator)));
                }
            }
        }
        self.groups.clear();
        self.offsets = Offsets::default();
        self.timers = Timers::default();
    }

    /// The classic group of this id.
    pub(crate) fn classic(&mut self, id: &str) -> Option<&mut ClassicGroup> {
        match self.groups.get_mut(id) {
            Some(Group::Classic(group)) => Some(group),
            Some(Group::Consumer(_)) | None => None,
        }
    }

    /// Forgets a group and its timers.
    pub(crate) fn remove_group(&mut self, id: &Name) {
        match self.groups.remove(id) {
            Some(Group::Classic(group)) => {
                self.timers.cancel(&Timer::Join(id.clone()));
                self.timers.cancel(&Timer::Sync(id.clone()));
                for member in group.members() {
                    self.timers.cancel(&Timer::Heartbeat(id.clone(), member.id.clone()));
                }
            }
            Some(Group::Consumer(group)) => {
                self.timers.cancel(&Timer::Regex(id.clone()));
                for member in group.members() {
                    self.cancel_consumer_timers(id, &member.id);
                }
            }
            None => {}
        }
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Whether the group has nobody in it.
    pub(crate) fn is_empty_group(group: &Group) -> bool {
        match group {
            Group::Classic(group) => group.is_in(State::Empty),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    /// Tombstones that delete the group itself; its offsets have their own.
    pub(crate) fn tombstones(id: &Name, group: &Group) -> Vec<GroupRecord> {
        match group {
            Group::Classic(_) => vec![GroupRecord::Classic { group: id.clone(), value: None }],
            Group::Consumer(group) => {
                let parts = group.tombstones().into_iter();
                parts.map(|part| GroupRecord::Consumer { group: id.clone(), part }).collect()
            }
        }
    }

    pub(crate) fn schedule_cleanup(&mut self, now: Now) {
        let interval = u64::try_from(self.config.offsets_retention_check_interval_ms).unwrap_or(1).max(1);
        self.timers.set(Timer::Cleanup, now.ticks + interval);
    }

    /// Expires offsets, and groups that have neither members nor offsets left.
    fn clean_up(&mut self, now: Now, fx: &mut Effects) {
        let mut gone = 0usize;
        for (id, group) in &self.groups {
            let before = fx.records.len();
            let all = self.offsets.expire(now, id, group, self.config.offsets_retention_ms, &mut fx.records);
            if all && Self::is_empty_group(group) {
                fx.records.extend(Self::tombstones(id, group));
            }
            gone += usize::from(fx.records.len() > before);
        }
        if !fx.records.is_empty() {
            info!(groups = gone, records = fx.records.len(), "expired offsets and empty groups");
            fx.then = Then::Replay;
            fx.splittable = true;
        }
        self.schedule_cleanup(now);
    }

    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        for group in self.groups.values() {
            match group {
                Group::Classic(group) => group.check_invariants(),
                Group::Consumer(group) => group.check_invariants(),
            }
        }
    }
}
