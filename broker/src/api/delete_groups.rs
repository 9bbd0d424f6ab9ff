//! DeleteGroups (key 42). Source: `KafkaApis.handleDeleteGroupsRequest`.

use std::collections::HashSet;

use wire::messages::delete_groups_request::DeleteGroupsRequest;
use wire::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};

use super::{Context, group};

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: DeleteGroupsRequest<'_>) -> DeleteGroupsResponse<'static> {
    let mut results = Vec::with_capacity(request.groups_names.len());
    // What stands twice is deleted once, and answered once.
    let mut seen = HashSet::new();
    for id in request.groups_names {
        if !seen.insert(id.clone()) {
            continue;
        }
        let result = context.node.groups.delete_group(&id.as_ref().into()).await;
        results.push(DeletableGroupResult {
            group_id: id.into_owned().into(),
            error_code: group::code(result.err()),
            ..DeletableGroupResult::default()
        });
    }
    DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
}
