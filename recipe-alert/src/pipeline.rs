//! The parts, started in order and stopped together.

use std::collections::BTreeMap;
use std::time::Instant;

use broker::Broker;
use broker::config::{BrokerConfig, Sources};
use consumer_notification::Notifier;
use parser_recipes::Parser;
use producer_raw_recipes::ProducerRawRecipes;
use service_kit::settings::{Invocation, Source};
use service_kit::{Exit, Failure, Handle, Service};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::settings::Settings;
use crate::summary::Summary;

/// Group of the notifier's own loop.
const NOTIFIER_GROUP: &str = "consumer-notification";
/// Group of the channel that prints alerts.
const LOG_GROUP: &str = "alerts-log";
/// Counter of the alerts it has printed.
const LOG_COUNTER: &str = "alerts_log_consumed";

/// Runs the pipeline until `shutdown`, or with `once` until every source is done; then there is a summary.
///
/// # Errors
/// The first part that could not start, or that ended before it should.
pub async fn run(
    settings: Settings,
    started: Instant,
    shutdown: CancellationToken,
) -> Result<Option<Summary>, Failure> {
    let sample_site = match settings.sources.is_empty() {
        true => Some(SampleSite::start(&settings.sample_site_listen, &shutdown).await?),
        false => None,
    };
    let broker = match &settings.bootstrap_servers {
        Some(_) => None,
        None => Some(start_broker(&settings).await?),
    };
    let bootstrap = match (&broker, &settings.bootstrap_servers) {
        (Some(broker), _) => format!("127.0.0.1:{}", broker.port("PLAINTEXT").unwrap_or_default()),
        (None, Some(servers)) => servers.clone(),
        (None, None) => unreachable!("a broker was started where no other is named"),
    };
    let result = run_services(&settings, &bootstrap, sample_site.as_ref(), started, &shutdown).await;
    shutdown.cancel();
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    if let Some(site) = sample_site {
        site.stopped().await;
    }
    result
}

async fn run_services(
    settings: &Settings,
    bootstrap: &str,
    sample_site: Option<&SampleSite>,
    started: Instant,
    shutdown: &CancellationToken,
) -> Result<Option<Summary>, Failure> {
    let services = Services::new(settings, bootstrap, sample_site.map(|site| site.address.as_str()))?;
    let handles = services.handles.clone();
    info!(broker = bootstrap, live_page = %format_args!("http://{}", settings.listen), "pipeline is starting");
    let stop_services = shutdown.child_token();
    let mut running = services.spawn(&stop_services);
    let ended = running.first_end(settings.once, &handles, shutdown).await;
    let summary = Summary::of(&handles.producer, &handles.parser, &handles.notifier, started.elapsed());
    stop_services.cancel();
    let drained = running.drain().await;
    let done = ended?;
    drained?;
    Ok((done == Ended::Done).then_some(summary))
}

async fn start_broker(settings: &Settings) -> Result<Broker, Failure> {
    let overrides = [
        ("log.dirs", settings.data.clone()),
        ("listeners", format!("PLAINTEXT://{}", settings.broker_listen)),
        ("broker.http.listener", "none".to_owned()),
        // One process starts at once: nobody else is about to join its groups.
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
    ];
    let overrides = overrides.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let sources = Sources { overrides, ..Sources::default() };
    let loaded = BrokerConfig::load(&sources).map_err(|error| Failure::usage(error.to_string()))?;
    for warning in loaded.warnings {
        warn!("{warning}");
    }
    Broker::start(loaded.config).await.map_err(|error| match error {
        broker::StartError::Bind(_) => Failure::unavailable(error.to_string()),
        _ => Failure::io(error.to_string()),
    })
}

/// The sample site in this process.
struct SampleSite {
    address: String,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl SampleSite {
    async fn start(listen: &str, shutdown: &CancellationToken) -> Result<Self, Failure> {
        let problem = |error| {
            Failure::unavailable(format!(
                "sample site cannot listen on {listen}: {error}; set --sample-site-listen to a free address"
            ))
        };
        let listener = TcpListener::bind(listen).await.map_err(problem)?;
        let address = listener.local_addr().map_err(problem)?.to_string();
        let task = tokio::spawn(sample_site::serve(listener, shutdown.clone().cancelled_owned()));
        Ok(Self { address, task })
    }

    async fn stopped(self) {
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "sample site failed"),
            Err(error) => warn!(%error, "sample site failed"),
        }
    }
}

#[derive(Clone)]
struct Handles {
    producer: Handle,
    parser: Handle,
    notifier: Handle,
}

