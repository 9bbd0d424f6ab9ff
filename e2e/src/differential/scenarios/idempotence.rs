//! Idempotent producers: sequences, epochs, duplicates.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::produce::format;
use super::{produce, scenario};
use crate::differential::records::{BATCH, record};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("idempotent-sequences", ApiKey::Produce, sequences),
    scenario("idempotent-epochs", ApiKey::Produce, epochs),
    scenario("idempotent-ids", ApiKey::InitProducerId, ids),
];

/// `count` records of the producer kept as `$pid`, from that sequence number on.
pub fn sequence(epoch: i64, from: i64, count: usize) -> Json {
    let records: Vec<Json> = (0..count).map(|index| record("k", &(from + index as i64).to_string())).collect();
    json!({ BATCH: { "producerId": "$pid", "producerEpoch": epoch, "baseSequence": from, "records": records } })
}

fn sequences(s: &mut Session) {
    if format(s.v()) < 2 {
        return;
    }
    let topic = s.topic("t", 2, &[]);
    s.prepare(ApiKey::InitProducerId, &json!({ "transactionTimeoutMs": 1000 }));
    s.keep("pid", "/producerId");
    let ask = |s: &mut Session, epoch, from, count| {
        s.ask(ApiKey::Produce, &produce(&topic, "$t", -1, &sequence(epoch, from, count)));
    };
    for (from, count) in [
        (0, 1),
        (0, 1),
        (1, 2),
        (1, 2),
        (0, 1),
        (1, 1),
        (2, 2),
        (5, 1),
        (3, 1),
        (4, 1),
        (5, 1),
        (6, 1),
        (7, 1),
        (8, 1),
        (3, 1),
        (0, 1),
        (2_147_483_647, 1),
        (4, 1),
        (5, 1),
        (9, 3),
        (9, 2),
        (9, 3),
        (10, 1),
    ] {
        ask(s, 0, from, count);
    }
    s.prepare(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": topic, "partitionIndexes": [0, 1] }] }));
    let request = json!({ "topics": [{ "name": topic, "partitionIndexes": [0, 1] }] });
    s.ask(ApiKey::DescribeProducers, &request);
    // A producer that the partition does not know begins anywhere.
    let request = super::produce_to(&topic, "$t", -1, &[(1, sequence(0, 7, 1))]);
    s.ask(ApiKey::Produce, &request);
    let request = super::produce_to(&topic, "$t", -1, &[(1, sequence(0, 2_147_483_647, 2))]);
    s.ask(ApiKey::Produce, &request);
    super::produce::read_back(s, &topic, "$t");
}

fn epochs(s: &mut Session) {
    if format(s.v()) < 2 {
        return;
    }
    let topic = s.topic("t", 1, &[]);
    s.prepare(ApiKey::InitProducerId, &json!({ "transactionTimeoutMs": 1000 }));
    s.keep("pid", "/producerId");
    for (epoch, from) in [(0, 0), (0, 1), (2, 1), (2, 0), (1, 0), (0, 2), (2, 1), (-1, 0), (3, 0), (32767, 0), (0, 0)] {
        s.ask(ApiKey::Produce, &produce(&topic, "$t", -1, &sequence(epoch, from, 1)));
    }
    super::produce::read_back(s, &topic, "$t");
}

fn ids(s: &mut Session) {
    let api = ApiKey::InitProducerId;
    s.ask(api, &json!({ "transactionTimeoutMs": 1000 }));
    s.keep("pid", "/producerId");
    s.ask(api, &json!({ "transactionTimeoutMs": 0 }));
    s.ask(api, &json!({ "transactionTimeoutMs": -5 }));
    s.ask(api, &json!({ "transactionTimeoutMs": 1000, "producerId": "$pid", "producerEpoch": 0 }));
    s.ask(api, &json!({ "transactionTimeoutMs": 1000, "producerId": "$pid", "producerEpoch": 32767 }));
    s.ask(api, &json!({ "transactionTimeoutMs": 1000, "producerId": "$pid" }));
    s.ask(api, &json!({ "transactionTimeoutMs": 1000, "producerEpoch": 3 }));
    s.ask(api, &json!({ "transactionTimeoutMs": 1000, "transactionalId": "" }));
}
