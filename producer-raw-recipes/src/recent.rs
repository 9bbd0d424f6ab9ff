//! A bounded memory of what was seen lately.

use std::collections::HashMap;

/// Entries of a generation; two are kept.
const GENERATION: usize = 100_000;

/// Values by key. The newest hundred thousand stay; of those before, as many again, at least until they are replaced.
#[derive(Debug)]
pub struct Recent<V> {
    new: HashMap<u64, V>,
    old: HashMap<u64, V>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { new: HashMap::new(), old: HashMap::new() }
    }
}

impl<V: Copy> Recent<V> {
    /// The value last put there, if it is remembered.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<V> {
        self.new.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    /// Remembers a value; gives the one it replaces.
    pub fn insert(&mut self, key: u64, value: V) -> Option<V> {
        let before = self.get(key);
        if self.new.len() == GENERATION {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
        before
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: u64) {
        self.new.remove(&key);
        self.old.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_lately_is_remembered_and_the_rest_is_bounded() {
        let mut recent = Recent::default();
        let most = 2 * GENERATION as u64;
        for key in 0..3 * most {
            assert_eq!(recent.insert(key, key), None);
            assert_eq!(
                recent.get(key.saturating_sub(GENERATION as u64 - 1)),
                Some(key.saturating_sub(GENERATION as u64 - 1))
            );
        }
        assert!(recent.new.len() + recent.old.len() <= 2 * GENERATION);
        assert_eq!(recent.insert(3 * most - 1, 7), Some(3 * most - 1));
        recent.remove(3 * most - 1);
        assert_eq!((recent.get(3 * most - 1), recent.get(0)), (None, None));
    }
}
