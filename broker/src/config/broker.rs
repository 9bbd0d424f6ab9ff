//! The broker's settings, read and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::dynamic::DynamicConfigs;
use super::error::ConfigError;
use super::listener::{ListenerSettings, Listeners, SecurityProtocol};
use super::listener_limits::ListenerLimits;
use super::reader::{Properties, Reader, properties};
use super::settings::{Gathered, SettingsError, Sources};
use super::startup_topic::{self, StartupTopic};
use super::topic::TopicConfig;

properties! {
    /// Limits on connections and what comes through them.
    pub struct NetworkSettings {
        /// Pending connections a listener's socket may hold.
        socket_listen_backlog_size: i32 = "socket.listen.backlog.size",
        /// Socket send buffer in bytes; -1 leaves it to the system.
        socket_send_buffer_bytes: i32 = "socket.send.buffer.bytes",
        /// Socket receive buffer in bytes; -1 leaves it to the system.
        socket_receive_buffer_bytes: i32 = "socket.receive.buffer.bytes",
        /// Largest request in bytes; a larger one ends its connection.
        socket_request_max_bytes: i32 = "socket.request.max.bytes",
        /// Connections of the whole broker.
        max_connections: i32 = "max.connections",
        /// Connections from one address.
        max_connections_per_ip: i32 = "max.connections.per.ip",
        /// Exceptions to it: `address:count`, separated by commas.
        max_connections_per_ip_overrides: String = "max.connections.per.ip.overrides",
        /// New connections a second.
        max_connection_creation_rate: i32 = "max.connection.creation.rate",
        /// A connection without requests for this many ms is closed; negative keeps it.
        connections_max_idle_ms: i64 = "connections.max.idle.ms",
        /// A SASL connection must authenticate again within this many ms; 0 for never.
        connections_max_reauth_ms: i64 = "connections.max.reauth.ms",
        /// Pause before a failed authentication is answered, in ms.
        connection_failed_authentication_delay_ms: i32 = "connection.failed.authentication.delay.ms",
        /// Requests waiting or being worked on; beyond it, reading stops.
        queued_max_requests: i32 = "queued.max.requests",
        /// Bytes of such requests; -1 for no limit.
        queued_max_request_bytes: i64 = "queued.max.request.bytes",
    }
}

properties! {
    /// Limits on Fetch and other requests.
    pub struct RequestSettings {
        /// Most bytes of one Fetch reply.
        fetch_max_bytes: i32 = "fetch.max.bytes",
        /// Fetch sessions kept (KIP-227).
        max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots",
        /// Partitions of one DescribeTopicPartitions reply.
        max_request_partition_size_limit: i32 = "max.request.partition.size.limit",
        /// Bytes of one push of client telemetry (KIP-714).
        telemetry_max_bytes: i32 = "telemetry.max.bytes",
    }
}

properties! {
    /// Making and deleting topics.
    pub struct TopicSettings {
        /// Partitions of a topic made without a number.
        num_partitions: i32 = "num.partitions",
        /// Replicas of a topic made without a number.
        default_replication_factor: i32 = "default.replication.factor",
        /// Whether Metadata makes a topic that is asked for.
        auto_create_topics_enable: bool = "auto.create.topics.enable",
        /// Whether DeleteTopics does.
        delete_topic_enable: bool = "delete.topic.enable",
    }
}

properties! {
    /// The log directories and the work done on them in the background.
    pub struct StorageSettings {
        /// Threads that recover logs at the start, for each directory.
        num_recovery_threads_per_data_dir: i32 = "num.recovery.threads.per.data.dir",
        /// How often retention looks for old segments, in ms.
        log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms",
        /// How long after the start the first background work waits, in ms.
        log_initial_task_delay_ms: i64 = "log.initial.task.delay.ms",
        /// How often the flusher looks for logs that are due, in ms.
        log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms",
        /// How often recovery points are written, in ms.
        log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms",
        /// How often log start offsets are written, in ms.
        log_flush_start_offset_checkpoint_interval_ms: i32 = "log.flush.start.offset.checkpoint.interval.ms",
        /// How often high watermarks are written, in ms.
        replica_high_watermark_checkpoint_interval_ms: i64 = "replica.high.watermark.checkpoint.interval.ms",
        /// Whether acks=all waits for an fsync.
        acks_fsync: bool = "broker.acks.fsync",
    }
}

