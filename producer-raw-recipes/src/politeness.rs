//! When a host may be asked again: a state machine that knows no sockets and no clock.
//!
//! ```text
//!   ready --started--> busy --finished--> waiting (delay, Retry-After, backoff) --time--> ready
//!                                            \-- too many failures --> open --time--> ready for one trial
//! ```
//! Invariants: `in_flight <= connections`; two starts, and a start and the finish before it, are `delay` apart; while
//! the breaker is open nothing starts, and after it one request at a time until one is answered.

use std::time::Duration;

use crate::clock::Moment;

/// Longest wait that one answer may cause, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest wait of the breaker and of backoff without Retry-After.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// How a host is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Least time between two requests to a host.
    pub delay: Duration,
    /// Most requests to a host at once, 1 or more.
    pub connections: u32,
    /// Failures in a row after which a host is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone the first time; twice as long each time after, up to an hour.
    pub breaker_pause: Duration,
}

impl Default for Limits {
    /// What a site's owner would not mind: one request a second over one connection.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            connections: 1,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(60),
        }
    }
}

/// What a request taught of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lesson {
    /// It answers, be it 200 or 404.
    Answered,
    /// It asks for less: 429, or 503, with its Retry-After where there was one.
    Throttled(Option<Duration>),
    /// It did not answer, or not to the end, or with another 5xx.
    Failed,
}

/// One host's state.
#[derive(Debug, Clone)]
pub struct Politeness {
    limits: Limits,
    delay: Duration,
    in_flight: u32,
    not_before: Moment,
    failures: u32,
    throttles: u32,
    /// Times the breaker opened since the last answer.
    opened: u32,
}

impl Politeness {
    /// A host that was not asked before `not_before`: with several instances, one that takes a host over waits for as
    /// long as the one before it would have.
    #[must_use]
    pub fn new(limits: Limits, not_before: Moment) -> Self {
        Self { limits, delay: limits.delay, in_flight: 0, not_before, failures: 0, throttles: 0, opened: 0 }
    }

    /// Takes the Crawl-delay of the host's robots.txt, which may only slow us down.
    pub fn set_crawl_delay(&mut self, delay: Option<Duration>) {
        self.delay = delay.unwrap_or_default().max(self.limits.delay);
    }

    /// Asks nothing before this moment, whatever is known already.
    pub fn hold(&mut self, not_before: Moment) {
        self.not_before = self.not_before.max(not_before);
    }

    /// When the next request may start; none until one under way has finished.
    #[must_use]
    pub fn next_start(&self) -> Option<Moment> {
        let connections = if self.opened > 0 { 1 } else { self.limits.connections.max(1) };
        (self.in_flight < connections).then_some(self.not_before)
    }

    /// Whether the host is being left alone after failures.
    #[must_use]
    pub fn is_open(&self, now: Moment) -> bool {
        self.opened > 0 && now < self.not_before
    }

    /// Whether it failed or asked for less lately, which is not to be forgotten.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        self.failures > 0 || self.throttles > 0 || self.opened > 0
    }

    /// Least time between two requests, Crawl-delay included.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Not before this moment a request may start.
    #[must_use]
    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    /// A request starts.
    pub fn started(&mut self, now: Moment) {
        self.in_flight += 1;
        self.not_before = self.not_before.max(after(now, self.delay));
    }

    /// A request has finished. The delay counts from here too: the server may have seen the request late.
    pub fn finished(&mut self, now: Moment, lesson: Lesson) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let wait = match lesson {
            Lesson::Answered => {
                (self.failures, self.throttles, self.opened) = (0, 0, 0);
                self.delay
            }
            Lesson::Throttled(retry_after) => {
                self.throttles += 1;
                let backoff = || doubled(self.delay.max(Duration::from_secs(1)), self.throttles);
                retry_after.unwrap_or_else(backoff).clamp(self.delay, LONGEST_WAIT)
            }
            Lesson::Failed => {
                self.failures += 1;
                if self.failures >= self.limits.breaker_failures.max(1) {
                    self.opened += 1;
                    doubled(self.limits.breaker_pause, self.opened - 1).max(self.delay)
                } else {
                    self.delay
                }
            }
        };
        self.not_before = self.not_before.max(after(now, wait));
    }
}

