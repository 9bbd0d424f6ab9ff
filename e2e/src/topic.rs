//! What stands on a topic, for tests that look at it when all is done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::{Offset, TopicPartitionList};

/// Longest wait for an answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A consumer for looking at topics: it sees what is committed, and the ends of partitions.
///
/// # Panics
/// When librdkafka has no room for another client.
#[must_use]
pub fn reader(broker: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("group.id", "looking-on").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.create().expect("the settings are right")
}

/// The partitions of a topic, from their start.
///
/// # Panics
/// When the broker does not answer.
#[must_use]
pub fn partitions(consumer: &BaseConsumer, topic: &str) -> TopicPartitionList {
    let known = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    let mut list = TopicPartitionList::new();
    for partition in known.topics().iter().flat_map(|topic| topic.partitions()) {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("an offset");
    }
    list
}

/// The committed records of a topic.
///
/// # Panics
/// When the broker does not answer.
#[must_use]
pub fn records(consumer: &BaseConsumer, topic: &str) -> Vec<OwnedMessage> {
    let list = partitions(consumer, topic);
    consumer.assign(&list).expect("partitions that are there");
    let (mut records, mut at_end) = (Vec::new(), BTreeSet::new());
    let deadline = Instant::now() + PATIENCE;
    while at_end.len() < list.count() {
        assert!(Instant::now() < deadline, "{topic} has no end");
        match consumer.poll(Duration::from_secs(1)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(at_end.insert(partition)),
            Some(Err(error)) => panic!("{topic}: {error}"),
            Some(Ok(record)) => records.push(record.detach()),
        }
    }
    records
}
