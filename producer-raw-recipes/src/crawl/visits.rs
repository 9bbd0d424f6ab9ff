//! What came of a visit: links, a page, nothing new, a failure.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use recipes::RawPage;
use service_kit::Failure;
use service_kit::kafka::SendError;
use time::OffsetDateTime;
use tracing::{debug, info};
use url::Url;

use super::{Crawl, Done, Origin, Published, Told, Visited};
use crate::canonical::canonical;
use crate::clock::Moment;
use crate::content::ContentHash;
use crate::fetch_error::FetchError;
use crate::frontier::{Memory, RobotsAnswer, RobotsJob, Visit};
use crate::job::{self, Fetched, FetchedPage};
use crate::ledger;
use crate::politeness::Lesson;
use crate::publisher::{Publication, Publisher, traceparent};
use crate::recrawl::Found;
use crate::source::Link;

/// First wait before a failed page is tried again; twice as long each time after.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// In a single pass, how long a host may ask to be left alone before its pages are given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Links of a document that are written at once.
const MOST_LINKS: usize = 1_000;
/// Stands for the content of a page that went to the dead letters.
const DEAD: ContentHash = [0; 32];

impl<P: Publisher> Crawl<P> {
    pub(super) fn on_done(&mut self, done: Done) {
        let now = self.clock.now();
        match done {
            Done::Robots { job, answer, lesson } => self.on_robots(job, answer, lesson, now),
            Done::Page { visit, result } => {
                let lesson = job::lesson(&result);
                let at = Arc::clone(&visit.at);
                self.frontier.released(&at, lesson, now);
                match result {
                    Ok(fetched) => self.on_fetched(visit, fetched, now),
                    Err(error) => self.fail(visit, error),
                }
                self.after_lesson(&at, lesson, now);
            }
        }
    }

    fn on_robots(&mut self, job: RobotsJob, answer: RobotsAnswer, lesson: Lesson, now: Moment) {
        let slow = match &answer {
            RobotsAnswer::Rules(robots) => robots.crawl_delay.is_some(),
            RobotsAnswer::Redirect(_) => false,
            RobotsAnswer::Unreachable(reason) => {
                debug!(url = %job.url, reason, "robots.txt not read");
                false
            }
        };
        let (url, origin) = (job.url.clone(), Url::parse(&job.origin));
        self.frontier.released(&url, lesson, now);
        self.frontier.robots(job, answer, now);
        if let (true, Ok(origin)) = (slow, origin) {
            self.record_turn(&origin, now);
        }
        self.after_lesson(&url, lesson, now);
    }

    /// Remembers that a host asks to be left alone. In a single pass, nobody waits for one that does for long.
    fn after_lesson(&mut self, url: &Url, lesson: Lesson, now: Moment) {
        if lesson == Lesson::Answered {
            return;
        }
        let pause = self.frontier.pause(url, now);
        if pause > self.frontier.delay(url) {
            self.record_turn(url, now);
        }
        if self.settings.once && pause > PATIENCE {
            for visit in self.frontier.drain_host(url) {
                self.give_up(visit, FetchError::CircuitOpen);
            }
        }
    }

    fn on_fetched(&mut self, visit: Visit, fetched: Fetched, now: Moment) {
        if !self.owns(&visit.url) {
            // Handed over while it was fetched: the new owner knows nothing of this visit, and makes its own.
            self.frontier.settled(visit.id, Memory::default(), Moment::NEVER, now);
            return;
        }
        match fetched {
            Fetched::Redirect(to) => {
                debug!(from = %visit.at, %to, "redirected");
                let target = canonical(&to);
                if visit.role.is_published() && target != *visit.url && self.knows(&target) {
                    // It is visited for itself, and published once.
                    self.sources.unchanged(visit.source);
                    let memory = self.frontier.memory(visit.id).clone();
                    return self.settle(&visit, memory, Found::Unchanged, Vec::new());
                }
                if !self.owns(&to) {
                    return self.hand_over(visit, &to);
                }
                if let Err(error) = self.frontier.redirected(visit.id, to, now) {
                    self.fail(visit, error);
                }
            }
            Fetched::NotModified => {
                let memory = self.frontier.memory(visit.id).clone();
                if visit.role.is_published() {
                    self.sources.unchanged(visit.source);
                }
                self.settle(&visit, memory, Found::Unchanged, Vec::new());
            }
            Fetched::Directory { links, document } => {
                let memory = Memory { etag: document.etag, last_modified: document.last_modified, ..Memory::default() };
                debug!(url = %visit.at, links = links.len(), "source read");
                let mut records = Vec::new();
                // Many links are written in parts, in order: the document's own record comes last.
                for some in links.chunks(MOST_LINKS) {
                    self.publish_states(self.partition(&visit.url), std::mem::take(&mut records));
                    records = self.offer(some, visit.source);
                }
                self.settle(&visit, memory, Found::Changed, records);
            }
            Fetched::Page(page) => self.on_page(visit, *page),
        }
    }

