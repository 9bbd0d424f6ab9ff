//! The sources, as producers tell of them on `crawl_sources`.

use std::collections::{BTreeMap, HashMap};

use recipes::SourceReport;
use serde::Serialize;
use service_kit::kafka::Record;
use time::{Duration, OffsetDateTime};

use crate::page::feed::{shown, stamp};

/// Reports that are kept.
const KEPT: usize = 2000;
/// Sources that are shown.
const MOST: usize = 100;
/// How much older than a source's newest report another may be. Producers renew theirs once a minute; an older one is of a
/// producer that is gone.
const SILENCE: Duration = Duration::minutes(3);

/// A source as it is shown: the sum of what the producers that share it tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceEntry {
    /// Its name.
    pub source: String,
    /// Its kind.
    pub kind: String,
    /// Its address.
    pub address: String,
    /// Producers that tell of it.
    pub producers: usize,
    /// Pages it led to.
    pub pages: u64,
    /// Pages that were published.
    pub published: u64,
    /// Visits that found nothing new.
    pub unchanged: u64,
    /// Pages that were given up.
    pub dead_letters: u64,
    /// Visits that failed.
    pub failed: u64,
    /// The same by reason, `3 timeout, 1 http_404`; empty without one.
    pub failures: String,
    /// The last failure, with its page.
    pub last_failure: String,
    /// When it was last read, RFC 3339; empty for never.
    pub last_success: String,
    /// The same, `13:30:05`.
    pub last_success_clock: String,
    /// When it is visited next, RFC 3339; empty for never.
    pub next_visit: String,
    /// The same, `13:30:05`.
    pub next_visit_clock: String,
}

/// The newest report of each source and producer.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    by_key: HashMap<String, SourceReport>,
}

impl Reports {
    /// Takes a record of `crawl_sources`.
    pub(crate) fn take(&mut self, record: &Record) {
        let key = record.key_text();
        let Some(value) = &record.value else {
            self.by_key.remove(&*key);
            return;
        };
        let Ok(report) = SourceReport::from_json(value) else { return };
        if self.by_key.len() < KEPT || self.by_key.contains_key(&*key) {
            self.by_key.insert(key.into_owned(), report);
        }
    }

    /// The sources by name.
    pub(crate) fn entries(&self) -> Vec<SourceEntry> {
        let mut sources: BTreeMap<&str, Vec<&SourceReport>> = BTreeMap::new();
        for report in self.by_key.values() {
            sources.entry(&report.source).or_default().push(report);
        }
        sources.into_values().take(MOST).map(|reports| entry(&reports)).collect()
    }
}

fn entry(reports: &[&SourceReport]) -> SourceEntry {
    let newest = reports.iter().filter_map(|report| report.reported_at).max();
    let lives =
        |report: &&&SourceReport| newest.zip(report.reported_at).is_none_or(|(newest, at)| newest - at <= SILENCE);
    let mut reports: Vec<&SourceReport> = reports.iter().filter(lives).copied().collect();
    // Whoever read it last knows when it is visited next.
    reports.sort_by_key(|report| (report.last_success, report.reported_at));
    let (mut entry, mut failures) = (SourceEntry::default(), BTreeMap::<&str, u64>::new());
    for report in &reports {
        entry.pages += report.pages;
        entry.published += report.published;
        entry.unchanged += report.unchanged;
        entry.dead_letters += report.dead_letters;
        for (reason, count) in &report.failures {
            *failures.entry(reason).or_default() += count;
            entry.failed += count;
        }
        if let Some(last) = &report.last_failure {
            entry.last_failure = shown(&format!("{}: {}", last.reason, last.url));
        }
    }
    if let Some(report) = reports.last() {
        entry.source = shown(&report.source);
        entry.kind = shown(&report.kind);
        entry.address = shown(&report.address);
        (entry.last_success, entry.last_success_clock) = moment(report.last_success);
        (entry.next_visit, entry.next_visit_clock) = moment(report.next_visit);
    }
    let failures: Vec<String> = failures.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    entry.failures = shown(&failures.join(", "));
    entry.producers = reports.len();
    entry
}

fn moment(at: Option<OffsetDateTime>) -> (String, String) {
    at.map(stamp).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use recipes::SourceFailure;
    use service_kit::kafka::Place;
    use time::macros::datetime;

    use super::*;

    fn record(report: &SourceReport, value: Option<Vec<u8>>) -> Record {
        let (place, key) = (Place::new("crawl_sources", 0), Some(report.key().into_bytes()));
        Record { place, offset: 0, timestamp_ms: 0, key, value, headers: Vec::new() }
    }

    #[test]
    fn a_source_is_the_sum_of_the_producers_that_live() {
        let now = datetime!(2026-11-21 12:00 UTC);
        let report = |instance: &str, pages, age| SourceReport {
            source: "site".to_owned(),
            instance: instance.to_owned(),
            pages,
            failures: BTreeMap::from([("timeout".to_owned(), 1)]),
            reported_at: Some(now - age),
            ..SourceReport::default()
        };
        let mut reader = report("a", 3, Duration::ZERO);
        reader.last_success = Some(now - Duration::minutes(5));
        reader.next_visit = Some(now + Duration::hours(1));
        reader.last_failure = Some(SourceFailure { url: "http://x/".to_owned(), reason: "no answer".to_owned() });
        let (other, gone) = (report("b", 4, Duration::minutes(1)), report("c", 100, Duration::minutes(10)));
        let mut reports = Reports::default();
        for report in [&reader, &other, &gone] {
            reports.take(&record(report, report.to_json().ok()));
        }
        let entries = reports.entries();
        let [entry] = &*entries else { panic!("{entries:?}") };
        assert_eq!((entry.pages, entry.producers, &*entry.failures), (7, 2, "2 timeout"));
        assert_eq!((&*entry.next_visit, &*entry.last_failure), ("2026-11-21T13:00:00Z", "no answer: http://x/"));
        for report in [&reader, &other, &gone] {
            reports.take(&record(report, None));
        }
        assert_eq!(reports.entries(), []);
    }
}
