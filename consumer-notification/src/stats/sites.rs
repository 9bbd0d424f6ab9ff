//! The newest statistics of all sites, for the live page and for rules.

use std::collections::{BTreeMap, HashMap};

use parking_lot::{Mutex, RwLock};
use recipes::SiteStats;
use service_kit::kafka::Record;
use tracing::warn;

use crate::stats::window::{SiteNumbers, Windows, minute_of};

/// What `recipe_stats` says, as far as it was read, and the alerts it does not tell of yet. Every notifier has all sites
/// here.
#[derive(Debug, Default)]
pub struct Sites {
    windows: RwLock<Windows>,
    raised: Mutex<Raised>,
}

/// Alerts that this process raised in the last hour, by site and minute since 1970.
#[derive(Debug, Default)]
struct Raised {
    newest: i64,
    sites: HashMap<Box<str>, BTreeMap<i64, u32>>,
}

impl Sites {
    /// Takes a record of `recipe_stats`; it may be read twice and out of order.
    pub fn take(&self, record: &Record) {
        let Some(value) = &record.value else { return };
        match SiteStats::from_json(value) {
            Ok(stats) => self.windows.write().restore(stats),
            Err(error) => warn!(topic = %record.place, offset = record.offset, %error, "statistics ignored"),
        }
    }

    /// Looks at the windows of all sites.
    pub fn look<T>(&self, at: impl FnOnce(&Windows) -> T) -> T {
        at(&self.windows.read())
    }

    /// A site's sixty minutes up to that moment, for rules. Alerts of this process count from the moment they are raised:
    /// a burst of recipes does not outrun the statistics.
    #[must_use]
    pub fn numbers(&self, site: &str, now_ms: i64) -> SiteNumbers {
        let windows = self.windows.read();
        let mut numbers = windows.last_hour(site, now_ms);
        let raised = self.raised.lock();
        let last = minute_of(now_ms);
        for (minute, count) in raised.sites.get(site).into_iter().flat_map(|minutes| minutes.range(last - 59..=last)) {
            numbers.alerts_last_hour += u64::from(count.saturating_sub(windows.alerts_at(site, *minute)));
        }
        numbers
    }

    /// Notes alerts for a site's recipes.
    pub fn raise(&self, site: &str, alerts: u32, now_ms: i64) {
        let mut raised = self.raised.lock();
        let minute = minute_of(now_ms);
        if minute > raised.newest {
            raised.newest = minute;
            raised.sites.retain(|_, minutes| {
                minutes.retain(|at, _| *at > minute - 60);
                !minutes.is_empty()
            });
        }
        match raised.sites.get_mut(site) {
            Some(minutes) => *minutes.entry(minute).or_default() += alerts,
            None => drop(raised.sites.insert(site.into(), BTreeMap::from([(minute, alerts)]))),
        }
    }

    /// Forgets what was noted by [`Sites::raise`]: some of it was rolled back, and `recipe_stats` tells of the rest.
    pub fn forget_raised(&self) {
        self.raised.lock().sites.clear();
    }
}

#[cfg(test)]
mod tests {
    use recipes::{SiteEvent, SiteEventKind};
    use service_kit::kafka::Place;
    use time::macros::datetime;

    use super::*;
    use crate::stats::window::milliseconds;

    #[test]
    fn alerts_count_once_whether_the_statistics_tell_of_them_yet_or_not() {
        let (sites, start) = (Sites::default(), datetime!(2026-11-21 12:00 UTC));
        let now = milliseconds(start) + 30 * 60_000;
        sites.raise("a", 3, now);
        assert_eq!((sites.numbers("a", now).alerts_last_hour, sites.numbers("b", now).alerts_last_hour), (3, 0));
        let mut stats = SiteStats::new("a", start);
        let event = SiteEvent { kind: SiteEventKind::Alert, at: start, calories: None };
        let told = |stats: &SiteStats| {
            let (place, value) = (Place::new("recipe_stats", 0), Some(stats.to_json().unwrap()));
            sites.take(&Record { place, offset: 0, timestamp_ms: 0, key: None, value, headers: Vec::new() });
            sites.numbers("a", now).alerts_last_hour
        };
        stats.count(&event, 30);
        let older = stats.clone();
        stats.count(&event, 30);
        assert_eq!(told(&stats), 3, "two of the three");
        // Two more, of another instance.
        for minute in [30, 30, 29] {
            stats.count(&event, minute);
        }
        assert_eq!((told(&stats), told(&older)), (5, 5));
        assert_eq!(sites.numbers("a", now + 60 * 60_000).alerts_last_hour, 0);
        sites.raise("b", 1, now + 60 * 60_000);
        assert_eq!(sites.raised.lock().sites.len(), 1, "an hour later nothing of it is kept");
    }
}
