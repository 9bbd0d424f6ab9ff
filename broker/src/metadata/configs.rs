//! Changing configs (`ConfigAdminManager` and `ConfigurationControlManager` in Kafka).
//!
//! Pure, as `topics`. What values a config may have is [`ConfigRules`](super::ConfigRules)' business.

use std::collections::{HashMap, HashSet};

use wire::ErrorCode;
use wire::metadata::{ConfigRecord, MetadataRecord};

use super::Context;
use super::image::{ConfigResource, ConfigResourceKind, Configs, Image};
use super::request::{ApiError, ConfigAlteration, ConfigChange, ConfigReplacement, ConfigResult, ResourceName};
use super::topic_name::check_topic_name;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

type Records = Vec<MetadataRecord<'static>>;

/// IncrementalAlterConfigs.
pub(super) fn alter(
    context: &Context,
    image: &Image,
    alterations: &[ConfigAlteration],
) -> (Records, Vec<ConfigResult>) {
    each(
        alterations,
        |alteration| &alteration.resource,
        |alteration| {
            let resource = resource(context, &alteration.resource)?;
            let names = alteration.changes.iter().map(|change| change.name.as_str());
            let nulls = |change: &&ConfigChange| change.operation != DELETE && change.value.is_none();
            check_keys(names, alteration.changes.iter().filter(nulls).map(|change| change.name.as_str()))?;
            if resource.kind == ConfigResourceKind::Broker {
                context.rules.check_broker(&resource, &alteration.changes, false, image)?;
            }
            let before = image.config(&resource);
            let mut after = (**before).clone();
            let mut touched = Vec::new();
            for change in &alteration.changes {
                apply(context, &resource, change, &mut after)?;
                touched.push(change.name.clone());
            }
            finish(context, image, &resource, &after, touched)
        },
    )
}

/// AlterConfigs: what is not named goes back to its default.
pub(super) fn replace(
    context: &Context,
    image: &Image,
    replacements: &[ConfigReplacement],
) -> (Records, Vec<ConfigResult>) {
    each(
        replacements,
        |replacement| &replacement.resource,
        |replacement| {
            let resource = resource(context, &replacement.resource)?;
            let names = replacement.configs.iter().map(|(name, _)| name.as_str());
            let nulls = replacement.configs.iter().filter(|(_, value)| value.is_none());
            check_keys(names, nulls.map(|(name, _)| name.as_str()))?;
            if resource.kind == ConfigResourceKind::Broker {
                let set = |(name, value): &(String, Option<String>)| ConfigChange {
                    name: name.clone(),
                    operation: SET,
                    value: value.clone(),
                };
                let changes: Vec<_> = replacement.configs.iter().map(set).collect();
                context.rules.check_broker(&resource, &changes, true, image)?;
            }
            let after: Configs =
                replacement.configs.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
            let mut touched: Vec<String> = after.keys().cloned().collect();
            touched.extend(image.config(&resource).keys().filter(|name| !after.contains_key(*name)).cloned());
            finish(context, image, &resource, &after, touched)
        },
    )
}

/// Answers each item; a resource that stands twice in a request is refused each time.
fn each<T>(
    items: &[T],
    name: impl Fn(&T) -> &ResourceName,
    mut one: impl FnMut(&T) -> Result<Records, ApiError>,
) -> (Records, Vec<ConfigResult>) {
    let mut times: HashMap<&ResourceName, usize> = HashMap::new();
    for item in items {
        *times.entry(name(item)).or_default() += 1;
    }
    let (mut records, mut results) = (Records::new(), Vec::new());
    for item in items {
        let resource = name(item);
        let outcome = if times[resource] > 1 {
            Err(ApiError::new(ErrorCode::InvalidRequest, "Each resource must appear at most once."))
        } else {
            one(item).map(|more| records.extend(more))
        };
        results.push(ConfigResult { resource: resource.clone(), outcome });
    }
    (records, results)
}

/// The resource that a request names, if it is one whose configs are metadata.
fn resource(context: &Context, named: &ResourceName) -> Result<ConfigResource, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidRequest, message);
    let kind = ConfigResourceKind::from_number(named.kind)
        .ok_or_else(|| invalid(format!("Unknown resource type {}", named.kind)))?;
    if kind == ConfigResourceKind::Broker && !named.name.is_empty() {
        let id: i32 = named
            .name
            .parse()
            .map_err(|_| invalid(format!("Node id must be an integer, but it is: {}", named.name)))?;
        if id != context.node_id {
            return Err(invalid(format!("Unexpected broker id, expected {}, but received {id}", context.node_id)));
        }
    }
    Ok(ConfigResource::new(kind, &named.name))
}

