//! WriteTxnMarkers (key 27): ends transactions in partitions. Brokers send it to each other; here it serves
//! `kafka-transactions.sh abort`. Source: `KafkaApis.handleWriteTxnMarkersRequest`.

use wire::messages::write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest};
use wire::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult, WriteTxnMarkersResponse,
};

use super::Context;
use crate::transaction_log::PartitionMarkers;
use crate::transactions::Marker;
use crate::transactions::request::ProducerIdentity;

/// Answers a request.
pub fn handle<'a>(context: &Context<'_>, request: WriteTxnMarkersRequest<'a>) -> WriteTxnMarkersResponse<'a> {
    let node = context.node;
    let markers = PartitionMarkers::new(node.replicas.clone(), node.groups.clone());
    WriteTxnMarkersResponse {
        markers: request.markers.into_iter().map(|marker| write(&markers, marker)).collect(),
        ..WriteTxnMarkersResponse::default()
    }
}

fn write<'a>(markers: &PartitionMarkers, request: WritableTxnMarker<'a>) -> WritableTxnMarkerResult<'a> {
    let marker = Marker {
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        commit: request.transaction_result,
        coordinator_epoch: request.coordinator_epoch,
        transaction_version: request.transaction_version.into(),
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|&partition_index| WritableTxnMarkerPartitionResult {
            partition_index,
            error_code: markers.append(&topic.name, partition_index, &marker).map_or_else(|code| code.code(), |()| 0),
            ..WritableTxnMarkerPartitionResult::default()
        });
        let partitions = partitions.collect();
        WritableTxnMarkerTopicResult { name: topic.name, partitions, ..WritableTxnMarkerTopicResult::default() }
    });
    WritableTxnMarkerResult {
        producer_id: request.producer_id,
        topics: topics.collect(),
        ..WritableTxnMarkerResult::default()
    }
}
