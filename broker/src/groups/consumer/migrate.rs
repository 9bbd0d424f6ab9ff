//! Groups that change their protocol while they have members (`group.consumer.migration.policy`).

use std::collections::HashMap;

use bytes::Bytes;
use tracing::info;

use super::embedded;
use super::group::{Change, ConsumerGroup, Member};
use crate::groups::classic::{self, CONSUMER, ClassicGroup, State};
use crate::groups::record::{
    ClassicMemberMetadata, ConsumerMetadataValue, ConsumerPart, CurrentValue, GroupRecord, MemberState, MemberValue,
    Name, PartitionEpochs, Partitions, TargetMetadataValue,
};
use crate::groups::request::{Client, Rejected};
use crate::groups::shard::{Effects, Group, Shard, Then};
use crate::groups::time::Now;
use crate::groups::topics::Topics;
use crate::groups::{GroupConfig, GroupError};

/// A consumer group that becomes a classic one, until that is stored.
#[derive(Debug)]
pub struct Downgrade {
    group: ClassicGroup,
    /// The members have to be assigned anew.
    rebalance: bool,
}

/// The consumer group that a classic one becomes when the first member of the consumer protocol joins, and its records.
pub(super) fn upgrade(
    id: &Name,
    group: &ClassicGroup,
    config: &GroupConfig,
    topics: &dyn Topics,
) -> Result<(ConsumerGroup, Vec<GroupRecord>), Rejected> {
    let mut records = vec![GroupRecord::Classic { group: id.clone(), value: None }];
    if group.is_in(State::Empty) {
        return Ok((ConsumerGroup::new(), records));
    }
    let cannot = |why: &str| {
        Rejected::new(
            GroupError::GroupIdNotFound,
            format!("Cannot upgrade classic group {id} to consumer group because {why}"),
        )
    };
    if !config.consumer.migration_policy.upgrades() {
        return Err(cannot("online upgrade is disabled."));
    }
    if !group.is_consumer_type() {
        return Err(cannot("the group does not use the consumer embedded protocol."));
    }
    if group.len() > usize::try_from(config.consumer.max_size).unwrap_or(0) {
        return Err(cannot("the group size exceeds the consumer group maximum size."));
    }
    let mut members = Vec::with_capacity(group.len());
    for member in group.members() {
        let metadata = group.protocol.as_deref().and_then(|protocol| member.metadata(protocol));
        let metadata = metadata.or_else(|| member.protocols.first().map(|(_, metadata)| metadata));
        let subscription = metadata.and_then(|metadata| embedded::subscription(metadata, topics));
        let subscription = subscription.ok_or_else(|| cannot("the embedded consumer protocol is malformed."))?;
        let assignment = embedded::assignment(&member.assignment, topics).ok_or_else(|| {
            cannot(
                "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor \
                 before re-attempting the upgrade.",
            )
        })?;
        members.push((from_classic(member, group.generation, subscription, &assignment), assignment));
    }
    let parts = upgraded_parts(group.generation, &members, topics);
    let mut upgraded = ConsumerGroup::new();
    for part in &parts {
        upgraded.replay(part.clone());
    }
    info!(group = &**id, members = members.len(), "classic group becomes a consumer group");
    records.extend(parts.into_iter().map(|part| GroupRecord::Consumer { group: id.clone(), part }));
    Ok((upgraded, records))
}

fn from_classic(
    member: &classic::Member,
    generation: i32,
    subscription: embedded::Subscription,
    assignment: &Partitions,
) -> Member {
    let at_generation =
        |numbers: &std::collections::BTreeSet<i32>| numbers.iter().map(|number| (*number, generation)).collect();
    let value = MemberValue {
        instance_id: member.instance_id.clone(),
        rack_id: subscription.rack_id,
        client_id: member.client.id.clone(),
        client_host: member.client.host.clone(),
        topic_names: subscription.topics,
        topic_regex: Some(Name::from("")),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        server_assignor: None,
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.clone(),
        }),
    };
    let current = CurrentValue {
        epoch: generation,
        previous_epoch: generation,
        state: MemberState::Stable,
        assigned: assignment.iter().map(|(topic, numbers)| (*topic, at_generation(numbers))).collect(),
        pending_revocation: PartitionEpochs::new(),
    };
    Member { id: member.id.clone(), value, current }
}

