//! The sites of the last day.

use std::cmp::Reverse;

use recipes::SiteStats;
use serde::Serialize;
use time::OffsetDateTime;

use crate::page::feed::shown;
use crate::stats::Sites;
use crate::stats::window::{SiteNumbers, milliseconds};
use crate::text;

/// Sites that are shown; those with most alerts.
const MOST: usize = 20;
/// Height of the highest bar of a site's histogram.
const HIGHEST: u64 = 16;

/// A site as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteEntry {
    /// Host name.
    pub site: String,
    /// Alerts in the last sixty minutes.
    pub alerts_last_hour: u64,
    /// Recipes in the last sixty minutes.
    pub recipes_last_hour: u64,
    /// Pages of the last sixty minutes that could not be read.
    pub failures_last_hour: u64,
    /// Mean kcal a serving of its newest hour's recipes; empty where none says it.
    pub mean_kcal: String,
    /// Recipes of that hour in bars of 100 kcal, in [`HIGHEST`]ths of the highest.
    pub bars: Vec<u64>,
    /// When its newest hour began, RFC 3339.
    pub start: String,
}

/// The sites with most alerts first.
pub(crate) fn entries(sites: &Sites, now: OffsetDateTime) -> Vec<SiteEntry> {
    let now_ms = milliseconds(now);
    let rank = |numbers: &SiteNumbers| {
        Reverse((numbers.alerts_last_hour, numbers.failures_last_hour, numbers.recipes_last_hour))
    };
    sites.look(|windows| {
        let mut all: Vec<_> = windows.newest().map(|stats| (stats, windows.last_hour(&stats.site, now_ms))).collect();
        all.sort_by_key(|(stats, numbers)| (rank(numbers), Reverse(stats.start), &*stats.site));
        all.iter().take(MOST).map(|(stats, numbers)| entry(stats, *numbers)).collect()
    })
}

fn entry(stats: &SiteStats, numbers: SiteNumbers) -> SiteEntry {
    let SiteNumbers { alerts_last_hour, recipes_last_hour, failures_last_hour, mean_calories } = numbers;
    let highest = stats.kcal_histogram.iter().copied().max().unwrap_or(0).max(1);
    SiteEntry {
        site: shown(&stats.site),
        alerts_last_hour,
        recipes_last_hour,
        failures_last_hour,
        mean_kcal: mean_calories.map(|kcal| text::number(kcal.round())).unwrap_or_default(),
        bars: stats.kcal_histogram.iter().map(|count| (count * HIGHEST).div_ceil(highest)).collect(),
        start: stats.start.format(&time::format_description::well_known::Rfc3339).unwrap_or_default(),
    }
}
