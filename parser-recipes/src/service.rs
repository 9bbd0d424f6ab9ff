//! The service: `raw_recipes` in, `parsed_recipes` out, and `raw_recipes.dead` for pages that are no recipe.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use recipes::{Extractor, RawPage, headers, topics};
use service_kit::kafka::{Batch, Kafka, KafkaSettings, Outcome, Output, Processor, Record};
use service_kit::settings::Source as SettingsSource;
use service_kit::{Exit, Failure, Handle, Service, Verb, http};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use url::Url;

use crate::extract::{Page, extract};
use crate::record::record;
use crate::selectors::{Rules, RulesFile};

/// The consumer group.
pub const GROUP: &str = "parser-recipes";

/// What the service needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// Where health and metrics are served.
    pub listen: String,
    /// A selectors file that adds to the built-in rules.
    pub selectors: Option<PathBuf>,
    /// Threads that parse; 0 for one a core.
    pub threads: u64,
}

/// The parser as a service.
#[derive(Debug)]
pub struct Parser {
    settings: Settings,
    rules: RulesFile,
    handle: Handle,
}

impl Parser {
    /// What others watch it by.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Service for Parser {
    const NAME: &'static str = "parser-recipes";
    const ABOUT: &'static str = "Turns recipe pages into JSON";
    const LISTEN: &'static str = "0.0.0.0:8082";
    type Settings = Settings;

    fn settings(from: &mut SettingsSource) -> Settings {
        Settings {
            kafka: KafkaSettings::read(from),
            listen: http::listen_setting(from, Self::LISTEN),
            selectors: from
                .get::<PathBuf>("selectors", "File with more selectors (TOML); read again when it changes")
                .maybe(),
            threads: from.get::<u64>("parser_threads", "Threads that parse; 0 for one a core").within(0..=256).or(0),
        }
    }

    fn new(settings: Settings) -> Result<Self, Failure> {
        let rules = RulesFile::open(settings.selectors.as_deref());
        let rules = rules.map_err(|error| Failure::new(Exit::NoInput, error.to_string()))?;
        Ok(Self { settings, rules, handle: Handle::new(Self::NAME) })
    }

    async fn run(self, shutdown: CancellationToken) -> Result<(), Failure> {
        let Self { settings, rules, handle } = self;
        let server = http::Server::bind(&settings.listen, &handle).await?.spawn(shutdown.clone());
        let kafka = Kafka::connect(settings.kafka, &handle, &shutdown).await?;
        kafka.ensure_topics(&[topics::PARSED_RECIPES]).await?;
        let pages = Pages::new(rules, settings.threads);
        let result = kafka.consumer(GROUP, &[topics::RAW_RECIPES]).run(pages, shutdown.clone()).await;
        shutdown.cancel();
        server.stopped().await;
        result
    }

    fn verbs() -> Vec<Verb> {
        let about = "[--url U] [--jsonl] FILE|-|DIR...  Print the recipes of pages in files";
        vec![Verb { name: "extract", about, run: |_, _| crate::command::main() }]
    }
}

/// Pages to recipes, a batch at a time, on several threads.
#[derive(Debug)]
pub struct Pages {
    rules: RulesFile,
    threads: usize,
}

impl Pages {
    /// With these rules, on so many threads (0 for one a core).
    #[must_use]
    pub fn new(rules: RulesFile, threads: u64) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = usize::try_from(threads).ok().filter(|n| *n > 0).unwrap_or_else(cores);
        Self { rules, threads }
    }

    fn reload(&mut self) {
        match self.rules.reload() {
            Ok(false) => {}
            Ok(true) => info!("selectors read again"),
            Err(problem) => error!(%problem, "the changed selectors file cannot be used; the rules before stay"),
        }
    }
}

impl Processor for Pages {
    /// Parsing is pure, so the records of a batch may be parsed in any order; their outputs keep the records' order.
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.reload();
        let rules: Arc<Rules> = self.rules.rules();
        let threads = self.threads.min(batch.len());
        if threads <= 1 {
            return batch.iter().map(|record| outcome(record, &rules)).collect();
        }
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::with_capacity(batch.len()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < batch.len()) {
                        let outcome = outcome(&batch[at], &rules);
                        done.lock().push((at, outcome));
                    }
                });
            }
        });
        let mut done = done.into_inner();
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

