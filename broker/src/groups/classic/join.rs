//! JoinGroup.

use bytes::Bytes;
use tracing::info;

use super::group::{ClassicGroup, State};
use super::member::Member;
use crate::groups::GroupError;
use crate::groups::record::{GroupRecord, Name};
use crate::groups::request::{JoinReply, JoinRequest};
use crate::groups::shard::{Answer, Effects, Group, Shard, Then, Timer, Waiter};
use crate::groups::time::Now;

/// First version whose clients must join with a member id they were given (KIP-394).
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// First version whose clients understand that an assignment may be skipped (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;

/// A static member that took over its place in a stable group, until that is stored.
#[derive(Debug)]
pub struct Replaced {
    group: Name,
    instance_id: Name,
    old_id: Name,
    new_id: Name,
    old_leader: Name,
    old_protocols: Vec<(Name, Bytes)>,
    old_rebalance_timeout_ms: i32,
    old_session_timeout_ms: i32,
    skips_assignment: bool,
}

fn refuse(waiter: Waiter, member_id: Name, error: GroupError, fx: &mut Effects) {
    fx.answers.push(Answer::Join(waiter, JoinReply::failed(member_id, error)));
}

fn nobody() -> Name {
    Name::from("")
}

impl Shard {
    /// JoinGroup. Answered now or when the rebalance completes.
    pub fn join(&mut self, now: Now, request: JoinRequest, waiter: Waiter, fx: &mut Effects) {
        if matches!(self.groups.get(&request.group_id), Some(Group::Consumer(group)) if !group.is_empty()) {
            return self.join_consumer_group(now, request, waiter, fx);
        }
        let is_new_member = request.member_id.is_empty();
        let id = request.group_id.clone();
        // A consumer group that nobody is in makes room for a classic one.
        let mut records = Vec::new();
        if let Some(group @ Group::Consumer(_)) = self.groups.get(&id) {
            records = Self::tombstones(&id, group);
        }
        let is_new_group = self.classic(&id).is_none();
        if is_new_group && !is_new_member {
            return refuse(waiter, request.member_id, GroupError::UnknownMemberId, fx);
        }
        if is_new_group {
            self.remove_group(&id);
            self.groups.insert(id.clone(), Group::Classic(ClassicGroup::new(id.clone(), now)));
            fx.records = records;
        }
        let max_size = usize::try_from(self.config.max_size).unwrap_or(0);
        let Some(group) = self.classic(&id) else { return };
        if !has_room(group, &request.member_id, max_size) {
            let removed = group.remove(&request.member_id);
            self.drop_member(&id, removed, fx);
            refuse(waiter, nobody(), GroupError::GroupMaxSizeReached, fx);
        } else if is_new_member {
            self.join_new(now, request, waiter, fx);
        } else {
            self.rejoin(now, request, waiter, fx);
        }
        if is_new_group {
            self.store_new_group(&id, fx);
        }
    }

    /// A new group is stored at once, empty: what it becomes is only stored with its first generation.
    fn store_new_group(&mut self, id: &Name, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        let member = group.members().next().map(|member| member.id.clone());
        fx.records.push(GroupRecord::Classic { group: id.clone(), value: Some(group.to_new_record()) });
        fx.then = Then::Created { group: id.clone(), member };
    }

    /// The record of a new group could not be written: its first member has to try again.
    pub(crate) fn creation_failed(
        &mut self,
        _now: Now,
        id: &Name,
        member_id: &Name,
        error: GroupError,
        fx: &mut Effects,
    ) {
        let Some(group) = self.classic(id) else { return };
        if let Some(waiter) = group.take_join(member_id) {
            refuse(waiter, member_id.clone(), error, fx);
        }
        self.remove_group(id);
    }

    fn join_new(&mut self, now: Now, request: JoinRequest, waiter: Waiter, fx: &mut Effects) {
        let unique = self.ids.next();
        let Some(group) = self.classic(&request.group_id) else { return };
        if !group.supports(&request.protocol_type, &request.protocols) {
            return refuse(waiter, nobody(), GroupError::InconsistentGroupProtocol, fx);
        }
        let prefix = request.instance_id.as_ref().unwrap_or(&request.client.id);
        let new_id = Name::from(format!("{prefix}-{unique}"));
        match &request.instance_id {
            Some(instance_id) => match group.static_member(instance_id).cloned() {
                Some(old_id) => self.replace_static_member(now, request, &old_id, new_id, waiter, fx),
                None => self.add_member(now, request, new_id, waiter, fx),
            },
            None if request.version >= MEMBER_ID_REQUIRED_FROM => {
                group.add_pending_join(new_id.clone());
                let timer = Timer::Heartbeat(request.group_id, new_id.clone());
                self.timers.set(timer, now.after(request.session_timeout_ms));
                refuse(waiter, new_id, GroupError::MemberIdRequired, fx);
            }
            None => self.add_member(now, request, new_id, waiter, fx),
        }
    }

