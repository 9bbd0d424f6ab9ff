//! DescribeQuorum (key 55): this node is the only voter. Source: `KafkaRaftClient.handleDescribeQuorumRequest`,
//! KIP-595, KIP-853.

use wire::ErrorCode;
use wire::messages::describe_quorum_request::DescribeQuorumRequest;
use wire::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};

use super::Context;

/// The one partition there is a quorum of.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// The first version with texts and the voters' listeners.
const FIRST_NODES_VERSION: i16 = 2;
/// The first version with the times of fetches.
const FIRST_TIMES_VERSION: i16 = 1;

/// Answers a request.
pub fn handle(context: &Context<'_>, request: DescribeQuorumRequest<'_>) -> DescribeQuorumResponse<'static> {
    let is_metadata = matches!(&request.topics[..], [topic]
        if topic.topic_name == METADATA_TOPIC && matches!(&topic.partitions[..], [only] if only.partition_index == 0));
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic
            .partitions
            .iter()
            .map(|partition| if is_metadata { quorum(context) } else { unknown(context, partition.partition_index) });
        TopicData {
            partitions: partitions.collect(),
            topic_name: topic.topic_name.clone().into_owned().into(),
            ..TopicData::default()
        }
    });
    let nodes = if is_metadata && context.version >= FIRST_NODES_VERSION { vec![node(context)] } else { Vec::new() };
    DescribeQuorumResponse { topics: topics.collect(), nodes, ..DescribeQuorumResponse::default() }
}

fn unknown(context: &Context<'_>, partition_index: i32) -> PartitionData<'static> {
    let mut partition = PartitionData {
        partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        ..PartitionData::default()
    };
    if context.version >= FIRST_NODES_VERSION {
        partition.error_message = Some(ErrorCode::UnknownTopicOrPartition.message().into());
    }
    partition
}

fn quorum(context: &Context<'_>) -> PartitionData<'static> {
    let controller = &context.node.controller;
    let image = controller.image();
    // Whatever is in the image is on the disk: one voter is a majority.
    let end = image.offset + 1;
    let mut voter = ReplicaState { replica_id: controller.node_id(), log_end_offset: end, ..ReplicaState::default() };
    if context.version >= FIRST_TIMES_VERSION {
        let now = context.node.now_ms();
        voter.last_fetch_timestamp = now;
        voter.last_caught_up_timestamp = now;
    }
    if context.version >= FIRST_NODES_VERSION {
        voter.replica_directory_id = controller.voter_directory_id();
    }
    PartitionData {
        leader_id: controller.node_id(),
        leader_epoch: image.epoch,
        high_watermark: end,
        current_voters: vec![voter],
        ..PartitionData::default()
    }
}

fn node(context: &Context<'_>) -> Node<'static> {
    let controller = &context.node.controller;
    let image = controller.image();
    let endpoints = image.controllers.get(&controller.node_id()).map(|known| known.endpoints.as_slice());
    let listeners = endpoints.unwrap_or_default().iter().map(|endpoint| Listener {
        name: endpoint.listener.clone().into(),
        host: endpoint.host.clone().into(),
        port: endpoint.port,
        ..Listener::default()
    });
    Node { node_id: controller.node_id(), listeners: listeners.collect(), ..Node::default() }
}