/// What becomes of one page.
fn outcome(page: &Record, rules: &Rules) -> Outcome {
    let Some(body) = &page.value else { return Outcome::dead("the record has no page, only a key") };
    let about = match About::of(page) {
        Ok(about) => about,
        Err(reason) => return Outcome::Dead(reason),
    };
    let content_type = about.content_type.as_deref();
    let merged = match extract(Page { bytes: body, url: about.url.as_ref(), content_type }, rules) {
        Ok(merged) => merged,
        Err(reason) => return Outcome::dead(reason.to_string()),
    };
    let recipe = record(merged, about.url.as_ref(), Some(OffsetDateTime::now_utc()));
    let counter = match recipe.extractor {
        Some(Extractor::JsonLd) => "parsed_json_ld",
        Some(Extractor::Microdata) => "parsed_microdata",
        Some(Extractor::Selectors) => "parsed_selectors",
        Some(Extractor::Heuristics) | None => "parsed_heuristics",
    };
    let json = match recipe.to_json() {
        Ok(json) => json,
        Err(reason) => return Outcome::dead(format!("the recipe found makes no sense: {reason}")),
    };
    let key = if recipe.url.is_empty() { page.key.clone().unwrap_or_default() } else { recipe.url.into_bytes() };
    let mut output = Output::to(topics::PARSED_RECIPES).key(key).value(json);
    output = output.header(headers::SCHEMA, recipes::schema::parsed_recipe_header());
    if let Some(trace) = page.header(headers::TRACEPARENT) {
        output = output.header(headers::TRACEPARENT, trace);
    }
    Outcome::produce([output]).counting(counter)
}

/// What is known of a page besides its bytes.
struct About {
    url: Option<Url>,
    content_type: Option<String>,
}

impl About {
    /// From the headers; a record without them, as the tutorial's producer writes it, may have its URL as key or none.
    fn of(page: &Record) -> Result<About, String> {
        if page.header(headers::URL).is_none() {
            let url = Url::parse(&page.key_text()).ok().filter(Url::has_host);
            return Ok(About { url, content_type: None });
        }
        let raw = RawPage::from_headers(&page.header_pairs(), page.time()).map_err(|error| error.to_string())?;
        if let Some(status) = raw.http_status.filter(|status| !(200..300).contains(status)) {
            return Err(format!("the page came with HTTP status {status}"));
        }
        // The record's key is the canonical URL of the page as asked for; the recipe keeps it, so that one page is one
        // key on every topic.
        let url = Url::parse(&raw.url).map_err(|error| format!("header `url` is no URL ({}): {error}", raw.url))?;
        let content_type = match (raw.content_type, raw.charset) {
            (Some(kind), Some(charset)) if !kind.to_ascii_lowercase().contains("charset") => {
                Some(format!("{kind}; charset={charset}"))
            }
            (None, Some(charset)) => Some(format!("text/html; charset={charset}")),
            (kind, _) => kind,
        };
        Ok(About { url: Some(url), content_type })
    }
}

#[cfg(test)]
mod tests {
    use service_kit::kafka::Place;

    use super::*;

    const SOUP: &str = r#"<script type="application/ld+json">{"@type":"Recipe","name":"Soup","recipeIngredient":["1 egg"],
        "recipeInstructions":"Boil.","nutrition":{"calories":"250 kcal"}}</script>"#;

    fn page(offset: i64, body: &str, headers: &[(&str, &str)]) -> Record {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let place = Place::new(topics::RAW_RECIPES, 0);
        Record { place, offset, timestamp_ms: 0, key: Some(b"raw".to_vec()), value: Some(body.into()), headers }
    }

    fn pages() -> Pages {
        Pages::new(RulesFile::open(None).unwrap(), 4)
    }

    #[test]
    fn outcomes_keep_the_order_of_their_records() {
        let records: Vec<Record> = (0..200)
            .map(|n| match n % 3 {
                0 => page(n, "", &[]),
                1 => page(n, SOUP, &[("url", &format!("http://a.example/{n}"))]),
                _ => page(n, "<p>About us</p>", &[]),
            })
            .collect();
        let outcomes = pages().process(&Batch::new(records));
        assert_eq!(outcomes.len(), 200);
        for (n, outcome) in outcomes.iter().enumerate() {
            match (n % 3, outcome) {
                (0, Outcome::Dead(reason)) => assert_eq!(reason, "the page is empty"),
                (1, Outcome::Done { outputs, .. }) => {
                    assert!(
                        format!("{outputs:?}").contains(&format!("{:?}", format!("http://a.example/{n}").as_bytes()))
                    );
                }
                (2, Outcome::Dead(reason)) => assert!(reason.starts_with("no recipe found"), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_tutorials_records_without_headers_are_read() {
        let outcomes = pages().process(&Batch::new(vec![page(0, SOUP, &[])]));
        assert!(matches!(&outcomes[..], [Outcome::Done { counts, .. }] if counts == &["parsed_json_ld"]));
    }

    #[test]
    fn pages_that_cannot_be_recipes_say_why() {
        let reason = |headers: &[(&str, &str)]| match &pages().process(&Batch::new(vec![page(0, SOUP, headers)]))[..] {
            [Outcome::Dead(reason)] => reason.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            reason(&[("url", "http://a.example/"), ("http_status", "404")]),
            "the page came with HTTP status 404"
        );
        assert!(reason(&[("url", "soup")]).starts_with("header `url` is no URL (soup)"));
        let picture = [("url", "http://a.example/"), ("content_type", "image/jpeg")];
        assert_eq!(reason(&picture), "the page is no HTML but image/jpeg");
    }
}
