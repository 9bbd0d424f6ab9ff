//! Windows of event time: what happened on a site in each hour, and in the last one.
//!
//! Tumbling windows of one hour are counted by the time of the events, not by that of reading them. A window takes late
//! events until the newest event of its partition is [`GRACE_MS`] past its end; then it is closed and forgotten, and what
//! comes later still is only counted as late. Each hour keeps its counts by the minute, from which the sliding hour is
//! summed.
//!
//! ```text
//!            10:00          11:00          12:00    …    11:00 next day
//!  10 o'clock: ├──────────────┤· · · · · · · · · · · · · · ┤ closed
//!  sliding hour at 11:25:  ├──────────────┤
//! ```
//!
//! The grace is a day because the topics that events come from are read side by side: after an outage the backlog of one
//! may be through before the other's begins, and its events are then late by the length of the outage.

use std::collections::{BTreeMap, HashMap};

use recipes::{MINUTES, SiteEvent, SiteStats};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Length of a window in milliseconds.
pub const SIZE_MS: i64 = 3_600_000;
/// How long after its end a window takes late events, in milliseconds. Whole hours: whether a window is closed then
/// depends on the hour of the newest event alone, which is known after a restart too.
pub const GRACE_MS: i64 = 24 * SIZE_MS;
const MINUTE_MS: i64 = 60_000;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It counts in the window that begins then.
    Counted(i64),
    /// Its window is closed.
    Late,
}

/// What a site's last hour comes to; `stats` in rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteNumbers {
    /// Alerts for its recipes in the sixty minutes up to now.
    pub alerts_last_hour: u64,
    /// Recipes read in the sixty minutes up to now.
    pub recipes_last_hour: u64,
    /// Pages that could not be read in the sixty minutes up to now.
    pub failures_last_hour: u64,
    /// Mean kcal a serving of its newest hour's recipes.
    pub mean_calories: Option<f64>,
}

impl SiteNumbers {
    /// The names rules know them by.
    pub const NAMES: [&str; 4] = ["alerts_last_hour", "recipes_last_hour", "failures_last_hour", "mean_calories"];

    /// Numbers of a site that has them all, to try rules on.
    pub const PROBE: Self =
        Self { alerts_last_hour: 1, recipes_last_hour: 1, failures_last_hour: 1, mean_calories: Some(1.0) };
}

/// The open windows of sites.
#[derive(Debug, Default)]
pub struct Windows {
    /// Beginning of the newest event's hour.
    newest_hour: i64,
    /// The same when closed windows were last forgotten.
    forgotten_hour: i64,
    sites: HashMap<Box<str>, Site>,
}

#[derive(Debug, Default)]
struct Site {
    /// Newest event, to the minute where it was read back.
    newest_ms: i64,
    hours: BTreeMap<i64, SiteStats>,
}

impl Windows {
    /// Counts an event.
    pub fn add(&mut self, site: &str, event: &SiteEvent) -> Added {
        let at_ms = milliseconds(event.at);
        let start = hour_of(at_ms);
        let Ok(begins) = OffsetDateTime::from_unix_timestamp(start / 1000) else { return Added::Late };
        self.newest_hour = self.newest_hour.max(start);
        if self.is_closed(start) {
            return Added::Late;
        }
        let site_windows = self.site(site);
        site_windows.newest_ms = site_windows.newest_ms.max(at_ms);
        let stats = site_windows.hours.entry(start).or_insert_with(|| SiteStats::new(site, begins));
        stats.count(event, usize::try_from((at_ms - start) / MINUTE_MS).unwrap_or(0));
        Added::Counted(start)
    }

    /// Takes over a window as it was written; of several for one hour the one that counts most, which is the newest.
    pub fn restore(&mut self, stats: SiteStats) {
        let start = hour_of(milliseconds(stats.start));
        self.newest_hour = self.newest_hour.max(start);
        self.forget_closed();
        if self.is_closed(start) {
            return;
        }
        let minutes = [&stats.recipes_by_minute, &stats.failures_by_minute, &stats.alerts_by_minute];
        let last = minutes.into_iter().filter_map(|counts| counts.iter().rposition(|count| *count > 0)).max();
        let newest = start + i64::try_from(last.unwrap_or(0)).unwrap_or(0) * MINUTE_MS;
        let site = self.site(&stats.site);
        site.newest_ms = site.newest_ms.max(newest);
        let total = |stats: &SiteStats| stats.recipes + stats.failures + stats.alerts;
        if site.hours.get(&start).is_none_or(|known| total(known) <= total(&stats)) {
            site.hours.insert(start, stats);
        }
    }

