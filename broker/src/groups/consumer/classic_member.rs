//! Members of the classic protocol in a consumer group: its other members have moved on already.
//!
//! To them a member epoch is a generation, and every member is a follower: the coordinator assigns.

use super::embedded;
use super::group::{Change, ConsumerGroup, Member};
use super::heartbeat::{Done, check_room};
use super::plan::{Context, Plan, new_member};
use crate::groups::classic::CONSUMER;
use crate::groups::record::{ClassicMemberMetadata, ConsumerPart, MemberState, Name};
use crate::groups::request::{
    HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeavingMember, LeftMember, Rejected, SyncReply, SyncRequest,
};
use crate::groups::shard::{Answer, Effects, Group, Shard, Timer, Waiter};
use crate::groups::time::Now;
use crate::groups::{GroupError, MigrationPolicy};

/// First JoinGroup version whose clients must join with a member id they were given (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;

/// A join that was decided, when the group is no longer borrowed.
struct Joining {
    done: Done,
    member: Member,
    /// The group's members all speak the classic protocol now.
    downgrade: Option<Downgrading>,
}

struct Downgrading {
    replaced: Name,
    rebalance: bool,
    tombstones: Vec<ConsumerPart>,
}

impl Shard {
    /// JoinGroup of a group of the consumer protocol.
    pub(crate) fn join_consumer_group(&mut self, now: Now, request: JoinRequest, waiter: Waiter, fx: &mut Effects) {
        let id = request.group_id.clone();
        let new_id = Name::from(self.ids.next());
        let member_id = if request.member_id.is_empty() { new_id } else { request.member_id.clone() };
        let context = self.context(now, &id);
        let Some(Group::Consumer(group)) = self.groups.get(&id) else { return };
        let names: Vec<&Name> = request.protocols.iter().map(|(name, _)| name).collect();
        let refused = match check_room(group, &member_id, &context.config) {
            _ if context.config.consumer.migration_policy == MigrationPolicy::Disabled => {
                Some((Name::from(""), GroupError::InconsistentGroupProtocol))
            }
            Err(rejected) => Some((Name::from(""), rejected.error)),
            Ok(()) if !group.supports_classic(&request.protocol_type, &names) => {
                Some((Name::from(""), GroupError::InconsistentGroupProtocol))
            }
            Ok(()) if must_be_given_id(&request) => Some((member_id.clone(), GroupError::MemberIdRequired)),
            Ok(()) => None,
        };
        if let Some((member_id, error)) = refused {
            return fx.answers.push(Answer::Join(waiter, JoinReply::failed(member_id, error)));
        }
        match plan_join(&id, group, &context, &member_id, &request) {
            Ok(joining) => self.joined(now, &id, &request, joining, waiter, fx),
            Err(rejected) => fx.answers.push(Answer::Join(waiter, JoinReply::failed(Name::from(""), rejected.error))),
        }
    }

    fn joined(
        &mut self,
        now: Now,
        id: &Name,
        request: &JoinRequest,
        joining: Joining,
        waiter: Waiter,
        fx: &mut Effects,
    ) {
        let Joining { done, member, downgrade } = joining;
        fx.answers.push(Answer::Join(waiter, reply(&member)));
        self.timers.cancel(&Timer::Rejoin(id.clone(), member.id.clone()));
        if let Some(Downgrading { replaced, rebalance, tombstones }) = downgrade {
            fx.records.extend(done.records);
            let change = Change { gone: &[&replaced], put: Some(&member) };
            return self.write_downgrade(now, id, tombstones, &change, rebalance, fx);
        }
        self.planned(now, id, done, false, fx);
        let rebalance_ms = request.rebalance_timeout_ms.unwrap_or(request.session_timeout_ms);
        self.timers.set(Timer::Session(id.clone(), member.id.clone()), now.after(request.session_timeout_ms));
        self.timers.set(Timer::Resync(id.clone(), member.id), now.after(rebalance_ms));
    }

