//! Offsets of a log: ListOffsets, DeleteRecords, OffsetForLeaderEpoch.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{list_offset, produce, scenario};
use crate::differential::records::{BATCH, TIMESTAMP, batch};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("list-offsets", ApiKey::ListOffsets, list),
    scenario("list-offsets-refused", ApiKey::ListOffsets, list_refused),
    scenario("delete-records", ApiKey::DeleteRecords, delete),
    scenario("offset-for-leader-epoch", ApiKey::OffsetForLeaderEpoch, leader_epoch),
];

fn timed(from: i64, times: &[i64]) -> Json {
    let records: Vec<Json> = times.iter().map(|time| json!({ "k": "k", "t": TIMESTAMP + from + time })).collect();
    json!({ BATCH: { "records": records } })
}

fn list(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    for timestamp in [-1, -2, -3, TIMESTAMP] {
        s.ask(ApiKey::ListOffsets, &list_offset(&topic, 0, timestamp));
    }
    for (from, times) in [(0, [10, 20, 30]), (100, [5, 50, 20]), (50, [1, 2, 3])] {
        s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &timed(from, &times)));
    }
    let stamps = [-1, -2, -3, -4, -5, -6, -7, 0, TIMESTAMP, TIMESTAMP + 10, TIMESTAMP + 11, TIMESTAMP + 52];
    for timestamp in stamps.into_iter().chain([TIMESTAMP + 106, TIMESTAMP + 150, TIMESTAMP + 151, i64::MAX]) {
        for level in [0, 1] {
            let mut request = list_offset(&topic, 0, timestamp);
            request["isolationLevel"] = level.into();
            s.ask(ApiKey::ListOffsets, &request);
        }
    }
    s.prepare(
        ApiKey::DeleteRecords,
        &json!({ "timeoutMs": 30000, "topics": [{ "name": topic, "partitions": [
        { "partitionIndex": 0, "offset": 4 } ]}]}),
    );
    for timestamp in [-1, -2, -3, -4, TIMESTAMP, TIMESTAMP + 52] {
        s.ask(ApiKey::ListOffsets, &list_offset(&topic, 0, timestamp));
    }
    for number in [0, 1, 2, -1] {
        let mut request = list_offset(&topic, 0, -1);
        request["topics"][0]["partitions"][0]["maxNumOffsets"] = number.into();
        s.ask(ApiKey::ListOffsets, &request);
    }
}

fn list_refused(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let missing = s.name("missing");
    s.ask(ApiKey::ListOffsets, &json!({ "replicaId": -1 }));
    for (name, partition) in [(topic.as_str(), 1), (&topic, -1), (&missing, 0), ("", 0), ("a b", 0)] {
        s.ask(ApiKey::ListOffsets, &list_offset(name, partition, -1));
    }
    let partition = |index, timestamp| json!({ "partitionIndex": index, "timestamp": timestamp });
    let twice = json!([partition(0, -1), partition(0, -2), partition(5, -1), partition(5, -1)]);
    s.ask(ApiKey::ListOffsets, &json!({ "replicaId": -1, "topics": [{ "name": topic, "partitions": twice }] }));
    for epoch in [-1, 0, 1, -2] {
        let mut request = list_offset(&topic, 0, -1);
        request["topics"][0]["partitions"][0]["currentLeaderEpoch"] = epoch.into();
        s.ask(ApiKey::ListOffsets, &request);
    }
    for replica in [-2, 0, 1, -3] {
        let mut request = list_offset(&topic, 0, -1);
        request["replicaId"] = replica.into();
        s.ask(ApiKey::ListOffsets, &request);
    }
    let mut request = list_offset(&topic, 0, -1);
    request["isolationLevel"] = 2.into();
    s.ask(ApiKey::ListOffsets, &request);
}

fn delete(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    for number in 0..3 {
        s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &batch(number * 3, 3)));
    }
    let missing = s.name("missing");
    let ask = |s: &mut Session, name: &str, partitions: &[(i32, i64)]| {
        let partitions: Vec<Json> =
            partitions.iter().map(|(index, offset)| json!({ "partitionIndex": index, "offset": offset })).collect();
        let request = json!({ "timeoutMs": 30000, "topics": [{ "name": name, "partitions": partitions }] });
        s.ask(ApiKey::DeleteRecords, &request);
    };
    for offset in [0, 4, 2, 4, 10, -2, 9, -1] {
        ask(s, &topic, &[(0, offset)]);
        s.ask(ApiKey::ListOffsets, &list_offset(&topic, 0, -2));
    }
    ask(s, &topic, &[(1, 0), (2, 0), (1, -1)]);
    ask(s, &missing, &[(0, 0), (1, 5)]);
    ask(s, "__consumer_offsets", &[(0, 0)]);
    ask(s, "", &[(0, 0)]);
    let compacted = s.topic("compacted", 1, &[("cleanup.policy", "compact")]);
    ask(s, &compacted, &[(0, 0)]);
    let both = s.topic("both", 1, &[("cleanup.policy", "compact,delete")]);
    ask(s, &both, &[(0, 0)]);
    s.ask(ApiKey::DeleteRecords, &json!({ "timeoutMs": 30000 }));
}

fn leader_epoch(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &batch(0, 3)));
    let missing = s.name("missing");
    for (name, partition) in [(topic.as_str(), 0), (&topic, 1), (&missing, 0)] {
        for (current, epoch) in [(-1, 0), (0, 0), (1, 0), (-1, 1), (-1, -1), (0, -2), (-2, 0)] {
            let one = json!({ "partition": partition, "currentLeaderEpoch": current, "leaderEpoch": epoch });
            let request = json!({ "topics": [{ "topic": name, "partitions": [one] }] });
            s.ask(ApiKey::OffsetForLeaderEpoch, &request);
        }
    }
    for replica in [-1, 0, 1] {
        let one = json!({ "partition": 0, "leaderEpoch": 0 });
        let request = json!({ "replicaId": replica, "topics": [{ "topic": topic, "partitions": [one] }] });
        s.ask(ApiKey::OffsetForLeaderEpoch, &request);
    }
}
