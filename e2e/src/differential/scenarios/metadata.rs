//! What a client learns of the cluster: Metadata, DescribeTopicPartitions, FindCoordinator, DescribeCluster, ApiVersions.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{NO_ID, UNKNOWN_ID, scenario};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("metadata", ApiKey::Metadata, metadata),
    scenario("metadata-creates", ApiKey::Metadata, creates),
    scenario("topic-partitions", ApiKey::DescribeTopicPartitions, topic_partitions),
    scenario("find-coordinator", ApiKey::FindCoordinator, find_coordinator),
    scenario("describe-cluster", ApiKey::DescribeCluster, describe_cluster),
    scenario("api-versions", ApiKey::ApiVersions, api_versions),
];

fn metadata(s: &mut Session) {
    let topic = s.topic("t", 3, &[]);
    let missing = s.name("missing");
    let ask = |s: &mut Session, topics: Json| {
        s.ask(ApiKey::Metadata, &json!({ "topics": topics, "allowAutoTopicCreation": false }));
    };
    let name = |name: &str| json!({ "name": name });
    ask(s, json!([name(&topic)]));
    ask(s, json!([name(&topic), name(&topic)]));
    ask(s, json!([name(&missing)]));
    let long = "x".repeat(250);
    for illegal in ["", ".", "..", "a b", "ä", "a/b", &long, "a\u{0}b"] {
        ask(s, json!([name(illegal)]));
    }
    let operations = json!({ "topics": [name(&topic)], "includeClusterAuthorizedOperations": true,
        "includeTopicAuthorizedOperations": true });
    s.ask(ApiKey::Metadata, &operations);
    if s.v() >= 1 {
        ask(s, json!([]));
    }
    if s.v() >= 10 {
        ask(s, json!([{ "topicId": "$t", "name": null }]));
        ask(s, json!([{ "topicId": "$t", "name": topic }]));
        ask(s, json!([{ "topicId": UNKNOWN_ID, "name": null }]));
        ask(s, json!([{ "topicId": UNKNOWN_ID, "name": topic }]));
        ask(s, json!([{ "topicId": NO_ID, "name": null }]));
        ask(s, json!([{ "topicId": "$t", "name": null }, name(&missing)]));
    }
    s.prepare(ApiKey::DeleteTopics, &json!({ "topics": [{ "name": topic }], "timeoutMs": 30000 }));
    super::gone(s, &topic);
    if s.v() >= 10 {
        ask(s, json!([{ "topicId": "$t", "name": null }]));
    }
}

fn creates(s: &mut Session) {
    let reached = |reply: &Json| {
        reply.pointer("/topics/0/partitions/3/leaderId") == Some(&json!(1))
            && reply.pointer("/topics/0/errorCode") == Some(&json!(0))
    };
    let topic = s.name("made");
    s.until(ApiKey::Metadata, &json!({ "topics": [{ "name": topic }], "allowAutoTopicCreation": true }), reached);
    s.ask(
        ApiKey::DescribeConfigs,
        &json!({ "resources": [
        { "resourceType": 2, "resourceName": topic, "configurationKeys": ["cleanup.policy"] } ]}),
    );
    for internal in ["__consumer_offsets", "__transaction_state"] {
        let request = json!({ "topics": [{ "name": internal }], "allowAutoTopicCreation": true });
        s.until(ApiKey::Metadata, &request, |reply| {
            reply.pointer("/topics/0/partitions/7/leaderId") == Some(&json!(1))
        });
    }
}

