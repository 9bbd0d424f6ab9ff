//! DescribeConfigs (key 32): settings of topics, brokers, groups and telemetry subscriptions, with their sources.
//! Source: `ConfigHelper.describeConfigs`.

use wire::ErrorCode;
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::Context;
use super::config_resource::ResourceType;
use crate::config::describe::{self, ConfigEntry};
use crate::metadata::{ApiError, ConfigResource, ConfigResourceKind, check_topic_name};
use crate::observability::loggers::Loggers;

/// Answers a request, each resource for itself.
pub fn handle(context: &Context<'_>, request: DescribeConfigsRequest<'_>) -> DescribeConfigsResponse<'static> {
    let known = request.resources.iter().all(|resource| ResourceType::from_code(resource.resource_type).is_some());
    let results = request.resources.iter().map(|resource| {
        let empty = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone().into_owned().into(),
            ..DescribeConfigsResult::default()
        };
        // A kind that there is not fails the request as a whole.
        let found = if known { entries(context, resource) } else { Err(unknown_kind()) };
        match found {
            Ok(entries) => {
                let configs = entries.into_iter().map(|entry| result(context.version, &request, entry));
                DescribeConfigsResult { configs: configs.collect(), ..empty }
            }
            Err(error) => DescribeConfigsResult {
                error_code: error.code.code(),
                error_message: error.message.map(Into::into),
                ..empty
            },
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

fn entries(context: &Context<'_>, resource: &DescribeConfigsResource<'_>) -> Result<Vec<ConfigEntry>, ApiError> {
    let node = context.node;
    let name = &*resource.resource_name;
    let (config, image) = (node.config(), node.controller.image());
    let dynamic = node.dynamic_configs(&image);
    let overrides = |kind| image.config(&ConfigResource::new(kind, name));
    let mut entries = match ResourceType::from_code(resource.resource_type) {
        Some(ResourceType::Topic) => {
            check_topic_name(name)?;
            if image.topic(name).is_none() {
                // Kafka has no text for it here.
                return Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, ""));
            }
            in_order_of_a_hash_map(describe::topic(&config, &dynamic, overrides(ConfigResourceKind::Topic)))
        }
        Some(ResourceType::Broker) if name.is_empty() => describe::broker_defaults(&config, &dynamic),
        Some(ResourceType::Broker) => {
            check_broker(name, config.node_id, " or empty string,")?;
            in_order_of_a_hash_map(describe::broker(&config, &dynamic))
        }
        Some(ResourceType::BrokerLogger) => {
            if name.is_empty() {
                return Err(ApiError::new(ErrorCode::InvalidRequest, "Broker id must not be empty"));
            }
            check_broker(name, config.node_id, "")?;
            let all = Loggers::installed().map(Loggers::all).unwrap_or_default();
            all.into_iter().map(|(name, level)| ConfigEntry::of_logger(name, level)).collect()
        }
        Some(ResourceType::ClientMetrics) => {
            if name.is_empty() {
                return Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "Client metrics subscription name must not be empty",
                ));
            }
            describe::client_metrics(overrides(ConfigResourceKind::ClientMetrics))
        }
        Some(ResourceType::Group) => {
            if name.is_empty() {
                return Err(ApiError::new(ErrorCode::InvalidRequest, "Group name must not be empty"));
            }
            describe::group(&config, &dynamic, overrides(ConfigResourceKind::Group))
        }
        None => return Err(unknown_kind()),
    };
    // No list means everything, and so does an empty one before version 4 (KAFKA-10158).
    if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
        entries.retain(|entry| keys.iter().any(|key| *key == entry.name));
    }
    Ok(entries)
}

/// Puts settings into the order in which Kafka tells them and its tools print them: that of a `java.util.HashMap` which they
/// were put into one by one. Names that share a bucket keep the order of their definitions.
fn in_order_of_a_hash_map(mut entries: Vec<ConfigEntry>) -> Vec<ConfigEntry> {
    // The table is doubled when more than three quarters of it are taken.
    let buckets = (entries.len() * 4).div_ceil(3).next_power_of_two().max(16);
    entries.sort_by_cached_key(|entry| {
        let hash = entry.name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    entries
}

fn unknown_kind() -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message())
}

fn check_broker(name: &str, node_id: i32, or_else: &str) -> Result<(), ApiError> {
    let id = name.parse::<i32>().map_err(|_| {
        ApiError::new(ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"))
    })?;
    if id == node_id {
        return Ok(());
    }
    let message = format!("Unexpected broker id, expected {node_id}{or_else} but received {name}");
    Err(ApiError::new(ErrorCode::InvalidRequest, message))
}

fn result(
    version: i16,
    request: &DescribeConfigsRequest<'_>,
    entry: ConfigEntry,
) -> DescribeConfigsResourceResult<'static> {
    let mut result = DescribeConfigsResourceResult {
        config_type: if version >= 3 { entry.type_code() } else { 0 },
        // Of version 0 alone; Kafka 3.9 leaves it unset whatever the source.
        is_default: false,
        config_source: if version > 0 { entry.source.code() } else { -1 },
        is_sensitive: entry.is_sensitive,
        read_only: entry.is_read_only,
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        documentation: None,
        ..DescribeConfigsResourceResult::default()
    };
    if request.include_synonyms {
        let synonyms = entry.synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
            name: synonym.name.into(),
            value: synonym.value.map(Into::into),
            source: synonym.source.code(),
            ..DescribeConfigsSynonym::default()
        });
        result.synonyms = synonyms.collect();
    }
    if request.include_documentation {
        result.documentation = Some(entry.documentation.into());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerConfig, DynamicConfigs, Properties, Sources};

    /// As Apache Kafka 4.3.1 told them, whatever was set.
    const OF_A_TOPIC: &str = "compression.type remote.log.delete.on.disable leader.replication.throttled.replicas \
        remote.storage.enable min.insync.replicas segment.jitter.ms remote.log.copy.disable local.retention.ms \
        cleanup.policy flush.ms follower.replication.throttled.replicas compression.lz4.level segment.bytes retention.ms \
        compression.gzip.level flush.messages compression.zstd.level max.compaction.lag.ms file.delete.delay.ms \
        max.message.bytes min.compaction.lag.ms message.timestamp.type local.retention.bytes preallocate \
        index.interval.bytes min.cleanable.dirty.ratio unclean.leader.election.enable retention.bytes \
        delete.retention.ms message.timestamp.after.max.ms message.timestamp.before.max.ms segment.ms \
        segment.index.bytes";

    #[test]
    fn settings_of_a_topic_come_in_kafkas_order() {
        let config = BrokerConfig::load(&Sources::default()).expect("defaults").config;
        let set = Properties::from([("retention.ms".to_owned(), "1000000".to_owned())]);
        let entries = in_order_of_a_hash_map(describe::topic(&config, &DynamicConfigs::default(), &set));
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, OF_A_TOPIC.split_whitespace().collect::<Vec<_>>());
    }
}
