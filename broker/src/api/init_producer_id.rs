//! InitProducerId (key 22): ids for idempotent and transactional producers. Source:
//! `KafkaApis.handleInitProducerIdRequest`, `TransactionCoordinator.handleInitProducerId`; KIP-98, KIP-360.

use wire::ErrorCode;
use wire::messages::init_producer_id_request::InitProducerIdRequest;
use wire::messages::init_producer_id_response::InitProducerIdResponse;

use super::Context;
use crate::transactions::request::{InitRequest, Outcome, ProducerIdentity};

/// The first version whose clients know `PRODUCER_FENCED`; before, `INVALID_PRODUCER_EPOCH` says it.
const FIRST_FENCED_VERSION: i16 = 4;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: InitProducerIdRequest<'_>) -> InitProducerIdResponse {
    match init(context, &request).await {
        Ok(producer) => InitProducerIdResponse {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            ..InitProducerIdResponse::default()
        },
        Err(code) => {
            let old = context.version < FIRST_FENCED_VERSION && code == ErrorCode::ProducerFenced;
            let code = if old { ErrorCode::InvalidProducerEpoch } else { code };
            InitProducerIdResponse {
                error_code: code.code(),
                producer_id: -1,
                producer_epoch: -1,
                ..InitProducerIdResponse::default()
            }
        }
    }
}

async fn init(context: &Context<'_>, request: &InitProducerIdRequest<'_>) -> Outcome<ProducerIdentity> {
    let node = context.node;
    let known = match (request.producer_id, request.producer_epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return Err(ErrorCode::InvalidRequest),
        (id, epoch) => Some(ProducerIdentity { id, epoch }),
    };
    match request.transactional_id.as_deref() {
        None => Ok(ProducerIdentity { id: node.fresh_producer_id().await?, epoch: 0 }),
        Some("") => Err(ErrorCode::InvalidRequest),
        Some(id) => {
            let request = InitRequest { id: id.into(), timeout_ms: request.transaction_timeout_ms, known };
            node.transactions.init_producer_id(request, || node.fresh_producer_id()).await
        }
    }
}
