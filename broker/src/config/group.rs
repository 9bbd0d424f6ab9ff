//! Rules of groups' and client telemetry subscriptions' own settings.

use super::broker::BrokerConfig;
use super::definition::{Scope, definitions};
use super::error::ConfigError;
use super::reader::{Properties, Reader};
use super::value::Value;

/// A group property, and the broker properties that bound it.
const BOUNDS: [(&str, Option<&str>, Option<&str>); 14] = [
    bounded(
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    bounded(
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    bounded(
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    bounded(
        "share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    bounded("share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    bounded(
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    bounded(
        "share.delivery.count.limit",
        "group.share.min.delivery.count.limit",
        "group.share.max.delivery.count.limit",
    ),
    bounded(
        "share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    bounded(
        "share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    bounded(
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    bounded(
        "streams.session.timeout.ms",
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
    ("streams.num.standby.replicas", None, Some("group.streams.max.standby.replicas")),
    bounded(
        "streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
    ("streams.initial.rebalance.delay.ms", None, None),
];

const fn bounded(
    name: &'static str,
    min: &'static str,
    max: &'static str,
) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    (name, Some(min), Some(max))
}

/// A member's session must outlive its heartbeats.
const SESSIONS: [(&str, &str); 3] = [
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

/// Checks all of a group's overrides (`GroupConfig.validate`).
pub(super) fn check(config: &BrokerConfig, wanted: &Properties) -> Result<(), ConfigError> {
    let table = definitions(Scope::Group);
    if let Some(name) = wanted.keys().find(|name| table.get(name).is_none()) {
        return Err(ConfigError::InvalidConfig(format!("Unknown group config name: {name}")));
    }
    for definition in table.iter() {
        if let Some(text) = wanted.get(definition.name) {
            definition.parse(text)?;
        }
    }
    let mut reader = Reader::new(vec![config.statics()]);
    for (name, min, max) in BOUNDS {
        let Some(value) = own_value(wanted, name) else { continue };
        if let Some(min) = min.filter(|min| value < reader.get::<i32>(min)) {
            return Err(ConfigError::InvalidConfig(format!("{name} must be greater than or equal to {min}")));
        }
        if let Some(max) = max.filter(|max| value > reader.get::<i32>(max)) {
            return Err(ConfigError::InvalidConfig(format!("{name} must be less than or equal to {max}")));
        }
    }
    for (session, heartbeat) in SESSIONS {
        let mut effective = |name: &'static str| own_value(wanted, name).or_else(|| broker_value(&mut reader, name));
        let (session_ms, heartbeat_ms) = (effective(session), effective(heartbeat));
        if session_ms.zip(heartbeat_ms).is_some_and(|(session, heartbeat)| session <= heartbeat) {
            return Err(ConfigError::InvalidConfig(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(())
}

fn own_value(wanted: &Properties, name: &str) -> Option<i32> {
    match definitions(Scope::Group).get(name)?.parse(wanted.get(name)?) {
        Ok(Value::Int(value)) => Some(value),
        _ => None,
    }
}

fn broker_value(reader: &mut Reader<'_>, name: &str) -> Option<i32> {
    let synonym = definitions(Scope::Group).get(name)?.synonyms.first().copied()?;
    Some(reader.get(synonym))
}

/// Checks all of a subscription's settings (`ClientMetricsConfigs.validate`, KIP-714).
pub(super) fn check_client_metrics(wanted: &Properties) -> Result<(), ConfigError> {
    let table = definitions(Scope::ClientMetrics);
    if let Some(name) = wanted.keys().find(|name| table.get(name).is_none()) {
        return Err(ConfigError::InvalidRequest(format!("Unknown client metrics configuration: {name}")));
    }
    for definition in table.iter() {
        let Some(text) = wanted.get(definition.name) else { continue };
        match (definition.name, definition.parse(text)?) {
            ("interval.ms", Value::Int(interval)) if !(100..=3_600_000).contains(&interval) => {
                return Err(ConfigError::InvalidRequest(format!(
                    "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                )));
            }
            ("match", Value::List(patterns)) => check_patterns(&patterns)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_patterns(patterns: &[String]) -> Result<(), ConfigError> {
    const SUBJECTS: [&str; 6] = [
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    ];
    for pattern in patterns {
        let valid = pattern.split_once('=').is_some_and(|(subject, regex)| {
            SUBJECTS.contains(&subject.trim()) && regex::Regex::new(regex.trim()).is_ok()
        });
        if !valid {
            return Err(ConfigError::InvalidConfig(format!("Illegal client matching pattern: {pattern}")));
        }
    }
    Ok(())
}
