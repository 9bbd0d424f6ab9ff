//! What every request handler can reach: the broker's parts, and what they do together.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commitlog::Env;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::{ApiKey, ErrorCode};

use crate::api::{FetchSessions, served};
use crate::config::{BrokerConfig, DynamicConfigs, TransactionSettings};
use crate::groups::GroupCoordinator;
use crate::internal_topics::InternalTopic;
use crate::metadata::{Controller, CreateTopicResult, Image, NewTopic, Topic};
use crate::metadata_follower::dynamic_configs;
use crate::observability::metrics::RequestMetrics;
use crate::offsets_log;
use crate::producer_ids::ProducerIds;
use crate::replica::ReplicaManager;
use crate::server::{ListenerIdentity, RequestQueue};
use crate::transaction_log;
use crate::transactions::TransactionCoordinator;

/// A running broker's parts.
#[derive(Debug)]
pub struct Node {
    config: watch::Sender<Arc<BrokerConfig>>,
    cluster_id: String,
    /// Topics, configs and everything else that metadata is.
    pub controller: Controller,
    /// Partitions.
    pub replicas: Arc<ReplicaManager>,
    /// Groups.
    pub groups: GroupCoordinator,
    /// Transactions.
    pub transactions: TransactionCoordinator,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// Incremental fetch sessions.
    pub fetch_sessions: FetchSessions,
    /// Room for requests.
    pub request_queue: RequestQueue,
    /// What is counted of requests.
    pub request_metrics: RequestMetrics,
    /// Cancelled when the broker stops: whatever waits then answers at once.
    pub stopping: CancellationToken,
    /// Held while an internal topic is being made.
    making_internal_topic: Mutex<()>,
}

/// Limits that a connection applies to each request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `socket.request.max.bytes`.
    pub max_request_bytes: usize,
    /// `connections.max.idle.ms`; `None` for no limit.
    pub max_idle: Option<Duration>,
    /// `fetch.max.bytes`.
    pub max_fetch_bytes: usize,
}

impl Node {
    /// Puts the parts together.
    pub fn new(
        config: Arc<BrokerConfig>,
        cluster_id: String,
        controller: Controller,
        replicas: Arc<ReplicaManager>,
        groups: GroupCoordinator,
        transactions: TransactionCoordinator,
        stopping: CancellationToken,
    ) -> Self {
        let slots = usize::try_from(config.requests.max_incremental_fetch_session_cache_slots).unwrap_or(0);
        let request_queue = RequestQueue::new(&config.network);
        Self {
            request_queue,
            config: watch::Sender::new(config),
            cluster_id,
            controller,
            replicas,
            groups,
            transactions,
            producer_ids: ProducerIds::default(),
            fetch_sessions: FetchSessions::new(slots, FETCH_SESSION_EVICTION_MS),
            request_metrics: RequestMetrics::new(ApiKey::ALL.iter().copied().filter(|api| served(*api).is_some())),
            stopping,
            making_internal_topic: Mutex::new(()),
        }
    }

    /// The settings as they are now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// The settings with every change.
    pub fn config_changes(&self) -> watch::Receiver<Arc<BrokerConfig>> {
        self.config.subscribe()
    }

    /// Takes over settings that were changed while the broker runs.
    pub fn set_config(&self, config: Arc<BrokerConfig>) {
        obey(self.replicas.env(), &config.transactions);
        self.config.send_replace(config);
    }

