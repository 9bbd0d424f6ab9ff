//! Transactions: every step in every version, in the right state and in wrong ones.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::group_offsets::fetch_request;
use super::idempotence::sequence;
use super::{LONG_MS, classic_groups, fetch, list_offset, produce, scenario};
use crate::differential::records::BATCH;
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("init-producer-id", ApiKey::InitProducerId, init),
    scenario("add-partitions-to-txn", ApiKey::AddPartitionsToTxn, add_partitions),
    scenario("add-offsets-to-txn", ApiKey::AddOffsetsToTxn, add_offsets),
    scenario("end-txn", ApiKey::EndTxn, end),
    scenario("end-txn-empty", ApiKey::EndTxn, end_empty),
    scenario("txn-offset-commit", ApiKey::TxnOffsetCommit, offset_commit),
    scenario("txn-produce", ApiKey::Produce, produce_in_transaction),
    scenario("txn-fetch", ApiKey::Fetch, read_committed),
    scenario("txn-list-offsets", ApiKey::ListOffsets, stable_offsets),
    scenario("write-txn-markers", ApiKey::WriteTxnMarkers, markers),
];

/// Waits for a transactional id's coordinator and takes a producer id, kept as `$pid`, its epoch as `$epoch`.
pub fn begin(s: &mut Session, name: &str) -> String {
    let id = s.name(name);
    let request = json!({ "transactionalId": id, "transactionTimeoutMs": LONG_MS });
    s.prepare_until(ApiKey::InitProducerId, &request, |reply| {
        let code = reply["errorCode"].as_i64();
        code.is_some_and(|code| ![14, 15, 16, 51].contains(&code))
    });
    s.keep("pid", "/producerId");
    s.keep("epoch", "/producerEpoch");
    id
}

/// Adds partitions, in the words of old versions and of new ones.
pub fn add_request(id: &str, pid: Json, epoch: Json, topics: &[(&str, &[i32])]) -> Json {
    let topics: Vec<Json> =
        topics.iter().map(|(name, partitions)| json!({ "name": name, "partitions": partitions })).collect();
    json!({
        "v3AndBelowTransactionalId": id, "v3AndBelowProducerId": pid, "v3AndBelowProducerEpoch": epoch,
        "v3AndBelowTopics": topics,
        "transactions": [{ "transactionalId": id, "producerId": pid, "producerEpoch": epoch, "topics": topics }],
    })
}

/// Adds partitions as clients do, in a version of theirs.
pub fn add(s: &mut Session, id: &str, topics: &[(&str, &[i32])]) {
    let request = add_request(id, json!("$pid"), json!("$epoch"), topics);
    s.ask_version(ApiKey::AddPartitionsToTxn, 3, &request);
}

/// Ends the transaction, of the first protocol.
pub fn finish(s: &mut Session, id: &str, committed: bool) {
    let request =
        json!({ "transactionalId": id, "producerId": "$pid", "producerEpoch": "$epoch", "committed": committed });
    let version = s.version(ApiKey::EndTxn).min(4);
    s.ask_version(ApiKey::EndTxn, version, &request);
}

/// Produces in the transaction.
pub fn records(topic: &str, id: &str, txn: &str, from: i64, count: usize) -> Json {
    let mut batch = sequence(0, from, count);
    batch[BATCH]["transactional"] = true.into();
    batch[BATCH]["producerEpoch"] = "$epoch".into();
    let mut request = produce(topic, id, -1, &batch);
    request["transactionalId"] = txn.into();
    request
}

fn wait_until_stable(s: &mut Session, topic: &str, partition: i32, end: i64) {
    let mut request = list_offset(topic, partition, -1);
    request["isolationLevel"] = 1.into();
    s.prepare_until(ApiKey::ListOffsets, &request, |reply| {
        reply.pointer("/topics/0/partitions/0/offset").and_then(Json::as_i64) == Some(end)
    });
}

