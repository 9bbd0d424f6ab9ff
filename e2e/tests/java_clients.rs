//! Apache Kafka's Java clients: its test tools, Connect, Streams, and programs of our own that run from their source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, free_port, prerequisites, programs};
use tempfile::TempDir;

/// A tool starts a Java machine and may first wait for another one to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// A broker, and Java programs that use it.
struct Java {
    launcher: PathBuf,
    folder: TempDir,
    broker: Broker,
}

impl Java {
    fn new(test: &str) -> Option<Self> {
        let launcher = prerequisites::apache_kafka(test)?;
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(&folder.path().join("data"), &["num.partitions=2"]);
        Some(Self { launcher, folder, broker })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a folder of ours can be written");
        path
    }

    fn command(&self, kind: &str, class: &str) -> Command {
        let mut command = Command::new(&self.launcher);
        command.args([kind, class]);
        command
    }

    /// Runs a command-line tool with the broker's address.
    #[track_caller]
    fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let mut command = self.command("tool", class);
        command.args(["--bootstrap-server", &self.broker.address()]).args(arguments);
        Process::run_within(&mut command, PATIENCE).ok()
    }

    /// Runs `clients/java/NAME.java` with the broker's address.
    #[track_caller]
    fn source(&self, name: &str, arguments: &[&str]) -> String {
        let source = programs::root().join("e2e/clients/java").join(name).with_extension("java");
        let mut command = self.command("java", &format!("-Djava.io.tmpdir={}", self.path().display()));
        Process::run_within(command.arg(source).arg(self.broker.address()).args(arguments), PATIENCE).ok()
    }
}

