//! Bad input: one clear line that says what to do, and the right exit code.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use e2e::prerequisites::Prerequisite;
use e2e::{Broker, Process, free_port, programs};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

/// Exit codes of `sysexits.h`.
const USAGE: i32 = 64;
const UNAVAILABLE: i32 = 69;
const IO: i32 = 74;

const SERVICES: [&str; 3] = ["producer-raw-recipes", "parser-recipes", "consumer-notification"];

fn program(name: &'static str, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs::program(name));
    command.env_clear().args(arguments);
    command
}

/// A service with all that it needs, but for what the arguments spoil.
fn service(name: &'static str, arguments: &[&str]) -> Command {
    let mut command = program(name, arguments);
    if name == "producer-raw-recipes" {
        command.args(["--source", env!("CARGO_MANIFEST_DIR")]);
    }
    command
}

#[track_caller]
fn assert_says(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is missing in: {line}");
    }
}

#[test]
fn an_unknown_setting_is_named_with_the_nearest_known_one() {
    let finished = Process::run(&mut program("broker", &["start", "--override", "num.partition=3"]));
    assert_says(finished.one_line(USAGE), &["num.partition", "num.partitions"]);
    for name in SERVICES.into_iter().chain(["recipe-alert"]) {
        let finished = Process::run(&mut service(name, &["--liste", "127.0.0.1:0"]));
        assert_says(finished.one_line(USAGE), &[name, "--liste", "--listen"]);
    }
    let finished = Process::run(&mut program("sample-site", &["--liste", "127.0.0.1:0"]));
    assert_eq!(finished.status.code(), Some(USAGE));
    assert_says(&finished.stderr, &["--liste", "--listen"]);
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_named() {
    for name in SERVICES {
        let mut command = service(name, &["--listen", "127.0.0.1:0"]);
        let finished = Process::run(command.env("KAFKA_SESSION_TIMEOUT", "3"));
        assert_says(finished.one_line(USAGE), &[name, "session.timeout"]);
    }
}

#[test]
fn all_wrong_settings_are_reported_at_once() {
    let arguments = ["--listen", "nowhere", "--batch-records", "0", "--topic-partitions", "many"];
    let finished = Process::run(&mut program("parser-recipes", &arguments));
    assert_eq!(finished.status.code(), Some(USAGE));
    assert_says(&finished.stderr, &["listen", "batch-records", "topic-partitions"]);
}

#[test]
fn a_port_in_use_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let finished = Process::run(&mut Broker::command(holder.local_addr().expect("bound").port(), &data, &[]));
    assert_says(finished.one_line(UNAVAILABLE), &["broker", &taken]);
    for name in SERVICES {
        let finished = Process::run(&mut service(name, &["--listen", &taken]));
        assert_says(finished.one_line(UNAVAILABLE), &[name, &taken, "--listen"]);
    }
    let finished = Process::run(&mut program("sample-site", &["--listen", &taken]));
    assert_says(finished.one_line(UNAVAILABLE), &["sample-site", &taken, "--listen"]);
    let data = data.to_str().expect("a plain name");
    let others = ["--broker-listen", "127.0.0.1:0", "--sample-site-listen", "127.0.0.1:0", "--data", data];
    let finished = Process::run(program("recipe-alert", &["--listen", &taken]).args(others));
    assert_eq!(finished.status.code(), Some(UNAVAILABLE));
    // The line before it says what was being started.
    assert_says(finished.stderr.lines().last().unwrap_or_default(), &["recipe-alert", &taken, "--listen"]);
}

#[test]
fn a_data_directory_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("a file");
    let finished = Process::run(&mut Broker::command(free_port(), &file, &[]));
    assert_says(finished.one_line(IO), &["broker", file.to_str().expect("a plain name")]);
}

#[test]
fn a_data_directory_of_a_running_broker_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path(), &[]);
    let finished = Process::run(&mut Broker::command(free_port(), folder.path(), &[]));
    assert_says(finished.one_line(IO), &["broker", folder.path().to_str().expect("a plain name")]);
    broker.stop();
}