impl Handles {
    /// Waits until all that was published went through the parser, the rules and the log channel.
    async fn caught_up(&self) {
        let published = self.producer.count("published");
        let parsed = |handle: &Handle| handle.count("consumed") >= published && handle.lag() == Some(0);
        self.parser.wait_until(parsed).await;
        let recipes = self.parser.count("consumed") - self.parser.count("dead_letters");
        let notified =
            |handle: &Handle| handle.count("consumed") >= recipes && handle.lag_of(NOTIFIER_GROUP) == Some(0);
        self.notifier.wait_until(notified).await;
        let alerts = self.notifier.count("alerts");
        let printed = |handle: &Handle| handle.count(LOG_COUNTER) >= alerts && handle.lag_of(LOG_GROUP) == Some(0);
        self.notifier.wait_until(printed).await;
    }
}

struct Services {
    producer: ProducerRawRecipes,
    parser: Parser,
    notifier: Notifier,
    handles: Handles,
}

impl Services {
    fn new(settings: &Settings, bootstrap: &str, sample_site: Option<&str>) -> Result<Self, Failure> {
        let sources = settings.sources(sample_site);
        let mut producer = vec![("--listen", "127.0.0.1:0".to_owned())];
        if settings.once {
            producer.push(("--once", String::new()));
        }
        producer.extend(sources.into_iter().map(|source| ("--source", source)));
        producer.extend(sample_site.map(|address| ("--own-host", address.to_owned())));
        if sample_site.is_some() {
            // The sample site has a page that changes between visits: show it soon.
            producer.push(("--interval", "15s".to_owned()));
        }
        let mut notifier = vec![("--listen", settings.listen.clone()), ("--threshold", settings.threshold.to_string())];
        notifier.extend(settings.rules.clone().map(|rules| ("--rules", rules)));
        notifier.extend(settings.admin_token.clone().map(|token| ("--admin-token", token)));
        let producer: ProducerRawRecipes = build(bootstrap, producer)?;
        let parser: Parser = build(bootstrap, vec![("--listen", "127.0.0.1:0".to_owned())])?;
        let notifier: Notifier = build(bootstrap, notifier)?;
        let handles = Handles { producer: producer.handle(), parser: parser.handle(), notifier: notifier.handle() };
        Ok(Self { producer, parser, notifier, handles })
    }

    fn spawn(self, stop: &CancellationToken) -> Running {
        let mut tasks = JoinSet::new();
        let (producer, parser, notifier) = (self.producer, self.parser, self.notifier);
        // A service cancels its token when it ends: each has its own.
        let (one, two, three) = (stop.child_token(), stop.child_token(), stop.child_token());
        tasks.spawn(async move { (ProducerRawRecipes::NAME, producer.run(one).await) });
        tasks.spawn(async move { (Parser::NAME, parser.run(two).await) });
        tasks.spawn(async move { (Notifier::NAME, notifier.run(three).await) });
        Running { tasks }
    }
}

/// A service with these flags, with librdkafka's properties from the environment.
fn build<S: Service>(bootstrap: &str, flags: Vec<(&'static str, String)>) -> Result<S, Failure> {
    let mut arguments = vec!["--bootstrap-servers".to_owned(), bootstrap.to_owned()];
    arguments.extend(flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    // A switch is a flag without a value.
    arguments.retain(|argument| !argument.is_empty());
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("KAFKA_") && name != "KAFKA_BOOTSTRAP_SERVERS");
    let Invocation { mut source, .. } = Source::from_parts(&arguments, environment.collect::<BTreeMap<_, _>>(), &[])?;
    let settings = S::settings(&mut source);
    source.finish()?;
    S::new(settings)
}

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Every source is done and everything went through.
    Done,
    /// A signal.
    Stopped,
}

struct Running {
    tasks: JoinSet<(&'static str, Result<(), Failure>)>,
}

impl Running {
    /// Waits for a signal, for a service that fails, or with `once` for the end of all work.
    async fn first_end(
        &mut self,
        once: bool,
        handles: &Handles,
        shutdown: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let mut crawling = true;
        loop {
            let ended = tokio::select! {
                () = shutdown.cancelled() => return Ok(Ended::Stopped),
                () = handles.caught_up(), if !crawling => return Ok(Ended::Done),
                ended = self.tasks.join_next() => ended,
            };
            match ended {
                Some(Ok((ProducerRawRecipes::NAME, Ok(())))) if once && crawling => crawling = false,
                Some(Ok((_, Err(failure)))) => return Err(failure),
                Some(Ok((name, Ok(())))) => return Err(Failure::software(format!("{name} ended by itself"))),
                Some(Err(panic)) => return Err(Failure::new(Exit::Software, format!("a service failed: {panic}"))),
                None => return Err(Failure::software("all services ended")),
            }
        }
    }

    /// Waits for the rest to drain.
    async fn drain(mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.map_err(|panic| Failure::software(format!("a service failed: {panic}")));
            // A service that was told to stop while it waited for the broker has nothing to report.
            let ended = ended
                .and_then(|(_, result)| result)
                .or_else(|failure| if failure.is_stop() { Ok(()) } else { Err(failure) });
            result = result.and(ended);
        }
        result
    }
}
