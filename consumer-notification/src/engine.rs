//! From recipes to alerts.

use std::borrow::Cow;

use recipes::{Alert, ParsedRecipe, Verdict, headers, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Output, Place, Processor, Record};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::rules::{Rule, RuleSet};
use crate::state::{State, States};
use crate::text;

/// The group that reads `parsed_recipes`.
pub const GROUP: &str = "consumer-notification";

/// Counters of the notifier's handle, each recipe counted under one: what it came to.
pub mod counters {
    /// Alerts raised.
    pub const ALERTS: &str = "alerts";
    /// Recipes a rule held for, that had been alerted before.
    pub const REPEATED: &str = "repeated";
    /// Recipes no rule held for.
    pub const BELOW: &str = "below_threshold";
    /// Recipes that do not say their calories.
    pub const NO_CALORIES: &str = "no_calories";
    /// Recipes read (the sum of those that follow; alerts are counted one a rule).
    pub const RECIPES: &str = "recipes";
}

/// Applies the rules to recipes, in order within a partition.
pub struct Engine {
    rules: RuleSet,
    states: States,
}

impl Engine {
    /// An engine that remembers nothing yet.
    #[must_use]
    pub fn new(rules: RuleSet) -> Self {
        Self { rules, states: States::default() }
    }

    /// What is remembered.
    pub const fn states(&mut self) -> &mut States {
        &mut self.states
    }

    /// What becomes of a record of `parsed_recipes`.
    pub fn decide(&mut self, record: &Record) -> Outcome {
        let Some(value) = &record.value else { return Outcome::dead("the record has no value") };
        let mut recipe = match ParsedRecipe::from_json(value) {
            Ok(recipe) => recipe,
            Err(error) => return Outcome::dead(error.to_string()),
        };
        take_url_from_key(&mut recipe, record);
        match self.apply(record, &recipe) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::dead(error.to_string()),
        }
    }

    fn apply(&mut self, record: &Record, recipe: &ParsedRecipe) -> Result<Outcome, recipes::ReadError> {
        let identity = recipe.identity().to_owned();
        let (mut alerts, mut states, mut holds) = (Vec::new(), Vec::new(), false);
        for rule in self.rules.iter() {
            // What is unknown says nothing: the rule's last word stands.
            let Some(verdict) = rule.verdict(recipe) else { continue };
            holds |= verdict == Verdict::Above;
            let before = self.states.get(record.place.partition, &rule.name, &identity);
            let crossing = verdict == Verdict::Above && before.is_none_or(|state| state.verdict == Verdict::Below);
            let mut alerted_at = before.and_then(|state| state.alerted_at);
            if crossing {
                let (alert, output) = raise(rule, record, recipe, &identity, before)?;
                alerted_at = Some(alert.raised_at);
                alerts.push(output);
            }
            let now = State { verdict, value: recipe.calories, alerted_at };
            if before != Some(now) {
                states.push(self.states.set(record.place.partition, &rule.name, &identity, now)?);
            }
        }
        let raised = alerts.len();
        // A state without its alert would be an alert lost; an alert without its state is one told twice at worst.
        let mut outcome = Outcome::produce(alerts).then(states).counting(counters::RECIPES);
        for _ in 0..raised {
            outcome = outcome.counting(counters::ALERTS);
        }
        Ok(match (raised, holds, recipe.calories) {
            (1.., ..) => outcome,
            (0, true, _) => outcome.counting(counters::REPEATED),
            (0, false, Some(_)) => outcome.counting(counters::BELOW),
            (0, false, None) => outcome.counting(counters::NO_CALORIES),
        })
    }
}

/// Other writers may leave the URL out and put it into the key.
fn take_url_from_key(recipe: &mut ParsedRecipe, record: &Record) {
    if !recipe.url.is_empty() {
        return;
    }
    if let Some(url) = text::web_url(&record.key_text()) {
        url.clone_into(&mut recipe.url);
    }
}

fn raise(
    rule: &Rule,
    record: &Record,
    recipe: &ParsedRecipe,
    identity: &str,
    before: Option<State>,
) -> Result<(Alert, Output), recipes::ReadError> {
    let id = Alert::id(&rule.name, identity, record.place.partition, record.offset, record.timestamp_ms);
    let alert = rule.alert(id, recipe, identity, before.and_then(|state| state.value));
    let mut output = Output::to(topics::RECIPE_ALERTS)
        .key(identity)
        .value(alert.to_json()?)
        .header(headers::ALERT_ID, id.to_string());
    if let Some(trace) = record.header(headers::TRACEPARENT) {
        output = output.header(Cow::Borrowed(headers::TRACEPARENT), trace);
    }
    Ok((alert, output))
}

/// The engine in its loop: restores the state of partitions as they are assigned.
pub(crate) struct EngineLoop {
    pub(crate) engine: Engine,
    pub(crate) kafka: Kafka,
    pub(crate) runtime: Runtime,
    pub(crate) shutdown: CancellationToken,
}

impl Processor for EngineLoop {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        batch.iter().map(|record| self.engine.decide(record)).collect()
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        // The topic of recipes may have grown since we looked.
        self.runtime.block_on(self.kafka.ensure_partitioned_as(topics::ALERT_STATE, topics::PARSED_RECIPES))?;
        let partitions: Vec<i32> = places.iter().map(|place| place.partition).collect();
        for partition in &partitions {
            self.engine.states.begin(*partition);
        }
        let states = &mut self.engine.states;
        let restore = |record: Record| states.restore(&record);
        match self.kafka.read_to_end(topics::ALERT_STATE, &partitions, &self.shutdown, restore) {
            Ok(records) => info!(records, states = self.engine.states.len(), "state restored"),
            // Nothing will be processed any more.
            Err(_) if self.shutdown.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn revoked(&mut self, places: &[Place]) {
        for place in places {
            self.engine.states.forget(place.partition);
        }
    }
}
