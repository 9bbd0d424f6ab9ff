//! What is to be fetched, and when: every known URL, by host, with each host's turn. Pure: it is told the time and what
//! came of each job, and hands out the next one.
//!
//! ```text
//!   links --offer--> entries (one a URL) --due--> host queue --host's turn--> job --finished--> due again, or done
//! ```
//! A job holds its host's slot from `next` to `released`; an entry is visited until `settled`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::canonical::host_key;
use crate::clock::Moment;
use crate::content::ContentHash;
use crate::fetch_error::FetchError;
use crate::fetcher::Conditions;
use crate::politeness::{Lesson, Limits, Politeness};
use crate::robots::Robots;
use crate::shelf::Stand;
use crate::source::{Link, Role};

/// How long a robots.txt counts, RFC 9309 section 2.4.
const ROBOTS_FRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a host whose robots.txt cannot be read is left alone before it is asked for again.
const ROBOTS_RETRY: Duration = Duration::from_secs(10 * 60);

/// Number of an entry.
pub type EntryId = usize;
/// Number of a source.
pub type SourceId = usize;

/// Bounds of the frontier.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Most URLs it knows.
    pub urls: usize,
    /// Most redirects that are followed in a row.
    pub redirects: u32,
    /// How hosts are treated.
    pub politeness: Limits,
    /// How the operator's own hosts are treated.
    pub own: Limits,
    /// Which hosts these are: names, with the port where it is not the web's.
    pub own_hosts: Vec<String>,
}

/// A URL to fetch, with what is known of it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The entry.
    pub id: EntryId,
    /// The URL as it was found.
    pub url: Arc<Url>,
    /// Where redirects have led; what to fetch.
    pub at: Arc<Url>,
    /// What for.
    pub role: Role,
    /// Who found it.
    pub source: SourceId,
    /// Validators of the copy at hand.
    pub conditions: Conditions,
}

/// A robots.txt to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotsJob {
    /// Whose rules they will be: scheme, host and port.
    pub origin: String,
    /// Where to ask, which after a redirect may be another host.
    pub url: Url,
    redirects: u32,
    attempts: u32,
}

impl RobotsJob {
    /// The robots.txt of a URL's origin.
    #[must_use]
    pub fn of(at: &Url) -> Self {
        let mut url = at.clone();
        url.set_path("/robots.txt");
        url.set_query(None);
        url.set_fragment(None);
        Self { origin: at.origin().ascii_serialization(), url, redirects: 0, attempts: 0 }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Fetch a page or a source's document. Call [`Frontier::released`] and then [`Frontier::settled`] or
    /// [`Frontier::redirected`].
    Fetch(Visit),
    /// Fetch a robots.txt. Call [`Frontier::released`], then [`Frontier::robots`].
    Robots(RobotsJob),
    /// This visit ends without a request. Call [`Frontier::settled`].
    Refuse(Visit, FetchError),
    /// Nothing before this moment, or before a job is released.
    Wait(Option<Moment>),
}

/// What came of offering a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// A new URL, to be visited at once.
    New,
    /// A known one.
    Known,
    /// A known one that changed since, to be visited at once.
    Changed,
    /// There is no room for more.
    Full,
}

/// What is kept of a URL.
#[derive(Debug)]
struct Entry {
    url: Arc<Url>,
    at: Option<Arc<Url>>,
    role: Role,
    source: SourceId,
    redirects: u32,
    due: Moment,
    visiting: bool,
    /// Another instance's now.
    gone: bool,
    /// When it was settled last.
    visited: Moment,
    /// Where its newest record stands; none while that is on its way.
    record: Option<Stand>,
    memory: Memory,
}

/// What is remembered of a URL from visit to visit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Entity tag of the last answer.
    pub etag: Option<String>,
    /// Last-Modified of the last answer.
    pub last_modified: Option<String>,
    /// Failures since the last success.
    pub failures: u32,
    /// Time between the last two visits, which adapts to how often the page changes.
    pub interval: Option<Duration>,
    /// Hash of the content last published.
    pub content: Option<ContentHash>,
    /// Key it was published under, where that is not the URL itself.
    pub published_as: Option<String>,
}

