//! The data directory is Kafka's: a real Apache Kafka goes on from ours, and ours from what Apache Kafka made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, free_port, prerequisites, topic};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

/// A broker may still be loading its coordinators.
const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 3;
const RETENTION: &str = "retention.ms";

/// A topic's records, by partition and offset.
type Records = BTreeMap<(i32, i64), String>;

/// What a broker says of its topics.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    topics: BTreeMap<String, (Records, Option<String>)>,
    offsets: BTreeMap<i32, Offset>,
}

struct Client(ClientConfig);

impl Client {
    fn of(address: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address).set("enable.auto.commit", "false");
        Self(config)
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.0.create().expect("the settings are right")
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.0.clone();
        config.set("group.id", group).set("enable.partition.eof", "true");
        config.create().expect("the settings are right")
    }

    async fn create(&self, topic: &str, retention_ms: &str) {
        let topic = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1)).set(RETENTION, retention_ms);
        let made = self.admin().create_topics(&[topic], &AdminOptions::new()).await.expect("the broker answers");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    async fn retain(&self, topic: &str, retention_ms: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(RETENTION, retention_ms);
        let changed = self.admin().alter_configs(&[change], &AdminOptions::new()).await.expect("the broker answers");
        assert!(changed.iter().all(Result::is_ok), "{changed:?}");
    }

    /// Records of every partition, in batches of each codec.
    fn produce(&self, topic: &str, values: std::ops::Range<u32>) {
        for (number, codec) in ["none", "gzip", "lz4", "zstd"].into_iter().enumerate() {
            let mut config = self.0.clone();
            config.set("compression.type", codec).set("enable.idempotence", "true");
            let producer: BaseProducer = config.create().expect("the settings are right");
            for value in values.clone().filter(|value| *value as usize % 4 == number) {
                let (key, text) = (value.to_string(), format!("value {value} {codec}"));
                let record = BaseRecord::to(topic).key(&key).payload(&text).partition(value as i32 % PARTITIONS);
                producer.send(record).expect("the queue has room");
            }
            producer.flush(PATIENCE).expect("delivered");
        }
    }

    fn commit(&self, group: &str, topic: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let offset = Offset::Offset(offset + i64::from(partition));
            list.add_partition_offset(topic, partition, offset).expect("an offset");
        }
        self.consumer(group).commit(&list, CommitMode::Sync).expect("the coordinator takes it");
    }

    fn records(&self, topic: &str) -> Records {
        let value = |record: &OwnedMessage| String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
        let records = topic::records(&self.consumer("reader"), topic);
        records.iter().map(|record| ((record.partition(), record.offset()), value(record))).collect()
    }

    async fn retention(&self, topic: &str) -> Option<String> {
        let described = self
            .admin()
            .describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new())
            .await
            .expect("the broker answers");
        let config = described.into_iter().next().expect("an answer").expect("the topic's settings");
        config.entries.into_iter().find(|entry| entry.name == RETENTION).and_then(|entry| entry.value)
    }

    /// Everything of these topics, and where the group stands in the first one.
    async fn contents(&self, topics: &[&str], group: &str) -> Contents {
        let mut all = BTreeMap::new();
        for topic in topics {
            all.insert((*topic).to_owned(), (self.records(topic), self.retention(topic).await));
        }
        let mut list = TopicPartitionList::new();
        (0..PARTITIONS).for_each(|partition| {
            list.add_partition(topics[0], partition);
        });
        let committed = self.consumer(group).committed_offsets(list, PATIENCE).expect("the coordinator answers");
        let offsets = committed.elements().iter().map(|one| (one.partition(), one.offset())).collect();
        Contents { topics: all, offsets }
    }
}

/// An Apache Kafka on a directory that there is already, which its launcher would empty.
struct Kafka {
    process: Process,
    address: String,
}

impl Kafka {
    fn start(directory: &Path) -> Self {
        let (port, controller) = (free_port(), free_port());
        let properties = directory.with_extension("properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nlog.dirs={}\n",
            directory.display()
        );
        fs::write(&properties, text).expect("a file");
        let home = std::env::var_os("KAFKA_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache/apache-kafka")));
        let jars = home.expect("a home").join("lib/*");
        let mut process = Process::start(
            Command::new("java")
                .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
                .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
                .arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info")
                .arg("-cp")
                .arg(jars)
                .arg("kafka.Kafka")
                .arg(&properties),
        );
        process.wait_for("Kafka Server started");
        Self { process, address: format!("127.0.0.1:{port}") }
    }

    fn client(&self) -> Client {
        Client::of(&self.address)
    }

    fn stop(self) {
        // Java's exit code for SIGTERM.
        let (code, lines) = self.process.terminate();
        assert_eq!(code, Some(143), "Apache Kafka did not stop well:\n{}", lines.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_kafka_and_ours_take_turns_on_one_directory() {
    let name = "apache_kafka_and_ours_take_turns_on_one_directory";
    if prerequisites::apache_kafka(name).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");

    let ours = Broker::start(&data, &["node.id=1"]);
    let client = Client::of(&ours.address());
    client.create("first", "86400001").await;
    client.produce("first", 0..120);
    client.commit("readers", "first", 7);
    let before = client.contents(&["first"], "readers").await;
    assert_eq!(before.topics["first"].0.len(), 120);
    ours.stop();

    let kafka = Kafka::start(&data);
    let client = kafka.client();
    assert_eq!(client.contents(&["first"], "readers").await, before);
    client.produce("first", 120..150);
    client.retain("first", "86400002").await;
    client.create("second", "86400003").await;
    client.produce("second", 0..30);
    client.commit("readers", "first", 11);
    let before = client.contents(&["first", "second"], "readers").await;
    assert_eq!(before.topics["first"].0.len(), 150);
    assert_eq!(before.topics["first"].1.as_deref(), Some("86400002"));
    kafka.stop();

    let ours = Broker::start(&data, &["node.id=1"]);
    let client = Client::of(&ours.address());
    assert_eq!(client.contents(&["first", "second"], "readers").await, before);
    client.produce("second", 30..40);
    assert_eq!(client.records("second").len(), 40);
    ours.stop();
}
