//! Which hosts are this instance's: its partitions of `crawl_urls`, by the consumer group `producer-raw-recipes`.
//!
//! On assignment the partition's records are read from start to end: each URL's fingerprint goes onto the shelf, and while
//! they are few, what is known of them to the crawl, before it visits any of its hosts; on revocation the crawl has
//! stopped asking them before another instance is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use recipes::{CrawlState, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Place, Processor, Record, TableError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::ledger::{self, LINK};
use crate::scan::{Found, Scanned};
use crate::shelf::{SharedShelf, Stand};

/// The group.
pub const GROUP: &str = "producer-raw-recipes";

/// What happens to the instance's share of the hosts.
#[derive(Debug)]
pub enum Share {
    /// Partitions came.
    Assigned(Box<Assigned>),
    /// These partitions go; answered when nothing of theirs is asked any more.
    Revoked(Vec<i32>, oneshot::Sender<()>),
    /// Records were written.
    Followed(Followed),
    /// A scan found these.
    Found(Vec<Found>),
    /// A scan has ended; none when it failed.
    Scanned(Option<Scanned>),
}

/// Partitions that came, with what is known of their hosts.
#[derive(Debug, Default)]
pub struct Assigned {
    /// The partitions; the shelf has their URLs already.
    pub partitions: Vec<i32>,
    /// Their URLs, if the memory has room for all of them.
    pub known: Vec<(Url, CrawlState)>,
    /// The pages among those that it has no room for, by source.
    pub pages: HashMap<String, u64>,
    /// Turns of hosts.
    pub turns: Vec<(Url, CrawlState)>,
    /// Links that other instances found.
    pub links: Vec<(Url, CrawlState)>,
}

/// Records that were written to our partitions.
#[derive(Debug, Default)]
pub struct Followed {
    /// Where the newest records of URLs stand: partition and place there.
    pub noted: Vec<(String, i32, Stand)>,
    /// Links that other instances found.
    pub links: Vec<(Url, CrawlState)>,
}

/// Follows `crawl_urls` and tells the crawl.
pub struct Membership {
    kafka: Kafka,
    shutdown: CancellationToken,
    shelf: SharedShelf,
    /// Most URLs that the memory has room for.
    room: usize,
    to: mpsc::Sender<Share>,
    /// Where reading ended at the assignment: records before that are on the shelf.
    read_to: HashMap<i32, i64>,
}

impl Membership {
    /// A membership that tells through a channel.
    #[must_use]
    pub fn new(
        kafka: Kafka,
        shelf: SharedShelf,
        room: usize,
        shutdown: CancellationToken,
        to: mpsc::Sender<Share>,
    ) -> Self {
        Self { kafka, shutdown, shelf, room, to, read_to: HashMap::new() }
    }

    /// Reads one partition.
    fn read(&mut self, partition: i32, assigned: &mut Reading) -> Result<(), TableError> {
        self.shelf.lock().add(partition);
        let mut end = 0;
        let (shelf, room) = (Arc::clone(&self.shelf), self.room);
        self.kafka.read_to_end(topics::CRAWL_URLS, &[partition], &self.shutdown, |record| {
            end = record.offset + 1;
            assigned.take(&record, &shelf, room);
        })?;
        self.read_to.insert(partition, end);
        Ok(())
    }
}

impl Processor for Membership {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let mut followed = Followed::default();
        for record in batch.iter() {
            let partition = record.place.partition;
            if record.value.is_none() || self.read_to.get(&partition).is_some_and(|end| record.offset < *end) {
                continue;
            }
            let key = record.key_text();
            if key.starts_with(LINK) {
                followed.links.extend(read(record).and_then(|(url, state)| Some((url, state?))));
            } else if !ledger::is_turn(&key) {
                followed.noted.push((key.into_owned(), partition, Stand::at(record.offset)));
            }
        }
        // The crawl has ended, and so does this loop.
        let _ = self.to.blocking_send(Share::Followed(followed));
        batch.iter().map(|_| Outcome::nothing()).collect()
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        let mut reading = Reading::default();
        for place in places {
            match self.read(place.partition, &mut reading) {
                // The loop ends without asking for any of their records.
                Err(TableError::Stopped(_)) => return Ok(()),
                read => read?,
            }
        }
        let partitions = places.iter().map(|place| place.partition).collect();
        // The crawl has ended, and so does this loop.
        let _ = self.to.blocking_send(Share::Assigned(Box::new(reading.end(partitions))));
        Ok(())
    }

    fn revoked(&mut self, places: &[Place]) {
        let (done, stopped) = oneshot::channel();
        let share = Share::Revoked(places.iter().map(|place| place.partition).collect(), done);
        if self.to.blocking_send(share).is_ok() {
            // An error means that the crawl has ended.
            let _ = stopped.blocking_recv();
        }
        let mut shelf = self.shelf.lock();
        for place in places {
            shelf.remove(place.partition);
        }
    }
}

/// What reading partitions brought so far.
#[derive(Default)]
struct Reading {
    known: BTreeMap<Url, CrawlState>,
    turns: BTreeMap<Url, CrawlState>,
    links: BTreeMap<Url, CrawlState>,
    /// There are more URLs than the memory has room for.
    crowded: bool,
    pages: HashMap<String, u64>,
}

impl Reading {
    fn take(&mut self, record: &Record, shelf: &SharedShelf, room: usize) {
        let key = record.key_text();
        let partition = record.place.partition;
        if key.starts_with(LINK) || ledger::is_turn(&key) {
            let of = if key.starts_with(LINK) { &mut self.links } else { &mut self.turns };
            match read(record) {
                Some((url, Some(state))) => drop(of.insert(url, state)),
                Some((url, None)) => drop(of.remove(&url)),
                None => {}
            }
            return;
        }
        let is_new = match &record.value {
            Some(_) => shelf.lock().stands(partition, &key, Stand::at(record.offset)),
            None => {
                shelf.lock().forget(partition, &key);
                if let Ok(url) = Url::parse(&key) {
                    self.known.remove(&url);
                }
                return;
            }
        };
        if self.crowded && !is_new {
            return;
        }
        let Some((url, Some(state))) = read(record) else { return };
        if self.crowded {
            self.count(&state);
            return;
        }
        self.known.insert(url, state);
        if shelf.lock().len() > room {
            self.crowded = true;
            for state in std::mem::take(&mut self.known).into_values() {
                self.count(&state);
            }
        }
    }

    fn count(&mut self, state: &CrawlState) {
        if ledger::is_page(state) {
            match self.pages.get_mut(&state.source) {
                Some(pages) => *pages += 1,
                None => drop(self.pages.insert(state.source.clone(), 1)),
            }
        }
    }

    fn end(self, partitions: Vec<i32>) -> Assigned {
        Assigned {
            partitions,
            known: self.known.into_iter().collect(),
            pages: self.pages,
            turns: self.turns.into_iter().collect(),
            links: self.links.into_iter().collect(),
        }
    }
}

/// A record's URL and state; no state for a tombstone.
pub(crate) fn read(record: &Record) -> Option<(Url, Option<CrawlState>)> {
    let key = record.key_text();
    let Ok(url) = Url::parse(key.strip_prefix(LINK).unwrap_or(&key)) else {
        warn!(place = %record.place, offset = record.offset, %key, "record of crawl_urls whose key is no URL, left out");
        return None;
    };
    let Some(value) = &record.value else { return Some((url, None)) };
    match CrawlState::from_json(value) {
        Ok(state) => Some((url, Some(state))),
        Err(error) => {
            warn!(place = %record.place, offset = record.offset, %error, "record of crawl_urls left out");
            None
        }
    }
}
