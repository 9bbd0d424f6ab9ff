//! Several crawlers that share a web's hosts, and are killed, stopped and started again: every page once, and no host
//! asked sooner than it was promised.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Broker, Process, Web, free_port, programs, topic};
use rdkafka::message::Message;
use recipes::topics::RAW_RECIPES;
use rustix::process::{Pid, Signal, kill_process};

const HOSTS: usize = 24;
const PAGES: usize = 12;
/// What a host is promised unless the settings say otherwise.
const DELAY: Duration = Duration::from_secs(1);
/// Longest wait for all pages, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// A crawler that is silent for this long is missed by its group.
const SESSION: Duration = Duration::from_secs(6);

fn crawler(broker: &Broker, web: &Web) -> Process {
    let mut command = Command::new(programs::program("producer-raw-recipes"));
    command.env_clear().args(["--bootstrap-servers", &broker.address()]);
    command.args(["--listen", &format!("127.0.0.1:{}", free_port()), "--topic-partitions", "12"]);
    command.args(["--source", &format!("sitemap={}", web.index()), "--allow-private", "*", "--interval", "1d"]);
    // So few that most of what is known stands on crawl_urls alone.
    command.args(["--max-urls-in-memory", "20"]);
    command.args(["--kafka-session-timeout-ms", &SESSION.as_millis().to_string()]);
    command.args(["--kafka-heartbeat-interval-ms", "500", "--log-format", "text"]);
    Process::start(&mut command)
}

/// How often each page was published.
fn published(broker: &Broker) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in topic::records(&topic::reader(&broker.address()), RAW_RECIPES) {
        let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Waits until that many pages are published.
fn wait_for(broker: &Broker, pages: usize) -> BTreeMap<String, usize> {
    let reader = topic::reader(&broker.address());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = published(broker);
        if counts.len() >= pages {
            return counts;
        }
        assert!(Instant::now() < deadline, "{} of {pages} pages after {PATIENCE:?}", counts.len());
        // Reads nothing: nothing is assigned.
        let _ = reader.poll(Duration::from_millis(500));
    }
}

#[test]
fn four_crawlers_publish_every_page_once_and_are_polite_whatever_happens_to_them() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let web = runtime.block_on(Web::serve(0, HOSTS, PAGES)).expect("a port");
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let mut running: Vec<Process> = (0..4).map(|_| crawler(&broker, &web)).collect();
    let expected: BTreeSet<String> = web.published().into_iter().collect();

    wait_for(&broker, expected.len() / 8);
    drop(running.remove(0).kill());
    wait_for(&broker, expected.len() / 4);
    running.push(crawler(&broker, &web));
    // One that stands still for longer than its group waits finds its hosts gone when it goes on.
    let still = Pid::from_raw(i32::try_from(running[0].id()).expect("an id")).expect("an id");
    kill_process(still, Signal::STOP).expect("it runs");
    let missed = Instant::now() + SESSION + Duration::from_secs(3);
    wait_for(&broker, expected.len() / 2);
    while Instant::now() < missed {
        wait_for(&broker, 0);
    }
    kill_process(still, Signal::CONT).expect("it is there");
    let counts = wait_for(&broker, expected.len());
    for process in running {
        let (code, lines) = process.terminate();
        assert_eq!(code, Some(0), "{}", lines.join("\n"));
    }

    assert_eq!(counts.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let counts = published(&broker);
    let twice: Vec<_> = counts.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let seen = web.take_seen();
    assert_eq!(seen.forbidden, 0);
    assert!(seen.shortest.is_some_and(|shortest| shortest >= DELAY), "{seen:?}");
    broker.stop();
}

#[test]
fn a_second_pass_publishes_what_changed_and_little_else_is_transferred() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (hosts, pages) = (4, 100);
    let web = runtime.block_on(Web::serve(0, hosts, pages)).expect("a port");
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let pass = || {
        let mut command = Command::new(programs::program("producer-raw-recipes"));
        command.env_clear().args(["--once", "--bootstrap-servers", &broker.address()]);
        command.args(["--listen", &format!("127.0.0.1:{}", free_port()), "--allow-private", "*"]);
        command.args(["--source", &format!("sitemap={}", web.index()), "--delay", "0s"]);
        command.args(["--max-urls-in-memory", "100"]);
        let _ = Process::run_within(&mut command, PATIENCE).ok();
        web.take_seen()
    };
    let first = pass();
    let counts = published(&broker);
    let expected: BTreeSet<String> = web.published().into_iter().collect();
    assert_eq!(counts.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");

    web.change();
    let second = pass();
    let twice: BTreeSet<_> =
        published(&broker).into_iter().filter(|(_, times)| *times > 1).map(|(key, _)| key).collect();
    let changed: BTreeSet<_> = expected.into_iter().filter(|url| url.ends_with("/page/10")).collect();
    assert_eq!((twice, changed.len()), (changed, hosts));
    assert!(second.bytes * 20 < first.bytes, "{} bytes, then {}", first.bytes, second.bytes);
    broker.stop();
}
