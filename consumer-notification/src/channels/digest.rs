//! When digests are sent.

use std::time::Duration;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The moments at which digests are sent.
#[derive(Debug, Clone)]
pub struct Schedule {
    source: String,
    cron: Cron,
    zone: TimeZone,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, &self.zone) == (&other.source, &other.zone)
    }
}

impl Schedule {
    /// Reads `hourly` (at the full hour), `daily` (at eight in the morning), or five fields of cron.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let pattern = match text.trim() {
            "hourly" => "0 * * * *",
            "daily" => "0 8 * * *",
            pattern => pattern,
        };
        let cron = pattern.parse::<Cron>().map_err(|error| {
            format!("expected hourly, daily, or a cron line of five fields as in \"30 7 * * MON-FRI\" ({error})")
        })?;
        Ok(Self { source: text.to_owned(), cron, zone })
    }

    /// From that moment until the next digest; an hour where the line names no moment at all.
    #[must_use]
    pub fn until_next(&self, now: Timestamp) -> Duration {
        let next = self.cron.find_next_occurrence(&now.to_zoned(self.zone.clone()), false);
        let wait = next.ok().map(|next| next.timestamp().duration_since(now));
        wait.and_then(|wait| wait.try_into().ok()).unwrap_or(Duration::from_secs(3600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_due_by_the_clock_of_their_zone() {
        let now: Timestamp = "2026-01-10T06:30:00Z".parse().unwrap();
        let wait = |text: &str, zone: &str| {
            Schedule::parse(text, TimeZone::get(zone).unwrap()).unwrap().until_next(now).as_secs() / 60
        };
        assert_eq!((wait("hourly", "UTC"), wait("daily", "UTC"), wait("daily", "Europe/Vienna")), (30, 90, 30));
        assert_eq!(wait("45 6 * * *", "UTC"), 15);
        assert!(Schedule::parse("sometimes", TimeZone::UTC).is_err());
    }
}
