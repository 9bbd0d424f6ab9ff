//! From `main` to exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::{Exit, Failure};
use crate::healthcheck::healthcheck;
use crate::logging::{self, LogSettings};
use crate::settings::{Invocation, Source};
use crate::{http, metrics, progress, shutdown};

/// Longest time from SIGTERM to the exit.
const DRAIN: Duration = Duration::from_secs(9);

/// One of the pipeline's services.
pub trait Service: Sized + Send {
    /// Name of the binary, and value of the label `service`.
    const NAME: &'static str;
    /// One line for `--help`.
    const ABOUT: &'static str;
    /// Default of the setting `listen`, used by `healthcheck`.
    const LISTEN: &'static str = "0.0.0.0:8080";
    /// What it needs to know.
    type Settings: Send;

    /// Reads the settings. Each call of [`Source::get`] declares a setting for `--help` too, so read all of them
    /// always; what is wrong is collected by the source.
    fn settings(from: &mut Source) -> Self::Settings;

    /// Builds the service; no I/O but reading files the settings name.
    ///
    /// # Errors
    /// A file that settings name is missing or wrong.
    fn new(settings: Self::Settings) -> Result<Self, Failure>;

    /// Works until the token is cancelled, then drains: what was read is finished and committed within 10 s.
    ///
    /// # Errors
    /// Whatever ends the service for good.
    fn run(self, shutdown: CancellationToken) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Further subcommands; `run` and `healthcheck` are there already.
    #[must_use]
    fn verbs() -> Vec<Verb> {
        Vec::new()
    }
}

/// A subcommand that does one thing and ends.
pub struct Verb {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its arguments and one line for `--help`.
    pub about: &'static str,
    /// Does it; gets the arguments after the name, and prints to stdout.
    pub run: fn(&mut Source, &[String]) -> Result<(), Failure>,
}

/// A service's whole `main`: reads flags, environment and settings file, logs, handles signals, runs, drains.
///
/// Everything that ends it badly is one line on stderr and an exit code of `sysexits.h`.
#[must_use]
pub fn start<S: Service>() -> ExitCode {
    match begin::<S>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "{}: {failure}", S::NAME);
            failure.exit().into()
        }
    }
}

fn begin<S: Service>() -> Result<(), Failure> {
    let verbs = S::verbs();
    let names: Vec<&str> = ["run", "healthcheck"].into_iter().chain(verbs.iter().map(|verb| verb.name)).collect();
    let Invocation { verb, arguments, mut source } = Source::from_process(&names)?;
    match verb.as_deref() {
        _ if source.asks_help() => print(&help::<S>(source, &verbs)),
        _ if source.asks_version() => print(&format!("{} {}\n", S::NAME, env!("CARGO_PKG_VERSION"))),
        Some("healthcheck") => {
            let listen = http::listen_setting(&mut source, S::LISTEN);
            // Settings of the service that this command does not read may stand in the same environment and file.
            source.problems_only()?;
            healthcheck(&listen)
        }
        None | Some("run") => {
            let log = LogSettings::read(&mut source);
            let settings = S::settings(&mut source);
            source.finish()?;
            logging::init(&log);
            metrics::install();
            progress::allow();
            serve::<S>(settings)
        }
        Some(name) => match verbs.iter().find(|verb| verb.name == name) {
            Some(verb) => (verb.run)(&mut source, &arguments),
            None => Err(Failure::usage(format!("no command {name}; see --help"))),
        },
    }
}

fn serve<S: Service>(settings: S::Settings) -> Result<(), Failure> {
    let service = S::new(settings)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::unavailable(format!("the system gives no more threads: {error}")))?;
    let result = runtime.block_on(async {
        let shutdown = shutdown::on_signals()?;
        let run = service.run(shutdown.clone());
        tokio::pin!(run);
        tokio::select! {
            result = &mut run => return result,
            () = shutdown.cancelled() => {}
        }
        let late = Failure::new(Exit::Software, format!("still busy {} s after the signal; gave up", DRAIN.as_secs()));
        tokio::time::timeout(DRAIN, run).await.unwrap_or(Err(late))
    });
    runtime.shutdown_background();
    match result {
        Err(failure) if failure.is_stop() => {
            info!(reason = %failure, "stopped early");
            Ok(())
        }
        result => result,
    }
}

fn help<S: Service>(mut source: Source, verbs: &[Verb]) -> String {
    LogSettings::read(&mut source);
    S::settings(&mut source);
    let mut text =
        format!("{} - {}\n\nUsage: {} [COMMAND] [--SETTING VALUE]...\n\nCommands:\n", S::NAME, S::ABOUT, S::NAME);
    let ours = [
        ("run", "Run the service (what happens without a command)"),
        ("healthcheck", "Ask /health/ready; exit 0 when ready"),
    ];
    for (name, about) in ours.into_iter().chain(verbs.iter().map(|verb| (verb.name, verb.about))) {
        text.push_str(&format!("  {name:<14} {about}\n"));
    }
    text.push_str(&source.help());
    text
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::io(format!("cannot write to stdout: {error}")))
}
