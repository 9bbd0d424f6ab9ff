//! From recipes to alerts.

use std::borrow::Cow;
use std::sync::Arc;

use recipes::{Alert, ParsedRecipe, Verdict, headers, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Output, Place, Processor, Record};
use time::OffsetDateTime;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::judge::{Asked, Judged};
use crate::rules::condition::context;
use crate::rules::facts::Facts;
use crate::rules::{Per, Rule, RuleSet, RuleVersion};
use crate::state::{RuleId, State, States};
use crate::stats::Sites;
use crate::stats::window::milliseconds;
use crate::text;

/// The group that reads `parsed_recipes`.
pub const GROUP: &str = "consumer-notification";

/// Counters of the notifier's handle.
pub mod counters {
    /// Recipes read. Each is counted under one of the next four too: what it came to.
    pub const RECIPES: &str = "recipes";
    /// Recipes that raised one alert or more.
    pub const ALERTED: &str = "alerted_recipes";
    /// Recipes a rule held for, that raised none: alerted before, cooling down, or known before the rule was.
    pub const REPEATED: &str = "repeated";
    /// Recipes no rule held for.
    pub const BELOW: &str = "below_threshold";
    /// Recipes no rule held for that do not say their calories.
    pub const NO_CALORIES: &str = "no_calories";
    /// Alerts raised, one a rule.
    pub const ALERTS: &str = "alerts";
    /// Alerts raised by rules per site.
    pub const SITE_ALERTS: &str = "site_alerts";
    /// Crossings that raised no alert because the rule's last one for the recipe is too new.
    pub const COOLING_DOWN: &str = "cooling_down";
    /// Crossings that raised no alert because the rule is newer than what it was asked of before.
    pub const TAKEN_OVER: &str = "taken_over";
}

/// What happens when a rule with new conditions is asked about a recipe that is known already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnRuleChange {
    /// Its first word on each such recipe raises no alert; later crossings do.
    #[default]
    Silent,
    /// It raises an alert if it holds and the rule of that name did not hold before.
    Alert,
}

/// Applies the rules to recipes, in order within a partition.
pub struct Engine {
    rules: RuleSet,
    /// Number and version of each rule, in their order.
    ids: Vec<(RuleId, RuleVersion)>,
    on_change: OnRuleChange,
    states: States,
    sites: Arc<Sites>,
}

/// What a rule came to.
struct Word {
    rule: usize,
    /// Another than it said before.
    state: State,
    raise: bool,
    previous: Option<f64>,
}

impl Engine {
    /// An engine that remembers nothing yet.
    #[must_use]
    pub fn new(rules: &RuleSet, on_change: OnRuleChange) -> Self {
        let (states, sites) = (States::default(), Arc::default());
        let mut engine = Self { rules: RuleSet::default(), ids: Vec::new(), on_change, states, sites };
        engine.set_rules(rules);
        engine
    }

    /// Asks these for what rules want to know of a site; without, no site has statistics.
    #[must_use]
    pub fn with_sites(mut self, sites: Arc<Sites>) -> Self {
        self.sites = sites;
        self
    }

    /// Goes on with other rules: those per recipe.
    pub fn set_rules(&mut self, rules: &RuleSet) {
        self.rules = rules.per(Per::Recipe);
        self.ids = self.rules.iter().map(|rule| (self.states.rule(&rule.name), rule.version())).collect();
    }

    /// What is remembered.
    pub const fn states(&mut self) -> &mut States {
        &mut self.states
    }

