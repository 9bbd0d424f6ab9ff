//! Which offset is the latest of a key, for very many keys in little memory (Kafka's `SkimpyOffsetMap`).
//!
//! A key is known by a 128-bit hash under keys that are random for each process, so that nobody can make two keys fall
//! together: an entry takes 24 bytes however long its key is. Open addressing with linear probing; the table doubles
//! as it fills, up to the size it may have, and is given back when the map is cleared.

use std::hash::{BuildHasher, RandomState};

/// Bytes of an entry.
const ENTRY: usize = 24;
const FIRST_SLOTS: usize = 1024;

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: [u64; 2],
    /// -1 for an empty slot.
    offset: i64,
}

const EMPTY: Slot = Slot { hash: [0; 2], offset: -1 };

/// A map from keys to their latest offsets.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    hashers: [RandomState; 2],
    slots: Vec<Slot>,
    max_slots: usize,
    max_entries: usize,
    len: usize,
    /// The map knows of all records up to here.
    pub(crate) latest_offset: i64,
}

impl OffsetMap {
    /// A map that takes at most `memory` bytes, and `load_factor` (0 to 1) of the entries they could hold.
    pub(crate) fn new(memory: usize, load_factor: f64) -> OffsetMap {
        // A power of two of slots, so that doubling ends there.
        let max_slots = (memory / ENTRY).max(FIRST_SLOTS);
        let max_slots = 1 << max_slots.ilog2();
        let max_entries = ((max_slots as f64 * load_factor.clamp(0.1, 0.95)) as usize).max(1);
        OffsetMap {
            hashers: [RandomState::new(), RandomState::new()],
            slots: Vec::new(),
            max_slots,
            max_entries,
            len: 0,
            latest_offset: -1,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.slots = Vec::new();
        self.len = 0;
        self.latest_offset = -1;
    }

    /// Notes the offset of a key; false if there is no room for another key.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        if self.len * 4 >= self.slots.len() * 3 && self.slots.len() < self.max_slots {
            self.grow();
        }
        let hash = self.hash(key);
        let at = self.find(hash);
        if self.slots[at].offset < 0 {
            if self.len >= self.max_entries {
                return false;
            }
            self.len += 1;
        }
        self.slots[at] = Slot { hash, offset };
        true
    }

    /// The latest offset noted for a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        if self.slots.is_empty() {
            return None;
        }
        let offset = self.slots[self.find(self.hash(key))].offset;
        (offset >= 0).then_some(offset)
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        [self.hashers[0].hash_one(key), self.hashers[1].hash_one(key)]
    }

    /// The slot with `hash`, or the empty one where it belongs. There always is an empty slot.
    fn find(&self, hash: [u64; 2]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash[0] as usize & mask;
        while self.slots[at].offset >= 0 && self.slots[at].hash != hash {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).clamp(FIRST_SLOTS, self.max_slots);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; slots]);
        for slot in old.into_iter().filter(|slot| slot.offset >= 0) {
            let at = self.find(slot.hash);
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_offsets_are_kept_until_the_memory_is_full() {
        let memory = 4096 * ENTRY;
        let mut map = OffsetMap::new(memory, 0.9);
        let mut taken = 0;
        for n in 0..10_000_i64 {
            if !map.put(&n.to_be_bytes(), n) {
                break;
            }
            taken = n + 1;
        }
        assert_eq!(taken, (4096.0 * 0.9) as i64);
        assert!(map.slots.capacity() * ENTRY <= memory);
        assert!(map.put(&5_i64.to_be_bytes(), 70_000), "a known key needs no room");
        for n in 0..taken {
            assert_eq!(map.get(&n.to_be_bytes()), Some(if n == 5 { 70_000 } else { n }));
        }
        assert_eq!(map.get(&taken.to_be_bytes()), None);
        map.clear();
        assert_eq!((map.get(&1_i64.to_be_bytes()), map.slots.capacity()), (None, 0));
    }
}
