//! ConsumerGroupHeartbeat.

use std::sync::Arc;

use super::embedded::without_epochs;
use super::group::{AWAY, ConsumerGroup, LEFT, Member};
use super::plan::{Context, Plan, new_member};
use crate::groups::record::{GroupRecord, Name, Partitions};
use crate::groups::request::{ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Rejected};
use crate::groups::shard::{Answer, Effects, Group, Shard, Then, Timer};
use crate::groups::time::Now;
use crate::groups::{Assignor, GroupConfig, GroupError};

/// First version whose members bring an id of their own (KIP-1082).
const OWN_MEMBER_ID_FROM: i16 = 1;

/// The group that a request is for.
pub(super) enum Found<'a> {
    /// It is there.
    There(&'a ConsumerGroup),
    /// It comes into being with these records: it is new, or was of the classic protocol.
    Made(Box<ConsumerGroup>, Vec<GroupRecord>),
}

impl Shard {
    /// ConsumerGroupHeartbeat.
    pub fn consumer_heartbeat(
        &mut self,
        now: Now,
        request: ConsumerHeartbeatRequest,
        fx: &mut Effects,
    ) -> Result<ConsumerHeartbeatReply, Rejected> {
        match request.member_epoch {
            LEFT | AWAY => self.consumer_leave(now, &request, fx),
            _ => self.consumer_alive(now, request, fx),
        }
    }

    fn consumer_alive(
        &mut self,
        now: Now,
        request: ConsumerHeartbeatRequest,
        fx: &mut Effects,
    ) -> Result<ConsumerHeartbeatReply, Rejected> {
        let id = request.group_id.clone();
        let joins = request.member_epoch == 0;
        let member_id =
            if request.member_id.is_empty() { Name::from(self.ids.next()) } else { request.member_id.clone() };
        let context = self.context(now, &id);
        let found = self.find_consumer_group(&id, joins)?;
        let (group, records) = match &found {
            Found::There(group) => (*group, Vec::new()),
            Found::Made(group, records) => (&**group, records.clone()),
        };
        check_room(group, &member_id, &context.config)?;
        let mut plan = begin(&id, group, &context, records, &member_id, &request)?;
        describe_member(&mut plan.member, &request);
        plan.update_subscription()?;
        plan.update_target();
        plan.reconcile(request.owned.as_ref())?;
        let is_full = request.rebalance_timeout_ms != -1
            && (request.topic_names.is_some() || request.topic_regex.is_some())
            && request.owned.is_some();
        let changed = plan.member.current.assigned != plan.before.current.assigned;
        let tell = joins || is_full || changed;
        let reply = ConsumerHeartbeatReply {
            member_id: member_id.clone(),
            member_epoch: plan.member.epoch(),
            heartbeat_interval_ms: context
                .overrides
                .heartbeat_interval_ms
                .unwrap_or(context.config.consumer.heartbeat_interval_ms),
            assignment: tell.then(|| without_epochs(&plan.member.current.assigned)),
        };
        let outcome = Done::of(plan);
        let session_ms = context.overrides.session_timeout_ms.unwrap_or(context.config.consumer.session_timeout_ms);
        let converted = matches!(found, Found::Made(..));
        self.planned(now, &id, outcome, converted, fx);
        self.timers.set(Timer::Session(id, member_id), now.after(session_ms));
        Ok(reply)
    }

    pub(super) fn context(&self, now: Now, id: &Name) -> Context {
        Context {
            now,
            config: Arc::clone(&self.config),
            overrides: self.overrides.get(id).copied().unwrap_or_default(),
            topics: Arc::clone(&self.topics),
            topic_created_at: self.topic_created_at,
            resolving: self.timers.contains(&Timer::Regex(id.clone())),
        }
    }

