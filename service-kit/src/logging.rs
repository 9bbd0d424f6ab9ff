//! Logs on stderr: text on a terminal, JSON elsewhere.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::progress::AboveProgress;
use crate::settings::Source;

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    format: String,
    filter: String,
}

impl LogSettings {
    /// Reads `LOG_FORMAT` and `RUST_LOG`.
    pub fn read(from: &mut Source) -> Self {
        Self::read_or(from, "info")
    }

    /// As [`LogSettings::read`], with another default of what is logged.
    pub fn read_or(from: &mut Source, filter: &str) -> Self {
        let format = from
            .get::<String>("log_format", "How log lines are written; auto is text on a terminal and JSON elsewhere")
            .choices(&["auto", "text", "json"])
            .or("auto".to_owned());
        let filter = from
            .get::<String>("rust_log", "What is logged: a level, or levels by module (`info,librdkafka=debug`)")
            .checked(|filter| EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string()))
            .or(filter.to_owned());
        Self { format, filter }
    }
}

static INSTALLED: OnceLock<()> = OnceLock::new();

/// Starts logging; the first call of a process counts, later ones change nothing.
pub fn init(settings: &LogSettings) {
    INSTALLED.get_or_init(|| {
        let json = match &*settings.format {
            "json" => true,
            "text" => false,
            _ => !io::stderr().is_terminal(),
        };
        // The filter was checked when it was read.
        let filter = EnvFilter::new(&settings.filter);
        let registry = tracing_subscriber::registry().with(filter);
        let layer = tracing_subscriber::fmt::layer().with_writer(|| AboveProgress);
        // Fails only when the embedding program logs already: its choice stands.
        let _ = if json {
            registry.with(layer.json().flatten_event(true)).try_init()
        } else {
            registry.with(layer.with_ansi(io::stderr().is_terminal()).with_target(false)).try_init()
        };
    });
}
