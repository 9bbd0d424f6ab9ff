//! What each rule last said of each recipe.

use std::collections::HashMap;

use recipes::{AlertState, Verdict, topics};
use service_kit::kafka::{Output, Record};
use time::OffsetDateTime;
use tracing::warn;

/// State of the partitions this instance owns.
///
/// Invariant: for every owned partition the map holds, for each key, what the last record of that key in the same
/// partition of `alert_state` says, or will say once the batch under way is written. A partition that is not owned is
/// not there.
#[derive(Debug, Default)]
pub struct States {
    partitions: HashMap<i32, HashMap<Box<[u8]>, State>>,
}

/// One rule's last word on one recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// What it said.
    pub verdict: Verdict,
    /// Of how many kcal a serving.
    pub value: Option<f64>,
    /// When it last raised an alert.
    pub alerted_at: Option<OffsetDateTime>,
}

impl States {
    /// Starts a partition from nothing; the records of `alert_state` follow.
    pub fn begin(&mut self, partition: i32) {
        self.partitions.insert(partition, HashMap::new());
    }

    /// Takes over a record of `alert_state`; a tombstone forgets its key.
    pub fn restore(&mut self, record: &Record) {
        let Some(key) = &record.key else { return };
        let states = self.partitions.entry(record.place.partition).or_default();
        let Some(value) = &record.value else {
            states.remove(&**key);
            return;
        };
        match AlertState::from_json(value) {
            Ok(AlertState { verdict, value, alerted_at, .. }) => {
                states.insert(key.clone().into(), State { verdict, value, alerted_at });
            }
            Err(error) => {
                let key = record.key_text();
                warn!(%key, offset = record.offset, %error, "state record ignored; its recipe may be alerted again");
            }
        }
    }

    /// The partition went to another instance.
    pub fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// The last word of a rule on a recipe.
    #[must_use]
    pub fn get(&self, partition: i32, rule: &str, identity: &str) -> Option<State> {
        self.partitions.get(&partition)?.get(AlertState::key(rule, identity).as_bytes()).copied()
    }

    /// Remembers a word, and gives the record that makes it last.
    ///
    /// # Errors
    /// A time that has no RFC 3339 form.
    pub fn set(
        &mut self,
        partition: i32,
        rule: &str,
        identity: &str,
        state: State,
    ) -> Result<Output, recipes::ReadError> {
        let State { verdict, value, alerted_at } = state;
        let message = AlertState { rule: rule.to_owned(), url: identity.to_owned(), verdict, value, alerted_at };
        let (key, json) = (AlertState::key(rule, identity), message.to_json()?);
        self.partitions.entry(partition).or_default().insert(key.clone().into_bytes().into(), state);
        Ok(Output::to(topics::ALERT_STATE).partition(partition).key(key).value(json))
    }

    /// How many words are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.values().map(HashMap::len).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partitions.values().all(HashMap::is_empty)
    }
}