fn upgraded_parts(generation: i32, members: &[(Member, Partitions)], topics: &dyn Topics) -> Vec<ConsumerPart> {
    let described =
        members.iter().map(|(member, _)| ConsumerPart::Member(member.id.clone(), Some(member.value.clone())));
    let mut parts: Vec<ConsumerPart> = described.collect();
    let mut probe = ConsumerGroup::new();
    members.iter().for_each(|(member, _)| probe.put(member.clone()));
    let metadata_hash = probe.metadata_hash_after(&Change::default(), topics);
    parts.push(ConsumerPart::Metadata(Some(ConsumerMetadataValue { epoch: generation, metadata_hash })));
    parts.extend(members.iter().map(|(member, target)| ConsumerPart::Target(member.id.clone(), Some(target.clone()))));
    parts.push(ConsumerPart::TargetMetadata(Some(TargetMetadataValue { epoch: generation, timestamp: 0 })));
    parts.extend(
        members.iter().map(|(member, _)| ConsumerPart::Current(member.id.clone(), Some(member.current.clone()))),
    );
    parts
}

/// Whether the group becomes a classic one when a classic member takes the place of this static one.
pub(super) fn may_downgrade_by(id: &Name, group: &ConsumerGroup, replaced: &Member, config: &GroupConfig) -> bool {
    group.all_classic_except(&[&replaced.id]) && allows_downgrade(id, group.len(), config)
}

/// Whether the group becomes a classic one when these members go: only classic ones are left, and it is allowed.
pub(super) fn may_downgrade(id: &Name, group: &ConsumerGroup, gone: &[&Name], config: &GroupConfig) -> bool {
    let left = group.len().saturating_sub(gone.len());
    left > 0 && group.all_classic_except(gone) && allows_downgrade(id, left, config)
}

fn allows_downgrade(id: &Name, left: usize, config: &GroupConfig) -> bool {
    if !config.consumer.migration_policy.downgrades() {
        info!(group = &**id, "not made a classic group: group.consumer.migration.policy forbids it");
        return false;
    }
    if left > usize::try_from(config.max_size).unwrap_or(0) {
        info!(group = &**id, members = left, "not made a classic group: it has more than group.max.size members");
        return false;
    }
    true
}

impl Shard {
    /// Makes a classic group of what is left without `gone`.
    pub(super) fn downgrade(&mut self, now: Now, id: &Name, gone: &[&Name], fx: &mut Effects) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        let tombstones = group.tombstones();
        self.write_downgrade(now, id, tombstones, &Change { gone, put: None }, true, fx);
    }

    /// Writes the tombstones of a consumer group and the classic group that its members after `change` form.
    pub(super) fn write_downgrade(
        &mut self,
        now: Now,
        id: &Name,
        tombstones: Vec<ConsumerPart>,
        change: &Change<'_>,
        rebalance: bool,
        fx: &mut Effects,
    ) {
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        let mut classic = ClassicGroup::stable(id.clone(), group.epoch, now);
        classic.protocol_type = Some(Name::from(CONSUMER));
        let mut targets = HashMap::new();
        for member in group.members_after(change) {
            if let Some(metadata) = member.classic() {
                targets.insert(member.id.clone(), group.target(member));
                classic.add(to_classic(member, metadata));
            }
        }
        let assignments = classic.assign_all(|metadata, member| {
            let version = metadata.first_chunk().map_or(0, |bytes| i16::from_be_bytes(*bytes));
            let target = targets.get(member).cloned().unwrap_or_default();
            embedded::write_assignment(&target, version, &*self.topics)
        });
        let value = Some(classic.to_record(&assignments));
        fx.records.extend(tombstones.into_iter().map(|part| GroupRecord::Consumer { group: id.clone(), part }));
        fx.records.push(GroupRecord::Classic { group: id.clone(), value });
        fx.then = Then::Downgrade(Box::new(Downgrade { group: classic, rebalance }));
    }

    /// The classic group is stored.
    pub(crate) fn downgraded(&mut self, now: Now, downgrade: Downgrade, fx: &mut Effects) {
        let id = downgrade.group.id.clone();
        info!(group = &*id, members = downgrade.group.len(), "consumer group becomes a classic group");
        self.remove_group(&id);
        let members = downgrade.group.member_ids();
        self.groups.insert(id.clone(), Group::Classic(downgrade.group));
        for member in &members {
            self.schedule_heartbeat(now, &id, member);
        }
        if downgrade.rebalance {
            self.prepare_rebalance(now, &id, "the group has become a classic one", None, fx);
        }
    }
}

fn to_classic(member: &Member, metadata: &ClassicMemberMetadata) -> classic::Member {
    classic::Member {
        id: member.id.clone(),
        instance_id: member.value.instance_id.clone(),
        client: Client { id: member.value.client_id.clone(), host: member.value.client_host.clone() },
        rebalance_timeout_ms: member.value.rebalance_timeout_ms,
        session_timeout_ms: metadata.session_timeout_ms,
        protocols: metadata.protocols.clone(),
        assignment: Bytes::new(),
        joining: None,
        syncing: None,
        is_new: false,
    }
}
