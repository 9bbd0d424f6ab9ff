//! What a broker opens before it serves: directories, metadata, logs, groups.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commitlog::{DirLock, Env, LogDir};

use crate::broker::StartError;
use crate::config::{BrokerConfig, Listener, MetadataSettings};
use crate::config_rules::BrokerConfigRules;
use crate::group_metadata;
use crate::groups::{GroupConfig, GroupCoordinator};
use crate::internal_topics::InternalTopic;
use crate::metadata::{
    Controller, Directory, DirectoryError, Endpoint, Image, MetadataLogSettings, Options, TopicDefaults,
};
use crate::metadata_follower::{dynamic_configs, topic_config};
use crate::node::{now_ms, obey};
use crate::offsets_log::{self, ReplicaOffsetsLog};
use crate::replica::{ReplicaManager, Volume};
use crate::transaction_log::{self, PartitionMarkers, ReplicaTransactionLog};
use crate::transactions::{TransactionConfig, TransactionCoordinator};

/// Descriptors that logs may hold open, as a part of the process's limit: the rest is for connections.
const LOG_FILES_PART: u64 = 2;
/// As many where the process has no limit.
const MAX_LOG_FILES: u64 = 100_000;

/// What is opened before the broker serves. Blocking work.
#[derive(Debug)]
pub struct Opened {
    /// The cluster's id.
    pub cluster_id: String,
    /// Metadata.
    pub controller: Controller,
    /// Partitions.
    pub replicas: Arc<ReplicaManager>,
    /// Groups, loaded.
    pub groups: GroupCoordinator,
    /// Transactions, loaded.
    pub transactions: TransactionCoordinator,
    /// Held while the broker runs, where metadata is in none of the log directories.
    pub metadata_lock: Option<DirLock>,
}

impl Opened {
    /// Opens everything; blocks for as long as recovery takes.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(config: &BrokerConfig, endpoints: Vec<Endpoint>) -> Result<Self, StartError> {
        let env = Env::new(log_file_budget());
        let (directory, volumes, metadata_lock) = open_volumes(config, &env)?;
        let cluster_id = directory.cluster_id.clone();
        let clean = volumes.iter().all(|volume| volume.dir.was_stopped_cleanly());
        let controller = Controller::start(Options {
            directory,
            env: Arc::clone(&env),
            log_dirs: volumes.iter().map(|volume| volume.id).collect(),
            endpoints,
            controller_endpoints: controller_endpoints(config),
            rack: config.rack.clone(),
            previous_broker_epoch: volumes
                .iter()
                .filter_map(|volume| volume.dir.previous_broker_epoch())
                .min()
                .filter(|_| clean),
            defaults: TopicDefaults {
                num_partitions: config.topics.num_partitions,
                replication_factor: i16::try_from(config.topics.default_replication_factor).unwrap_or(1),
            },
            min_insync_replicas: config.topic_defaults.min_insync_replicas,
            log: metadata_log_settings(&config.metadata),
            rules: Arc::new(BrokerConfigRules::new(config.clone())),
        })?;
        let image = controller.image();
        let effective = config.with_dynamic(&dynamic_configs(&image, config.node_id));
        let config_of = |image: &Image, topic: &str| topic_config(&effective, image, topic);
        let threads = usize::try_from(config.storage.num_recovery_threads_per_data_dir).unwrap_or(1).max(1);
        obey(&env, &effective.transactions);
        let replicas = Arc::new(ReplicaManager::start(env, volumes, threads, &image, &config_of, now_ms())?);
        let log = Arc::new(ReplicaOffsetsLog::new(
            Arc::clone(&replicas),
            config.storage.acks_fsync,
            config.offsets.offsets_topic_compression_codec,
        ));
        let groups = GroupCoordinator::new(GroupConfig::from(config), config.offsets.offsets_topic_num_partitions, log);
        group_metadata::tell_all(&groups, &image);
        if let Some(topic) = image.topic(InternalTopic::ConsumerOffsets.name()) {
            let buffer = usize::try_from(config.offsets.offsets_load_buffer_size).unwrap_or(0);
            offsets_log::load(&groups, &replicas, topic.partitions.len() as i32, buffer);
        }
        let transactions = transactions(config, &controller, &replicas, &groups);
        Ok(Self { cluster_id, controller, replicas, groups, transactions, metadata_lock })
    }
}