    fn rejoin(&mut self, now: Now, request: JoinRequest, waiter: Waiter, fx: &mut Effects) {
        let member_id = request.member_id.clone();
        let Some(group) = self.classic(&request.group_id) else { return };
        if !group.supports(&request.protocol_type, &request.protocols) {
            return refuse(waiter, member_id, GroupError::InconsistentGroupProtocol, fx);
        }
        if group.is_pending_join(&member_id) {
            // Static members never get a pending id: this one was handed to somebody else.
            if request.instance_id.is_some() {
                return refuse(waiter, member_id, GroupError::UnknownServerError, fx);
            }
            return self.add_member(now, request, member_id, waiter, fx);
        }
        if let Err(error) = group.validate_member(&member_id, request.instance_id.as_deref()) {
            return refuse(waiter, member_id, error, fx);
        }
        let unchanged = group.member(&member_id).is_some_and(|member| member.matches(&request.protocols));
        let is_leader = group.is_leader(&member_id);
        match group.state() {
            State::PreparingRebalance => self.update_member(now, request, waiter, fx),
            // The member may have missed the reply: give it the generation again.
            State::CompletingRebalance if unchanged => {
                let reply = generation_reply(group, &member_id, is_leader);
                fx.answers.push(Answer::Join(waiter, reply));
            }
            // A leader rejoins to have partitions assigned anew, say because topics have changed.
            State::Stable if unchanged && !is_leader => {
                let reply = generation_reply(group, &member_id, false);
                fx.answers.push(Answer::Join(waiter, reply));
            }
            State::CompletingRebalance | State::Stable => self.update_member(now, request, waiter, fx),
            State::Empty => refuse(waiter, member_id, GroupError::UnknownMemberId, fx),
        }
    }

    fn add_member(&mut self, now: Now, request: JoinRequest, member_id: Name, waiter: Waiter, fx: &mut Effects) {
        let timeout = self.config.new_member_join_timeout_ms;
        let Some(group) = self.classic(&request.group_id) else { return };
        let rebalance_timeout_ms = rebalance_timeout(&request);
        if !group.has_members() {
            group.protocol_type = Some(request.protocol_type);
        }
        if group.is_in(State::PreparingRebalance) && group.was_empty() {
            group.new_member_added = true;
        }
        group.add(Member {
            id: member_id.clone(),
            instance_id: request.instance_id,
            client: request.client,
            rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols,
            assignment: Bytes::new(),
            joining: Some(waiter),
            syncing: None,
            is_new: true,
        });
        // The member does not know its id yet and cannot send heartbeats: its join is given up after a long time only.
        self.timers.set(Timer::Heartbeat(request.group_id.clone(), member_id), now.after(timeout));
        self.rebalance_or_complete(now, &request.group_id, "a new member joins", request.reason.as_deref(), fx);
    }

    fn update_member(&mut self, now: Now, request: JoinRequest, waiter: Waiter, fx: &mut Effects) {
        let Some(group) = self.classic(&request.group_id) else { return };
        let rebalance_timeout_ms = rebalance_timeout(&request);
        let id = request.member_id;
        let before =
            group.update(&id, request.protocols, rebalance_timeout_ms, request.session_timeout_ms, Some(waiter));
        if let Some(before) = before {
            // The client gave up waiting for its first join and sent another.
            refuse(before, id, GroupError::RebalanceInProgress, fx);
        }
        self.rebalance_or_complete(now, &request.group_id, "a member rejoins", request.reason.as_deref(), fx);
    }

    /// A static member joins without its member id: it has restarted and takes its place under a new one.
    fn replace_static_member(
        &mut self,
        now: Now,
        request: JoinRequest,
        old_id: &Name,
        new_id: Name,
        waiter: Waiter,
        fx: &mut Effects,
    ) {
        let Some(instance_id) = request.instance_id.clone() else { return };
        let Some(group) = self.classic(&request.group_id) else { return };
        let Some(old) = group.member(old_id) else { return };
        let replaced = Replaced {
            group: request.group_id.clone(),
            instance_id,
            old_id: old_id.clone(),
            new_id: new_id.clone(),
            old_leader: group.leader().cloned().unwrap_or_else(nobody),
            old_protocols: old.protocols.clone(),
            old_rebalance_timeout_ms: old.rebalance_timeout_ms,
            old_session_timeout_ms: old.session_timeout_ms,
            skips_assignment: request.version >= SKIP_ASSIGNMENT_FROM,
        };
        if let Some(parked) = group.replace_static(old_id, new_id.clone()) {
            fence(old_id, parked, fx);
        }
        let timeouts = (rebalance_timeout(&request), request.session_timeout_ms);
        group.update(&new_id, request.protocols, timeouts.0, timeouts.1, Some(waiter));
        let state = group.state();
        let keeps_protocol = group.select_protocol() == group.protocol;
        if state == State::Stable && keeps_protocol {
            let assignments = group.members().map(|member| (member.id.clone(), member.assignment.clone())).collect();
            let value = Some(group.to_record(&assignments));
            fx.records.push(GroupRecord::Classic { group: request.group_id.clone(), value });
            fx.then = Then::Replaced(Box::new(replaced));
        }
        self.timers.cancel(&Timer::Heartbeat(request.group_id.clone(), old_id.clone()));
        self.schedule_heartbeat(now, &request.group_id, &new_id);
        let (id, reason) = (request.group_id, request.reason);
        match state {
            State::Stable if keeps_protocol => {}
            State::PreparingRebalance => self.maybe_complete_join(now, &id, fx),
            _ => self.rebalance_or_complete(now, &id, "a static member is replaced", reason.as_deref(), fx),
        }
    }

