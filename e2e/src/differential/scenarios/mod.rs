//! Hand-written sequences, by what they are about.

pub(super) mod classic_groups;
mod cluster;
mod configs;
pub(super) mod consumer_groups;
mod fetch;
mod fresh;
pub(super) mod group_offsets;
mod idempotence;
mod log;
mod metadata;
mod partitions;
mod produce;
mod security;
mod topics;
mod transaction_queries;
pub(super) mod transactions;

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::session::Session;
use super::suite::Scenario;
pub(super) use produce::format;

/// All of them.
pub fn all() -> impl Iterator<Item = Scenario> {
    [
        cluster::SCENARIOS,
        metadata::SCENARIOS,
        topics::SCENARIOS,
        partitions::SCENARIOS,
        configs::SCENARIOS,
        produce::SCENARIOS,
        idempotence::SCENARIOS,
        fetch::SCENARIOS,
        log::SCENARIOS,
        classic_groups::SCENARIOS,
        group_offsets::SCENARIOS,
        consumer_groups::SCENARIOS,
        transactions::SCENARIOS,
        transaction_queries::SCENARIOS,
        security::SCENARIOS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Names the clusters, asks what only a new broker can be asked, and has both brokers make their internal topics, as a client that asks for a coordinator does.
pub fn prepare(s: &mut Session) {
    s.ask(ApiKey::DescribeCluster, &json!({}));
    fresh::all(s);
    for kind in [0, 1] {
        let request = json!({ "keyType": kind, "coordinatorKeys": ["a", "b", "c", "d", "e", "f", "g"] });
        s.prepare_until(ApiKey::FindCoordinator, &request, |reply| {
            (0..7).all(|index| reply.pointer(&format!("/coordinators/{index}/errorCode")) == Some(&json!(0)))
        });
    }
}

const fn scenario(name: &'static str, api: ApiKey, run: fn(&mut Session)) -> Scenario {
    Scenario { name, api, run }
}

/// Time-outs of members and transactions: none of them passes while scenarios run, on one broker before the other.
pub(super) const LONG_MS: i32 = 600_000;
/// An id that nothing has.
const UNKNOWN_ID: &str = "Zm9vYmFyZm9vYmFyMTIzNA";
/// The id of nothing.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A Produce request to partition 0 of a topic by name, or by its kept id.
pub(super) fn produce(topic: &str, id: &str, acks: i16, records: &Json) -> Json {
    produce_to(topic, id, acks, &[(0, records.clone())])
}

/// A Produce request to several partitions.
pub(super) fn produce_to(topic: &str, id: &str, acks: i16, partitions: &[(i32, Json)]) -> Json {
    let data: Vec<Json> =
        partitions.iter().map(|(index, records)| json!({ "index": index, "records": records })).collect();
    json!({
        "acks": acks, "timeoutMs": 30000,
        "topicData": [{ "name": topic, "topicId": id, "partitionData": data }],
    })
}

/// A Fetch request of one partition, by name or kept id, that does not wait.
pub(super) fn fetch(topic: &str, id: &str, partition: i32, offset: i64) -> Json {
    json!({
        "maxWaitMs": 0, "minBytes": 1, "topics": [{ "topic": topic, "topicId": id, "partitions": [
            { "partition": partition, "fetchOffset": offset, "partitionMaxBytes": 1_048_576 },
        ]}],
    })
}

/// A ListOffsets request of one partition.
pub(super) fn list_offset(topic: &str, partition: i32, timestamp: i64) -> Json {
    json!({ "replicaId": -1, "topics": [{ "name": topic, "partitions": [
        { "partitionIndex": partition, "timestamp": timestamp, "maxNumOffsets": 10 },
    ]}]})
}

/// Bytes of a text, as a request's JSON has them.
pub(super) fn bytes(text: &[u8]) -> Json {
    json!(wire::json::base64(text, false))
}

/// A consumer's subscription, version 0 of `ConsumerProtocolSubscription` behind its version.
pub(super) fn subscription(topics: &[&str]) -> Json {
    let mut out = vec![0, 0];
    out.extend((topics.len() as u32).to_be_bytes());
    for topic in topics {
        out.extend((topic.len() as u16).to_be_bytes());
        out.extend(topic.as_bytes());
    }
    out.extend((-1_i32).to_be_bytes());
    bytes(&out)
}

/// Waits until nobody knows the topic any more.
pub(super) fn gone(s: &mut Session, topic: &str) {
    let request = json!({ "topics": [{ "name": topic }], "allowAutoTopicCreation": false });
    s.prepare_until(ApiKey::Metadata, &request, |reply| reply.pointer("/topics/0/errorCode") == Some(&json!(3)));
}
