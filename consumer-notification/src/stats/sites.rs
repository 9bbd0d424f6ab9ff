//! The newest statistics of all sites, for the live page and for rules.

use parking_lot::RwLock;
use recipes::SiteStats;
use service_kit::kafka::Record;
use tracing::warn;

use crate::stats::window::Windows;

/// What `recipe_stats` says, as far as it was read. Every notifier has all sites here.
#[derive(Debug, Default)]
pub struct Sites {
    windows: RwLock<Windows>,
}

impl Sites {
    /// Takes a record of `recipe_stats`.
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
}
