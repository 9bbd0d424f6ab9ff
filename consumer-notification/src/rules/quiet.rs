//! Hours in which alerts are recorded and wake nobody.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use time::OffsetDateTime;

/// A time of the day until another, which may be past midnight, in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    /// Minutes since midnight; the first of them is quiet.
    from: u16,
    /// Minutes since midnight; no longer quiet.
    to: u16,
    zone: TimeZone,
}

impl QuietHours {
    /// Reads `22:00-07:00`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let wrong = || "expected two times of day, as in \"22:00-07:00\"".to_owned();
        let minutes = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (hour <= 24 && minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minutes(from).ok_or_else(wrong)?, minutes(to).ok_or_else(wrong)?);
        if from == to { Err("begins when it ends".to_owned()) } else { Ok(Self { from, to, zone }) }
    }

    /// Whether it is quiet at that moment.
    #[must_use]
    pub fn contains(&self, at: OffsetDateTime) -> bool {
        let Ok(at) = Timestamp::from_second(at.unix_timestamp()) else { return false };
        let at = at.to_zoned(self.zone.clone());
        let minute = at.hour().unsigned_abs() as u16 * 60 + at.minute().unsigned_abs() as u16;
        match self.from < self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn hours(text: &str, zone: &str) -> QuietHours {
        QuietHours::parse(text, TimeZone::get(zone).unwrap()).unwrap()
    }

    #[test]
    fn quiet_hours_may_reach_over_midnight_and_follow_the_zone() {
        let night = hours("22:00-07:00", "Europe/Vienna");
        // One hour ahead of UTC in winter, two in summer.
        assert!(!night.contains(datetime!(2026-01-10 20:59 UTC)) && night.contains(datetime!(2026-01-10 21:00 UTC)));
        assert!(night.contains(datetime!(2026-01-11 05:59 UTC)) && !night.contains(datetime!(2026-01-11 06:00 UTC)));
        assert!(night.contains(datetime!(2026-07-10 20:00 UTC)) && !night.contains(datetime!(2026-07-11 05:00 UTC)));
        let noon = hours("12:00-13:30", "UTC");
        assert!(noon.contains(datetime!(2026-01-10 13:29 UTC)) && !noon.contains(datetime!(2026-01-10 13:30 UTC)));
        assert!(hours("00:00-24:00", "UTC").contains(datetime!(2026-01-10 23:59 UTC)));
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for text in ["22:00", "25:00-07:00", "22:00-22:00", "night", "24:30-01:00", "22-7"] {
            assert!(QuietHours::parse(text, TimeZone::UTC).is_err(), "{text}");
        }
    }
}
