//! SyncGroup.

use std::collections::HashMap;

use bytes::Bytes;
use tracing::info;

use super::group::{ClassicGroup, State};
use crate::groups::GroupError;
use crate::groups::record::{GroupRecord, Name};
use crate::groups::request::{SyncReply, SyncRequest};
use crate::groups::shard::{Answer, Effects, Group, Shard, Then, Timer, Waiter};
use crate::groups::time::Now;

impl Shard {
    /// SyncGroup. Answered now or when the leader's assignment is stored.
    pub fn sync(&mut self, now: Now, request: SyncRequest, waiter: Waiter, fx: &mut Effects) {
        let id = request.group_id.clone();
        if matches!(self.groups.get(&id), Some(Group::Consumer(_))) {
            let reply = self.sync_consumer_group(now, &request).unwrap_or_else(SyncReply::failed);
            return fx.answers.push(Answer::Sync(waiter, reply));
        }
        let Some(group) = self.classic(&id) else {
            fx.answers.push(Answer::Sync(waiter, SyncReply::failed(GroupError::UnknownMemberId)));
            return;
        };
        if let Err(error) = validate(group, &request) {
            fx.answers.push(Answer::Sync(waiter, SyncReply::failed(error)));
            return;
        }
        match group.state() {
            State::CompletingRebalance => self.sync_completing(request, waiter, fx),
            State::Stable => {
                if let Some(reply) = assignment_reply(group, &request.member_id) {
                    fx.answers.push(Answer::Sync(waiter, reply));
                }
                self.member_synced(&id, &request.member_id);
            }
            // Validation leaves only a rebalance.
            State::Empty | State::PreparingRebalance => {
                fx.answers.push(Answer::Sync(waiter, SyncReply::failed(GroupError::RebalanceInProgress)));
            }
        }
    }

    fn sync_completing(&mut self, request: SyncRequest, waiter: Waiter, fx: &mut Effects) {
        let id = request.group_id;
        self.member_synced(&id, &request.member_id);
        let Some(group) = self.classic(&id) else { return };
        let Some(member) = group.member_mut(&request.member_id) else { return };
        if let Some(before) = member.syncing.replace(waiter) {
            fx.answers.push(Answer::Sync(before, SyncReply::failed(GroupError::RebalanceInProgress)));
        }
        if !group.is_leader(&request.member_id) {
            return;
        }
        let generation = group.generation;
        info!(group = &*id, generation, leader = &*request.member_id, members = group.len(), "assignment received");
        let assignments: HashMap<Name, Bytes> = request.assignments.into_iter().collect();
        let value = Some(group.to_record(&assignments));
        fx.records.push(GroupRecord::Classic { group: id.clone(), value });
        fx.then = Then::Assign { group: id, generation, assignments };
    }

    /// The assignment is stored: it goes to everybody who waits, and the group is stable.
    pub(crate) fn assign(
        &mut self,
        now: Now,
        id: &Name,
        generation: i32,
        assignments: &HashMap<Name, Bytes>,
        fx: &mut Effects,
    ) {
        let Some(group) = self.classic(id) else { return };
        if !group.is_in(State::CompletingRebalance) || group.generation != generation {
            return;
        }
        for member_id in group.member_ids() {
            if let Some(member) = group.member_mut(&member_id) {
                member.assignment = assignments.get(&member_id).cloned().unwrap_or_default();
            }
        }
        self.answer_syncs(now, id, None, fx);
        if let Some(group) = self.classic(id) {
            group.transition(State::Stable, now);
        }
    }

    /// The assignment could not be stored: everybody has to join again.
    pub(crate) fn assign_failed(&mut self, now: Now, id: &Name, generation: i32, error: GroupError, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        if group.is_in(State::CompletingRebalance) && group.generation == generation {
            self.reset_assignments(now, id, error, fx);
            self.rebalance_or_complete(now, id, "the assignment could not be stored", None, fx);
        }
    }

    /// Takes the assignments away and answers every parked SyncGroup with the error.
    pub(crate) fn reset_assignments(&mut self, now: Now, id: &Name, error: GroupError, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        for member_id in group.member_ids() {
            if let Some(member) = group.member_mut(&member_id) {
                member.assignment = Bytes::new();
            }
        }
        self.answer_syncs(now, id, Some(error), fx);
    }

    fn answer_syncs(&mut self, now: Now, id: &Name, error: Option<GroupError>, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        for member_id in group.member_ids() {
            let Some(group) = self.classic(id) else { return };
            let Some(waiter) = group.member_mut(&member_id).and_then(|member| member.syncing.take()) else { continue };
            let reply = match error {
                Some(error) => SyncReply::failed(error),
                None => match assignment_reply(group, &member_id) {
                    Some(reply) => reply,
                    None => continue,
                },
            };
            fx.answers.push(Answer::Sync(waiter, reply));
            // While its request was parked, the end of the member's session counted for nothing.
            self.schedule_heartbeat(now, id, &member_id);
        }
    }

    fn member_synced(&mut self, id: &Name, member_id: &str) {
        let Some(group) = self.classic(id) else { return };
        group.synced(member_id);
        if group.all_synced() {
            self.timers.cancel(&Timer::Sync(id.clone()));
        }
    }
}

fn assignment_reply(group: &ClassicGroup, member_id: &str) -> Option<SyncReply> {
    group.member(member_id).map(|member| SyncReply {
        error: None,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        assignment: member.assignment.clone(),
    })
}

fn validate(group: &ClassicGroup, request: &SyncRequest) -> Result<(), GroupError> {
    if group.is_in(State::Empty) {
        return Err(GroupError::UnknownMemberId);
    }
    group.validate_member(&request.member_id, request.instance_id.as_deref())?;
    if request.generation != group.generation {
        return Err(GroupError::IllegalGeneration);
    }
    let differs = |given: &Option<Name>, own: &Option<Name>| given.is_some() && given != own;
    if differs(&request.protocol_type, &group.protocol_type) || differs(&request.protocol_name, &group.protocol) {
        return Err(GroupError::InconsistentGroupProtocol);
    }
    Ok(())
}
