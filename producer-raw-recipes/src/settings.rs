//! The service's settings.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use service_kit::http;
use service_kit::kafka::{Delivery, KafkaSettings};
use service_kit::settings::{Size, Source};

use crate::address::AllowedPrivate;
use crate::canonical::host_key;
use crate::crawl::CrawlSettings;
use crate::fetcher::FetchLimits;
use crate::frontier::Bounds;
use crate::politeness::Limits;
use crate::recrawl::Intervals;
use crate::source::{SourceSpec, SpecError};

/// Requests at once to a host that belongs to the operator.
const OWN_CONNECTIONS: u32 = 8;

/// Everything the service needs to know.
#[derive(Clone)]
pub struct Settings {
    /// The way to Kafka.
    pub kafka: KafkaSettings,
    /// Address of health, metrics and `/sources`.
    pub listen: String,
    /// What is crawled.
    pub sources: Vec<SourceSpec>,
    /// The file that names sources, and is read again when it changes.
    pub sources_file: Option<PathBuf>,
    /// How the crawl works.
    pub crawl: CrawlSettings,
    /// Limits of one request.
    pub fetch: FetchLimits,
    /// Hosts whose private addresses are fine.
    pub allow_private: Vec<String>,
    /// Mail or web address that site owners can turn to.
    pub contact: Option<String>,
    /// Whether the frontier is kept on `crawl_urls` and its hosts shared with other instances.
    pub share: bool,
}

impl Settings {
    /// Reads them; what is wrong is noted in the source.
    pub fn read(from: &mut Source) -> Self {
        let settings = Self::read_without_sources(from);
        let (sources, sources_file) = read_sources(from);
        Self { sources, sources_file, ..settings }
    }

    /// Reads all but the sources.
    pub fn read_without_sources(from: &mut Source) -> Self {
        let listen = http::listen_setting(from, "0.0.0.0:8081");
        let kafka = KafkaSettings::read_or(from, Delivery::Transactional);
        let fetch = read_fetch(from);
        let frontier = from
            .get::<String>(
                "frontier",
                "Where known URLs are kept: kafka (crawl_urls, shared by all instances, survives restarts) or \
                memory (forgotten at the end)",
            )
            .choices(&["kafka", "memory"])
            .or("kafka".to_owned());
        let share = frontier == "kafka";
        let crawl = read_crawl(from, fetch.page_bytes, share);
        let allow_private = from
            .get::<Vec<String>>(
                "allow_private",
                "Hosts that may be at private addresses, as this machine and its network are; * for all",
            )
            .or(Vec::new());
        let contact = from
            .get::<String>("contact", "Mail or web address that site owners can turn to; part of the user agent")
            .checked(|contact| match contact.chars().all(|c| c.is_ascii_graphic()) {
                true => Ok(()),
                false => Err("expected an address without blanks, as in mailto:me@example.com".to_owned()),
            })
            .maybe();
        Self { kafka, listen, sources: Vec::new(), sources_file: None, crawl, fetch, allow_private, contact, share }
    }

    /// What the crawler calls itself.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        match &self.contact {
            Some(contact) => format!("{}/{version} (+{contact})", crate::job::AGENT),
            None => format!("{}/{version}", crate::job::AGENT),
        }
    }

    /// The sources that were given as flags.
    #[must_use]
    pub fn flag_sources(&self) -> Vec<SourceSpec> {
        let in_file = self.sources_file.as_deref().and_then(|file| sources_file(file).ok()).unwrap_or_default();
        let of_file = |spec: &&SourceSpec| in_file.iter().any(|other| other.name == spec.name);
        self.sources.iter().filter(|spec| !of_file(spec)).cloned().collect()
    }

    /// Whether a source is at a host that is not the operator's own.
    #[must_use]
    pub fn visits_others(&self) -> bool {
        let own = |host: &str| self.crawl.bounds.own_hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        self.sources.iter().filter_map(SourceSpec::seed).any(|seed| !own(&host_key(&seed.url)))
    }

    /// The hosts that may be private: those that were named, and the operator's own.
    #[must_use]
    pub fn allowed_private(&self) -> AllowedPrivate {
        let hosts: Vec<String> = self.allow_private.iter().chain(&self.crawl.bounds.own_hosts).cloned().collect();
        AllowedPrivate::new(&hosts)
    }
}

fn read_fetch(from: &mut Source) -> FetchLimits {
    let defaults = FetchLimits::default();
    let second = Duration::from_secs(1);
    let day = Duration::from_secs(24 * 60 * 60);
    FetchLimits {
        connect: from
            .get("connect_timeout", "Longest wait for a connection")
            .within(second / 10..=day)
            .or(defaults.connect),
        first_byte: from
            .get("first_byte_timeout", "Longest wait for the first byte of an answer, connection included")
            .within(second / 10..=day)
            .or(defaults.first_byte),
        whole: from
            .get("page_timeout", "Longest time for a page from request to last byte")
            .within(second / 10..=day)
            .or(defaults.whole),
        page_bytes: {
            let most = Size(defaults.page_bytes as u64);
            let size = from.get("max_page_bytes", "Largest page, decompressed").within(Size(1)..=most).or(most);
            usize::try_from(size.0).unwrap_or(defaults.page_bytes)
        },
    }
}

