//! Clients written in Python: kafka-python with its own tests and as it was years ago, confluent-kafka, PyKafka.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, free_port, prerequisites, programs};

const PATIENCE: Duration = Duration::from_secs(600);

/// They start an Apache Kafka of their own, with a certificate.
const NOT_HERE: &str = "test/integration/test_ssl_integration.py";

fn client(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(programs::root().join("e2e/clients/python").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

#[test]
fn kafka_pythons_own_tests_pass() {
    let Some((python, sdist)) = prerequisites::kafka_python_suite("kafka_pythons_own_tests_pass") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("suite");
    let _ = Process::run(Command::new("cp").arg("-r").arg(sdist).arg(&suite)).ok();
    // Two files that the sdist leaves out.
    fs::write(suite.join("test/__init__.py"), "").expect("a folder of ours can be written");
    let service = programs::root().join("e2e/clients/python/service.py");
    fs::copy(service, suite.join("test/service.py")).expect("a folder of ours can be written");

    let port = free_port();
    // As its own fixtures have it.
    let settings = [
        &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found=true",
        "group.min.session.timeout.ms=1000",
        "node.id=0",
        "num.partitions=4",
    ];
    let broker = Broker::start_at(port, &folder.path().join("data"), &settings);
    let mut tests = Command::new(python);
    tests.current_dir(&suite).args(["-m", "pytest", "-q", "--show-capture=no", "-p", "no:cacheprovider"]);
    // Now and then a consumer of this version loses its request for a topic's metadata to its own start, and asks nothing
    // of the broker for five minutes.
    tests.arg("test/integration").args(["--deselect", NOT_HERE, "--reruns", "2"]);
    tests.env("KAFKA_URI", format!("kafka://{}", broker.address()));
    tests.env("KAFKA_VERSION", "4.3.1").env("KAFKA_ROOT", &suite);
    let said = Process::run_within(&mut tests, PATIENCE).ok();
    let passed = said.rsplit_once(" passed").and_then(|(before, _)| before.rsplit([' ', '\n']).next()?.parse().ok());
    assert!(passed.is_some_and(|passed: u32| passed >= 45), "{said}");
    broker.stop();
}

#[test]
fn confluent_kafka_moves_records_in_transactions_with_both_group_protocols() {
    let test = "confluent_kafka_moves_records_in_transactions_with_both_group_protocols";
    let Some(python) = prerequisites::confluent(test) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let heartbeat = ["group.consumer.min.heartbeat.interval.ms=200", "group.consumer.heartbeat.interval.ms=200"];
    let broker = Broker::start(data.path(), &heartbeat);
    for protocol in ["classic", "consumer"] {
        let mut command = client(&python, "confluent.py");
        let _ = Process::run(command.args([&broker.address(), protocol])).ok();
    }
    broker.stop();
}

#[test]
fn kafka_python_of_years_ago_shares_commits_and_goes_on() {
    let test = "kafka_python_of_years_ago_shares_commits_and_goes_on";
    for version in ["kafka-python-1.4.7", "kafka-python-2.0.2"] {
        let Some((python, folder)) = prerequisites::old_python(version, "kafka", test) else { return };
        for api_version in [None, Some("0.10")] {
            let data = tempfile::tempdir().expect("a folder");
            let broker = Broker::start(data.path(), &["num.partitions=4"]);
            let mut command = client(&python, "kafka_python_old.py");
            let _ = Process::run(command.arg(broker.address()).args(api_version).env("PYTHONPATH", &folder)).ok();
            broker.stop();
        }
    }
}

#[test]
fn pykafka_commits_and_goes_on() {
    let test = "pykafka_commits_and_goes_on";
    let Some((python, folder)) = prerequisites::old_python("pykafka-2.8.0", "pykafka", test) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let mut command = client(&python, "pykafka_group.py");
    let _ = Process::run(command.arg(broker.address()).env("PYTHONPATH", folder)).ok();
    broker.stop();
}