#[derive(Debug)]
struct Host {
    politeness: Politeness,
    queue: BinaryHeap<Reverse<(Moment, u8, u64, EntryId)>>,
    robots_jobs: VecDeque<RobotsJob>,
    origins: HashMap<String, Origin>,
    /// Where the host stands in the schedule.
    scheduled: Option<Moment>,
}

#[derive(Debug)]
enum Origin {
    /// Its robots.txt is on its way.
    Asking,
    Known {
        robots: Robots,
        until: Moment,
        unreachable: Option<String>,
    },
}

/// Every known URL.
#[derive(Debug)]
pub struct Frontier {
    bounds: Bounds,
    entries: Vec<Entry>,
    ids: HashMap<Arc<str>, EntryId>,
    hosts: Vec<Host>,
    host_ids: HashMap<String, usize>,
    schedule: BTreeSet<(Moment, usize)>,
    sequence: u64,
    /// Places of forgotten entries, and of forgotten hosts.
    free: Vec<EntryId>,
    free_hosts: Vec<usize>,
    /// Hosts seen for the first time are not asked before this moment.
    new_hosts_from: Moment,
    /// No host is asked before this moment.
    paused_until: Moment,
    /// Entries that wait for their visit, or are being visited.
    open: usize,
}

impl Frontier {
    /// An empty frontier.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: Vec::new(),
            ids: HashMap::new(),
            hosts: Vec::new(),
            host_ids: HashMap::new(),
            schedule: BTreeSet::new(),
            sequence: 0,
            free: Vec::new(),
            free_hosts: Vec::new(),
            new_hosts_from: Moment(0),
            paused_until: Moment(0),
            open: 0,
        }
    }

    /// Adds a link unless it is known. A known page that changed after its last visit is due now.
    pub fn offer(&mut self, link: &Link, source: SourceId, now: Moment) -> Offer {
        if let Some(&id) = self.ids.get(link.url.as_str()) {
            let entry = &self.entries[id];
            let newer = link.changed.is_some_and(|changed| Moment::from(changed) > entry.visited);
            if !newer || entry.visiting || entry.due <= now || entry.visited == Moment(0) {
                return Offer::Known;
            }
            self.plan(id, now);
            return Offer::Changed;
        }
        let memory = Memory::default();
        let Some(id) = self.add(link.url.clone(), link.role, source, memory, Moment(0)) else { return Offer::Full };
        self.plan(id, now);
        Offer::New
    }

    /// URLs that are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Entries whose visit is planned or under way.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Hosts that are known.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.host_ids.len()
    }

    /// What is remembered of an entry.
    #[must_use]
    pub fn memory(&self, id: EntryId) -> &Memory {
        &self.entries[id].memory
    }

    /// The next job whose host has its turn.
    pub fn next(&mut self, now: Moment) -> Next {
        if now < self.paused_until {
            return Next::Wait(Some(self.paused_until));
        }
        loop {
            let Some(&(at, host)) = self.schedule.first() else { return Next::Wait(None) };
            if at > now {
                return Next::Wait(Some(at));
            }
            let next = self.next_of_host(host, now);
            self.reschedule(host);
            if let Some(next) = next {
                return next;
            }
        }
    }

    fn next_of_host(&mut self, index: usize, now: Moment) -> Option<Next> {
        let host = &mut self.hosts[index];
        if let Some(job) = host.robots_jobs.pop_front() {
            host.politeness.started(now);
            return Some(Next::Robots(job));
        }
        let &Reverse((due, _, _, id)) = host.queue.peek()?;
        let entry = &self.entries[id];
        if entry.gone || entry.due != due || (entry.visiting && entry.at.is_none()) {
            host.queue.pop();
            return None;
        }
        let at = entry.at.clone().unwrap_or_else(|| Arc::clone(&entry.url));
        let origin = at.origin().ascii_serialization();
        let refusal = match host.origins.get(&origin) {
            Some(Origin::Asking) => return None,
            Some(Origin::Known { robots, until, unreachable }) if *until > now => match unreachable {
                Some(reason) => Some(FetchError::RobotsUnreachable(reason.clone())),
                None if !robots.allows(&at) => Some(FetchError::Disallowed),
                None => None,
            },
            _ => {
                host.ask_robots(origin, &at);
                return None;
            }
        };
        host.queue.pop();
        if refusal.is_none() {
            host.politeness.started(now);
        }
        self.entries[id].visiting = true;
        let visit = self.visit(id, at);
        Some(match refusal {
            Some(error) => Next::Refuse(visit, error),
            None => Next::Fetch(visit),
        })
    }

    fn visit(&self, id: EntryId, at: Arc<Url>) -> Visit {
        let entry = &self.entries[id];
        let conditions = Conditions {
            etag: entry.memory.etag.clone(),
            last_modified: entry.memory.last_modified.clone(),
            headers: Vec::new(),
        };
        Visit { id, url: Arc::clone(&entry.url), at, role: entry.role, source: entry.source, conditions }
    }

    /// A request to `url`'s host has ended; its slot is free.
    pub fn released(&mut self, url: &Url, lesson: Lesson, now: Moment) {
        let host = self.host(url);
        self.hosts[host].politeness.finished(now, lesson);
        self.reschedule(host);
    }

    /// The visit's URL is elsewhere: the visit goes on there, when that host has its turn.
    ///
    /// # Errors
    /// Too many redirects in a row; the visit is still to be settled.
    pub fn redirected(&mut self, id: EntryId, to: Url, now: Moment) -> Result<(), FetchError> {
        let entry = &mut self.entries[id];
        if entry.gone {
            self.free.push(id);
            return Ok(());
        }
        entry.redirects += 1;
        if entry.redirects > self.bounds.redirects {
            return Err(FetchError::TooManyRedirects(self.bounds.redirects));
        }
        entry.at = Some(Arc::new(to));
        entry.due = now;
        self.enqueue(id);
        Ok(())
    }

    /// The visit has ended: what to remember, and when to come again ([`Moment::NEVER`] for not).
    pub fn settled(&mut self, id: EntryId, memory: Memory, next: Moment, now: Moment) {
        let entry = &mut self.entries[id];
        if entry.gone {
            self.free.push(id);
            return;
        }
        entry.memory = memory;
        entry.visiting = false;
        entry.visited = now;
        entry.at = None;
        entry.redirects = 0;
        self.open = self.open.saturating_sub(1);
        entry.due = Moment::NEVER;
        if next != Moment::NEVER {
            self.plan(id, next);
        }
    }

    /// The answer to a robots.txt job, after [`Frontier::released`].
    pub fn robots(&mut self, job: RobotsJob, answer: RobotsAnswer, now: Moment) {
        let known = |robots, wait| Origin::Known { robots, until: now + wait, unreachable: None };
        let origin = match answer {
            RobotsAnswer::Rules(robots) => known(robots, ROBOTS_FRESH),
            // More than five redirects count as no robots.txt, RFC 9309 section 2.3.1.2.
            RobotsAnswer::Redirect(url) if job.redirects < 5 => {
                let next = RobotsJob { redirects: job.redirects + 1, url, ..job };
                let host = self.host(&next.url);
                self.hosts[host].robots_jobs.push_back(next);
                self.reschedule(host);
                return;
            }
            RobotsAnswer::Redirect(_) => known(Robots::allow_all(), ROBOTS_FRESH),
            RobotsAnswer::Unreachable(_) if job.attempts < 2 => {
                let again = RobotsJob { attempts: job.attempts + 1, ..job };
                let host = self.host(&again.url);
                self.hosts[host].robots_jobs.push_back(again);
                self.reschedule(host);
                return;
            }
            RobotsAnswer::Unreachable(reason) => {
                Origin::Known { robots: Robots::disallow_all(), until: now + ROBOTS_RETRY, unreachable: Some(reason) }
            }
        };
        // The origin's host is the one that waits, wherever redirects have led.
        let Ok(url) = Url::parse(&job.origin) else { return };
        let index = self.host(&url);
        let host = &mut self.hosts[index];
        if let Origin::Known { robots, .. } = &origin {
            host.politeness.set_crawl_delay(robots.crawl_delay);
        }
        host.origins.insert(job.origin, origin);
        self.reschedule(index);
    }

    /// How long a URL's host is to be left alone from now on.
    #[must_use]
    pub fn pause(&self, url: &Url, now: Moment) -> Duration {
        let host = self.host_ids.get(&host_key(url));
        host.map_or(Duration::ZERO, |host| self.hosts[*host].politeness.not_before().since(now))
    }

    /// Takes every planned visit of a URL's host out of its queue, to be settled.
    pub fn drain_host(&mut self, url: &Url) -> Vec<Visit> {
        let host = self.host(url);
        let queue = std::mem::take(&mut self.hosts[host].queue);
        self.hosts[host].robots_jobs.clear();
        let mut drained = Vec::new();
        for Reverse((due, _, _, id)) in queue {
            let entry = &mut self.entries[id];
            if entry.due == due && (!entry.visiting || entry.at.is_some()) {
                entry.visiting = true;
                entry.due = Moment::NEVER;
                let at = entry.at.clone().unwrap_or_else(|| Arc::clone(&entry.url));
                drained.push(self.visit(id, at));
            }
        }
        self.hosts[host].origins.retain(|_, origin| !matches!(origin, Origin::Asking));
        self.reschedule(host);
        drained
    }

    /// Plans a visit of an entry that has none.
    fn plan(&mut self, id: EntryId, due: Moment) {
        let entry = &mut self.entries[id];
        if entry.due == Moment::NEVER {
            self.open += 1;
        }
        entry.due = due;
        self.enqueue(id);
    }

    fn enqueue(&mut self, id: EntryId) {
        let entry = &self.entries[id];
        let url = entry.at.clone().unwrap_or_else(|| Arc::clone(&entry.url));
        // Directories before pages, so that a source is known whole early.
        let rank = u8::from(!entry.role.is_directory());
        self.sequence += 1;
        let item = Reverse((entry.due, rank, self.sequence, id));
        let host = self.host(&url);
        self.hosts[host].queue.push(item);
        self.reschedule(host);
    }

    fn host(&mut self, url: &Url) -> usize {
        let key = host_key(url);
        if let Some(&index) = self.host_ids.get(&key) {
            return index;
        }
        let own = self.bounds.own_hosts.iter().any(|own| own.eq_ignore_ascii_case(&key));
        let (limits, from) = match own {
            true => (self.bounds.own, Moment(0)),
            false => (self.bounds.politeness, self.new_hosts_from),
        };
        let host = Host {
            politeness: Politeness::new(limits, from),
            queue: BinaryHeap::new(),
            robots_jobs: VecDeque::new(),
            origins: HashMap::new(),
            scheduled: None,
        };
        let index = self.free_hosts.pop().unwrap_or(self.hosts.len());
        match self.hosts.get_mut(index) {
            Some(free) => *free = host,
            None => self.hosts.push(host),
        }
        self.host_ids.insert(key, index);
        index
    }

    fn reschedule(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let turn = host.turn(&self.entries);
        if turn != host.scheduled {
            if let Some(old) = host.scheduled {
                self.schedule.remove(&(old, index));
            }
            if let Some(new) = turn {
                self.schedule.insert((new, index));
            }
            host.scheduled = turn;
        }
    }
}

