//! Trying a record again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::kafka::record::{Place, Record};

/// How often and how soon a record is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Tries before the record becomes a dead letter, 1 or more; none tries for ever.
    pub attempts: Option<u32>,
    /// Wait after the first failure; it doubles with each further one, with jitter.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: Some(5), first: Duration::from_millis(100), longest: Duration::from_secs(30) }
    }
}

/// Partitions whose next record waits for another try.
pub(crate) struct Waiting {
    policy: Retries,
    places: HashMap<Place, Trial>,
}

struct Trial {
    offset: i64,
    failures: u32,
    delays: ExponentialBackoff,
    /// When to try again; none while a try is under way.
    due: Option<Instant>,
}

/// What becomes of a record that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is tried again, and its partition waits.
    Again,
    /// It was tried this many times, and that is enough.
    Enough(u32),
}

impl Waiting {
    pub(crate) fn new(policy: Retries) -> Self {
        Self { policy, places: HashMap::new() }
    }

    /// How many times the record was tried, this time included.
    pub(crate) fn attempts(&self, record: &Record) -> u32 {
        let trial = self.places.get(&record.place).filter(|trial| trial.offset == record.offset);
        trial.map_or(0, |trial| trial.failures) + 1
    }

    /// A try failed.
    pub(crate) fn failed(&mut self, record: &Record) -> Verdict {
        let attempts = self.attempts(record);
        if self.policy.attempts.is_some_and(|most| attempts >= most) {
            self.places.remove(&record.place);
            return Verdict::Enough(attempts);
        }
        let make = || {
            ExponentialBuilder::default()
                .with_min_delay(self.policy.first)
                .with_max_delay(self.policy.longest)
                .with_jitter()
                .without_max_times()
                .build()
        };
        let trial = self.places.entry(record.place.clone()).or_insert_with(|| Trial {
            offset: record.offset,
            failures: 0,
            delays: make(),
            due: None,
        });
        if trial.offset != record.offset {
            *trial = Trial { offset: record.offset, failures: 0, delays: make(), due: None };
        }
        trial.failures = attempts;
        trial.due = Some(Instant::now() + trial.delays.next().unwrap_or(self.policy.longest));
        Verdict::Again
    }

    /// Takes the partitions that have waited long enough.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Place> {
        let due = self.places.iter_mut().filter(|(_, trial)| trial.due.is_some_and(|due| due <= now));
        due.map(|(place, trial)| {
            trial.due = None;
            place.clone()
        })
        .collect()
    }

    /// The next moment at which a partition has waited long enough.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.places.values().filter_map(|trial| trial.due).min()
    }

    /// The partition went to another instance, which counts anew.
    pub(crate) fn forget(&mut self, place: &Place) {
        self.places.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64) -> Record {
        Record { place: Place::new("t", 0), offset, timestamp_ms: 0, key: None, value: None, headers: Vec::new() }
    }

    #[test]
    fn a_record_is_given_up_after_its_last_attempt() {
        let mut waiting = Waiting::new(Retries { attempts: Some(3), ..Retries::default() });
        assert_eq!(waiting.failed(&record(7)), Verdict::Again);
        assert_eq!(waiting.failed(&record(7)), Verdict::Again);
        assert_eq!(waiting.failed(&record(7)), Verdict::Enough(3));
        assert_eq!(waiting.failed(&record(8)), Verdict::Again, "the next record counts anew");
    }

    #[test]
    fn a_partition_is_due_once_per_failure() {
        let mut waiting = Waiting::new(Retries::default());
        assert_eq!(waiting.next_due(), None);
        waiting.failed(&record(7));
        let due = waiting.next_due().unwrap();
        assert_eq!(waiting.due(due), [Place::new("t", 0)]);
        assert_eq!(waiting.due(due), []);
        assert_eq!(waiting.attempts(&record(7)), 2);
    }
}