    /// A redirect leads to a host that is another instance's, which alone may ask it: the URL there becomes one of its
    /// own, and the visit ends here.
    fn hand_over(&mut self, visit: Visit, to: &Url) {
        let records = self.offer(&[Link::new(canonical(to), visit.role)], visit.source);
        let memory = self.frontier.memory(visit.id).clone();
        self.settle(&visit, memory, Found::Unchanged, records);
    }

    fn on_page(&mut self, visit: Visit, page: FetchedPage) {
        let mut publications = self.offer(&page.links, visit.source);
        let known = self.frontier.memory(visit.id);
        let memory = Memory {
            etag: page.document.etag.clone(),
            last_modified: page.document.last_modified.clone(),
            failures: 0,
            interval: known.interval,
            content: Some(page.content),
            published_as: Some(page.key.clone()).filter(|key| *key != visit.url.as_str()),
        };
        let identity = identity(&page.key);
        if known.content == Some(page.content) || self.contents.get(identity) == Some(short(&page.content)) {
            self.sources.unchanged(visit.source);
            self.settle(&visit, memory, Found::Unchanged, publications);
            return;
        }
        // Claimed now, so that the same page found under another address is not published beside it.
        self.contents.insert(identity, short(&page.content));
        let raw = job::raw_page(&visit.url, &visit.at, &page.document);
        publications.push(Publication::Page { key: page.key, page: raw, body: page.document.body });
        self.publish_visit(visit, memory, Found::Changed, None, publications, identity);
    }

    /// Publishes what a visit brought, and its state after that.
    fn publish_visit(
        &mut self,
        visit: Visit,
        mut memory: Memory,
        found: Found,
        dead: Option<FetchError>,
        mut publications: Vec<Publication>,
        identity: u64,
    ) {
        let next = self.plan(&visit, &mut memory, found);
        publications.extend(self.state_of(&visit, &memory, next));
        let (of, source, key) = (self.partition(&visit.url), visit.source, visit.url.as_str().to_owned());
        let origin = Origin::Visit(Box::new(Visited { visit, memory, next, dead }));
        self.publish(of, publications, Told { origin, source, key, identity, content: None });
    }

