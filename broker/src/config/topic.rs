//! A topic's settings: its own overrides over the broker's.

use std::collections::BTreeMap;
use std::sync::Arc;

use commitlog::{Compression, LogConfig, TimestampType};

use super::definition::{Definition, Scope, definitions};
use super::reader::{Properties, Reader};
use super::value::Value;

/// What a topic obeys.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// What its logs obey.
    pub log: Arc<LogConfig>,
    /// `min.insync.replicas`: with one replica, anything above 1 refuses acks=all.
    pub min_insync_replicas: i32,
    values: Arc<TopicValues>,
}

/// Every property of a topic with its value; `None` is Kafka's null.
pub(super) type TopicValues = BTreeMap<&'static str, Option<Value>>;

impl TopicConfig {
    /// What a topic without overrides obeys.
    pub(super) fn from_broker(reader: &mut Reader<'_>) -> Self {
        let values = definitions(Scope::Topic).iter().map(|known| (known.name, broker_value(known, reader))).collect();
        Self::from_values(values)
    }

    /// The same with a topic's `overrides` on top. Overrides that are not valid, which only another release can have
    /// stored, count as absent.
    #[must_use]
    pub fn with_overrides(&self, overrides: &Properties) -> Self {
        if overrides.is_empty() {
            return self.clone();
        }
        let mut values = TopicValues::clone(&self.values);
        for (name, text) in overrides {
            let Some(definition) = definitions(Scope::Topic).get(name) else { continue };
            if let Ok(value) = definition.parse(text) {
                values.insert(definition.name, Some(value));
            }
        }
        Self::from_values(values)
    }

    /// The value of one property as `DescribeConfigs` prints it; `None` for null and for what is no property.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.get(name)?.as_ref().map(ToString::to_string)
    }

    /// `cleanup.policy` contains `compact`.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.log.compact
    }

    fn from_values(values: TopicValues) -> Self {
        let log = Arc::new(log_config(&Lookup(&values)));
        let min_insync_replicas = Lookup(&values).int("min.insync.replicas");
        Self { log, min_insync_replicas, values: Arc::new(values) }
    }
}

/// The broker's value for a topic property (`KafkaConfig.extractLogConfigMap`).
fn broker_value(definition: &'static Definition, reader: &mut Reader<'_>) -> Option<Value> {
    const HOUR_MS: i64 = 3_600_000;
    let first = |reader: &mut Reader<'_>, ms, hours| {
        let set: Option<i64> = reader.get(ms);
        set.unwrap_or_else(|| i64::from(reader.get::<i32>(hours)) * HOUR_MS)
    };
    let milliseconds = match definition.name {
        "retention.ms" => {
            let ms: Option<i64> = reader.get("log.retention.ms");
            let minutes: Option<i32> = reader.get("log.retention.minutes");
            let ms = ms.or(minutes.map(|minutes| i64::from(minutes) * 60_000));
            let ms = ms.unwrap_or_else(|| i64::from(reader.get::<i32>("log.retention.hours")) * HOUR_MS);
            if ms < 0 { -1 } else { ms }
        }
        "segment.ms" => first(reader, "log.roll.ms", "log.roll.hours"),
        "segment.jitter.ms" => first(reader, "log.roll.jitter.ms", "log.roll.jitter.hours"),
        "flush.ms" => {
            let ms: Option<i64> = reader.get("log.flush.interval.ms");
            ms.unwrap_or_else(|| reader.get("log.flush.scheduler.interval.ms"))
        }
        _ => {
            let set = definition.synonyms.first().and_then(|synonym| reader.set(synonym));
            let parsed = set.and_then(|text| definition.parse(text).ok());
            return parsed.or_else(|| definition.default.and_then(|text| definition.parse(text).ok()));
        }
    };
    Some(Value::Long(milliseconds))
}

/// Reads values whose types the table of definitions has settled; a type that differs reads as zero, which the tests
/// below would show.
struct Lookup<'a>(&'a TopicValues);

impl Lookup<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).and_then(Option::as_ref)
    }

    fn int(&self, name: &str) -> i32 {
        if let Some(Value::Int(value)) = self.get(name) { *value } else { 0 }
    }

    fn long(&self, name: &str) -> i64 {
        if let Some(Value::Long(value)) = self.get(name) { *value } else { 0 }
    }

    fn double(&self, name: &str) -> f64 {
        if let Some(Value::Double(value)) = self.get(name) { *value } else { 0.0 }
    }

    fn boolean(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Boolean(true)))
    }

    fn string(&self, name: &str) -> &str {
        if let Some(Value::String(value)) = self.get(name) { value } else { "" }
    }

    fn lists(&self, name: &str, item: &str) -> bool {
        matches!(self.get(name), Some(Value::List(items)) if items.iter().any(|listed| listed == item))
    }
}

