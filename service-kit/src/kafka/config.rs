//! Settings of the Kafka clients.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::settings::{Size, Source};

/// Largest message that clients send or take, in bytes: a page of 10 MB with headers, as a dead letter too.
const MAX_MESSAGE_BYTES: usize = recipes::topics::MAX_PAGE_RECORD_BYTES + 256 * 1024;

/// Properties that the guarantees rest on.
const RESERVED: [&str; 9] = [
    "acks",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "request.required.acks",
    "transactional.id",
];

/// Variables of Apache Kafka's own scripts, which may stand in the same environment and are no client properties.
const SCRIPT_VARIABLES: [&str; 13] = [
    "data",
    "gc_log_opts",
    "heap_opts",
    "home",
    "jmx_opts",
    "jmx_port",
    "jvm_performance_opts",
    "log4j_cmd_opts",
    "log4j_opts",
    "mode",
    "opts",
    "props",
    "version",
];

/// What a crash between two steps may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Outputs are acknowledged before offsets are committed: nothing is lost, the last few may come twice.
    #[default]
    AtLeastOnce,
    /// Outputs and offsets in one transaction: nothing is lost and nothing comes twice.
    Transactional,
}

/// How to reach Kafka and how to work with it.
#[derive(Clone)]
pub struct KafkaSettings {
    /// librdkafka's properties, `bootstrap.servers` among them.
    pub properties: BTreeMap<String, String>,
    /// What a crash may do.
    pub delivery: Delivery,
    /// Partitions of topics that are made, 1 to 1000.
    pub topic_partitions: u64,
    /// Most records in a batch, 1 to 10,000.
    pub batch_records: u64,
    /// Most bytes of keys and values in a batch; one record always fits.
    pub batch_bytes: u64,
    /// Tells instances of a service apart, and stays the same over restarts; part of the transactional id.
    pub instance: String,
}

