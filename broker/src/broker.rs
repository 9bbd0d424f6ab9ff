//! A broker from start to stop.

use std::sync::Arc;
use std::time::Duration;

use commitlog::{DirError, DirLock};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::cleaner;
use crate::config::BrokerConfig;
use crate::config::StartupTopic;
use crate::gauges;
use crate::maintenance;
use crate::metadata::{DirectoryError, Endpoint, MetadataError, NewTopic};
use crate::metadata_follower::MetadataFollower;
use crate::node::Node;
use crate::opened::Opened;
use crate::replica::{self, Partition, ReplicaManager, Volume};
use crate::server::{BindError, ConnectionCounts, Listener};

/// How long a stop waits for connections to finish what they are doing.
const DRAIN: Duration = Duration::from_secs(5);

/// Why a broker did not start. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A log directory that is not ours to use.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A log directory that another broker has, or that the disk refuses.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The metadata log.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The partitions' logs.
    #[error(transparent)]
    Replicas(#[from] replica::StartError),
}

/// A running broker. Dropping it without [`Broker::shutdown`] is a crash: the next start recovers.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    tasks: TaskTracker,
    connections: TaskTracker,
    counts: Arc<ConnectionCounts>,
    ports: Vec<(String, u16)>,
    stop_accepting: CancellationToken,
    stop_work: CancellationToken,
    /// Dropped last: until then no other broker may have the directory.
    _metadata_lock: Option<DirLock>,
}

impl Broker {
    /// Opens the listeners and the log directories, brings the logs in step with metadata, and serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: BrokerConfig) -> Result<Self, StartError> {
        let listeners = bind(&config).await?;
        let config = Arc::new(config);
        let opening = Arc::clone(&config);
        let endpoints = endpoints(&config, &listeners);
        let opened = tokio::task::spawn_blocking(move || Opened::new(&opening, endpoints)).await;
        let opened = opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let broker = Self::assemble(config, opened, &listeners);
        broker.node.replicas.resume_moves(&broker.node.controller).await;
        broker.make_startup_topics().await;
        for listener in listeners {
            let (node, counts) = (Arc::clone(&broker.node), Arc::clone(&broker.counts));
            let stop = broker.stop_accepting.clone();
            broker.tasks.spawn(listener.run(node, counts, broker.connections.clone(), stop));
        }
        Ok(broker)
    }

    fn assemble(config: Arc<BrokerConfig>, opened: Opened, listeners: &[Listener]) -> Self {
        let Opened { cluster_id, controller, replicas, groups, transactions, metadata_lock } = opened;
        let (tasks, stop_accepting, stop_work) =
            (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let producer_check = config.transactions.producer_id_expiration_check_interval_ms;
        let producer_check = Duration::from_millis(u64::try_from(producer_check).unwrap_or(1).max(1));
        maintenance::start(&replicas, &config.storage, producer_check, &tasks, &stop_work);
        tasks.spawn(groups.clone().run(stop_work.clone()));
        let counts = Arc::new(ConnectionCounts::default());
        let stopping = stop_accepting.clone();
        let node =
            Node::new(Arc::clone(&config), cluster_id, controller, replicas, groups, transactions.clone(), stopping);
        let node = Arc::new(node);
        node.controller.subscribe(Arc::new(MetadataFollower::new(&node)));
        node.set_config(Arc::new(config.with_dynamic(&node.dynamic_configs(&node.controller.image()))));
        let config = node.config_changes();
        if config.borrow().cleaner.log_cleaner_enable {
            cleaner::start(&node.replicas, config, &tasks, &stop_work);
        }
        let draws_ids = Arc::clone(&node);
        let fresh_id = move || {
            let node = Arc::clone(&draws_ids);
            async move { node.fresh_producer_id().await }
        };
        tasks.spawn(transactions.run(fresh_id, stop_work.clone()));
        let (following, follower, stop) = (Arc::clone(&counts), Arc::clone(&node), stop_work.clone());
        tasks.spawn(async move { following.follow(follower, stop).await });
        tasks.spawn(Arc::clone(&node.replicas).watch_for_failures(node.controller.clone(), stop_work.clone()));
        tasks.spawn(gauges::run(Arc::clone(&node), stop_work.clone()));
        let ports = listeners.iter().map(|it| (it.identity().name.clone(), it.identity().local_addr.port())).collect();
        let connections = TaskTracker::new();
        Self { node, tasks, connections, counts, ports, stop_accepting, stop_work, _metadata_lock: metadata_lock }
    }

    /// The parts, for metrics and tests.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The port of a listener, which differs from the settings where they say 0.
    pub fn port(&self, listener: &str) -> Option<u16> {
        self.ports.iter().find(|(name, _)| name == listener).map(|(_, port)| *port)
    }

    /// Client connections open now.
    pub fn connections(&self) -> usize {
        self.counts.open()
    }

    /// Makes the topics that the settings name and that are missing.
    async fn make_startup_topics(&self) {
        let image = self.node.controller.image();
        let missing = self
            .node
            .config()
            .startup_topics
            .iter()
            .filter(|it| image.topic(&it.name).is_none())
            .map(startup_topic)
            .collect::<Vec<_>>();
        if missing.is_empty() {
            return;
        }
        match self.node.controller.create_topics(missing, false).await {
            Ok(results) => {
                for result in results {
                    match result.outcome {
                        Ok(made) => {
                            info!(topic = result.name, partitions = made.num_partitions, "topic created at start");
                        }
                        Err(error) => warn!(topic = result.name, %error, "topic of create.topics not created"),
                    }
                }
            }
            Err(error) => warn!(%error, "topics of create.topics not created"),
        }
    }

    /// Stops in order: no new requests, those under way answered, logs closed and marked as cleanly stopped.
    pub async fn shutdown(self) {
        self.stop_accepting.cancel();
        self.connections.close();
        if tokio::time::timeout(DRAIN, self.connections.wait()).await.is_err() {
            warn!(connections = self.counts.open(), "clients cut off: their requests did not end in time");
        }
        self.stop_work.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let node = Arc::clone(&self.node);
        let closed = tokio::task::spawn_blocking(move || close_logs(&node.replicas)).await;
        let clean = closed.unwrap_or_else(|failed| {
            error!(%failed, "logs not closed");
            false
        });
        if let Err(error) = self.node.controller.close().await {
            error!(%error, "metadata log not closed; the next start recovers the logs");
        } else if clean {
            mark_clean(&self.node.replicas, self.node.controller.broker_epoch());
        }
    }
}