    pub(super) fn on_published(&mut self, published: Published) -> Result<(), Failure> {
        let Published { origin, source, key, identity, content, result } = published;
        if let Err(error @ SendError::Unwritable { .. }) = result {
            return Err(error.into());
        }
        match (origin, result) {
            (Origin::Visit(visited), Ok(())) => {
                let Visited { visit, memory, next, dead } = *visited;
                match dead {
                    None => self.sources.published(source),
                    Some(error) => {
                        self.sources.dead_letter(source);
                        self.sources.failed(source, &key, &error);
                    }
                }
                self.finish(&visit, memory, next);
            }
            // Its host went to another instance meanwhile, which visits it anew.
            (Origin::Visit(visited), Err(SendError::Lost { .. })) => {
                self.contents.remove(identity);
                self.frontier.settled(visited.visit.id, Memory::default(), Moment::NEVER, self.clock.now());
            }
            (Origin::File | Origin::State, Err(SendError::Lost { .. })) => {}
            (Origin::Visit(visited), Err(error)) => {
                self.contents.remove(identity);
                self.give_up(visited.visit, FetchError::Unpublished(error.to_string()));
            }
            (Origin::File, Ok(())) => {
                self.files.extend(content.map(|content| (identity, content)));
                self.sources.published(source);
            }
            (Origin::File, Err(error)) => {
                self.sources.failed(source, &key, &FetchError::Unpublished(error.to_string()));
            }
            (Origin::State, Ok(())) => {}
            (Origin::State, Err(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// A visit did not work: again soon, if that may help, or given up.
    pub(super) fn fail(&mut self, visit: Visit, error: FetchError) {
        let mut memory = self.frontier.memory(visit.id).clone();
        if error.is_transient() && memory.failures < self.settings.retries {
            memory.failures += 1;
            let now = self.clock.now();
            let pause = RETRY_PAUSE.saturating_mul(2_u32.saturating_pow(memory.failures - 1));
            debug!(url = %visit.at, %error, attempt = memory.failures, "tried again later");
            self.frontier.settled(visit.id, memory, now + pause, now);
            return;
        }
        self.give_up(visit, error);
    }

    /// A visit has failed for good, until the next interval.
    fn give_up(&mut self, visit: Visit, error: FetchError) {
        let mut memory = self.frontier.memory(visit.id).clone();
        let first = memory.content != Some(DEAD);
        memory.failures = 0;
        let never = matches!(error, FetchError::NotHtml(_) | FetchError::TooLarge { .. });
        if error == FetchError::Disallowed {
            debug!(url = %visit.at, "robots.txt forbids it");
        } else {
            info!(url = %visit.url, source = self.specs[visit.source].name, %error, "not fetched");
        }
        if never && first && visit.role.is_published() {
            memory.content = Some(DEAD);
            self.bury(visit, memory, error);
            return;
        }
        self.sources.failed(visit.source, visit.url.as_str(), &error);
        self.settle(&visit, memory, Found::Failed, Vec::new());
    }

    /// Sends a page that will never be published to the dead letters, once.
    fn bury(&mut self, visit: Visit, memory: Memory, error: FetchError) {
        let url = visit.url.as_str().to_owned();
        let page = RawPage {
            final_url: visit.at.as_str().to_owned(),
            fetched_at: OffsetDateTime::now_utc(),
            http_status: Some(200),
            content_type: match &error {
                FetchError::NotHtml(kind) => Some(kind.clone()),
                _ => None,
            },
            charset: None,
            etag: None,
            traceparent: Some(traceparent()),
            url: url.clone(),
        };
        let identity = identity(&url);
        let letter = Publication::Dead { key: url, page, reason: error.to_string(), attempts: 1 };
        self.publish_visit(visit, memory, Found::Failed, Some(error), vec![letter], identity);
    }

    /// Ends a visit that leaves nothing but what is known: records of links it gave, and its own.
    fn settle(&mut self, visit: &Visit, mut memory: Memory, found: Found, mut states: Vec<Publication>) {
        let next = self.plan(visit, &mut memory, found);
        states.extend(self.state_of(visit, &memory, next));
        self.publish_states(self.partition(&visit.url), states);
        self.finish(visit, memory, next);
        if visit.role.depth() == 0 && found != Found::Failed {
            self.sources.read(visit.source, if self.settings.once { Moment::NEVER } else { next });
        }
    }

    /// When a URL is visited next.
    fn plan(&self, visit: &Visit, memory: &mut Memory, found: Found) -> Moment {
        let mut intervals = self.settings.intervals;
        intervals.shortest = self.specs[visit.source].interval.unwrap_or(intervals.shortest);
        // A source's own documents are where changes are found: they are read at the shortest interval.
        let directory = visit.role.is_directory();
        let wait = if directory { intervals.shortest } else { intervals.after(memory.interval, found) };
        memory.interval = Some(wait);
        self.clock.now() + wait
    }

    fn finish(&mut self, visit: &Visit, memory: Memory, next: Moment) {
        let next = if self.settings.once { Moment::NEVER } else { next };
        self.settle_in_window(visit, memory, next);
    }

    fn state_of(&mut self, visit: &Visit, memory: &Memory, next: Moment) -> Option<Publication> {
        if !self.owns(&visit.url) {
            return None; // handed over meanwhile; the new owner's record stands
        }
        let state = ledger::state(&self.specs[visit.source].name, visit.role, memory, next);
        self.record(&visit.url, state)
    }
}

/// The part of a hash that is kept to compare with.
pub(super) fn short(content: &ContentHash) -> u64 {
    content.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// A number that stands for a key or path.
pub(super) fn identity(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
