//! Whether a change of settings is valid, and what it results in. Pure: the caller stores the outcome.
//!
//! Codes, words and the order of checks are those Apache Kafka 4.3.1 answers with (`ConfigAdminManager`,
//! `ConfigurationControlManager`, `LogConfig`, `GroupConfig`, `ClientMetricsConfigs`).

use std::collections::HashSet;

use super::broker::BrokerConfig;
use super::definition::{Definitions, Scope, UpdateMode, definitions};
use super::dynamic::DynamicConfigs;
use super::error::ConfigError;
use super::group;
use super::reader::Properties;
use super::settings;
use super::value::{Kind, Value, split_list};

/// What `IncrementalAlterConfigs` does to one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Set it.
    Set,
    /// Go back to what it falls back to.
    Delete,
    /// Add to a list what it does not hold yet.
    Append,
    /// Take out of a list.
    Subtract,
}

impl Operation {
    /// From the code on the wire (`AlterConfigOp.OpType`).
    #[must_use]
    pub fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// One change of one property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The property.
    pub name: &'a str,
    /// What to do.
    pub operation: Operation,
    /// With what; `None` is null on the wire.
    pub value: Option<&'a str>,
}

/// Settings of a topic that is to be made: all of them are checked.
///
/// # Errors
/// [`ConfigError::InvalidConfig`].
pub fn new_topic(config: &BrokerConfig, overrides: &[(&str, Option<&str>)]) -> Result<Properties, ConfigError> {
    let nulls: Vec<_> = overrides.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(ConfigError::InvalidConfig(message));
    }
    let wanted: Properties =
        overrides.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned()))).collect();
    check_topic(config, &wanted)?;
    Ok(wanted)
}

