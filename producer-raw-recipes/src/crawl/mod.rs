//! The crawl's loop: takes jobs from the frontier, runs them, tells the frontier what came of them, publishes pages.
//!
//! What a visit leaves behind (a page, links, its state on `crawl_urls`) is written as one, on behalf of the partition of
//! its host; a page is settled when that is done. What was fetched and not written at a crash is fetched again.

mod files;
mod reload;
mod share;
mod visits;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use service_kit::Failure;
use service_kit::kafka::SendError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::window::Window;
use crate::clock::{Clock, Moment};
use crate::fetch_error::FetchError;
use crate::fetcher::Fetcher;
use crate::frontier::{Bounds, Frontier, Memory, Next, RobotsAnswer, RobotsJob, SourceId, Visit};
use crate::job::{self, Fetched};
use crate::local::LocalItem;
use crate::membership::Share;
use crate::politeness::Lesson;
use crate::publisher::{Publication, Publisher};
use crate::recent::Recent;
use crate::recrawl::Intervals;
use crate::scan::ScanRequest;
use crate::shelf::SharedShelf;
use crate::source::SourceSpec;
use crate::status::Sources;

/// How long publications under way may take at the end.
const DRAIN: Duration = Duration::from_secs(8);
/// Longest sleep of the loop when nothing is planned.
const IDLE: Duration = Duration::from_secs(3600);
/// The same while hosts are shared, and how much later than that the loop must go on for its hosts to be in doubt: the
/// process stood still, and the group may have given them to others.
const TURN: Duration = Duration::from_secs(1);
const STOOD_STILL: Duration = Duration::from_secs(1);
/// How long they are left alone then: longer than the group takes to tell.
const DOUBT: Duration = Duration::from_secs(5);

/// How a crawl works.
#[derive(Debug, Clone)]
pub struct CrawlSettings {
    /// One pass over all sources, or visits for ever.
    pub once: bool,
    /// Time between two visits of a page.
    pub intervals: Intervals,
    /// Requests at once, over all hosts.
    pub concurrency: usize,
    /// Times a page is tried again after a failure that may pass.
    pub retries: u32,
    /// Largest page in bytes, for files too.
    pub page_bytes: usize,
    /// Most URLs that are in memory as a whole, where hosts are shared; the others stand on `crawl_urls` until they are
    /// due.
    pub room: usize,
    /// Bounds of the frontier.
    pub bounds: Bounds,
}

/// The instance's part in a group that shares the hosts.
pub struct Sharing {
    /// Partitions of `crawl_urls`.
    pub partitions: i32,
    /// Tells of partitions that come and go, and what scans found.
    pub from: mpsc::Receiver<Share>,
    /// The known URLs, in memory or not.
    pub shelf: SharedShelf,
    /// Takes requests for scans; one at a time.
    pub scans: mpsc::Sender<ScanRequest>,
}

/// A crawl at work.
pub struct Crawl<P> {
    settings: CrawlSettings,
    specs: Vec<Arc<SourceSpec>>,
    frontier: Frontier,
    fetcher: Fetcher,
    publisher: P,
    sources: Sources,
    clock: Clock,
    fetches: JoinSet<Done>,
    publishes: JoinSet<Published>,
    to_local: mpsc::Sender<(SourceId, LocalItem)>,
    from_local: mpsc::Receiver<(SourceId, LocalItem)>,
    /// File sources being read, and when the others are read again.
    locals_open: usize,
    locals_due: Vec<(Moment, SourceId)>,
    walking: HashSet<SourceId>,
    /// Content published lately, by hash of the key.
    contents: Recent<u64>,
    /// Content last published of each file, by hash of its path.
    files: HashMap<u64, u64>,
    window: Window,
    /// None when this instance has all hosts and forgets them at its end.
    sharing: Option<Sharing>,
    /// Partitions that are this instance's, and whether it had any yet.
    owned: HashSet<i32>,
    joined: bool,
    /// When the loop last went round.
    turned: Moment,
    /// Links that their owners were told of, by hash.
    told: Recent<()>,
    /// Sources that are no more; their numbers stay taken.
    retired: HashSet<SourceId>,
    /// New versions of the sources file.
    reloads: Option<mpsc::Receiver<Vec<SourceSpec>>>,
}

enum Done {
    Page { visit: Visit, result: Result<Fetched, FetchError> },
    Robots { job: RobotsJob, answer: RobotsAnswer, lesson: Lesson },
}

struct Published {
    origin: Origin,
    source: SourceId,
    key: String,
    identity: u64,
    content: Option<u64>,
    result: Result<(), SendError>,
}

/// Where a publication came from.
enum Origin {
    Visit(Box<Visited>),
    File,
    /// Only what is known of URLs.
    State,
}

/// A visit that waits for its publication.
struct Visited {
    visit: Visit,
    memory: Memory,
    /// When the page is visited next.
    next: Moment,
    /// Why it is a dead letter, if it is one.
    dead: Option<FetchError>,
}

