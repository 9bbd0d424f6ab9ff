//! The instance's share of the hosts: partitions of `crawl_urls` that come and go, and links for other instances.

use std::collections::HashSet;
use std::time::Duration;

use recipes::CrawlState;
use tracing::{info, warn};
use url::Url;

use super::visits::{identity, short};
use super::{Crawl, Origin, Sharing, Told};
use crate::clock::Moment;
use crate::frontier::{Memory, Offer, SourceId};
use crate::ledger::{self, LINK};
use crate::membership::{Assigned, Share};
use crate::publisher::{Publication, Publisher};
use crate::source::Link;

/// Added to a host's delay when it is taken over: the instance that had it may have asked it in the moment it was told.
const TAKEOVER: Duration = Duration::from_millis(500);

/// What happens next to the instance's share; never, when it shares with nobody.
pub(super) async fn next(sharing: &mut Option<Sharing>) -> Option<Share> {
    match sharing {
        Some(sharing) => sharing.from.recv().await,
        None => None,
    }
}

impl<P: Publisher> Crawl<P> {
    pub(super) fn on_share(&mut self, share: Share) {
        match share {
            Share::Assigned(assigned) => self.assigned(*assigned),
            Share::Revoked(partitions, done) => {
                info!(?partitions, "hosts handed over");
                for partition in &partitions {
                    self.owned.remove(partition);
                }
                let count = self.partitions();
                // The shelf's part goes with the partitions.
                let _ = self.frontier.forget(|url, _| partitions.contains(&ledger::partition(url, count)));
                // The other side may have stopped waiting.
                let _ = done.send(());
            }
            Share::Followed(followed) => self.on_followed(followed),
            Share::Found(found) => self.on_found(found),
            Share::Scanned(end) => self.on_scanned(end),
        }
    }

    fn assigned(&mut self, assigned: Assigned) {
        let Assigned { partitions, known, pages, turns, links } = assigned;
        info!(?partitions, urls = self.known(), "hosts taken over");
        self.owned.extend(partitions);
        let now = self.clock.now();
        let from = now + self.settings.bounds.politeness.delay + TAKEOVER;
        self.frontier.hold_new_hosts(from);
        for (url, state) in known {
            if let Some(source) = self.restore(url, &state, now, None)
                && ledger::is_page(&state)
            {
                self.sources.found(source, 1);
            }
        }
        self.count_pages(&pages);
        for (url, state) in turns {
            let crawl_delay = state.crawl_delay_ms.map(Duration::from_millis);
            let not_before = state.next_fetch_at.map_or(Moment(0), Moment::from);
            self.frontier.hold(&url, not_before, crawl_delay);
            let delay = self.frontier.delay(&url);
            if !delay.is_zero() {
                self.frontier.hold(&url, now + delay + TAKEOVER, None);
            }
        }
        for (url, state) in links {
            self.take_link(url, &state);
        }
        self.joined = true;
        self.begin_sources();
    }

    /// Takes over a URL, to be visited when it is due or at that moment; gives its source. Where that is gone from the
    /// settings, its record stays, and the URL is not known until another source finds it.
    pub(super) fn restore(
        &mut self,
        url: Url,
        state: &CrawlState,
        now: Moment,
        at: Option<Moment>,
    ) -> Option<SourceId> {
        let Some(source) = self.source_named(&state.source) else {
            self.forget(&url);
            return None;
        };
        let (role, memory, next) = ledger::read(state)?;
        // So that a page that is found under another address too is not published anew.
        if let Some(content) = &memory.content {
            let key = memory.published_as.as_deref().unwrap_or(url.as_str());
            self.contents.insert(identity(key), short(content));
        }
        let shortest = self.specs[source].interval.unwrap_or(self.settings.intervals.shortest);
        let longest = if role.is_directory() { shortest } else { self.settings.intervals.longest.max(shortest) };
        // A pass visits everything, with the validators that are known; and nobody waits longer than the settings say
        // now, whatever they said when the record was written.
        let due = if self.settings.once { now } else { at.unwrap_or(next).min(now + longest) };
        if let (0, Some(interval)) = (role.depth(), memory.interval) {
            self.sources.known(source, next - interval, due);
        }
        if !self.frontier.restore(url.clone(), role, source, memory, due) {
            warn!(source = state.source, "the frontier is full; URLs are left out until there is room");
            return None;
        }
        self.lift(&url);
        Some(source)
    }

    /// Another instance found a link to one of our hosts: it becomes a URL of ours, and its own record goes.
    pub(super) fn take_link(&mut self, url: Url, state: &CrawlState) {
        let partition = self.partition(&url);
        if !self.owned.contains(&partition) {
            return;
        }
        let told = Publication::Taken { key: format!("{LINK}{url}"), partition };
        let mut records = vec![told];
        if let (Some(source), Some((role, ..))) = (self.source_named(&state.source), ledger::read(state)) {
            records.extend(self.offer(&[Link::new(url, role)], source));
        }
        self.publish_states(partition, records);
    }