fn init(s: &mut Session) {
    let id = begin(s, "x");
    let ask = |s: &mut Session, change: Json| {
        let mut request = json!({ "transactionalId": id, "transactionTimeoutMs": LONG_MS });
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(ApiKey::InitProducerId, &request);
    };
    ask(s, json!({}));
    s.keep("pid", "/producerId");
    s.keep("epoch", "/producerEpoch");
    for change in [
        json!({ "transactionTimeoutMs": 0 }),
        json!({ "transactionTimeoutMs": -1 }),
        json!({ "transactionTimeoutMs": 600_001 }),
        json!({ "producerId": "$pid", "producerEpoch": "$epoch" }),
        json!({ "producerId": "$pid", "producerEpoch": "$epoch" }),
        json!({ "producerId": "$pid", "producerEpoch": 77 }),
        json!({ "producerId": 987_654, "producerEpoch": 0 }),
        json!({ "producerId": "$pid", "producerEpoch": -1 }),
        json!({ "producerEpoch": 2 }),
        json!({ "transactionTimeoutMs": 30_000 }),
    ] {
        ask(s, change);
    }
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    // A transaction is open: a new producer aborts it first.
    let topic = s.topic("t", 1, &[]);
    ask(s, json!({}));
    s.keep("pid", "/producerId");
    s.keep("epoch", "/producerEpoch");
    add(s, &id, &[(&topic, &[0])]);
    let request = json!({ "transactionalId": id, "transactionTimeoutMs": LONG_MS });
    s.ask(ApiKey::InitProducerId, &request);
    add(s, &id, &[(&topic, &[0])]);
    finish(s, &id, true);
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
}

fn add_partitions(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let id = begin(s, "x");
    let missing = s.name("missing");
    let api = ApiKey::AddPartitionsToTxn;
    let epoch = json!("$epoch");
    let pid = json!("$pid");
    s.ask(api, &add_request(&id, pid.clone(), epoch.clone(), &[(&topic, &[0])]));
    s.ask(api, &add_request(&id, pid.clone(), epoch.clone(), &[(&topic, &[0, 1])]));
    s.ask(api, &add_request(&id, pid.clone(), epoch.clone(), &[(&topic, &[0, 5]), (&missing, &[0])]));
    s.ask(api, &add_request(&id, pid.clone(), epoch.clone(), &[]));
    s.ask(api, &add_request(&id, pid.clone(), epoch.clone(), &[("__consumer_offsets", &[0])]));
    s.ask(api, &add_request(&id, pid.clone(), json!(77), &[(&topic, &[0])]));
    s.ask(api, &add_request(&id, json!(987_654), epoch.clone(), &[(&topic, &[0])]));
    s.ask(api, &add_request(&missing, pid.clone(), epoch.clone(), &[(&topic, &[0])]));
    s.ask(api, &add_request("", pid, epoch.clone(), &[(&topic, &[0])]));
    if s.v() >= 4 {
        for (partitions, producer) in [(&[0][..], "$pid"), (&[0, 1], "$pid")] {
            let mut request = add_request(&id, json!(producer), epoch.clone(), &[(&topic, partitions)]);
            request["transactions"][0]["verifyOnly"] = true.into();
            s.ask(api, &request);
        }
        // Kafka leaves a request for no transaction unanswered.
    }
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    finish(s, &id, false);
}

fn add_offsets(s: &mut Session) {
    let group = classic_groups::group(s, "g");
    let id = begin(s, "x");
    let ask = |s: &mut Session, change: Json| {
        let mut request =
            json!({ "transactionalId": id, "producerId": "$pid", "producerEpoch": "$epoch", "groupId": group });
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(ApiKey::AddOffsetsToTxn, &request);
    };
    for change in [
        json!({}),
        json!({}),
        json!({ "groupId": "" }),
        json!({ "producerEpoch": 77 }),
        json!({ "producerId": 987_654 }),
        json!({ "transactionalId": "" }),
        json!({ "transactionalId": s.name("missing") }),
    ] {
        ask(s, change);
    }
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    finish(s, &id, true);
}

fn end(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let id = begin(s, "x");
    let mut sequence = 0;
    let mut end = 0;
    for committed in [true, false] {
        add(s, &id, &[(&topic, &[0])]);
        let request = records(&topic, "$t", &id, sequence, 2);
        s.ask(ApiKey::Produce, &request);
        let ask = |s: &mut Session, change: Json| {
            let mut request = json!({ "transactionalId": id, "producerId": "$pid", "producerEpoch": "$epoch",
                "committed": committed });
            for (name, value) in change.as_object().into_iter().flatten() {
                request[name] = value.clone();
            }
            s.ask(ApiKey::EndTxn, &request)
        };
        ask(s, json!({ "producerEpoch": 77 }));
        ask(s, json!({ "producerId": 987_654 }));
        ask(s, json!({ "transactionalId": "" }));
        ask(s, json!({ "transactionalId": s.name("missing") }));
        let reply = ask(s, json!({}));
        end += 3;
        sequence += 2;
        wait_until_stable(s, &topic, 0, end);
        // Again, with the epoch that was and with the one that is.
        ask(s, json!({}));
        ask(s, json!({ "committed": !committed }));
        if s.v() >= 5 && reply["errorCode"] == 0 {
            // Version 5 raises the epoch; the sequence begins anew with it.
            s.prepare(ApiKey::InitProducerId, &json!({ "transactionalId": id, "transactionTimeoutMs": LONG_MS }));
            s.keep("epoch", "/producerEpoch");
            s.keep("pid", "/producerId");
            sequence = 0;
        }
        s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    }
    let mut request = fetch(&topic, "$t", 0, 0);
    request["isolationLevel"] = 1.into();
    s.ask(ApiKey::Fetch, &request);
}

