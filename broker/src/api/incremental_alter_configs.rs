//! IncrementalAlterConfigs (key 44): sets, removes and extends single settings. Source: `ConfigAdminManager`,
//! `ConfigurationControlManager.incrementalAlterConfigs`, KIP-339.

use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, IncrementalAlterConfigsRequest};
use wire::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use super::config_resource::ResourceType;
use super::{Context, broker_logger};
use crate::metadata::{ApiError, ConfigAlteration, ConfigChange, ConfigResult, ResourceName};

/// Answers a request, each resource for itself.
pub async fn handle(
    context: &Context<'_>,
    request: IncrementalAlterConfigsRequest<'_>,
) -> IncrementalAlterConfigsResponse<'static> {
    // Levels of the log are not metadata. What stands twice in a request is the controller's to refuse.
    let is_logger = |resource: &&AlterConfigsResource<'_>| {
        let twice = |other: &&AlterConfigsResource<'_>| name(other) == name(resource);
        resource.resource_type == ResourceType::BrokerLogger.code()
            && request.resources.iter().filter(twice).count() == 1
    };
    let (loggers, others): (Vec<_>, Vec<_>) = request.resources.iter().partition(is_logger);
    let alterations: Vec<_> = others.iter().copied().map(alteration).collect();
    let altered = context.node.controller.incremental_alter_configs(alterations, request.validate_only).await;
    let mut results = altered.unwrap_or_else(|error| {
        let failed = |resource| ConfigResult { resource: name(resource), outcome: Err(ApiError::from(&error)) };
        others.iter().copied().map(failed).collect()
    });
    let node_id = context.node.config().node_id;
    results.extend(loggers.iter().map(|resource| ConfigResult {
        resource: name(resource),
        outcome: broker_logger::alter(&alteration(resource), node_id, request.validate_only),
    }));
    let place = |result: &ConfigResult| request.resources.iter().position(|it| name(it) == result.resource);
    results.sort_by_key(place);
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
