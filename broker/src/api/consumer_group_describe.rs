//! ConsumerGroupDescribe (key 69): consumer groups and their members (KIP-848). Source:
//! `KafkaApis.handleConsumerGroupDescribe`.

use wire::ErrorCode;
use wire::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::messages::consumer_group_describe_response::{
    Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};

use super::{Context, authorized_operations, group};
use crate::groups::request::{DescribedConsumer, DescribedConsumerGroup, TopicPartitions as Partitions};

/// Answers a request.
pub fn handle(
    context: &Context<'_>,
    request: ConsumerGroupDescribeRequest<'_>,
) -> ConsumerGroupDescribeResponse<'static> {
    let mut groups = Vec::with_capacity(request.group_ids.len());
    if !group::serves_consumer_protocol(context) {
        groups.extend(request.group_ids.iter().map(|id| DescribedGroup {
            group_id: id.clone().into_owned().into(),
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..DescribedGroup::default()
        }));
        return ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() };
    }
    for id in &request.group_ids {
        let mut group = match context.node.groups.describe_consumer_group(&id.as_ref().into()) {
            Ok(description) => described(description),
            Err(rejected) => DescribedGroup {
                group_id: id.clone().into_owned().into(),
                error_code: rejected.error.code().code(),
                error_message: Some(rejected.message).filter(|message| !message.is_empty()).map(Into::into),
                ..DescribedGroup::default()
            },
        };
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = authorized_operations::GROUP;
        }
        groups.push(group);
    }
    ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
}

fn described(group: DescribedConsumerGroup) -> DescribedGroup<'static> {
    DescribedGroup {
        group_id: group.group_id.to_string().into(),
        group_state: group.state.into(),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: group.assignor.into(),
        members: group.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(member: DescribedConsumer) -> Member<'static> {
    Member {
        member_id: member.member_id.to_string().into(),
        instance_id: member.instance_id.map(|id| id.to_string().into()),
        rack_id: member.rack_id.map(|rack| rack.to_string().into()),
        member_epoch: member.epoch,
        client_id: member.client_id.to_string().into(),
        client_host: member.client_host.to_string().into(),
        subscribed_topic_names: member.topic_names.iter().map(|name| name.to_string().into()).collect(),
        subscribed_topic_regex: member.topic_regex.map(|regex| regex.to_string().into()),
        assignment: assignment(member.assignment),
        target_assignment: assignment(member.target),
        member_type: i8::from(!member.is_classic),
        ..Member::default()
    }
}

fn assignment(topics: Vec<Partitions<i32>>) -> Assignment<'static> {
    let topic = |topic: Partitions<i32>| TopicPartitions {
        topic_id: topic.topic_id,
        topic_name: topic.topic.to_string().into(),
        partitions: topic.partitions,
        ..TopicPartitions::default()
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect(), ..Assignment::default() }
}