    /// Forgets the windows that the time of the events has closed; once they are written.
    pub fn forget_closed(&mut self) {
        if self.forgotten_hour == self.newest_hour {
            return;
        }
        let hour = self.newest_hour;
        self.forgotten_hour = hour;
        self.sites.retain(|_, site| {
            site.hours.retain(|start, _| *start + SIZE_MS + GRACE_MS > hour);
            !site.hours.is_empty()
        });
    }

    /// One window.
    #[must_use]
    pub fn get(&self, site: &str, start_ms: i64) -> Option<&SiteStats> {
        self.sites.get(site)?.hours.get(&start_ms)
    }

    /// Whether anything is known of a site.
    #[must_use]
    pub fn knows(&self, site: &str) -> bool {
        self.sites.contains_key(site)
    }

    /// Each site with its newest window.
    pub fn newest(&self) -> impl Iterator<Item = &SiteStats> {
        self.sites.values().filter_map(|site| site.hours.values().next_back())
    }

    /// The hour up to a site's own newest event, to the minute.
    #[must_use]
    pub fn at_newest(&self, site: &str) -> SiteNumbers {
        self.sites.get(site).map_or_else(SiteNumbers::default, |known| self.last_hour(site, known.newest_ms))
    }

    /// The hour of a site up to that moment, to the minute.
    #[must_use]
    pub fn last_hour(&self, site: &str, now_ms: i64) -> SiteNumbers {
        let Some(site) = self.sites.get(site) else { return SiteNumbers::default() };
        let sum = |counts: fn(&SiteStats) -> &[u32]| -> u64 {
            site.minutes(now_ms, counts).map(|(_, count)| u64::from(count)).sum()
        };
        SiteNumbers {
            alerts_last_hour: sum(|stats| &stats.alerts_by_minute),
            recipes_last_hour: sum(|stats| &stats.recipes_by_minute),
            failures_last_hour: sum(|stats| &stats.failures_by_minute),
            mean_calories: site.hours.values().next_back().and_then(SiteStats::mean_kcal),
        }
    }

    /// Alerts of a site in that minute since 1970.
    #[must_use]
    pub fn alerts_at(&self, site: &str, minute: i64) -> u32 {
        let at_ms = minute * MINUTE_MS;
        let stats = self.get(site, hour_of(at_ms));
        let index = usize::try_from((at_ms - hour_of(at_ms)) / MINUTE_MS).unwrap_or(0);
        stats.and_then(|stats| stats.alerts_by_minute.get(index)).copied().unwrap_or(0)
    }

    fn site(&mut self, site: &str) -> &mut Site {
        if !self.sites.contains_key(site) {
            self.sites.insert(site.into(), Site::default());
        }
        self.sites.entry(site.into()).or_default()
    }

    const fn is_closed(&self, start_ms: i64) -> bool {
        start_ms + SIZE_MS + GRACE_MS <= self.newest_hour
    }
}

impl Site {
    /// Counts of the sixty minutes up to that moment, each with its minute since 1970.
    fn minutes(&self, now_ms: i64, counts: fn(&SiteStats) -> &[u32]) -> impl Iterator<Item = (i64, u32)> {
        let last = minute_of(now_ms);
        let first = last - 59;
        let hours = self.hours.range(hour_of(first * MINUTE_MS)..=now_ms);
        let all = hours.flat_map(move |(start, stats)| (start / MINUTE_MS..).zip(counts(stats).iter().copied()));
        all.filter(move |(minute, _)| (first..=last).contains(minute))
    }
}

const _: () = assert!(MINUTES == 60, "a window has sixty minutes");

fn hour_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(SIZE_MS) * SIZE_MS
}

/// The minute since 1970 of a moment in milliseconds.
#[must_use]
pub const fn minute_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(MINUTE_MS)
}

/// Milliseconds since 1970.
#[must_use]
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1000 + i64::from(at.millisecond())
}

