//! DeleteAcls (key 31). Source: `AclApis.handleDeleteAcls`, `AclControlManager.deleteAcls`.

use wire::ErrorCode;
use wire::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use wire::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsResponse};

use super::acl_filter::{AclFilter, Codes, has_authorizer};
use super::{Context, RequestError};
use crate::metadata::{Acl, ApiError};

/// Answers a request. An ACL that several filters mean is in the answer to each of them.
///
/// # Errors
/// [`RequestError::Invalid`] for filters that Kafka does not answer.
pub async fn handle(
    context: &Context<'_>,
    request: DeleteAclsRequest<'_>,
) -> Result<DeleteAclsResponse<'static>, RequestError> {
    let filters: Vec<_> = request.filters.iter().map(filter).collect();
    filters.iter().try_for_each(|filter| filter.codes.check())?;
    let outcomes: Vec<Result<AclFilter, ApiError>> = if has_authorizer(context) {
        filters.into_iter().map(check).collect()
    } else {
        let refused = || Err(ApiError::new(ErrorCode::SecurityDisabled, "No Authorizer is configured."));
        filters.into_iter().map(|_| refused()).collect()
    };
    let valid: Vec<_> = outcomes.iter().filter_map(|filter| filter.as_ref().ok().cloned()).collect();
    let deleted = if valid.is_empty() {
        Ok(Vec::new())
    } else {
        let matches = move |acl: &Acl| valid.iter().any(|filter| filter.matches(acl));
        context.node.controller.delete_acls(matches).await.map_err(|error| ApiError::from(&error))
    };
    let results = outcomes.into_iter().map(|filter| {
        let found = filter.and_then(|filter| {
            let deleted = deleted.as_ref().map_err(Clone::clone)?;
            Ok(deleted.iter().filter(|acl| filter.matches(acl)).map(matching).collect())
        });
        match found {
            Ok(matching_acls) => {
                DeleteAclsFilterResult { error_message: None, matching_acls, ..DeleteAclsFilterResult::default() }
            }
            Err(error) => DeleteAclsFilterResult {
                error_code: error.code.code(),
                error_message: error.message.map(Into::into),
                ..DeleteAclsFilterResult::default()
            },
        }
    });
    Ok(DeleteAclsResponse { filter_results: results.collect(), ..DeleteAclsResponse::default() })
}

fn filter(filter: &DeleteAclsFilter<'_>) -> AclFilter {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.clone().map(Into::into);
    let codes = [filter.resource_type_filter, filter.pattern_type_filter, filter.operation, filter.permission_type];
    AclFilter {
        codes: Codes(codes),
        name: text(&filter.resource_name_filter),
        principal: text(&filter.principal_filter),
        host: text(&filter.host_filter),
    }
}

fn check(filter: AclFilter) -> Result<AclFilter, ApiError> {
    match filter.codes.unknown_half() {
        Some(message) => Err(ApiError::new(ErrorCode::InvalidRequest, message)),
        None => Ok(filter),
    }
}

fn matching(acl: &Acl) -> DeleteAclsMatchingAcl<'static> {
    DeleteAclsMatchingAcl {
        error_message: None,
        resource_type: acl.resource_type,
        resource_name: acl.resource_name.clone().into(),
        pattern_type: acl.pattern_type,
        principal: acl.principal.clone().into(),
        host: acl.host.clone().into(),
        operation: acl.operation,
        permission_type: acl.permission_type,
        ..DeleteAclsMatchingAcl::default()
    }
}
