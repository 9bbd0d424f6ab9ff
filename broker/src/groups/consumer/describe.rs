//! ConsumerGroupDescribe.

use super::embedded::without_epochs;
use super::group::Member;
use super::plan::preferred_assignor;
use crate::groups::GroupError;
use crate::groups::record::{Name, Partitions};
use crate::groups::request::{DescribedConsumer, DescribedConsumerGroup, Rejected, TopicPartitions};
use crate::groups::shard::{Group, Shard};

impl Shard {
    /// ConsumerGroupDescribe, for one group.
    pub fn describe_consumer_group(&self, id: &Name) -> Result<DescribedConsumerGroup, Rejected> {
        let not_found = |message: String| Rejected::new(GroupError::GroupIdNotFound, message);
        let group = match self.groups.get(id) {
            Some(Group::Consumer(group)) => group,
            Some(Group::Classic(_)) => return Err(not_found(format!("Group {id} is not a consumer group."))),
            None => return Err(not_found(format!("Group {id} not found."))),
        };
        let described = |member: &Member| DescribedConsumer {
            member_id: member.id.clone(),
            instance_id: member.value.instance_id.clone(),
            rack_id: member.value.rack_id.clone(),
            epoch: member.epoch(),
            client_id: member.value.client_id.clone(),
            client_host: member.value.client_host.clone(),
            topic_names: member.value.topic_names.clone(),
            topic_regex: member.value.topic_regex.clone(),
            assignment: self.named(&held(member)),
            target: self.named(&group.target(member)),
            is_classic: member.is_classic(),
        };
        Ok(DescribedConsumerGroup {
            group_id: id.clone(),
            state: group.state().name(),
            epoch: group.epoch,
            assignment_epoch: group.target_epoch,
            assignor: preferred_assignor(group, group.members(), &self.config).name(),
            members: group.members().map(described).collect(),
        })
    }

    /// Partitions with their topics' names; topics that are gone are left out.
    fn named(&self, partitions: &Partitions) -> Vec<TopicPartitions<i32>> {
        let named = |(topic_id, numbers): (&uuid::Uuid, &std::collections::BTreeSet<i32>)| {
            let topic = self.topics.name_of(*topic_id)?;
            Some(TopicPartitions { topic, topic_id: *topic_id, partitions: numbers.iter().copied().collect() })
        };
        partitions.iter().filter_map(named).collect()
    }
}

/// What a member has, with what it has yet to give back.
fn held(member: &Member) -> Partitions {
    let mut held = without_epochs(&member.current.assigned);
    for (topic, numbers) in without_epochs(&member.current.pending_revocation) {
        held.entry(topic).or_default().extend(numbers);
    }
    held
}
