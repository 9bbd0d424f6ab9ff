//! Transactions, through librdkafka as the services use it, and through Apache Kafka's own tools.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Broker, Process, prerequisites, topic};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(60);
const RECORDS: u32 = 300;

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address());
    config
}

fn transactional(broker: &Broker, id: &str) -> BaseProducer {
    let mut config = config(broker);
    config.set("transactional.id", id);
    let producer: BaseProducer = config.create().expect("the settings are right");
    producer.init_transactions(PATIENCE).expect("the coordinator gives an id");
    producer
}

async fn create(broker: &Broker, topics: &[&str]) {
    let admin: AdminClient<DefaultClientContext> = config(broker).create().expect("the settings are right");
    let topics: Vec<_> = topics.iter().map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1))).collect();
    let made = admin.create_topics(&topics, &AdminOptions::new()).await.expect("the broker answers");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

fn send(producer: &BaseProducer, topic: &str, number: u32) {
    let (key, value) = (number.to_string(), number.to_string());
    producer.send(BaseRecord::to(topic).key(&key).payload(&value)).expect("the queue has room");
}

fn number(message: &impl Message) -> u32 {
    std::str::from_utf8(message.payload().unwrap_or_default()).expect("text").parse().expect("a number")
}

/// Everything in a topic up to its end, with the isolation level.
fn all(broker: &Broker, topic: &str, isolation: &str) -> Vec<u32> {
    let mut config = config(broker);
    config.set("group.id", "unused").set("isolation.level", isolation).set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("the settings are right");
    let mut numbers: Vec<u32> = topic::records(&consumer, topic).iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_transactions_moves_every_record_once_across_aborts_and_a_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    create(&broker, &["in", "out"]).await;
    let source: BaseProducer = config(&broker).create().expect("the settings are right");
    (0..RECORDS).for_each(|number| send(&source, "in", number));
    source.flush(PATIENCE).expect("delivered");

    move_records(&broker, RECORDS / 2);
    let broker = restarted(broker, data.path());
    move_records(&broker, RECORDS - RECORDS / 2);
    assert_eq!(all(&broker, "out", "read_committed"), (0..RECORDS).collect::<Vec<_>>());
    assert!(all(&broker, "out", "read_uncommitted").len() > RECORDS as usize, "nothing was ever aborted");
    broker.stop();
}

/// Stops a broker and starts another one on its data.
fn restarted(broker: Broker, data: &Path) -> Broker {
    broker.stop();
    Broker::start(data, &[])
}

/// The next record. A poll that only served a rebalance gives none.
fn next(consumer: &BaseConsumer) -> rdkafka::message::BorrowedMessage<'_> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(message) = consumer.poll(PATIENCE) {
            return message.expect("no error");
        }
        assert!(Instant::now() < deadline, "records come");
    }
}

