//! CreateTopics, DeleteTopics, CreatePartitions.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{NO_ID, UNKNOWN_ID, scenario};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("create-topics", ApiKey::CreateTopics, create),
    scenario("create-topics-configs", ApiKey::CreateTopics, create_with_configs),
    scenario("create-topics-assignments", ApiKey::CreateTopics, create_with_assignments),
    scenario("delete-topics", ApiKey::DeleteTopics, delete),
    scenario("create-partitions", ApiKey::CreatePartitions, create_partitions),
];

fn topic(name: &str, partitions: i32, factor: i16) -> Json {
    json!({ "name": name, "numPartitions": partitions, "replicationFactor": factor })
}

fn ask(s: &mut Session, topics: &[Json]) {
    for validate in [true, false] {
        s.ask(ApiKey::CreateTopics, &json!({ "topics": topics, "timeoutMs": 30000, "validateOnly": validate }));
    }
}

fn create(s: &mut Session) {
    let names: Vec<String> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| s.name(name)).into();
    ask(s, &[topic(&names[0], 1, 1)]);
    ask(s, &[topic(&names[0], 1, 1)]);
    ask(s, &[topic(&names[1], -1, -1), topic(&names[2], 3, -1), topic(&names[3], -1, 1)]);
    ask(s, &[topic(&names[4], 0, 1), topic(&names[5], -2, 1), topic(&names[6], 1, 0), topic(&names[7], 1, -2)]);
    ask(s, &[topic(&names[4], 1, 2), topic(&names[5], 1, 3)]);
    ask(s, &[topic(&names[6], 1, 1), topic(&names[6], 2, 1), topic(&names[7], 1, 1)]);
    let (long, longest) = ("x".repeat(250), format!("{}{}", names[4], "y".repeat(249 - names[4].len())));
    for illegal in ["", ".", "..", "a b", "ä", "a/b", &long, "a\u{0}b"] {
        ask(s, &[topic(illegal, 1, 1)]);
    }
    ask(s, &[topic(&longest, 1, 1)]);
    ask(s, &[topic("__consumer_offsets", 1, 1), topic("__cluster_metadata", 1, 1)]);
    let (dots, lines) = (s.name("x.y.z"), s.name("x_y.z"));
    ask(s, &[topic(&dots, 1, 1)]);
    ask(s, &[topic(&lines, 1, 1)]);
    ask(s, &[]);
    ask(s, &[topic(&names[5], i32::MAX, 1)]);
    ask(s, &[topic(&names[5], 100_000, 1)]);
}

fn create_with_configs(s: &mut Session) {
    let with = |s: &Session, name: &str, configs: &[(&str, Option<&str>)]| {
        let configs: Vec<Json> = configs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({ "name": s.name(name), "numPartitions": 1, "replicationFactor": 1, "configs": configs })
    };
    let list: &[&[(&str, Option<&str>)]] = &[
        &[("cleanup.policy", Some("compact"))],
        &[("cleanup.policy", Some("compact,delete")), ("retention.ms", Some("-1"))],
        &[("cleanup.policy", Some("nothing"))],
        &[("cleanup.policy", Some(""))],
        &[("cleanup.policy", None)],
        &[("retention.ms", Some("abc"))],
        &[("retention.ms", Some("-2"))],
        &[("retention.ms", Some("99999999999999999999"))],
        &[("retention.ms", Some(" 5 "))],
        &[("no.such.thing", Some("1"))],
        &[("", Some("1"))],
        &[("max.message.bytes", Some("-1"))],
        &[("max.message.bytes", Some("1.5"))],
        &[("compression.type", Some("brotli"))],
        &[("compression.type", Some("GZIP"))],
        &[("compression.gzip.level", Some("99"))],
        &[("compression.lz4.level", Some("0"))],
        &[("min.insync.replicas", Some("0"))],
        &[("min.insync.replicas", Some("5"))],
        &[("segment.bytes", Some("10"))],
        &[("segment.bytes", Some("2000000"))],
        &[("segment.ms", Some("0"))],
        &[("min.cleanable.dirty.ratio", Some("1.5"))],
        &[("min.cleanable.dirty.ratio", Some("x"))],
        &[("preallocate", Some("maybe"))],
        &[("preallocate", Some("TRUE"))],
        &[("unclean.leader.election.enable", Some("true"))],
        &[("message.timestamp.type", Some("SomeTime"))],
        &[("message.format.version", Some("2.0"))],
        &[("message.downconversion.enable", Some("false"))],
        &[("min.compaction.lag.ms", Some("10")), ("max.compaction.lag.ms", Some("5"))],
        &[("local.retention.ms", Some("5")), ("retention.ms", Some("2"))],
        &[("remote.storage.enable", Some("true"))],
        &[("leader.replication.throttled.replicas", Some("*"))],
        &[("leader.replication.throttled.replicas", Some("0:1,1:2"))],
        &[("follower.replication.throttled.replicas", Some("x"))],
        &[("flush.messages", Some("0"))],
        &[("index.interval.bytes", Some("-1"))],
        &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
        &[("file.delete.delay.ms", Some("0")), ("delete.retention.ms", Some("0")), ("flush.ms", Some("1000"))],
    ];
    for (number, configs) in list.iter().enumerate() {
        ask(s, &[with(s, &format!("t{number}"), configs)]);
    }
}

