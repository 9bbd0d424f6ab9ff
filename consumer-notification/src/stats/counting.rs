//! The statistics' loop: tells of events, and counts them in windows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use recipes::{SiteEvent, SiteStats, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Output, Place, Processor, Record, TableError};
use time::OffsetDateTime;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::engine::{OnRuleChange, to_the_millisecond};
use crate::rules::RuleSet;
use crate::stats::events;
use crate::stats::site_rules::SiteRules;
use crate::stats::window::{Added, Windows};

/// The group that tells and counts.
pub const GROUP: &str = "recipe-stats";
/// Counter of events that came after their window was closed.
pub const LATE: &str = "stats_late";
/// What it reads: what events are told of, and the events.
pub const TOPICS: [&str; 4] =
    [topics::PARSED_RECIPES, topics::RECIPE_ALERTS, topics::RAW_RECIPES_DEAD, topics::SITE_EVENTS];

/// Counts the events of the partitions of `site_events` this instance owns, and asks the rules per site.
///
/// Invariant: for every owned partition, the windows and the rules' words are what `recipe_stats` and `site_alert_state` say
/// in the partition of the same number, or will say once the batch under way is written.
pub struct Statistics {
    partitions: HashMap<i32, Windows>,
    site_rules: SiteRules,
    rules: watch::Receiver<Arc<RuleSet>>,
    kafka: Kafka,
    runtime: Runtime,
    shutdown: CancellationToken,
}

impl Statistics {
    /// Nothing is counted so far.
    #[must_use]
    pub fn new(
        rules: watch::Receiver<Arc<RuleSet>>,
        on_change: OnRuleChange,
        kafka: Kafka,
        runtime: Runtime,
        shutdown: CancellationToken,
    ) -> Self {
        let site_rules = SiteRules::new(&rules.borrow(), on_change);
        Self { partitions: HashMap::new(), site_rules, rules, kafka, runtime, shutdown }
    }

    /// Reads back what is remembered of partitions.
    fn restore(&mut self, numbers: &[i32]) -> Result<(), TableError> {
        for number in numbers {
            self.partitions.insert(*number, Windows::default());
            self.site_rules.states.begin(*number);
        }
        let partitions = &mut self.partitions;
        let restore = |record: Record| {
            let Some(value) = &record.value else { return };
            match SiteStats::from_json(value) {
                Ok(stats) => partitions.entry(record.place.partition).or_default().restore(stats),
                Err(error) => warn!(offset = record.offset, %error, "statistics ignored; their hour begins anew"),
            }
        };
        let hours = self.kafka.read_to_end(topics::RECIPE_STATS, numbers, &self.shutdown, restore)?;
        let states = &mut self.site_rules.states;
        let restore = |record: Record| states.restore(&record);
        self.kafka.read_to_end(topics::SITE_ALERT_STATE, numbers, &self.shutdown, restore)?;
        info!(hours, states = self.site_rules.states.len(), "statistics restored");
        Ok(())
    }
}

/// What becomes of each record of a batch. Windows that changed are written once, with the last record that changed them.
fn outcomes(
    partitions: &mut HashMap<i32, Windows>,
    rules: &mut SiteRules,
    batch: &[Record],
    now: OffsetDateTime,
) -> Vec<Outcome> {
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
        let windows = partitions.entry(partition).or_default();
        let known = windows.knows(&site);
        outcomes.push(match windows.add(&site, &event) {
            Added::Counted(start) => {
                let outcome = rules.ask(record, &site, known, || windows.at_newest(&site), now);
                changed.insert((partition, site, start), index);
                outcome
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
        // An error says that nobody changes the rules any more.
        if self.rules.has_changed().unwrap_or(false) {
            self.site_rules.set_rules(&self.rules.borrow_and_update());
        }
        let now = to_the_millisecond(OffsetDateTime::now_utc());
        let outcomes = outcomes(&mut self.partitions, &mut self.site_rules, batch, now);
        self.partitions.values_mut().for_each(Windows::forget_closed);
        outcomes
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        let numbers = of_events(places);
        if numbers.is_empty() {
            return Ok(());
        }
        for table in [topics::RECIPE_STATS, topics::SITE_ALERT_STATE] {
            self.runtime.block_on(self.kafka.ensure_partitioned_as(table, topics::SITE_EVENTS))?;
        }
        match self.restore(&numbers) {
            // Nothing will be processed any more.
            Err(_) if self.shutdown.is_cancelled() => Ok(()),
            restored => restored.map_err(Failure::from),
        }
    }

    fn revoked(&mut self, places: &[Place]) {
        for number in of_events(places) {
            self.partitions.remove(&number);
            self.site_rules.states.forget(number);
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
        let mut rules = SiteRules::new(&RuleSet::default(), OnRuleChange::Silent);
        let now = OffsetDateTime::from_unix_timestamp(200_000).unwrap();
        let mut of = |batch: &[Record]| outcomes(&mut partitions, &mut rules, batch, now);
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

    #[test]
    fn a_noisy_site_raises_one_alert_until_it_was_quiet() {
        let file = "[[rule]]\nname = \"noisy\"\nper = \"site\"\nwhen = \"stats.alerts_last_hour > 20\"\n\
                    clear = \"stats.alerts_last_hour < 5\"\nmessage = \"{{ site }}: {{ stats.alerts_last_hour }}\"\n\
                    [[rule]]\nname = \"other\"\nwhen = \"true\"\n";
        let file = crate::rules::file::parse("r.toml", file).unwrap().rules;
        let mut rules = SiteRules::new(&file, OnRuleChange::Silent);
        let mut partitions = HashMap::new();
        let mut offset = 0;
        let mut alerts = |site: &str, events: i64, at: i64| {
            let batch: Vec<Record> = (0..events).map(|second| record(offset + second, site, at + second)).collect();
            offset += events;
            let now = OffsetDateTime::from_unix_timestamp(at + events).unwrap();
            let outcomes = outcomes(&mut partitions, &mut rules, &batch, now);
            let raised = outcomes.iter().filter(|outcome| match outcome {
                Outcome::Done { outputs, counts, .. } => {
                    assert_eq!(outputs.len(), counts.len(), "{outcome:?}");
                    !outputs.is_empty()
                }
                other => panic!("{other:?}"),
            });
            raised.count()
        };
        assert_eq!([alerts("a", 20, 3600), alerts("a", 1, 3700), alerts("a", 200, 3800)], [0, 1, 0]);
        assert_eq!(alerts("b", 50, 3900), 1, "each site has its own");
        // Hours later the first event says that it was quiet.
        assert_eq!([alerts("a", 20, 20_000), alerts("a", 20, 20_100)], [0, 1]);
    }
}
