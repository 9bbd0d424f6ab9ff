//! How many connections come in a second. Source: `Rate`, `QuotaUtils.throttleTime`.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Samples that a rate is measured over (`quota.window.num`), of a second each.
const WINDOWS: u32 = 11;
const WINDOW: Duration = Duration::from_secs(1);

/// Connections by the second they came in: the first seconds count as if a whole measurement had passed, so that a burst
/// after silence goes through.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<(Instant, u32)>);

impl Rate {
    /// Counts one, and says how long until the rate is down to `limit` a second; a second at most.
    pub(super) fn record(&mut self, now: Instant, limit: i32) -> Duration {
        while self.0.front().is_some_and(|(begun, _)| now - *begun >= WINDOW * WINDOWS) {
            self.0.pop_front();
        }
        match self.0.back_mut().filter(|(begun, _)| now - *begun < WINDOW) {
            Some((_, count)) => *count += 1,
            None => self.0.push_back((now, 1)),
        }
        if limit == i32::MAX {
            return Duration::ZERO;
        }
        let since = self.0.front().map_or(Duration::ZERO, |(begun, _)| now - *begun);
        let seconds = since.max(WINDOW * (WINDOWS - 1)).as_secs_f64();
        let total: u32 = self.0.iter().map(|(_, count)| count).sum();
        let (rate, limit) = (f64::from(total) / seconds, f64::from(limit.max(0)));
        if rate <= limit {
            return Duration::ZERO;
        }
        WINDOW.min(Duration::try_from_secs_f64((rate - limit) / limit * seconds).unwrap_or(WINDOW))
    }

    /// Takes back the one that was counted last.
    pub(super) fn take_back(&mut self) {
        if let Some((_, count)) = self.0.back_mut() {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether nothing was counted for as long as is remembered.
    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        self.0.back().is_none_or(|(begun, _)| now - *begun >= WINDOW * WINDOWS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_and_what_is_above_the_rate_waits() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        for at in 0..50 {
            assert_eq!(rate.record(start, 5), Duration::ZERO, "connection {at} of the burst");
        }
        let wait = rate.record(start, 5);
        assert!(wait > Duration::from_millis(100) && wait <= WINDOW, "{wait:?}");
        rate.take_back();
        assert_eq!(rate.record(start, 5), wait, "what was taken back does not count");
        assert!(!rate.is_forgotten(start) && rate.is_forgotten(start + Duration::from_secs(30)));
        assert_eq!(rate.record(start + Duration::from_secs(30), 5), Duration::ZERO, "it is forgotten in time");
        assert_eq!(rate.record(start + Duration::from_secs(30), 0), WINDOW, "none at all");
    }
}