fn end_empty(s: &mut Session) {
    let id = begin(s, "x");
    for committed in [true, false] {
        let request =
            json!({ "transactionalId": id, "producerId": "$pid", "producerEpoch": "$epoch", "committed": committed });
        s.ask(ApiKey::EndTxn, &request);
        s.ask(ApiKey::EndTxn, &request);
    }
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
}

fn offset_commit(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let group = classic_groups::stable(s, "g");
    let id = begin(s, "x");
    let ask = |s: &mut Session, change: Json| {
        let partition = |index: i32, offset: i64| {
            json!({ "partitionIndex": index, "committedOffset": offset,
            "committedMetadata": "m", "committedLeaderEpoch": 0 })
        };
        let mut request = json!({
            "transactionalId": id, "groupId": group, "producerId": "$pid", "producerEpoch": "$epoch",
            "generationId": -1, "memberId": "",
            "topics": [{ "name": topic, "partitions": [partition(0, 5), partition(1, 6)] }],
        });
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(ApiKey::TxnOffsetCommit, &request);
    };
    // Without the group in the transaction: only version 5 adds it by itself.
    ask(s, json!({}));
    s.ask_version(
        ApiKey::AddOffsetsToTxn,
        3,
        &json!({ "transactionalId": id, "producerId": "$pid",
        "producerEpoch": "$epoch", "groupId": group }),
    );
    let missing = s.name("missing");
    for change in [
        json!({}),
        json!({ "generationId": 1, "memberId": "$m" }),
        json!({ "generationId": 2, "memberId": "$m" }),
        json!({ "generationId": 1, "memberId": "stranger" }),
        json!({ "generationId": 1, "memberId": "$m", "groupInstanceId": "stranger" }),
        json!({ "producerEpoch": 77 }),
        json!({ "producerId": 987_654 }),
        json!({ "groupId": "" }),
        json!({ "transactionalId": "" }),
        json!({ "transactionalId": missing }),
        json!({ "topics": [] }),
        json!({ "topics": [{ "name": missing, "partitions": [{ "partitionIndex": 0, "committedOffset": 1 }] }] }),
        json!({ "topics": [{ "name": topic, "partitions": [{ "partitionIndex": 9, "committedOffset": 1 }] }] }),
        json!({ "topics": [{ "name": topic, "partitions": [
            { "partitionIndex": 0, "committedOffset": 1, "committedMetadata": "x".repeat(5000) } ]}]}),
    ] {
        ask(s, change);
    }
    let mut request = fetch_request(&group, Some(&[(&topic, "$t", &[0, 1])]));
    s.ask(ApiKey::OffsetFetch, &request);
    request["requireStable"] = true.into();
    s.ask(ApiKey::OffsetFetch, &request);
    finish(s, &id, true);
    s.until(ApiKey::OffsetFetch, &request, |reply| {
        reply.pointer("/groups/0/topics/0/partitions/0/errorCode") == Some(&json!(0))
    });
}