fn read_crawl(from: &mut Source, page_bytes: usize, share: bool) -> CrawlSettings {
    let once = from.get("once", "End after one pass over all sources").or(false);
    let day = Duration::from_secs(24 * 60 * 60);
    let shortest = from
        .get("interval", "Shortest time between two visits of a page, and between visits of a source itself")
        .within(Duration::from_secs(1)..=365 * day)
        .or(Duration::from_secs(60 * 60));
    let longest = from
        .get(
            "max_interval",
            "Longest time between two visits of a page; pages that do not change are seen less and less often",
        )
        .within(Duration::from_secs(1)..=365 * day)
        .or(day.max(shortest));
    let concurrency = from.get::<u64>("concurrency", "Requests at once, over all hosts").within(1..=10_000).or(128);
    let retries =
        from.get::<u64>("retries", "Times a page is tried again after a failure that may pass").within(0..=10).or(2);
    let room = from
        .get::<u64>(
            "max_urls_in_memory",
            "Most URLs that are in memory with all that is known of them; the others are read from crawl_urls when they \
            are due. Without effect with --frontier memory",
        )
        .within(10..=10_000_000)
        .or(10_000);
    let bounds = read_bounds(from, share);
    CrawlSettings {
        once,
        intervals: Intervals { shortest, longest },
        concurrency: usize::try_from(concurrency).unwrap_or(128),
        retries: u32::try_from(retries).unwrap_or(2),
        page_bytes,
        room: usize::try_from(room).unwrap_or(10_000),
        bounds,
    }
}

fn read_bounds(from: &mut Source, share: bool) -> Bounds {
    let defaults = Limits::default();
    let day = Duration::from_secs(24 * 60 * 60);
    let politeness = Limits {
        delay: from
            .get("delay", "Least time between two requests to a host; a longer Crawl-delay in its robots.txt counts")
            .within(Duration::ZERO..=day)
            .or(defaults.delay),
        connections: from
            .get::<u64>("connections_per_host", "Most requests at once to a host")
            .within(1..=100)
            .or(u64::from(defaults.connections))
            .try_into()
            .unwrap_or(defaults.connections),
        breaker_failures: from
            .get::<u64>("breaker_failures", "Failures in a row after which a host is left alone")
            .within(1..=1000)
            .or(u64::from(defaults.breaker_failures))
            .try_into()
            .unwrap_or(defaults.breaker_failures),
        breaker_pause: from
            .get(
                "breaker_pause",
                "How long a host is left alone the first time; twice as long each time after, up to an hour",
            )
            .within(Duration::from_secs(1)..=day)
            .or(defaults.breaker_pause),
    };
    let own_hosts = from
        .get::<Vec<String>>(
            "own_hosts",
            "Hosts that belong to you (host or host:port): no delay, 8 connections, private addresses \
            allowed; robots.txt counts all the same",
        )
        .flag("own_host")
        .or(Vec::new());
    let urls = from
        .get::<u64>(
            "max_urls",
            "Most URLs that are known at once, 9 bytes each, or about a kilobyte with --frontier memory",
        )
        .within(1..=100_000_000)
        .or(if share { 10_000_000 } else { 1_000_000 });
    let redirects = from.get::<u64>("max_redirects", "Most redirects in a row").within(0..=50).or(5);
    Bounds {
        urls: usize::try_from(urls).unwrap_or(usize::MAX),
        redirects: u32::try_from(redirects).unwrap_or(5),
        politeness,
        own: own_limits(politeness),
        own_hosts,
    }
}

/// How hosts of the operator's own are treated.
#[must_use]
pub fn own_limits(others: Limits) -> Limits {
    Limits { delay: Duration::ZERO, connections: OWN_CONNECTIONS.max(others.connections), ..others }
}

fn read_sources(from: &mut Source) -> (Vec<SourceSpec>, Option<PathBuf>) {
    let file = from
        .get::<PathBuf>("sources", "TOML file with the sources, one [[source]] table each; read again when it changes")
        .maybe();
    let flags = from
        .get::<Vec<String>>(
            "source",
            "A folder, a file of URLs, a web address, or KIND=ADDRESS with one of list, sitemap, \
            feed, urls, folder, warc, site; may be given more than once",
        )
        .or(Vec::new());
    let mut specs = Vec::new();
    let named = file.as_deref().map(sources_file).into_iter();
    for read in named.chain(flags.iter().map(|flag| SourceSpec::from_flag(flag).map(|spec| vec![spec]))) {
        match read {
            Ok(more) => specs.extend(more),
            Err(SpecError(problems)) => problems.into_iter().for_each(|problem| from.problem(problem)),
        }
    }
    if file.is_none() && flags.is_empty() {
        from.problem("no source: name one with --source, or a file of them with --sources");
    }
    let mut names = HashSet::new();
    for spec in specs.iter().filter(|spec| !names.insert(spec.name.clone())) {
        from.problem(format!("source {}: there are two of this name", spec.name));
    }
    (specs, file)
}

/// Reads a sources file.
///
/// # Errors
/// It cannot be read, or everything that is wrong with it.
pub fn sources_file(path: &Path) -> Result<Vec<SourceSpec>, SpecError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SpecError(vec![format!("{}: cannot be read: {error}", path.display())]))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    SourceSpec::from_toml(&text, folder).map_err(|SpecError(lines)| {
        SpecError(lines.into_iter().map(|line| format!("{}: {line}", path.display())).collect())
    })
}
