//! The part of the frontier that is in memory, where not all of it has room: URLs that have no visit soon stand on
//! `crawl_urls` alone, and scans bring those that are due.

use std::collections::HashMap;
use std::time::Duration;

use tracing::{debug, info};
use url::Url;

use super::Crawl;
use crate::clock::Moment;
use crate::frontier::{Memory, Visit};
use crate::membership::Followed;
use crate::publisher::Publisher;
use crate::scan::{Found, ScanRequest, Scanned};
use crate::shelf::Stand;

/// URLs due this soon are in memory, or about to be.
const AHEAD: Duration = Duration::from_secs(10 * 60);
/// Pause between scans that have to pass over URLs, and after one that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the memory is looked through for what may go.
const TIDY: Duration = Duration::from_secs(10);
/// Hosts that are kept when nothing is planned of them.
const MOST_HOSTS: usize = 20_000;
/// Fewest URLs of one host that a scan brings.
const FEWEST_OF_HOST: usize = 16;

/// How the scans go.
pub(super) struct Window {
    scanning: bool,
    /// When the next scan is worth while.
    next_scan: Moment,
    next_tidy: Moment,
    of_host: usize,
    /// Whether the scan under way brought anything.
    brought: bool,
    /// In a single pass: nothing is left on the topic.
    exhausted: bool,
    /// The first visit of what went out of memory since the scan under way began.
    shelved_due: Moment,
}

impl Window {
    pub(super) fn new(room: usize) -> Self {
        Self {
            scanning: false,
            next_scan: Moment(0),
            next_tidy: Moment(0),
            of_host: (room / 64).max(FEWEST_OF_HOST),
            brought: false,
            exhausted: false,
            shelved_due: Moment::NEVER,
        }
    }

    /// A URL with a visit then went out of memory, or was never there.
    fn shelved(&mut self, due: Moment) {
        self.shelved_due = self.shelved_due.min(due);
        self.look_at(due - AHEAD / 2);
        self.exhausted = false;
    }

    fn look_at(&mut self, moment: Moment) {
        self.next_scan = self.next_scan.min(moment);
    }
}

