//! Heartbeat (key 12): a classic member is alive. Source: `KafkaApis.handleHeartbeatRequest`.

use wire::messages::heartbeat_request::HeartbeatRequest as WireRequest;
use wire::messages::heartbeat_response::HeartbeatResponse;

use super::{Context, group};
use crate::groups::request::HeartbeatRequest;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: WireRequest<'_>) -> HeartbeatResponse {
    let result = context.node.groups.heartbeat(HeartbeatRequest {
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id,
        member_id: request.member_id.as_ref().into(),
        instance_id: request.group_instance_id.as_deref().map(Into::into),
    });
    HeartbeatResponse { error_code: group::code(result.await.err()), ..HeartbeatResponse::default() }
}