/// The transaction coordinator, which finishes at once what was decided before the last stop: it needs the groups.
fn transactions(
    config: &BrokerConfig,
    controller: &Controller,
    replicas: &Arc<ReplicaManager>,
    groups: &GroupCoordinator,
) -> TransactionCoordinator {
    let settings = &config.transactions;
    let ms = |value: i32| Duration::from_millis(u64::try_from(value).unwrap_or(1).max(1));
    let transaction_config = TransactionConfig {
        max_timeout_ms: settings.transaction_max_timeout_ms,
        abort_interval: ms(settings.transaction_abort_timed_out_transaction_cleanup_interval_ms),
        expiry_interval: ms(settings.transaction_remove_expired_transaction_cleanup_interval_ms),
        id_expiration_ms: settings.transactional_id_expiration_ms.into(),
    };
    let log = ReplicaTransactionLog::new(Arc::clone(replicas), controller.clone(), config.storage.acks_fsync);
    let markers = PartitionMarkers::new(Arc::clone(replicas), groups.clone());
    let transactions = TransactionCoordinator::new(transaction_config, Arc::new(log), Arc::new(markers));
    if let Some(topic) = controller.image().topic(InternalTopic::TransactionState.name()) {
        let buffer = usize::try_from(settings.transaction_state_log_load_buffer_size).unwrap_or(0);
        transaction_log::load(&transactions, replicas, topic.partitions.len() as i32, buffer);
    }
    transactions
}

/// Takes the log directories into use, formatting those that are empty; the first value is the one of metadata.
///
/// Each is locked before it is looked at: two brokers must not format one directory at once, and one that is turned
/// away must leave the directory as it was.
fn open_volumes(
    config: &BrokerConfig,
    env: &Arc<Env>,
) -> Result<(Directory, Vec<Volume>, Option<DirLock>), StartError> {
    let metadata_lock = lock(&config.metadata_log_dir)?;
    let metadata = Directory::open(&config.metadata_log_dir, config.node_id, config.cluster_id.as_deref())?;
    let mut metadata_lock = Some(metadata_lock);
    let mut volumes = Vec::with_capacity(config.log_dirs.len());
    for path in &config.log_dirs {
        let (lock, id) = match metadata_lock.take_if(|lock| lock.path() == path) {
            Some(lock) => (lock, metadata.directory_id),
            None => {
                let lock = lock(path)?;
                (lock, Directory::open(path, config.node_id, Some(&metadata.cluster_id))?.directory_id)
            }
        };
        volumes.push(Volume::new(LogDir::open_locked(env, lock)?, id));
    }
    Ok((metadata, volumes, metadata_lock))
}

fn lock(path: &Path) -> Result<DirLock, StartError> {
    if path.exists() && !path.is_dir() {
        return Err(DirectoryError::NotADirectory(path.into()).into());
    }
    Ok(DirLock::take(path)?)
}

/// The controller's listeners, which nothing is served on here: Apache Kafka finds them in the metadata when it takes
/// the directory over.
fn controller_endpoints(config: &BrokerConfig) -> Vec<Endpoint> {
    let endpoint = |listener: &Listener| Endpoint {
        listener: listener.name.clone(),
        host: if listener.is_wildcard() { "localhost".to_owned() } else { listener.host.clone() },
        port: listener.port,
        security_protocol: listener.protocol as i16,
    };
    config.listeners.controllers.iter().map(endpoint).collect()
}

fn log_file_budget() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from((limit / LOG_FILES_PART).min(MAX_LOG_FILES)).unwrap_or(0)
}

fn metadata_log_settings(settings: &MetadataSettings) -> MetadataLogSettings {
    let bytes = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
    MetadataLogSettings {
        segment_bytes: bytes(settings.metadata_log_segment_bytes.into()),
        segment_ms: settings.metadata_log_segment_ms,
        snapshot_bytes: bytes(settings.metadata_log_max_record_bytes_between_snapshots),
        snapshot_interval_ms: settings.metadata_log_max_snapshot_interval_ms,
        retention_bytes: settings.metadata_max_retention_bytes,
        retention_ms: settings.metadata_max_retention_ms,
    }
}
