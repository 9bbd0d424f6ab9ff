//! A service's way to its Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::{Exit, Failure};
use crate::handle::Handle;
use crate::kafka::config::{KafkaSettings, REQUEST_TIMEOUT};
use crate::kafka::context::{Context, Link};

/// A reachable Kafka, with the settings of one service. Cheap to clone.
#[derive(Clone)]
pub struct Kafka {
    inner: Arc<Inner>,
}

struct Inner {
    settings: KafkaSettings,
    handle: Handle,
    link: Arc<Link>,
    /// For metadata; made once, since each client has threads and connections of its own.
    metadata: BaseConsumer<Context>,
}

impl Kafka {
    /// Waits until a broker answers; says once that it waits, and once that it is connected.
    ///
    /// # Errors
    /// Settings that contradict each other (exit code 64), or a broker that refuses us (77). When the token is
    /// cancelled first, an error with exit code 69 that says so.
    pub async fn connect(
        settings: KafkaSettings,
        handle: &Handle,
        shutdown: &CancellationToken,
    ) -> Result<Self, Failure> {
        let check = handle.health().check("broker", "waiting for the broker");
        let link = Arc::new(Link::new(handle.service(), check));
        let context = Context::new("metadata", Arc::clone(&link));
        let metadata: BaseConsumer<Context> = settings
            .admin(handle.service())
            .create_with_context(context)
            .map_err(|error| Self::wrong_settings(&error))?;
        let kafka = Self { inner: Arc::new(Inner { settings, handle: handle.clone(), link, metadata }) };
        kafka.wait_for_broker(shutdown).await?;
        Ok(kafka)
    }

    async fn wait_for_broker(&self, shutdown: &CancellationToken) -> Result<(), Failure> {
        let servers = self.settings().bootstrap_servers();
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        let mut delays = backoff.build();
        let mut said = false;
        loop {
            let kafka = self.clone();
            let ask = move || kafka.inner.metadata.fetch_metadata(None, Duration::from_secs(1)).map(drop);
            let answer = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled));
            // Serves the callbacks that say why.
            while self.inner.metadata.poll(Duration::from_millis(10)).is_some() {}
            if answer.is_ok() {
                self.inner.link.up("metadata");
                info!(service = self.service(), servers, "connected to the broker");
                return Ok(());
            }
            if let Some(reason) = self.inner.link.refused() {
                return Err(Failure::new(Exit::NoPermission, format!("{servers} refuses this user: {reason}")));
            }
            if !said {
                said = true;
                let reason = self.inner.link.reason();
                info!(service = self.service(), servers, reason, "waiting for the broker");
            }
            tokio::select! {
                () = tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(5))) => {}
                () = shutdown.cancelled() => {
                    return Err(Failure::stopped(format!("stopped while waiting for the broker at {servers}")));
                }
            }
        }
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &KafkaSettings {
        &self.inner.settings
    }

    /// The handle of the service it was made for.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.inner.handle
    }

    /// Each topic with its number of partitions.
    ///
    /// # Errors
    /// The broker does not answer within 10 s (exit code 69).
    pub async fn partition_counts(&self) -> Result<BTreeMap<String, i32>, Failure> {
        let kafka = self.clone();
        let ask = move || kafka.inner.metadata.fetch_metadata(None, REQUEST_TIMEOUT);
        let answer = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled));
        let metadata =
            answer.map_err(|error| Failure::unavailable(format!("no list of topics from the broker: {error}")))?;
        let count = |partitions: usize| i32::try_from(partitions).unwrap_or(i32::MAX);
        Ok(metadata.topics().iter().map(|topic| (topic.name().to_owned(), count(topic.partitions().len()))).collect())
    }

    pub(crate) fn service(&self) -> &'static str {
        self.inner.handle.service()
    }

    /// From here on the checks of producers and consumers say how ready the service is.
    pub(crate) fn begin(&self) {
        self.inner.link.begin();
    }

    pub(crate) fn context(&self, client: &'static str) -> Context {
        Context::new(client, Arc::clone(&self.inner.link))
    }

    pub(crate) fn wrong_settings(error: &KafkaError) -> Failure {
        match error {
            KafkaError::ClientCreation(text) | KafkaError::ClientConfig(_, text, ..) => {
                Failure::usage(format!("librdkafka refuses the settings: {text}"))
            }
            error => Failure::usage(format!("librdkafka refuses the settings: {error}")),
        }
    }
}
