//! The loop against librdkafka's own mock cluster, which serves groups, offsets and idempotent producers in process.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use recipes::{DeadLetter, topics};
use service_kit::kafka::{Batch, Kafka, KafkaSettings, Outcome, Output, Place, Processor, Record, Retries};
use service_kit::{Exit, Failure, Handle};
use tokio_util::sync::CancellationToken;

struct Fixture {
    _cluster: MockCluster<'static, DefaultProducerContext>,
    kafka: Kafka,
    handle: Handle,
    shutdown: CancellationToken,
}

impl Fixture {
    async fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["words", "words.dead", "shouts"] {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        let mut settings = KafkaSettings::new(&cluster.bootstrap_servers());
        // The mock cluster learns only by timeout that a member has left.
        for (name, value) in [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")] {
            settings.properties.insert(name.to_owned(), value.to_owned());
        }
        let (handle, shutdown) = (Handle::new("test"), CancellationToken::new());
        let kafka = Kafka::connect(settings, &handle, &shutdown).await.unwrap();
        Self { _cluster: cluster, kafka, handle, shutdown }
    }

    async fn say(&self, words: impl IntoIterator<Item = (i32, String)>) {
        let producer = self.kafka.producer().unwrap();
        for (partition, word) in words {
            let output = Output::to("words").partition(partition).key("k").value(word).header("h", "v");
            producer.send(output).await.unwrap();
        }
    }

    /// Runs the loop until it has consumed so many records, then stops it.
    async fn run(&self, processor: impl Processor, retries: Retries, consumed: u64) -> Result<(), Failure> {
        let shutdown = self.shutdown.child_token();
        let consumer = self.kafka.consumer("shout", &["words"]).retries(retries);
        let running = tokio::spawn(consumer.run(processor, shutdown.clone()));
        self.handle.wait_until(|handle| handle.count("consumed") >= consumed || running.is_finished()).await;
        shutdown.cancel();
        running.await.unwrap()
    }

    async fn read(&self, topic: &'static str) -> Vec<Record> {
        let (kafka, shutdown) = (self.kafka.clone(), self.shutdown.clone());
        let read = move || {
            let mut records = Vec::new();
            kafka.read_to_end(topic, &[0, 1], &shutdown, |record| records.push(record)).map(|_| records)
        };
        tokio::task::spawn_blocking(read).await.unwrap().unwrap()
    }

    async fn values(&self, topic: &'static str, partition: i32) -> Vec<String> {
        let records = self.read(topic).await.into_iter().filter(|record| record.place.partition == partition);
        records.map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect()
    }
}

/// Shouts words into the partition of the same number; calls `fail` first.
struct Shout<F> {
    fail: F,
    seen: Arc<Mutex<Vec<Place>>>,
}

impl<F: FnMut(&str) -> Option<Outcome> + Send + 'static> Shout<F> {
    fn new(fail: F) -> Self {
        Self { fail, seen: Arc::default() }
    }
}

impl<F: FnMut(&str) -> Option<Outcome> + Send + 'static> Processor for Shout<F> {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let outcome = |record: &Record| {
            let word = String::from_utf8(record.value.clone().unwrap()).unwrap();
            let shout = Output::to("shouts").partition(record.place.partition).value(word.to_uppercase());
            (self.fail)(&word).unwrap_or_else(|| Outcome::produce([shout]).counting("words"))
        };
        batch.iter().map(outcome).collect()
    }

    fn assigned(&mut self, places: &[Place]) -> Result<(), Failure> {
        self.seen.lock().extend(places.iter().cloned());
        Ok(())
    }
}

fn words(count: usize) -> Vec<(i32, String)> {
    (0..count).map(|index| ((index % 2) as i32, format!("w{index}"))).collect()
}

fn quick(attempts: Option<u32>) -> Retries {
    Retries { attempts, first: Duration::from_millis(1), longest: Duration::from_millis(5) }
}

#[tokio::test]
async fn every_record_is_processed_once_in_order_and_not_again_after_a_restart() {
    let fixture = Fixture::new().await;
    fixture.say(words(60)).await;
    fixture.run(Shout::new(|_| None), Retries::default(), 60).await.unwrap();
    let evens: Vec<String> = (0..30).map(|index| format!("W{}", index * 2)).collect();
    assert_eq!(fixture.values("shouts", 0).await, evens);

    fixture.say([(0, "late".to_owned())]).await;
    fixture
        .run(Shout::new(|word| (word != "late").then(|| Outcome::dead("read again"))), Retries::default(), 61)
        .await
        .unwrap();
    assert_eq!(fixture.values("shouts", 0).await.last().unwrap(), "LATE");
    assert_eq!(fixture.read("words.dead").await, []);
    assert_eq!((fixture.handle.count("words"), fixture.handle.count("dead_letters")), (61, 0));
}

#[tokio::test]
async fn partitions_are_announced_before_their_records() {
    let fixture = Fixture::new().await;
    fixture.say(words(2)).await;
    let processor = Shout::new(|_| None);
    let seen = Arc::clone(&processor.seen);
    fixture.run(processor, Retries::default(), 2).await.unwrap();
    assert_eq!(*seen.lock(), [Place::new("words", 0), Place::new("words", 1)]);
}

