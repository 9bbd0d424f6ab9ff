//! The whole pipeline in one process: every page is accounted for, and `kill -9` neither loses nor repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, free_port, prerequisites, programs, topic};
use rdkafka::Offset;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use recipes::SourceReport;
use recipes::topics::{CRAWL_SOURCES, PARSED_RECIPES, RAW_RECIPES, RECIPE_ALERTS, dead};
use sample_site::{Catalog, Outcome};

/// Longest run to the end of all sources, on a busy machine and not optimised.
const PATIENCE: Duration = Duration::from_secs(300);

/// The pipeline on ports of its own; `site` is the sample site's, since a recipe is known by its address.
fn pipeline(data: &Path, site: u16) -> Command {
    let mut command = Command::new(programs::program("recipe-alert"));
    command.env_clear().current_dir(data.parent().expect("in a folder")).arg("--data").arg(data);
    command.args(["--broker-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    command.args(["--sample-site-listen", &format!("127.0.0.1:{site}")]);
    command
}

/// The numbers of the summary's line by the word after each: `57 pages, 41 recipes: 23 alerts, …`.
fn summary(stdout: &str) -> BTreeMap<String, u64> {
    let line = stdout.lines().last().unwrap_or_default();
    let words: Vec<&str> = line.split([' ', ',', ':', ';']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter_map(|pair| Some((pair[1].to_owned(), pair[0].parse().ok()?)));
    let mut numbers = BTreeMap::new();
    for (word, number) in pairs {
        // Of a word that comes twice, the first counts: `49 pages, …; 2 pages not fetched`.
        numbers.entry(word).or_insert(number);
    }
    assert!(numbers.contains_key("pages"), "no summary in {stdout:?}");
    numbers
}

/// A record with what tests ask of it.
struct Found {
    partition: i32,
    offset: i64,
    key: String,
    headers: BTreeMap<String, String>,
}

/// All records of a topic; none where there is no such topic.
fn records(broker: &Broker, topic: &str) -> Vec<Found> {
    let found = |record: OwnedMessage| Found {
        partition: record.partition(),
        offset: record.offset(),
        key: text(record.key()),
        headers: (record.headers().into_iter().flat_map(Headers::iter))
            .map(|one| (one.key.to_owned(), text(one.value)))
            .collect(),
    };
    topic::records(&topic::reader(&broker.address()), topic).into_iter().map(found).collect()
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// The offsets a group has committed on a topic, by partition.
fn committed(broker: &Broker, group: &str, topic: &str) -> BTreeMap<i32, i64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", group);
    let consumer: BaseConsumer = config.create().expect("the settings are right");
    let asked = topic::partitions(&consumer, topic);
    let answer = consumer.committed_offsets(asked, PATIENCE).expect("the broker answers");
    let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    answer.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect()
}

#[test]
fn once_accounts_for_every_page_of_the_sample_site() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = pipeline(&folder.path().join("data"), free_port());
    let stdout = Process::run_within(command.arg("--once"), PATIENCE).ok();
    let numbers = summary(&stdout);

    let catalog = Catalog::embedded().expect("the content is in order");
    let expected = |outcome| catalog.expected().filter(|(_, page)| *page == outcome).count() as u64;
    let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
    assert_eq!(number("pages"), catalog.expected().count() as u64, "{stdout}");
    assert_eq!(number("alerts"), expected(Outcome::Alert), "{stdout}");
    assert_eq!(number("below"), expected(Outcome::Below), "{stdout}");
    assert_eq!(number("without"), expected(Outcome::NoCalories), "{stdout}");
    assert_eq!(number("dead"), expected(Outcome::DeadLetter), "{stdout}");

    let said: BTreeSet<(&str, u32)> = stdout.lines().filter_map(alert).collect();
    let loud = catalog.recipes.iter().filter(|recipe| recipe.outcome == Outcome::Alert);
    let loud: BTreeSet<(&str, u32)> = loud.map(|recipe| (&*recipe.title, recipe.kcal.unwrap_or_default())).collect();
    assert_eq!(said, loud);

    // How the sources did is told for the live page, wherever it runs.
    let broker = Broker::start(&folder.path().join("data"), &[]);
    let mut published = BTreeMap::new();
    for record in topic::records(&topic::reader(&broker.address()), CRAWL_SOURCES) {
        let report = SourceReport::from_json(record.payload().unwrap_or_default()).expect("a report");
        assert!(report.reported_at.is_some());
        published.insert(report.key(), (report.published, report.last_success.is_some()));
    }
    assert!(!published.is_empty() && published.values().all(|(_, read)| *read), "{published:?}");
    assert_eq!(published.values().map(|(pages, _)| pages).sum::<u64>(), number("pages"), "{published:?}");
    broker.stop();
}

/// Title and kcal of an alert's line. A page that gives kilojoules makes a broken number, which the catalogue rounds.
fn alert(line: &str) -> Option<(&str, u32)> {
    let (title, calories) = line.strip_prefix("Alert: ")?.split_once(" calories count is ")?;
    let calories: f64 = calories.parse().unwrap_or_else(|_| panic!("no number in {line:?}"));
    Some((title, calories.round() as u32))
}

#[test]
fn every_real_page_ends_as_a_recipe_or_as_a_dead_letter_with_a_reason() {
    let test = "every_real_page_ends_as_a_recipe_or_as_a_dead_letter_with_a_reason";
    let folder = tempfile::tempdir().expect("a folder");
    let (pages, data) = (folder.path().join("pages"), folder.path().join("data"));
    fs::create_dir(&pages).expect("a folder");
    let Some(count) = prerequisites::recipe_pages(&pages, test) else { return };
    let mut command = pipeline(&data, free_port());
    let stdout = Process::run_within(command.args(["--once", "--source"]).arg(&pages), PATIENCE).ok();
    assert_eq!(summary(&stdout)["pages"], count as u64, "{stdout}");

    let broker = Broker::start(&data, &[]);
    let raw = places(&records(&broker, RAW_RECIPES));
    let parsed = records(&broker, PARSED_RECIPES);
    let dead = records(&broker, &dead(RAW_RECIPES));
    assert_eq!(raw.len(), count);
    assert_eq!(parsed.len() + dead.len(), count, "{} parsed, {} dead", parsed.len(), dead.len());
    for letter in &dead {
        let reason = letter.headers.get("dead.reason").map(String::as_str).unwrap_or_default();
        assert!(!reason.is_empty(), "{} is a dead letter without a reason", letter.key);
    }
    let ended: BTreeSet<&str> = parsed.iter().chain(&dead).map(|record| record.key.as_str()).collect();
    let unseen: Vec<_> = raw.values().filter(|key| !ended.contains(key.as_str())).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
    println!("{count} pages: {} recipes, {} dead letters", parsed.len(), dead.len());
    broker.stop();
}

fn places(records: &[Found]) -> BTreeMap<(i32, i64), String> {
    records.iter().map(|record| ((record.partition, record.offset), record.key.clone())).collect()
}

#[test]
fn a_file_that_is_no_page_ends_as_a_dead_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pages, data) = (folder.path().join("pages"), folder.path().join("data"));
    fs::create_dir(&pages).expect("a folder");
    fs::write(pages.join("noise.html"), (0..=255_u8).cycle().take(10_000).collect::<Vec<u8>>()).expect("a file");
    fs::write(pages.join("empty.html"), "").expect("a file");
    let mut command = pipeline(&data, free_port());
    let stdout = Process::run_within(command.args(["--once", "--source"]).arg(&pages), PATIENCE).ok();
    let numbers = summary(&stdout);
    assert_eq!((numbers["pages"], numbers["dead"], numbers["alerts"]), (2, 2, 0), "{stdout}");
}

