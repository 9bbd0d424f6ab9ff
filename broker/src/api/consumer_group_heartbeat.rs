//! ConsumerGroupHeartbeat (key 68): a member of a consumer group joins, is alive or leaves (KIP-848). Source:
//! `KafkaApis.handleConsumerGroupHeartbeat`.

use wire::ErrorCode;
use wire::messages::consumer_group_heartbeat_request::{ConsumerGroupHeartbeatRequest, TopicPartitions as Owned};
use wire::messages::consumer_group_heartbeat_response::{Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions};

use super::{Context, group};
use crate::groups::record::Partitions;
use crate::groups::request::ConsumerHeartbeatRequest;

/// Answers a request.
pub async fn handle(
    context: &Context<'_>,
    request: ConsumerGroupHeartbeatRequest<'_>,
) -> ConsumerGroupHeartbeatResponse<'static> {
    if !group::serves_consumer_protocol(context) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return ConsumerGroupHeartbeatResponse { error_code, ..ConsumerGroupHeartbeatResponse::default() };
    }
    let heartbeat = ConsumerHeartbeatRequest {
        version: context.version,
        client: group::client(context),
        group_id: request.group_id.as_ref().into(),
        member_id: request.member_id.as_ref().into(),
        member_epoch: request.member_epoch,
        instance_id: request.instance_id.as_deref().map(Into::into),
        rack_id: request.rack_id.as_deref().map(Into::into),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topic_names: request
            .subscribed_topic_names
            .map(|names| names.iter().map(|name| name.as_ref().into()).collect()),
        topic_regex: request.subscribed_topic_regex.as_deref().map(Into::into),
        server_assignor: request.server_assignor.as_deref().map(Into::into),
        owned: request.topic_partitions.map(owned),
    };
    match context.node.groups.consumer_group_heartbeat(heartbeat).await {
        Ok(reply) => ConsumerGroupHeartbeatResponse {
            member_id: Some(reply.member_id.to_string().into()),
            member_epoch: reply.member_epoch,
            heartbeat_interval_ms: reply.heartbeat_interval_ms,
            assignment: reply.assignment.map(assignment),
            ..ConsumerGroupHeartbeatResponse::default()
        },
        Err(rejected) => ConsumerGroupHeartbeatResponse {
            error_code: rejected.error.code().code(),
            error_message: Some(rejected.message).filter(|message| !message.is_empty()).map(Into::into),
            ..ConsumerGroupHeartbeatResponse::default()
        },
    }
}

fn owned(topics: Vec<Owned>) -> Partitions {
    let mut owned = Partitions::new();
    for topic in topics {
        owned.entry(topic.topic_id).or_default().extend(topic.partitions);
    }
    owned
}

fn assignment(partitions: Partitions) -> Assignment {
    let topic = |(topic_id, numbers): (uuid::Uuid, std::collections::BTreeSet<i32>)| TopicPartitions {
        topic_id,
        partitions: numbers.into_iter().collect(),
        ..TopicPartitions::default()
    };
    Assignment { topic_partitions: partitions.into_iter().map(topic).collect(), ..Assignment::default() }
}
