//! What each rule last said of each recipe or site.

use std::collections::HashMap;

use recipes::{AlertState, Verdict, topics};
use service_kit::kafka::{Output, Record};
use time::OffsetDateTime;
use tracing::warn;

use crate::rules::RuleVersion;

/// State of the partitions this instance owns.
///
/// Invariant: for every owned partition the map holds, for each recipe (or site) and rule, what the last record of their key
/// in the same partition of the topic says, or will say once the batch under way is written. A partition that is not
/// owned is not there.
#[derive(Debug)]
pub struct States {
    topic: &'static str,
    partitions: HashMap<i32, Words>,
    /// Names of the rules by number. None is ever dropped: there are as many as an operator has thought of.
    rules: Vec<Box<str>>,
}

/// What each rule last said, by recipe.
type Words = HashMap<Box<str>, Vec<(RuleId, State)>>;

/// A rule's name as a number, good as long as the [`States`] that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u32);

/// One rule's last word on one recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// What it said.
    pub verdict: Verdict,
    /// Of how many kcal a serving.
    pub value: Option<f64>,
    /// When it last raised an alert.
    pub alerted_at: Option<OffsetDateTime>,
    /// The conditions it had then; none where that is not known.
    pub version: Option<RuleVersion>,
}

impl Default for States {
    fn default() -> Self {
        Self::in_topic(topics::ALERT_STATE)
    }
}

impl States {
    /// Nothing is remembered yet; what will be stands in that topic.
    #[must_use]
    pub fn in_topic(topic: &'static str) -> Self {
        Self { topic, partitions: HashMap::new(), rules: Vec::new() }
    }

    /// Starts a partition from nothing; its records follow.
    pub fn begin(&mut self, partition: i32) {
        self.partitions.insert(partition, HashMap::new());
    }

    /// Takes over a record of the topic; a tombstone forgets its key.
    pub fn restore(&mut self, record: &Record) {
        let key = record.key_text().into_owned();
        let Some((rule, url)) = key.split_once(' ') else { return };
        let (partition, id) = (record.place.partition, self.rule(rule));
        let Some(value) = &record.value else {
            let recipes = self.partitions.entry(partition).or_default();
            if let Some(words) = recipes.get_mut(url) {
                words.retain(|(rule, _)| *rule != id);
            }
            return;
        };
        match AlertState::from_json(value) {
            Ok(AlertState { verdict, value, alerted_at, rule_version, .. }) => {
                let version = RuleVersion::parse(&rule_version);
                self.remember(partition, url, id, State { verdict, value, alerted_at, version });
            }
            Err(error) => {
                warn!(key, offset = record.offset, %error, "state record ignored; there may be an alert again");
            }
        }
    }

    /// The partition went to another instance.
    pub fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// The number of a rule's name.
    pub fn rule(&mut self, name: &str) -> RuleId {
        let index = self.rules.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.rules.push(name.into());
            self.rules.len() - 1
        });
        RuleId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// What all rules last said of a recipe; none when none was ever asked.
    #[must_use]
    pub fn of(&self, partition: i32, identity: &str) -> Option<&[(RuleId, State)]> {
        self.partitions.get(&partition)?.get(identity).map(Vec::as_slice)
    }

    /// Remembers a word, and gives the record that makes it last.
    ///
    /// # Errors
    /// A time that has no RFC 3339 form.
    pub fn set(
        &mut self,
        partition: i32,
        identity: &str,
        id: RuleId,
        state: State,
    ) -> Result<Output, recipes::ReadError> {
        let rule = self.rules.get(id.0 as usize).map_or("", |name| &**name);
        let State { verdict, value, alerted_at, version } = state;
        let key = AlertState::key(rule, identity);
        let json = AlertState::json_of(rule, identity, verdict, value, alerted_at, version)?;
        self.remember(partition, identity, id, state);
        Ok(Output::to(self.topic).partition(partition).key(key).value(json))
    }

    fn remember(&mut self, partition: i32, identity: &str, id: RuleId, state: State) {
        let recipes = self.partitions.entry(partition).or_default();
        if let Some(words) = recipes.get_mut(identity) {
            match words.iter_mut().find(|(rule, _)| *rule == id) {
                Some((_, word)) => *word = state,
                None => words.push((id, state)),
            }
        } else {
            // Most often each rule has a word on it, all at once.
            let mut words = Vec::with_capacity(self.rules.len());
            words.push((id, state));
            recipes.insert(identity.into(), words);
        }
    }

    /// How many words are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.values().flat_map(HashMap::values).map(Vec::len).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
