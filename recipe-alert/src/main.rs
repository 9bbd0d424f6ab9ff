//! The whole pipeline in one process: `cargo run --release`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use recipe_alert::Settings;
use service_kit::logging::{self, LogSettings};
use service_kit::settings::{Invocation, Source};
use service_kit::{Failure, metrics, on_signals};

/// Logged unless `RUST_LOG` says otherwise: alerts are what the terminal is for.
const LOG_FILTER: &str = "warn,recipe_alert=info";

fn main() -> ExitCode {
    let started = Instant::now();
    match run(started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "recipe-alert: {failure}");
            failure.exit().into()
        }
    }
}

fn run(started: Instant) -> Result<(), Failure> {
    let Invocation { mut source, .. } = Source::from_process(&[])?;
    let log = LogSettings::read_or(&mut source, LOG_FILTER);
    let settings = Settings::read(&mut source);
    if source.asks_help() {
        return print(&format!(
            "recipe-alert - The whole pipeline in one process: broker, sample site, services and live page\n\n\
             Usage: recipe-alert [--SETTING VALUE]...\n\n{}",
            source.help()
        ));
    }
    if source.asks_version() {
        return print(concat!("recipe-alert ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    source.finish()?;
    logging::init(&log);
    metrics::install();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::unavailable(format!("the system gives no more threads: {error}")))?;
    let summary = runtime.block_on(async { recipe_alert::run(settings, started, on_signals()?).await })?;
    match summary {
        Some(summary) => print(&format!("{summary}\n")),
        None => Ok(()),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::io(format!("cannot write to stdout: {error}")))
}