#[test]
fn verifiable_and_measuring_tools_get_what_they_sent() {
    let Some(java) = Java::new("verifiable_and_measuring_tools_get_what_they_sent") else { return };
    let sent = java.tool("VerifiableProducer", &["--topic", "numbers", "--max-messages", "500"]);
    assert!(sent.contains(r#""sent":500,"acked":500"#), "{sent}");
    let arguments = ["--topic", "numbers", "--group-id", "readers", "--max-messages", "500"];
    let read = java.tool("VerifiableConsumer", &[&arguments[..], &["--reset-policy", "earliest"]].concat());
    let acked: BTreeSet<&str> = sent.lines().filter_map(|line| value(line)).collect();
    assert_eq!(acked.len(), 500);
    let counts = read.lines().filter(|line| line.contains("records_consumed")).filter_map(count);
    assert_eq!(counts.sum::<u32>(), 500, "{read}");

    let arguments = ["--topic", "load", "--num-records", "20000", "--record-size", "100", "--throughput", "-1"];
    let sent = java.tool("ProducerPerformance", &arguments);
    assert!(sent.contains("20000 records sent"), "{sent}");
    let arguments = ["--topic", "load", "--num-records", "20000", "--hide-header"];
    let read = java.tool("ConsumerPerformance", &arguments);
    let nr_of_records = read.lines().last().and_then(|line| line.split(", ").nth(4));
    assert_eq!(nr_of_records, Some("20000"), "{read}");
    let arguments = ["--topic", "latency", "--num-records", "200", "--producer-acks", "all", "--record-size", "100"];
    let latency = java.tool("EndToEndLatency", &arguments);
    assert!(latency.contains("Percentiles: 50th"), "{latency}");
    java.broker.stop();
}

/// The value of a line of `VerifiableProducer` about a record that was taken.
fn value(line: &str) -> Option<&str> {
    let line = line.contains("producer_send_success").then_some(line)?;
    line.split_once(r#""value":""#)?.1.split('"').next()
}

/// `"count":N` of the line of a batch that was read.
fn count(line: &str) -> Option<u32> {
    let digits = line.split_once(r#""count":"#)?.1;
    digits.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn connect_copies_a_file_through_a_topic_into_a_file() {
    let Some(java) = Java::new("connect_copies_a_file_through_a_topic_into_a_file") else { return };
    let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
    let input = java.file("input", &lines);
    // A pipe, so that the end of the copy need not be polled for.
    let output = java.path().join("output");
    let made = Command::new("mkfifo").arg(&output).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe");
    let address = java.broker.address();
    let worker = java.file(
        "worker.properties",
        &format!(
            "bootstrap.servers={address}\nlisteners=http://127.0.0.1:{}\noffset.storage.file.filename={}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\noffset.flush.interval.ms=1000\n",
            free_port(),
            java.path().join("offsets").display()
        ),
    );
    let connector = |name: &str, class: &str, rest: String| {
        let text = format!("name={name}\nconnector.class=org.apache.kafka.connect.file.{class}\ntasks.max=1\n{rest}\n");
        java.file(name, &text)
    };
    let source = connector("source", "FileStreamSourceConnector", format!("topic=lines\nfile={}", input.display()));
    let sink = connector("sink", "FileStreamSinkConnector", format!("topics=lines\nfile={}", output.display()));
    let mut copy = Process::start(Command::new("head").args(["-n", "100"]).arg(&output));
    let mut command = java.command("tool", "ConnectStandalone");
    let connect = Machine::start(command.args([worker, source, sink]));
    copy.wait_for("line 99");
    let copied: Vec<String> = copy.lines_so_far().to_vec();
    assert_eq!(copied, lines.lines().collect::<Vec<_>>());
    let said = connect.end();
    assert!(!said.iter().any(|line| line.contains("ERROR")), "{}", said.join("\n"));
    java.broker.stop();
}

/// A Java machine that a launcher has started, which alone would leave it behind.
struct Machine(Option<Process>);

impl Machine {
    fn start(command: &mut Command) -> Self {
        Self(Some(Process::start(command)))
    }

    /// Ends it, and gives what it said.
    fn end(mut self) -> Vec<String> {
        self.tell();
        self.0.take().map_or_else(Vec::new, |launcher| launcher.wait().1)
    }

    fn tell(&self) {
        let parent = self.0.as_ref().map(|launcher| launcher.id().to_string());
        let told = parent.map(|parent| Command::new("pkill").args(["-TERM", "-P", &parent]).status());
        assert!(told.is_none_or(|told| told.is_ok_and(|status| status.success())), "the Java machine cannot be ended");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
    }
}

#[test]
fn the_word_count_demo_counts_words() {
    let Some(java) = Java::new("the_word_count_demo_counts_words") else { return };
    for topic in ["streams-plaintext-input", "streams-wordcount-output"] {
        java.tool("TopicCommand", &["--create", "--topic", topic]);
    }
    let state = java.path().join("state");
    let address = java.broker.address();
    let settings =
        java.file("streams.properties", &format!("bootstrap.servers={address}\nstate.dir={}\n", state.display()));
    let mut command = java.command("java", "org.apache.kafka.streams.examples.wordcount.WordCountDemo");
    let demo = Machine::start(command.arg(settings));
    let words = java.file("words", "all streams lead to kafka\nhello kafka streams\njoin kafka summit\n");
    let mut produce = java.command("tool", "ConsoleProducer");
    produce.args(["--bootstrap-server", &address, "--topic", "streams-plaintext-input"]);
    let produced = produce.stdin(fs::File::open(words).expect("a file of ours")).output().expect("the tool runs");
    assert!(produced.status.success(), "{}", String::from_utf8_lossy(&produced.stderr));
    let mut arguments = vec!["--topic", "streams-wordcount-output", "--from-beginning", "--timeout-ms", "120000"];
    arguments.extend(["--max-messages", "11", "--formatter-property", "print.key=true"]);
    let long = "value.deserializer=org.apache.kafka.common.serialization.LongDeserializer";
    let key = "key.deserializer=org.apache.kafka.common.serialization.StringDeserializer";
    arguments.extend(["--formatter-property", key, "--formatter-property", long]);
    let counts = java.tool("ConsoleConsumer", &arguments);
    let counts: BTreeSet<&str> = counts.lines().collect();
    // The demo tells each change.
    let several = ["kafka\t1", "kafka\t2", "kafka\t3", "streams\t1", "streams\t2"];
    let once = ["all\t1", "lead\t1", "to\t1", "hello\t1", "join\t1", "summit\t1"];
    assert_eq!(counts, several.into_iter().chain(once).collect());
    demo.end();
    java.broker.stop();
}

#[test]
fn a_streams_application_counts_exactly_once_over_two_runs() {
    let Some(java) = Java::new("a_streams_application_counts_exactly_once_over_two_runs") else { return };
    let said = java.source("ExactlyOnce", &["1000"]);
    assert!(said.contains("counted 2000"), "{said}");
    let list = java.tool("TransactionsCommand", &["list"]);
    assert!(list.lines().any(|line| line.starts_with("writer") && line.contains("CompleteCommit")), "{list}");
    let described = java.tool("TransactionsCommand", &["describe", "--transactional-id", "writer"]);
    assert!(described.contains("CompleteCommit"), "{described}");
    let producers = java.tool("TransactionsCommand", &["describe-producers", "--topic", "counts", "--partition", "0"]);
    assert!(producers.lines().next().is_some_and(|head| head.contains("ProducerEpoch")), "{producers}");
    java.broker.stop();
}

#[test]
fn a_browser_of_clusters_sees_topics_messages_and_lag() {
    let Some(java) = Java::new("a_browser_of_clusters_sees_topics_messages_and_lag") else { return };
    java.tool(
        "TopicCommand",
        &["--create", "--topic", "words", "--partitions", "1", "--config", "retention.ms=3600000"],
    );
    java.tool("VerifiableProducer", &["--topic", "words", "--max-messages", "20"]);
    let arguments = ["--topic", "words", "--group-id", "readers", "--max-messages", "20"];
    java.tool("VerifiableConsumer", &[&arguments[..], &["--reset-policy", "earliest"]].concat());
    java.tool("VerifiableProducer", &["--topic", "words", "--max-messages", "15"]);

    let seen = java.source("Browser", &[]);
    let lines = |start: &str| seen.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    assert_eq!(lines("cluster "), ["cluster nodes=1 controller=true"]);
    assert_eq!(
        lines("topic "),
        [
            "topic __consumer_offsets partitions=50 internal=true policy=compact",
            "topic words partitions=1 internal=false policy=delete"
        ]
    );
    let lag =
        lines("group readers words-").into_iter().filter_map(|line| line.rsplit_once("lag=")?.1.parse::<u32>().ok());
    assert_eq!(lag.sum::<u32>(), 15, "{seen}");
    assert_eq!(lines("message words ").len(), 35, "{seen}");
    java.broker.stop();
}
