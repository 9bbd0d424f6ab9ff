//! Apache Kafka's own tools read our files, and we read Apache Kafka's.
//!
//! These tests need Java and the reference Kafka of `../shared/tools/apache-kafka`; without them they say so and pass.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use commitlog::{
    AppendContext, Cleaner, CleanerConfig, Env, Isolation, Log, LogConfig, LogDir, OffsetQuery, OpenOptions,
    TopicPartition,
};
use common::*;
use wire::compression::Compression as Codec;

/// The script that runs Kafka, if this machine has what it takes.
fn kafka() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tools/apache-kafka/kafka");
    let java = Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success());
    if java && script.exists() {
        return Some(script);
    }
    println!("skipped: no Java, or no reference Kafka at {}", script.display());
    None
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

fn dump(kafka: &Path, files: &[PathBuf], extra: &[&str]) -> String {
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut command = Command::new(kafka);
    run(command.args(["tool", "DumpLogSegments", "--files", &list.join(",")]).args(extra))
}

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|name| name.ends_with(extension)).map(|name| folder.join(name)).collect()
}

/// A log with several segments, all codecs, producers, and transactions of both ends.
fn write_log(path: &Path) -> i64 {
    let log = open(path, &small_segments(4000));
    let mut end = 0;
    for n in 0..200_i32 {
        let codec = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd][n as usize % 5];
        let value = format!("value {n}");
        append(&log, compressed(codec, &[(NOW + i64::from(n), Some(b"k"), Some(value.as_bytes()))]));
        append(&log, idempotent(900, 1, n, false, &[&value]));
        append_transactional(&log, 901, 0, n, &[&value]);
        if n % 10 == 9 {
            let mut end_txn = marker(901, 0, n % 20 == 9, 4);
            end = log.append(&mut end_txn, &AppendContext::coordinator(3, NOW)).unwrap().last_offset + 1;
            log.advance_high_watermark(end);
        }
    }
    assert!(log.segment_count() > 3);
    log.close().unwrap();
    end
}

#[test]
fn dump_log_segments_reads_our_files_without_complaint() {
    let Some(kafka) = kafka() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden-0");
    let end = write_log(&path);
    let logs = dump(&kafka, &with_extension(&path, ".log"), &["--deep-iteration", "--print-data-log"]);
    assert!(logs.contains(&format!("baseOffset: {} lastOffset: {}", end - 1, end - 1)), "{logs}");
    assert_eq!(logs.matches("payload: value 199").count(), 3);
    assert_eq!(logs.matches("endTxnMarker: ABORT").count() + logs.matches("endTxnMarker: COMMIT").count(), 20);
    for complaint in ["isvalid: false", "mismatch", "Exception", "Found invalid", "out of order"] {
        assert!(!logs.contains(complaint), "{complaint}: {logs}");
    }
    let mut indexes = with_extension(&path, ".index");
    indexes.extend(with_extension(&path, ".timeindex"));
    let checked = dump(&kafka, &indexes, &["--index-sanity-check"]);
    assert_eq!(checked.matches("passed sanity check").count(), indexes.len(), "{checked}");
    for extra in [&["--verify-index-only"][..], &["--deep-iteration"][..]] {
        let verified = dump(&kafka, &indexes, extra);
        for complaint in ["mismatch", "Mismatch", "Exception", "Found", "not found"] {
            assert!(!verified.contains(complaint), "{complaint}: {verified}");
        }
    }
    let txns = dump(&kafka, &with_extension(&path, ".txnindex"), &[]);
    assert_eq!(txns.matches("producerId: 901").count(), 10, "{txns}");
    let snapshot = format!("{end:020}.snapshot");
    let snapshot = dump(&kafka, &[path.join(snapshot)], &[]);
    assert!(
        snapshot.contains("producerId: 900 producerEpoch: 1") && snapshot.contains("producerId: 901"),
        "{snapshot}"
    );
    assert!(snapshot.contains("lastSequence: 199"), "{snapshot}");
}

