//! The parser from topic to topic: `parse_topic FOLDER [ROUNDS]`. Fills `raw_recipes` of a broker in this process with the
//! pages of a folder, ROUNDS times (10), each time under URLs of its own, then runs the parser service's loop with its
//! settings' defaults until all are on `parsed_recipes` or `raw_recipes.dead` and committed.
//!
//! Client, broker and parser share this machine's cores, as they do in `recipe-alert`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use broker::Broker;
use broker::config::{BrokerConfig, Sources};
use parser_recipes::RulesFile;
use parser_recipes::service::{GROUP, Pages};
use recipes::{RawPage, topics};
use service_kit::kafka::{Batch, Kafka, KafkaSettings, Outcome, Output, Processor};
use service_kit::{Failure, Handle};
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pages on their way to the broker at once.
const IN_FLIGHT: usize = 64;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("usage: parse_topic FOLDER [ROUNDS]")?;
    let rounds: usize = arguments.next().map_or(Ok(10), |n| n.parse()).context("ROUNDS must be a number")?;
    let pages = bench::pages(Path::new(&folder))?;
    ensure!(!pages.is_empty(), "no .html, .htm, .xhtml or .testhtml file below {folder}");
    tokio::runtime::Runtime::new()?.block_on(run(pages, rounds))
}

async fn run(pages: Vec<Vec<u8>>, rounds: usize) -> Result<()> {
    let data = tempfile::tempdir().context("make a folder for the broker")?;
    let broker = start_broker(data.path()).await?;
    let (handle, shutdown) = (Handle::new("bench"), CancellationToken::new());
    let address = format!("127.0.0.1:{}", broker.port("PLAINTEXT").context("the broker has no address")?);
    let kafka = Kafka::connect(KafkaSettings::new(&address), &handle, &shutdown).await.map_err(failed)?;
    kafka.ensure_topics(&[topics::RAW_RECIPES, topics::PARSED_RECIPES]).await.map_err(failed)?;
    let (count, bytes) = (pages.len() * rounds, pages.iter().map(Vec::len).sum::<usize>() * rounds);
    let began = Instant::now();
    fill(&kafka, pages, rounds).await?;
    report("onto raw_recipes", count, bytes, began.elapsed());

    let rules = RulesFile::open(None)?;
    let counted =
        Counted { pages: Pages::new(rules, 0), left: count, written: BTreeMap::new(), shutdown: shutdown.clone() };
    let began = Instant::now();
    kafka.consumer(GROUP, &[topics::RAW_RECIPES]).run(counted, shutdown).await.map_err(failed)?;
    report("raw_recipes to parsed_recipes", count, bytes, began.elapsed());
    broker.shutdown().await;
    Ok(())
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{failure}")
}

async fn start_broker(data: &Path) -> Result<Broker> {
    let overrides = [
        ("log.dirs", data.display().to_string()),
        ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("broker.http.listener", "none".to_owned()),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
    ];
    let overrides = overrides.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let loaded = BrokerConfig::load(&Sources { overrides, ..Sources::default() })?;
    Ok(Broker::start(loaded.config).await?)
}

async fn fill(kafka: &Kafka, pages: Vec<Vec<u8>>, rounds: usize) -> Result<()> {
    let producer = kafka.producer().map_err(failed)?;
    let mut on_their_way = JoinSet::new();
    for round in 0..rounds {
        for (nth, page) in pages.iter().enumerate() {
            if on_their_way.len() >= IN_FLIGHT
                && let Some(sent) = on_their_way.join_next().await
            {
                sent??;
            }
            let url = format!("https://bench.example/{round}/{nth}");
            let about = RawPage {
                final_url: url.clone(),
                url: url.clone(),
                fetched_at: OffsetDateTime::now_utc(),
                http_status: Some(200),
                content_type: Some("text/html".to_owned()),
                charset: None,
                etag: None,
                traceparent: None,
            };
            let output = Output::to(topics::RAW_RECIPES).key(url).value(page.clone()).headers(about.headers());
            let producer = producer.clone();
            on_their_way.spawn(async move { producer.send(output).await });
        }
    }
    while let Some(sent) = on_their_way.join_next().await {
        sent??;
    }
    Ok(())
}

/// The service's processor, which ends the loop behind the last page.
struct Counted {
    pages: Pages,
    left: usize,
    /// Outcomes by kind.
    written: BTreeMap<&'static str, usize>,
    shutdown: CancellationToken,
}

impl Processor for Counted {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let outcomes = self.pages.process(batch);
        for outcome in &outcomes {
            let kind = if matches!(outcome, Outcome::Done { .. }) { "recipes" } else { "dead letters" };
            *self.written.entry(kind).or_default() += 1;
        }
        self.left = self.left.saturating_sub(batch.len());
        if self.left == 0 {
            println!("{:?}", self.written);
            self.shutdown.cancel();
        }
        outcomes
    }
}

fn report(what: &str, count: usize, bytes: usize, time: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "counts of pages and bytes")]
    let (count_f, bytes_f, seconds) = (count as f64, bytes as f64, time.as_secs_f64());
    println!(
        "{what}: {count} pages in {seconds:.1} s, {:.0} pages/s, {:.0} MB/s",
        count_f / seconds,
        bytes_f / seconds / 1e6
    );
}
