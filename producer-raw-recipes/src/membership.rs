//! Which hosts are this instance's: its partitions of `crawl_urls`, by the consumer group `producer-raw-recipes`.
//!
//! On assignment the partition's records are read from start to end and handed to the crawl before it visits any of its
//! hosts; on revocation the crawl has stopped asking them before another instance is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use recipes::{CrawlState, topics};
use service_kit::Failure;
use service_kit::kafka::{Batch, Kafka, Outcome, Place, Processor, Record};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::publisher::WRITER;

/// The group.
pub const GROUP: &str = "producer-raw-recipes";

/// What happens to the instance's share of the hosts.
#[derive(Debug)]
pub enum Share {
    /// These partitions came, with what is known of their URLs.
    Assigned(Vec<i32>, Vec<(Url, CrawlState)>),
    /// These partitions go; answered when nothing of theirs is asked any more.
    Revoked(Vec<i32>, oneshot::Sender<()>),
    /// A record about a URL of ours was written: by another instance, or by this one (true), maybe before its hosts went
    /// and came back.
    Written(Url, Box<CrawlState>, bool),
}

/// Follows `crawl_urls` and tells the crawl.
pub struct Membership {
    kafka: Kafka,
    shutdown: CancellationToken,
    /// The name of this process in the records it writes.
    writer: Arc<str>,
    to: mpsc::Sender<Share>,
}

impl Membership {
    /// A membership that tells through a channel.
    #[must_use]
    pub fn new(kafka: Kafka, writer: &str, shutdown: CancellationToken, to: mpsc::Sender<Share>) -> Self {
        Self { kafka, shutdown, writer: writer.into(), to }
    }
}

impl Processor for Membership {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let tell = |record: &Record| {
            let own = record.header(WRITER) == Some(self.writer.as_bytes());
            if let Some((url, Some(state))) = read(record) {
                // The crawl has ended, and so does this loop.
                let _ = self.to.blocking_send(Share::Written(url, Box::new(state), own));
            }
            Outcome::nothing()
        };
        batch.iter().map(tell).collect()
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        let partitions: Vec<i32> = places.iter().map(|place| place.partition).collect();
        let mut known: BTreeMap<Url, CrawlState> = BTreeMap::new();
        let each = |record: Record| match read(&record) {
            Some((url, Some(state))) => drop(known.insert(url, state)),
            Some((url, None)) => drop(known.remove(&url)),
            None => {}
        };
        self.kafka.read_to_end(topics::CRAWL_URLS, &partitions, &self.shutdown, each)?;
        let share = Share::Assigned(partitions, known.into_iter().collect());
        // The crawl has ended, and so does this loop.
        let _ = self.to.blocking_send(share);
        Ok(())
    }

    fn revoked(&mut self, places: &[Place]) {
        let (done, stopped) = oneshot::channel();
        let share = Share::Revoked(places.iter().map(|place| place.partition).collect(), done);
        if self.to.blocking_send(share).is_ok() {
            // An error means that the crawl has ended.
            let _ = stopped.blocking_recv();
        }
    }
}

/// A record's URL and state; no state for a tombstone.
fn read(record: &Record) -> Option<(Url, Option<CrawlState>)> {
    let key = record.key_text();
    let Ok(url) = Url::parse(&key) else {
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
