//! Logs on stderr: text on a terminal, JSON elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

use super::loggers::Loggers;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log filter {filter}: {reason}; write a level (info), or levels by module (info,broker::groups=debug)")]
pub struct BadFilter {
    filter: String,
    reason: String,
}

/// Starts logging for the whole process.
///
/// # Errors
/// [`BadFilter`]; nothing is installed then. Where the process logs already, its own logger stays.
pub fn init(format: Format, filter: &str) -> Result<(), BadFilter> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| BadFilter { filter: filter.to_owned(), reason: error.to_string() })?;
    let terminal = io::stderr().is_terminal();
    let (parsed, handle) = reload::Layer::new(parsed);
    let registry = tracing_subscriber::registry().with(parsed);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let installed = match format {
        Format::Auto if terminal => registry.with(layer.with_target(false)).try_init(),
        Format::Text => registry.with(layer.with_ansi(terminal).with_target(false)).try_init(),
        Format::Auto | Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    // An error here means that a logger was installed before: the one that stays, as documented.
    if installed.is_ok() {
        Loggers::install(handle, filter);
    }
    Ok(())
}

/// The filter to use: a flag's, else `RUST_LOG`, else the level the `apache/kafka` image takes from
/// `KAFKA_LOG4J_ROOT_LOGLEVEL`, else `info`.
#[must_use]
pub fn filter(flag: Option<&str>, variables: &[(String, String)]) -> String {
    let variable = |wanted: &str| {
        let found = variables.iter().find(|(name, value)| name == wanted && !value.trim().is_empty());
        found.map(|(_, value)| value.trim().to_owned())
    };
    let log4j = || {
        variable("KAFKA_LOG4J_ROOT_LOGLEVEL").map(|level| match level.to_ascii_uppercase().as_str() {
            "FATAL" => "error".to_owned(),
            "ALL" => "trace".to_owned(),
            _ => level.to_ascii_lowercase(),
        })
    };
    flag.map(str::to_owned).or_else(|| variable("RUST_LOG")).or_else(log4j).unwrap_or_else(|| "info".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_rust_log_and_that_over_the_image_variable() {
        let both = [("RUST_LOG", "warn"), ("KAFKA_LOG4J_ROOT_LOGLEVEL", "DEBUG")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(filter(Some("trace"), &both), "trace");
        assert_eq!(filter(None, &both), "warn");
        assert_eq!(filter(None, &both[1..]), "debug");
        assert_eq!(filter(None, &[]), "info");
    }

    #[test]
    fn a_bad_filter_says_what_to_write() {
        let error = init(Format::Text, "broker=loud").expect_err("no such level");
        assert!(error.to_string().contains("broker=loud") && error.to_string().contains("write a level"));
    }
}
