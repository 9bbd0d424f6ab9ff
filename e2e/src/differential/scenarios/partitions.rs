//! Replicas and leaders: elections, reassignments, log directories.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{produce, scenario};
use crate::differential::records::batch;
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("elect-leaders", ApiKey::ElectLeaders, elect),
    scenario("alter-reassignments", ApiKey::AlterPartitionReassignments, alter),
    scenario("list-reassignments", ApiKey::ListPartitionReassignments, list),
    scenario("describe-log-dirs", ApiKey::DescribeLogDirs, log_dirs),
    scenario("alter-log-dirs", ApiKey::AlterReplicaLogDirs, alter_log_dirs),
];

fn elect(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    for kind in [0, 1, 2, -1] {
        let partitions = json!([{ "topic": topic, "partitions": [0, 1, 2] }, { "topic": missing, "partitions": [0] }]);
        let request = json!({ "electionType": kind, "topicPartitions": partitions, "timeoutMs": 30000 });
        s.ask(ApiKey::ElectLeaders, &request);
        s.close("main");
    }
    s.ask(ApiKey::ElectLeaders, &json!({ "topicPartitions": [], "timeoutMs": 30000 }));
    s.ask(ApiKey::ElectLeaders, &json!({ "topicPartitions": null, "timeoutMs": 30000 }));
    s.ask(ApiKey::ElectLeaders, &json!({ "electionType": 1, "topicPartitions": null, "timeoutMs": 30000 }));
    let illegal = json!([{ "topic": "", "partitions": [0] }, { "topic": topic, "partitions": [-1] }]);
    s.ask(ApiKey::ElectLeaders, &json!({ "topicPartitions": illegal, "timeoutMs": 30000 }));
}

fn alter(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    let ask = |s: &mut Session, name: &str, list: &[(i32, Option<&[i32]>)], change: bool| {
        let partitions: Vec<Json> =
            list.iter().map(|(index, replicas)| json!({ "partitionIndex": index, "replicas": replicas })).collect();
        let request = json!({ "timeoutMs": 30000, "allowReplicationFactorChange": change,
            "topics": [{ "name": name, "partitions": partitions }] });
        s.ask(ApiKey::AlterPartitionReassignments, &request);
    };
    for change in [true, false] {
        ask(s, &topic, &[(0, Some(&[1])), (1, Some(&[9])), (2, Some(&[1]))], change);
        ask(s, &topic, &[(0, Some(&[1, 1])), (1, Some(&[]))], change);
        ask(s, &topic, &[(0, Some(&[1, 2]))], change);
        ask(s, &topic, &[(0, None), (5, None)], change);
        ask(s, &topic, &[(0, Some(&[-1]))], change);
        ask(s, &topic, &[(0, Some(&[1])), (0, Some(&[1]))], change);
        ask(s, &missing, &[(0, Some(&[1])), (1, None)], change);
        ask(s, "", &[(0, Some(&[1]))], change);
    }
    s.ask(ApiKey::AlterPartitionReassignments, &json!({ "timeoutMs": 30000 }));
}

fn list(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    s.ask(ApiKey::ListPartitionReassignments, &json!({ "timeoutMs": 30000, "topics": null }));
    s.ask(ApiKey::ListPartitionReassignments, &json!({ "timeoutMs": 30000, "topics": [] }));
    for name in [&topic, &missing, ""] {
        let topics = json!([{ "name": name, "partitionIndexes": [0, 1, 5] }]);
        s.ask(ApiKey::ListPartitionReassignments, &json!({ "timeoutMs": 30000, "topics": topics }));
    }
}

fn log_dirs(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &batch(0, 3)));
    let missing = s.name("missing");
    for topics in [
        json!([{ "topic": topic, "partitions": [0, 1] }]),
        json!([{ "topic": topic, "partitions": [1, 5] }]),
        json!([{ "topic": missing, "partitions": [0] }]),
        json!([]),
        json!([{ "topic": topic, "partitions": [] }]),
    ] {
        s.ask(ApiKey::DescribeLogDirs, &json!({ "topics": topics }));
    }
}

fn alter_log_dirs(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    for path in ["/nowhere", "relative", ""] {
        let topics = json!([{ "name": topic, "partitions": [0, 5] }, { "name": missing, "partitions": [0] }]);
        s.ask(ApiKey::AlterReplicaLogDirs, &json!({ "dirs": [{ "path": path, "topics": topics }] }));
    }
    s.ask(ApiKey::AlterReplicaLogDirs, &json!({ "dirs": [] }));
    let request = json!({ "topics": [{ "topic": topic, "partitions": [0] }] });
    let version = s.version(ApiKey::DescribeLogDirs);
    s.ask_version(ApiKey::DescribeLogDirs, version, &request);
    s.keep("dir", "/results/0/logDir");
    let topics = json!([{ "name": topic, "partitions": [0, 5] }, { "name": missing, "partitions": [0] }]);
    s.ask(ApiKey::AlterReplicaLogDirs, &json!({ "dirs": [{ "path": "$dir", "topics": topics }] }));
}
