//! What a batch comes to: records to write, offsets to commit, records to try again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use recipes::{DeadLetter, topics};
use time::OffsetDateTime;

use crate::kafka::record::{Output, Place, Record};
use crate::kafka::retry::{Verdict, Waiting};

/// Longest reason in a dead letter's header, in bytes.
const MAX_REASON: usize = 1000;

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done once these are written.
    Done {
        /// Written first.
        outputs: Vec<Output>,
        /// Written after the broker has acknowledged every record's `outputs` of the batch: what must not be there
        /// without them. In a transaction the order makes no difference.
        after: Vec<Output>,
        /// Counters of the service's handle that go up by one when it is done.
        counts: Vec<&'static str>,
    },
    /// The processor keeps it, and says by [`crate::kafka::Processor::release`] when it is done. Until then neither its
    /// offset nor that of any record behind it in its partition is committed: after a crash they are read again.
    Held,
    /// It will never work: it goes to `<topic>.dead` with this reason.
    Dead(String),
    /// It did not work this time: it is tried again, and those behind it in its partition wait. When the attempts are
    /// used up it goes to `<topic>.dead` with this reason.
    Retry(String),
}

impl Outcome {
    /// Done once these are written, in this order.
    pub fn produce(outputs: impl IntoIterator<Item = Output>) -> Self {
        Self::Done { outputs: outputs.into_iter().collect(), after: Vec::new(), counts: Vec::new() }
    }

    /// Writes these too, after the broker has acknowledged the batch's other outputs; see [`Outcome::Done`].
    #[must_use]
    pub fn then(mut self, more: impl IntoIterator<Item = Output>) -> Self {
        if let Self::Done { after, .. } = &mut self {
            after.extend(more);
        }
        self
    }

    /// Counts one under this name of the service's [`crate::Handle`] when the record is done.
    #[must_use]
    pub fn counting(mut self, name: &'static str) -> Self {
        if let Self::Done { counts, .. } = &mut self {
            counts.push(name);
        }
        self
    }

    /// Done, with nothing to write.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::Done { outputs: Vec::new(), after: Vec::new(), counts: Vec::new() }
    }

    /// Given up.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self::Dead(reason.into())
    }

    /// To be tried again.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry(reason.into())
    }
}

/// A batch's outcomes, ready to be carried out.
#[derive(Default)]
pub(crate) struct Plan {
    /// Each with the index of the record it came from.
    pub(crate) outputs: Vec<(usize, Output)>,
    pub(crate) after: Vec<(usize, Output)>,
    /// Next offset of each partition.
    pub(crate) offsets: BTreeMap<Place, i64>,
    /// Next offset of each partition once what is held of it is done.
    pub(crate) held: BTreeMap<Place, i64>,
    /// Where partitions go on when their wait is over.
    pub(crate) rewind: BTreeMap<Place, i64>,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Plan {
    /// `held` are the partitions of which something is held already.
    pub(crate) fn of(
        group: &str,
        batch: &[Record],
        outcomes: Vec<Outcome>,
        held: &BTreeMap<Place, i64>,
        waiting: &mut Waiting,
    ) -> Self {
        let mut plan = Self::default();
        let mut blocked: HashSet<&Place> = HashSet::new();
        for (index, (record, outcome)) in batch.iter().zip(outcomes).enumerate() {
            if blocked.contains(&record.place) {
                continue;
            }
            let dead = match outcome {
                Outcome::Done { outputs, after, counts } => {
                    for name in counts {
                        *plan.counts.entry(name).or_default() += 1;
                    }
                    plan.outputs.extend(outputs.into_iter().map(|output| (index, output)));
                    plan.after.extend(after.into_iter().map(|output| (index, output)));
                    None
                }
                Outcome::Held => {
                    plan.held.insert(record.place.clone(), record.offset + 1);
                    None
                }
                Outcome::Dead(reason) => Some((reason, waiting.attempts(record))),
                Outcome::Retry(reason) => match waiting.failed(record) {
                    Verdict::Enough(attempts) => Some((reason, attempts)),
                    Verdict::Again => {
                        blocked.insert(&record.place);
                        plan.rewind.insert(record.place.clone(), record.offset);
                        continue;
                    }
                },
            };
            if let Some((reason, attempts)) = dead {
                plan.dead += 1;
                plan.outputs.push((index, dead_letter(group, record, &reason, attempts)));
            }
            plan.done += 1;
            let is_held = plan.held.contains_key(&record.place) || held.contains_key(&record.place);
            let offsets = if is_held { &mut plan.held } else { &mut plan.offsets };
            offsets.insert(record.place.clone(), record.offset + 1);
        }
        plan
    }

    /// Outputs in total.
    pub(crate) fn written(&self) -> u64 {
        (self.outputs.len() + self.after.len()) as u64 - self.dead
    }
}

/// The record as it was, with the headers that say why it was given up.
pub(crate) fn dead_letter(group: &str, record: &Record, reason: &str, attempts: u32) -> Output {
    let letter = DeadLetter {
        reason: reason[..reason.floor_char_boundary(MAX_REASON)].to_owned(),
        topic: record.place.topic.to_string(),
        partition: record.place.partition,
        offset: record.offset,
        attempts,
        at: OffsetDateTime::now_utc(),
        group: group.to_owned(),
    };
    // A letter that was replayed and died again tells of its last death.
    let original = record.headers.iter().filter(|(name, _)| !DeadLetter::owns(name));
    let mut output = Output::to(topics::dead(&record.place.topic));
    output.key.clone_from(&record.key);
    output.value.clone_from(&record.value);
    output.headers = original.map(|(name, value)| (Cow::Owned(name.clone()), value.clone())).collect();
    output.headers(letter.headers())
}

/// Records whose outputs the broker will not take, so that they become dead letters when they come again.
pub(crate) type Poisoned = HashMap<(Place, i64), String>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::retry::Retries;

