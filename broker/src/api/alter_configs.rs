//! AlterConfigs (key 33): replaces all settings of a resource; superseded by IncrementalAlterConfigs. Source:
//! `ConfigAdminManager`, `ConfigurationControlManager.legacyAlterConfigs`.
//!
//! A resource that stands twice in a request is refused as by IncrementalAlterConfigs; Kafka 4.3 never answers then.

use wire::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use wire::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};

use super::Context;
use crate::metadata::{ApiError, ConfigReplacement, ConfigResult, ResourceName};

/// Answers a request, each resource for itself.
pub async fn handle(context: &Context<'_>, request: AlterConfigsRequest<'_>) -> AlterConfigsResponse<'static> {
    let replacements: Vec<_> = request.resources.iter().map(replacement).collect();
    let altered = context.node.controller.alter_configs(replacements, request.validate_only).await;
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
    AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() }
}

fn name(resource: &AlterConfigsResource<'_>) -> ResourceName {
    ResourceName { kind: resource.resource_type, name: resource.resource_name.clone().into_owned() }
}

fn replacement(resource: &AlterConfigsResource<'_>) -> ConfigReplacement {
    let configs = resource.configs.iter();
    let configs = configs.map(|config| (config.name.clone().into_owned(), config.value.clone().map(Into::into)));
    ConfigReplacement { resource: name(resource), configs: configs.collect() }
}