impl<P: Publisher> Crawl<P> {
    /// Whether there are more URLs than are in memory.
    fn is_crowded(&self) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.shelf.lock().len() > self.settings.room)
    }

    /// In a single pass: whether everything that is known has been in memory.
    pub(super) fn has_seen_all(&self) -> bool {
        !self.is_crowded() || (self.window.exhausted && !self.window.scanning)
    }

    /// What may go out of memory when it is not visited before this moment.
    fn horizon(&self) -> Moment {
        self.clock.now() + AHEAD
    }

    /// Asks for a scan if one is worth while; tells when to look again.
    pub(super) fn refill(&mut self) -> Option<Moment> {
        if !self.is_crowded() {
            return None;
        }
        let (now, room) = (self.clock.now(), self.settings.room);
        if self.frontier.len() > room / 2 && now >= self.window.next_tidy {
            self.window.next_tidy = now + TIDY;
            self.tidy();
        }
        let sharing = self.sharing.as_ref()?;
        if self.window.scanning || self.frontier.len() > room / 2 {
            return None;
        }
        if self.window.next_scan > now {
            return Some(self.window.next_scan).filter(|next| *next != Moment::NEVER);
        }
        let request = ScanRequest {
            partitions: self.owned.iter().copied().collect(),
            due: if self.settings.once { Moment::NEVER } else { self.horizon() },
            most: room - self.frontier.len(),
            of_host: self.window.of_host,
        };
        // There is room: one scan at a time. Where nobody scans any more, the crawl is about to end.
        self.window.scanning = sharing.scans.try_send(request).is_ok();
        self.window.brought = false;
        self.window.shelved_due = Moment::NEVER;
        self.window.next_scan = Moment::NEVER;
        None
    }

    fn tidy(&mut self) {
        let horizon = self.horizon();
        let shed = self.frontier.shed(horizon);
        debug!(urls = shed.len(), left = self.frontier.len(), "URLs without a visit soon left to crawl_urls");
        for (url, record) in shed {
            let due = horizon; // Not before that; the record says when.
            self.stands(&url, record, due);
        }
        if self.frontier.hosts() > MOST_HOSTS {
            self.frontier.forget_idle_hosts(self.clock.now());
        }
    }

    fn stands(&mut self, url: &Url, record: Stand, due: Moment) {
        let partition = self.partition(url);
        if let Some(sharing) = &self.sharing {
            sharing.shelf.lock().stands(partition, url.as_str(), record);
        }
        if !self.settings.once {
            self.window.shelved(due);
        }
    }

    /// A visit has ended: what is known of its URL stays in memory, or not.
    pub(super) fn settle_in_window(&mut self, visit: &Visit, memory: Memory, next: Moment) {
        let now = self.clock.now();
        if next <= now + AHEAD || !self.is_crowded() {
            return self.frontier.settled(visit.id, memory, next, now);
        }
        let Some((url, record)) = self.frontier.settled_away(visit.id) else { return };
        if let Some(record) = record {
            self.stands(&url, record, next);
        } else if !self.settings.once {
            // Its record is on its way, and will be followed.
            self.window.shelved(next);
        }
    }

    /// Whether a link that is new has room in memory.
    pub(super) fn has_room_for_links(&self) -> bool {
        self.sharing.is_none() || self.frontier.len() < self.settings.room
    }

    /// A new link goes onto the topic alone.
    pub(super) fn shelve_link(&mut self) {
        self.window.shelved(self.clock.now());
    }

    /// Whether a URL is known, in memory or not.
    pub(super) fn knows(&self, url: &Url) -> bool {
        match &self.sharing {
            Some(sharing) => sharing.shelf.lock().knows(self.partition(url), url.as_str()),
            None => self.frontier.knows(url),
        }
    }

    /// A source says that a URL that is not in memory changed at that moment.
    pub(super) fn want(&mut self, url: &Url, changed: Moment) {
        let Some(sharing) = &self.sharing else { return };
        let now = self.clock.now();
        // Every page was visited within the longest interval, unless it is due.
        if changed > now - self.settings.intervals.longest {
            sharing.shelf.lock().want(url.as_str(), changed);
            self.window.look_at(now + AHEAD / 10);
        }
    }

    /// URLs that are known, in memory or not.
    pub(super) fn known(&self) -> usize {
        match &self.sharing {
            Some(sharing) => sharing.shelf.lock().len(),
            None => self.frontier.len(),
        }
    }

    /// Marks that what is known of a URL is in memory, or its record on its way.
    pub(super) fn hold(&mut self, url: &Url) {
        self.frontier.is_being_written(url);
        if let Some(sharing) = &self.sharing {
            let partition = self.partition(url);
            sharing.shelf.lock().elsewhere(partition, url.as_str());
        }
    }

    /// What is known of a URL is in memory from now on.
    pub(super) fn lift(&mut self, url: &Url) {
        let partition = self.partition(url);
        if let Some(sharing) = &self.sharing
            && let Some(stand) = sharing.shelf.lock().lift(partition, url.as_str())
        {
            self.frontier.stands(url.as_str(), stand);
        }
    }

    /// A URL is no longer known.
    pub(super) fn forget(&mut self, url: &Url) {
        let partition = self.partition(url);
        if let Some(sharing) = &self.sharing {
            sharing.shelf.lock().forget(partition, url.as_str());
        }
    }

    pub(super) fn on_followed(&mut self, followed: Followed) {
        for (url, partition, stand) in followed.noted {
            if !self.frontier.stands(&url, stand)
                && let Some(sharing) = &self.sharing
            {
                sharing.shelf.lock().stands(partition, &url, stand);
            }
        }
        for (url, state) in followed.links {
            self.take_link(url, &state);
        }
    }

    pub(super) fn on_found(&mut self, found: Vec<Found>) {
        let now = self.clock.now();
        for Found { url, state, changed } in found {
            if !self.owns(&url) || self.frontier.knows(&url) {
                continue;
            }
            self.window.brought = true;
            self.restore(url, &state, now, changed.then_some(now));
        }
    }

    pub(super) fn on_scanned(&mut self, end: Option<Scanned>) {
        let now = self.clock.now();
        self.window.scanning = false;
        let Some(end) = end else { return self.window.look_at(now + PAUSE) };
        debug!(?end, in_memory = self.frontier.len(), "crawl_urls scanned");
        let room = self.settings.room;
        self.window.of_host = (room / end.hosts.max(1)).clamp(FEWEST_OF_HOST, room);
        if !end.whole {
            self.window.look_at(now);
        } else if end.passed_over {
            self.window.look_at(now + PAUSE);
        } else if self.settings.once {
            // What went onto the topic meanwhile may have been behind the hand.
            self.window.exhausted = !self.window.brought && self.window.shelved_due == Moment::NEVER;
            if !self.window.exhausted {
                self.window.look_at(now);
            }
        } else {
            let due = end.next_due.min(self.window.shelved_due);
            if due != Moment::NEVER {
                self.window.look_at(due - AHEAD / 2);
            }
        }
    }

    /// Counts the pages of sources of which not all are in memory.
    pub(super) fn count_pages(&mut self, pages: &HashMap<String, u64>) {
        for (source, pages) in pages {
            if let Some(source) = self.source_named(source) {
                self.sources.found(source, *pages);
            }
        }
        if !pages.is_empty() {
            info!(urls = self.known(), room = self.settings.room, "more URLs than have room in memory");
        }
        // A scan under way does not see the partitions that came.
        self.window.shelved(self.clock.now());
    }
}