properties! {
    /// The log cleaner, which compacts.
    pub struct CleanerSettings {
        /// Threads that compact.
        log_cleaner_threads: i32 = "log.cleaner.threads",
        /// Bytes for the tables of keys of all threads together.
        log_cleaner_dedupe_buffer_size: i64 = "log.cleaner.dedupe.buffer.size",
        /// How full such a table may become, 0 to 1.
        log_cleaner_io_buffer_load_factor: f64 = "log.cleaner.io.buffer.load.factor",
        /// Bytes of the read and write buffers of all threads together.
        log_cleaner_io_buffer_size: i32 = "log.cleaner.io.buffer.size",
        /// Bytes a second that compaction may read and write.
        log_cleaner_io_max_bytes_per_second: f64 = "log.cleaner.io.max.bytes.per.second",
        /// Pause when there is nothing to compact, in ms.
        log_cleaner_backoff_ms: i64 = "log.cleaner.backoff.ms",
        /// Whether anything is compacted.
        log_cleaner_enable: bool = "log.cleaner.enable",
    }
}

properties! {
    /// The metadata log.
    pub struct MetadataSettings {
        /// Bytes of new records after which a snapshot is made.
        metadata_log_max_record_bytes_between_snapshots: i64 = "metadata.log.max.record.bytes.between.snapshots",
        /// Time after which one is made anyway, in ms; 0 for never.
        metadata_log_max_snapshot_interval_ms: i64 = "metadata.log.max.snapshot.interval.ms",
        /// Bytes of a segment of it.
        metadata_log_segment_bytes: i32 = "metadata.log.segment.bytes",
        /// Time after which a segment is rolled, in ms.
        metadata_log_segment_ms: i64 = "metadata.log.segment.ms",
        /// Bytes of it that are kept; negative for all.
        metadata_max_retention_bytes: i64 = "metadata.max.retention.bytes",
        /// Age up to which it is kept, in ms; negative for ever.
        metadata_max_retention_ms: i64 = "metadata.max.retention.ms",
    }
}

properties! {
    /// `__consumer_offsets`.
    pub struct OffsetsSettings {
        /// Its partitions.
        offsets_topic_num_partitions: i32 = "offsets.topic.num.partitions",
        /// Its segment size in bytes.
        offsets_topic_segment_bytes: i32 = "offsets.topic.segment.bytes",
        /// Its codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
        offsets_topic_compression_codec: i32 = "offsets.topic.compression.codec",
        /// Bytes read at a time when it is loaded.
        offsets_load_buffer_size: i32 = "offsets.load.buffer.size",
        /// Minutes that offsets of an empty group are kept.
        offsets_retention_minutes: i32 = "offsets.retention.minutes",
        /// How often expired ones are looked for, in ms.
        offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms",
        /// Longest metadata text of a commit.
        offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes",
        /// How long a commit may take, in ms.
        offsets_commit_timeout_ms: i32 = "offsets.commit.timeout.ms",
    }
}

properties! {
    /// The group coordinator. Times are ms.
    pub struct GroupSettings {
        /// Protocols it speaks.
        group_coordinator_rebalance_protocols: Vec<String> = "group.coordinator.rebalance.protocols",
        /// Shortest session of a classic member.
        group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms",
        /// Longest session of a classic member.
        group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms",
        /// How long a new classic group waits for more members.
        group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms",
        /// Most members of a classic group.
        group_max_size: i32 = "group.max.size",
        /// Session of a KIP-848 member.
        group_consumer_session_timeout_ms: i32 = "group.consumer.session.timeout.ms",
        /// Least a group may set.
        group_consumer_min_session_timeout_ms: i32 = "group.consumer.min.session.timeout.ms",
        /// Most a group may set.
        group_consumer_max_session_timeout_ms: i32 = "group.consumer.max.session.timeout.ms",
        /// Heartbeat interval of a KIP-848 member.
        group_consumer_heartbeat_interval_ms: i32 = "group.consumer.heartbeat.interval.ms",
        /// Least a group may set.
        group_consumer_min_heartbeat_interval_ms: i32 = "group.consumer.min.heartbeat.interval.ms",
        /// Most a group may set.
        group_consumer_max_heartbeat_interval_ms: i32 = "group.consumer.max.heartbeat.interval.ms",
        /// Least time between two assignments of a group.
        group_consumer_assignment_interval_ms: i32 = "group.consumer.assignment.interval.ms",
        /// Least a group may set.
        group_consumer_min_assignment_interval_ms: i32 = "group.consumer.min.assignment.interval.ms",
        /// Most a group may set.
        group_consumer_max_assignment_interval_ms: i32 = "group.consumer.max.assignment.interval.ms",
        /// Most members of a KIP-848 group.
        group_consumer_max_size: i32 = "group.consumer.max.size",
        /// Server-side assignors; the first is the default.
        group_consumer_assignors: Vec<String> = "group.consumer.assignors",
        /// Between which protocols a group may move while it has members.
        group_consumer_migration_policy: String = "group.consumer.migration.policy",
        /// How often regular expressions of subscriptions are resolved again.
        group_consumer_regex_refresh_interval_ms: i32 = "group.consumer.regex.refresh.interval.ms",
    }
}