fn topic_partitions(s: &mut Session) {
    let topic = s.topic("a", 5, &[]);
    let other = s.topic("b", 2, &[]);
    let missing = s.name("missing");
    let ask = |s: &mut Session, topics: &[&str], limit: i32, cursor: Json| {
        let topics: Vec<Json> = topics.iter().map(|name| json!({ "name": name })).collect();
        let request = json!({ "topics": topics, "responsePartitionLimit": limit, "cursor": cursor });
        s.ask(ApiKey::DescribeTopicPartitions, &request);
    };
    let cursor = |name: &str, index: i32| json!({ "topicName": name, "partitionIndex": index });
    let all = [topic.as_str(), &other, &missing];
    for limit in [2000, 5, 6, 3, 1, 7] {
        ask(s, &all, limit, Json::Null);
    }
    for (name, index) in [(&topic, 0), (&topic, 3), (&topic, 5), (&topic, 9), (&other, 0), (&other, 1), (&missing, 0)] {
        ask(s, &all, 3, cursor(name, index));
        ask(s, &all, 2000, cursor(name, index));
    }
    ask(s, &all, 2000, cursor(&topic, -1));
    ask(s, &all, 0, Json::Null);
    ask(s, &all, -1, Json::Null);
    s.close("main");
    ask(s, &[&other, &topic, &topic], 2000, Json::Null);
    ask(s, &["not a name", ""], 2000, Json::Null);
    ask(s, &[&other], 2000, cursor("zzz", 0));
}

fn find_coordinator(s: &mut Session) {
    let ready = |reply: &Json| {
        let code = reply.pointer("/coordinators/0/errorCode").or_else(|| reply.get("errorCode"));
        code == Some(&json!(0))
    };
    for kind in [0, 1] {
        let request = json!({ "key": "k", "keyType": kind, "coordinatorKeys": ["k"] });
        s.until(ApiKey::FindCoordinator, &request, ready);
        s.ask(ApiKey::FindCoordinator, &json!({ "key": "", "keyType": kind, "coordinatorKeys": ["", "x", "x"] }));
        s.ask(ApiKey::FindCoordinator, &json!({ "key": "a", "keyType": kind, "coordinatorKeys": [] }));
    }
    for kind in [2, 3, -1] {
        if s.v() == 6 && kind == 2 {
            // Share groups' coordinator.
            continue;
        }
        s.ask(ApiKey::FindCoordinator, &json!({ "key": "k", "keyType": kind, "coordinatorKeys": ["k"] }));
        s.close("main");
    }
}

fn describe_cluster(s: &mut Session) {
    for endpoint in [0, 1, 2, 3] {
        for yes in [false, true] {
            let request = json!({ "endpointType": endpoint, "includeFencedBrokers": yes,
                "includeClusterAuthorizedOperations": yes });
            s.ask(ApiKey::DescribeCluster, &request);
            s.close("main");
        }
    }
}

fn api_versions(s: &mut Session) {
    for (name, version) in
        [("test", "1.0"), ("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"), ("a-b.c", "1.2-3"), ("ä", "1")]
    {
        let request = json!({ "clientSoftwareName": name, "clientSoftwareVersion": version });
        s.ask(ApiKey::ApiVersions, &request);
    }
    // Versions of the future: told with the oldest format, of this API only.
    let header = |api: i16, version: i16| {
        let content = [&api.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &[0, 1, b'c', 0]].concat();
        [&(content.len() as u32).to_be_bytes()[..], &content].concat()
    };
    for version in [5, 99, -1] {
        s.send_bytes(&header(18, version), ApiKey::ApiVersions, 0, 7);
        s.receive();
        s.close("main");
    }
    for (api, version) in [(3, 99), (3, -1), (0, 99), (4, 0), (56, 0), (7, 0), (999, 0), (-1, 0)] {
        s.send_bytes(&header(api, version), ApiKey::ApiVersions, 0, 7);
        s.receive();
        s.close("main");
    }
    // Frames that are none.
    for bytes in [
        &[0, 0, 0, 0][..],
        &[0xff; 4],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 2, 0, 18],
        &[0, 0, 0, 8, 0, 18, 0, 0, 0, 0, 0, 7],
    ] {
        s.send_bytes(bytes, ApiKey::ApiVersions, 0, 7);
        s.receive();
        s.close("main");
    }
}
