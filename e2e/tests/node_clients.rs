//! Clients for Node.js: kafkajs, kafka-node with the protocol of Kafka 0.9 to 0.11, and node-rdkafka with the librdkafka
//! of the system, which is older than the one our services use.

use std::process::Command;

use e2e::{Broker, Process, prerequisites, programs};

/// Runs `clients/node/CLIENT.js` against a broker of its own.
fn content(client: &str, test: &str) {
    let Some(modules) = prerequisites::node(test) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let program = programs::root().join("e2e/clients/node").join(client).with_extension("js");
    let mut node = Command::new("node");
    node.arg(program).arg(broker.address()).env("NODE_PATH", modules);
    let said = Process::run(&mut node).ok();
    assert!(said.contains(&format!("{client} is content")), "{said}");
    broker.stop();
}

#[test]
fn kafkajs_produces_shares_commits_and_administers() {
    content("kafkajs", "kafkajs_produces_shares_commits_and_administers");
}

#[test]
fn kafka_node_of_the_time_of_kafka_0_11_produces_shares_and_commits() {
    content("kafka-node", "kafka_node_of_the_time_of_kafka_0_11_produces_shares_and_commits");
}

#[test]
fn node_rdkafka_produces_shares_commits_and_administers() {
    content("node-rdkafka", "node_rdkafka_produces_shares_commits_and_administers");
}