properties! {
    /// The transaction coordinator, and producer ids.
    pub struct TransactionSettings {
        /// Partitions of `__transaction_state`.
        transaction_state_log_num_partitions: i32 = "transaction.state.log.num.partitions",
        /// Its segment size in bytes.
        transaction_state_log_segment_bytes: i32 = "transaction.state.log.segment.bytes",
        /// Bytes read at a time when it is loaded.
        transaction_state_log_load_buffer_size: i32 = "transaction.state.log.load.buffer.size",
        /// Longest transaction a producer may ask for, in ms.
        transaction_max_timeout_ms: i32 = "transaction.max.timeout.ms",
        /// How often timed out transactions are looked for, in ms.
        transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 =
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        /// How often expired transactional ids are looked for, in ms.
        transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
            "transaction.remove.expired.transaction.cleanup.interval.ms",
        /// How long an unused transactional id is kept, in ms.
        transactional_id_expiration_ms: i32 = "transactional.id.expiration.ms",
        /// Whether a partition checks that a transaction has it (KIP-890).
        transaction_partition_verification_enable: bool = "transaction.partition.verification.enable",
        /// Whether two-phase commit is allowed (KIP-939).
        transaction_two_phase_commit_enable: bool = "transaction.two.phase.commit.enable",
        /// How long the state of an idle producer id is kept, in ms.
        producer_id_expiration_ms: i32 = "producer.id.expiration.ms",
        /// How often such are looked for, in ms.
        producer_id_expiration_check_interval_ms: i32 = "producer.id.expiration.check.interval.ms",
    }
}

/// The broker's settings as they act at this moment.
///
/// Made once from [`Sources`], and again by [`with_dynamic`](Self::with_dynamic) whenever a setting of the running
/// broker changes.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// `node.id`, or the older `broker.id`; 1 where neither is set.
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The cluster id a new data directory is formatted with; one is made up where none is set.
    pub cluster_id: Option<String>,
    /// Where the broker listens and what it advertises.
    pub listeners: Listeners,
    /// `log.dirs`, or `log.dir`.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, or the first of `log_dirs`.
    pub metadata_log_dir: PathBuf,
    /// Address of `/metrics` and `/health/*`, as `host:port`; `None` where there is to be none.
    pub http_listener: Option<String>,
    /// Topics to make at the start if they are missing (`create.topics`).
    pub startup_topics: Vec<StartupTopic>,
    /// Connections.
    pub network: NetworkSettings,
    /// Limits on the connections of each listener, by its name.
    pub listener_limits: BTreeMap<String, ListenerLimits>,
    /// Requests.
    pub requests: RequestSettings,
    /// Topics.
    pub topics: TopicSettings,
    /// Disks.
    pub storage: StorageSettings,
    /// Compaction.
    pub cleaner: CleanerSettings,
    /// The metadata log.
    pub metadata: MetadataSettings,
    /// Committed offsets.
    pub offsets: OffsetsSettings,
    /// Groups.
    pub groups: GroupSettings,
    /// Transactions and producer ids.
    pub transactions: TransactionSettings,
    /// What a topic without overrides obeys.
    pub topic_defaults: TopicConfig,
    pub(super) statics: Arc<Properties>,
}

/// A configuration, and what its reader should be told about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: BrokerConfig,
    /// One line each: settings that do nothing, or not what their author may expect.
    pub warnings: Vec<String>,
}

