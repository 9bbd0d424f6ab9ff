//! EndTxn (key 26): commits or aborts a transaction. Source: `KafkaApis.handleEndTxnRequest`; KIP-98, KIP-890.

use wire::messages::end_txn_request::EndTxnRequest;
use wire::messages::end_txn_response::EndTxnResponse;

use super::{Context, transaction};
use crate::transactions::request::{EndRequest, ProducerIdentity};

/// The first version that speaks transactions version 2.
const FIRST_V2_VERSION: i16 = 5;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: EndTxnRequest<'_>) -> EndTxnResponse {
    let node = context.node;
    let request = EndRequest {
        id: request.transactional_id.as_ref().into(),
        producer: ProducerIdentity { id: request.producer_id, epoch: request.producer_epoch },
        commit: request.committed,
        client_version: if context.version >= FIRST_V2_VERSION { 2 } else { 0 },
    };
    let ended = node.transactions.end_transaction(request, || node.fresh_producer_id()).await;
    let error_code = transaction::code(context, &ended);
    let producer = ended.ok().filter(|_| context.version >= FIRST_V2_VERSION);
    let producer = producer.unwrap_or(ProducerIdentity { id: -1, epoch: -1 });
    EndTxnResponse { error_code, producer_id: producer.id, producer_epoch: producer.epoch, ..EndTxnResponse::default() }
}
