//! librdkafka, through the crate the services use, with its default settings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use e2e::Broker;
use futures_util::future::join_all;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::timeout;

const RECORDS: u32 = 3000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a record is: partition and offset.
type Place = (i32, i64);

fn config(broker: &Broker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address());
    config
}

fn member(broker: &Broker, group: &str, topic: &str) -> StreamConsumer {
    let mut config = config(broker);
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer: StreamConsumer = config.create().expect("the settings are right");
    consumer.subscribe(&[topic]).expect("the topic's name is right");
    consumer
}

async fn create(broker: &Broker, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config(broker).create().expect("the settings are right");
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("the broker answers");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Produces the numbers, all at once; gives where each one is.
async fn produce(broker: &Broker, topic: &str, numbers: Range<u32>) -> BTreeMap<Place, u32> {
    let producer: FutureProducer = config(broker).create().expect("the settings are right");
    let producer = &producer;
    let sends = numbers.map(|number| async move {
        let (key, value) = (format!("key {number}"), number.to_string());
        let delivery = producer.send(FutureRecord::to(topic).key(&key).payload(&value), PATIENCE).await;
        let delivery = delivery.expect("delivered");
        ((delivery.partition, delivery.offset), number)
    });
    join_all(sends).await.into_iter().collect()
}

/// Reads until every one of the places was seen, and commits what was read.
async fn read(consumer: &StreamConsumer, places: &BTreeMap<Place, u32>) -> BTreeMap<Place, u32> {
    let mut seen = BTreeMap::new();
    while !places.keys().all(|place| seen.contains_key(place)) {
        let message = timeout(PATIENCE, consumer.recv()).await.expect("records come").expect("no error");
        let number =
            std::str::from_utf8(message.payload().unwrap_or_default()).expect("text").parse().expect("a number");
        let before = seen.insert((message.partition(), message.offset()), number);
        assert_eq!(before, None, "a record was given twice");
    }
    consumer.commit_consumer_state(CommitMode::Sync).expect("the commit is taken");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_where_the_producer_was_told_and_groups_go_on_where_they_were() {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    create(&broker, "numbers", 3).await;
    let first = produce(&broker, "numbers", 0..RECORDS).await;
    let partitions: BTreeSet<i32> = first.keys().map(|(partition, _)| *partition).collect();
    assert_eq!((first.len() as u32, partitions.len()), (RECORDS, 3));

    let consumer = member(&broker, "readers", "numbers");
    assert_eq!(read(&consumer, &first).await, first);
    drop(consumer);

    // Over a restart of the broker, too.
    let port = broker.port();
    broker.stop();
    let broker = Broker::start_at(port, data.path(), &[]);
    let second = produce(&broker, "numbers", RECORDS..2 * RECORDS).await;
    let consumer = member(&broker, "readers", "numbers");
    assert_eq!(read(&consumer, &second).await, second);
    drop(consumer);
    broker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_partitions_and_see_every_record_once() {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    create(&broker, "numbers", 4).await;
    let (one, two) = (member(&broker, "pair", "numbers"), member(&broker, "pair", "numbers"));
    wait_for_shares(&one, &two).await;
    let places = produce(&broker, "numbers", 0..RECORDS).await;
    let share = |consumer: &StreamConsumer| {
        let list = consumer.assignment().expect("assigned");
        let own: BTreeSet<i32> = list.elements().iter().map(|element| element.partition()).collect();
        places.iter().filter(|((partition, _), _)| own.contains(partition)).map(|(k, v)| (*k, *v)).collect()
    };
    let (left, right): (BTreeMap<Place, u32>, BTreeMap<Place, u32>) = (share(&one), share(&two));
    assert_eq!(left.len() + right.len(), places.len());
    let (got_left, got_right) = tokio::join!(read(&one, &left), read(&two, &right));
    assert_eq!((got_left, got_right), (left, right));
    drop((one, two));
    broker.stop();
}

/// Waits until each of both members has two of the four partitions.
async fn wait_for_shares(one: &StreamConsumer, two: &StreamConsumer) {
    let have_two = |consumer: &StreamConsumer| consumer.assignment().is_ok_and(|list| list.count() == 2);
    let shared = async {
        while !(have_two(one) && have_two(two)) {
            // Receiving drives the client; nothing is on the topic yet.
            let moment = Duration::from_millis(20);
            let (left, right) = tokio::join!(timeout(moment, one.recv()), timeout(moment, two.recv()));
            assert!(left.is_err() && right.is_err(), "the topic is empty");
        }
    };
    timeout(PATIENCE, shared).await.expect("the group comes to rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_found_by_time_and_watermarks_tell_the_ends() {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    create(&broker, "times", 1).await;
    let producer: FutureProducer = config(&broker).create().expect("the settings are right");
    for time in [1_000_i64, 2_000, 3_000] {
        let record = FutureRecord::<(), str>::to("times").payload("x").timestamp(time);
        producer.send(record, PATIENCE).await.expect("delivered");
    }
    let consumer = member(&broker, "watch", "times");
    let ends = consumer.fetch_watermarks("times", 0, PATIENCE).expect("the broker answers");
    assert_eq!(ends, (0, 3));
    for (time, offset) in
        [(0, Offset::Offset(0)), (1_500, Offset::Offset(1)), (3_000, Offset::Offset(2)), (3_001, Offset::End)]
    {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset("times", 0, Offset::Offset(time)).expect("an offset");
        let found = consumer.offsets_for_times(asked, PATIENCE).expect("the broker answers");
        assert_eq!(found.elements()[0].offset(), offset, "at {time}");
    }
    drop(consumer);
    broker.stop();
}
