//! The live page: recipes and alerts as they come, over server-sent events, readable without JavaScript.
//!
//! | Path | |
//! |---|---|
//! | `/` | the page |
//! | `/recipe?key=…` | one recipe with its history |
//! | `/dead?topic=…` | one dead letter; with an admin token it can be replayed |
//! | `/alerts.rss` | the newest alerts for feed readers |
//! | `/events` | server-sent events: one `snapshot`, then `update`s |
//! | `/api/…` | the same as JSON; `/api/openapi.json` says what there is |
//! | `/assets/…` | style and script |
//!
//! Everything is bounded: the feed keeps the newest [`feed::KEPT`] of each list, texts are cut, and a reader who is too
//! slow for the updates gets a fresh snapshot.

mod api;
mod dead;
pub mod feed;
mod histogram;
mod routes;
mod sites;
mod sources;
mod updates;
mod view;

use std::sync::{Arc, OnceLock};

use recipes::topics;
use service_kit::kafka::{Followed, Kafka, Producer};
use service_kit::{Failure, Handle};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::channels::secret::Secret;
use crate::page::feed::Feed;
use crate::page::updates::Updates;
use crate::page::view::Views;

/// Records of each partition that are read again when the page starts.
const REPLAYED: i64 = 500;
/// The same for pages that could not be parsed, which may be large.
const REPLAYED_PAGES: i64 = 20;

/// The page's state, shared by all who look at it. Cheap to clone.
#[derive(Clone)]
pub struct Page {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) feed: Feed,
    pub(crate) views: Views,
    pub(crate) updates: Updates,
    pub(crate) handle: Handle,
    pub(crate) admin: Option<AdminToken>,
    /// There once the broker answers.
    pub(crate) kafka: OnceLock<(Kafka, Producer)>,
}

/// What whoever may change things has to show.
#[derive(Clone)]
pub struct AdminToken(Secret);

impl AdminToken {
    /// A token of that text.
    #[must_use]
    pub const fn new(token: Secret) -> Self {
        Self(token)
    }

    /// Compares digests: the time it takes says nothing of the token.
    pub(crate) fn is(&self, given: &str) -> bool {
        Sha256::digest(self.0.reveal()) == Sha256::digest(given)
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(***)")
    }
}

impl Page {
    /// A page with nothing on it yet. Its readers are let go when the token is cancelled.
    #[must_use]
    pub fn new(handle: Handle, threshold: f64, admin: Option<AdminToken>, shutdown: CancellationToken) -> Self {
        let (feed, views, updates) = (Feed::new(threshold), Views::new(), Updates::new(shutdown));
        let inner = Inner { feed, views, updates, handle, admin, kafka: OnceLock::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Its routes.
    pub fn routes(&self) -> axum::Router {
        routes::routes(Arc::clone(&self.inner))
    }

    /// What is on it.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// Fills the page from the topics until the token is cancelled.
    ///
    /// # Errors
    /// A topic cannot be read.
    pub async fn follow(self, kafka: Kafka, shutdown: CancellationToken) -> Result<(), Failure> {
        // Set once: a page follows one broker.
        let _ = self.inner.kafka.set((kafka.clone(), kafka.producer()?));
        let publisher = tokio::spawn(updates::publish(Arc::clone(&self.inner), shutdown.clone()));
        let parsed_dead = topics::dead(topics::PARSED_RECIPES);
        let alerts_dead = topics::dead(topics::RECIPE_ALERTS);
        let all = [
            topics::PARSED_RECIPES,
            topics::RECIPE_ALERTS,
            topics::RAW_RECIPES_DEAD,
            &parsed_dead,
            &alerts_dead,
            topics::CRAWL_SOURCES,
        ];
        kafka.ensure_topics(&all).await?;
        let read = move || {
            let topics = [
                (topics::PARSED_RECIPES, REPLAYED),
                (topics::RECIPE_ALERTS, REPLAYED),
                (topics::RECIPE_STATS, REPLAYED),
                (topics::CRAWL_SOURCES, REPLAYED),
                (&*parsed_dead, REPLAYED),
                (topics::RAW_RECIPES_DEAD, REPLAYED_PAGES),
                (&*alerts_dead, REPLAYED_PAGES),
            ];
            kafka.follow(&topics, &shutdown, |followed| match followed {
                Followed::Skipped { topic, records } => self.inner.feed.skipped(topic, records),
                Followed::Record(record) => {
                    self.inner.feed.take(&record);
                    self.inner.updates.wake();
                }
            })
        };
        let result = tokio::task::spawn_blocking(read).await;
        publisher.abort();
        result.map_err(|error| Failure::software(format!("the live page failed: {error}")))?.map_err(Failure::from)
    }
}
