//! The service: crawls into Kafka, and shows its sources.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use recipes::topics;
use service_kit::kafka::{Consumer, Delivery, Kafka};
use service_kit::settings::Source;
use service_kit::{Failure, Handle, Service, Verb, http};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::commands;
use crate::crawl::{Crawl, Sharing};
use crate::fetcher::Fetcher;
use crate::membership::{self, Membership};
use crate::progress;
use crate::publisher::KafkaPublisher;
use crate::scan::Scanner;
use crate::settings::Settings;
use crate::shelf::Shelf;
use crate::sources_report;
use crate::sources_watch;
use crate::status::Sources;

/// `producer-raw-recipes`, ready to run, in its own process or in another's.
pub struct ProducerRawRecipes {
    settings: Settings,
    fetcher: Fetcher,
    handle: Handle,
    sources: Sources,
}

impl ProducerRawRecipes {
    /// Its counters and health: `pages`, `published`, `unchanged`, `dead_letters`, `failures`, `requests`.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The state of each source.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.sources.clone()
    }
}

impl Service for ProducerRawRecipes {
    const NAME: &'static str = "producer-raw-recipes";
    const ABOUT: &'static str = "Fetches recipe pages and publishes them to raw_recipes";
    const LISTEN: &'static str = "0.0.0.0:8081";
    type Settings = Settings;

    fn settings(from: &mut Source) -> Settings {
        Settings::read(from)
    }

    fn new(settings: Settings) -> Result<Self, Failure> {
        let fetcher = Fetcher::new(&settings.user_agent(), settings.fetch.clone(), settings.allowed_private())
            .map_err(|error| Failure::software(format!("the HTTP client cannot be set up: {error}")))?;
        let handle = Handle::new(Self::NAME);
        let sources = Sources::new(&settings.sources, &handle);
        Ok(Self { settings, fetcher, handle, sources })
    }

    async fn run(self, shutdown: CancellationToken) -> Result<(), Failure> {
        let Self { settings, fetcher, handle, sources } = self;
        let server = http::Server::bind(&settings.listen, &handle).await?;
        // Two producers on one host are told apart by their ports.
        let instance = format!("{}-{}", settings.kafka.instance, server.address().port());
        let server = server.merge(routes(&sources)).spawn(shutdown.clone());
        let result = async {
            let kafka = Kafka::connect(settings.kafka.clone(), &handle, &shutdown).await?;
            let dead = topics::dead(topics::RAW_RECIPES);
            kafka.ensure_topics(&[topics::RAW_RECIPES, &dead, topics::CRAWL_SOURCES]).await?;
            info!(sources = settings.sources.len(), once = settings.crawl.once, "crawling");
            if settings.contact.is_none() && settings.visits_others() {
                warn!("no contact set: give site owners an address to turn to with --contact");
            }
            let writer = Uuid::new_v4().simple().to_string();
            let member = if settings.share { Some(member(&kafka).await?) } else { None };
            let publisher = publisher(&kafka, &writer, member.as_ref(), &shutdown).await?;
            let shown_until = shutdown.child_token();
            let shown = tokio::spawn(progress::show(sources.clone(), shown_until.clone()));
            let report = sources_report::report(sources.clone(), kafka.producer()?, instance, shown_until.clone());
            let reported = tokio::spawn(report);
            let (once, room, summary) = (settings.crawl.once, settings.crawl.room, sources.clone());
            let (flags, file) = (settings.flag_sources(), settings.sources_file.clone());
            let mut crawl = Crawl::new(settings.crawl, settings.sources, fetcher, publisher, sources);
            if let Some(file) = file {
                crawl = crawl.reloading(sources_watch::watch(file, flags, shutdown.clone()));
            }
            let result = match member {
                Some(member) => Box::pin(share(&kafka, member, &writer, crawl, room, &shutdown)).await,
                None => Box::pin(crawl.run(shutdown.clone())).await,
            };
            shown_until.cancel();
            // The line is gone before the summary comes.
            let _ = shown.await;
            let _ = reported.await;
            if once {
                summary.tell();
            }
            result
        }
        .await;
        shutdown.cancel();
        server.stopped().await;
        result
    }

    fn verbs() -> Vec<Verb> {
        commands::verbs()
    }
}

/// The member of the group that shares the hosts.
async fn member(kafka: &Kafka) -> Result<Consumer, Failure> {
    kafka.ensure_topics(&[topics::CRAWL_URLS]).await?;
    // It writes nothing itself.
    Ok(kafka.consumer(membership::GROUP, &[topics::CRAWL_URLS]).aside().delivery(Delivery::AtLeastOnce))
}

async fn publisher(
    kafka: &Kafka,
    writer: &str,
    member: Option<&Consumer>,
    shutdown: &CancellationToken,
) -> Result<KafkaPublisher, Failure> {
    match member.filter(|_| kafka.settings().delivery == Delivery::Transactional) {
        Some(member) => {
            // No name that is kept: two processes with one name would end each other's transactions for ever.
            let id = format!("{}-{writer}", membership::GROUP);
            Ok(KafkaPublisher::together(kafka.transactions(&id, member.fence(), shutdown).await?, writer))
        }
        None => Ok(KafkaPublisher::in_order(kafka.producer()?, writer)),
    }
}

/// Crawls this instance's share of the hosts.
async fn share(
    kafka: &Kafka,
    member: Consumer,
    writer: &str,
    crawl: Crawl<KafkaPublisher>,
    room: usize,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let partitions = kafka.partition_counts().await?.get(topics::CRAWL_URLS).copied().unwrap_or(1);
    let (to, from) = mpsc::channel(64);
    // The group is left when the crawl has ended, whatever ended it.
    let leave = shutdown.child_token();
    let shelf = Shelf::shared();
    let (ask, asked) = mpsc::channel(1);
    let scanner = Scanner::new(kafka.clone(), Arc::clone(&shelf), writer, leave.clone());
    let scanning = {
        let to = to.clone();
        tokio::task::spawn_blocking(move || scanner.run(asked, &to))
    };
    let membership = Membership::new(kafka.clone(), Arc::clone(&shelf), room, leave.clone(), to);
    let follow = member.run(membership, leave.clone());
    let work = async {
        let result = crawl.sharing(Sharing { partitions, from, shelf, scans: ask }).run(shutdown.clone()).await;
        leave.cancel();
        result
    };
    let (followed, worked) = tokio::join!(
        async {
            let result = follow.await;
            if result.is_err() {
                // Without the group there is nobody to say which hosts are ours.
                shutdown.cancel();
            }
            result
        },
        work
    );
    // It has ended with the crawl that asks it, or does so at the next record.
    let scanned =
        scanning.await.map_err(|error| Failure::software(format!("the scan of crawl_urls panicked: {error}")));
    worked.and(followed).and(scanned)
}

fn routes(sources: &Sources) -> Router {
    let sources = sources.clone();
    Router::new().route("/sources", get(move || async move { axum::Json(sources.all()) }))
}
