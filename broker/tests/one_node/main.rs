//! What a broker in this process does for clients that speak the protocol byte by byte: how soon waiting requests are
//! answered, what is counted, settings that change while it runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

#[path = "../every_api/client.rs"]
mod client;
mod connections;
mod coordinators;
mod log_dirs;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use broker::Broker;
use broker::config::{BrokerConfig, Sources};
use broker::observability::health::Health;
use broker::observability::{http, logging, metrics};
use client::Client;
use tokio_util::sync::CancellationToken;
use wire::messages as m;
use wire::record_batch::{BatchBuilder, BatchOptions, NewRecord};
use wire::{ErrorCode, Records};

/// A busy machine is no judge of speed: what is promised takes a thousandth of this.
const SOON: Duration = Duration::from_secs(10);
/// How long what should come soon could wait without being woken.
const LONG: Duration = Duration::from_secs(60);

async fn start(folder: &Path, more: &[(&str, &str)]) -> (Broker, u16) {
    let settings = [
        ("log.dirs", folder.to_str().unwrap()),
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("broker.http.listener", "none"),
        ("offsets.topic.num.partitions", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    let overrides = settings.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let sources = Sources { overrides: overrides.collect(), ..Sources::default() };
    let broker = Broker::start(BrokerConfig::load(&sources).unwrap().config).await.unwrap();
    let port = broker.port("PLAINTEXT").unwrap();
    (broker, port)
}

fn connect(port: u16) -> Client {
    Client::new(TcpStream::connect(("127.0.0.1", port)).unwrap())
}

/// Runs a test's blocking part.
async fn clients<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn create(port: u16, topic: &str, configs: &[(&str, &str)]) -> (i16, Option<String>) {
    use m::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
    let config = |(name, value): &(&'static str, &'static str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
        ..Default::default()
    };
    let configs: Vec<(&'static str, &'static str)> =
        configs.iter().map(|(name, value)| (&*String::from(*name).leak(), &*String::from(*value).leak())).collect();
    let topic = CreatableTopic {
        name: topic.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    let outcome = connect(port).read(7, &request, |reply| {
        (reply.topics[0].error_code, reply.topics[0].error_message.clone().map(|text| text.into_owned()))
    });
    outcome.unwrap()
}

fn produce(client: &mut Client, topic: &str) -> i16 {
    produce_at(client, topic, 1)
}

/// Sends a record that replaces those before, with a time.
fn produce_at(client: &mut Client, topic: &str, timestamp: i64) -> i16 {
    use m::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(NewRecord { timestamp, key: Some(b"k"), value: Some(b"v"), headers: &[] }).unwrap();
    let records = Some(Records::from(batch.build().unwrap()));
    let data = PartitionProduceData { index: 0, records, ..Default::default() };
    let topic = TopicProduceData { name: topic.into(), partition_data: vec![data], ..Default::default() };
    let request = ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
    client.read(9, &request, |reply| reply.responses[0].partition_responses[0].error_code).unwrap()
}

/// The records that came, once there are some.
fn fetch(client: &mut Client, topic: &str, offset: i64, wait: Duration) -> Vec<u8> {
    use m::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
    let partition =
        FetchPartition { partition: 0, fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: i32::try_from(wait.as_millis()).unwrap(),
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..Default::default()
    };
    client
        .read(11, &request, |reply| {
            let records = reply.responses[0].partitions[0].records.as_ref();
            records.and_then(Records::as_bytes).unwrap_or_default().to_vec()
        })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_waits_is_answered_by_the_append() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        assert_eq!(create(port, "waiting", &[]).0, 0);
        let (send, appended) = std::sync::mpsc::channel();
        let (asking, next) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut client = connect(port);
            let mut waits = Vec::new();
            for offset in 0..20 {
                asking.send(()).unwrap();
                assert!(!fetch(&mut client, "waiting", offset, LONG).is_empty(), "nothing came within the wait");
                let answered = Instant::now();
                let appended: Instant = appended.recv().unwrap();
                waits.push(answered.saturating_duration_since(appended));
            }
            waits
        });
        let mut client = connect(port);
        while next.recv().is_ok() {
            // The Fetch is on its way; whether it waits already or comes after the append, it must be answered.
            assert_eq!(produce(&mut client, "waiting"), 0);
            send.send(Instant::now()).unwrap();
        }
        let mut waits = reader.join().unwrap();
        waits.sort_unstable();
        println!("a waiting Fetch after the append's answer: median {:?}, longest {:?}", waits[10], waits[19]);
        assert!(waits[19] < SOON, "{waits:?}");
    })
    .await;
    broker.shutdown().await;
}