/// Runs a broker in a mount namespace of its own, with a file system in memory as its data directory.
fn on_tmpfs(options: &str, data: &std::path::Path, port: u16) -> Command {
    let broker = Broker::command(port, data, &[]);
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o \"$0\" tmpfs \"$1\" && shift && exec \"$@\"";
    command.args(["-m", "sh", "-c", script, options]).arg(data).arg(broker.get_program()).args(broker.get_args());
    command
}

fn may_mount(test: &str) -> Option<()> {
    let tried = Command::new("unshare").args(["-m", "true"]).output();
    Prerequisite::Root.or_skip(tried.is_ok_and(|Output { status, .. }| status.success()).then_some(()), test)
}

#[test]
fn a_read_only_data_directory_is_named() {
    let Some(()) = may_mount("a_read_only_data_directory_is_named") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let finished = Process::run(&mut on_tmpfs("ro", folder.path(), free_port()));
    assert_says(finished.one_line(IO), &["broker", folder.path().to_str().expect("a plain name"), "ead-only"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_write_and_is_named() {
    let Some(()) = may_mount("a_full_disk_fails_the_write_and_is_named") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut broker = Process::start(&mut on_tmpfs("size=24m", folder.path(), port));
    broker.wait_for("broker is ready");
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("message.timeout.ms", "5000")
        .create()
        .expect("the settings are right");
    let payload = vec![b'x'; 500_000];
    let mut refused = None;
    for _ in 0..100 {
        let record = FutureRecord::<(), [u8]>::to("much").payload(&payload[..]);
        if let Err((error, _)) = producer.send(record, Duration::from_secs(30)).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("50 MB do not fit on a disk of 24 MB");
    println!("the producer was told: {refused}");
    let (code, lines) = broker.terminate();
    let named = lines.iter().filter(|line| line.contains("No space left")).count();
    assert!(named > 0, "the log does not name the full disk:\n{}", lines.join("\n"));
    println!("exit code {code:?}, {named} lines about it");
}

#[test]
fn services_wait_for_a_broker_that_is_down_and_say_so_once() {
    for name in SERVICES {
        let address = format!("127.0.0.1:{}", free_port());
        let arguments = ["--listen", "127.0.0.1:0", "--bootstrap-servers", &address, "--log-format", "text"];
        let mut running = Process::start(&mut service(name, &arguments));
        running.wait_for(&address);
        let (code, lines) = running.terminate();
        assert_eq!(code, Some(0), "{name}:\n{}", lines.join("\n"));
        // Once when it begins to wait, and once more when it was stopped before it came to an end.
        let waiting = lines.iter().filter(|line| !line.contains("stopped"));
        let said = waiting.filter(|line| line.contains(&address)).count();
        assert_eq!(said, 1, "{name} repeats itself:\n{}", lines.join("\n"));
    }
}

#[test]
fn health_checks_of_what_does_not_run_fail_with_a_line() {
    let address = format!("127.0.0.1:{}", free_port());
    let finished = Process::run(&mut program("broker", &["healthcheck", "--bootstrap-server", &address]));
    assert_says(finished.one_line(UNAVAILABLE), &[&address]);
    for service in SERVICES {
        let finished = Process::run(&mut program(service, &["healthcheck", "--listen", &address]));
        assert_says(finished.one_line(UNAVAILABLE), &[service, &address]);
    }
    let finished = Process::run(&mut program("sample-site", &["healthcheck", "--listen", &address]));
    assert_says(finished.one_line(UNAVAILABLE), &["sample-site"]);
}

#[test]
fn a_source_that_is_not_there_is_named() {
    let finished =
        Process::run(&mut program("producer-raw-recipes", &["check-sources", "--source", "/no/such/folder"]));
    assert_ne!(finished.status.code(), Some(0));
    assert_says(&format!("{}{}", finished.stdout, finished.stderr), &["/no/such/folder"]);
}