/// When a wait that begins now is over. Moments are cut to milliseconds, so one more makes sure that all of it is.
fn after(now: Moment, wait: Duration) -> Moment {
    if wait.is_zero() { now } else { now + wait + Duration::from_millis(1) }
}

fn doubled(wait: Duration, times: u32) -> Duration {
    wait.saturating_mul(2_u32.saturating_pow(times.min(20))).min(LONGEST_BACKOFF.max(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn retry_after_is_obeyed_and_backoff_doubles_without_it() {
        let mut host = Politeness::new(Limits::default(), Moment(0));
        let mut now = Moment(0);
        let mut throttled = |retry_after, expected: u64| {
            host.started(now);
            host.finished(now, Lesson::Throttled(retry_after));
            let next = after(now, Duration::from_secs(expected));
            assert_eq!(host.next_start(), Some(next));
            now = next;
        };
        throttled(Some(120 * SECOND), 120);
        throttled(None, 4);
        throttled(None, 8);
        throttled(Some(Duration::ZERO), 1);
        throttled(Some(Duration::MAX), LONGEST_WAIT.as_secs());
    }

    #[test]
    fn the_breaker_opens_lets_one_try_and_closes_with_an_answer() {
        let limits = Limits { connections: 4, delay: Duration::ZERO, ..Limits::default() };
        let mut host = Politeness::new(limits, Moment(0));
        for _ in 0..limits.breaker_failures {
            host.started(Moment(0));
            host.finished(Moment(0), Lesson::Failed);
        }
        let trial = after(Moment(0), limits.breaker_pause);
        assert!(host.is_open(Moment(0)) && !host.is_open(trial));
        assert_eq!(host.next_start(), Some(trial));
        host.started(trial);
        assert_eq!(host.next_start(), None, "one trial at a time");
        host.finished(trial, Lesson::Failed);
        let later = after(trial, 2 * limits.breaker_pause);
        assert_eq!(host.next_start(), Some(later));
        host.started(later);
        host.finished(later, Lesson::Answered);
        host.started(later);
        assert_eq!(host.next_start(), Some(later), "all connections again");
    }

    #[test]
    fn crawl_delay_only_slows_down() {
        let mut host = Politeness::new(Limits::default(), Moment(0));
        host.set_crawl_delay(Some(Duration::from_millis(10)));
        assert_eq!(host.delay(), SECOND);
        host.set_crawl_delay(Some(9 * SECOND));
        assert_eq!(host.delay(), 9 * SECOND);
    }

    fn lesson() -> impl Strategy<Value = Lesson> {
        prop_oneof![
            3 => Just(Lesson::Answered),
            1 => Just(Lesson::Failed),
            1 => proptest::option::of(0_u64..100).prop_map(|wait| Lesson::Throttled(wait.map(Duration::from_secs))),
        ]
    }

    proptest! {
        /// Whatever a host answers and however long it takes, its requests stay apart and few.
        #[test]
        fn no_host_sees_more_than_it_is_promised(
            delay in 0_u64..3000,
            connections in 1_u32..4,
            steps in proptest::collection::vec((0_u64..5000, any::<bool>(), lesson()), 1..60),
        ) {
            let delay = Duration::from_millis(delay);
            let limits = Limits { delay, connections, ..Limits::default() };
            let mut host = Politeness::new(limits, Moment(0));
            let (mut now, mut in_flight, mut last) = (Moment(0), 0_u32, None::<Moment>);
            for (wait, finish, lesson) in steps {
                now = now + Duration::from_millis(wait);
                if finish && in_flight > 0 {
                    host.finished(now, lesson);
                    in_flight -= 1;
                    last = last.max(Some(now));
                } else if host.next_start().is_some_and(|start| start <= now) {
                    prop_assert!(last.is_none_or(|last| now.since(last) >= delay));
                    host.started(now);
                    in_flight += 1;
                    last = Some(now);
                }
                prop_assert!(in_flight <= connections);
                prop_assert_eq!(host.in_flight(), in_flight);
            }
        }
    }
}
