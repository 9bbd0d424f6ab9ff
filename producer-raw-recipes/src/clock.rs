//! Time as the crawl counts it: milliseconds since the Unix epoch that never run backwards while the process lives.
//!
//! State machines take a [`Moment`] and never ask for the time themselves, so tests run them by the thousand.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Later than all others: a visit that is not planned.
    pub const NEVER: Self = Self(u64::MAX);

    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment as a date; none for [`Moment::NEVER`] and others past the year 9999.
    #[must_use]
    pub fn date(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(date: OffsetDateTime) -> Self {
        Self(u64::try_from(date.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(before.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The process's clock: the wall clock at its start plus the monotonic time since, so that a clock set back or forth
/// neither hurries nor stalls a host.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Moment,
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { epoch: Moment(0) + since_epoch, start: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.epoch + self.start.elapsed()
    }
}