impl Host {
    /// When the host has its turn; none while it has nothing to do, all its slots are taken, or its robots.txt is
    /// awaited.
    fn turn(&self, entries: &[Entry]) -> Option<Moment> {
        let start = self.politeness.next_start()?;
        if !self.robots_jobs.is_empty() {
            return Some(start);
        }
        let Reverse((due, _, _, id)) = self.queue.peek()?;
        let entry = &entries[*id];
        let origin = entry.at.as_ref().unwrap_or(&entry.url).origin().ascii_serialization();
        if entry.due == *due && matches!(self.origins.get(&origin), Some(Origin::Asking)) {
            return None;
        }
        Some(start.max(*due))
    }

    fn ask_robots(&mut self, origin: String, at: &Url) {
        self.origins.insert(origin, Origin::Asking);
        self.robots_jobs.push_back(RobotsJob::of(at));
    }
}

/// What a robots.txt job brought.
#[derive(Debug, Clone, PartialEq)]
pub enum RobotsAnswer {
    /// The rules; all is allowed where there is no robots.txt (4xx).
    Rules(Robots),
    /// It is elsewhere.
    Redirect(Url),
    /// It could not be had (5xx, no answer).
    Unreachable(String),
}

#[path = "frontier_share.rs"]
mod share;

#[cfg(test)]
#[path = "frontier_tests.rs"]
mod tests;