    /// Begins the sources that are this instance's: each where its own host is.
    pub(super) fn begin_sources(&mut self) {
        let now = self.clock.now();
        for source in 0..self.specs.len() {
            if self.retired.contains(&source) {
                continue;
            }
            match self.specs[source].seed() {
                Some(seed) if self.owns(&seed.url) => {
                    if self.sharing.is_some() && self.knows(&seed.url) {
                        continue;
                    }
                    let offer = self.frontier.offer(&seed, source, now);
                    self.hold(&seed.url);
                    if seed.role.is_published() && offer == Offer::New {
                        self.sources.found(source, 1);
                    }
                }
                Some(_) => {}
                None if self.owns_files() => self.walk_once(source),
                None => {}
            }
        }
    }

    /// Files have no host: all of them are one instance's.
    fn owns_files(&self) -> bool {
        self.sharing.is_none() || self.owned.contains(&self.partition_of_files())
    }

    /// Whether a URL's host is this instance's.
    pub(super) fn owns(&self, url: &Url) -> bool {
        self.sharing.is_none() || self.owned.contains(&self.partition(url))
    }

    /// The partition of a URL's host.
    pub(super) fn partition(&self, url: &Url) -> i32 {
        ledger::partition(url, self.partitions())
    }

    /// The partition whose owner reads the files.
    pub(super) fn partition_of_files(&self) -> i32 {
        ledger::partition_of_files(self.partitions())
    }

    fn partitions(&self) -> i32 {
        self.sharing.as_ref().map_or(1, |sharing| sharing.partitions)
    }

    /// The record of a URL, or of a link for another instance; none when nothing is remembered.
    pub(super) fn record(&mut self, url: &Url, state: CrawlState) -> Option<Publication> {
        let partitions = self.sharing.as_ref()?.partitions;
        let partition = ledger::partition(url, partitions);
        if self.owned.contains(&partition) {
            if state.role != ledger::ROBOTS {
                self.hold(url);
            }
            return Some(Publication::State { key: url.as_str().to_owned(), partition, state });
        }
        Some(Publication::State { key: format!("{LINK}{url}"), partition, state })
    }

    /// The record that remembers a host's turn, for the instance that takes it over.
    pub(super) fn record_turn(&mut self, url: &Url, now: Moment) {
        if self.sharing.is_none() {
            return;
        }
        let (pause, delay) = (self.frontier.pause(url, now), self.frontier.delay(url));
        let mut key = url.clone();
        key.set_path("/robots.txt");
        key.set_query(None);
        let state = CrawlState {
            role: ledger::ROBOTS.to_owned(),
            next_fetch_at: (now + pause).date(),
            crawl_delay_ms: u64::try_from(delay.as_millis()).ok(),
            ..CrawlState::default()
        };
        let record = self.record(&key, state);
        self.publish_states(self.partition(url), record.into_iter().collect());
    }

    pub(super) fn publish_states(&mut self, of: i32, states: Vec<Publication>) {
        if !states.is_empty() {
            let told = Told { origin: Origin::State, source: 0, key: String::new(), identity: 0, content: None };
            self.publish(of, states, told);
        }
    }

    /// Adds links to the frontier, or tells their owners; gives the records to write before their document counts as
    /// read.
    pub(super) fn offer(&mut self, links: &[Link], source: SourceId) -> Vec<Publication> {
        let now = self.clock.now();
        let (mut records, mut new, mut full) = (Vec::new(), 0, 0);
        let budget = self.specs[source].budget as u64;
        let known = self.sources.pages(source);
        let mut seen = HashSet::new();
        for link in links.iter().filter(|link| seen.insert(&link.url)) {
            let is_ours = self.owns(&link.url);
            let is_known = is_ours && self.knows(&link.url);
            if !is_known && link.role.is_published() && known + new >= budget {
                full += 1;
                continue;
            }
            let is_new = if !is_ours {
                self.told.insert(identity(link.url.as_str()), ()).is_none()
            } else if is_known && !self.frontier.knows(&link.url) {
                if let Some(changed) = link.changed {
                    self.want(&link.url, Moment::from(changed));
                }
                false
            } else if !is_known && self.known() >= self.settings.bounds.urls {
                full += 1;
                false
            } else if !is_known && !self.has_room_for_links() {
                self.shelve_link();
                true
            } else {
                match self.frontier.offer(link, source, now) {
                    Offer::New => true,
                    Offer::Full => {
                        full += 1;
                        false
                    }
                    Offer::Known | Offer::Changed => false,
                }
            };
            if is_new {
                new += u64::from(is_ours && link.role.is_published());
                let state = ledger::state(&self.specs[source].name, link.role, &Memory::default(), now);
                records.extend(self.record(&link.url, state));
            }
        }
        self.sources.found(source, new);
        if full > 0 {
            let name = &self.specs[source].name;
            warn!(source = name, left_out = full, "more pages than the budget or the frontier takes");
        }
        records
    }
}