fn produce_in_transaction(s: &mut Session) {
    if s.v() < 3 {
        return;
    }
    let topic = s.topic("t", 2, &[]);
    let id = begin(s, "x");
    // Not added: only version 12 adds it by itself.
    s.ask(ApiKey::Produce, &records(&topic, "$t", &id, 0, 1));
    add(s, &id, &[(&topic, &[0])]);
    s.ask(ApiKey::Produce, &records(&topic, "$t", &id, 0, 2));
    let mut plain = sequence(0, 2, 1);
    plain[BATCH]["producerEpoch"] = "$epoch".into();
    s.ask(ApiKey::Produce, &produce(&topic, "$t", -1, &plain));
    let mut nameless = records(&topic, "$t", &id, 2, 1);
    nameless["transactionalId"] = Json::Null;
    s.ask(ApiKey::Produce, &nameless);
    let mut misnamed = records(&topic, "$t", &id, 2, 1);
    misnamed["transactionalId"] = s.name("missing").into();
    s.ask(ApiKey::Produce, &misnamed);
    let mut stale = records(&topic, "$t", &id, 2, 1);
    stale["topicData"][0]["partitionData"][0]["records"][BATCH]["producerEpoch"] = (-1).into();
    s.ask(ApiKey::Produce, &stale);
    let mut future = records(&topic, "$t", &id, 2, 1);
    future["topicData"][0]["partitionData"][0]["records"][BATCH]["producerEpoch"] = 77.into();
    s.ask(ApiKey::Produce, &future);
    let acked = |acks: i16| {
        let mut request = records(&topic, "$t", &id, 2, 1);
        request["acks"] = acks.into();
        request
    };
    s.ask(ApiKey::Produce, &acked(1));
    s.agree(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": topic, "partitionIndexes": [0, 1] }] }));
    s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    finish(s, &id, true);
}

fn read_committed(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let id = begin(s, "x");
    let mut sequence = 0;
    let mut end = 0;
    for (committed, count) in [(true, 2), (false, 3), (false, 1), (true, 1), (false, 2)] {
        add(s, &id, &[(&topic, &[0])]);
        s.prepare(ApiKey::Produce, &records(&topic, "$t", &id, sequence, count));
        s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &crate::differential::records::batch(end, 1)));
        sequence += count as i64;
        finish(s, &id, committed);
        end += count + 2;
        wait_until_stable(s, &topic, 0, end as i64);
    }
    // One is left open.
    add(s, &id, &[(&topic, &[0])]);
    s.prepare(ApiKey::Produce, &records(&topic, "$t", &id, sequence, 2));
    s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &crate::differential::records::batch(end, 1)));
    for level in [0, 1] {
        for offset in [0, 2, 4, 5, 8, 12, 15, end as i64, end as i64 + 1, end as i64 + 3] {
            let mut request = fetch(&topic, "$t", 0, offset);
            request["isolationLevel"] = level.into();
            s.ask(ApiKey::Fetch, &request);
        }
        let mut request = fetch(&topic, "$t", 0, 0);
        request["isolationLevel"] = level.into();
        request["topics"][0]["partitions"][0]["partitionMaxBytes"] = 200.into();
        s.ask(ApiKey::Fetch, &request);
    }
    finish(s, &id, true);
}

fn stable_offsets(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let id = begin(s, "x");
    s.prepare(ApiKey::Produce, &produce(&topic, "$t", -1, &crate::differential::records::batch(0, 2)));
    add(s, &id, &[(&topic, &[0])]);
    s.prepare(ApiKey::Produce, &records(&topic, "$t", &id, 0, 2));
    for level in [0, 1] {
        for timestamp in [-1, -2, -3, 0, crate::differential::records::TIMESTAMP] {
            let mut request = list_offset(&topic, 0, timestamp);
            request["isolationLevel"] = level.into();
            s.ask(ApiKey::ListOffsets, &request);
        }
    }
    finish(s, &id, false);
    let mut request = list_offset(&topic, 0, -1);
    request["isolationLevel"] = 1.into();
    wait_until_stable(s, &topic, 0, 5);
    s.ask(ApiKey::ListOffsets, &request);
}

fn markers(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    let id = begin(s, "x");
    add(s, &id, &[(&topic, &[0, 1])]);
    s.prepare(ApiKey::Produce, &records(&topic, "$t", &id, 0, 1));
    let marker = |name: &str, partitions: &[i32], epoch: Json, coordinator: i32, commit: bool| {
        json!({ "markers": [{ "producerId": "$pid", "producerEpoch": epoch, "transactionResult": commit,
            "coordinatorEpoch": coordinator, "topics": [{ "name": name, "partitionIndexes": partitions }] }] })
    };
    let api = ApiKey::WriteTxnMarkers;
    s.ask(api, &json!({ "markers": [] }));
    s.ask(api, &marker(&missing, &[0], json!("$epoch"), 0, true));
    s.ask(api, &marker(&topic, &[9], json!("$epoch"), 0, true));
    s.ask(api, &marker(&topic, &[0, 1], json!("$epoch"), 0, false));
    s.ask(api, &marker(&topic, &[0], json!("$epoch"), -1, false));
    s.ask(api, &marker(&topic, &[0], json!(-1), 0, false));
    s.ask(api, &marker(&topic, &[0], json!(0), 0, false));
    s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 0, 0));
    s.agree(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": topic, "partitionIndexes": [0, 1] }] }));
}
