//! ListGroups (key 16). Source: `KafkaApis.handleListGroupsRequest`, KIP-518, KIP-848.

use wire::messages::list_groups_request::ListGroupsRequest;
use wire::messages::list_groups_response::{ListGroupsResponse, ListedGroup};

use super::Context;
use crate::groups::ListFilter;

/// Answers a request.
pub fn handle(context: &Context<'_>, request: ListGroupsRequest<'_>) -> ListGroupsResponse<'static> {
    let owned = |texts: &[std::borrow::Cow<'_, str>]| texts.iter().map(|text| text.clone().into_owned()).collect();
    let filter = ListFilter { states: owned(&request.states_filter), types: owned(&request.types_filter) };
    let groups = match context.node.groups.list_groups(&filter) {
        Ok(groups) => groups,
        Err(error) => return ListGroupsResponse { error_code: error.code().code(), ..ListGroupsResponse::default() },
    };
    let groups = groups.into_iter().map(|group| ListedGroup {
        group_id: group.group_id.to_string().into(),
        protocol_type: group.protocol_type.to_string().into(),
        group_state: group.state.into(),
        group_type: group.group_type.into(),
        ..ListedGroup::default()
    });
    ListGroupsResponse { groups: groups.collect(), ..ListGroupsResponse::default() }
}
