//! Every URL that is known, in nine bytes each: a fingerprint, and the offset of its newest record on `crawl_urls` when the
//! rest of what is known stands there and not in memory.
//!
//! With 40 bits of fingerprint in each of 16,384 shards a partition, hardly one in a thousand frontiers of ten million
//! URLs has a pair that passes for one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Moment;

const SHARD_BITS: u32 = 14;
const KEY: usize = 5;
const ENTRY: usize = KEY + 4;
/// Entries of a page.
const PAGE: usize = 16;
/// Stands for the offset of a URL that is in memory, or whose record is on its way.
const ELSEWHERE: u32 = u32::MAX;
/// Most URLs that are looked for because their source says that they changed.
const MOST_WANTED: usize = 100_000;

/// A shelf that the crawl, the group's loop and the scanner share.
pub type SharedShelf = Arc<Mutex<Shelf>>;

/// The known URLs of this instance's partitions.
#[derive(Debug, Default)]
pub struct Shelf {
    hasher: RandomState,
    partitions: HashMap<i32, Known>,
    /// Fingerprints of URLs that changed at this moment, by what their source says.
    wanted: HashMap<u64, Moment>,
}

impl Shelf {
    /// A shelf of a crawl's own.
    #[must_use]
    pub fn shared() -> SharedShelf {
        Arc::default()
    }

    /// Makes room for a partition that came, with nothing known of it.
    pub fn add(&mut self, partition: i32) {
        self.partitions.insert(partition, Known::default());
    }

    /// Forgets a partition that went.
    pub fn remove(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// URLs that are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partitions.values().map(|known| known.len).sum()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a URL is known.
    #[must_use]
    pub fn knows(&self, partition: i32, url: &str) -> bool {
        let key = self.fingerprint(url);
        self.partitions.get(&partition).is_some_and(|known| known.get(key).is_some())
    }

    /// The newest record of a URL stands there, and what it says is not in memory; whether the URL is new.
    pub fn stands(&mut self, partition: i32, url: &str, stand: Stand) -> bool {
        self.set(partition, url, stand.0)
    }

    /// What is known of a URL goes into memory: gives where its record stands.
    pub fn lift(&mut self, partition: i32, url: &str) -> Option<Stand> {
        let key = self.fingerprint(url);
        let known = self.partitions.get_mut(&partition)?;
        let offset = known.get(key).filter(|offset| *offset != ELSEWHERE)?;
        known.set(key, ELSEWHERE);
        Some(Stand(offset))
    }

    /// What is known of a URL is in memory, or its record on its way; whether the URL is new.
    pub fn elsewhere(&mut self, partition: i32, url: &str) -> bool {
        self.set(partition, url, ELSEWHERE)
    }

    fn set(&mut self, partition: i32, url: &str, offset: u32) -> bool {
        let key = self.fingerprint(url);
        self.partitions.get_mut(&partition).is_some_and(|known| known.set(key, offset))
    }

    /// A URL is forgotten: its record was taken back.
    pub fn forget(&mut self, partition: i32, url: &str) {
        let key = self.fingerprint(url);
        if let Some(known) = self.partitions.get_mut(&partition) {
            known.remove(key);
        }
    }

    /// Whether a record is the newest of its URL, and what it says is not in memory.
    #[must_use]
    pub fn is_newest(&self, partition: i32, url: &str, stand: Stand) -> bool {
        let key = self.fingerprint(url);
        self.partitions.get(&partition).is_some_and(|known| known.get(key) == Some(stand.0))
    }

    /// A source says that a URL changed at that moment: the next scan looks at when it was visited.
    pub fn want(&mut self, url: &str, changed: Moment) {
        let key = self.fingerprint(url);
        if self.wanted.len() < MOST_WANTED {
            self.wanted.insert(key, changed);
        }
    }

    /// When a wanted URL changed; it is wanted no more.
    pub fn take_wanted(&mut self, url: &str) -> Option<Moment> {
        if self.wanted.is_empty() {
            return None;
        }
        let key = self.fingerprint(url);
        self.wanted.remove(&key)
    }

    fn fingerprint(&self, url: &str) -> u64 {
        self.hasher.hash_one(url)
    }
}

/// Where a record stands: the part of its offset that is kept. No record lives until another with the same part comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand(u32);

impl Stand {
    /// The stand of the record at an offset.
    #[must_use]
    pub fn at(offset: i64) -> Self {
        Self(u32::try_from(offset.rem_euclid(i64::from(ELSEWHERE))).unwrap_or(0))
    }
}

/// One partition's URLs: shards of pages that are looked through one after the other. All pages are in one slab, which
/// takes no more memory than they fill, and leaves no holes between other things as small allocations that grow would.
#[derive(Debug)]
struct Known {
    shards: Vec<Shard>,
    slab: Vec<[[u8; ENTRY]; PAGE]>,
    len: usize,
}

/// Numbers of pages; all but the last are full.
#[derive(Debug, Default, Clone)]
struct Shard {
    pages: Vec<u32>,
    len: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self { shards: vec![Shard::default(); 1 << SHARD_BITS], slab: Vec::new(), len: 0 }
    }
}

