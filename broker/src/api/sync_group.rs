//! SyncGroup (key 14): hands out the leader's assignment. Source: `KafkaApis.handleSyncGroupRequest`.

use bytes::Bytes;
use wire::messages::sync_group_request::SyncGroupRequest;
use wire::messages::sync_group_response::SyncGroupResponse;

use super::{Context, group};
use crate::groups::GroupError;
use crate::groups::request::{SyncReply, SyncRequest};

/// The first version that must name the protocol (KIP-559).
const FIRST_PROTOCOL_VERSION: i16 = 5;

/// Answers a request once the leader has sent the assignment.
pub async fn handle(context: &Context<'_>, request: SyncGroupRequest<'_>) -> SyncGroupResponse<'static> {
    if context.version >= FIRST_PROTOCOL_VERSION && (request.protocol_type.is_none() || request.protocol_name.is_none())
    {
        return respond(SyncReply::failed(GroupError::InconsistentGroupProtocol));
    }
    let assignments = request.assignments.iter();
    let reply = context.node.groups.sync_group(SyncRequest {
        group_id: request.group_id.as_ref().into(),
        generation: request.generation_id,
        member_id: request.member_id.as_ref().into(),
        instance_id: request.group_instance_id.as_deref().map(Into::into),
        protocol_type: request.protocol_type.as_deref().map(Into::into),
        protocol_name: request.protocol_name.as_deref().map(Into::into),
        assignments: assignments
            .map(|it| (it.member_id.as_ref().into(), Bytes::copy_from_slice(&it.assignment)))
            .collect(),
    });
    respond(reply.await)
}

fn respond(reply: SyncReply) -> SyncGroupResponse<'static> {
    SyncGroupResponse {
        error_code: group::code(reply.error),
        protocol_type: reply.protocol_type.map(|name| name.to_string().into()),
        protocol_name: reply.protocol_name.map(|name| name.to_string().into()),
        assignment: reply.assignment.to_vec().into(),
        ..SyncGroupResponse::default()
    }
}
