//! The frontier's part in sharing hosts between instances: what comes with a partition, and what goes with one.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Entry, EntryId, Frontier, Memory, SourceId};
use crate::clock::Moment;
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

    /// Takes over what another process found on a visit of a known URL, unless it is being visited here.
    pub fn learn(&mut self, url: &Url, memory: Memory, due: Moment) {
        let Some(&id) = self.ids.get(url.as_str()) else { return };
        let entry = &mut self.entries[id];
        if entry.visiting {
            return;
        }
        entry.visited = memory.interval.map_or(Moment(0), |interval| due - interval);
        entry.memory = memory;
        if due != Moment::NEVER {
            self.plan(id, due);
        } else if entry.due != Moment::NEVER {
            entry.due = Moment::NEVER;
            self.open = self.open.saturating_sub(1);
        }
    }

    /// What a record about a known URL should say: what it is for, its source, what is remembered, and the next visit.
    #[must_use]
    pub fn record(&self, url: &Url) -> Option<(Role, SourceId, Memory, Moment)> {
        let entry = &self.entries[*self.ids.get(url.as_str())?];
        Some((entry.role, entry.source, entry.memory.clone(), entry.due))
    }

    /// Least time between two requests to a URL's host, Crawl-delay included.
    pub fn delay(&mut self, url: &Url) -> Duration {
        let host = self.host(url);
        self.hosts[host].politeness.delay()
    }

    /// Forgets URLs: those of hosts that are another instance's now, or of a source that is no more. Visits under way end without being settled again.
    pub fn forget(&mut self, gone: impl Fn(&Url, SourceId) -> bool) {
        for id in 0..self.entries.len() {
            let entry = &mut self.entries[id];
            if entry.gone || !gone(&entry.url, entry.source) {
                continue;
            }
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
        for index in 0..self.hosts.len() {
            let entries = &self.entries;
            self.hosts[index].queue.retain(|item| !entries[item.0.3].gone);
            if self.hosts[index].queue.is_empty() {
                self.hosts[index].robots_jobs.clear();
                self.hosts[index].origins.clear();
            }
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