    /// What becomes of a record of `parsed_recipes` that is read now.
    pub fn decide(&mut self, record: &Record, now: OffsetDateTime) -> Outcome {
        let Some(value) = &record.value else { return Outcome::dead("the record has no value") };
        let mut recipe = match ParsedRecipe::from_json(value) {
            Ok(recipe) => recipe,
            Err(error) => return Outcome::dead(error.to_string()),
        };
        take_url_from_key(&mut recipe, record);
        match self.apply(record, &recipe, now) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::dead(error.to_string()),
        }
    }

    fn apply(
        &mut self,
        record: &Record,
        recipe: &ParsedRecipe,
        now: OffsetDateTime,
    ) -> Result<Outcome, recipes::ReadError> {
        let (partition, identity) = (record.place.partition, recipe.identity());
        let mut counts = vec![counters::RECIPES];
        let (words, holds) = self.words(partition, recipe, now, &mut counts);
        let (mut alerts, mut states) = (Vec::new(), Vec::with_capacity(words.len()));
        for word in words {
            if word.raise {
                let rule = self.rules.iter().as_slice().get(word.rule);
                alerts.extend(rule.map(|rule| raise(rule, record, recipe, identity, word.previous, now)).transpose()?);
            }
            states.push(self.states.set(partition, identity, self.ids[word.rule].0, word.state)?);
        }
        counts.push(match (alerts.is_empty(), holds, recipe.calories) {
            (false, ..) => counters::ALERTED,
            (true, true, _) => counters::REPEATED,
            (true, false, Some(_)) => counters::BELOW,
            (true, false, None) => counters::NO_CALORIES,
        });
        counts.extend(alerts.iter().map(|_| counters::ALERTS));
        if self.rules.fields().stats() && !alerts.is_empty() {
            self.sites.raise(&recipe.site, u32::try_from(alerts.len()).unwrap_or(u32::MAX), milliseconds(now));
        }
        // Where there are no transactions: a state without its alert would be an alert lost; an alert without its state
        // is one told twice at worst.
        let outcome = Outcome::produce(alerts).then(states);
        Ok(counts.into_iter().fold(outcome, Outcome::counting))
    }

    /// What the rules say that they did not say before, and whether any holds.
    fn words(
        &self,
        partition: i32,
        recipe: &ParsedRecipe,
        now: OffsetDateTime,
        counts: &mut Vec<&'static str>,
    ) -> (Vec<Word>, bool) {
        let mut facts = Facts::of(recipe, self.rules.fields());
        if self.rules.fields().stats() {
            facts = facts.with_stats(&self.sites.numbers(&recipe.site, milliseconds(now)));
        }
        let context = context(&facts);
        let known = self.states.of(partition, recipe.identity());
        let (mut words, mut any_holds) = (Vec::new(), false);
        for (index, (rule, (id, version))) in self.rules.iter().zip(&self.ids).enumerate() {
            let before = known.and_then(|words| words.iter().find(|(known, _)| known == id)).map(|(_, state)| *state);
            let verdict = rule.verdict(&context, before.map(|state| state.verdict));
            any_holds |= verdict == Some(Verdict::Above);
            let (version, known, on_change) = (*version, known.is_some(), self.on_change);
            let asked = Asked { rule, version, before, known, on_change };
            if let Some(Judged { state, raise, counted }) = asked.judge(verdict, recipe.calories, now) {
                counts.extend(counted);
                let previous = before.and_then(|state| state.value);
                words.push(Word { rule: index, state, raise, previous });
            }
        }
        (words, any_holds)
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
    previous: Option<f64>,
    now: OffsetDateTime,
) -> Result<Output, recipes::ReadError> {
    let id = Alert::id(&rule.name, identity, record.place.partition, record.offset, record.timestamp_ms);
    let alert = rule.alert(id, recipe, identity, previous, now);
    let mut output = Output::to(topics::RECIPE_ALERTS)
        .key(identity)
        .value(alert.to_json()?)
        .header(headers::ALERT_ID, id.to_string());
    if let Some(trace) = record.header(headers::TRACEPARENT) {
        output = output.header(Cow::Borrowed(headers::TRACEPARENT), trace);
    }
    Ok(output)
}

/// As exact as `alert_state` keeps it, so that a state read back is the state that was written.
pub(crate) fn to_the_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

/// The engine in its loop: restores the state of partitions as they are assigned.
pub(crate) struct EngineLoop {
    pub(crate) engine: Engine,
    pub(crate) rules: watch::Receiver<Arc<RuleSet>>,
    pub(crate) kafka: Kafka,
    pub(crate) runtime: Runtime,
    pub(crate) shutdown: CancellationToken,
    /// Whether the statistics of all sites were read.
    pub(crate) knows_sites: bool,
}

impl EngineLoop {
    /// Once: the live page goes on reading what comes.
    fn read_sites(&mut self) -> Result<(), Failure> {
        self.engine.sites.forget_raised();
        if self.knows_sites {
            return Ok(());
        }
        let counts = self.runtime.block_on(self.kafka.partition_counts())?;
        let partitions: Vec<i32> = (0..counts.get(topics::RECIPE_STATS).copied().unwrap_or(0)).collect();
        let take = |record: Record| self.engine.sites.take(&record);
        self.kafka.read_to_end(topics::RECIPE_STATS, &partitions, &self.shutdown, take)?;
        self.knows_sites = true;
        Ok(())
    }
}

impl Processor for EngineLoop {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        // An error says that nobody changes the rules any more.
        if self.rules.has_changed().unwrap_or(false) {
            self.engine.set_rules(&self.rules.borrow_and_update());
        }
        let now = to_the_millisecond(OffsetDateTime::now_utc());
        batch.iter().map(|record| self.engine.decide(record, now)).collect()
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
        let restored = self.kafka.read_to_end(topics::ALERT_STATE, &partitions, &self.shutdown, restore);
        match restored.map_err(Failure::from).and_then(|records| self.read_sites().map(|()| records)) {
            Ok(records) => info!(records, states = self.engine.states.len(), "state restored"),
            // Nothing will be processed any more.
            Err(_) if self.shutdown.is_cancelled() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn revoked(&mut self, places: &[Place]) {
        for place in places {
            self.engine.states.forget(place.partition);
        }
    }
}