/// Joins as one of two members, and syncs: the leader gives everybody an empty assignment.
fn join_and_sync(port: u16, group: &str, member: &str) -> String {
    use m::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
    use m::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
    let mut client = connect(port);
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: (&[][..]).into(), ..Default::default() };
    let mut id = member.to_owned();
    loop {
        let request = JoinGroupRequest {
            group_id: group.into(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 60_000,
            member_id: id.clone().into(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol.clone()],
            ..Default::default()
        };
        let (error, given, generation, members) = client
            .read(5, &request, |reply| {
                let members = reply.members.iter().map(|member| member.member_id.to_string()).collect::<Vec<_>>();
                (reply.error_code, reply.member_id.to_string(), reply.generation_id, members)
            })
            .unwrap();
        id = given;
        if error == ErrorCode::MemberIdRequired.code() {
            continue;
        }
        assert_eq!(error, 0);
        let assignment = |member: &String| SyncGroupRequestAssignment {
            member_id: member.clone().into(),
            assignment: (&b"x"[..]).into(),
            ..Default::default()
        };
        let request = SyncGroupRequest {
            group_id: group.into(),
            generation_id: generation,
            member_id: id.clone().into(),
            assignments: members.iter().map(assignment).collect(),
            ..Default::default()
        };
        assert_eq!(client.read(3, &request, |reply| reply.error_code).unwrap(), 0);
        return id;
    }
}

/// The first request of all has the internal topic made, and is told to ask again.
fn find_coordinator(port: u16, key: &str, key_type: i8) {
    let request =
        m::find_coordinator_request::FindCoordinatorRequest { key: key.into(), key_type, ..Default::default() };
    let mut client = connect(port);
    let codes = [(); 2].map(|()| client.read(3, &request, |reply| reply.error_code).unwrap());
    assert_eq!(codes, [ErrorCode::CoordinatorNotAvailable.code(), 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_of_two_members_takes_no_longer_than_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        find_coordinator(port, "pair", 0);
        let first = join_and_sync(port, "pair", "");
        let begun = Instant::now();
        let newcomer = std::thread::spawn(move || join_and_sync(port, "pair", ""));
        // The first member is told by its heartbeat, and joins again.
        let mut client = connect(port);
        loop {
            let request = m::heartbeat_request::HeartbeatRequest {
                group_id: "pair".into(),
                generation_id: 1,
                member_id: first.clone().into(),
                ..Default::default()
            };
            let error = client.read(3, &request, |reply| reply.error_code).unwrap();
            if error == ErrorCode::RebalanceInProgress.code() {
                break;
            }
            assert_eq!(error, 0);
        }
        join_and_sync(port, "pair", &first);
        newcomer.join().unwrap();
        let took = begun.elapsed();
        println!("a rebalance of two members took {took:?}");
        assert!(took < SOON, "{took:?}");
    })
    .await;
    broker.shutdown().await;
}

fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn commit(port: u16, group: &str, partitions: i32) -> Vec<i16> {
    use m::offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partition = |index| OffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: 7,
        committed_leader_epoch: -1,
        committed_metadata: Some("said".into()),
        ..Default::default()
    };
    let partitions = (0..partitions).map(partition).collect();
    let topic = OffsetCommitRequestTopic { name: "counted".into(), partitions, ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let errors = |reply: &m::offset_commit_response::OffsetCommitResponse<'_>| -> Vec<i16> {
        reply.topics[0].partitions.iter().map(|partition| partition.error_code).collect()
    };
    connect(port).read(8, &request, |reply| errors(reply)).unwrap()
}