#[test]
fn dump_log_segments_reads_compacted_logs() {
    let Some(kafka) = kafka() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compacted-0");
    let log = open(&path, &LogConfig { compact: true, ..small_segments(2000) });
    for n in 0..120_i32 {
        let codec = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd][n as usize % 5];
        let (key, value) = (format!("key {}", n % 9), format!("value {n}"));
        let value = (n % 7 != 0).then_some(value.as_bytes());
        append(&log, compressed(codec, &[(NOW, Some(key.as_bytes()), value), (NOW, Some(b"often"), Some(b"v"))]));
        append_transactional(&log, 5, 0, n, &["transactional"]);
        append_marker(&log, 5, 0, n % 2 == 0);
    }
    log.roll(NOW).unwrap();
    // Merge what the first round has made small; tombstones get their horizon in the first and go in the last.
    for now in [NOW, NOW + 1, NOW + 90_000_000] {
        let cleanable = log.cleanable(None, now).unwrap();
        Cleaner::new(CleanerConfig::default()).clean(&log, &cleanable, now).unwrap();
    }
    log.close().unwrap();
    let logs = dump(&kafka, &with_extension(&path, ".log"), &["--deep-iteration", "--print-data-log"]);
    assert_eq!(logs.matches("key: often").count(), 1, "{logs}");
    assert_eq!(logs.matches("payload: transactional").count(), 1, "the last one that was committed");
    assert!(logs.contains("payload: value 118"));
    let mut indexes = with_extension(&path, ".index");
    indexes.extend(with_extension(&path, ".timeindex"));
    let checked = dump(&kafka, &indexes, &["--index-sanity-check"]);
    let passed = checked.matches("passed sanity check").count() + checked.matches(" is empty.").count();
    assert_eq!(passed, indexes.len(), "{checked}");
    let verified = dump(&kafka, &indexes, &["--verify-index-only"]);
    for complaint in ["isvalid: false", "mismatch", "Mismatch", "Exception", "Found", "not found", "out of order"] {
        assert!(!logs.contains(complaint) && !verified.contains(complaint), "{complaint}: {logs} {verified}");
    }
}

struct Running {
    kafka: PathBuf,
    data: PathBuf,
}

impl Running {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.kafka);
        command.env("KAFKA_DATA", &self.data).env("KAFKA_HEAP_OPTS", "-Xms256m -Xmx256m");
        command
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.command().arg("stop").output();
    }
}

/// A free port below those that the system hands out, so that the next one is free, too.
fn free_port() -> u16 {
    (19_292..19_892)
        .step_by(7)
        .find(|port| [*port, port + 101].iter().all(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()))
        .unwrap()
}

