//! The command line.
//!
//! `broker start` runs a broker; the other commands talk to one. The tools that Apache Kafka has as scripts become
//! commands of their own here, one file each.

pub mod exit;
pub mod healthcheck;
pub mod machine;
pub mod start;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::observability::logging::Format;

/// A single-node broker that is Apache Kafka to everything around it.
#[derive(Debug, Parser)]
#[command(name = "broker", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker until SIGTERM or SIGINT.
    ///
    /// Settings have Kafka's names. They come from the file, then from KAFKA_* variables as the
    /// apache/kafka image takes them (KAFKA_NUM_PARTITIONS=3), then from --override; the later
    /// ones win. Without any, the broker listens on port 9092, tells clients localhost:9092, and
    /// keeps its data in log.dirs, by default /tmp/kafka-logs. A new directory is formatted at
    /// the first start. Metrics and health are on port 8083 (broker.http.listener).
    #[command(after_help = START_EXAMPLES, verbatim_doc_comment)]
    Start(StartArgs),
    /// Ask a broker whether it answers: exit 0 if it does, 69 if not.
    Healthcheck(HealthcheckArgs),
}

const START_EXAMPLES: &str = "Examples:
  broker start
  broker start server.properties --override log.dirs=/var/lib/kafka
  KAFKA_CREATE_TOPICS=raw_recipes:3:1 broker start --override listeners=PLAINTEXT://:19092

Exit codes: 0 stopped, 64 wrong settings, 69 a port is taken, 74 a data directory cannot be used.";

/// Flags of `broker start`.
#[derive(Debug, clap::Args)]
pub struct StartArgs {
    /// A properties file, as kafka-server-start takes it.
    #[arg(value_name = "SERVER.PROPERTIES")]
    pub file: Option<PathBuf>,
    /// A setting that wins over the file and the environment; may be repeated.
    #[arg(long = "override", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub overrides: Vec<(String, String)>,
    /// How log lines are written; auto is text on a terminal and JSON elsewhere.
    #[arg(long, value_enum, default_value_t = Format::Auto, env = "LOG_FORMAT")]
    pub log_format: Format,
    /// What is logged: a level, or levels by module (info,broker::groups=debug). Default: RUST_LOG, or info.
    #[arg(long, value_name = "FILTER")]
    pub log_filter: Option<String>,
}

/// Flags of `broker healthcheck`.
#[derive(Debug, clap::Args)]
pub struct HealthcheckArgs {
    /// The broker to ask.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:9092")]
    pub bootstrap_server: String,
    /// How long to wait for its answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    pub timeout_ms: u64,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write name=value, for example num.partitions=3".to_owned()),
    }
}

/// Reads the command line.
///
/// # Errors
/// What clap has to say: help and version too, which are no failures ([`clap::Error::use_stderr`]).
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn read(args: &[&str]) -> Result<Cli, clap::Error> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn start_takes_a_file_and_overrides_in_any_order() {
        for args in [
            ["broker", "start", "server.properties", "--override", "a=1", "--override", "b=x=y"],
            ["broker", "start", "--override", "a=1", "--override", "b=x=y", "server.properties"],
        ] {
            let Command::Start(start) = read(&args).expect("valid").command else { panic!("start") };
            assert_eq!(start.file, Some(PathBuf::from("server.properties")));
            let wanted = [("a", "1"), ("b", "x=y")].map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(start.overrides, wanted);
        }
    }

    #[test]
    fn an_override_without_a_value_says_what_to_write() {
        let error = read(&["broker", "start", "--override", "num.partitions"]).expect_err("no value").to_string();
        assert!(error.contains("write name=value"), "{error}");
    }

    #[test]
    fn the_healthcheck_asks_localhost_by_default() {
        let Command::Healthcheck(args) = read(&["broker", "healthcheck"]).expect("valid").command else { panic!() };
        assert_eq!(args.bootstrap_server, "localhost:9092");
    }
}
