//! Apache Kafka reads our metadata and goes on from it, and we from Apache Kafka's.
//!
//! These tests need Java and the reference Kafka of `../shared/tools/apache-kafka`; without them they say so and pass.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use broker::metadata::{
    Acl, ApiError, ConfigAlteration, ConfigChange, ConfigResource, ConfigRules, Configs, Controller, Directory,
    Endpoint, Image, METADATA_LOG, MetadataLogSettings, NewTopic, Options, QuotaAlteration, QuotaOperation,
    ResourceName, ScramCredential, ScramUpsertion, TopicDefaults, TopicSelector,
};
use commitlog::Env;

/// The script that runs Kafka, if this machine has what it takes.
fn kafka() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tools/apache-kafka/kafka");
    let java = Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success());
    if java && script.exists() {
        run(Command::new(&script).arg("install"));
        return Some(script);
    }
    println!("skipped: no Java, or no reference Kafka at {}", script.display());
    None
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

fn tool(kafka: &Path, name: &str, arguments: &[&str]) -> String {
    run(Command::new(kafka).args(["tool", name]).args(arguments))
}

fn jars() -> String {
    let home = std::env::var("KAFKA_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|_| Path::new(&std::env::var("HOME").unwrap()).join(".cache/apache-kafka"));
    home.join("lib/*").display().to_string()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running Apache Kafka on a directory. Killed when dropped, unless it was stopped.
struct Kafka {
    process: Child,
    bootstrap: String,
}

impl Kafka {
    /// Starts one whose voters are configured in the old way or in the new (KIP-853).
    fn start(directory: &Path, new_way: bool) -> Self {
        let (port, controller) = (free_port(), free_port());
        let quorum = if new_way { "bootstrap.servers=" } else { "voters=1@" };
        let properties = directory.with_extension("properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.{quorum}127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\noffsets.topic.replication.factor=1\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             allow.everyone.if.no.acl.found=true\nsuper.users=User:ANONYMOUS\n\
             metadata.log.max.record.bytes.between.snapshots=2000\nlog.dirs={}\n",
            directory.display()
        );
        fs::write(&properties, text).unwrap();
        let mut process = Command::new("java")
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info")
            .args(["-cp", &jars(), "kafka.Kafka"])
            .arg(&properties)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("Kafka Server started") {
            assert!(output.read_line(&mut said).unwrap() > 0, "Apache Kafka did not start:\n{said}");
        }
        // Read on, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { process, bootstrap: format!("127.0.0.1:{port}") }
    }

    fn stop(mut self) {
        run(Command::new("kill").arg(self.process.id().to_string()));
        self.process.wait().unwrap();
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Kafka is asked what it thinks of the values.
struct AnyConfig;

impl ConfigRules for AnyConfig {
    fn check(&self, _: &ConfigResource, _: &Configs, _: &Configs, _: &Image) -> Result<(), ApiError> {
        Ok(())
    }

    fn check_broker(&self, _: &ConfigResource, _: &[ConfigChange], _: bool, _: &Image) -> Result<(), ApiError> {
        Ok(())
    }

    fn is_list(&self, _: &ConfigResource, _: &str) -> bool {
        false
    }

    fn default_value(&self, _: &ConfigResource, _: &str) -> Option<String> {
        None
    }
}

fn ours(directory: &Path, log: MetadataLogSettings) -> Controller {
    let clean = fs::read_to_string(directory.join(".kafka_cleanshutdown")).ok().and_then(|text| {
        let digits = text.rsplit(':').next()?.trim_end_matches('}').parse().ok()?;
        Some(digits)
    });
    let _ = fs::remove_file(directory.join(".kafka_cleanshutdown"));
    let directory = Directory::open(directory, 1, None).unwrap();
    let endpoint = |listener: &str| Endpoint {
        listener: listener.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 9,
        security_protocol: 0,
    };
    Controller::start(Options {
        log_dirs: vec![directory.directory_id],
        directory,
        env: Env::new(64),
        endpoints: vec![endpoint("PLAINTEXT")],
        controller_endpoints: vec![endpoint("CONTROLLER")],
        rack: None,
        previous_broker_epoch: clean,
        defaults: TopicDefaults::default(),
        min_insync_replicas: 1,
        log,
        rules: Arc::new(AnyConfig),
    })
    .unwrap()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn stop(controller: &Controller) {
    block_on(controller.close()).unwrap();
    let text = format!("{{\"version\":0,\"brokerEpoch\":{}}}", controller.broker_epoch());
    fs::write(controller.directory().join(".kafka_cleanshutdown"), text).unwrap();
}

fn create(controller: &Controller, names: &[&str], partitions: i32) {
    let topics = names.iter().map(|name| NewTopic {
        name: (*name).to_owned(),
        num_partitions: partitions,
        replication_factor: -1,
        ..NewTopic::default()
    });
    for result in block_on(controller.create_topics(topics.collect(), false)).unwrap() {
        result.outcome.unwrap();
    }
}

fn set_retention(controller: &Controller, topic: &str, value: &str) {
    let change = ConfigChange { name: "retention.ms".to_owned(), operation: 0, value: Some(value.to_owned()) };
    let resource = ResourceName { kind: 2, name: topic.to_owned() };
    let alteration = ConfigAlteration { resource, changes: vec![change] };
    block_on(controller.incremental_alter_configs(vec![alteration], false)).unwrap().remove(0).outcome.unwrap();
}

/// One record of every kind that has a call.
fn fill(controller: &Controller) {
    create(controller, &["orders", "gone", "audit.log"], 3);
    let selector = TopicSelector { name: Some("gone".to_owned()), ..TopicSelector::default() };
    block_on(controller.delete_topics(vec![selector])).unwrap().remove(0).outcome.unwrap();
    set_retention(controller, "orders", "123456");
    block_on(controller.allocate_producer_ids()).unwrap();
    let operations = vec![QuotaOperation { key: "producer_byte_rate".to_owned(), value: Some(1024.0) }];
    let quota = QuotaAlteration { entity: vec![("user".to_owned(), Some("alice".to_owned()))], operations };
    block_on(controller.alter_client_quotas(vec![quota], false)).unwrap().remove(0).outcome.unwrap();
    let credential =
        ScramCredential { salt: vec![1; 8], stored_key: vec![2; 32], server_key: vec![3; 32], iterations: 4096 };
    let upsertion = ScramUpsertion { user: "alice".to_owned(), mechanism: 1, credential };
    block_on(controller.alter_scram_credentials(vec![], vec![upsertion])).unwrap().remove(0).outcome.unwrap();
    let acl = Acl {
        resource_type: 2,
        resource_name: "orders".to_owned(),
        pattern_type: 3,
        principal: "User:alice".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
    };
    block_on(controller.create_acls(vec![acl])).unwrap();
}

fn with_extension(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join(METADATA_LOG)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    found.sort();
    found
}

fn dump(kafka: &Path, files: &[PathBuf]) -> String {
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let text = tool(kafka, "DumpLogSegments", &["--cluster-metadata-decoder", "--files", &list.join(",")]);
    for complaint in ["isvalid: false", "mismatch", "Exception", "Found invalid", "out of order", "Could not"] {
        assert!(!text.contains(complaint), "{complaint}: {text}");
    }
    text
}

#[test]
fn kafkas_dump_tool_reads_our_metadata_log_and_snapshots() {
    let Some(kafka) = kafka() else { return };
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    let settings = MetadataLogSettings { snapshot_bytes: 2000, ..MetadataLogSettings::default() };
    let controller = ours(&directory, settings);
    fill(&controller);
    stop(&controller);
    let log = dump(&kafka, &with_extension(&directory, "log"));
    for record in [
        "LeaderChange: {\"version\":0,\"leaderId\":1,\"voters\":[{\"voterId\":1}],\"grantingVoters\":[{\"voterId\":1}]}",
        "KRaftVersion {\"version\":0,\"kRaftVersion\":1}",
        "KRaftVoters {\"version\":0,\"voters\":[{\"voterId\":1,",
        "{\"type\":\"BEGIN_TRANSACTION_RECORD\",\"version\":0,\"data\":{\"name\":\"Bootstrap records\"}}",
        "{\"type\":\"FEATURE_LEVEL_RECORD\",\"version\":0,\"data\":{\"name\":\"metadata.version\",\"featureLevel\":30}}",
        "\"type\":\"REGISTER_CONTROLLER_RECORD\",\"version\":0",
        "\"type\":\"REGISTER_BROKER_RECORD\",\"version\":4",
        "{\"type\":\"BROKER_REGISTRATION_CHANGE_RECORD\",\"version\":3,\"data\":{\"brokerId\":1,\"brokerEpoch\":13,\"cordonedLogDirs\":[]}}",
        "\"type\":\"TOPIC_RECORD\",\"version\":0,\"data\":{\"name\":\"orders\"",
        "\"type\":\"PARTITION_RECORD\",\"version\":2",
        "\"isr\":[],\"leader\":-1,\"eligibleLeaderReplicas\":[1],\"lastKnownElr\":[1]",
        "\"name\":\"retention.ms\",\"value\":\"123456\"",
        "\"type\":\"REMOVE_TOPIC_RECORD\"",
        "{\"brokerId\":1,\"brokerEpoch\":13,\"nextProducerId\":1000}",
        "\"type\":\"CLIENT_QUOTA_RECORD\"",
        "\"type\":\"USER_SCRAM_CREDENTIAL_RECORD\"",
        "\"type\":\"ACCESS_CONTROL_ENTRY_RECORD\"",
        "\"inControlledShutdown\":1",
    ] {
        assert!(log.contains(record), "{record}: {log}");
    }
    let snapshots = with_extension(&directory, "checkpoint");
    assert!(!snapshots.is_empty());
    let text = dump(&kafka, &snapshots);
    assert_eq!(text.matches("SnapshotHeader").count(), snapshots.len(), "{text}");
    assert_eq!(text.matches("SnapshotFooter").count(), snapshots.len(), "{text}");
    assert!(text.contains("\"name\":\"orders\""), "{text}");
    let bootstrap = dump(&kafka, &[directory.join("bootstrap.checkpoint")]);
    assert_eq!(bootstrap.matches("FEATURE_LEVEL_RECORD").count(), 6, "{bootstrap}");
}

/// `topic -> (id, partitions)` as Kafka's tool describes them.
fn described(kafka: &Path, bootstrap: &str) -> BTreeMap<String, (String, String)> {
    let text = tool(kafka, "TopicCommand", &["--bootstrap-server", bootstrap, "--describe"]);
    let field = |line: &str, name: &str| {
        let rest = line.split_once(name)?.1.trim_start();
        Some(rest.split_whitespace().next()?.to_owned())
    };
    text.lines()
        .filter_map(|line| Some((field(line, "Topic:")?, (field(line, "TopicId:")?, field(line, "PartitionCount:")?))))
        .collect()
}

fn known(image: &Image) -> BTreeMap<String, (String, String)> {
    let topics = image.topics.iter();
    topics
        .map(|topic| (topic.name.to_string(), (commitlog::format_id(topic.id), topic.partitions.len().to_string())))
        .collect()
}

#[test]
fn kafka_goes_on_from_our_directory_and_we_from_kafkas() {
    let Some(kafka) = kafka() else { return };
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    let settings = MetadataLogSettings { snapshot_bytes: 3000, ..MetadataLogSettings::default() };
    let controller = ours(&directory, settings);
    fill(&controller);
    let topics = known(&controller.image());
    assert_eq!(topics.len(), 2);
    stop(&controller);
    let our_snapshots = with_extension(&directory, "checkpoint");

    let theirs = Kafka::start(&directory, true);
    let at = ["--bootstrap-server", &theirs.bootstrap];
    assert_eq!(described(&kafka, &theirs.bootstrap), topics);
    let describe = |kind: &[&str]| tool(&kafka, "ConfigCommand", &[&at[..], &["--describe"], kind].concat());
    let configs = describe(&["--entity-type", "topics", "--entity-name", "orders"]);
    assert!(configs.contains("retention.ms=123456"), "{configs}");
    let user = describe(&["--entity-type", "users", "--entity-name", "alice"]);
    assert!(user.contains("producer_byte_rate=1024.0") && user.contains("SCRAM-SHA-256=iterations=4096"), "{user}");
    let acls = tool(&kafka, "AclCommand", &[&at[..], &["--list"]].concat());
    assert!(acls.contains("principal=User:alice, host=*, operation=READ, permissionType=ALLOW"), "{acls}");
    tool(&kafka, "TopicCommand", &[&at[..], &["--create", "--topic", "from-kafka", "--partitions", "2"]].concat());
    let alter =
        ["--alter", "--entity-type", "topics", "--entity-name", "from-kafka", "--add-config", "segment.ms=60000"];
    tool(&kafka, "ConfigCommand", &[&at[..], &alter].concat());
    let after = described(&kafka, &theirs.bootstrap);
    theirs.stop();
    let snapshots = with_extension(&directory, "checkpoint");
    assert!(snapshots.last() > our_snapshots.last(), "Kafka wrote a snapshot of its own: {snapshots:?}");

    let controller = ours(&directory, MetadataLogSettings::default());
    let image = controller.image();
    assert_eq!(known(&image), after);
    assert_eq!(image.topic_config("from-kafka")["segment.ms"], "60000");
    assert_eq!(image.epoch, 3);
    let orders = &image.topic("orders").unwrap().partitions[0];
    assert_eq!((orders.leader, orders.leader_epoch, orders.leader_recovery_state), (1, 4, 0));
    assert_eq!(image.topic("from-kafka").unwrap().partitions[0].leader_epoch, 2);
    create(&controller, &["back-again"], 1);
    let topics = known(&controller.image());
    drop(controller); // no clean stop

    let theirs = Kafka::start(&directory, false);
    assert_eq!(described(&kafka, &theirs.bootstrap), topics);
}
