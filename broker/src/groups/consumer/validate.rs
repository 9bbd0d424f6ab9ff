//! What a member may do at the epoch it says it is at.

use super::group::{ConsumerGroup, Member};
use crate::groups::GroupError;
use crate::groups::record::{Name, Partitions};
use crate::groups::request::{CommitRequest, Rejected};
use crate::groups::topics::Topics;

/// First OffsetCommit version that members of the consumer protocol may use.
const COMMIT_FROM: i16 = 9;

impl ConsumerGroup {
    /// The member of this id.
    pub fn known(&self, id: &Name, group: &str) -> Result<&Member, Rejected> {
        let unknown =
            || Rejected::new(GroupError::UnknownMemberId, format!("Member {id} is not a member of group {group}."));
        self.member(id).ok_or_else(unknown)
    }

    /// The static member of this instance id, which must be the one that asks.
    pub fn known_static(&self, id: &Name, instance_id: &Name) -> Result<&Member, Rejected> {
        let unknown = || Rejected::new(GroupError::UnknownMemberId, format!("Instance id {instance_id} is unknown."));
        let holder = self.static_member(instance_id).ok_or_else(unknown)?;
        if holder.id == *id {
            return Ok(holder);
        }
        let message = format!("Static member {id} with instance id {instance_id} was fenced by member {}.", holder.id);
        Err(Rejected::new(GroupError::FencedInstanceId, message))
    }
}

impl Member {
    /// Checks the epoch of a heartbeat. The one before is good too, for a member whose last reply was lost, if it owns
    /// nothing that it should not; and with 0 a member begins anew.
    pub fn check_epoch(&self, received: i32, owned: Option<&Partitions>) -> Result<(), Rejected> {
        if received == 0 || received == self.epoch() {
            return Ok(());
        }
        let known = self.epoch();
        let size = if received > known { "greater" } else { "smaller" };
        if received < known
            && received == self.current.previous_epoch
            && owned.is_some_and(|owned| self.is_assigned(owned))
        {
            return Ok(());
        }
        let message = format!(
            "The consumer group member has a {size} member epoch ({received}) than the one known by the group coordinator \
             ({known}). The member must abandon all its partitions and rejoin."
        );
        Err(Rejected::new(GroupError::FencedMemberEpoch, message))
    }

    fn is_assigned(&self, owned: &Partitions) -> bool {
        owned.iter().all(|(topic, numbers)| {
            let assigned = self.current.assigned.get(topic);
            assigned.is_some_and(|assigned| numbers.iter().all(|number| assigned.contains_key(number)))
        })
    }

    fn stale(&self) -> GroupError {
        if self.is_classic() { GroupError::IllegalGeneration } else { GroupError::StaleMemberEpoch }
    }
}

/// Checks that the request may commit. A member that lags behind may commit what it had at the epoch it is at.
pub(crate) fn validate_commit(
    group: &ConsumerGroup,
    request: &CommitRequest,
    is_transactional: bool,
    topics: &dyn Topics,
) -> Result<(), GroupError> {
    if request.generation < 0 && group.is_empty() {
        return Ok(());
    }
    if is_transactional && request.generation == -1 && request.member_id.is_empty() && request.instance_id.is_none() {
        return Ok(());
    }
    let member = group.member(&request.member_id).ok_or(GroupError::UnknownMemberId)?;
    if !is_transactional && !member.is_classic() && request.version < COMMIT_FROM {
        return Err(GroupError::UnsupportedVersion);
    }
    if request.generation == member.epoch() {
        return Ok(());
    }
    if request.generation > member.epoch() {
        return Err(member.stale());
    }
    for asked in &request.topics {
        let id = if asked.topic_id.is_nil() {
            topics.topic(&asked.topic).map(|topic| topic.id)
        } else {
            Some(asked.topic_id)
        };
        let held = |number: i32| {
            let id = id?;
            let in_assignment =
                |partitions: &crate::groups::record::PartitionEpochs| partitions.get(&id)?.get(&number).copied();
            in_assignment(&member.current.assigned).or_else(|| in_assignment(&member.current.pending_revocation))
        };
        let may = |number: i32| held(number).is_some_and(|since| request.generation >= since);
        if !asked.partitions.iter().all(|commit| may(commit.partition)) {
            return Err(member.stale());
        }
    }
    Ok(())
}

impl ConsumerGroup {
    /// Checks that the request may read offsets: members name their epoch, others do not.
    pub fn validate_fetch(&self, member_id: Option<&Name>, epoch: i32) -> Result<(), GroupError> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.member(id)).ok_or(GroupError::UnknownMemberId)?;
        if epoch == member.epoch() { Ok(()) } else { Err(member.stale()) }
    }
}
