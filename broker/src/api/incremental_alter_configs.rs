//! IncrementalAlterConfigs (key 44): sets, removes and extends single settings. Source: `ConfigAdminManager`,
//! `ConfigurationControlManager.incrementalAlterConfigs`, KIP-339.

use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, IncrementalAlterConfigsRequest};
use wire::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use super::Context;
use crate::metadata::{ApiError, ConfigAlteration, ConfigChange, ConfigResult, ResourceName};

/// Answers a request, each resource for itself.
pub async fn handle(
    context: &Context<'_>,
    request: IncrementalAlterConfigsRequest<'_>,
) -> IncrementalAlterConfigsResponse<'static> {
    let alterations: Vec<_> = request.resources.iter().map(alteration).collect();
    let altered = context.node.controller.incremental_alter_configs(alterations, request.validate_only).await;
    let results = altered.unwrap_or_else(|error| {
        let failed = |resource| ConfigResult { resource: name(resource), outcome: Err(ApiError::from(&error)) };
        request.resources.iter().map(failed).collect()
    });
    let responses = results.into_iter().map(|ConfigResult { resource, outcome }| {
        let error = outcome.err();
        AlterConfigsResourceResponse {
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.and_then(|error| error.message).map(Into::into),
            resource_type: resource.kind,
            resource_name: resource.name.into(),
            ..AlterConfigsResourceResponse::default()
        }
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..IncrementalAlterConfigsResponse::default() }
}

fn name(resource: &AlterConfigsResource<'_>) -> ResourceName {
    ResourceName { kind: resource.resource_type, name: resource.resource_name.clone().into_owned() }
}

fn alteration(resource: &AlterConfigsResource<'_>) -> ConfigAlteration {
    let changes = resource.configs.iter().map(|config| ConfigChange {
        name: config.name.clone().into_owned(),
        operation: config.config_operation,
        value: config.value.clone().map(Into::into),
    });
    ConfigAlteration { resource: name(resource), changes: changes.collect() }
}