fn create_with_assignments(s: &mut Session) {
    let with = |name: &str, partitions: i32, factor: i16, assignments: &[(i32, &[i32])]| {
        let assignments: Vec<Json> = assignments
            .iter()
            .map(|(index, brokers)| json!({ "partitionIndex": index, "brokerIds": brokers }))
            .collect();
        json!({ "name": name, "numPartitions": partitions, "replicationFactor": factor, "assignments": assignments })
    };
    /// Partitions, replicas, and the nodes of each partition.
    type Asked = (i32, i16, &'static [(i32, &'static [i32])]);
    let list: &[Asked] = &[
        (-1, -1, &[(0, &[1])]),
        (-1, -1, &[(0, &[1]), (1, &[1])]),
        (-1, -1, &[(1, &[1])]),
        (-1, -1, &[(0, &[1]), (0, &[1])]),
        (-1, -1, &[(0, &[9])]),
        (-1, -1, &[(0, &[1, 1])]),
        (-1, -1, &[(0, &[1, 9])]),
        (-1, -1, &[(0, &[])]),
        (-1, -1, &[(0, &[-1])]),
        (-1, -1, &[(0, &[1]), (2, &[1])]),
        (-1, -1, &[(-1, &[1])]),
        (1, -1, &[(0, &[1])]),
        (-1, 1, &[(0, &[1])]),
        (1, 1, &[(0, &[1])]),
        (2, 1, &[(0, &[1])]),
    ];
    for (number, (partitions, factor, assignments)) in list.iter().enumerate() {
        let name = s.name(&format!("t{number}"));
        ask(s, &[with(&name, *partitions, *factor, assignments)]);
    }
}

fn delete(s: &mut Session) {
    let names: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| s.topic(name, 1, &[])).collect();
    let missing = s.name("missing");
    let ask = |s: &mut Session, list: &[&str]| {
        let topics: Vec<Json> = list.iter().map(|name| json!({ "name": name })).collect();
        s.ask(ApiKey::DeleteTopics, &json!({ "topicNames": list, "topics": topics, "timeoutMs": 30000 }));
    };
    ask(s, &[]);
    ask(s, &[&missing, &names[0]]);
    ask(s, &[&names[0]]);
    ask(s, &[&names[1], &names[1]]);
    ask(s, &["", "not a name"]);
    if s.v() >= 6 {
        let list: [Json; 5] = [
            json!([{ "topicId": "$c", "name": null }]),
            json!([{ "topicId": "$c", "name": null }]),
            json!([{ "topicId": UNKNOWN_ID, "name": null }]),
            json!([{ "topicId": NO_ID, "name": null }]),
            json!([{ "topicId": "$d", "name": names[3] }]),
        ];
        for topics in list {
            s.ask(ApiKey::DeleteTopics, &json!({ "topics": topics, "timeoutMs": 30000 }));
            s.close("main");
        }
        let twice = json!([{ "topicId": "$d", "name": null }, { "topicId": NO_ID, "name": names[3] }]);
        s.ask(ApiKey::DeleteTopics, &json!({ "topics": twice, "timeoutMs": 30000 }));
    }
    s.agree(ApiKey::Metadata, &json!({ "topics": [{ "name": names[3] }], "allowAutoTopicCreation": false }));
    s.agree(ApiKey::Metadata, &json!({ "topics": [{ "name": names[0] }], "allowAutoTopicCreation": false }));
}

fn create_partitions(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let other = s.topic("u", 1, &[]);
    let missing = s.name("missing");
    let ask = |s: &mut Session, topics: &[Json]| {
        for validate in [true, false] {
            let request = json!({ "topics": topics, "timeoutMs": 30000, "validateOnly": validate });
            s.ask(ApiKey::CreatePartitions, &request);
        }
    };
    let to = |name: &str, count: i32| json!({ "name": name, "count": count, "assignments": null });
    let assigned = |name: &str, count: i32, brokers: &[&[i32]]| {
        let list: Vec<Json> = brokers.iter().map(|brokers| json!({ "brokerIds": brokers })).collect();
        json!({ "name": name, "count": count, "assignments": list })
    };
    for count in [2, 1, 0, -1, 3] {
        ask(s, &[to(&topic, count)]);
    }
    ask(s, &[to(&missing, 3), to(&other, 2), to("", 2), to("not a name", 2)]);
    ask(s, &[to(&topic, 4), to(&topic, 5)]);
    ask(s, &[to("__consumer_offsets", 9)]);
    ask(s, &[]);
    let list: &[&[&[i32]]] = &[&[&[1]], &[&[9]], &[&[1, 1]], &[&[]], &[&[1], &[1]], &[&[1, 9]], &[]];
    for (number, brokers) in list.iter().enumerate() {
        ask(s, &[assigned(&other, 3 + number as i32, brokers)]);
    }
    let request = json!({ "topics": [{ "name": topic }, { "name": other }], "allowAutoTopicCreation": false });
    s.agree(ApiKey::Metadata, &request);
}
