//! The notifier's parts, started and stopped together.

use std::sync::Arc;
use std::time::Duration;

use recipes::topics;
use service_kit::kafka::{Delivery, Kafka, Retries};
use service_kit::settings::Source;
use service_kit::{Failure, Handle, Service, Verb, http};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::channels::{self, ChannelSpec, Deliver, LogChannel};
use crate::engine::{Engine, EngineLoop, GROUP};
use crate::page::Page;
use crate::rules::file::Config;
use crate::rules::{self, RuleSet};
use crate::settings::{LISTEN, Settings};
use crate::stats::{self, Statistics};

/// Longest wait before a channel tries again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The notification service.
pub struct Notifier {
    settings: Settings,
    rules: Arc<RuleSet>,
    channels: Vec<ChannelSpec>,
    handle: Handle,
}

impl Notifier {
    /// Its counters and health, while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    async fn work(&self, page: Page, port: u16, shutdown: &CancellationToken) -> Result<(), Failure> {
        let Settings { kafka, rules: source, on_rule_change, log_channel, .. } = &self.settings;
        let mut kafka = kafka.clone();
        // Two notifiers on one host would put each other out of their transactions; no two have one port.
        kafka.instance = format!("{}-{port}", kafka.instance);
        let kafka = Kafka::connect(kafka, &self.handle, shutdown).await?;
        let written = [topics::PARSED_RECIPES, topics::RECIPE_ALERTS, topics::RAW_RECIPES_DEAD, topics::SITE_EVENTS];
        kafka.ensure_topics(&written).await?;
        kafka.ensure_partitioned_as(topics::ALERT_STATE, topics::PARSED_RECIPES).await?;
        for table in [topics::RECIPE_STATS, topics::SITE_ALERT_STATE] {
            kafka.ensure_partitioned_as(table, topics::SITE_EVENTS).await?;
        }

        let (changes, rules) = watch::channel(Arc::clone(&self.rules));
        let engine = EngineLoop {
            engine: Engine::new(&self.rules, *on_rule_change).with_sites(page.feed().sites()),
            rules: rules.clone(),
            kafka: kafka.clone(),
            runtime: tokio::runtime::Handle::current(),
            shutdown: shutdown.clone(),
            knows_sites: false,
        };
        let mut parts = JoinSet::new();
        let watching = source.clone().watch(self.channels.clone(), changes, self.handle(), shutdown.clone());
        parts.spawn(async move {
            watching.await;
            Ok(())
        });
        parts.spawn(kafka.consumer(GROUP, &[topics::PARSED_RECIPES]).run(engine, shutdown.clone()));
        if *log_channel {
            // Whoever reads stdout may be back in a while; no alert is given up for that.
            let retries = Retries { attempts: None, ..Retries::default() };
            let consumer = kafka.consumer(channels::LOG_GROUP, &[topics::RECIPE_ALERTS]).retries(retries).aside();
            let consumer = consumer.delivery(Delivery::AtLeastOnce);
            parts.spawn(consumer.run(LogChannel::stdout(), shutdown.clone()));
        }
        for spec in &self.channels {
            let sender = spec.sender();
            let sender = sender.map_err(|problem| Failure::usage(format!("channel {}: {problem}", spec.name)))?;
            let retries = Retries { attempts: spec.attempts, longest: LONGEST_BACKOFF, ..Retries::default() };
            let consumer = kafka.consumer(&Deliver::group(&spec.name), &[topics::RECIPE_ALERTS]);
            // One at a time: what is delivered is noted before the next goes out.
            let batch = if spec.digest.is_some() { kafka.settings().batch_records } else { 1 };
            let consumer = consumer.retries(retries).delivery(Delivery::AtLeastOnce).batch_records(batch).aside();
            let runtime = tokio::runtime::Handle::current();
            let deliver = Deliver::new(spec.clone(), sender, runtime, shutdown.clone());
            parts.spawn(consumer.run(deliver, shutdown.clone()));
        }
        let runtime = tokio::runtime::Handle::current();
        let statistics = Statistics::new(rules, *on_rule_change, kafka.clone(), runtime, shutdown.clone());
        let consumer = kafka.consumer(stats::GROUP, &stats::TOPICS).aside();
        parts.spawn(consumer.run(statistics, shutdown.clone()));
        parts.spawn(page.follow(kafka, shutdown.clone()));
        let mut result = Ok(());
        while let Some(ended) = parts.join_next().await {
            let ended =
                ended.unwrap_or_else(|error| Err(Failure::software(format!("a part of the notifier failed: {error}"))));
            // One part that ends takes the others along; the first reason is the one that matters.
            shutdown.cancel();
            result = result.and(ended);
        }
        result
    }
}

impl Service for Notifier {
    const NAME: &'static str = "consumer-notification";
    const ABOUT: &'static str = "Raises alerts for recipes, and shows them on a live page";
    const LISTEN: &'static str = LISTEN;
    type Settings = Settings;

    fn settings(from: &mut Source) -> Settings {
        Settings::read(from)
    }

    fn new(settings: Settings) -> Result<Self, Failure> {
        let Config { rules, channels } = settings.rules.load()?;
        Ok(Self { settings, rules: Arc::new(rules), channels, handle: Handle::new(Self::NAME) })
    }

    fn verbs() -> Vec<Verb> {
        vec![
            Verb { name: "check-rules", about: "[FILE] Check the rules and list them", run: rules::check_rules },
            Verb {
                name: "test-rule",
                about: "RULE [FILE.json] [--stats NAME=N,...] Say what a rule makes of a recipe or site, and why",
                run: rules::test_rule,
            },
            Verb { name: "send-test", about: "CHANNEL Deliver a made-up alert", run: channels::send_test },
        ]
    }

    async fn run(self, shutdown: CancellationToken) -> Result<(), Failure> {
        // Parts may end on their own; that must not stop other services of the same process.
        let ours = shutdown.child_token();
        let Settings { rules, admin_token, .. } = &self.settings;
        let page = Page::new(self.handle(), rules.calories_threshold, admin_token.clone(), ours.clone());
        let server = http::Server::bind(&self.settings.listen, &self.handle).await?.merge(page.routes());
        let port = server.address().port();
        let server = server.spawn(ours.clone());
        let result = self.work(page, port, &ours).await;
        ours.cancel();
        server.stopped().await;
        match result {
            // Told to stop while something was waited for: the end is what was asked for.
            Err(reason) if shutdown.is_cancelled() => {
                info!(%reason, "stopped early");
                Ok(())
            }
            result => result,
        }
    }
}