    fn record(partition: i32, offset: i64) -> Record {
        let headers = vec![("url".to_owned(), b"u".to_vec()), ("dead.reason".to_owned(), b"older".to_vec())];
        let place = Place::new("t", partition);
        Record { place, offset, timestamp_ms: 0, key: Some(b"k".to_vec()), value: Some(b"v".to_vec()), headers }
    }

    #[test]
    fn a_record_to_be_tried_again_holds_back_its_partition_only() {
        let batch = [record(0, 5), record(1, 9), record(0, 6), record(1, 10)];
        let outcomes = vec![Outcome::nothing(), Outcome::retry("later"), Outcome::nothing(), Outcome::nothing()];
        let plan = Plan::of("g", &batch, outcomes, &BTreeMap::new(), &mut Waiting::new(Retries::default()));
        assert_eq!(plan.offsets, BTreeMap::from([(Place::new("t", 0), 7)]));
        assert_eq!(plan.rewind, BTreeMap::from([(Place::new("t", 1), 9)]));
        assert_eq!((plan.done, plan.dead), (2, 0));
    }

    #[test]
    fn nothing_behind_a_held_record_is_committed() {
        let batch = [record(0, 5), record(0, 6), record(0, 7), record(1, 9), record(2, 1)];
        let outcomes =
            vec![Outcome::nothing(), Outcome::Held, Outcome::nothing(), Outcome::nothing(), Outcome::nothing()];
        let before = BTreeMap::from([(Place::new("t", 2), 1)]);
        let plan = Plan::of("g", &batch, outcomes, &before, &mut Waiting::new(Retries::default()));
        assert_eq!(plan.offsets, BTreeMap::from([(Place::new("t", 0), 6), (Place::new("t", 1), 10)]));
        assert_eq!(plan.held, BTreeMap::from([(Place::new("t", 0), 8), (Place::new("t", 2), 2)]));
    }

    #[test]
    fn a_dead_letter_is_the_record_with_a_reason() {
        let mut waiting = Waiting::new(Retries { attempts: Some(1), ..Retries::default() });
        let plan =
            Plan::of("g", &[record(0, 5)], vec![Outcome::retry("ä".repeat(600))], &BTreeMap::new(), &mut waiting);
        let (_, letter) = &plan.outputs[0];
        assert_eq!(
            (&*letter.topic, letter.key.as_deref(), letter.value.as_deref()),
            ("t.dead", Some(&b"k"[..]), Some(&b"v"[..]))
        );
        let pairs: Vec<(&str, &[u8])> = letter.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let read = DeadLetter::from_headers(&pairs).unwrap();
        assert_eq!((read.reason, read.offset, read.attempts, &*read.group), ("ä".repeat(500), 5, 1, "g"));
        assert_eq!(pairs.iter().filter(|(name, _)| *name == "dead.reason").count(), 1);
        assert_eq!(pairs[0], ("url", &b"u"[..]));
        assert_eq!(plan.offsets[&Place::new("t", 0)], 6);
    }
}
