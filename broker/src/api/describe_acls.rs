//! DescribeAcls (key 29). Source: `AclApis.handleDescribeAcls`.

use wire::ErrorCode;
use wire::messages::describe_acls_request::DescribeAclsRequest;
use wire::messages::describe_acls_response::{AclDescription, DescribeAclsResource, DescribeAclsResponse};

use super::acl_filter::{AclFilter, Codes, has_authorizer};
use super::{Context, RequestError};

/// Answers a request.
///
/// # Errors
/// [`RequestError::Invalid`] for a filter that Kafka does not answer.
pub fn handle(
    context: &Context<'_>,
    request: DescribeAclsRequest<'_>,
) -> Result<DescribeAclsResponse<'static>, RequestError> {
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.map(Into::into);
    let codes = [request.resource_type_filter, request.pattern_type_filter, request.operation, request.permission_type];
    let filter = AclFilter {
        codes: Codes(codes),
        name: text(request.resource_name_filter),
        principal: text(request.principal_filter),
        host: text(request.host_filter),
    };
    filter.codes.check()?;
    if !has_authorizer(context) {
        return Ok(DescribeAclsResponse {
            error_code: ErrorCode::SecurityDisabled.code(),
            error_message: Some("No Authorizer is configured on the broker".into()),
            ..DescribeAclsResponse::default()
        });
    }
    let image = context.node.controller.image();
    let mut found: Vec<_> = image.acls.values().filter(|acl| filter.matches(acl)).collect();
    found.sort_by_key(|acl| (acl.resource_type, &acl.resource_name, acl.pattern_type, &acl.principal, acl.operation));
    let mut resources: Vec<DescribeAclsResource<'static>> = Vec::new();
    for acl in found {
        let same = |resource: &&mut DescribeAclsResource<'_>| {
            let codes = (resource.resource_type, resource.pattern_type);
            codes == (acl.resource_type, acl.pattern_type) && resource.resource_name == acl.resource_name
        };
        let description = AclDescription {
            principal: acl.principal.clone().into(),
            host: acl.host.clone().into(),
            operation: acl.operation,
            permission_type: acl.permission_type,
            ..AclDescription::default()
        };
        match resources.last_mut().filter(same) {
            Some(resource) => resource.acls.push(description),
            None => resources.push(DescribeAclsResource {
                resource_type: acl.resource_type,
                resource_name: acl.resource_name.clone().into(),
                pattern_type: acl.pattern_type,
                acls: vec![description],
                ..DescribeAclsResource::default()
            }),
        }
    }
    Ok(DescribeAclsResponse { resources, ..DescribeAclsResponse::default() })
}
