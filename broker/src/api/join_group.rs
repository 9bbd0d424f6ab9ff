//! JoinGroup (key 11): enters a classic group. Source: `KafkaApis.handleJoinGroupRequest`, KIP-394, KIP-814.

use bytes::Bytes;
use wire::messages::join_group_request::JoinGroupRequest;
use wire::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};

use super::{Context, group};
use crate::groups::request::{JoinReply, JoinRequest};

/// The first version whose reply may leave the protocol's name out.
const FIRST_NULL_PROTOCOL_VERSION: i16 = 7;

/// Answers a request once the group's rebalance has gathered its members.
pub async fn handle(context: &Context<'_>, request: JoinGroupRequest<'_>) -> JoinGroupResponse<'static> {
    let protocols = request.protocols.iter();
    let join = JoinRequest {
        version: context.version,
        client: group::client(context),
        group_id: request.group_id.as_ref().into(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: (context.version >= 1).then_some(request.rebalance_timeout_ms),
        member_id: request.member_id.as_ref().into(),
        instance_id: request.group_instance_id.as_deref().map(Into::into),
        protocol_type: request.protocol_type.as_ref().into(),
        protocols: protocols.map(|it| (it.name.as_ref().into(), Bytes::copy_from_slice(&it.metadata))).collect(),
        reason: request.reason.map(Into::into),
    };
    respond(context.version, context.node.groups.join_group(join).await)
}

fn respond(version: i16, reply: JoinReply) -> JoinGroupResponse<'static> {
    let protocol_name = reply.protocol_name.as_deref().map(|name| name.to_owned().into());
    let members = reply.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.member_id.to_string().into(),
        group_instance_id: member.instance_id.map(|id| id.to_string().into()),
        metadata: member.metadata.to_vec().into(),
        ..JoinGroupResponseMember::default()
    });
    JoinGroupResponse {
        error_code: group::code(reply.error),
        generation_id: reply.generation,
        protocol_type: reply.protocol_type.map(|name| name.to_string().into()),
        protocol_name: match protocol_name {
            None if version < FIRST_NULL_PROTOCOL_VERSION => Some("".into()),
            name => name,
        },
        leader: reply.leader.to_string().into(),
        skip_assignment: reply.skip_assignment,
        member_id: reply.member_id.to_string().into(),
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}
