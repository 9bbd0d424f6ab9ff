//! `broker start`: settings, start, wait for a signal, drain.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::StartArgs;
use super::exit::{Exit, Failure};
use super::machine;
use crate::config::{BrokerConfig, Loaded, Sources};
use crate::observability::health::{Health, State};
use crate::observability::{http, logging, metrics};
use crate::{Broker, StartError};

/// Kubernetes kills 30 s after it asked; what is not on the disk then is recovered at the next start.
const DRAIN: Duration = Duration::from_secs(30);
/// How often logs are looked at for `/health/ready`.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);
/// Where metrics and health are when nobody says.
const HTTP_LISTENER: &str = "0.0.0.0:8083";

/// Runs a broker until a signal stops it. `started` is when the process began.
///
/// # Errors
/// A [`Failure`] whose message is all that a user needs: wrong settings, a port that is taken, a directory that cannot
/// be used.
pub async fn run(args: StartArgs, started: Instant) -> Result<(), Failure> {
    let environment = variables();
    let filter = logging::filter(args.log_filter.as_deref(), &environment);
    logging::init(args.log_format, &filter).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut signals = Signals::listen()?;
    let Loaded { config, warnings } = load(args, environment)?;
    for warning in warnings.into_iter().chain(config.log_dirs.iter().filter_map(|dir| machine::disk_warning(dir))) {
        warn!("{warning}");
    }
    let open_files = machine::raise_open_file_limit();

    let health = Health::new();
    let stop_http = CancellationToken::new();
    serve_http(&config, &health, &stop_http).await?;
    let node_id = config.node_id;
    let broker = Broker::start(config).await.map_err(|error| Failure::new(exit_of(&error), error))?;
    health.set(State::Ready);
    let seconds = started.elapsed().as_secs_f64();
    ::metrics::gauge!(metrics::START_SECONDS).set(seconds);
    info!(node_id, open_files, ms = started.elapsed().as_millis(), "broker is ready");

    let name = tokio::select! {
        name = signals.next() => name,
        never = watch_logs(&health, &broker) => match never {},
    };
    info!(signal = name, "broker is stopping; a second signal stops it at once");
    health.set(State::Stopping);
    let outcome = tokio::select! {
        () = broker.shutdown() => Ok(()),
        name = signals.next() => Err(format!("stopped at once by a second {name}")),
        () = tokio::time::sleep(DRAIN) => Err(format!("gave up draining after {} s", DRAIN.as_secs())),
    };
    stop_http.cancel();
    match outcome {
        Ok(()) => info!("broker has stopped"),
        Err(reason) => {
            let message = format!("{reason}; the logs will be recovered at the next start");
            return Err(Failure::new(Exit::Software, message));
        }
    }
    Ok(())
}

/// Says that the broker is degraded for as long as logs are offline.
async fn watch_logs(health: &Health, broker: &Broker) -> Infallible {
    let mut ticks = tokio::time::interval(HEALTH_INTERVAL);
    let mut known = 0;
    loop {
        ticks.tick().await;
        let offline = broker.node().replicas.offline_partitions();
        if offline == known {
            continue;
        }
        known = offline;
        health.set(match offline {
            0 => State::Ready,
            _ => State::Degraded(format!("{offline} partitions are offline; see the log, mend the disk and restart")),
        });
    }
}

/// A listener that cannot be opened is a service that cannot be had; all else is about directories.
fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Bind(_) => Exit::Unavailable,
        _ => Exit::Io,
    }
}

fn load(args: StartArgs, environment: Vec<(String, String)>) -> Result<Loaded, Failure> {
    let file = match args.file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let message =
                    format!("cannot read {}: {error}; name a properties file, or none at all", path.display());
                Failure::new(Exit::Usage, message)
            })?;
            Some((path, text))
        }
    };
    let sources = Sources { file, environment, overrides: args.overrides, ..Sources::default() };
    BrokerConfig::load(&sources).map_err(|error| Failure::new(Exit::Usage, error))
}

/// Opens the port of metrics and health. One that the user named must be free; the default one need not be, so that
/// two brokers on one machine need no setting.
async fn serve_http(config: &BrokerConfig, health: &Health, stop: &CancellationToken) -> Result<(), Failure> {
    let named = config.is_set("broker.http.listener");
    let address = match (&config.http_listener, named) {
        (Some(address), _) => address.as_str(),
        (None, true) => return Ok(()),
        (None, false) => HTTP_LISTENER,
    };
    match http::Server::bind(address).await {
        Ok(server) => {
            let run = server.run(health.clone(), metrics::install(), stop.clone());
            tokio::spawn(async move {
                if let Err(error) = run.await {
                    error!(%error, "metrics and health are not served any more");
                }
            });
            Ok(())
        }
        Err(error) if named => Err(Failure::new(Exit::Unavailable, error)),
        Err(error) => {
            warn!(%error, "metrics and health are not served");
            Ok(())
        }
    }
}

/// The process's variables; those that are no UTF-8 cannot be settings.
fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(Exit::Software, format!("cannot wait for signals: {error}")))
        };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Cancellation-safe.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
