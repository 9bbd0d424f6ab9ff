//! A channel's rate limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// At most so many in any stretch of time of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    most: usize,
    period: Duration,
}

impl Rate {
    /// Reads `30/m` or `5/s`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected a number a second or a minute, 1 to 10000, as in \"30/m\"".to_owned();
        let (most, unit) = text.split_once('/').ok_or_else(wrong)?;
        let period = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            _ => return Err(wrong()),
        };
        let most = most.trim().parse().ok().filter(|most| (1..=10_000).contains(most)).ok_or_else(wrong)?;
        Ok(Self { most, period })
    }
}

/// Keeps a rate.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    sent: VecDeque<Instant>,
}

impl Pace {
    /// Nothing was sent so far.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate, sent: VecDeque::new() }
    }

    /// How long to wait before the next; none when it can go now, which is noted.
    pub fn next(&mut self, now: Instant) -> Option<Duration> {
        if self.sent.len() == self.rate.most {
            let free = self.sent.front().map(|first| *first + self.rate.period)?;
            if free > now {
                return Some(free - now);
            }
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_holds_more_than_the_rate() {
        let mut pace = Pace::new(Rate::parse("3/s").unwrap());
        let began = Instant::now();
        let mut sent = Vec::new();
        for ms in 0..5000 {
            let now = began + Duration::from_millis(ms);
            if pace.next(now).is_none() {
                sent.push(ms);
            }
        }
        assert_eq!(sent.len(), 15);
        assert!(sent.windows(4).all(|four| four[3] - four[0] >= 1000), "{sent:?}");
        assert!(Rate::parse("3/h").is_err() && Rate::parse("0/s").is_err() && Rate::parse("many").is_err());
    }
}