    /// SyncGroup of a group of the consumer protocol.
    pub(crate) fn sync_consumer_group(&mut self, now: Now, request: &SyncRequest) -> Result<SyncReply, GroupError> {
        let id = &request.group_id;
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return Err(GroupError::UnknownMemberId) };
        let (member, metadata) = classic_member(group, id, &request.member_id, request.instance_id.as_ref())?;
        if request.generation != member.epoch() {
            return Err(GroupError::IllegalGeneration);
        }
        let protocol = metadata.protocols.first();
        let differs = |given: &Option<Name>, own: &str| given.as_deref().is_some_and(|given| given != own);
        if differs(&request.protocol_type, CONSUMER)
            || differs(&request.protocol_name, protocol.map_or("", |(name, _)| name))
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let session_ms = metadata.session_timeout_ms;
        let rejoin = Timer::Rejoin(id.clone(), member.id.clone());
        // A new target that is put off (`group.consumer.assignment.interval.ms`) is nothing to rejoin for yet.
        if group.target_epoch > member.epoch() && member.current.state != MemberState::UnrevokedPartitions {
            let deadline = now.after(member.value.rebalance_timeout_ms);
            self.set_if_absent(rejoin, deadline);
            return Err(GroupError::RebalanceInProgress);
        }
        let version = protocol
            .and_then(|(_, metadata)| embedded::subscription(metadata, &*self.topics))
            .map_or(0, |own| own.version);
        let assigned = embedded::without_epochs(&member.current.assigned);
        let reply = SyncReply {
            error: None,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: embedded::write_assignment(&assigned, version, &*self.topics),
        };
        self.timers.cancel(&Timer::Resync(id.clone(), request.member_id.clone()));
        self.timers.set(Timer::Session(id.clone(), request.member_id.clone()), now.after(session_ms));
        Ok(reply)
    }

    /// Heartbeat of a group of the consumer protocol: tells the member to rejoin when there is something new for it.
    pub(crate) fn heartbeat_consumer_group(&mut self, now: Now, request: &HeartbeatRequest) -> Result<(), GroupError> {
        let id = &request.group_id;
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return Err(GroupError::UnknownMemberId) };
        let (member, metadata) = classic_member(group, id, &request.member_id, request.instance_id.as_ref())?;
        if request.generation != member.epoch() {
            return Err(GroupError::IllegalGeneration);
        }
        let session = (Timer::Session(id.clone(), member.id.clone()), now.after(metadata.session_timeout_ms));
        let rejoin = (Timer::Rejoin(id.clone(), member.id.clone()), now.after(member.value.rebalance_timeout_ms));
        let must_rejoin = member.epoch() < group.target_epoch
            || match member.current.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !waits_for_others(group, member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        self.timers.set(session.0, session.1);
        if must_rejoin {
            self.set_if_absent(rejoin.0, rejoin.1);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// LeaveGroup of a group of the consumer protocol, by which an administrator removes members of either protocol.
    pub(crate) fn leave_consumer_group(
        &mut self,
        now: Now,
        request: LeaveRequest,
        fx: &mut Effects,
    ) -> Vec<LeftMember> {
        let id = request.group_id;
        let Some(Group::Consumer(group)) = self.groups.get(&id) else { return Vec::new() };
        let (mut left, mut gone) = (Vec::with_capacity(request.members.len()), Vec::new());
        for member in request.members {
            let found = leaving(group, &id, &member);
            let error = found.as_ref().err().copied();
            gone.extend(found);
            left.push(LeftMember { member_id: member.member_id, instance_id: member.instance_id, error });
        }
        gone.sort();
        gone.dedup();
        if !gone.is_empty() {
            let gone: Vec<&Name> = gone.iter().collect();
            self.put_out(now, &id, &gone, fx);
        }
        left
    }

    fn set_if_absent(&mut self, timer: Timer, deadline: u64) {
        if !self.timers.contains(&timer) {
            self.timers.set(timer, deadline);
        }
    }
}

fn must_be_given_id(request: &JoinRequest) -> bool {
    request.version >= MEMBER_ID_REQUIRED_FROM && request.member_id.is_empty() && request.instance_id.is_none()
}

fn reply(member: &Member) -> JoinReply {
    let protocol = member.classic().and_then(|metadata| metadata.protocols.first());
    JoinReply {
        error: None,
        generation: member.epoch(),
        protocol_type: Some(Name::from(CONSUMER)),
        protocol_name: protocol.map(|(name, _)| name.clone()),
        leader: Name::from(""),
        skip_assignment: false,
        member_id: member.id.clone(),
        members: Vec::new(),
    }
}

fn plan_join(
    id: &Name,
    group: &ConsumerGroup,
    context: &Context,
    member_id: &Name,
    request: &JoinRequest,
) -> Result<Joining, Rejected> {
    let topics = &*context.topics;
    let metadata = request.protocols.first().map(|(_, metadata)| metadata);
    let subscription = metadata
        .and_then(|metadata| embedded::subscription(metadata, topics))
        .ok_or(GroupError::InconsistentGroupProtocol)?;
    let start = |member: Member| Plan::new(id, group, context, Vec::new(), member);
    let holder = request.instance_id.as_ref().and_then(|instance_id| group.static_member(instance_id));
    let mut plan = match (&request.instance_id, holder) {
        (Some(instance_id), _) if !request.member_id.is_empty() => {
            start(group.known_static(member_id, instance_id)?.clone())
        }
        (Some(_), Some(holder)) => {
            let mut plan = start(holder.clone());
            plan.replace(holder, member_id.clone());
            plan
        }
        _ => start(group.member(member_id).cloned().unwrap_or_else(|| new_member(member_id.clone()))),
    };
    let value = &mut plan.member.value;
    value.instance_id = request.instance_id.clone().or_else(|| value.instance_id.take());
    value.rack_id = subscription.rack_id.or_else(|| value.rack_id.take());
    value.rebalance_timeout_ms = request.rebalance_timeout_ms.unwrap_or(request.session_timeout_ms);
    value.topic_names = subscription.topics;
    value.topic_regex = Some(Name::from(""));
    value.client_id = request.client.id.clone();
    value.client_host = request.client.host.clone();
    value.classic = Some(ClassicMemberMetadata {
        session_timeout_ms: request.session_timeout_ms,
        protocols: request.protocols.clone(),
    });
    let changed = plan.update_subscription()?;
    let downgrades = holder
        .filter(|holder| !holder.is_classic() && super::migrate::may_downgrade_by(id, group, holder, &context.config));
    if downgrades.is_none() {
        plan.update_target();
    }
    if downgrades.is_none() || !changed {
        plan.reconcile(Some(&subscription.owned))?;
    }
    let member = plan.member.clone();
    let downgrade = downgrades.map(|holder| {
        let replaced = plan.replaces.clone().unwrap_or_else(|| holder.id.clone());
        Downgrading { tombstones: tombstones_after(group, &replaced, &member.id), replaced, rebalance: changed }
    });
    Ok(Joining { done: Done::of(plan), member, downgrade })
}

/// Tombstones for a group in which a static member has just been replaced.
fn tombstones_after(group: &ConsumerGroup, replaced: &Name, by: &Name) -> Vec<ConsumerPart> {
    let rename = |id: Name| if id == *replaced { by.clone() } else { id };
    let renamed = |part: ConsumerPart| match part {
        ConsumerPart::Current(id, value) => ConsumerPart::Current(rename(id), value),
        ConsumerPart::Target(id, value) => ConsumerPart::Target(rename(id), value),
        ConsumerPart::Member(id, value) => ConsumerPart::Member(rename(id), value),
        other => other,
    };
    group.tombstones().into_iter().map(renamed).collect()
}

fn classic_member<'a>(
    group: &'a ConsumerGroup,
    id: &Name,
    member_id: &Name,
    instance_id: Option<&Name>,
) -> Result<(&'a Member, &'a ClassicMemberMetadata), GroupError> {
    let member = match instance_id {
        Some(instance_id) => group.known_static(member_id, instance_id),
        None => group.known(member_id, id),
    };
    let member = member.map_err(|rejected| rejected.error)?;
    Ok((member, member.classic().ok_or(GroupError::UnknownMemberId)?))
}

fn leaving(group: &ConsumerGroup, id: &Name, member: &LeavingMember) -> Result<Name, GroupError> {
    let found = match &member.instance_id {
        Some(instance_id) if member.member_id.is_empty() => {
            group.static_member(instance_id).ok_or(GroupError::UnknownMemberId)?
        }
        Some(instance_id) => group.known_static(&member.member_id, instance_id).map_err(|rejected| rejected.error)?,
        None => group.known(&member.member_id, id).map_err(|rejected| rejected.error)?,
    };
    Ok(found.id.clone())
}

/// Whether something of the member's target is still held by another member.
fn waits_for_others(group: &ConsumerGroup, member: &Member) -> bool {
    group.target(member).iter().any(|(topic, numbers)| {
        let assigned = member.current.assigned.get(topic);
        let missing = numbers.iter().filter(|number| assigned.is_none_or(|assigned| !assigned.contains_key(*number)));
        missing.into_iter().any(|number| group.is_owned(*topic, *number))
    })
}