impl<P: Publisher> Crawl<P> {
    /// A crawl of some sources, before its first request.
    #[must_use]
    pub fn new(
        settings: CrawlSettings,
        specs: Vec<SourceSpec>,
        fetcher: Fetcher,
        publisher: P,
        sources: Sources,
    ) -> Self {
        let (to_local, from_local) = mpsc::channel(64);
        let clock = Clock::start();
        Self {
            frontier: Frontier::new(settings.bounds.clone()),
            specs: specs.into_iter().map(Arc::new).collect(),
            fetcher,
            publisher,
            sources,
            clock,
            fetches: JoinSet::new(),
            publishes: JoinSet::new(),
            to_local,
            from_local,
            locals_open: 0,
            locals_due: Vec::new(),
            walking: HashSet::new(),
            contents: Recent::default(),
            files: HashMap::new(),
            window: Window::new(settings.room),
            settings,
            sharing: None,
            owned: HashSet::new(),
            joined: false,
            turned: clock.now(),
            told: Recent::default(),
            retired: HashSet::new(),
            reloads: None,
        }
    }

    /// Shares the hosts with other instances, and remembers them on `crawl_urls`.
    #[must_use]
    pub fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = Some(sharing);
        self
    }

    /// Takes new versions of the sources while it runs.
    #[must_use]
    pub fn reloading(mut self, from: mpsc::Receiver<Vec<SourceSpec>>) -> Self {
        self.reloads = Some(from);
        self
    }

    /// Crawls until all is done (`once`) or the token is cancelled; what is being published then is waited for.
    ///
    /// # Errors
    /// The broker takes no pages any more.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Failure> {
        if self.sharing.is_none() {
            self.joined = true;
            self.begin_sources();
        }
        let idle = if self.sharing.is_some() { TURN } else { IDLE };
        loop {
            self.notice_stand_still();
            let refill = self.refill();
            let wake = self.dispatch();
            if self.settings.once && self.is_done() {
                return Ok(());
            }
            let now = self.clock.now();
            let wake = wake.into_iter().chain(refill).chain(self.locals_due.iter().map(|(due, _)| *due)).min();
            let sleep = tokio::time::sleep(wake.map_or(idle, |wake| wake.since(now).min(idle)));
            let has_room = self.has_room();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(share) = share::next(&mut self.sharing) => self.on_share(share),
                Some(specs) = reload::next(&mut self.reloads) => self.on_reload(specs),
                Some(published) = self.publishes.join_next() => self.on_published(published.map_err(died)?)?,
                Some(done) = self.fetches.join_next() => self.on_done(done.map_err(died)?),
                Some((source, item)) = self.from_local.recv(), if has_room => self.on_local(source, item),
                () = sleep => self.reread_locals(),
            }
        }
        self.drain().await
    }

    fn notice_stand_still(&mut self) {
        let now = self.clock.now();
        if self.sharing.is_some() && now.since(self.turned) > TURN + STOOD_STILL {
            info!(seconds = now.since(self.turned).as_secs(), "stood still; waiting to hear whose the hosts are");
            self.frontier.pause_until(now + DOUBT);
        }
        self.turned = now;
    }

    fn is_done(&self) -> bool {
        let idle = self.fetches.is_empty() && self.publishes.is_empty() && self.locals_open == 0;
        self.joined && idle && self.frontier.open() == 0 && self.has_seen_all()
    }

    /// Whether more pages can be held in memory.
    fn has_room(&self) -> bool {
        self.publishes.len() < 2 * self.settings.concurrency
    }

    /// Starts as many jobs as may run; tells when to look again.
    fn dispatch(&mut self) -> Option<Moment> {
        while self.fetches.len() < self.settings.concurrency && self.has_room() {
            match self.frontier.next(self.clock.now()) {
                Next::Wait(until) => return until,
                Next::Refuse(visit, error) => self.fail(visit, error),
                Next::Robots(job) => {
                    let fetcher = self.fetcher.clone();
                    self.sources.requested();
                    self.fetches.spawn(async move {
                        let (answer, lesson) = job::fetch_robots(&fetcher, &job).await;
                        Done::Robots { job, answer, lesson }
                    });
                }
                Next::Fetch(mut visit) => {
                    let (fetcher, spec) = (self.fetcher.clone(), Arc::clone(&self.specs[visit.source]));
                    visit.conditions.headers.clone_from(&spec.headers);
                    self.sources.requested();
                    self.fetches.spawn(async move {
                        let result = job::fetch(&fetcher, &visit, &spec).await;
                        Done::Page { visit, result }
                    });
                }
            }
        }
        None
    }

    /// Publishes beside the loop, on behalf of a partition; [`Crawl::on_published`] is told.
    fn publish(&mut self, of: i32, publications: Vec<Publication>, told: Told) {
        let written = self.publisher.write(of, publications);
        self.publishes.spawn(async move {
            let Told { origin, source, key, identity, content } = told;
            let result = written.await;
            Published { origin, source, key, identity, content, result }
        });
    }

    /// Waits for what is being published. Fetches are dropped: nothing of theirs was promised to anyone.
    async fn drain(mut self) -> Result<(), Failure> {
        self.fetches.abort_all();
        self.from_local.close();
        self.sharing = None;
        let publish = async {
            while let Some(published) = self.publishes.join_next().await {
                self.on_published(published.map_err(died)?)?;
            }
            Ok(())
        };
        let late = "the broker did not acknowledge the last pages; they are fetched again at the next start";
        tokio::time::timeout(DRAIN, publish).await.unwrap_or_else(|_| Err(Failure::unavailable(late)))
    }
}

/// What is known of a publication besides what is written.
struct Told {
    origin: Origin,
    source: SourceId,
    key: String,
    identity: u64,
    content: Option<u64>,
}

fn died(error: tokio::task::JoinError) -> Failure {
    Failure::software(format!("a fetch ended in a way that is a bug: {error}"))
}