    /// The new id of a static member is stored: the member goes on with the assignment it had.
    pub(crate) fn static_member_replaced(&mut self, replaced: Replaced, fx: &mut Effects) {
        let Some(group) = self.classic(&replaced.group) else { return };
        let Some(waiter) = group.take_join(&replaced.new_id) else { return };
        info!(
            group = &*replaced.group,
            member = &*replaced.new_id,
            instance = &*replaced.instance_id,
            "static member is back"
        );
        let is_leader = group.is_leader(&replaced.new_id);
        let mut reply = generation_reply(group, &replaced.new_id, is_leader && replaced.skips_assignment);
        if replaced.skips_assignment {
            reply.skip_assignment = is_leader;
        } else {
            // An old client that finds itself leader would assign anew, and then nobody would sync: it is told of the
            // leader it replaced.
            reply.leader = replaced.old_leader;
        }
        fx.answers.push(Answer::Join(waiter, reply));
    }

    /// The new id of a static member could not be stored: the old one is good again.
    pub(crate) fn static_replacement_failed(
        &mut self,
        now: Now,
        replaced: Replaced,
        error: GroupError,
        fx: &mut Effects,
    ) {
        let Some(group) = self.classic(&replaced.group) else { return };
        let waiter = group.take_join(&replaced.new_id);
        group.replace_static(&replaced.new_id, replaced.old_id.clone());
        let timeouts = (replaced.old_rebalance_timeout_ms, replaced.old_session_timeout_ms);
        group.update(&replaced.old_id, replaced.old_protocols, timeouts.0, timeouts.1, None);
        self.timers.cancel(&Timer::Heartbeat(replaced.group.clone(), replaced.new_id));
        self.schedule_heartbeat(now, &replaced.group, &replaced.old_id);
        if let Some(waiter) = waiter {
            refuse(waiter, nobody(), error, fx);
        }
    }

    /// Answers what was parked in a member that is no longer one, and forgets its heartbeat.
    pub(crate) fn drop_member(&mut self, id: &Name, member: Option<Member>, fx: &mut Effects) {
        let Some(member) = member else { return };
        self.timers.cancel(&Timer::Heartbeat(id.clone(), member.id.clone()));
        if let Some(waiter) = member.joining {
            refuse(waiter, nobody(), GroupError::UnknownMemberId, fx);
        }
        if let Some(waiter) = member.syncing {
            fx.answers
                .push(Answer::Sync(waiter, crate::groups::request::SyncReply::failed(GroupError::UnknownMemberId)));
        }
    }
}

fn rebalance_timeout(request: &JoinRequest) -> i32 {
    request.rebalance_timeout_ms.unwrap_or(request.session_timeout_ms)
}

fn fence(old_id: &Name, (joining, syncing): (Option<Waiter>, Option<Waiter>), fx: &mut Effects) {
    if let Some(waiter) = joining {
        refuse(waiter, old_id.clone(), GroupError::FencedInstanceId, fx);
    }
    if let Some(waiter) = syncing {
        let reply = crate::groups::request::SyncReply::failed(GroupError::FencedInstanceId);
        fx.answers.push(Answer::Sync(waiter, reply));
    }
}

/// The group's current generation, as a reply to one member.
pub(super) fn generation_reply(group: &ClassicGroup, member_id: &Name, with_members: bool) -> JoinReply {
    JoinReply {
        error: None,
        generation: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        leader: group.leader().cloned().unwrap_or_else(nobody),
        skip_assignment: false,
        member_id: member_id.clone(),
        members: if with_members { group.joined_members() } else { Vec::new() },
    }
}

/// `group.max.size`. While members are joining, those that wait already count and not those that were there: the
/// group may have been larger under an older setting, and then the last to rejoin are turned away.
fn has_room(group: &ClassicGroup, member_id: &str, max: usize) -> bool {
    match group.state() {
        State::Empty => true,
        State::PreparingRebalance => {
            group.member(member_id).is_some_and(|member| member.joining.is_some()) || group.awaiting_join() < max
        }
        State::CompletingRebalance | State::Stable => group.member(member_id).is_some() || group.len() < max,
    }
}