#[test]
fn a_directory_goes_from_apache_kafka_to_us_and_back() {
    let Some(kafka) = kafka() else { return };
    let folder = tempfile::tempdir().unwrap();
    let running = Running { kafka, data: folder.path().join("data") };
    let port = free_port();
    let properties = "log.segment.bytes=1048576\nlog.index.interval.bytes=100\nnum.partitions=1";
    // A daemon that keeps our pipes open would keep us waiting for their end.
    let started = running
        .command()
        .args(["start", "1", &port.to_string()])
        .env("KAFKA_PROPS", properties)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(started.success());
    let server = format!("127.0.0.1:{port}");
    let tool = |args: &[&str]| run(running.command().arg("tool").args(args).args(["--bootstrap-server", &server]));
    tool(&["TopicCommand", "--create", "--topic", "made-by-kafka", "--partitions", "1"]);
    let perf = run(running.command().args(["tool", "ProducerPerformance"]).args([
        "--topic",
        "made-by-kafka",
        "--num-records",
        "3000",
        "--record-size",
        "1000",
        "--throughput",
        "-1",
        "--producer-props",
        &format!("bootstrap.servers={server}"),
        "linger.ms=5",
        "compression.type=lz4",
    ]));
    assert!(perf.contains("3000 records sent"), "{perf}");
    run(running.command().arg("stop"));

    let dir = LogDir::open(&Env::new(100), folder.path().join("data/node1")).unwrap();
    assert!(dir.was_stopped_cleanly());
    let partitions = dir.scan().unwrap().logs;
    let config = std::sync::Arc::new(LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
    let logs = dir.open_logs(&partitions, 2, NOW, |_| std::sync::Arc::clone(&config));
    let logs: Vec<_> = logs.into_iter().map(Result::unwrap).collect();
    let log = logs.iter().find(|log| log.name() == "made-by-kafka-0").unwrap();
    let offsets = log.offsets();
    assert_eq!((offsets.log_start, offsets.last_stable, offsets.log_end), (0, 3000, 3000));
    assert_eq!(values_from(log, 0).len(), 3000);
    assert_eq!(values_from(log, 2345).first().unwrap().0, 2345);
    assert!(log.topic_id().unwrap().is_some());
    assert_eq!(log.latest_epoch().unwrap(), Some(0));
    assert_eq!(log.producers().len(), 1);
    let max = log.find(OffsetQuery::MaxTimestamp).unwrap().unwrap();
    assert_eq!(log.find(OffsetQuery::Timestamp(max.timestamp)).unwrap(), Some(max));
    assert!(log.segment_count() > 1);

    let path = dir.folder_of(&TopicPartition::new("made-by-kafka", 0));
    recovery_agrees_with_kafka(&path, &config, offsets.log_end);
    append_and_close(&dir, &logs);
    drop((logs, dir));
    kafka_goes_on(&running, &server);
}

/// What a recovery rebuilds from the records alone is what Kafka had written.
fn recovery_agrees_with_kafka(path: &Path, config: &LogConfig, log_end: i64) {
    let indexes =
        || -> Vec<_> { with_extension(path, "index").into_iter().map(|file| std::fs::read(file).unwrap()).collect() };
    let before = indexes();
    let recovered = open_with(&Env::new(100), path, config, &OpenOptions::new(NOW));
    assert_eq!(recovered.offsets().log_end, log_end);
    assert_eq!(indexes(), before);
    let last = recovered.read(log_end - 1, 1 << 20, Isolation::LastStable, true).unwrap();
    assert_eq!(records_of(&last).last().unwrap().0, log_end - 1);
}

/// Adds fifty records to Kafka's log, a producer, and an open and an aborted transaction, and stops cleanly.
fn append_and_close(dir: &LogDir, logs: &[Log]) {
    let log = logs.iter().find(|log| log.name() == "made-by-kafka-0").unwrap();
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        for n in 0..10 {
            append(log, compressed(codec, &[(NOW, None, Some(format!("ours {n}").as_bytes()))]));
        }
    }
    append(log, idempotent(5000, 0, 0, false, &["ours of a producer"]));
    append_transactional(log, 5001, 0, 0, &["ours, aborted"]);
    append_marker(log, 5001, 0, false);
    logs.iter().for_each(|log| log.close().unwrap());
    dir.write_checkpoints(logs.iter().filter(|log| !log.name().starts_with("__cluster_metadata"))).unwrap();
    dir.mark_clean_shutdown(1).unwrap();
}

/// Apache Kafka starts on the directory and serves what we have added.
fn kafka_goes_on(running: &Running, server: &str) {
    let properties = running.data.join("node1.properties");
    let mut broker = running
        .command()
        .args(["java", "kafka.Kafka"])
        .arg(properties)
        .stdout(std::fs::File::create(running.data.join("restarted.log")).unwrap())
        .stderr(std::process::Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let group = rustix::process::Pid::from_child(&broker);
    // The tools wait until the broker answers.
    let offsets = running
        .command()
        .args(["tool", "GetOffsetShell", "--bootstrap-server", server, "--topic", "made-by-kafka"])
        .output();
    let consumed = running
        .command()
        .args(["tool", "ConsoleConsumer", "--bootstrap-server", server, "--topic", "made-by-kafka"])
        .args(["--from-beginning", "--max-messages", "3051", "--timeout-ms", "60000"])
        .args(["--command-property", "isolation.level=read_committed"])
        .output();
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    broker.wait().unwrap();
    let log = std::fs::read_to_string(running.data.join("restarted.log")).unwrap();
    let offsets = String::from_utf8(offsets.unwrap().stdout).unwrap();
    assert_eq!(offsets.trim(), "made-by-kafka:0:3053", "{log}");
    let consumed = consumed.unwrap();
    let text = String::from_utf8_lossy(&consumed.stdout);
    assert_eq!(text.lines().filter(|line| line.starts_with("ours ")).count(), 51, "{consumed:?} {log}");
    assert!(!text.contains("aborted"));
    assert!(!log.contains("Corrupt") && !log.contains("ecovering unflushed"), "{log}");
}
