//! The statistics' loop: tells of events, and counts them in windows.

use std::collections::{BTreeMap, HashMap};

use recipes::{SiteEvent, SiteStats, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Output, Place, Processor, Record};
use time::OffsetDateTime;
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::stats::events;
use crate::stats::window::{Added, Windows};

/// The group that tells and counts.
pub const GROUP: &str = "recipe-stats";
/// Counter of events that came after their window was closed.
pub const LATE: &str = "stats_late";
/// What it reads: what events are told of, and the events.
pub const TOPICS: [&str; 4] =
    [topics::PARSED_RECIPES, topics::RECIPE_ALERTS, topics::RAW_RECIPES_DEAD, topics::SITE_EVENTS];

/// Counts the events of the partitions of `site_events` this instance owns.
///
/// Invariant: for every owned partition, the windows are what `recipe_stats` says in the partition of the same number, or
/// will say once the batch under way is written.
pub struct Statistics {
    partitions: HashMap<i32, Windows>,
    kafka: Kafka,
    runtime: Runtime,
    shutdown: CancellationToken,
}

impl Statistics {
    /// Nothing is counted so far.
    #[must_use]
    pub fn new(kafka: Kafka, runtime: Runtime, shutdown: CancellationToken) -> Self {
        Self { partitions: HashMap::new(), kafka, runtime, shutdown }
    }
}

/// What becomes of each record of a batch. Windows that changed are written once, with the last record that changed them.
fn outcomes(partitions: &mut HashMap<i32, Windows>, batch: &[Record], now: OffsetDateTime) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut changed: BTreeMap<(i32, String, i64), usize> = BTreeMap::new();
    for (index, record) in batch.iter().enumerate() {
        if &*record.place.topic != topics::SITE_EVENTS {
            outcomes.push(Outcome::produce(events::told(record, now)));
            continue;
        }
        let (partition, site) = (record.place.partition, record.key_text().into_owned());
        let event = match record.value.as_deref().map(SiteEvent::from_json) {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                outcomes.push(Outcome::dead(error.to_string()));
                continue;
            }
            None => {
                outcomes.push(Outcome::dead("the record has no value"));
                continue;
            }
        };
        outcomes.push(match partitions.entry(partition).or_default().add(&site, &event) {
            Added::Counted(start) => {
                changed.insert((partition, site, start), index);
                Outcome::nothing()
            }
            Added::Late => Outcome::nothing().counting(LATE),
        });
    }
    for ((partition, site, start), index) in changed {
        let Some(stats) = partitions.get(&partition).and_then(|windows| windows.get(&site, start)) else { continue };
        let outcome = std::mem::replace(&mut outcomes[index], Outcome::nothing());
        outcomes[index] = match stats.to_json() {
            Ok(value) => {
                let output = Output::to(topics::RECIPE_STATS).partition(partition).key(stats.key()).value(value);
                outcome.then([output])
            }
            Err(error) => Outcome::dead(error.to_string()),
        };
    }
    outcomes
}

impl Processor for Statistics {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let outcomes = outcomes(&mut self.partitions, batch, OffsetDateTime::now_utc());
        self.partitions.values_mut().for_each(Windows::forget_closed);
        outcomes
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        let numbers = of_events(places);
        if numbers.is_empty() {
            return Ok(());
        }
        self.runtime.block_on(self.kafka.ensure_partitioned_as(topics::RECIPE_STATS, topics::SITE_EVENTS))?;
        for number in &numbers {
            self.partitions.insert(*number, Windows::default());
        }
        let partitions = &mut self.partitions;
        let restore = |record: Record| {
            let Some(value) = &record.value else { return };
            match SiteStats::from_json(value) {
                Ok(stats) => partitions.entry(record.place.partition).or_default().restore(stats),
                Err(error) => warn!(offset = record.offset, %error, "statistics ignored; their hour begins anew"),
            }
        };
        match self.kafka.read_to_end(topics::RECIPE_STATS, &numbers, &self.shutdown, restore) {
            Ok(records) => info!(records, "statistics restored"),
            // Nothing will be processed any more.
            Err(_) if self.shutdown.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn revoked(&mut self, places: &[Place]) {
        for number in of_events(places) {
            self.partitions.remove(&number);
        }
    }
}

fn of_events(places: &[Place]) -> Vec<i32> {
    let events = places.iter().filter(|place| &*place.topic == topics::SITE_EVENTS);
    events.map(|place| place.partition).collect()
}

#[cfg(test)]
mod tests {
    use recipes::SiteEventKind;

    use super::*;

    fn record(offset: i64, site: &str, at: i64) -> Record {
        let at = OffsetDateTime::from_unix_timestamp(at).unwrap();
        let event = SiteEvent { kind: SiteEventKind::Alert, at, calories: None };
        let (key, value) = (Some(site.into()), Some(event.to_json().unwrap()));
        Record { place: Place::new("site_events", 1), offset, timestamp_ms: 0, key, value, headers: Vec::new() }
    }

    fn written(outcome: &Outcome) -> &[Output] {
        match outcome {
            Outcome::Done { after, .. } => after,
            _ => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn a_batch_writes_each_window_once_as_it_is_after_it() {
        let mut partitions = HashMap::new();
        let mut of =
            |batch: &[Record]| outcomes(&mut partitions, batch, OffsetDateTime::from_unix_timestamp(200_000).unwrap());
        let all = of(&[record(0, "a", 3600), record(1, "b", 3600), record(2, "a", 3661), record(3, "a", 90_000)]);
        assert_eq!(all.iter().map(|outcome| written(outcome).len()).collect::<Vec<_>>(), [0, 1, 1, 1]);
        let mut hour = SiteStats::new("a", OffsetDateTime::from_unix_timestamp(3600).unwrap());
        for minute in [0, 1] {
            let event = SiteEvent { kind: SiteEventKind::Alert, at: OffsetDateTime::UNIX_EPOCH, calories: None };
            hour.count(&event, minute);
        }
        let expected = Output::to(topics::RECIPE_STATS).partition(1).key("a 1970-01-01T01:00:00.000Z");
        assert_eq!(written(&all[2]), [expected.value(hour.to_json().unwrap())]);
        let later = of(&[record(4, "a", 3602), record(5, "c", 100_000), record(6, "a", 3603)]);
        assert_eq!(
            later.iter().map(|outcome| written(outcome).len()).collect::<Vec<_>>(),
            [1, 1, 0],
            "a window that closes is written"
        );
        assert_eq!(later[2], Outcome::nothing().counting(LATE));
    }
}
