//! What a value must satisfy beyond its type (`ConfigDef.Validator`), and Kafka's words when it does not.

use super::error::ConfigError;
use super::value::Value;

/// A validator of Kafka's, read from the description it prints of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Anything of the type.
    Any,
    /// A number between two bounds, both included.
    Range {
        /// The least, with the text Kafka prints for it.
        min: Option<Bound>,
        /// The greatest.
        max: Option<Bound>,
    },
    /// One of these texts.
    OneOf(Vec<&'static str>),
    /// One of these texts, in any case.
    OneOfIgnoringCase(Vec<&'static str>),
    /// A list of these texts, or of any where none are named.
    ListOf {
        /// The texts; empty for any.
        allowed: Vec<&'static str>,
        /// Whether the list may be empty.
        empty_allowed: bool,
    },
    /// A level of zlib, or -1 for its default.
    GzipLevel,
    /// Text that is not empty.
    NonEmpty,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
    /// `latest`, `earliest`, or `by_duration:` and an ISO-8601 duration that is not negative (KIP-1106).
    ShareOffsetReset,
    /// `id@host:port`, separated by commas.
    QuorumVoters,
}

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    text: &'static str,
    value: f64,
}

impl Bound {
    fn read(text: &'static str) -> Option<Self> {
        text.parse().ok().map(|value| Self { text, value })
    }
}

impl Rule {
    /// From the column that `ConfigTable.java` writes: the validator's class and its `toString`.
    pub(super) fn from_description(column: &'static str) -> Self {
        let (class, text) = column.split_once(' ').unwrap_or((column, ""));
        match class {
            "Range" => Self::range(text),
            "ValidString" => Self::OneOf(bracketed(text)),
            "CaseInsensitiveValidString" => Self::OneOfIgnoringCase(bracketed(text)),
            "ValidList" => Self::ListOf { allowed: bracketed(text), empty_allowed: text.contains("isEmptyAllowed") },
            "LambdaValidator" => Self::GzipLevel,
            "NonEmptyString" => Self::NonEmpty,
            "ThrottledReplicaListValidator" => Self::ThrottledReplicas,
            "Validator" => Self::ShareOffsetReset,
            "ControllerQuorumVotersValidator" => Self::QuorumVoters,
            _ => Self::Any,
        }
    }

    /// `[1,...]`, `[...,9]` or `[1,...,9]`.
    fn range(text: &'static str) -> Self {
        let inner = text.trim_start_matches('[').trim_end_matches(']');
        let (min, max) = inner.split_once("...").unwrap_or((inner, ""));
        Self::Range { min: Bound::read(min.trim_end_matches(',')), max: Bound::read(max.trim_start_matches(',')) }
    }

    /// Checks `value` for the property `name`.
    pub(super) fn check(&self, name: &str, value: &Value) -> Result<(), ConfigError> {
        match (self, value) {
            (Self::Range { min, max }, number) => check_range(name, number, *min, *max),
            (Self::OneOf(allowed), Value::String(text)) => check_one_of(name, text, allowed),
            (Self::OneOfIgnoringCase(allowed), Value::String(text)) => check_any_case(name, text, allowed),
            (Self::ListOf { allowed, empty_allowed }, Value::List(items)) => {
                check_list(name, items, allowed, *empty_allowed)
            }
            (Self::GzipLevel, Value::Int(level)) if *level != -1 && !(1..=9).contains(level) => {
                Err(ConfigError::invalid_value(name, level, "Value must be between 1 and 9 or equal to -1"))
            }
            (Self::NonEmpty, Value::String(text)) if text.is_empty() => {
                Err(ConfigError::invalid_value(name, text, "String must be non-empty"))
            }
            (Self::ThrottledReplicas, Value::List(items)) => check_replicas(name, items),
            (Self::ShareOffsetReset, Value::String(text)) => check_offset_reset(name, text),
            (Self::QuorumVoters, Value::List(items)) => check_voters(name, items),
            _ => Ok(()),
        }
    }
}

/// The texts between `[` and `]`.
fn bracketed(text: &'static str) -> Vec<&'static str> {
    let inner = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inner, _)| inner);
    inner.split(", ").filter(|item| !item.is_empty()).collect()
}

fn check_range(name: &str, value: &Value, min: Option<Bound>, max: Option<Bound>) -> Result<(), ConfigError> {
    let Some(number) = value.as_double() else { return Ok(()) };
    if let Some(min) = min.filter(|min| number < min.value) {
        return Err(ConfigError::invalid_value(name, value, format_args!("Value must be at least {}", min.text)));
    }
    if let Some(max) = max.filter(|max| number > max.value) {
        return Err(ConfigError::invalid_value(name, value, format_args!("Value must be no more than {}", max.text)));
    }
    Ok(())
}

fn check_one_of(name: &str, text: &str, allowed: &[&str]) -> Result<(), ConfigError> {
    if allowed.contains(&text) {
        return Ok(());
    }
    Err(ConfigError::invalid_value(name, text, format_args!("String must be one of: {}", allowed.join(", "))))
}

fn check_any_case(name: &str, text: &str, allowed: &[&str]) -> Result<(), ConfigError> {
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    let reason = format!("String must be one of (case insensitive): {}", allowed.join(", "));
    Err(ConfigError::invalid_value(name, text, reason))
}