#[cfg(test)]
mod tests {
    use recipes::SiteEventKind;

    use super::*;

    const HOUR: i64 = SIZE_MS;
    const MINUTE: i64 = MINUTE_MS;
    const ALERT: SiteEventKind = SiteEventKind::Alert;

    fn event(at_ms: i64, kind: SiteEventKind, calories: Option<f64>) -> SiteEvent {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap();
        SiteEvent { kind, at, calories }
    }

    #[test]
    fn events_count_in_the_hour_they_happened_in() {
        let mut windows = Windows::default();
        for calories in [Some(250.0), None] {
            windows.add("a", &event(10 * HOUR + 1, SiteEventKind::Recipe, calories));
        }
        windows.add("a", &event(11 * HOUR, SiteEventKind::Failure, None));
        windows.add("b", &event(10 * HOUR + 3, SiteEventKind::Recipe, Some(99_999.0)));
        let ten = windows.get("a", 10 * HOUR).unwrap();
        assert_eq!((ten.recipes, ten.no_calories, ten.kcal, ten.kcal_histogram[2], ten.failures), (2, 1, 250.0, 1, 0));
        assert_eq!(ten.key(), "a 1970-01-01T10:00:00.000Z");
        assert_eq!(windows.get("a", 11 * HOUR).unwrap().failures, 1);
        assert_eq!(windows.get("b", 10 * HOUR).unwrap().kcal_histogram[11], 1);
    }

    #[test]
    fn late_events_count_until_the_grace_is_over() {
        let mut windows = Windows::default();
        windows.add("a", &event(11 * HOUR + GRACE_MS - 1, ALERT, None));
        assert_eq!(windows.add("a", &event(10 * HOUR, ALERT, None)), Added::Counted(10 * HOUR));
        assert_eq!(windows.get("a", 10 * HOUR).unwrap().alerts, 1);
        windows.add("b", &event(11 * HOUR + GRACE_MS, ALERT, None));
        assert_eq!(windows.add("a", &event(11 * HOUR - 1, ALERT, None)), Added::Late);
        windows.forget_closed();
        assert_eq!(windows.get("a", 10 * HOUR), None, "closed windows take no memory");
        assert_eq!(windows.add("a", &event(11 * HOUR, ALERT, None)), Added::Counted(11 * HOUR));
    }

    #[test]
    fn the_last_hour_slides_over_the_windows() {
        let mut windows = Windows::default();
        for minute in 0..90 {
            windows.add("a", &event(10 * HOUR + minute * MINUTE, ALERT, None));
        }
        windows.add("a", &event(11 * HOUR, SiteEventKind::Failure, None));
        let alerts = |minute: i64| windows.last_hour("a", 10 * HOUR + minute * MINUTE).alerts_last_hour;
        assert_eq!([alerts(0), alerts(59), alerts(89), alerts(119), alerts(149)], [1, 60, 60, 30, 0]);
        assert_eq!(windows.at_newest("a").alerts_last_hour, 60);
        assert_eq!(windows.at_newest("a").failures_last_hour, 1);
        assert_eq!(windows.at_newest("b"), SiteNumbers::default());
    }

    #[test]
    fn windows_read_back_are_those_that_were_written() {
        let mut before = Windows::default();
        for minute in [0, 30, 59, 61, 95] {
            before.add("a", &event(10 * HOUR + minute * MINUTE, ALERT, None));
            before.add("a", &event(10 * HOUR + minute * MINUTE, SiteEventKind::Recipe, Some(100.5)));
        }
        let mut after = Windows::default();
        for hour in [11, 10] {
            let json = before.get("a", hour * HOUR).unwrap().to_json().unwrap();
            after.restore(SiteStats::from_json(&json).unwrap());
        }
        assert_eq!(after.at_newest("a"), before.at_newest("a"));
        assert_eq!(after.get("a", 10 * HOUR), before.get("a", 10 * HOUR));
        // What is closed is not read back, and stays closed.
        after.add("b", &event(11 * HOUR + GRACE_MS, ALERT, None));
        after.restore(before.get("a", 10 * HOUR).unwrap().clone());
        assert_eq!(after.get("a", 10 * HOUR), None);
    }
}
