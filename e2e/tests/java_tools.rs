//! Apache Kafka's own command-line tools, with their default settings.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::{Broker, Process, prerequisites};

const RECORDS: usize = 200;
/// A tool starts a Java machine and may first wait for another one to end.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn javas_console_tools_and_consumer_groups_work() {
    let Some(kafka) = prerequisites::apache_kafka("javas_console_tools_and_consumer_groups_work") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let broker = Broker::start(&data, &[]);
    let address = broker.address();
    let command = |class: &str, arguments: &[&str]| {
        let mut command = Command::new(&kafka);
        command.args(["tool", class, "--bootstrap-server", &address]).args(arguments);
        command
    };
    let run = |class, arguments: &[&str]| Process::run_within(&mut command(class, arguments), PATIENCE).ok();

    run("TopicCommand", &["--create", "--topic", "words", "--partitions", "2"]);
    let described = run("TopicCommand", &["--describe", "--topic", "words"]);
    assert!(described.contains("PartitionCount: 2"), "{described}");

    let words: Vec<String> = (0..RECORDS).map(|number| format!("word {number}")).collect();
    let input = folder.path().join("words");
    fs::write(&input, words.join("\n") + "\n").expect("a file");
    let mut produce = command("ConsoleProducer", &["--topic", "words"]);
    produce.stdin(Stdio::from(fs::File::open(&input).expect("a file")));
    let produced = produce.output().expect("the tool runs");
    assert!(produced.status.success(), "{}", String::from_utf8_lossy(&produced.stderr));

    let count = RECORDS.to_string();
    let arguments = ["--topic", "words", "--from-beginning", "--max-messages", &count, "--group", "readers"];
    let consumed = run("ConsoleConsumer", &arguments);
    let mut got: Vec<&str> = consumed.lines().collect();
    let mut expected: Vec<&str> = words.iter().map(String::as_str).collect();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected);

    let groups = run("ConsumerGroupCommand", &["--list"]);
    assert!(groups.lines().any(|line| line == "readers"), "{groups}");
    let lag = lags(&run("ConsumerGroupCommand", &["--describe", "--group", "readers"]));
    assert_eq!(lag.iter().map(|(offset, _)| offset).sum::<u64>(), RECORDS as u64, "{lag:?}");
    assert!(lag.iter().all(|(_, lag)| *lag == 0), "{lag:?}");

    let reset = ["--reset-offsets", "--to-earliest", "--all-topics", "--group", "readers", "--execute"];
    run("ConsumerGroupCommand", &reset);
    let lag = lags(&run("ConsumerGroupCommand", &["--describe", "--group", "readers"]));
    assert_eq!(lag.iter().map(|(_, lag)| lag).sum::<u64>(), RECORDS as u64, "{lag:?}");
    run("ConsumerGroupCommand", &["--delete", "--group", "readers"]);
    assert!(!run("ConsumerGroupCommand", &["--list"]).contains("readers"));
    broker.stop();
}

/// CURRENT-OFFSET and LAG of each line of `--describe`.
fn lags(table: &str) -> Vec<(u64, u64)> {
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let head = lines.find(|words| words.contains(&"CURRENT-OFFSET")).unwrap_or_else(|| panic!("no table:\n{table}"));
    let column = |name| head.iter().position(|word| *word == name).unwrap_or_else(|| panic!("no {name}:\n{table}"));
    let (offset, lag) = (column("CURRENT-OFFSET"), column("LAG"));
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("no number {word:?}:\n{table}"));
    lines.filter(|words| words.len() > lag).map(|words| (number(words[offset]), number(words[lag]))).collect()
}