#[tokio::test]
async fn what_never_works_becomes_a_dead_letter_with_a_reason() {
    let fixture = Fixture::new().await;
    fixture.say([(0, "good".to_owned()), (0, "bad".to_owned()), (0, "fine".to_owned())]).await;
    fixture
        .run(Shout::new(|word| (word == "bad").then(|| Outcome::dead("no such word"))), quick(None), 3)
        .await
        .unwrap();
    assert_eq!(fixture.values("shouts", 0).await, ["GOOD", "FINE"]);
    let letters = fixture.read("words.dead").await;
    let letter = DeadLetter::from_headers(&letters[0].header_pairs()).unwrap();
    assert_eq!((&*letter.reason, &*letter.topic, letter.offset, letter.attempts), ("no such word", "words", 1, 1));
    assert_eq!(
        (letters[0].value.as_deref(), letters[0].key_text(), letters[0].header("h")),
        (Some(&b"bad"[..]), "k".into(), Some(&b"v"[..]))
    );
    assert_eq!(topics::dead("words"), &*letters[0].place.topic);
}

#[tokio::test]
async fn a_record_that_fails_for_a_while_holds_back_its_partition_and_no_other() {
    let fixture = Fixture::new().await;
    fixture.say([(0, "a".to_owned()), (0, "weak".to_owned()), (0, "b".to_owned()), (1, "c".to_owned())]).await;
    let mut left = 3;
    let fail = move |word: &str| {
        (word == "weak" && left > 0).then(|| {
            left -= 1;
            Outcome::retry("not yet")
        })
    };
    fixture.run(Shout::new(fail), quick(None), 4).await.unwrap();
    assert_eq!(fixture.values("shouts", 0).await, ["A", "WEAK", "B"]);
    assert_eq!(fixture.values("shouts", 1).await, ["C"]);
    assert_eq!(fixture.handle.count("retries"), 3);
}

#[tokio::test]
async fn attempts_are_counted_and_then_the_record_is_given_up() {
    let fixture = Fixture::new().await;
    fixture.say([(0, "weak".to_owned()), (0, "b".to_owned())]).await;
    fixture.run(Shout::new(|word| (word == "weak").then(|| Outcome::retry("never"))), quick(Some(3)), 2).await.unwrap();
    assert_eq!(fixture.values("shouts", 0).await, ["B"]);
    let letters = fixture.read("words.dead").await;
    let letter = DeadLetter::from_headers(&letters[0].header_pairs()).unwrap();
    assert_eq!((&*letter.reason, letter.attempts), ("never", 3));
}

#[tokio::test]
async fn an_output_too_large_for_its_topic_makes_a_dead_letter_of_its_record() {
    let fixture = Fixture::new().await;
    fixture.say([(0, "big".to_owned()), (0, "b".to_owned())]).await;
    let huge =
        |word: &str| (word == "big").then(|| Outcome::produce([Output::to("shouts").value(vec![b'x'; 12 << 20])]));
    fixture.run(Shout::new(huge), quick(None), 2).await.unwrap();
    let letters = fixture.read("words.dead").await;
    let letter = DeadLetter::from_headers(&letters[0].header_pairs()).unwrap();
    assert!(letter.reason.contains("12582912 bytes") && letter.reason.contains("shouts"), "{}", letter.reason);
    assert_eq!(fixture.values("shouts", 0).await, ["B"]);
    assert_eq!(fixture.handle.count("dead_letters"), 1);
}

#[tokio::test]
async fn a_processor_that_miscounts_ends_the_loop_as_a_bug() {
    struct Short;
    impl Processor for Short {
        fn process(&mut self, _: &Batch) -> Vec<Outcome> {
            Vec::new()
        }
    }
    let fixture = Fixture::new().await;
    fixture.say(words(1)).await;
    let consumer = fixture.kafka.consumer("shout", &["words"]);
    let failure = consumer.run(Short, fixture.shutdown.clone()).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Software);
}

#[tokio::test]
async fn ready_when_assigned_and_lag_is_known() {
    let fixture = Fixture::new().await;
    fixture.say(words(10)).await;
    let shutdown = fixture.shutdown.clone();
    let consumer = fixture.kafka.consumer("shout", &["words"]);
    let running = tokio::spawn(consumer.run(Shout::new(|_| None), shutdown.clone()));
    assert!(!fixture.handle.health().is_ready());
    fixture.handle.wait_ready().await;
    fixture.handle.wait_until(|handle| handle.lag() == Some(0) && handle.count("consumed") == 10).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn waiting_for_a_broker_ends_with_the_service() {
    let shutdown = CancellationToken::new();
    let handle = Handle::new("test");
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let connecting = Kafka::connect(KafkaSettings::new(&format!("127.0.0.1:{port}")), &handle, &shutdown);
    shutdown.cancel();
    let failure = connecting.await.err().unwrap();
    assert_eq!(failure.exit(), Exit::Unavailable);
}
