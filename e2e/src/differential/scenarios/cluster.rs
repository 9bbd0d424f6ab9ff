//! The quorum, features, brokers, client telemetry.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{NO_ID, UNKNOWN_ID, scenario};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("describe-quorum", ApiKey::DescribeQuorum, describe_quorum),
    scenario("update-features", ApiKey::UpdateFeatures, update_features),
    scenario("unregister-broker", ApiKey::UnregisterBroker, unregister),
    scenario("add-raft-voter", ApiKey::AddRaftVoter, add_voter),
    scenario("remove-raft-voter", ApiKey::RemoveRaftVoter, remove_voter),
    scenario("telemetry", ApiKey::ApiVersions, telemetry),
];

fn describe_quorum(s: &mut Session) {
    let ask = |s: &mut Session, topics: Json| s.ask(ApiKey::DescribeQuorum, &json!({ "topics": topics }));
    ask(s, json!([{ "topicName": "__cluster_metadata", "partitions": [{ "partitionIndex": 0 }] }]));
    ask(s, json!([{ "topicName": "__cluster_metadata", "partitions": [{ "partitionIndex": 1 }] }]));
    ask(s, json!([{ "topicName": "x", "partitions": [{ "partitionIndex": 0 }] }]));
    ask(s, json!([]));
}

fn update_features(s: &mut Session) {
    let ask = |s: &mut Session, updates: &[(&str, i16, i8)], validate: bool| {
        let updates: Vec<Json> = updates
            .iter()
            .map(|(name, level, kind)| {
                json!({ "feature": name, "maxVersionLevel": level, "allowDowngrade": *kind > 1, "upgradeType": kind })
            })
            .collect();
        let request = json!({ "timeoutMs": 30000, "featureUpdates": updates, "validateOnly": validate });
        s.ask(ApiKey::UpdateFeatures, &request);
        s.close("main");
    };
    for validate in [true, false] {
        if s.v() == 0 && validate {
            continue;
        }
        for (name, level, kind) in [
            ("no.such.feature", 1, 1),
            ("group.version", 1, 1),
            ("group.version", 99, 1),
            ("group.version", -1, 1),
            ("group.version", 0, 1),
            ("metadata.version", 1, 1),
            ("metadata.version", 99, 1),
            ("transaction.version", 2, 1),
            ("", 1, 1),
            ("group.version", 1, 7),
            ("group.version", 1, 0),
            ("kraft.version", 99, 1),
        ] {
            ask(s, &[(name, level, kind)], validate);
        }
        ask(s, &[], validate);
        ask(s, &[("group.version", 1, 1), ("no.such.feature", 1, 1)], validate);
    }
}

fn unregister(s: &mut Session) {
    for id in [9, -1] {
        s.ask(ApiKey::UnregisterBroker, &json!({ "brokerId": id }));
    }
}

fn add_voter(s: &mut Session) {
    for (cluster, id) in [(json!("another"), 9), (Json::Null, 9), (Json::Null, 1), (Json::Null, -1)] {
        let request = json!({ "clusterId": cluster, "timeoutMs": 1000, "voterId": id, "voterDirectoryId": UNKNOWN_ID,
            "listeners": [{ "name": "CONTROLLER", "host": "localhost", "port": 1 }] });
        s.ask(ApiKey::AddRaftVoter, &request);
    }
}

fn remove_voter(s: &mut Session) {
    for (cluster, id, directory) in [
        (json!("another"), 9, UNKNOWN_ID),
        (Json::Null, 9, UNKNOWN_ID),
        (Json::Null, 1, UNKNOWN_ID),
        (Json::Null, 9, NO_ID),
    ] {
        let request = json!({ "clusterId": cluster, "voterId": id, "voterDirectoryId": directory });
        s.ask(ApiKey::RemoveRaftVoter, &request);
    }
}

/// Not served without a receiver of metrics, by Kafka either: the connection is closed.
fn telemetry(s: &mut Session) {
    s.ask_version(ApiKey::GetTelemetrySubscriptions, 0, &json!({ "clientInstanceId": NO_ID }));
    s.close("main");
    s.ask_version(ApiKey::PushTelemetry, 0, &json!({ "clientInstanceId": UNKNOWN_ID, "subscriptionId": 1 }));
    s.close("main");
}
