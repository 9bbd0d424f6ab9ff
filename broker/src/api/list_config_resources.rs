//! ListConfigResources (key 74), which was ListClientMetricsResources in version 0: what has settings. Source:
//! `KafkaApis.handleListConfigResources`, KIP-1142.

use wire::ErrorCode;
use wire::messages::list_config_resources_request::ListConfigResourcesRequest;
use wire::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};

use super::Context;
use super::config_resource::ResourceType;
use crate::metadata::{ConfigResourceKind, Image};

/// The kinds, in the order they are listed in.
const KINDS: [ResourceType; 5] = [
    ResourceType::Group,
    ResourceType::ClientMetrics,
    ResourceType::BrokerLogger,
    ResourceType::Broker,
    ResourceType::Topic,
];

/// Answers a request: all kinds where it names none.
pub fn handle(context: &Context<'_>, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse<'static> {
    let asked: Option<Vec<_>> = if context.version == 0 {
        Some(vec![ResourceType::ClientMetrics])
    } else if request.resource_types.is_empty() {
        Some(KINDS.to_vec())
    } else {
        request.resource_types.iter().map(|code| ResourceType::from_code(*code)).collect()
    };
    let Some(asked) = asked else {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ListConfigResourcesResponse::default()
        };
    };
    let image = context.node.controller.image();
    let kinds = KINDS.into_iter().filter(|kind| asked.contains(kind));
    let resources = kinds.flat_map(|kind| {
        let resource = move |name: String| ConfigResource {
            resource_name: name.into(),
            resource_type: kind.code(),
            ..ConfigResource::default()
        };
        names(&image, kind).into_iter().map(resource)
    });
    ListConfigResourcesResponse { config_resources: resources.collect(), ..ListConfigResourcesResponse::default() }
}

fn names(image: &Image, kind: ResourceType) -> Vec<String> {
    let with_settings = |kind: ConfigResourceKind| {
        let resources = image.configs().filter(|(resource, configs)| resource.kind == kind && !configs.is_empty());
        let mut names: Vec<_> = resources.map(|(resource, _)| resource.name.to_string()).collect();
        names.sort_unstable();
        names
    };
    match kind {
        ResourceType::Topic => image.topics.iter().map(|topic| topic.name.to_string()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => image.brokers.keys().map(ToString::to_string).collect(),
        ResourceType::ClientMetrics => with_settings(ConfigResourceKind::ClientMetrics),
        ResourceType::Group => with_settings(ConfigResourceKind::Group),
    }
}
