//! Fetch: bytes, offsets, epochs, sessions, formats.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{UNKNOWN_ID, fetch, produce, scenario};
use crate::differential::records::{BATCH, batch, record};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("fetch-offsets", ApiKey::Fetch, offsets),
    scenario("fetch-unknown", ApiKey::Fetch, unknown),
    scenario("fetch-limits", ApiKey::Fetch, limits),
    scenario("fetch-epochs", ApiKey::Fetch, epochs),
    scenario("fetch-sessions", ApiKey::Fetch, sessions),
    scenario("fetch-formats", ApiKey::Fetch, formats),
    scenario("fetch-waits", ApiKey::Fetch, waits),
];

fn filled(s: &mut Session, name: &str, batches: usize) -> String {
    let topic = s.topic(name, 2, &[]);
    for number in 0..batches {
        s.prepare(ApiKey::Produce, &produce(&topic, &format!("${name}"), -1, &batch(number * 3, 3)));
    }
    topic
}

fn offsets(s: &mut Session) {
    let topic = filled(s, "t", 3);
    for offset in [0, 1, 2, 3, 5, 8, 9, 10, -1, i64::MAX] {
        s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 0, offset));
    }
    s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 1, 0));
    s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 2, 0));
    s.prepare(
        ApiKey::DeleteRecords,
        &json!({ "timeoutMs": 30000, "topics": [{ "name": topic, "partitions": [
        { "partitionIndex": 0, "offset": 4 } ]}]}),
    );
    for offset in [0, 3, 4, 9] {
        s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 0, offset));
    }
    for level in [0, 1, 2] {
        let mut request = fetch(&topic, "$t", 0, 4);
        request["isolationLevel"] = level.into();
        s.ask(ApiKey::Fetch, &request);
    }
}

fn unknown(s: &mut Session) {
    let topic = filled(s, "t", 1);
    s.ask(ApiKey::Fetch, &json!({ "maxWaitMs": 0 }));
    s.ask(ApiKey::Fetch, &fetch(&s.name("missing"), UNKNOWN_ID, 0, 0));
    s.ask(ApiKey::Fetch, &fetch("not a name", super::NO_ID, 0, 0));
    let mut both = fetch(&topic, "$t", 0, 0);
    both["topics"] = json!([both["topics"][0], fetch(&s.name("missing"), UNKNOWN_ID, 0, 0)["topics"][0]]);
    s.ask(ApiKey::Fetch, &both);
    for replica in [-2, 1, 9] {
        let mut request = fetch(&topic, "$t", 0, 0);
        request["replicaId"] = replica.into();
        request["replicaState"] = json!({ "replicaId": replica, "replicaEpoch": 1 });
        if replica < 0 {
            s.ask(ApiKey::Fetch, &request);
        }
    }
    let mut request = fetch(&topic, "$t", 0, 0);
    request["clusterId"] = "another".into();
    request["rackId"] = "nowhere".into();
    s.ask(ApiKey::Fetch, &request);
}

fn limits(s: &mut Session) {
    let topic = filled(s, "t", 4);
    s.prepare(ApiKey::Produce, &super::produce_to(&topic, "$t", -1, &[(1, batch(0, 5))]));
    for (all, each) in [(1, 1), (0, 0), (1000, 10), (250, 1000), (100, 300), (1000, 200), (10, 1_000_000), (-1, -1)] {
        let mut request = fetch(&topic, "$t", 0, 1);
        request["maxBytes"] = all.into();
        let partition = |index, offset| json!({ "partition": index, "fetchOffset": offset, "partitionMaxBytes": each });
        request["topics"][0]["partitions"] = json!([partition(0, 1), partition(1, 0)]);
        s.ask(ApiKey::Fetch, &request);
    }
    let big = s.topic("big", 1, &[]);
    let large = json!({ BATCH: { "records": [record("k", &"x".repeat(5000))] } });
    s.prepare(ApiKey::Produce, &produce(&big, "$big", -1, &large));
    s.prepare(ApiKey::Produce, &produce(&big, "$big", -1, &batch(0, 1)));
    for each in [1, 100, 5000, 10_000] {
        let mut request = fetch(&big, "$big", 0, 0);
        request["topics"][0]["partitions"][0]["partitionMaxBytes"] = each.into();
        s.ask(ApiKey::Fetch, &request);
    }
}

