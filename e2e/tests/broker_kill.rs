//! `kill -9` of the broker while it acknowledges records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::{Broker, free_port};
use parking_lot::{Condvar, Mutex};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

const ROUNDS: u32 = 6;
const PARTITIONS: i32 = 3;
const TOPIC: &str = "ledger";
const GROUP: &str = "auditors";
const PATIENCE: Duration = Duration::from_secs(120);
/// The codec changes from round to round.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// What the broker said it has: the value at each place.
#[derive(Default)]
struct Ledger {
    acked: Mutex<BTreeMap<(i32, i64), String>>,
    grown: Condvar,
}

#[derive(Clone)]
struct Acks(Arc<Ledger>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        // A record that failed is nobody's promise.
        let Ok(record) = result else { return };
        let value = String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
        let mut acked = self.0.acked.lock();
        if let Some(other) = acked.insert((record.partition(), record.offset()), value.clone()) {
            panic!("{other} and {value} were both acknowledged at {}-{}", record.partition(), record.offset());
        }
        self.0.grown.notify_all();
    }
}

/// Numbers without a pattern (xorshift64).
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Produces until the broker is killed, which happens at some moment after `acks` more acknowledgements.
fn produce_until_killed(broker: Broker, round: u32, acks: u64, ledger: &Arc<Ledger>) {
    let producer: ThreadedProducer<Acks> = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .set("compression.type", CODECS[round as usize % CODECS.len()])
        .set("enable.idempotence", if round.is_multiple_of(2) { "true" } else { "false" })
        .create_with_context(Acks(Arc::clone(ledger)))
        .expect("the settings are right");
    let before = ledger.acked.lock().len();
    let wanted = before + usize::try_from(acks).expect("small");
    let deadline = Instant::now() + PATIENCE;
    let mut number = 0;
    while ledger.acked.lock().len() < wanted {
        assert!(Instant::now() < deadline, "no acknowledgements");
        let value = format!("round {round} record {number} {}", "x".repeat(number % 2000));
        let partition = i32::try_from(number).expect("small") % PARTITIONS;
        let record = BaseRecord::<(), str>::to(TOPIC).partition(partition).payload(&value);
        if producer.send(record).is_ok() {
            number += 1;
        } else {
            // The queue is full: the next acknowledgement makes room.
            let mut acked = ledger.acked.lock();
            ledger.grown.wait_for(&mut acked, Duration::from_millis(10));
        }
    }
    broker.kill();
    producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
}

/// Every acknowledged record is where it was said to be.
fn audit(broker: &Broker, ledger: &Ledger) {
    let consumer = consumer(broker);
    let acked = ledger.acked.lock();
    let mut positions = TopicPartitionList::new();
    let mut missing = 0;
    for partition in 0..PARTITIONS {
        let (low, high) = consumer.fetch_watermarks(TOPIC, partition, PATIENCE).expect("the broker answers");
        assert_eq!(low, 0);
        let last = acked.range((partition, 0)..(partition + 1, 0)).next_back().map_or(-1, |((_, offset), _)| *offset);
        assert!(last < high, "{TOPIC}-{partition} ends at {high}, and offset {last} was acknowledged");
        missing += usize::try_from(high).expect("not negative");
        positions.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&positions).expect("partitions that are there");
    let mut checked = 0;
    let deadline = Instant::now() + PATIENCE;
    while missing > 0 {
        assert!(Instant::now() < deadline, "{missing} records do not come");
        let Some(record) = consumer.poll(Duration::from_secs(1)) else { continue };
        let record = record.expect("no error");
        missing -= 1;
        if let Some(value) = acked.get(&(record.partition(), record.offset())) {
            assert_eq!(String::from_utf8_lossy(record.payload().unwrap_or_default()), *value);
            checked += 1;
        }
    }
    assert_eq!(checked, acked.len(), "acknowledged records are missing");
}

fn consumer(broker: &Broker) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", GROUP).set("enable.auto.commit", "false");
    config.create().expect("the settings are right")
}

fn commit(broker: &Broker, offset: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(offset)).expect("an offset");
    consumer(broker).commit(&offsets, CommitMode::Sync).expect("the commit is taken");
}

fn committed(broker: &Broker) -> Offset {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(TOPIC, 0);
    let found = consumer(broker).committed_offsets(asked, PATIENCE).expect("the broker answers");
    found.elements()[0].offset()
}

#[test]
fn acknowledged_records_and_commits_survive_kills() {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64 | 1;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let data = tempfile::tempdir().expect("a folder");
    let port = free_port();
    // Small segments: kills hit rolls and index growth too.
    let settings = ["num.partitions=3", "log.segment.bytes=1048576"];
    let ledger = Arc::new(Ledger::default());
    for round in 0..ROUNDS {
        let broker = Broker::start_at(port, data.path(), &settings);
        let offset = i64::from(round) + 1;
        if round > 0 {
            audit(&broker, &ledger);
            assert_eq!(committed(&broker), Offset::Offset(offset - 1), "the last commit is gone");
            commit(&broker, offset);
        }
        produce_until_killed(broker, round, 1 + dice.up_to(20_000), &ledger);
        if round == 0 {
            let broker = Broker::start_at(port, data.path(), &settings);
            commit(&broker, offset);
            broker.kill();
        }
    }
    let broker = Broker::start_at(port, data.path(), &settings);
    audit(&broker, &ledger);
    assert_eq!(committed(&broker), Offset::Offset(i64::from(ROUNDS)));
    broker.stop();
}