fn startup_topic(topic: &StartupTopic) -> NewTopic {
    let cleanup_policy =
        topic.cleanup_policy.as_ref().map(|policy| ("cleanup.policy".to_owned(), Some(policy.clone())));
    NewTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replicas.unwrap_or(-1),
        configs: cleanup_policy.into_iter().collect(),
        ..NewTopic::default()
    }
}

/// Closes every log and says whether all of them could be.
fn close_logs(replicas: &ReplicaManager) -> bool {
    let mut clean = true;
    let in_use = |partition: &Arc<Partition>| replicas.volume_of(partition).is_none_or(Volume::is_online);
    for partition in replicas.all().into_iter().filter(in_use) {
        if let Err(error) = partition.log().close() {
            error!(topic = %partition.topic(), partition = partition.index(), %error, "log not closed");
            clean = false;
        }
    }
    Handle::current().block_on(replicas.moves_ended());
    maintenance::checkpoint(replicas);
    clean
}

/// Says that the stop was clean, so that the next start need not look at the logs.
fn mark_clean(replicas: &ReplicaManager, broker_epoch: i64) {
    for volume in replicas.volumes().iter().filter(|volume| volume.is_online()) {
        if let Err(error) = volume.dir.mark_clean_shutdown(broker_epoch) {
            error!(directory = %volume.dir.path().display(), %error, "clean stop not marked; the next start recovers the logs");
        }
    }
}

async fn bind(config: &BrokerConfig) -> Result<Vec<Listener>, BindError> {
    let backlog = config.network.socket_listen_backlog_size;
    let mut listeners = Vec::new();
    for wanted in &config.listeners.clients {
        listeners.push(Listener::bind(&wanted.name, &wanted.host, wanted.port, backlog).await?);
    }
    Ok(listeners)
}

/// What a client is to connect to, for the broker's registration.
fn endpoints(config: &BrokerConfig, listeners: &[Listener]) -> Vec<Endpoint> {
    let endpoint = |listener: &Listener| {
        let name = &listener.identity().name;
        let advertised = config.listeners.advertised.iter().find(|it| it.name == *name);
        let port = advertised.map_or(0, |it| it.port);
        let protocol = config.listeners.clients.iter().find(|it| it.name == *name).map_or(0, |it| it.protocol as i16);
        Endpoint {
            listener: name.clone(),
            host: advertised.map_or_else(|| "localhost".to_owned(), |it| it.host.clone()),
            port: if port == 0 { listener.identity().local_addr.port() } else { port },
            security_protocol: protocol,
        }
    };
    listeners.iter().map(endpoint).collect()
}
