//! Exactly one alert a crossing, and statistics that count everything once, with several notifiers that are killed and
//! started again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Broker, Process, free_port, programs, topic};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use recipes::topics::{ALERT_STATE, PARSED_RECIPES, RECIPE_ALERTS, RECIPE_STATS};
use recipes::{Alert, ParsedRecipe, Per, SiteStats};

/// Longest wait for the group to be through, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
const GROUP: &str = "consumer-notification";
const RECIPES: usize = 300;
/// kcal of every recipe in each round: two crossings of 200.
const ROUNDS: [f64; 6] = [150.0, 250.0, 260.0, 100.0, 300.0, 310.0];
const CROSSINGS: usize = 2;

fn notifier(broker: &Broker, port: u16, rules: Option<&Path>) -> Process {
    let mut command = Command::new(programs::program("consumer-notification"));
    command.env_clear().args(["--bootstrap-servers", &broker.address()]);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--topic-partitions", "8", "--log-channel=false"]);
    // A member that was killed is missed soon.
    command.args(["--kafka-session-timeout-ms", "6000", "--kafka-heartbeat-interval-ms", "500"]);
    // Small transactions: a kill is likely to hit one.
    command.args(["--batch-records", "20"]);
    if let Some(rules) = rules {
        command.arg("--rules").arg(rules);
    }
    Process::start(&mut command)
}

fn client(broker: &Broker) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", GROUP).set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.create().expect("the settings are right")
}

fn producer(broker: &Broker) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("partitioner", "murmur2_random");
    config.set("enable.idempotence", "true").create().expect("a producer")
}

fn send(producer: &BaseProducer, site: &str, calories: f64, recipes: std::ops::Range<usize>) {
    for index in recipes {
        let (url, title) = (format!("https://{site}/{index}"), format!("Pie {index}"));
        let (site, calories) = (site.to_owned(), Some(calories));
        let recipe = ParsedRecipe { title, url: url.clone(), site, calories, ..ParsedRecipe::default() };
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
    let mut running: Vec<Process> = ports.iter().map(|port| notifier(&broker, *port, None)).collect();
    running[0].wait_for("assignment changed");
    let producer = producer(&broker);

    for (round, calories) in ROUNDS.into_iter().enumerate() {
        let victim = round % instances;
        send(&producer, "a.example", calories, 0..RECIPES / 2);
        drop(running.remove(victim).kill());
        send(&producer, "a.example", calories, RECIPES / 2..RECIPES);
        running.insert(victim, notifier(&broker, ports[victim], None));
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

/// Recipes and alerts of each site, over all hours.
fn totals(consumer: &BaseConsumer) -> BTreeMap<String, (u64, u64)> {
    let mut hours = BTreeMap::new();
    for record in topic::records(consumer, RECIPE_STATS) {
        let stats = SiteStats::from_json(record.payload().unwrap_or_default()).expect("statistics");
        hours.insert(stats.key(), stats);
    }
    let mut totals: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for stats in hours.into_values() {
        let total = totals.entry(stats.site).or_default();
        *total = (total.0 + stats.recipes, total.1 + stats.alerts);
    }
    totals
}

#[test]
fn statistics_count_everything_once_and_a_noisy_site_is_one_alert_whatever_is_killed() {
    let data = tempfile::tempdir().expect("a folder");
    let rules = data.path().join("rules.toml");
    let text = "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n\
                [[rule]]\nname = \"noisy-source\"\nper = \"site\"\nwhen = \"stats.alerts_last_hour > 20\"\n\
                clear = \"stats.alerts_last_hour < 5\"\n";
    std::fs::write(&rules, text).expect("written");
    let broker = Broker::start(&data.path().join("data"), &[]);
    let ports = [free_port(), free_port()];
    let mut running: Vec<Process> = ports.iter().map(|port| notifier(&broker, *port, Some(&rules))).collect();
    running[0].wait_for("assignment changed");
    let producer = producer(&broker);
    let quiet = 10;
    for round in 0..4 {
        let part = RECIPES / 4;
        send(&producer, "loud.example", 310.0, round * part..(round + 1) * part);
        send(&producer, "quiet.example", if round == 0 { 310.0 } else { 150.0 }, 0..quiet);
        let victim = round % 2;
        drop(running.remove(victim).kill());
        running.insert(victim, notifier(&broker, ports[victim], Some(&rules)));
    }
    let consumer = client(&broker);
    let (recipes, quiet) = (RECIPES as u64, quiet as u64);
    let expected = BTreeMap::from([
        ("loud.example".to_owned(), (recipes, recipes)),
        ("quiet.example".to_owned(), (4 * quiet, quiet)),
    ]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counted = totals(&consumer);
        if counted == expected {
            break;
        }
        assert!(Instant::now() < deadline, "counted {counted:?}");
    }
    for process in running {
        let (code, lines) = process.terminate();
        assert_eq!(code, Some(0), "{}", lines.join("\n"));
    }
    assert_eq!(totals(&consumer), expected, "nothing was counted twice afterwards");
    let alerts = topic::records(&consumer, RECIPE_ALERTS);
    let alerts = alerts.iter().map(|record| Alert::from_json(record.payload().unwrap_or_default()).expect("an alert"));
    let of_sites: Vec<Alert> = alerts.filter(|alert| alert.per == Per::Site).collect();
    assert_eq!(of_sites.iter().map(|alert| &*alert.site).collect::<Vec<_>>(), ["loud.example"], "{of_sites:?}");
    assert!(of_sites[0].message.starts_with("Alert: loud.example: noisy-source (21 alerts"), "{of_sites:?}");
    broker.stop();
}
