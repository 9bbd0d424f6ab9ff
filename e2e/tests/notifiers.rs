//! Exactly one alert a crossing, with several notifiers that are killed and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Broker, Process, free_port, programs, topic};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use recipes::topics::{ALERT_STATE, PARSED_RECIPES, RECIPE_ALERTS};
use recipes::{Alert, ParsedRecipe};

/// Longest wait for the group to be through, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
const GROUP: &str = "consumer-notification";
const RECIPES: usize = 300;
/// kcal of every recipe in each round: two crossings of 200.
const ROUNDS: [f64; 6] = [150.0, 250.0, 260.0, 100.0, 300.0, 310.0];
const CROSSINGS: usize = 2;

fn notifier(broker: &Broker, port: u16) -> Process {
    let mut command = Command::new(programs::program("consumer-notification"));
    command.env_clear().args(["--bootstrap-servers", &broker.address()]);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--topic-partitions", "8", "--log-channel=false"]);
    // A member that was killed is missed soon.
    command.args(["--kafka-session-timeout-ms", "6000", "--kafka-heartbeat-interval-ms", "500"]);
    // Small transactions: a kill is likely to hit one.
    command.args(["--batch-records", "20"]);
    Process::start(&mut command)
}

fn client(broker: &Broker) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", GROUP).set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.create().expect("the settings are right")
}

fn send_round(producer: &BaseProducer, calories: f64, recipes: std::ops::Range<usize>) {
    for index in recipes {
        let url = format!("https://a.example/{index}");
        let title = format!("Pie {index}");
        let recipe = ParsedRecipe { title, url: url.clone(), calories: Some(calories), ..ParsedRecipe::default() };
        let value = recipe.to_json().expect("a recipe");
        producer
            .send(BaseRecord::to(PARSED_RECIPES).key(&url).payload(&value))
            .map_err(|(error, _)| error)
            .expect("sent");
    }
    producer.flush(PATIENCE).expect("acknowledged");
}

/// Waits until the group has committed the end of every partition.
fn wait_until_through(consumer: &BaseConsumer) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = topic::partitions(consumer, PARSED_RECIPES);
        let committed = consumer.committed_offsets(list, PATIENCE).expect("the broker answers");
        let left: i64 = committed
            .elements()
            .iter()
            .map(|element| {
                let ends = consumer.fetch_watermarks(PARSED_RECIPES, element.partition(), PATIENCE);
                ends.expect("the broker answers").1 - element.offset().to_raw().unwrap_or(0).max(0)
            })
            .sum();
        if left == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{left} recipes are still to be read");
        // Reads nothing: nothing is assigned.
        let _ = consumer.poll(Duration::from_millis(100));
    }
}

fn one_alert_a_crossing(instances: usize) {
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let ports: Vec<u16> = (0..instances).map(|_| free_port()).collect();
    let mut running: Vec<Process> = ports.iter().map(|port| notifier(&broker, *port)).collect();
    running[0].wait_for("assignment changed");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("partitioner", "murmur2_random");
    let producer: BaseProducer = config.set("enable.idempotence", "true").create().expect("a producer");

    for (round, calories) in ROUNDS.into_iter().enumerate() {
        let victim = round % instances;
        send_round(&producer, calories, 0..RECIPES / 2);
        drop(running.remove(victim).kill());
        send_round(&producer, calories, RECIPES / 2..RECIPES);
        running.insert(victim, notifier(&broker, ports[victim]));
    }
    // The last to go stays away: the others do its work.
    drop(running.remove(0).kill());
    let consumer = client(&broker);
    wait_until_through(&consumer);

    let mut alerts: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
    for record in topic::records(&consumer, RECIPE_ALERTS) {
        let alert = Alert::from_json(record.payload().unwrap_or_default()).expect("an alert");
        alerts.entry(alert.url.clone()).or_default().push(alert);
    }
    let wrong: Vec<_> = alerts.iter().filter(|(_, alerts)| alerts.len() != CROSSINGS).collect();
    assert!(wrong.is_empty(), "{} of {RECIPES} recipes: {:?}", wrong.len(), wrong.first());
    assert_eq!(alerts.len(), RECIPES);
    let ids: BTreeSet<_> = alerts.values().flatten().map(|alert| alert.alert_id).collect();
    assert_eq!(ids.len(), RECIPES * CROSSINGS);
    assert!(!topic::records(&consumer, ALERT_STATE).is_empty());
    for process in running {
        let (code, lines) = process.terminate();
        assert_eq!(code, Some(0), "{}", lines.join("\n"));
    }
    broker.stop();
}

#[test]
fn two_notifiers_raise_one_alert_a_crossing_whatever_is_killed() {
    one_alert_a_crossing(2);
}

#[test]
fn four_notifiers_raise_one_alert_a_crossing_whatever_is_killed() {
    one_alert_a_crossing(4);
}