/// Alert records by recipe.
fn alerts(broker: &Broker) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for alert in records(broker, RECIPE_ALERTS) {
        *counts.entry(alert.key).or_default() += 1;
    }
    counts
}

#[test]
fn kills_lose_no_alert_and_repeat_none_that_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let site = free_port();
    let catalog = Catalog::embedded().expect("the content is in order");
    // A page that changes may cross the threshold again after a restart of the site, and rightly so.
    let steady = catalog.recipes.iter().filter(|recipe| recipe.later.is_none() && recipe.outcome == Outcome::Alert);
    let steady: BTreeSet<String> =
        steady.map(|recipe| format!("http://127.0.0.1:{site}{}", sample_site::catalog::path(&recipe.slug))).collect();

    let mut settled: BTreeMap<String, usize> = BTreeMap::new();
    for printed in [1, 5, 12] {
        let mut running = Process::start(&mut pipeline(&data, site));
        // No more will come than are still to be raised.
        for _ in 0..printed.min(steady.len() - settled.len()) {
            running.wait_for("Alert: ");
        }
        running.kill();
        settled = settle(&data, &settled, &steady);
    }
    let mut command = pipeline(&data, site);
    let _ = Process::run_within(command.arg("--once"), PATIENCE).ok();
    settled = settle(&data, &settled, &steady);
    let lost: Vec<_> = steady.iter().filter(|url| !settled.contains_key(*url)).collect();
    assert!(lost.is_empty(), "never alerted: {lost:?}");
}

/// Starts the broker alone on what a kill left behind. Recipes that were behind the notifier's commit before must not
/// have more alerts now; gives the alerts of those of `steady` that are behind it now.
fn settle(data: &Path, before: &BTreeMap<String, usize>, steady: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let broker = Broker::start(data, &[]);
    let counts = alerts(&broker);
    for (url, count) in before {
        assert_eq!(counts.get(url), Some(count), "{url} was alerted, and then again");
    }
    let commits = committed(&broker, "consumer-notification", PARSED_RECIPES);
    let parsed = records(&broker, PARSED_RECIPES);
    let behind = parsed.iter().filter(|record| record.offset < commits.get(&record.partition).copied().unwrap_or(0));
    let behind: BTreeSet<&str> = behind.map(|record| record.key.as_str()).collect();
    broker.stop();
    counts.into_iter().filter(|(url, _)| behind.contains(url.as_str()) && steady.contains(url)).collect()
}