fn check_keys<'a>(names: impl Iterator<Item = &'a str>, nulls: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(ApiError::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
        }
    }
    let nulls: Vec<&str> = nulls.collect();
    if nulls.is_empty() {
        return Ok(());
    }
    let message = format!("Null value not supported for : {}", nulls.join(", "));
    Err(ApiError::new(ErrorCode::InvalidRequest, message))
}

fn apply(
    context: &Context,
    resource: &ConfigResource,
    change: &ConfigChange,
    configs: &mut Configs,
) -> Result<(), ApiError> {
    let value = change.value.as_deref().unwrap_or_default();
    match change.operation {
        SET => {
            configs.insert(change.name.clone(), value.to_owned());
        }
        DELETE => {
            configs.remove(&change.name);
        }
        operation @ (APPEND | SUBTRACT) => {
            if !context.rules.is_list(resource, &change.name) {
                let verb = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
                let message = format!("Can't {verb} to key {} because its type is not LIST.", change.name);
                return Err(ApiError::new(ErrorCode::InvalidConfig, message));
            }
            let current = configs
                .get(&change.name)
                .cloned()
                .or_else(|| context.rules.default_value(resource, &change.name))
                .unwrap_or_default();
            let changed = change_list(&current, value, operation == APPEND);
            configs.insert(change.name.clone(), changed);
        }
        _ => return Err(ApiError::bare(ErrorCode::UnknownServerError)),
    }
    Ok(())
}

fn change_list(current: &str, value: &str, append: bool) -> String {
    let mut parts: Vec<&str> = if current.is_empty() { Vec::new() } else { current.split(',').collect() };
    for part in value.split(',') {
        let place = parts.iter().position(|known| *known == part);
        match place {
            None if append => parts.push(part),
            Some(place) if !append => {
                parts.remove(place);
            }
            _ => {}
        }
    }
    parts.join(",")
}

/// Checks what a resource would have, and gives the records that lead there.
fn finish(
    context: &Context,
    image: &Image,
    resource: &ConfigResource,
    after: &Configs,
    touched: Vec<String>,
) -> Result<Records, ApiError> {
    let before = image.config(resource);
    check_min_insync_replicas(image, resource, after, &touched)?;
    check_name(resource)?;
    context.rules.check(resource, before, after, image)?;
    if resource.kind == ConfigResourceKind::Topic && image.topic(&resource.name).is_none() {
        let message = format!("The topic '{}' does not exist.", resource.name);
        return Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, message));
    }
    // Brokers reload on a record, so for them there is one even if the value stays.
    let always = resource.kind == ConfigResourceKind::Broker;
    let records = touched
        .into_iter()
        .filter(|name| always || before.get(name) != after.get(name))
        .map(|name| {
            let value = after.get(&name).cloned().map(Into::into);
            let (resource_type, resource_name) = (resource.kind as i8, resource.name.to_string().into());
            ConfigRecord { resource_type, resource_name, name: name.into(), value, ..Default::default() }.into()
        })
        .collect();
    Ok(records)
}

fn check_name(resource: &ConfigResource) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    match (resource.kind, &*resource.name) {
        (ConfigResourceKind::Topic, "") => invalid("Default topic resources are not allowed."),
        (ConfigResourceKind::Topic, name) => check_topic_name(name),
        (ConfigResourceKind::Group, "") => invalid("Default group resources are not allowed."),
        (ConfigResourceKind::ClientMetrics, "") => invalid("Subscription name can't be empty"),
        _ => Ok(()),
    }
}

/// With eligible leader replicas `min.insync.replicas` is the cluster's alone, and always set (KIP-966).
fn check_min_insync_replicas(
    image: &Image,
    resource: &ConfigResource,
    after: &Configs,
    touched: &[String],
) -> Result<(), ApiError> {
    if resource.kind != ConfigResourceKind::Broker
        || !image.elr_enabled()
        || !touched.iter().any(|name| name == MIN_INSYNC_REPLICAS)
    {
        return Ok(());
    }
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::InvalidConfig, message));
    if !resource.name.is_empty() {
        return refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    }
    if !after.contains_key(MIN_INSYNC_REPLICAS) {
        return refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    }
    Ok(())
}
