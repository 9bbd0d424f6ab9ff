//! The frontier's part in sharing hosts between instances: what comes with a partition, and what goes with one.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Entry, EntryId, Frontier, Memory, SourceId};
use crate::clock::Moment;
use crate::shelf::Stand;
use crate::source::Role;

impl Frontier {
    /// Takes over a URL with what another process knew of it, unless it is known; false where there is no room.
    pub fn restore(&mut self, url: Url, role: Role, source: SourceId, memory: Memory, due: Moment) -> bool {
        if self.ids.contains_key(url.as_str()) {
            return true;
        }
        let visited = memory.interval.map_or(Moment(0), |interval| due - interval);
        let Some(id) = self.add(url, role, source, memory, visited) else { return false };
        if due != Moment::NEVER {
            self.plan(id, due);
        }
        true
    }

    /// Takes over a host's turn: nothing is asked of it before this moment.
    pub fn hold(&mut self, url: &Url, not_before: Moment, crawl_delay: Option<Duration>) {
        let host = self.host(url);
        let politeness = &mut self.hosts[host].politeness;
        if crawl_delay.is_some() {
            politeness.set_crawl_delay(crawl_delay);
        }
        politeness.hold(not_before);
        self.reschedule(host);
    }

    /// Hosts that are new from now on are not asked before this moment, except the operator's own: another instance may
    /// have asked them just now.
    pub fn hold_new_hosts(&mut self, until: Moment) {
        self.new_hosts_from = until;
    }

    /// No host is asked before this moment.
    pub fn pause_until(&mut self, until: Moment) {
        self.paused_until = until;
    }

    /// Whether a URL is known.
    #[must_use]
    pub fn knows(&self, url: &Url) -> bool {
        self.ids.contains_key(url.as_str())
    }

    /// The newest record of a URL stands there; false when the URL is not in memory.
    pub fn stands(&mut self, url: &str, stand: Stand) -> bool {
        let Some(&id) = self.ids.get(url) else { return false };
        self.entries[id].record = Some(stand);
        true
    }

    /// A record of a URL is on its way.
    pub fn is_being_written(&mut self, url: &Url) {
        if let Some(&id) = self.ids.get(url.as_str()) {
            self.entries[id].record = None;
        }
    }

    /// The visit has ended, and what is known of the URL goes out of memory: gives the URL and where its record stands.
    /// None where it went before.
    pub fn settled_away(&mut self, id: EntryId) -> Option<(Arc<Url>, Option<Stand>)> {
        let entry = &mut self.entries[id];
        self.free.push(id);
        if entry.gone {
            return None;
        }
        entry.gone = true;
        entry.due = Moment::NEVER;
        entry.memory = Memory::default();
        self.open = self.open.saturating_sub(1);
        self.ids.remove(entry.url.as_str());
        Some((Arc::clone(&entry.url), entry.record))
    }

    /// Takes out of memory what is known of URLs that have no visit before `horizon` and whose record stands.
    pub fn shed(&mut self, horizon: Moment) -> Vec<(Arc<Url>, Stand)> {
        let mut shed = Vec::new();
        for id in 0..self.entries.len() {
            let entry = &self.entries[id];
            let (false, false, Some(record)) = (entry.gone, entry.visiting, entry.record) else { continue };
            if entry.due > horizon {
                shed.push((Arc::clone(&entry.url), record));
                self.forget_entry(id);
            }
        }
        self.clear_queues();
        shed
    }

    /// Forgets the hosts of which nothing is planned and that may be asked at once: their robots.txt is read again when
    /// they come back.
    pub fn forget_idle_hosts(&mut self, now: Moment) {
        let (hosts, free) = (&mut self.hosts, &mut self.free_hosts);
        self.host_ids.retain(|_, index| {
            let host = &mut hosts[*index];
            let busy = !host.queue.is_empty() || !host.robots_jobs.is_empty() || host.politeness.in_flight() > 0;
            let waits = host.politeness.next_start().is_none_or(|start| start > now);
            if busy || waits || host.politeness.is_in_trouble() {
                return true;
            }
            host.origins.clear();
            free.push(*index);
            false
        });
    }

    /// Least time between two requests to a URL's host, Crawl-delay included.
    pub fn delay(&mut self, url: &Url) -> Duration {
        let host = self.host(url);
        self.hosts[host].politeness.delay()
    }

    /// Forgets URLs, and gives them: those of hosts that are another instance's now, or of a source that is no more. Visits
    /// under way end without being settled again.
    pub fn forget(&mut self, gone: impl Fn(&Url, SourceId) -> bool) -> Vec<Arc<Url>> {
        let mut forgotten = Vec::new();
        for id in 0..self.entries.len() {
            let entry = &self.entries[id];
            if !entry.gone && gone(&entry.url, entry.source) {
                forgotten.push(Arc::clone(&entry.url));
                self.forget_entry(id);
            }
        }
        self.clear_queues();
        for index in 0..self.hosts.len() {
            if self.hosts[index].queue.is_empty() {
                self.hosts[index].robots_jobs.clear();
                self.hosts[index].origins.clear();
                self.reschedule(index);
            }
        }
        forgotten
    }

    fn forget_entry(&mut self, id: EntryId) {
        let entry = &mut self.entries[id];
        self.ids.remove(entry.url.as_str());
        entry.gone = true;
        if entry.due != Moment::NEVER {
            self.open = self.open.saturating_sub(1);
            entry.due = Moment::NEVER;
        }
        if !entry.visiting {
            self.free.push(id);
        }
    }

    /// Takes forgotten entries out of the queues, where their places would pass for others'.
    fn clear_queues(&mut self) {
        for index in 0..self.hosts.len() {
            let entries = &self.entries;
            self.hosts[index].queue.retain(|item| !entries[item.0.3].gone);
            self.reschedule(index);
        }
    }

    /// Adds an entry without a visit planned, in the place of a forgotten one if there is any.
    pub(super) fn add(
        &mut self,
        url: Url,
        role: Role,
        source: SourceId,
        memory: Memory,
        visited: Moment,
    ) -> Option<EntryId> {
        if self.ids.len() >= self.bounds.urls {
            return None;
        }
        let text: Arc<str> = url.as_str().into();
        let entry = Entry {
            url: Arc::new(url),
            at: None,
            role,
            source,
            redirects: 0,
            due: Moment::NEVER,
            visiting: false,
            gone: false,
            visited,
            record: None,
            memory,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.ids.insert(text, id);
        Some(id)
    }
}
