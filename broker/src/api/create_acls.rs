//! CreateAcls (key 30). Source: `AclApis.handleCreateAcls`, `AclControlManager.createAcls`.

use wire::ErrorCode;
use wire::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use wire::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};

use super::acl_filter::{Codes, check_new, has_authorizer};
use super::{Context, RequestError};
use crate::metadata::{Acl, ApiError};

/// Answers a request, each ACL for itself.
///
/// # Errors
/// [`RequestError::Invalid`] for ACLs that Kafka does not answer.
pub async fn handle(
    context: &Context<'_>,
    request: CreateAclsRequest<'_>,
) -> Result<CreateAclsResponse<'static>, RequestError> {
    let codes =
        |it: &AclCreation<'_>| Codes([it.resource_type, it.resource_pattern_type, it.operation, it.permission_type]);
    request.creations.iter().try_for_each(|creation| codes(creation).check())?;
    let checked: Vec<Result<Acl, ApiError>> = if !has_authorizer(context) {
        refuse_all(&request, &ApiError::new(ErrorCode::SecurityDisabled, "No Authorizer is configured."))
    } else if request.creations.iter().all(|creation| codes(creation).is_exact()) {
        request.creations.iter().map(acl).map(|acl| check_new(&acl).map(|()| acl)).collect()
    } else {
        // Kafka fails on the request when one of its ACLs is a filter.
        refuse_all(&request, &ApiError::bare(ErrorCode::UnknownServerError))
    };
    let valid: Vec<_> = checked.iter().filter_map(|acl| acl.as_ref().ok().cloned()).collect();
    let stored = if valid.is_empty() { Ok(()) } else { context.node.controller.create_acls(valid).await };
    let stored = stored.map_err(|error| ApiError::from(&error));
    let results = checked.into_iter().map(|checked| match checked.and_then(|_| stored.clone()) {
        Ok(()) => AclCreationResult::default(),
        Err(error) => AclCreationResult {
            error_code: error.code.code(),
            error_message: error.message.map(Into::into),
            ..AclCreationResult::default()
        },
    });
    Ok(CreateAclsResponse { results: results.collect(), ..CreateAclsResponse::default() })
}

fn refuse_all(request: &CreateAclsRequest<'_>, error: &ApiError) -> Vec<Result<Acl, ApiError>> {
    request.creations.iter().map(|_| Err(error.clone())).collect()
}

fn acl(creation: &AclCreation<'_>) -> Acl {
    Acl {
        resource_type: creation.resource_type,
        resource_name: creation.resource_name.clone().into_owned(),
        pattern_type: creation.resource_pattern_type,
        principal: creation.principal.clone().into_owned(),
        host: creation.host.clone().into_owned(),
        operation: creation.operation,
        permission_type: creation.permission_type,
    }
}
