//! One log: what is written, read, looked up by time and deleted.

use proptest::prelude::*;
use serde_json::json;
use wire::ApiKey;

use crate::differential::records::{BATCH, TIMESTAMP};
use crate::differential::scenarios::{fetch, format, list_offset, produce_to};
use crate::differential::session::Session;

/// One request.
#[derive(Debug, Clone)]
pub enum Step {
    Produce { version: u8, partition: i32, times: Vec<i64>, codec: u8 },
    Fetch { version: u8, partition: i32, offset: i64, max_bytes: i32, committed: bool },
    ListOffsets { version: u8, partition: i32, timestamp: i64, committed: bool },
    DeleteRecords { version: u8, partition: i32, offset: i64 },
    LeaderEpoch { version: u8, partition: i32, current: i32, epoch: i32 },
}

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Two of the three partitions exist.
fn partition() -> impl Strategy<Value = i32> {
    prop_oneof![6 => 0..2, 1 => Just(2)]
}

fn step() -> impl Strategy<Value = Step> {
    let timestamp = prop_oneof![-3..0_i64, TIMESTAMP - 5..TIMESTAMP + 60];
    prop_oneof![
        4 => (any::<u8>(), partition(), prop::collection::vec(0..50_i64, 1..5), 0..5_u8)
            .prop_map(|(version, partition, times, codec)| Step::Produce { version, partition, times, codec }),
        4 => (any::<u8>(), partition(), -1..16_i64, prop_oneof![Just(1 << 20), 0..400], any::<bool>())
            .prop_map(|(version, partition, offset, max_bytes, committed)| {
                Step::Fetch { version, partition, offset, max_bytes, committed }
            }),
        2 => (any::<u8>(), partition(), timestamp, any::<bool>()).prop_map(|(version, partition, timestamp, committed)| {
            Step::ListOffsets { version, partition, timestamp, committed }
        }),
        1 => (any::<u8>(), partition(), -2..16_i64)
            .prop_map(|(version, partition, offset)| Step::DeleteRecords { version, partition, offset }),
        1 => (any::<u8>(), partition(), -1..2, -1..2).prop_map(|(version, partition, current, epoch)| {
            Step::LeaderEpoch { version, partition, current, epoch }
        }),
    ]
}

/// Sequences that begin with an empty topic.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 5..30)
}

/// Sends a sequence.
pub fn play(s: &mut Session, steps: &Vec<Step>) {
    let mut is_whole = true;
    let topic = s.topic("t", 2, &[("message.timestamp.after.max.ms", "3600000")]);
    for step in steps {
        match step {
            Step::Produce { version, partition, times, codec } => {
                let version = s.pick(ApiKey::Produce, *version);
                let records: Vec<_> =
                    times.iter().map(|time| json!({ "k": "key", "v": "value", "t": TIMESTAMP + time })).collect();
                // Brokers compress anew what comes in old formats, each with its own library.
                let codec = if format(version) < 2 { "none" } else { CODECS[usize::from(*codec)] };
                let batch = json!({ BATCH: { "records": records, "compression": codec, "magic": format(version) } });
                s.ask_version(ApiKey::Produce, version, &produce_to(&topic, "$t", -1, &[(*partition, batch)]));
            }
            Step::Fetch { version, partition, offset, max_bytes, committed } => {
                let mut request = fetch(&topic, "$t", *partition, *offset);
                request["topics"][0]["partitions"][0]["partitionMaxBytes"] = (*max_bytes).into();
                request["isolationLevel"] = u8::from(*committed).into();
                s.ask_version(ApiKey::Fetch, s.pick(ApiKey::Fetch, *version), &request);
            }
            // Kafka may name a deleted record as the one of the largest timestamp.
            Step::ListOffsets { timestamp: -3, .. } if !is_whole => {}
            Step::ListOffsets { version, partition, timestamp, committed } => {
                let mut request = list_offset(&topic, *partition, *timestamp);
                request["isolationLevel"] = u8::from(*committed).into();
                s.ask_version(ApiKey::ListOffsets, s.pick(ApiKey::ListOffsets, *version), &request);
            }
            Step::DeleteRecords { version, partition, offset } => {
                is_whole = false;
                let list = json!([{ "partitionIndex": partition, "offset": offset }]);
                let request = json!({ "timeoutMs": 30000, "topics": [{ "name": topic, "partitions": list }] });
                s.ask_version(ApiKey::DeleteRecords, s.pick(ApiKey::DeleteRecords, *version), &request);
            }
            Step::LeaderEpoch { version, partition, current, epoch } => {
                let one = json!({ "partition": partition, "currentLeaderEpoch": current, "leaderEpoch": epoch });
                let request = json!({ "replicaId": -1, "topics": [{ "topic": topic, "partitions": [one] }] });
                let version = s.pick(ApiKey::OffsetForLeaderEpoch, *version);
                s.ask_version(ApiKey::OffsetForLeaderEpoch, version, &request);
            }
        }
    }
}