fn check_list(name: &str, items: &[String], allowed: &[&str], empty_allowed: bool) -> Result<(), ConfigError> {
    if items.is_empty() && !empty_allowed {
        let values =
            if allowed.is_empty() { "any non-empty value".to_owned() } else { format!("[{}]", allowed.join(", ")) };
        let message = format!("Configuration '{name}' must not be empty. Valid values include: {values}");
        return Err(ConfigError::InvalidConfig(message));
    }
    if items.iter().any(String::is_empty) {
        return Err(ConfigError::InvalidConfig(format!("Configuration '{name}' values must not be empty.")));
    }
    if allowed.is_empty() {
        return Ok(());
    }
    items.iter().try_for_each(|item| check_one_of(name, item, allowed))
}

fn check_replicas(name: &str, items: &[String]) -> Result<(), ConfigError> {
    let numbers = |item: &String| {
        item.split_once(':').is_some_and(|(partition, broker)| {
            [partition, broker].iter().all(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    if items.iter().all(numbers) || matches!(items, [only] if only == "*") {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::invalid_value(name, format_args!("[{}]", items.join(", ")), reason))
}

fn check_offset_reset(name: &str, text: &str) -> Result<(), ConfigError> {
    let valid = match text.split_once(':') {
        None => matches!(text, "latest" | "earliest"),
        Some(("by_duration", duration)) => is_positive_duration(duration),
        Some(_) => false,
    };
    if valid {
        return Ok(());
    }
    let reason = format!(
        "Invalid value `{text}` for configuration {name}. The value must be either 'earliest', 'latest' or of the \
         format 'by_duration:<PnDTnHnMn.nS>'."
    );
    Err(ConfigError::invalid_value(name, text, reason))
}

/// An ISO-8601 duration of days, hours, minutes and seconds, as `java.time.Duration.parse` takes it, without signs.
fn is_positive_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let days_ok = days.is_empty() || days.strip_suffix('D').is_some_and(is_digits);
    let time_ok = match time {
        None => !days.is_empty(),
        Some(time) => is_time(time),
    };
    days_ok && time_ok
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `nHnMn.nS`, each at most once, in this order, at least one.
fn is_time(mut text: &str) -> bool {
    let mut any = false;
    for unit in ['H', 'M', 'S'] {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if !is_digits(whole) || !is_digits(fraction) || (number.contains('.') && unit != 'S') {
            return false;
        }
        (any, text) = (true, rest);
    }
    any && text.is_empty()
}

fn check_voters(name: &str, items: &[String]) -> Result<(), ConfigError> {
    let voter = |item: &String| {
        item.split_once('@').is_some_and(|(id, address)| {
            id.parse::<i32>().is_ok()
                && address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        })
    };
    if items.iter().all(voter) {
        return Ok(());
    }
    Err(ConfigError::InvalidConfig(format!(
        "Invalid configuration value for {name}. Each entry should be in the form `{{id}}@{{host}}:{{port}}`."
    )))
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Scope, definitions};

    /// What Apache Kafka 4.3.1 answered to CreateTopics with each of these settings.
    #[test]
    fn topic_values_are_refused_in_the_words_of_kafka() {
        for (name, text, message) in [
            ("retention.ms", "-2", "Value must be at least -1"),
            ("segment.bytes", "10", "Value must be at least 1048576"),
            ("cleanup.policy", "x", "String must be one of: compact, delete"),
            ("compression.type", "GZIP", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"),
            ("preallocate", "yes", "Expected value to be either true or false"),
            ("min.cleanable.dirty.ratio", "1.5", "Value must be no more than 1"),
            ("compression.gzip.level", "0", "Value must be between 1 and 9 or equal to -1"),
            ("compression.zstd.level", "99", "Value must be no more than 22"),
            ("max.message.bytes", "99999999999", "Not a number of type INT"),
        ] {
            let error = definitions(Scope::Topic).get(name).expect(name).parse(text).expect_err(text);
            assert_eq!(error.to_string(), format!("Invalid value {text} for configuration {name}: {message}"));
        }
    }

    #[test]
    fn topic_values_that_kafka_takes_are_taken() {
        for (name, text) in [
            ("cleanup.policy", ""),
            ("cleanup.policy", "delete,delete"),
            ("cleanup.policy", "compact, delete"),
            ("preallocate", "TRUE"),
            ("leader.replication.throttled.replicas", "1:2"),
            ("leader.replication.throttled.replicas", "*"),
            ("retention.bytes", "-5"),
            ("min.cleanable.dirty.ratio", "NaN"),
        ] {
            assert!(definitions(Scope::Topic).get(name).expect(name).parse(text).is_ok(), "{name}={text}");
        }
    }

    #[test]
    fn lists_name_what_is_missing() {
        let parse = |name: &str, text| definitions(Scope::Broker).get(name).expect("known").parse(text);
        for (name, text, message) in [
            ("listeners", "", "Configuration 'listeners' must not be empty. Valid values include: any non-empty value"),
            (
                "process.roles",
                "",
                "Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]",
            ),
            ("log.dirs", "a,b,", "Configuration 'log.dirs' values must not be empty."),
        ] {
            assert_eq!(parse(name, text).expect_err(name).to_string(), message);
        }
    }

    #[test]
    fn share_offset_reset_takes_durations_that_are_not_negative() {
        let parse = |text| definitions(Scope::Group).get("share.auto.offset.reset").expect("known").parse(text);
        for text in ["latest", "earliest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S", "by_duration:P2D"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in ["foo", "EARLIEST", "by_duration:-PT1H", "by_duration:P", "by_duration:PT", "by_duration:PT1S1H"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
