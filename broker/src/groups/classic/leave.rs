//! LeaveGroup.

use tracing::info;

use crate::groups::GroupError;
use crate::groups::record::Name;
use crate::groups::request::{LeaveRequest, LeavingMember, LeftMember};
use crate::groups::shard::{Effects, Group, Shard};
use crate::groups::time::Now;

impl Shard {
    /// LeaveGroup: one answer for each member, in the order of the request.
    pub fn leave(&mut self, now: Now, request: LeaveRequest, fx: &mut Effects) -> Vec<LeftMember> {
        if matches!(self.groups.get(&request.group_id), Some(Group::Consumer(_))) {
            return self.leave_consumer_group(now, request, fx);
        }
        let mut left = Vec::with_capacity(request.members.len());
        for member in request.members {
            let error = self.leave_one(&request.group_id, &member, fx).err();
            left.push(LeftMember { member_id: member.member_id, instance_id: member.instance_id, error });
        }
        if left.iter().any(|member| member.error.is_none()) {
            self.rebalance_without(now, &request.group_id, "members left", fx);
        }
        left
    }

    fn leave_one(&mut self, id: &Name, leaving: &LeavingMember, fx: &mut Effects) -> Result<(), GroupError> {
        let group = self.classic(id).ok_or(GroupError::UnknownMemberId)?;
        let member_id = if leaving.member_id.is_empty() {
            // An administrator removes a static member, whose member id is not known outside.
            let instance_id = leaving.instance_id.as_deref().ok_or(GroupError::UnknownMemberId)?;
            group.static_member(instance_id).cloned().ok_or(GroupError::UnknownMemberId)?
        } else if group.is_pending_join(&leaving.member_id) {
            leaving.member_id.clone()
        } else {
            group.validate_member(&leaving.member_id, leaving.instance_id.as_deref())?;
            leaving.member_id.clone()
        };
        info!(group = &**id, member = &*member_id, reason = leaving.reason.as_deref(), "member leaves");
        let removed = group.remove(&member_id);
        self.timers.cancel(&crate::groups::shard::Timer::Heartbeat(id.clone(), member_id));
        self.drop_member(id, removed, fx);
        Ok(())
    }
}