fn epochs(s: &mut Session) {
    let topic = filled(s, "t", 2);
    for (current, fetched) in [(0, -1), (-1, 0), (0, 0), (1, -1), (-1, 1), (5, 5), (-2, -1), (0, 7)] {
        for offset in [0, 6, 7] {
            let mut request = fetch(&topic, "$t", 0, offset);
            request["topics"][0]["partitions"][0]["currentLeaderEpoch"] = current.into();
            request["topics"][0]["partitions"][0]["lastFetchedEpoch"] = fetched.into();
            s.ask(ApiKey::Fetch, &request);
        }
    }
}

fn sessions(s: &mut Session) {
    if s.v() < 7 {
        return;
    }
    let topic = filled(s, "t", 2);
    let other = filled(s, "u", 1);
    let in_session = |id: Json, epoch: i32, topics: Json, forgotten: Json| {
        json!({ "maxWaitMs": 0, "minBytes": 0, "sessionId": id, "sessionEpoch": epoch, "topics": topics,
            "forgottenTopicsData": forgotten })
    };
    let part =
        |index: i32, offset: i64| json!({ "partition": index, "fetchOffset": offset, "partitionMaxBytes": 10_000 });
    let of = |name: &str, id: &str, partitions: Json| json!({ "topic": name, "topicId": id, "partitions": partitions });
    let all = json!([of(&topic, "$t", json!([part(0, 0), part(1, 0)])), of(&other, "$u", json!([part(0, 0)]))]);
    s.ask(ApiKey::Fetch, &in_session(json!(0), 0, all, json!([])));
    s.keep("session", "/sessionId");
    let id = json!("$session");
    // Nothing new: nothing is in the reply but what has records.
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 1, json!([]), json!([])));
    let moved = json!([of(&topic, "$t", json!([part(0, 6)])), of(&other, "$u", json!([part(0, 3)]))]);
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 2, moved, json!([])));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 3, json!([]), json!([])));
    s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &batch(6, 1)));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 4, json!([]), json!([])));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 4, json!([]), json!([])));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 9, json!([]), json!([])));
    let missing = json!([of(&s.name("missing"), UNKNOWN_ID, json!([part(0, 0)]))]);
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 5, missing, json!([])));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 6, json!([]), json!([])));
    let forget = json!([of(&topic, "$t", json!([0]))]);
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 7, json!([]), forget));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 8, json!([]), json!([])));
    s.ask(ApiKey::Fetch, &in_session(json!(12345), 1, json!([]), json!([])));
    s.ask(ApiKey::Fetch, &in_session(json!(0), 5, json!([]), json!([])));
    let bad = json!([of(&topic, "$t", json!([part(0, 99)]))]);
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 9, bad, json!([])));
    s.ask(ApiKey::Fetch, &in_session(id.clone(), 10, json!([]), json!([])));
    let again = json!([of(&topic, "$t", json!([part(0, 0)]))]);
    s.ask(ApiKey::Fetch, &in_session(id.clone(), -1, again, json!([])));
    s.ask(ApiKey::Fetch, &in_session(id, 11, json!([]), json!([])));
}

fn formats(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let mut one = batch(0, 3);
        one[BATCH]["compression"] = codec.into();
        one[BATCH]["records"][1]["h"] = json!([["header", "value"]]);
        s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &one));
    }
    for offset in [0, 1, 3, 5, 6, 9, 11, 12, 13] {
        s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 0, offset));
    }
    for each in [50, 200, 500] {
        let mut request = fetch(&topic, "$t", 0, 0);
        request["topics"][0]["partitions"][0]["partitionMaxBytes"] = each.into();
        s.ask(ApiKey::Fetch, &request);
    }
}

fn waits(s: &mut Session) {
    let topic = filled(s, "t", 1);
    // Waits for its time, gets what there is.
    let mut request = fetch(&topic, "$t", 0, 0);
    request["minBytes"] = 100_000.into();
    request["maxWaitMs"] = 50.into();
    s.ask(ApiKey::Fetch, &request);
    // Waits for a record.
    let mut request = fetch(&topic, "$t", 0, 3);
    request["maxWaitMs"] = 30_000.into();
    s.on("waiter").send(ApiKey::Fetch, &request);
    s.on_main().prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &batch(3, 1)));
    s.on("waiter").receive();
    // An error is told at once.
    let mut request = fetch(&topic, "$t", 0, 99);
    request["maxWaitMs"] = 30_000.into();
    s.ask(ApiKey::Fetch, &request);
}