/// Each wrong property with a line about it.
type Problems = Vec<(&'static str, String)>;

impl BrokerConfig {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// All that is wrong at once, one line for each setting.
    pub fn load(sources: &Sources) -> Result<Loaded, SettingsError> {
        let mut gathered = Gathered::from(sources);
        gathered.fill_in();
        let statics = Arc::new(std::mem::take(&mut gathered.values));
        let read = Self::read(&statics, &DynamicConfigs::default());
        let mut warnings = std::mem::take(&mut gathered.warnings);
        let mut problems = std::mem::take(&mut gathered.problems);
        match read {
            Ok((mut config, more)) => {
                config.cluster_id = config.cluster_id.or(gathered.cluster_id.take());
                warnings.extend(more);
                check_all_types(&config.statics, &mut problems, &gathered);
                if problems.is_empty() {
                    return Ok(Loaded { config, warnings });
                }
            }
            Err(found) => {
                check_all_types(&statics, &mut problems, &gathered);
                for (name, problem) in found {
                    let problem = problem.trim_start_matches("requirement failed: ");
                    let line = format!("{}{problem}", gathered.origin(name));
                    if !problems.contains(&line) {
                        problems.push(line);
                    }
                }
            }
        }
        Err(SettingsError { problems })
    }

    /// The same broker with `dynamic` on top of its static settings. Values that are no longer valid, which only an
    /// older release can have stored, are left out as Kafka leaves them out.
    #[must_use]
    pub fn with_dynamic(&self, dynamic: &DynamicConfigs) -> Self {
        let valid = dynamic.without_invalid();
        match Self::read(&self.statics, &valid) {
            Ok((mut config, _)) => {
                config.cluster_id.clone_from(&self.cluster_id);
                config.listeners.clone_from(&self.listeners);
                config
            }
            Err(problems) => {
                tracing::warn!(?problems, "dynamic settings do not go together; the broker keeps those it has");
                self.clone()
            }
        }
    }

    /// Whether somebody set `name` before the start.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.statics.contains_key(name)
    }

    /// Whether the broker could run with `dynamic`.
    pub(super) fn check_dynamic(&self, dynamic: &DynamicConfigs) -> Result<(), ConfigError> {
        match Self::read(&self.statics, dynamic) {
            Ok(_) => Ok(()),
            Err(problems) => Err(ConfigError::InvalidRequest(problems.into_iter().next().unwrap_or_default().1)),
        }
    }

    /// The properties of the file, the environment and the flags, as text.
    #[must_use]
    pub fn statics(&self) -> &Properties {
        &self.statics
    }

    /// The configuration and its warnings.
    fn read(statics: &Arc<Properties>, dynamic: &DynamicConfigs) -> Result<(Self, Vec<String>), Problems> {
        let mut reader = Reader::new(vec![&dynamic.broker, &dynamic.cluster, statics]);
        let mut warnings = Vec::new();
        let listeners = read_listeners(&reader, &mut warnings);
        let log_dirs = read_log_dirs(&mut reader);
        let metadata_log_dir = reader.get::<Option<String>>("metadata.log.dir").map(PathBuf::from);
        let startup_topics = startup_topic::parse(&reader.get::<Vec<String>>("create.topics"));
        let config = Self {
            node_id: reader.get("node.id"),
            rack: reader.get("broker.rack"),
            cluster_id: reader.get("broker.cluster.id"),
            listeners: Listeners {
                clients: Vec::new(),
                controllers: Vec::new(),
                advertised: Vec::new(),
                inter_broker: String::new(),
            },
            metadata_log_dir: metadata_log_dir.or_else(|| log_dirs.first().cloned()).unwrap_or_default(),
            log_dirs,
            http_listener: read_http_listener(&mut reader),
            startup_topics: Vec::new(),
            network: NetworkSettings::read(&mut reader),
            listener_limits: BTreeMap::new(),
            requests: RequestSettings::read(&mut reader),
            topics: TopicSettings::read(&mut reader),
            storage: StorageSettings::read(&mut reader),
            cleaner: CleanerSettings::read(&mut reader),
            metadata: MetadataSettings::read(&mut reader),
            offsets: OffsetsSettings::read(&mut reader),
            groups: read_groups(&mut reader),
            transactions: TransactionSettings::read(&mut reader),
            topic_defaults: TopicConfig::from_broker(&mut reader),
            statics: Arc::clone(statics),
        };
        let mut problems = std::mem::take(&mut reader.problems);
        super::checks::check(&config, &reader, &mut problems, &mut warnings);
        match (listeners, startup_topics) {
            (Ok(listeners), Ok(startup_topics)) if problems.is_empty() => {
                let listener_limits = ListenerLimits::read(&reader, &listeners.clients, &config.network);
                Ok((Self { listeners, listener_limits, startup_topics, ..config }, warnings))
            }
            (listeners, startup_topics) => {
                problems.extend(listeners.err().into_iter().flatten().map(|problem| ("listeners", problem)));
                problems.extend(startup_topics.err().into_iter().flatten().map(|problem| ("create.topics", problem)));
                Err(problems)
            }
        }
    }
}