fn transaction(port: u16) {
    use m::add_partitions_to_txn_request::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
    find_coordinator(port, "tx", 1);
    let mut client = connect(port);
    let init = m::init_producer_id_request::InitProducerIdRequest {
        transactional_id: Some("tx".into()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let (error, id, epoch) =
        client.read(4, &init, |reply| (reply.error_code, reply.producer_id, reply.producer_epoch)).unwrap();
    assert_eq!(error, 0);
    let topics = vec![AddPartitionsToTxnTopic { name: "counted".into(), partitions: vec![0], ..Default::default() }];
    let add = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "tx".into(),
        v3_and_below_producer_id: id,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: topics,
        ..Default::default()
    };
    client.ask(3, &add).unwrap();
    let end = m::end_txn_request::EndTxnRequest {
        transactional_id: "tx".into(),
        producer_id: id,
        producer_epoch: epoch,
        committed: false,
        ..Default::default()
    };
    assert_eq!(client.read(3, &end, |reply| reply.error_code).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_commits_transactions_and_errors_are_counted() {
    let recorder = metrics::install();
    let server = http::Server::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (server.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(server.run(Health::new(), recorder, stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        assert_eq!(create(port, "counted", &[]).0, 0);
        find_coordinator(port, "counted-group", 0);
        join_and_sync(port, "counted-group", "");
        assert_eq!(commit(port, "outside", 1), [0]);
        transaction(port);
        let stranger = m::heartbeat_request::HeartbeatRequest {
            group_id: "counted-group".into(),
            generation_id: 1,
            member_id: "nobody".into(),
            ..Default::default()
        };
        let unknown = connect(port).read(3, &stranger, |reply| reply.error_code).unwrap();
        assert_eq!(unknown, ErrorCode::UnknownMemberId.code());
        assert_eq!(produce(&mut connect(port), "nowhere"), ErrorCode::UnknownTopicOrPartition.code());
        let counted = get(address, "/metrics");
        let wanted = [
            "broker_rebalances_total{protocol=\"classic\"} ",
            "broker_offset_commits_total ",
            "broker_transactions_total{outcome=\"abort\"} 1",
            "broker_request_errors_total{api=\"Heartbeat\",error=\"UNKNOWN_MEMBER_ID\"} 1",
            "broker_request_errors_total{api=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"} 1",
        ];
        for line in wanted {
            assert!(counted.contains(line), "{line} is missing in\n{counted}");
        }
        // Groups are measured every few seconds.
        let deadline = Instant::now() + LONG;
        let shown = |text: &str| text.contains("broker_groups{protocol=\"classic\",state=\"Stable\"} 1");
        while !shown(&get(address, "/metrics")) {
            assert!(Instant::now() < deadline, "broker_groups does not show the group");
        }
    })
    .await;
    broker.shutdown().await;
    stop.cancel();
}

fn alter(port: u16, kind: i8, resource: &str, name: &str, operation: i8, value: Option<&str>) -> (i16, String) {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest};
    let config = AlterableConfig {
        name: name.into(),
        config_operation: operation,
        value: value.map(Into::into),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: kind,
        resource_name: resource.into(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let outcome = connect(port).read(1, &request, |reply| {
        let response = &reply.responses[0];
        (response.error_code, response.error_message.as_deref().unwrap_or_default().to_owned())
    });
    outcome.unwrap()
}

const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_topic_is_judged_by_the_brokers_settings_of_the_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        let lag = [("max.compaction.lag.ms", "500")];
        assert_eq!(create(port, "before", &lag).0, 0);
        assert_eq!(alter(port, BROKER, "", "log.cleaner.min.compaction.lag.ms", SET, Some("1000")).0, 0);
        let (code, message) = create(port, "after", &lag);
        assert_eq!(code, ErrorCode::InvalidConfig.code());
        let said = "conflict topic config setting min.compaction.lag.ms (1000) > max.compaction.lag.ms (500)";
        assert_eq!(message.as_deref(), Some(said));
        assert_eq!(alter(port, BROKER, "", "log.cleaner.min.compaction.lag.ms", DELETE, None).0, 0);
        assert_eq!(create(port, "after", &lag).0, 0);
    })
    .await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_cleaner_obeys_its_settings_of_the_moment_also_after_a_restart() {
    const RATE: &str = "log.cleaner.io.max.bytes.per.second";
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[("log.cleaner.backoff.ms", "1"), (RATE, "1")]).await;
    clients(move || {
        let compacted = [("cleanup.policy", "compact"), ("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0")];
        assert_eq!(create(port, "compacted", &compacted).0, 0);
        let mut client = connect(port);
        for time in 1..=3 {
            assert_eq!(produce_at(&mut client, "compacted", time * 1000), 0);
        }
        // At a byte a second this takes minutes.
        assert_eq!(alter(port, BROKER, "", RATE, SET, Some("1000000")).0, 0);
        let deadline = Instant::now() + LONG;
        while fetch(&mut client, "compacted", 0, LONG).starts_with(&0i64.to_be_bytes()) {
            assert!(Instant::now() < deadline, "the log is not compacted");
        }
    })
    .await;
    broker.shutdown().await;
    let (broker, _) = start(folder.path(), &[(RATE, "1")]).await;
    assert_eq!(broker.node().config().cleaner.log_cleaner_io_max_bytes_per_second.to_bits(), 1e6_f64.to_bits());
    broker.shutdown().await;
}

fn levels(port: u16) -> Vec<(String, String)> {
    use m::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
    let resource = DescribeConfigsResource {
        resource_type: BROKER_LOGGER,
        resource_name: "1".into(),
        configuration_keys: None,
        ..Default::default()
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let read = connect(port).read(4, &request, |reply| {
        assert_eq!(reply.results[0].error_code, 0);
        let level = |config: &m::describe_configs_response::DescribeConfigsResourceResult<'_>| {
            assert_eq!(config.config_source, 6, "DYNAMIC_BROKER_LOGGER_CONFIG");
            (config.name.to_string(), config.value.as_deref().unwrap_or_default().to_owned())
        };
        reply.results[0].configs.iter().map(level).collect()
    });
    read.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_of_the_log_change_while_the_broker_runs() {
    logging::init(logging::Format::Text, "warn").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (broker, port) = start(folder.path(), &[]).await;
    clients(move || {
        let level = |name: &str| levels(port).into_iter().find(|(known, _)| known == name).unwrap().1;
        let set = |name: &str, operation, value| alter(port, BROKER_LOGGER, "1", name, operation, value);
        assert_eq!([level("root"), level("broker.groups")], ["WARN", "WARN"]);
        assert_eq!(set("broker.groups", SET, Some("DEBUG")).0, 0);
        assert_eq!([level("root"), level("broker.groups")], ["WARN", "DEBUG"]);
        assert!(tracing::enabled!(target: "broker::groups::shard", tracing::Level::DEBUG));
        assert!(!tracing::enabled!(target: "broker::api", tracing::Level::DEBUG));
        assert_eq!(set("broker.groups", DELETE, None).0, 0);
        assert_eq!(level("broker.groups"), "WARN");
        let supported = "it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN";
        for (name, operation, value, code, message) in [
            (
                "root",
                SET,
                Some("LOUD"),
                ErrorCode::InvalidConfig,
                format!("Cannot set the log level of root to LOUD as {supported}"),
            ),
            (
                "kafka.nothing",
                SET,
                Some("DEBUG"),
                ErrorCode::InvalidConfig,
                "Logger kafka.nothing does not exist!".to_owned(),
            ),
            (
                "root",
                DELETE,
                None,
                ErrorCode::InvalidRequest,
                "Removing the log level of the root logger is not allowed".to_owned(),
            ),
            (
                "root",
                APPEND,
                Some("INFO"),
                ErrorCode::InvalidRequest,
                "APPEND operation is not allowed for the BROKER_LOGGER resource".to_owned(),
            ),
        ] {
            assert_eq!(set(name, operation, value), (code.code(), message));
        }
        let other = alter(port, BROKER_LOGGER, "2", "root", SET, Some("INFO"));
        assert_eq!(
            other,
            (ErrorCode::InvalidRequest.code(), "Unexpected node id. Expected 1, but received 2".to_owned())
        );
    })
    .await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_are_compressed_as_the_setting_says_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("offsets.topic.compression.codec", "4"), ("offsets.load.buffer.size", "1")];
    let (broker, port) = start(folder.path(), &settings).await;
    clients(move || {
        assert_eq!(create(port, "counted", &[]).0, 0);
        find_coordinator(port, "squeezed", 0);
        assert_eq!(commit(port, "squeezed", 1), [0]);
    })
    .await;
    broker.shutdown().await;
    let log = folder.path().join("__consumer_offsets-0/00000000000000000000.log");
    let batch = std::fs::read(log).unwrap();
    assert_eq!(batch[22] & 7, 4, "the batch of the commit is not compressed with zstd");
    let (broker, port) = start(folder.path(), &settings).await;
    let offset = clients(move || {
        use m::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic};
        let topic =
            OffsetFetchRequestTopic { name: "counted".into(), partition_indexes: vec![0], ..Default::default() };
        let request =
            OffsetFetchRequest { group_id: "squeezed".into(), topics: Some(vec![topic]), ..Default::default() };
        connect(port).read(5, &request, |reply| reply.topics[0].partitions[0].committed_offset).unwrap()
    });
    assert_eq!(offset.await, 7);
    broker.shutdown().await;
}
