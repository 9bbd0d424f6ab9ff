//! Heartbeat, and its absence.

use tracing::info;

use super::group::{ClassicGroup, State};
use crate::groups::GroupError;
use crate::groups::record::Name;
use crate::groups::request::HeartbeatRequest;
use crate::groups::shard::{Effects, Group, Shard};
use crate::groups::time::Now;

impl Shard {
    /// Heartbeat.
    pub fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> Result<(), GroupError> {
        if matches!(self.groups.get(&request.group_id), Some(Group::Consumer(_))) {
            return self.heartbeat_consumer_group(now, request);
        }
        let group = self.classic(&request.group_id).ok_or(GroupError::UnknownMemberId)?;
        validate(group, request)?;
        let rebalancing = group.is_in(State::PreparingRebalance);
        self.schedule_heartbeat(now, &request.group_id, &request.member_id);
        if rebalancing { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member, or a member id that was handed out, was silent for its session timeout.
    pub(crate) fn session_over(&mut self, now: Now, id: &Name, member_id: &Name, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        if group.is_pending_join(member_id) {
            info!(group = &**id, member = &**member_id, "handed-out member id was not used in time");
            group.remove(member_id);
            return self.maybe_complete_join(now, id, fx);
        }
        let Some(member) = group.member(member_id) else { return };
        if member.is_excused() {
            return;
        }
        info!(group = &**id, member = &**member_id, "member failed: no heartbeat within its session timeout");
        let removed = group.remove(member_id);
        self.drop_member(id, removed, fx);
        self.rebalance_without(now, id, "a member's session timed out", fx);
    }

    /// Members are gone: whoever is left rebalances.
    pub(crate) fn rebalance_without(&mut self, now: Now, id: &Name, why: &str, fx: &mut Effects) {
        match self.classic(id).map(|group| group.state()) {
            Some(State::Stable | State::CompletingRebalance) => self.rebalance_or_complete(now, id, why, None, fx),
            Some(State::PreparingRebalance) => self.maybe_complete_join(now, id, fx),
            Some(State::Empty) | None => {}
        }
    }
}

fn validate(group: &ClassicGroup, request: &HeartbeatRequest) -> Result<(), GroupError> {
    group.validate_member(&request.member_id, request.instance_id.as_deref())?;
    if request.generation != group.generation {
        return Err(GroupError::IllegalGeneration);
    }
    Ok(())
}
