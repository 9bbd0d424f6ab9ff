//! LeaveGroup (key 13): members leave a classic group. Source: `KafkaApis.handleLeaveGroupRequest`,
//! `LeaveGroupResponse`.

use wire::messages::leave_group_request::LeaveGroupRequest;
use wire::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};

use super::{Context, group};
use crate::groups::request::{LeaveRequest, LeavingMember};

/// The first version that names several members.
const FIRST_BATCH_VERSION: i16 = 3;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: LeaveGroupRequest<'_>) -> LeaveGroupResponse<'static> {
    let members = if context.version < FIRST_BATCH_VERSION {
        vec![LeavingMember { member_id: request.member_id.as_ref().into(), instance_id: None, reason: None }]
    } else {
        let members = request.members.into_iter().map(|member| LeavingMember {
            member_id: member.member_id.as_ref().into(),
            instance_id: member.group_instance_id.as_deref().map(Into::into),
            reason: member.reason.map(Into::into),
        });
        members.collect()
    };
    let group_id = request.group_id.as_ref().into();
    match context.node.groups.leave_group(LeaveRequest { group_id, members }).await {
        Err(error) => LeaveGroupResponse { error_code: error.code().code(), ..LeaveGroupResponse::default() },
        // Before batches, the one member's error is the reply's.
        Ok(left) if context.version < FIRST_BATCH_VERSION => {
            let error_code = group::code(left.into_iter().find_map(|member| member.error));
            LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
        }
        Ok(left) => {
            let members = left.into_iter().map(|member| MemberResponse {
                member_id: member.member_id.to_string().into(),
                group_instance_id: member.instance_id.map(|id| id.to_string().into()),
                error_code: group::code(member.error),
                ..MemberResponse::default()
            });
            LeaveGroupResponse { members: members.collect(), ..LeaveGroupResponse::default() }
        }
    }
}
