//! DescribeGroups (key 15): classic groups and their members. Source: `KafkaApis.handleDescribeGroupsRequest`.

use wire::messages::describe_groups_request::DescribeGroupsRequest;
use wire::messages::describe_groups_response::{DescribeGroupsResponse, DescribedGroup, DescribedGroupMember};

use super::{Context, authorized_operations};
use crate::groups::GroupError;
use crate::groups::request::{DescribedGroup as Description, DescribedMember};

/// The first version that says that a group does not exist; before it, such a group is dead.
const FIRST_NOT_FOUND_VERSION: i16 = 6;

/// Answers a request.
pub fn handle(context: &Context<'_>, request: DescribeGroupsRequest<'_>) -> DescribeGroupsResponse<'static> {
    let mut groups = Vec::with_capacity(request.groups.len());
    for id in &request.groups {
        let mut group = match context.node.groups.describe_group(&id.as_ref().into()) {
            Ok(description) => described(context.version, description),
            Err(error) => DescribedGroup {
                group_id: id.clone().into_owned().into(),
                error_code: error.code().code(),
                ..DescribedGroup::default()
            },
        };
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = authorized_operations::GROUP;
        }
        groups.push(group);
    }
    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
}

fn described(version: i16, group: Description) -> DescribedGroup<'static> {
    let missing = group.missing.filter(|_| version >= FIRST_NOT_FOUND_VERSION);
    DescribedGroup {
        error_code: if missing.is_some() { GroupError::GroupIdNotFound.code().code() } else { 0 },
        error_message: missing.map(Into::into),
        group_id: group.group_id.to_string().into(),
        group_state: group.state.into(),
        protocol_type: group.protocol_type.to_string().into(),
        protocol_data: group.protocol.to_string().into(),
        members: group.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(member: DescribedMember) -> DescribedGroupMember<'static> {
    DescribedGroupMember {
        member_id: member.member_id.to_string().into(),
        group_instance_id: member.instance_id.map(|id| id.to_string().into()),
        client_id: member.client_id.to_string().into(),
        client_host: member.client_host.to_string().into(),
        member_metadata: member.metadata.to_vec().into(),
        member_assignment: member.assignment.to_vec().into(),
        ..DescribedGroupMember::default()
    }
}
