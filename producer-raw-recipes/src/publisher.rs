//! Pages on their way to Kafka.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryFutureExt;
use futures_util::future::{Either, join_all};
use recipes::{CrawlState, DeadLetter, RawPage, topics};
use service_kit::kafka::{Output, Place, Producer, SendError, Transactions};
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
    /// A tombstone for a link on `crawl_urls` that its owner has taken.
    Taken {
        /// The link's key.
        key: String,
        /// Partition of its host.
        partition: i32,
    },
}

/// Takes what visits leave behind.
pub trait Publisher: Clone + Send + Sync + 'static {
    /// Writes publications on behalf of a partition of `crawl_urls`, behind those of earlier calls; the future waits until
    /// they are safe. What stands first is there when what stands behind it is; whether it may be there alone after a
    /// crash is up to the publisher.
    ///
    /// # Errors
    /// [`SendError::Rejected`] and [`SendError::Lost`] for these alone; [`SendError::Unwritable`] when nothing can be
    /// written.
    fn write(
        &self,
        partition: i32,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static;
}

/// Writes to Kafka and waits for the acknowledgement of all replicas.
#[derive(Clone)]
pub struct KafkaPublisher {
    way: Way,
    /// Tells this process's records on `crawl_urls` from those of others.
    writer: Arc<str>,
}

#[derive(Clone)]
enum Way {
    InOrder(Producer),
    Together(Transactions),
}

impl KafkaPublisher {
    /// A publisher that writes the last publication after the others. After a crash a page may be there without its
    /// state, and is published again then.
    #[must_use]
    pub fn in_order(producer: Producer, writer: &str) -> Self {
        Self { way: Way::InOrder(producer), writer: writer.into() }
    }

    /// A publisher that writes all or nothing, and only while the partition is ours.
    #[must_use]
    pub fn together(transactions: Transactions, writer: &str) -> Self {
        Self { way: Way::Together(transactions), writer: writer.into() }
    }
}

impl Publisher for KafkaPublisher {
    fn write(
        &self,
        partition: i32,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        let mut outputs: Vec<Output> =
            publications.into_iter().filter_map(|publication| output(publication, &self.writer)).collect();
        match &self.way {
            Way::InOrder(producer) => {
                let producer = producer.clone();
                Either::Left(async move {
                    let last = outputs.pop();
                    let sent = join_all(outputs.into_iter().map(|output| producer.send(output))).await;
                    sent.into_iter().collect::<Result<(), SendError>>()?;
                    producer.send_in_order(last).await
                })
            }
            Way::Together(transactions) => {
                let written = transactions.write(Place::new(topics::CRAWL_URLS, partition), outputs);
                Either::Right(written.map_ok(drop))
            }
        }
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
        Publication::Taken { key, partition } => Output::to(topics::CRAWL_URLS).partition(partition).key(key),
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
