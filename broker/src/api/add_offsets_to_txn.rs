//! AddOffsetsToTxn (key 25): makes a group's offsets part of a transaction. Source:
//! `KafkaApis.handleAddOffsetsToTxnRequest`; KIP-98.

use wire::ErrorCode;
use wire::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use wire::messages::add_offsets_to_txn_response::AddOffsetsToTxnResponse;

use super::{Context, transaction};
use crate::internal_topics::InternalTopic;
use crate::transactions::request::{Outcome, PartitionsRequest, ProducerIdentity};

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: AddOffsetsToTxnRequest<'_>) -> AddOffsetsToTxnResponse {
    let outcome = add(context, &request).await;
    AddOffsetsToTxnResponse { error_code: transaction::code(context, &outcome), ..AddOffsetsToTxnResponse::default() }
}

async fn add(context: &Context<'_>, request: &AddOffsetsToTxnRequest<'_>) -> Outcome<()> {
    let node = context.node;
    if request.transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let topic = node.internal_topic(InternalTopic::ConsumerOffsets).await?;
    let request = PartitionsRequest {
        id: request.transactional_id.as_ref().into(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        partitions: vec![(topic.name.clone(), node.groups.partition_of(&request.group_id))],
        client_version: 0,
    };
    node.transactions.add_partitions(request).await
}