    /// The settings that were changed while the broker runs.
    pub fn dynamic_configs(&self, image: &Image) -> DynamicConfigs {
        dynamic_configs(image, self.config().node_id)
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Milliseconds since 1970, as records have them.
    pub fn now_ms(&self) -> i64 {
        now_ms()
    }

    /// Limits of a request.
    pub fn limits(&self) -> Limits {
        let config = self.config();
        Limits {
            max_request_bytes: usize::try_from(config.network.socket_request_max_bytes).unwrap_or(0),
            max_idle: u64::try_from(config.network.connections_max_idle_ms).ok().map(Duration::from_millis),
            max_fetch_bytes: usize::try_from(config.requests.fetch_max_bytes).unwrap_or(0),
        }
    }

    /// Where clients that came through a listener are to connect.
    pub fn advertised(&self, listener: &ListenerIdentity) -> (String, u16) {
        let config = self.config();
        let advertised = config.listeners.advertised.iter().find(|it| it.name == listener.name);
        match advertised {
            Some(it) if it.port != 0 => (it.host.clone(), it.port),
            Some(it) => (it.host.clone(), listener.local_addr.port()),
            None => (listener.local_addr.ip().to_string(), listener.local_addr.port()),
        }
    }

    /// Makes topics that were asked for by name, with the broker's defaults. What goes wrong shows when the topic is
    /// still missing.
    pub async fn auto_create_topics(&self, names: Vec<String>) {
        let (internal, names): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| InternalTopic::named(name).is_some());
        for topic in internal.iter().filter_map(|name| InternalTopic::named(name)) {
            if let Err(code) = self.internal_topic(topic).await {
                warn!(topic = topic.name(), error = code.name(), "internal topic not created");
            }
        }
        if names.is_empty() {
            return;
        }
        let topics = names.iter().map(|name| NewTopic {
            name: name.clone(),
            num_partitions: -1,
            replication_factor: -1,
            ..NewTopic::default()
        });
        match self.controller.create_topics(topics.collect(), false).await {
            Ok(results) => {
                for CreateTopicResult { name, outcome } in results {
                    match outcome {
                        Ok(_) => info!(topic = name, "topic created on demand"),
                        Err(error) => warn!(topic = name, %error, "topic not created on demand"),
                    }
                }
            }
            Err(error) => warn!(?names, %error, "topics not created on demand"),
        }
    }

    /// A producer id that no producer of this cluster ever had.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS` where the metadata log cannot be written, as clients then try again.
    pub async fn fresh_producer_id(&self) -> Result<i64, ErrorCode> {
        self.producer_ids.next(&self.controller).await.map_err(|error| {
            warn!(%error, "no producer id");
            ErrorCode::CoordinatorLoadInProgress
        })
    }

    /// An internal topic, made if it is missing.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` where it cannot be made, as clients then try again.
    pub async fn internal_topic(&self, topic: InternalTopic) -> Result<Arc<Topic>, ErrorCode> {
        if let Some(found) = self.controller.image().topic(topic.name()) {
            return Ok(Arc::clone(found));
        }
        let _making = self.making_internal_topic.lock().await;
        if let Some(found) = self.controller.image().topic(topic.name()) {
            return Ok(Arc::clone(found));
        }
        let created = self.controller.create_topics(vec![topic.new_topic(&self.config())], false).await;
        let failure = match created {
            Ok(mut results) => results.pop().and_then(|result| result.outcome.err()).map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = failure {
            warn!(topic = topic.name(), %error, "internal topic not created");
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.controller.image().topic(topic.name()).cloned().ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    /// Whether an internal topic is there; if not it is made, and is there the next time.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` where it was missing.
    pub async fn await_internal_topic(&self, topic: InternalTopic) -> Result<(), ErrorCode> {
        if self.controller.image().topic(topic.name()).is_some() {
            return Ok(());
        }
        self.internal_topic(topic).await.and(Err(ErrorCode::CoordinatorNotAvailable))
    }

    /// Takes the partitions of an internal topic that was just made into service, whoever made it.
    pub fn internal_topic_created(&self, topic: InternalTopic, partitions: usize) {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let config = self.config();
        match topic {
            InternalTopic::ConsumerOffsets => {
                let buffer = usize::try_from(config.offsets.offsets_load_buffer_size).unwrap_or(0);
                offsets_log::load(&self.groups, &self.replicas, partitions, buffer);
            }
            InternalTopic::TransactionState => {
                let buffer = config.transactions.transaction_state_log_load_buffer_size;
                let buffer = usize::try_from(buffer).unwrap_or(0);
                transaction_log::load(&self.transactions, &self.replicas, partitions, buffer);
            }
        }
    }
}

/// Has all logs follow what the settings say of their producers.
pub fn obey(env: &Env, settings: &TransactionSettings) {
    env.set_producer_expiration_ms(settings.producer_id_expiration_ms.into());
    env.set_transaction_verification(settings.transaction_partition_verification_enable);
}

/// A session unused for this long gives way to a new one when all slots are taken; Kafka has no setting for it
/// (`FetchSession.scala`, `KafkaBroker.MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
const FETCH_SESSION_EVICTION_MS: i64 = 120_000;

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