    /// Applies a plan: its timers at once, its records once they are in the log.
    pub(super) fn planned(&mut self, now: Now, id: &Name, done: Done, converted: bool, fx: &mut Effects) {
        if converted {
            // Members that are in the middle of a rebalance of the classic group join the consumer group instead.
            self.answer_classic(id, GroupError::RebalanceInProgress, fx);
            for (member, session_ms) in &done.converted_members {
                self.timers.set(Timer::Session(id.clone(), member.clone()), now.after(*session_ms));
            }
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(id) {
            group.refresh &= !done.refreshed;
        }
        let revocation = Timer::Revocation(id.clone(), done.member_id.clone());
        match done.revokes_within_ms {
            Some(ms) if done.epoch_moved => self.timers.set(revocation, now.after(ms)),
            Some(_) => {}
            None => self.timers.cancel(&revocation),
        }
        if done.resolve {
            self.timers.set(Timer::Regex(id.clone()), now.ticks);
        }
        fx.records.extend(done.records);
        fx.then = Then::Replay;
    }

    /// Answers whatever is parked in a classic group.
    fn answer_classic(&mut self, id: &Name, error: GroupError, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        for member in group.member_ids() {
            if let Some(waiter) = group.take_join(&member) {
                fx.answers.push(Answer::Join(waiter, crate::groups::request::JoinReply::failed(member.clone(), error)));
            }
            if let Some(waiter) = group.member_mut(&member).and_then(|member| member.syncing.take()) {
                fx.answers.push(Answer::Sync(waiter, crate::groups::request::SyncReply::failed(error)));
            }
        }
    }

    fn find_consumer_group(&self, id: &Name, joins: bool) -> Result<Found<'_>, Rejected> {
        let not_found = |message: String| Rejected::new(GroupError::GroupIdNotFound, message);
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => Ok(Found::There(group)),
            None if joins => Ok(Found::Made(Box::new(ConsumerGroup::new()), Vec::new())),
            None => Err(not_found(format!("Consumer group {id} not found."))),
            Some(Group::Classic(_)) if !joins => Err(not_found(format!("Group {id} is not a consumer group."))),
            Some(Group::Classic(group)) => {
                let (group, records) = super::migrate::upgrade(id, group, &self.config, &*self.topics)?;
                Ok(Found::Made(Box::new(group), records))
            }
        }
    }
}

/// What is left of a plan when the group is no longer borrowed.
#[derive(Debug)]
pub(super) struct Done {
    pub records: Vec<GroupRecord>,
    pub member_id: Name,
    /// What the member has to give back within this time, in milliseconds.
    pub revokes_within_ms: Option<i32>,
    /// The member's assignment was written anew.
    pub epoch_moved: bool,
    pub refreshed: bool,
    pub resolve: bool,
    /// Classic members of a group that was converted, with their session timeouts in milliseconds.
    pub converted_members: Vec<(Name, i32)>,
}

impl Done {
    pub fn of(plan: Plan<'_>) -> Self {
        let uses_timer = !plan.member.is_classic() && plan.must_revoke();
        let session = |member: &Member| Some((member.id.clone(), member.classic()?.session_timeout_ms));
        Self {
            revokes_within_ms: uses_timer.then_some(plan.member.value.rebalance_timeout_ms),
            epoch_moved: plan.member.current != plan.before.current,
            member_id: plan.member.id.clone(),
            refreshed: plan.refreshed,
            resolve: plan.resolve,
            converted_members: plan.group.members().filter_map(session).collect(),
            records: plan.records,
        }
    }
}

/// The member that sends the heartbeat: one that is there, a new one, or one that replaces a static one.
fn begin<'a>(
    id: &'a Name,
    group: &'a ConsumerGroup,
    context: &'a Context,
    records: Vec<GroupRecord>,
    member_id: &Name,
    request: &ConsumerHeartbeatRequest,
) -> Result<Plan<'a>, Rejected> {
    let joins = request.member_epoch == 0;
    let start = |member: Member| Plan::new(id, group, context, records, member);
    let Some(instance_id) = &request.instance_id else {
        let member = match group.member(member_id) {
            Some(member) => member.clone(),
            None if joins => new_member(member_id.clone()),
            None => group.known(member_id, id)?.clone(),
        };
        member.check_epoch(request.member_epoch, request.owned.as_ref())?;
        return Ok(start(member));
    };
    if !joins {
        let member = group.known_static(member_id, instance_id)?;
        member.check_epoch(request.member_epoch, request.owned.as_ref())?;
        return Ok(start(member.clone()));
    }
    match group.static_member(instance_id) {
        None => Ok(start(group.member(member_id).cloned().unwrap_or_else(|| new_member(member_id.clone())))),
        Some(holder) if !holder.is_classic() && holder.epoch() != AWAY => {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id is \
                 owned by {} member.",
                holder.id
            );
            Err(Rejected::new(GroupError::UnreleasedInstanceId, message))
        }
        Some(holder) => {
            let mut plan = start(holder.clone());
            plan.replace(holder, member_id.clone());
            Ok(plan)
        }
    }
}