/// A topic's overrides after `changes`.
///
/// # Errors
/// [`ConfigError::InvalidConfig`] for names and values, [`ConfigError::InvalidRequest`] for a malformed list of changes.
pub fn topic(config: &BrokerConfig, current: &Properties, changes: &[Change<'_>]) -> Result<Properties, ConfigError> {
    let next = apply(Scope::Topic, current, changes)?;
    check_topic(config, &next)?;
    Ok(next)
}

/// A group's overrides after `changes`.
///
/// # Errors
/// As [`topic`].
pub fn group(config: &BrokerConfig, current: &Properties, changes: &[Change<'_>]) -> Result<Properties, ConfigError> {
    let next = apply(Scope::Group, current, changes)?;
    group::check(config, &next)?;
    Ok(next)
}

/// A client telemetry subscription after `changes`.
///
/// # Errors
/// [`ConfigError::InvalidRequest`] for unknown names and an interval out of range, else [`ConfigError::InvalidConfig`].
pub fn client_metrics(current: &Properties, changes: &[Change<'_>]) -> Result<Properties, ConfigError> {
    let next = apply(Scope::ClientMetrics, current, changes)?;
    group::check_client_metrics(&next)?;
    Ok(next)
}

/// Which of a broker's two layers changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerLayer {
    /// This broker's (resource name: its id).
    ThisBroker,
    /// That of all brokers (resource name: empty).
    AllBrokers,
}

/// A broker layer after `changes`. `config` is the configuration without dynamic settings, `current` what is stored.
/// `elr` says whether the cluster has the feature `eligible.leader.replicas.version` (KIP-966), under which
/// `min.insync.replicas` belongs to the cluster alone.
///
/// # Errors
/// [`ConfigError::InvalidRequest`], except for lists and `min.insync.replicas`.
pub fn broker(
    config: &BrokerConfig,
    current: &DynamicConfigs,
    layer: BrokerLayer,
    changes: &[Change<'_>],
    elr: bool,
) -> Result<Properties, ConfigError> {
    check_list_of_changes(changes)?;
    let mut next = current.clone();
    let target = if layer == BrokerLayer::ThisBroker { &mut next.broker } else { &mut next.cluster };
    for change in changes {
        check_broker_list(change)?;
        apply_one(definitions(Scope::Broker), target, change)?;
    }
    let target = target.clone();
    check_dynamic(&target, layer)?;
    check_listeners(config, current, &next)?;
    check_thread_counts(config, current, changes)?;
    BrokerConfig::check_dynamic(config, &next)?;
    if elr {
        check_min_insync_replicas(layer, changes)?;
    }
    Ok(target)
}

/// All overrides of a topic replaced (`AlterConfigs`, the older API).
///
/// # Errors
/// As [`topic`].
pub fn replace_topic(config: &BrokerConfig, wanted: &[(&str, Option<&str>)]) -> Result<Properties, ConfigError> {
    topic(config, &Properties::new(), &as_changes(wanted))
}

/// All dynamic settings of a broker layer replaced (`AlterConfigs`, the older API).
///
/// # Errors
/// As [`broker`].
pub fn replace_broker(
    config: &BrokerConfig,
    current: &DynamicConfigs,
    layer: BrokerLayer,
    wanted: &[(&str, Option<&str>)],
    elr: bool,
) -> Result<Properties, ConfigError> {
    let mut emptied = current.clone();
    match layer {
        BrokerLayer::ThisBroker => emptied.broker.clear(),
        BrokerLayer::AllBrokers => emptied.cluster.clear(),
    }
    broker(config, &emptied, layer, &as_changes(wanted), elr)
}

fn as_changes<'a>(wanted: &[(&'a str, Option<&'a str>)]) -> Vec<Change<'a>> {
    wanted.iter().map(|(name, value)| Change { name, operation: Operation::Set, value: *value }).collect()
}

/// The list itself: no name twice, no null but to delete (`ConfigAdminManager.preprocess`).
fn check_list_of_changes(changes: &[Change<'_>]) -> Result<(), ConfigError> {
    let mut seen = HashSet::with_capacity(changes.len());
    if !changes.iter().all(|change| seen.insert(change.name)) {
        return Err(ConfigError::InvalidRequest("Error due to duplicate config keys".to_owned()));
    }
    let nulls: Vec<_> = changes
        .iter()
        .filter(|change| change.operation != Operation::Delete && change.value.is_none())
        .map(|change| change.name)
        .collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(ConfigError::InvalidRequest(format!("Null value not supported for : {}", nulls.join(","))))
}

fn apply(scope: Scope, current: &Properties, changes: &[Change<'_>]) -> Result<Properties, ConfigError> {
    check_list_of_changes(changes)?;
    let mut next = current.clone();
    for change in changes {
        apply_one(definitions(scope), &mut next, change)?;
    }
    Ok(next)
}

fn apply_one(table: &Definitions, target: &mut Properties, change: &Change<'_>) -> Result<(), ConfigError> {
    let Change { name, operation, value } = *change;
    let value = value.unwrap_or("");
    let items = match operation {
        Operation::Set => {
            target.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        Operation::Delete => {
            target.remove(name);
            return Ok(());
        }
        Operation::Append | Operation::Subtract => list_to_change(table, target, change)?,
    };
    let items = match operation {
        Operation::Append => value.split(',').map(str::to_owned).fold(items, |mut items, item| {
            if !items.contains(&item) {
                items.push(item);
            }
            items
        }),
        _ => items.into_iter().filter(|item| !value.split(',').any(|taken| taken == item)).collect(),
    };
    target.insert(name.to_owned(), items.join(","));
    Ok(())
}

/// The items a list has now, its default where it is not set.
fn list_to_change(table: &Definitions, target: &Properties, change: &Change<'_>) -> Result<Vec<String>, ConfigError> {
    let definition = table.get(change.name);
    // Kafka's schema of the controller knows the lists of topics and brokers, and not those of client metrics.
    let list = definition.filter(|known| known.kind == Kind::List && known.scope != Scope::ClientMetrics);
    let Some(definition) = list else {
        let operation = if change.operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
        let message = format!("Can't {operation} to key {} because its type is not LIST.", change.name);
        return Err(ConfigError::InvalidConfig(message));
    };
    let text = target.get(change.name).map(String::as_str).or(definition.default).unwrap_or("");
    Ok(split_list(text))
}

fn check_broker_list(change: &Change<'_>) -> Result<(), ConfigError> {
    let operation = match change.operation {
        Operation::Append => "append",
        Operation::Subtract => "subtract",
        Operation::Set | Operation::Delete => return Ok(()),
    };
    match definitions(Scope::Broker).get(change.name) {
        None => Err(ConfigError::InvalidConfig(format!("Unknown config name: {}", change.name))),
        Some(definition) if definition.kind != Kind::List => {
            let message = format!("Config value {operation} is not allowed for config key: {}", change.name);
            Err(ConfigError::InvalidConfig(message))
        }
        Some(_) => Ok(()),
    }
}

fn check_topic(config: &BrokerConfig, wanted: &Properties) -> Result<(), ConfigError> {
    let table = definitions(Scope::Topic);
    if let Some(name) = wanted.keys().find(|name| table.get(name).is_none()) {
        return Err(ConfigError::InvalidConfig(format!("Unknown topic config name: {name}")));
    }
    for definition in table.iter() {
        if let Some(text) = wanted.get(definition.name) {
            definition.parse(text)?;
        }
    }
    let log = config.topic_defaults.with_overrides(wanted).log;
    if log.min_compaction_lag_ms > log.max_compaction_lag_ms {
        return Err(ConfigError::InvalidConfig(format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            log.min_compaction_lag_ms, log.max_compaction_lag_ms
        )));
    }
    let remote =
        wanted.get("remote.storage.enable").and_then(|text| table.get("remote.storage.enable")?.parse(text).ok());
    if remote == Some(Value::Boolean(true)) {
        return Err(ConfigError::InvalidConfig(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Which properties may be set on a running broker at all (`DynamicBrokerConfig.validateConfigs`).
fn check_dynamic(target: &Properties, layer: BrokerLayer) -> Result<(), ConfigError> {
    let table = definitions(Scope::Broker);
    let refuse = |names: Vec<&String>, message: &str| match names.as_slice() {
        [] => Ok(()),
        names => {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            Err(ConfigError::InvalidRequest(format!("{message}: [{}]", names.join(", "))))
        }
    };
    let fixed =
        |name: &&String| table.get(name).is_some_and(|known| known.update == UpdateMode::ReadOnly && !known.ours);
    refuse(target.keys().filter(fixed).collect(), "Cannot update these configs dynamically")?;
    let bare = |name: &&String| table.get(name).is_some_and(|known| known.per_listener);
    refuse(
        target.keys().filter(bare).collect(),
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )?;
    for definition in table.iter() {
        for (name, text) in target {
            if settings::known(name).is_some_and(|known| known.name == definition.name) {
                definition.parse(text).map_err(ConfigError::into_invalid_request)?;
            }
        }
    }
    if layer == BrokerLayer::AllBrokers {
        refuse(
            target.keys().filter(|name| is_per_broker(name)).collect(),
            "Cannot update these configs at default cluster level, broker id must be specified",
        )?;
    }
    Ok(())
}

/// Settings of a listener that Kafka changes while the listener is open (`SocketServer.ListenerReconfigurableConfigs`).
const LISTENER_LIMITS: [&str; 3] = ["max.connections", "max.connection.creation.rate", "num.network.threads"];

/// Listeners are opened at the start. Kafka opens and closes some while it runs; here they are told to wait.
///
/// A change of security settings that all listeners share is refused in Kafka's words where a listener has settings of
/// its own that came after the start and cannot take effect while it is open (`DynamicListenerConfig`).
fn check_listeners(config: &BrokerConfig, current: &DynamicConfigs, next: &DynamicConfigs) -> Result<(), ConfigError> {
    let statics = config.statics();
    let set = |dynamic: &DynamicConfigs, name: &str| {
        [&dynamic.broker, &dynamic.cluster, statics].into_iter().find_map(|layer| layer.get(name)).cloned()
    };
    let names = || next.broker.keys().chain(next.cluster.keys());
    let mut security = false;
    for name in names().filter(|name| set(current, name) != set(next, name)) {
        if matches!(name.as_str(), "listeners" | "listener.security.protocol.map") {
            let message =
                format!("{name} takes effect at the start of this broker: set it in server.properties and restart");
            return Err(ConfigError::InvalidRequest(message));
        }
        security |= name.starts_with("sasl.") || name.starts_with("ssl.");
    }
    if !security {
        return Ok(());
    }
    for listener in &config.listeners.clients {
        let prefix = format!("listener.name.{}.", listener.name.to_lowercase());
        let is_fixed = |name: &&String| {
            name.strip_prefix(&prefix).is_some_and(|base| {
                let dynamic = settings::known(base).is_some_and(|known| known.per_listener);
                !dynamic && !LISTENER_LIMITS.contains(&base)
            })
        };
        if names().filter(is_fixed).any(|name| set(next, name) != statics.get(name).cloned()) {
            return Err(ConfigError::InvalidRequest(format!(
                "Invalid value org.apache.kafka.common.config.ConfigException: Configs cannot be updated dynamically for \
                 existing listener ListenerName({}), restart broker or create a new listener for update for configuration \
                 Invalid dynamic configuration",
                listener.name
            )));
        }
    }
    Ok(())
}

/// A listener's own settings belong to one broker, but for its limits and threads.
fn is_per_broker(name: &str) -> bool {
    match name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')) {
        Some((_listener, base)) => !LISTENER_LIMITS.contains(&base),
        None => definitions(Scope::Broker).get(name).is_some_and(|known| known.update == UpdateMode::PerBroker),
    }
}

/// Kafka's thread pools change by a factor of two at most. Nothing here has such a pool, but a client that learnt what
/// Kafka refuses finds it refused.
fn check_thread_counts(
    config: &BrokerConfig,
    current: &DynamicConfigs,
    changes: &[Change<'_>],
) -> Result<(), ConfigError> {
    const POOLS: [&str; 4] =
        ["num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir", "background.threads"];
    let layers = [&current.broker, &current.cluster, config.statics()];
    for change in changes.iter().filter(|change| change.operation == Operation::Set) {
        let Change { name, value: Some(text), .. } = *change else { continue };
        let Some(definition) = definitions(Scope::Broker).get(name) else { continue };
        let Ok(Value::Int(wanted)) = definition.parse(text) else { continue };
        let before = layers.iter().find_map(|layer| layer.get(name)).map(String::as_str).or(definition.default);
        let Some(Ok(Value::Int(before))) = before.map(|text| definition.parse(text)) else { continue };
        let refused = if POOLS.contains(&name) {
            pool_refusal(name, before, wanted)
        } else if name == "log.cleaner.threads" {
            cleaner_refusal(before, wanted)
        } else {
            None
        };
        if let Some(reason) = refused {
            return Err(ConfigError::InvalidRequest(format!(
                "Invalid value org.apache.kafka.common.config.ConfigException: {reason} for configuration Invalid dynamic configuration"
            )));
        }
    }
    Ok(())
}

fn pool_refusal(name: &str, before: i32, wanted: i32) -> Option<String> {
    let failed = format!("Dynamic thread count update validation failed for {name}={wanted}");
    if wanted < before / 2 {
        return Some(format!("{failed}, value should be at least half the current value {before}"));
    }
    (wanted > before.saturating_mul(2))
        .then(|| format!("{failed}, value should not be greater than double the current value {before}"))
}

fn cleaner_refusal(before: i32, wanted: i32) -> Option<String> {
    if wanted < 1 {
        return Some("Log cleaner threads should be at least 1".to_owned());
    }
    if wanted < before / 2 {
        return Some(format!("Log cleaner threads cannot be reduced to less than half the current value {before}"));
    }
    (wanted > before.saturating_mul(2))
        .then(|| format!("Log cleaner threads cannot be increased to more than double the current value {before}"))
}

fn check_min_insync_replicas(layer: BrokerLayer, changes: &[Change<'_>]) -> Result<(), ConfigError> {
    let Some(change) = changes.iter().find(|change| change.name == "min.insync.replicas") else { return Ok(()) };
    let message = match (layer, change.operation) {
        (BrokerLayer::ThisBroker, _) => "Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
        (BrokerLayer::AllBrokers, Operation::Delete) => {
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        }
        (BrokerLayer::AllBrokers, _) => return Ok(()),
    };
    Err(ConfigError::InvalidConfig(message.to_owned()))
}