impl Known {
    fn get(&self, fingerprint: u64) -> Option<u32> {
        let (shard, key) = place(fingerprint);
        let at = self.find(shard, key)?;
        self.entry(shard, at)[KEY..].try_into().map(u32::from_le_bytes).ok()
    }

    fn set(&mut self, fingerprint: u64, offset: u32) -> bool {
        let (shard, key) = place(fingerprint);
        let found = self.find(shard, key);
        let at = found.unwrap_or_else(|| self.push(shard));
        let entry = self.entry_mut(shard, at);
        entry[..KEY].copy_from_slice(&key);
        entry[KEY..].copy_from_slice(&offset.to_le_bytes());
        found.is_none()
    }

    /// The last entry takes the place of the one that goes. Its page stays the shard's.
    fn remove(&mut self, fingerprint: u64) {
        let (shard, key) = place(fingerprint);
        let Some(at) = self.find(shard, key) else { return };
        let last = *self.entry(shard, self.shards[shard].len - 1);
        *self.entry_mut(shard, at) = last;
        self.shards[shard].len -= 1;
        self.len -= 1;
    }

    fn find(&self, shard: usize, key: [u8; KEY]) -> Option<usize> {
        let Shard { pages, len } = &self.shards[shard];
        let entries = pages.iter().flat_map(|page| &self.slab[*page as usize]).take(*len);
        entries.into_iter().position(|entry| entry[..KEY] == key)
    }

    /// Makes room for another entry in a shard; gives its number.
    fn push(&mut self, shard: usize) -> usize {
        let shard = &mut self.shards[shard];
        if shard.len == PAGE * shard.pages.len() {
            // A slab of four billion pages is more than any memory holds.
            shard.pages.push(u32::try_from(self.slab.len()).unwrap_or(u32::MAX));
            self.slab.push([[0; ENTRY]; PAGE]);
        }
        shard.len += 1;
        self.len += 1;
        shard.len - 1
    }

    fn entry(&self, shard: usize, at: usize) -> &[u8; ENTRY] {
        &self.slab[self.shards[shard].pages[at / PAGE] as usize][at % PAGE]
    }

    fn entry_mut(&mut self, shard: usize, at: usize) -> &mut [u8; ENTRY] {
        &mut self.slab[self.shards[shard].pages[at / PAGE] as usize][at % PAGE]
    }
}

/// The shard of a fingerprint and what is kept of it there.
fn place(fingerprint: u64) -> (usize, [u8; KEY]) {
    let shard = usize::try_from(fingerprint >> (u64::BITS - SHARD_BITS)).unwrap_or(0);
    let [_, _, _, key @ ..] = fingerprint.to_be_bytes();
    (shard, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_newest_record_of_a_url_stands() {
        let mut shelf = Shelf::default();
        assert!(!shelf.stands(1, "http://a.example/", Stand::at(7)), "not one of our partitions");
        shelf.add(1);
        assert!(shelf.stands(1, "http://a.example/", Stand::at(7)));
        assert!(!shelf.stands(1, "http://a.example/", Stand::at(9)));
        assert!(
            shelf.is_newest(1, "http://a.example/", Stand::at(9))
                && !shelf.is_newest(1, "http://a.example/", Stand::at(7))
        );
        assert_eq!(shelf.lift(1, "http://a.example/"), Some(Stand::at(9)));
        assert_eq!(shelf.lift(1, "http://a.example/"), None);
        assert!(!shelf.elsewhere(1, "http://a.example/"));
        assert!(shelf.knows(1, "http://a.example/") && !shelf.is_newest(1, "http://a.example/", Stand::at(9)));
        assert_eq!(shelf.len(), 1);
        shelf.remove(1);
        assert!(!shelf.knows(1, "http://a.example/") && shelf.is_empty());
    }

    #[test]
    fn a_url_is_wanted_once() {
        let mut shelf = Shelf::default();
        shelf.want("http://a.example/", Moment(5));
        assert_eq!(shelf.take_wanted("http://b.example/"), None);
        assert_eq!(shelf.take_wanted("http://a.example/"), Some(Moment(5)));
        assert_eq!(shelf.take_wanted("http://a.example/"), None);
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in proptest::collection::vec((0_u64..40, 0_u32..9, any::<bool>()), 0..300)) {
            let (mut known, mut map) = (Known::default(), HashMap::new());
            for (key, offset, set) in steps {
                // Spread over few shards, so that they have neighbours.
                let fingerprint = (key % 3) << 60 | key;
                if set {
                    prop_assert_eq!(known.set(fingerprint, offset), map.insert(fingerprint, offset).is_none());
                } else {
                    known.remove(fingerprint);
                    map.remove(&fingerprint);
                }
                prop_assert_eq!(known.len, map.len());
            }
            for key in 0..40 {
                let fingerprint = (key % 3) << 60 | key;
                prop_assert_eq!(known.get(fingerprint), map.get(&fingerprint).copied());
            }
        }
    }
}