impl Gathered {
    /// `node.id` and `broker.id` are one setting under two names (KIP-631), and -1 is no id. What Kafka requires and a
    /// single node can know by itself is filled in, so that `DescribeConfigs` shows it.
    fn fill_in(&mut self) {
        if self.values.get("broker.id").is_some_and(|id| id.trim() == "-1") {
            self.values.remove("broker.id");
        }
        let (node, broker) = (self.values.get("node.id"), self.values.get("broker.id"));
        if let (Some(node), Some(broker)) = (node, broker)
            && node.trim() != broker.trim()
        {
            let origin = self.origin("broker.id");
            self.problems.push(format!("{origin}You must set `node.id` to the same value as `broker.id`."));
        }
        let id = node.or(broker).cloned().unwrap_or_else(|| "1".to_owned());
        let controllers = "CONTROLLER".to_owned();
        let roles = "broker,controller".to_owned();
        for (name, value) in [
            ("node.id", id.clone()),
            ("broker.id", id),
            ("process.roles", roles),
            ("controller.listener.names", controllers),
        ] {
            self.values.entry(name.to_owned()).or_insert(value);
        }
    }
}

/// The type and rule of every property somebody set, also of those nothing here reads.
fn check_all_types(statics: &Properties, problems: &mut Vec<String>, gathered: &Gathered) {
    for (name, text) in statics {
        let Some(definition) = super::settings::known(name) else { continue };
        if let Err(error) = definition.parse(text) {
            let line = format!("{}{error}", gathered.origin(name));
            if !problems.contains(&line) {
                problems.push(line);
            }
        }
    }
}

fn read_listeners(reader: &Reader<'_>, warnings: &mut Vec<String>) -> Result<Listeners, Vec<String>> {
    let listeners = ListenerSettings {
        listeners: reader.set("listeners"),
        advertised: reader.set("advertised.listeners"),
        protocol_map: reader.set("listener.security.protocol.map"),
        controller_names: reader.set("controller.listener.names"),
        inter_broker: reader.set("inter.broker.listener.name"),
        inter_broker_protocol: reader.set("security.inter.broker.protocol"),
        old_host: reader.set("advertised.host.name"),
        old_port: reader.set("advertised.port"),
    }
    .read(warnings)?;
    let unserved: Vec<_> = listeners
        .clients
        .iter()
        .filter(|listener| listener.protocol != SecurityProtocol::Plaintext)
        .map(|listener| {
            format!(
                "listeners: {} asks for {}, which this broker does not serve yet; map it to PLAINTEXT in \
                 listener.security.protocol.map, or leave it out",
                listener.name,
                listener.protocol.name()
            )
        })
        .collect();
    if unserved.is_empty() { Ok(listeners) } else { Err(unserved) }
}

fn read_log_dirs(reader: &mut Reader<'_>) -> Vec<PathBuf> {
    let dirs: Option<Vec<String>> = reader.get("log.dirs");
    let dirs = dirs.unwrap_or_else(|| reader.get("log.dir"));
    let mut paths: Vec<PathBuf> = Vec::with_capacity(dirs.len());
    for dir in dirs.into_iter().map(PathBuf::from) {
        if !paths.contains(&dir) {
            paths.push(dir);
        }
    }
    paths
}

/// Assignors may be named by Kafka's classes too; here they get their short names.
fn read_groups(reader: &mut Reader<'_>) -> GroupSettings {
    let mut groups = GroupSettings::read(reader);
    for assignor in &mut groups.group_consumer_assignors {
        match assignor.as_str() {
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => "uniform".clone_into(assignor),
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => "range".clone_into(assignor),
            _ => {}
        }
    }
    groups
}

/// `host:port`, `:port` or a bare port; `none` or nothing for no server.
fn read_http_listener(reader: &mut Reader<'_>) -> Option<String> {
    let text: String = reader.get::<Option<String>>("broker.http.listener")?;
    if text.is_empty() || text == "none" {
        return None;
    }
    let address = if text.contains(':') { text } else { format!(":{text}") };
    match address.rsplit_once(':').map(|(host, port)| (host.to_owned(), port.parse::<u16>())) {
        Some((host, Ok(port))) => Some(format!("{}:{port}", if host.is_empty() { "0.0.0.0" } else { &host })),
        _ => {
            let problem = format!("broker.http.listener: {address} is no address; write host:port, :port or none");
            reader.problems.push(("broker.http.listener", problem));
            None
        }
    }
}