fn log_config(values: &Lookup<'_>) -> LogConfig {
    let bytes = |name| u32::try_from(values.int(name)).unwrap_or(0);
    let internal = match values.get("internal.segment.bytes") {
        Some(Value::Int(size)) => u64::try_from(*size).ok(),
        _ => None,
    };
    LogConfig {
        segment_bytes: internal.unwrap_or_else(|| u64::from(bytes("segment.bytes"))),
        segment_ms: values.long("segment.ms"),
        segment_jitter_ms: values.long("segment.jitter.ms"),
        segment_index_bytes: bytes("segment.index.bytes") as usize,
        index_interval_bytes: bytes("index.interval.bytes"),
        preallocate: values.boolean("preallocate"),
        flush_messages: values.long("flush.messages"),
        flush_ms: values.long("flush.ms"),
        retention_bytes: values.long("retention.bytes"),
        retention_ms: values.long("retention.ms"),
        file_delete_delay_ms: values.long("file.delete.delay.ms"),
        delete: values.lists("cleanup.policy", "delete"),
        compact: values.lists("cleanup.policy", "compact"),
        delete_retention_ms: values.long("delete.retention.ms"),
        min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
        max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
        min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
        max_message_bytes: bytes("max.message.bytes") as usize,
        compression: match values.string("compression.type") {
            "uncompressed" => Compression::None,
            "gzip" => Compression::Gzip(values.int("compression.gzip.level")),
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4(values.int("compression.lz4.level")),
            "zstd" => Compression::Zstd(values.int("compression.zstd.level")),
            _ => Compression::Producer,
        },
        message_timestamp_type: match values.string("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        message_timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
        message_timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BrokerConfig, Sources};
    use super::*;

    fn broker(overrides: &[(&str, &str)]) -> BrokerConfig {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        BrokerConfig::load(&Sources { overrides, ..Sources::default() }).expect("valid").config
    }

    fn topic(config: &BrokerConfig, overrides: &[(&str, &str)]) -> TopicConfig {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        config.topic_defaults.with_overrides(&overrides)
    }

    #[test]
    fn defaults_are_those_of_the_log_and_of_kafka() {
        assert_eq!(*topic(&broker(&[]), &[]).log, LogConfig::default());
    }

    #[test]
    fn the_broker_sets_what_the_topic_does_not() {
        let broker = broker(&[
            ("log.segment.bytes", "2097152"),
            ("log.cleanup.policy", "compact,delete"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "7"),
            ("message.max.bytes", "5000"),
            ("log.flush.scheduler.interval.ms", "900"),
        ]);
        let topic = topic(&broker, &[("max.message.bytes", " 77 "), ("message.timestamp.type", "LogAppendTime")]);
        assert_eq!(topic.log.segment_bytes, 2_097_152);
        assert!(topic.log.compact && topic.log.delete);
        assert_eq!(topic.log.compression, Compression::Zstd(7));
        assert_eq!(topic.log.max_message_bytes, 77);
        assert_eq!(topic.log.message_timestamp_type, TimestampType::LogAppendTime);
        assert_eq!(topic.log.flush_ms, 900);
        assert_eq!(topic.text("max.message.bytes").as_deref(), Some("77"));
    }

    #[test]
    fn the_finer_unit_wins_and_negative_retention_means_for_ever() {
        let retention = |settings: &[(&str, &str)]| broker(settings).topic_defaults.log.retention_ms;
        assert_eq!(retention(&[("log.retention.hours", "1")]), 3_600_000);
        assert_eq!(retention(&[("log.retention.hours", "1"), ("log.retention.minutes", "1")]), 60_000);
        assert_eq!(retention(&[("log.retention.minutes", "1"), ("log.retention.ms", "5")]), 5);
        assert_eq!(retention(&[("log.retention.ms", "-5")]), -1);
        assert_eq!(broker(&[("log.roll.hours", "2")]).topic_defaults.log.segment_ms, 7_200_000);
        assert_eq!(broker(&[("log.roll.jitter.hours", "2")]).topic_defaults.log.segment_jitter_ms, 7_200_000);
    }

    #[test]
    fn an_empty_cleanup_policy_neither_deletes_nor_compacts() {
        let topic = topic(&broker(&[]), &[("cleanup.policy", "")]);
        assert!(!topic.log.compact && !topic.log.delete);
    }
}