impl KafkaSettings {
    /// Defaults for the broker at an address.
    #[must_use]
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            properties: BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap_servers.to_owned())]),
            delivery: Delivery::default(),
            topic_partitions: 3,
            batch_records: 500,
            batch_bytes: 32 << 20,
            instance: default_instance(),
        }
    }

    /// Reads `KAFKA_BOOTSTRAP_SERVERS`, every librdkafka property as `KAFKA_<PROPERTY_WITH_UNDERSCORES>`, and how the
    /// loops work.
    pub fn read(from: &mut Source) -> Self {
        Self::read_or(from, Delivery::default())
    }

    /// As [`KafkaSettings::read`], with another default of what a crash may do.
    pub fn read_or(from: &mut Source, default: Delivery) -> Self {
        let bootstrap = from
            .get::<String>(
                "kafka_bootstrap_servers",
                "Brokers, as host:port with commas; any other property of librdkafka \
                is set the same way, security.protocol as --kafka-security-protocol or KAFKA_SECURITY_PROTOCOL",
            )
            .flag("bootstrap_servers")
            .or("localhost:9092".to_owned());
        let mut settings = Self::new(&bootstrap);
        let delivery = from
            .get::<String>(
                "delivery",
                "What a crash may do: at-least-once may process the last records again, \
                transactional never does",
            )
            .choices(&["at-least-once", "transactional"])
            .or(if default == Delivery::Transactional { "transactional" } else { "at-least-once" }.to_owned());
        settings.delivery = if delivery == "transactional" { Delivery::Transactional } else { Delivery::AtLeastOnce };
        settings.topic_partitions = from
            .get::<u64>("topic_partitions", "Partitions of the topics that are made when missing")
            .within(1..=1000)
            .or(settings.topic_partitions);
        settings.batch_records = from
            .get::<u64>("batch_records", "Most records that are processed and committed together")
            .within(1..=10_000)
            .or(settings.batch_records);
        settings.batch_bytes = from
            .get::<Size>("batch_bytes", "Most bytes of keys and values that are processed and committed together")
            .within(Size(1 << 10)..=Size(1 << 30))
            .or(Size(settings.batch_bytes))
            .0;
        settings.instance = from
            .get::<String>("instance", "Tells instances of this service apart and stays the same over restarts")
            .checked(|name| if name.trim().is_empty() { Err("expected a name".to_owned()) } else { Ok(()) })
            .or(settings.instance);
        settings.read_properties(from);
        settings
    }

    /// The brokers' addresses.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        self.properties.get("bootstrap.servers").map_or("", String::as_str)
    }

    fn read_properties(&mut self, from: &mut Source) {
        for (name, place, value) in from.take_all("kafka") {
            let property = name.replace('_', ".");
            if property == "bootstrap.servers" || SCRIPT_VARIABLES.contains(&&*name) {
                continue;
            }
            if RESERVED.contains(&&*property) {
                from.problem(format!("{place}: {property} is up to the service and cannot be set"));
            } else if let Err(problem) = check_property(&property, &value) {
                from.problem(format!("{place}: {problem}"));
            } else {
                self.properties.insert(property, value);
            }
        }
    }

    fn base(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("client.id", client_id)
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            // A broker that comes back is noticed within a second.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("log.connection.close", "false")
            .set("statistics.interval.ms", "500");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// For admin requests and metadata.
    pub(crate) fn admin(&self, service: &str) -> ClientConfig {
        self.base(service)
    }

    /// A member of a group.
    pub(crate) fn member(&self, service: &str, group: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // Instances that come and go leave the others' partitions, and what they hold in memory, alone.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("queued.max.messages.kbytes", "32768")
            // Small records take several times their size while they wait.
            .set("queued.min.messages", "10000")
            // What is taken out is fetched again at once, and not after a second.
            .set("fetch.queue.backoff.ms", "10")
            .set("auto.offset.reset", "earliest");
        self.over(&mut config, service);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed");
        config
    }

    /// A reader of whole partitions that belongs to no group (the client wants a group's name all the same).
    pub(crate) fn reader(&self, service: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // The end of a partition is told by an empty answer, which should not be long in coming.
            .set("fetch.wait.max.ms", "10")
            // Whole topics pass through, and what is small here may be large when it is decompressed.
            .set("queued.max.messages.kbytes", "4096")
            .set("queued.min.messages", "2000")
            .set("max.partition.fetch.bytes", "131072")
            .set("fetch.queue.backoff.ms", "1")
            .set("auto.offset.reset", "earliest");
        self.over(&mut config, service);
        config
            .set("group.id", format!("{service}-reader"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        config
    }

    /// A reader that sees what open transactions have written.
    pub(crate) fn uncommitted_reader(&self, service: &str) -> ClientConfig {
        let mut config = self.reader(service);
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// A producer; transactional when given an id.
    pub(crate) fn producer(&self, service: &str, transactional_id: Option<&str>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // As Java's clients, so that a key's partition does not depend on who wrote it.
            .set("partitioner", "murmur2_random")
            // What every client reads without a library of its own: kafka-python has no zstd, lz4 or snappy by itself.
            .set("linger.ms", "1")
            .set("compression.type", "gzip")
            .set("compression.level", "1")
            .set("queue.buffering.max.kbytes", "131072");
        match transactional_id {
            // How long an instance that was killed holds up readers until its successor is there.
            Some(_) => config
                .set("transaction.timeout.ms", "10000")
                // A transaction right behind another is told to come back: the one before is still being wound up.
                .set("retry.backoff.ms", "10"),
            // Never given up: a broker that is down is waited for, and the offsets stay where they are.
            None => config.set("message.timeout.ms", "0"),
        };
        self.over(&mut config, service);
        config.set("enable.idempotence", "true").set("acks", "all");
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        config
    }

    fn over(&self, config: &mut ClientConfig, service: &str) {
        let base = self.base(service);
        for (name, value) in base.config_map() {
            config.set(name, value);
        }
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Properties may hold passwords and keys.
        let names: Vec<&String> = self.properties.keys().collect();
        f.debug_struct("KafkaSettings")
            .field("bootstrap_servers", &self.bootstrap_servers())
            .field("properties", &names)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// Longest wait for an answer to a request about the cluster.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

fn check_property(name: &str, value: &str) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set(name, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        // librdkafka's text may repeat the value; that of a secret must not be shown.
        Err(KafkaError::ClientConfig(_, text, ..)) if text.contains("No such configuration property") => {
            Err(format!("librdkafka has no property {name}"))
        }
        Err(KafkaError::ClientConfig(_, text, ..)) if !name.contains("password") && !name.contains("key") => Err(text),
        Err(_) => Err(format!("librdkafka refuses this value of {name}")),
    }
}

/// The host's name: a container's is its own.
fn default_instance() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
