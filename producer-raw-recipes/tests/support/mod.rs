//! What the tests of the crawl share: a crawl with its settings, and a publisher that keeps what it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use producer_raw_recipes::address::AllowedPrivate;
use producer_raw_recipes::crawl::{Crawl, CrawlSettings, Sharing};
use producer_raw_recipes::fetcher::{FetchLimits, Fetcher};
use producer_raw_recipes::frontier::Bounds;
use producer_raw_recipes::ledger;
use producer_raw_recipes::membership::{Assigned, Share};
use producer_raw_recipes::politeness::Limits;
use producer_raw_recipes::publisher::{Publication, Publisher};
use producer_raw_recipes::recrawl::Intervals;
use producer_raw_recipes::scan::ScanRequest;
use producer_raw_recipes::settings::own_limits;
use producer_raw_recipes::shelf::{SharedShelf, Shelf, Stand};
use producer_raw_recipes::source::SourceSpec;
use producer_raw_recipes::status::{SourceStatus, Sources};
use recipes::CrawlState;
use service_kit::Handle;
use service_kit::kafka::SendError;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Keeps what is published, in order.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<Vec<Publication>>>);

impl Publisher for Kept {
    fn write(
        &self,
        _: i32,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        self.0.lock().extend(publications);
        std::future::ready(Ok(()))
    }
}

impl Kept {
    /// Pages by key, with their bodies in order.
    pub fn pages(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut pages: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for publication in self.0.lock().iter() {
            if let Publication::Page { key, body, .. } = publication {
                pages.entry(key.clone()).or_default().push(body.to_vec());
            }
        }
        pages
    }

    /// Dead letters: key and reason.
    pub fn dead(&self) -> Vec<(String, String)> {
        let publications = self.0.lock();
        let dead = publications.iter().filter_map(|publication| match publication {
            Publication::Dead { key, reason, .. } => Some((key.clone(), reason.clone())),
            Publication::Page { .. } | Publication::State { .. } | Publication::Taken { .. } => None,
        });
        dead.collect()
    }
}

/// A crawl's settings, for a host of the operator's own unless changed.
pub struct Setup {
    pub crawl: CrawlSettings,
    pub fetch: FetchLimits,
    pub allow_private: Vec<String>,
    pub handle: Handle,
}

impl Setup {
    pub fn new(host: &str) -> Self {
        let politeness = Limits { delay: Duration::from_millis(100), ..Limits::default() };
        let fetch = FetchLimits::default();
        let bounds = Bounds {
            urls: 10_000,
            redirects: 5,
            politeness,
            own: own_limits(politeness),
            own_hosts: vec![host.to_owned()],
        };
        let hour = Duration::from_secs(3600);
        let crawl = CrawlSettings {
            once: true,
            intervals: Intervals { shortest: hour, longest: hour },
            concurrency: 32,
            retries: 1,
            page_bytes: fetch.page_bytes,
            room: 10_000,
            bounds,
        };
        Self { crawl, fetch, allow_private: vec!["*".to_owned()], handle: Handle::new("test") }
    }

    /// Starts the crawl; it ends by itself with `once`, else with the token.
    pub fn start(self, specs: Vec<SourceSpec>, shutdown: CancellationToken) -> Started {
        let (_, never) = mpsc::channel(1);
        self.start_reloading(specs, never, shutdown)
    }

    /// As [`Setup::start`], with new versions of the sources while it runs.
    pub fn start_reloading(
        self,
        specs: Vec<SourceSpec>,
        reloads: mpsc::Receiver<Vec<SourceSpec>>,
        shutdown: CancellationToken,
    ) -> Started {
        let (crawl, kept, sources) = self.build(specs);
        let (crawl, token) = (crawl.reloading(reloads), shutdown.clone());
        let task = tokio::spawn(async move { crawl.run(token).await });
        Started { kept, sources, handle: self.handle, shutdown, task }
    }

    /// Starts a crawl whose share of the hosts is told by the test.
    pub fn start_sharing(self, specs: Vec<SourceSpec>, partitions: i32, group: Group) -> Started {
        let (crawl, kept, sources) = self.build(specs);
        let shutdown = CancellationToken::new();
        let Group { from, shelf, scans, .. } = group;
        let (crawl, token) = (crawl.sharing(Sharing { partitions, from, shelf, scans }), shutdown.clone());
        let task = tokio::spawn(async move { crawl.run(token).await });
        Started { kept, sources, handle: self.handle, shutdown, task }
    }

    fn build(&self, specs: Vec<SourceSpec>) -> (Crawl<Kept>, Kept, Sources) {
        let kept = Kept::default();
        let sources = Sources::new(&specs, &self.handle);
        let allowed = AllowedPrivate::new(&self.allow_private);
        let fetcher = Fetcher::new("RecipeAlert/test", self.fetch.clone(), allowed).unwrap();
        let crawl = Crawl::new(self.crawl.clone(), specs, fetcher, kept.clone(), sources.clone());
        (crawl, kept, sources)
    }

    /// One pass from start to end.
    pub async fn pass(self, specs: Vec<SourceSpec>) -> (Kept, Vec<SourceStatus>) {
        let started = self.start(specs, CancellationToken::new());
        let limit = tokio::time::timeout(Duration::from_secs(120), started.task);
        limit.await.expect("the pass ends by itself").unwrap().unwrap();
        (started.kept, started.sources.all())
    }
}

/// The crawl's ends of a group that the test plays, and the test's own end.
pub struct Group {
    pub from: mpsc::Receiver<Share>,
    pub shelf: SharedShelf,
    pub scans: mpsc::Sender<ScanRequest>,
}

/// What the test tells a crawl.
pub struct Teller {
    pub to: mpsc::Sender<Share>,
    pub shelf: SharedShelf,
    partitions: i32,
    /// Nothing is scanned: what is known has room in memory.
    _scans: mpsc::Receiver<ScanRequest>,
}

impl Teller {
    pub fn new(partitions: i32) -> (Self, Group) {
        let (to, from) = mpsc::channel(8);
        let (scans, _scans) = mpsc::channel(1);
        let shelf = Shelf::shared();
        (Self { to, shelf: Arc::clone(&shelf), partitions, _scans }, Group { from, shelf, scans })
    }

    /// These partitions come, with what is known of their URLs.
    pub async fn assign(&self, partitions: impl IntoIterator<Item = i32>, known: Vec<(Url, CrawlState)>) {
        let partitions: Vec<i32> = partitions.into_iter().collect();
        {
            let mut shelf = self.shelf.lock();
            partitions.iter().for_each(|partition| shelf.add(*partition));
            for (offset, (url, _)) in (0..).zip(&known) {
                shelf.stands(ledger::partition(url, self.partitions), url.as_str(), Stand::at(offset));
            }
        }
        let assigned = Assigned { partitions, known, ..Assigned::default() };
        self.to.send(Share::Assigned(Box::new(assigned))).await.unwrap();
    }
}

/// A crawl under way.
pub struct Started {
    pub kept: Kept,
    pub sources: Sources,
    pub handle: Handle,
    pub shutdown: CancellationToken,
    pub task: tokio::task::JoinHandle<Result<(), service_kit::Failure>>,
}

/// A listener on a free port of this machine.
pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
