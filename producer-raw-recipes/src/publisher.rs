//! Pages on their way to Kafka.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use recipes::{CrawlState, DeadLetter, RawPage, topics};
use service_kit::kafka::{Output, Producer, SendError};
use time::OffsetDateTime;
use uuid::Uuid;

/// Partition and offset of a dead letter that was no record before.
const NOWHERE: i32 = -1;

/// Header of records on `crawl_urls`: which process wrote it.
pub const WRITER: &str = "writer";

/// What a visit leaves behind.
#[derive(Debug, Clone)]
pub enum Publication {
    /// A page for `raw_recipes`.
    Page {
        /// Canonical URL.
        key: String,
        /// What is known of it.
        page: RawPage,
        /// The bytes as received, decompressed.
        body: Bytes,
    },
    /// A page that will never be one, for `raw_recipes.dead`: without a value, since there is nothing to replay.
    Dead {
        /// Canonical URL.
        key: String,
        /// What is known of it.
        page: RawPage,
        /// Why, for people.
        reason: String,
        /// Visits it took to find out.
        attempts: u32,
    },
    /// What is known of a URL, for `crawl_urls`.
    State {
        /// The URL.
        key: String,
        /// Partition of its host.
        partition: i32,
        /// What is known.
        state: CrawlState,
    },
}

impl Publication {
    /// Canonical URL.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Page { key, .. } | Self::Dead { key, .. } | Self::State { key, .. } => key,
        }
    }
}

/// Takes what visits leave behind.
pub trait Publisher: Clone + Send + Sync + 'static {
    /// Writes the first ones, then the others, and waits until all are safe. After an error or a crash the first ones
    /// may be there without the others, never the other way round.
    ///
    /// # Errors
    /// [`SendError::Rejected`] for these alone; [`SendError::Unwritable`] when nothing can be written.
    fn write(
        &self,
        first: Vec<Publication>,
        then: Vec<Publication>,
    ) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Writes to Kafka and waits for the acknowledgement of all replicas.
#[derive(Clone)]
pub struct KafkaPublisher {
    producer: Producer,
    /// Tells this process's records on `crawl_urls` from those of others.
    writer: Arc<str>,
}

impl KafkaPublisher {
    /// A publisher whose records on `crawl_urls` carry this name.
    #[must_use]
    pub fn new(producer: Producer, writer: &str) -> Self {
        Self { producer, writer: writer.into() }
    }
}

impl Publisher for KafkaPublisher {
    async fn write(&self, first: Vec<Publication>, then: Vec<Publication>) -> Result<(), SendError> {
        for stage in [first, then] {
            let sends = stage.into_iter().filter_map(|publication| output(publication, &self.writer));
            let results = join_all(sends.map(|output| self.producer.send(output))).await;
            results.into_iter().collect::<Result<(), SendError>>()?;
        }
        Ok(())
    }
}

fn output(publication: Publication, writer: &str) -> Option<Output> {
    Some(match publication {
        Publication::Page { key, page, body } => {
            Output::to(topics::RAW_RECIPES).key(key).value(body).headers(page.headers())
        }
        Publication::Dead { key, page, reason, attempts } => {
            let letter = DeadLetter {
                reason,
                topic: topics::RAW_RECIPES.to_owned(),
                partition: NOWHERE,
                offset: NOWHERE.into(),
                attempts,
                at: OffsetDateTime::now_utc(),
                group: String::new(),
            };
            Output::to(topics::dead(topics::RAW_RECIPES)).key(key).headers(page.headers()).headers(letter.headers())
        }
        Publication::State { key, partition, state } => {
            // Only a year past 9999 has no JSON, and none is planned for then.
            let json = state.to_json().ok()?;
            Output::to(topics::CRAWL_URLS).partition(partition).key(key).value(json).header(WRITER, writer.as_bytes())
        }
    })
}

/// A new W3C trace, which a page's way through the pipeline is followed by.
#[must_use]
pub fn traceparent() -> String {
    let span = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-01", Uuid::new_v4().simple(), &span[..16])
}
