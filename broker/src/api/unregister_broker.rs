//! UnregisterBroker (key 64). Source: `ClusterControlManager.unregisterBroker`, KIP-500.

use wire::ErrorCode;
use wire::messages::unregister_broker_request::UnregisterBrokerRequest;
use wire::messages::unregister_broker_response::UnregisterBrokerResponse;
use wire::metadata::UnregisterBrokerRecord;

use super::Context;
use crate::metadata::ApiError;

/// Answers a request. What a cluster of several nodes left behind in the metadata can be removed; this node, which
/// serves the request, cannot.
pub async fn handle(context: &Context<'_>, request: UnregisterBrokerRequest) -> UnregisterBrokerResponse<'static> {
    let mut response = UnregisterBrokerResponse { error_message: None, ..UnregisterBrokerResponse::default() };
    if let Err(error) = unregister(context, request.broker_id).await {
        response.error_code = error.code.code();
        response.error_message = error.message.map(Into::into);
    }
    response
}

async fn unregister(context: &Context<'_>, id: i32) -> Result<(), ApiError> {
    let controller = &context.node.controller;
    let image = controller.image();
    let Some(broker) = image.broker(id) else {
        let message = format!("Broker ID {id} is not currently registered");
        return Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, message));
    };
    if id == controller.node_id() {
        let message = format!("Broker {id} is the only one and serves this request; stop it instead");
        return Err(ApiError::new(ErrorCode::InvalidRequest, message));
    }
    let record = UnregisterBrokerRecord { broker_id: id, broker_epoch: broker.epoch, ..Default::default() };
    controller.commit(vec![record.into()]).await.map(drop).map_err(|error| ApiError::from(&error))
}
