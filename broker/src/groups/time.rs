//! Time as the state machines see it: an argument, never a clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;

/// The moment an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; timers count on it.
    pub ticks: u64,
    /// Milliseconds since 1970, as it stands in records.
    pub unix_ms: i64,
}

/// A millisecond of [`Now::ticks`].
pub type Deadline = u64;

impl Now {
    /// The deadline `ms` from now; negative counts as 0.
    pub fn after(self, ms: i32) -> Deadline {
        self.ticks + u64::try_from(ms).unwrap_or(0)
    }
}

/// One deadline a key, cheap to push back: a heartbeat only touches a map, the heap learns of it when the old deadline
/// passes.
#[derive(Debug)]
pub struct Timers<K> {
    due: HashMap<K, Entry>,
    heap: BinaryHeap<Reverse<(Deadline, K)>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    deadline: Deadline,
    /// The deadline under which the key stands in the heap; never later than `deadline`.
    queued: Deadline,
}

impl<K: Ord + Hash + Clone> Default for Timers<K> {
    fn default() -> Self {
        Self { due: HashMap::new(), heap: BinaryHeap::new() }
    }
}

impl<K: Ord + Hash + Clone> Timers<K> {
    /// Sets or moves the key's deadline.
    pub fn set(&mut self, key: K, deadline: Deadline) {
        match self.due.get_mut(&key) {
            Some(entry) if entry.queued <= deadline => entry.deadline = deadline,
            _ => {
                self.due.insert(key.clone(), Entry { deadline, queued: deadline });
                self.heap.push(Reverse((deadline, key)));
                self.forget_stale();
            }
        }
    }

    /// Forgets the key.
    pub fn cancel(&mut self, key: &K) {
        self.due.remove(key);
    }

    /// Whether the key waits for a deadline.
    pub fn contains(&self, key: &K) -> bool {
        self.due.contains_key(key)
    }

    /// A moment no later than the first deadline; `None` when nothing is waited for.
    pub fn first(&mut self) -> Option<Deadline> {
        while let Some(Reverse((deadline, key))) = self.heap.peek() {
            match self.due.get_mut(key) {
                Some(entry) if entry.queued == *deadline => return Some(*deadline),
                _ => self.heap.pop(),
            };
        }
        None
    }

    /// Takes one key whose deadline is now or was before.
    pub fn pop(&mut self, now: Now) -> Option<K> {
        while self.first().is_some_and(|deadline| deadline <= now.ticks) {
            let Reverse((_, key)) = self.heap.pop()?;
            let Some(entry) = self.due.get_mut(&key) else { continue };
            if entry.deadline <= now.ticks {
                self.due.remove(&key);
                return Some(key);
            }
            entry.queued = entry.deadline;
            self.heap.push(Reverse((entry.deadline, key)));
        }
        None
    }

    /// Cancelled keys leave entries in the heap until their time; when they are the most of it, they go at once.
    fn forget_stale(&mut self) {
        if self.heap.len() > 64 && self.heap.len() > 2 * self.due.len() {
            let due = &self.due;
            self.heap.retain(|Reverse((deadline, key))| due.get(key).is_some_and(|entry| entry.queued == *deadline));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ticks: u64) -> Now {
        Now { ticks, unix_ms: 0 }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(u8, u64),
        Cancel(u8),
        Advance(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..6, 0u64..20).prop_map(|(key, delay)| Step::Set(key, delay)),
            (0u8..6).prop_map(Step::Cancel),
            (0u64..10).prop_map(Step::Advance),
        ]
    }

    proptest! {
        #[test]
        fn fires_exactly_what_a_plain_map_says(steps in prop::collection::vec(step(), 0..200)) {
            let mut timers = Timers::default();
            let mut model: HashMap<u8, u64> = HashMap::new();
            let mut ticks = 0;
            for step in steps {
                match step {
                    Step::Set(key, delay) => {
                        timers.set(key, ticks + delay);
                        model.insert(key, ticks + delay);
                    }
                    Step::Cancel(key) => {
                        timers.cancel(&key);
                        model.remove(&key);
                    }
                    Step::Advance(by) => {
                        ticks += by;
                        let mut fired: Vec<u8> = std::iter::from_fn(|| timers.pop(at(ticks))).collect();
                        fired.sort_unstable();
                        let mut expected: Vec<u8> = model.iter().filter(|(_, due)| **due <= ticks).map(|(key, _)| *key).collect();
                        expected.sort_unstable();
                        model.retain(|_, due| *due > ticks);
                        prop_assert_eq!(fired, expected);
                    }
                }
                let next = timers.first();
                prop_assert_eq!(next.is_some(), !model.is_empty());
                prop_assert!(next <= model.values().min().copied());
            }
        }
    }
}