/// Moves at least `count` records from `in` to `out` with their offsets, aborting every third transaction.
fn move_records(broker: &Broker, count: u32) {
    let producer = transactional(broker, "mover");
    let mut config = config(broker);
    config.set("group.id", "movers").set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().expect("the settings are right");
    consumer.subscribe(&["in"]).expect("the topic's name is right");
    let (mut moved, mut transactions) = (0, 0);
    while moved < count {
        let mut offsets = TopicPartitionList::new();
        let mut numbers = Vec::new();
        while numbers.len() < 10 && moved + (numbers.len() as u32) < count {
            let message = next(&consumer);
            let topic_partition = offsets.find_partition("in", message.partition()).is_some();
            let next = Offset::Offset(message.offset() + 1);
            if topic_partition {
                offsets.set_partition_offset("in", message.partition(), next).expect("an offset");
            } else {
                offsets.add_partition_offset("in", message.partition(), next).expect("an offset");
            }
            numbers.push((message.partition(), message.offset(), number(&message)));
        }
        producer.begin_transaction().expect("begun");
        numbers.iter().for_each(|(_, _, number)| send(&producer, "out", *number));
        producer.flush(PATIENCE).expect("delivered");
        let group = consumer.group_metadata().expect("a member");
        producer.send_offsets_to_transaction(&offsets, &group, PATIENCE).expect("offsets are part of it");
        transactions += 1;
        if transactions % 3 == 0 {
            producer.abort_transaction(PATIENCE).expect("aborted");
            let mut back: std::collections::BTreeMap<i32, i64> = std::collections::BTreeMap::new();
            for (partition, offset, _) in numbers {
                back.entry(partition).and_modify(|first| *first = offset.min(*first)).or_insert(offset);
            }
            for (partition, offset) in back {
                consumer.seek("in", partition, Offset::Offset(offset), PATIENCE).expect("sought");
            }
        } else {
            producer.commit_transaction(PATIENCE).expect("committed");
            moved += numbers.len() as u32;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_id_another_one_took_is_shut_out() {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    create(&broker, &["out"]).await;
    let old = transactional(&broker, "one");
    old.begin_transaction().expect("begun");
    (0..10).for_each(|number| send(&old, "out", number));
    old.flush(PATIENCE).expect("delivered");

    let new = transactional(&broker, "one");
    let refused = old.commit_transaction(PATIENCE).expect_err("the id has a new owner");
    assert!(format!("{refused:?}").to_lowercase().contains("fenced"), "{refused:?}");
    new.begin_transaction().expect("begun");
    (10..20).for_each(|number| send(&new, "out", number));
    new.commit_transaction(PATIENCE).expect("committed");
    assert_eq!(all(&broker, "out", "read_committed"), (10..20).collect::<Vec<_>>());
    let uncommitted: BTreeSet<u32> = all(&broker, "out", "read_uncommitted").into_iter().collect();
    assert_eq!(uncommitted, (0..20).collect());
    broker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn javas_tools_see_transactions_and_abort_one_that_hangs() {
    let test = "javas_tools_see_transactions_and_abort_one_that_hangs";
    let Some(kafka) = prerequisites::apache_kafka(test) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &["transaction.state.log.num.partitions=1"]);
    create(&broker, &["out"]).await;
    let producer = transactional(&broker, "tool");
    producer.begin_transaction().expect("begun");
    (0..10).for_each(|number| send(&producer, "out", number));
    producer.flush(PATIENCE).expect("delivered");

    let address = broker.address();
    let tool = |class: &str, arguments: &[&str]| {
        let mut command = Command::new(&kafka);
        command.args(["tool", class]).args(arguments);
        Process::run_within(&mut command, Duration::from_secs(300)).ok()
    };
    let transactions =
        |arguments: &[&str]| tool("TransactionsCommand", &[&["--bootstrap-server", &address], arguments].concat());
    let listed = transactions(&["list"]);
    assert!(listed.lines().any(|line| line.starts_with("tool") && line.contains("Ongoing")), "{listed}");
    let described = transactions(&["describe", "--transactional-id", "tool"]);
    assert!(described.contains("out-"), "{described}");
    let producers = transactions(&["describe-producers", "--topic", "out", "--partition", "0"]);
    assert!(producers.contains("CurrentTransactionStartOffset"), "{producers}");
    let partition = described.split("out-").nth(1).and_then(|rest| rest.chars().next()).expect("a partition");
    let arguments = ["abort", "--topic", "out", "--partition", &partition.to_string(), "--start-offset", "0"];
    transactions(&arguments);
    assert_eq!(all(&broker, "out", "read_committed"), Vec::<u32>::new());
    producer.abort_transaction(PATIENCE).expect("aborted");
    broker.stop();

    let log = data.path().join("__transaction_state-0/00000000000000000000.log");
    let dumped = tool("DumpLogSegments", &["--transaction-log-decoder", "--files", &log.display().to_string()]);
    let states = [0, 1, 3, 5].map(|state| dumped.contains(&format!("\"transactionStatus\":{state}")));
    assert_eq!(states, [true; 4], "{dumped}");
}
