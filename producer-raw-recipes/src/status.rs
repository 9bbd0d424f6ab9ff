//! What the operator sees of each source: `/sources`, and the counters of the service.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use service_kit::{Counter, Handle};
use time::OffsetDateTime;

use crate::clock::Moment;
use crate::fetch_error::FetchError;
use crate::source::SourceSpec;

/// Pages that are remembered with their failure, for each source.
const LAST_FAILURES: usize = 10;

/// One source's state.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its web address or path.
    pub address: String,
    /// Pages it led to.
    pub pages: u64,
    /// Pages that went to `raw_recipes`, each visit that found something new counted.
    pub published: u64,
    /// Visits that found nothing new.
    pub unchanged: u64,
    /// Pages that will never be published; they went to `raw_recipes.dead` with the reason.
    pub dead_letters: u64,
    /// Visits that failed for good, by reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// The last failures.
    pub last_failures: Vec<LastFailure>,
    /// When the source itself, or for a folder one of its files, was last read.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_success: Option<OffsetDateTime>,
    /// When the source itself is visited next.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_visit: Option<OffsetDateTime>,
    /// No longer among the sources.
    #[serde(skip)]
    pub(crate) retired: bool,
}

/// A page that failed.
#[derive(Debug, Clone, Serialize)]
pub struct LastFailure {
    /// Its address.
    pub url: String,
    /// Why.
    pub reason: String,
}

impl SourceStatus {
    /// A source before its first visit.
    fn new(spec: &SourceSpec) -> Self {
        Self { name: spec.name.clone(), kind: spec.kind.name(), address: spec.address.clone(), ..Self::default() }
    }
}

/// The states of all sources, shared with whoever looks.
#[derive(Debug, Clone)]
pub struct Sources {
    states: Arc<Mutex<Vec<SourceStatus>>>,
    counters: Arc<Counters>,
}

struct Counters {
    pages: Counter,
    published: Counter,
    unchanged: Counter,
    dead_letters: Counter,
    failures: Counter,
    requests: Counter,
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}

impl Sources {
    /// The sources before their first visit. Counts into the handle too: `pages`, `published`, `unchanged`,
    /// `dead_letters`, `failures`, `requests`.
    #[must_use]
    pub fn new(specs: &[SourceSpec], handle: &Handle) -> Self {
        let counters = Counters {
            pages: handle.counter("pages"),
            published: handle.counter("published"),
            unchanged: handle.counter("unchanged"),
            dead_letters: handle.counter("dead_letters"),
            failures: handle.counter("failures"),
            requests: handle.counter("requests"),
        };
        let states = specs.iter().map(SourceStatus::new).collect();
        Self { states: Arc::new(Mutex::new(states)), counters: Arc::new(counters) }
    }

    /// The states as they are now, of sources that are still there.
    #[must_use]
    pub fn all(&self) -> Vec<SourceStatus> {
        self.states.lock().iter().filter(|status| !status.retired).cloned().collect()
    }

    /// Tells of each source what its pass brought.
    pub fn tell(&self) {
        for status in self.all() {
            let SourceStatus { name, pages, published, unchanged, dead_letters, failures, .. } = status;
            tracing::info!(source = name, pages, published, unchanged, dead_letters, ?failures, "source done");
        }
    }

    /// A source was added.
    pub(crate) fn add(&self, spec: &SourceSpec) {
        self.states.lock().push(SourceStatus::new(spec));
    }

    /// A source is no more.
    pub(crate) fn retire(&self, source: usize) {
        self.change(source, |status| status.retired = true);
    }

    pub(crate) fn pages(&self, source: usize) -> u64 {
        self.states.lock().get(source).map_or(0, |status| status.pages)
    }

    pub(crate) fn requested(&self) {
        self.counters.requests.add(1);
    }

    pub(crate) fn found(&self, source: usize, pages: u64) {
        self.counters.pages.add(pages);
        self.change(source, |status| status.pages += pages);
    }

    pub(crate) fn published(&self, source: usize) {
        self.counters.published.add(1);
        self.change(source, |status| {
            status.published += 1;
            visited(&status.name, "published");
        });
    }

    pub(crate) fn unchanged(&self, source: usize) {
        self.counters.unchanged.add(1);
        self.change(source, |status| {
            status.unchanged += 1;
            visited(&status.name, "unchanged");
        });
    }

    pub(crate) fn dead_letter(&self, source: usize) {
        self.counters.dead_letters.add(1);
        self.change(source, |status| {
            status.dead_letters += 1;
            visited(&status.name, "dead_letter");
        });
    }

    pub(crate) fn failed(&self, source: usize, url: &str, error: &FetchError) {
        self.counters.failures.add(1);
        self.change(source, |status| {
            visited(&status.name, "failed");
            metrics::counter!("pipeline_fetch_failures_total", "source" => status.name.clone(), "reason" => error.label())
                .increment(1);
            *status.failures.entry(error.label()).or_default() += 1;
            if status.last_failures.len() == LAST_FAILURES {
                status.last_failures.remove(0);
            }
            status.last_failures.push(LastFailure { url: url.to_owned(), reason: error.to_string() });
        });
    }

    pub(crate) fn read(&self, source: usize, next: Moment) {
        self.change(source, |status| {
            status.last_success = Some(OffsetDateTime::now_utc());
            status.next_visit = next.date();
        });
    }

    /// A source was read by an earlier process.
    pub(crate) fn known(&self, source: usize, last: Moment, next: Moment) {
        self.change(source, |status| {
            status.last_success = last.date();
            status.next_visit = next.date();
        });
    }

    fn change(&self, source: usize, change: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = self.states.lock().get_mut(source) {
            change(status);
        }
    }
}

/// Counts a visit of a source by what came of it: `pipeline_source_visits_total{source, outcome}`.
fn visited(source: &str, outcome: &'static str) {
    metrics::counter!("pipeline_source_visits_total", "source" => source.to_owned(), "outcome" => outcome).increment(1);
}