/// What the request says anew of the member.
fn describe_member(member: &mut Member, request: &ConsumerHeartbeatRequest) {
    let value = &mut member.value;
    let update = |own: &mut Option<Name>, new: &Option<Name>| {
        if new.is_some() {
            own.clone_from(new);
        }
    };
    update(&mut value.instance_id, &request.instance_id);
    update(&mut value.rack_id, &request.rack_id);
    update(&mut value.server_assignor, &request.server_assignor);
    update(&mut value.topic_regex, &request.topic_regex);
    if request.rebalance_timeout_ms != -1 {
        value.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.topic_names {
        value.topic_names.clone_from(names);
        value.topic_names.sort();
        value.topic_names.dedup();
    }
    value.client_id = request.client.id.clone();
    value.client_host = request.client.host.clone();
    value.classic = None;
}

/// `group.consumer.max.size`.
pub(super) fn check_room(group: &ConsumerGroup, member_id: &str, config: &GroupConfig) -> Result<(), Rejected> {
    let max = config.consumer.max_size;
    if group.len() < usize::try_from(max).unwrap_or(0) || group.member(member_id).is_some() {
        return Ok(());
    }
    let message = format!("The consumer group has reached its maximum capacity of {max} members.");
    Err(Rejected::new(GroupError::GroupMaxSizeReached, message))
}

impl ConsumerHeartbeatRequest {
    /// What is refused whatever the group is, before it is known whether its coordinator is there.
    pub(crate) fn check(&self, config: &GroupConfig) -> Result<(), Rejected> {
        let invalid = |message: &str| Err(Rejected::new(GroupError::InvalidRequest, message));
        let is_empty = |text: &Option<Name>| text.as_deref() == Some("");
        if self.member_id.is_empty() && (self.version >= OWN_MEMBER_ID_FROM || self.member_epoch != 0) {
            return invalid("MemberId can't be empty.");
        }
        if self.group_id.trim().is_empty() {
            return invalid("GroupId can't be empty.");
        }
        if is_empty(&self.instance_id) {
            return invalid("InstanceId can't be empty.");
        }
        if is_empty(&self.rack_id) {
            return invalid("RackId can't be empty.");
        }
        match self.member_epoch {
            0 => self.check_join()?,
            AWAY if self.instance_id.is_none() => return invalid("InstanceId can't be null."),
            epoch if epoch < AWAY => return invalid("MemberEpoch is invalid."),
            _ => {}
        }
        let known =
            |name: &Name| Assignor::named(name).is_some_and(|assignor| config.consumer.assignors.contains(&assignor));
        if let Some(name) = self.server_assignor.as_ref().filter(|name| !known(name)) {
            let supported: Vec<&str> = config.consumer.assignors.iter().map(|assignor| assignor.name()).collect();
            let supported = supported.join(", ");
            let message = format!("ServerAssignor {name} is not supported. Supported assignors: {supported}.");
            return Err(Rejected::new(GroupError::UnsupportedAssignor, message));
        }
        Ok(())
    }

    fn check_join(&self) -> Result<(), Rejected> {
        let invalid = |message: &str| Err(Rejected::new(GroupError::InvalidRequest, message));
        if self.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if !self.owned.as_ref().is_some_and(Partitions::is_empty) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if self.topic_names.is_none() && self.topic_regex.is_none() {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
        Ok(())
    }
}
