//! Members that leave or are put out.

use tracing::info;

use super::group::{AWAY, Change, ConsumerGroup, Member};
use super::plan::removal;
use crate::groups::GroupError;
use crate::groups::record::{
    ConsumerMetadataValue, ConsumerPart, CurrentValue, GroupRecord, MemberState, Name, PartitionEpochs,
};
use crate::groups::request::{ConsumerHeartbeatReply, ConsumerHeartbeatRequest, Rejected};
use crate::groups::shard::{Effects, Group, Shard, Then, Timer};
use crate::groups::time::Now;

impl Shard {
    /// ConsumerGroupHeartbeat with an epoch of -1 or -2.
    pub(super) fn consumer_leave(
        &mut self,
        now: Now,
        request: &ConsumerHeartbeatRequest,
        fx: &mut Effects,
    ) -> Result<ConsumerHeartbeatReply, Rejected> {
        let id = &request.group_id;
        let group = self.existing_consumer_group(id)?;
        let member = match &request.instance_id {
            Some(instance_id) => group.known_static(&request.member_id, instance_id)?,
            None => group.known(&request.member_id, id)?,
        };
        let reply = ConsumerHeartbeatReply {
            member_id: member.id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        };
        info!(group = &**id, member = &*member.id, away = request.member_epoch == AWAY, "member leaves");
        if request.member_epoch == AWAY {
            // Its place is kept for its session timeout.
            let current =
                CurrentValue { epoch: AWAY, pending_revocation: PartitionEpochs::new(), ..member.current.clone() };
            let part = ConsumerPart::Current(member.id.clone(), Some(current));
            fx.records.push(GroupRecord::Consumer { group: id.clone(), part });
            fx.then = Then::Replay;
        } else {
            let gone = member.id.clone();
            self.put_out(now, id, &[&gone], fx);
        }
        Ok(reply)
    }

    fn existing_consumer_group(&self, id: &Name) -> Result<&ConsumerGroup, Rejected> {
        let not_found = |message: String| Rejected::new(GroupError::GroupIdNotFound, message);
        match self.groups.get(id) {
            Some(Group::Consumer(group)) => Ok(group),
            Some(Group::Classic(_)) => Err(not_found(format!("Group {id} is not a consumer group."))),
            None => Err(not_found(format!("Group {id} not found."))),
        }
    }

    /// A deadline of a member has passed.
    pub(crate) fn fence(&mut self, now: Now, id: &Name, member_id: &Name, why: &str, fx: &mut Effects) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        if group.member(member_id).is_some() {
            info!(group = &**id, member = &**member_id, why, "member fenced");
            self.put_out(now, id, &[member_id], fx);
        }
    }

    /// A member had to give partitions back and time is up.
    pub(crate) fn revocation_over(&mut self, now: Now, id: &Name, member_id: &Name, fx: &mut Effects) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        let late = |member: &Member| member.current.state == MemberState::UnrevokedPartitions;
        if group.member(member_id).is_some_and(late) {
            self.fence(now, id, member_id, "partitions not given back within its rebalance timeout", fx);
        }
    }

    /// Removes members; when only those of the classic protocol are left, the group becomes a classic one.
    pub(super) fn put_out(&mut self, now: Now, id: &Name, gone: &[&Name], fx: &mut Effects) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        if super::migrate::may_downgrade(id, group, gone, &self.config) {
            return self.downgrade(now, id, gone, fx);
        }
        let mut parts: Vec<ConsumerPart> = gone.iter().flat_map(|member| removal(member)).collect();
        parts.extend(unused_regexes(group, gone).map(|regex| ConsumerPart::Regex(regex.clone(), None)));
        let metadata_hash = group.metadata_hash_after(&Change { gone, put: None }, &*self.topics);
        let epoch = group.epoch + 1;
        parts.push(ConsumerPart::Metadata(Some(ConsumerMetadataValue { epoch, metadata_hash })));
        info!(group = &**id, epoch, "group epoch bumped");
        fx.records.extend(parts.into_iter().map(|part| GroupRecord::Consumer { group: id.clone(), part }));
        fx.then = Then::Replay;
    }

    pub(crate) fn cancel_consumer_timers(&mut self, id: &Name, member: &Name) {
        for timer in [Timer::Session, Timer::Revocation, Timer::Rejoin, Timer::Resync] {
            self.timers.cancel(&timer(id.clone(), member.clone()));
        }
    }

    /// Starts the timers of a group that was loaded.
    pub(crate) fn consumer_loaded(&mut self, now: Now, id: &Name) {
        let Some(Group::Consumer(group)) = self.groups.get_mut(id) else { return };
        // Topics may have changed while nobody looked.
        group.refresh = true;
        let overrides = self.overrides.get(id).copied().unwrap_or_default();
        let default_ms = overrides.session_timeout_ms.unwrap_or(self.config.consumer.session_timeout_ms);
        for member in group.members() {
            let session_ms = member.classic().map_or(default_ms, |classic| classic.session_timeout_ms);
            self.timers.set(Timer::Session(id.clone(), member.id.clone()), now.after(session_ms));
            if member.current.state == MemberState::UnrevokedPartitions && !member.is_classic() {
                let deadline = now.after(member.value.rebalance_timeout_ms);
                self.timers.set(Timer::Revocation(id.clone(), member.id.clone()), deadline);
            }
        }
    }
}

/// Regular expressions that only members of `gone` subscribe to.
fn unused_regexes<'a>(group: &'a ConsumerGroup, gone: &'a [&'a Name]) -> impl Iterator<Item = &'a Name> {
    let stays =
        |regex: &Name| group.members().any(|member| member.regex() == Some(regex) && !gone.contains(&&member.id));
    let of_gone = gone.iter().filter_map(|id| group.member(id)?.regex());
    let unused: std::collections::BTreeSet<&Name> = of_gone.filter(|regex| !stays(regex)).collect();
    unused.into_iter()
}
