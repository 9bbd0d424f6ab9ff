//! Produce: what is accepted, what is refused and with which words.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{UNKNOWN_ID, fetch, produce, produce_to, scenario};
use crate::differential::records::{BATCH, TIMESTAMP, batch, record};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("produce-plain", ApiKey::Produce, plain),
    scenario("produce-refused", ApiKey::Produce, refused),
    scenario("produce-malformed", ApiKey::Produce, malformed),
    scenario("produce-formats", ApiKey::Produce, formats),
    scenario("produce-compressed", ApiKey::Produce, compressed),
    scenario("produce-recompressed", ApiKey::Produce, recompressed),
    scenario("produce-sizes", ApiKey::Produce, sizes),
    scenario("produce-compacted", ApiKey::Produce, compacted),
    scenario("produce-times", ApiKey::Produce, times),
    scenario("produce-append-time", ApiKey::Produce, append_time),
    scenario("produce-deleted", ApiKey::Produce, deleted),
];

/// The format of records that a version of the request carries.
pub fn format(version: i16) -> i64 {
    match version {
        0 | 1 => 0,
        2 => 1,
        _ => 2,
    }
}

/// Records in the format of the version in question.
pub fn of(s: &Session, records: &[Json]) -> Json {
    json!({ BATCH: { "magic": format(s.v()), "records": records } })
}

fn numbered(s: &Session, from: usize, count: usize) -> Json {
    let mut one = batch(from, count);
    one[BATCH]["magic"] = format(s.v()).into();
    one
}

/// Reads back all that a partition has.
pub fn read_back(s: &mut Session, topic: &str, id: &str) {
    s.ask(ApiKey::Fetch, &fetch(topic, id, 0, 0));
}

fn plain(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    for acks in [1, -1] {
        s.ask(ApiKey::Produce, &produce(&topic, "$t", acks, &numbered(s, 0, 1)));
        s.ask(ApiKey::Produce, &produce(&topic, "$t", acks, &numbered(s, 1, 3)));
    }
    s.ask(ApiKey::Produce, &produce_to(&topic, "$t", 1, &[(0, numbered(s, 4, 2)), (1, numbered(s, 6, 2))]));
    let headers = json!({ "k": "k", "v": "v", "h": [["a", "1"], ["a", null], ["", ""]] });
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &of(s, &[headers, json!({}), json!({ "k": "", "v": "" })])));
    s.send_unanswered(ApiKey::Produce, &produce(&topic, "$t", 0, &numbered(s, 8, 2)));
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &numbered(s, 10, 1)));
    s.ask(ApiKey::Produce, &json!({ "acks": 1, "timeoutMs": 1000 }));
    read_back(s, &topic, "$t");
}

fn refused(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let one = numbered(s, 0, 1);
    s.ask(ApiKey::Produce, &produce_to(&topic, "$t", 1, &[(0, one.clone()), (2, one.clone()), (-1, one.clone())]));
    s.ask(ApiKey::Produce, &produce(&s.name("missing"), UNKNOWN_ID, 1, &one));
    s.ask(ApiKey::Produce, &produce("", super::NO_ID, 1, &one));
    s.ask(ApiKey::Produce, &produce("not a name", UNKNOWN_ID, 1, &one));
    for acks in [2, -2, i16::MAX] {
        s.ask(ApiKey::Produce, &produce_to(&topic, "$t", acks, &[(0, one.clone()), (1, one.clone())]));
    }
    for internal in ["__consumer_offsets", "__transaction_state"] {
        s.prepare(ApiKey::Metadata, &json!({ "topics": [{ "name": internal }] }));
        s.keep("internal", "/topics/0/topicId");
        s.ask(ApiKey::Produce, &produce(internal, "$internal", 1, &one));
    }
    // A request without acks that fails closes the connection.
    s.send_unanswered(ApiKey::Produce, &produce(&s.name("missing"), UNKNOWN_ID, 0, &one));
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &one));
    s.close("main");
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &one));
    read_back(s, &topic, "$t");
}

fn malformed(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let version = s.v();
    let ask = |s: &mut Session, change: Json| {
        let mut one = json!({ "magic": format(version), "records": [record("a", "b"), record("c", "d")] });
        for (name, value) in change.as_object().into_iter().flatten() {
            one[name] = value.clone();
        }
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &json!({ BATCH: one })));
        // Some of these end the connection.
        s.close("main");
    };
    ask(s, json!({ "spoil": [[17, 1]] }));
    ask(s, json!({ "cut": 1 }));
    ask(s, json!({ "append": 1 }));
    ask(s, json!({ "append": 20 }));
    ask(s, json!({ "spoil": [[16, 3]] }));
    ask(s, json!({ "spoil": [[16, 1]] }));
    ask(s, json!({ "spoil": [[8, 255]] }));
    ask(s, json!({ "spoil": [[11, 1]] }));
    ask(s, json!({ "baseOffset": 7 }));
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &json!("")));
    if format(version) == 2 {
        ask(s, json!({ "set": [[60, 1]] }));
        ask(s, json!({ "set": [[60, 3]] }));
        ask(s, json!({ "set": [[60, 0]] }));
        ask(s, json!({ "set": [[57, 255]] }));
        ask(s, json!({ "set": [[26, 5]] }));
        ask(s, json!({ "set": [[23, 255]] }));
        ask(s, json!({ "set": [[22, 7]] }));
        ask(s, json!({ "set": [[61, 99]] }));
        ask(s, json!({ "control": true }));
        ask(s, json!({ "control": true, "transactional": true, "producerId": 1, "producerEpoch": 0 }));
        ask(s, json!({ "transactional": true }));
        ask(s, json!({ "appendTime": TIMESTAMP }));
        ask(s, json!({ "producerId": 77_777, "producerEpoch": -1 }));
        ask(s, json!({ "producerId": 77_777, "producerEpoch": 0 }));
        ask(s, json!({ "producerId": 77_777, "producerEpoch": 0, "baseSequence": 0 }));
        ask(s, json!({ "producerId": 77_777, "producerEpoch": 0, "baseSequence": 9 }));
        let two = json!({ BATCH: [{ "records": [record("a", "b")] }, { "records": [record("c", "d")] }] });
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &two));
        s.close("main");
    }
    read_back(s, &topic, "$t");
}

fn formats(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    for magic in 0..=2 {
        let mut one = batch(0, 2);
        one[BATCH]["magic"] = magic.into();
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &one));
        s.close("main");
    }
    let mixed = json!({ BATCH: [{ "magic": 1, "records": [record("a", "b")] }, { "records": [record("c", "d")] }] });
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &mixed));
    s.close("main");
    read_back(s, &topic, "$t");
}

fn with_codec(s: &mut Session, topic: &str, codec: &str) {
    let old = format(s.v()) < 2;
    if old && codec == "zstd" {
        return;
    }
    let mut one = batch(0, 20);
    one[BATCH]["magic"] = format(s.v()).into();
    one[BATCH]["compression"] = codec.into();
    s.ask(ApiKey::Produce, &produce(topic, "$t", 1, &one));
    s.close("main");
}

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

fn compressed(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    for codec in CODECS {
        with_codec(s, &topic, codec);
    }
    // Kafka decompresses all batches, ours where a setting of the topic asks for it.
    let strict = s.topic("strict", 1, &[("compression.type", "uncompressed")]);
    if format(s.v()) == 2 {
        // Compressed bytes that are none, of every codec.
        for codec in 1..=4 {
            let spoiled = json!({ BATCH: { "records": [record("a", "b")], "set": [[22, codec]] } });
            s.ask(ApiKey::Produce, &produce(&strict, "$strict", 1, &spoiled));
            s.close("main");
        }
        for codec in ["gzip", "lz4"] {
            let set = json!([[60, 9], [26, 8]]);
            let wrong = json!({ BATCH: { "records": [record("a", "b")], "compression": codec, "set": set } });
            s.ask(ApiKey::Produce, &produce(&strict, "$strict", 1, &wrong));
            s.close("main");
        }
    }
    s.ask(ApiKey::ListOffsets, &super::list_offset(&topic, 0, -1));
    s.ask(ApiKey::ListOffsets, &super::list_offset(&topic, 0, -3));
}

fn recompressed(s: &mut Session) {
    for to in ["uncompressed", "gzip", "lz4", "zstd", "snappy"] {
        let topic = s.topic(&format!("t{to}"), 1, &[("compression.type", to)]);
        s.prepare(ApiKey::Metadata, &json!({ "topics": [{ "name": topic }] }));
        s.keep("t", "/topics/0/topicId");
        for codec in CODECS {
            with_codec(s, &topic, codec);
        }
        // The sizes of batches differ with the library that compresses, so that only their records can be compared.
        s.ask(ApiKey::Fetch, &fetch(&topic, "$t", 0, 0));
    }
}

fn sizes(s: &mut Session) {
    let topic = s.topic("t", 1, &[("max.message.bytes", "300")]);
    for size in [100, 220, 231, 232, 300, 301, 1000] {
        let one = of(s, &[record("k", &"x".repeat(size))]);
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &one));
    }
    let mut small = of(s, &[record("k", &"x".repeat(2000))]);
    small[BATCH]["compression"] = "gzip".into();
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &small));
    s.ask(ApiKey::ListOffsets, &super::list_offset(&topic, 0, -1));
    if ![2, 3, 13].contains(&s.v()) {
        // Large requests take their time.
        return;
    }
    let tight = s.topic("tight", 1, &[("segment.bytes", "1048576"), ("max.message.bytes", "2000000")]);
    let one = of(s, &[record("k", &"x".repeat(1_048_400))]);
    s.ask(ApiKey::Produce, &produce(&tight, "$tight", 1, &one));
    let one = of(s, &[record("k", &"x".repeat(1_048_600))]);
    s.ask(ApiKey::Produce, &produce(&tight, "$tight", 1, &one));
}

fn compacted(s: &mut Session) {
    let topic = s.topic("t", 1, &[("cleanup.policy", "compact")]);
    let null = |value: &str| json!({ "v": value });
    for records in [
        vec![record("a", "1")],
        vec![null("2")],
        vec![record("a", "1"), null("2"), record("b", "3"), null("4")],
        vec![json!({ "k": "a" })],
        vec![json!({ "k": "", "v": "1" })],
    ] {
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &of(s, &records)));
        let mut compressed = of(s, &records);
        compressed[BATCH]["compression"] = "gzip".into();
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &compressed));
    }
    read_back(s, &topic, "$t");
}

fn times(s: &mut Session) {
    let bounds = [("message.timestamp.before.max.ms", "1000"), ("message.timestamp.after.max.ms", "1000")];
    let topic = s.topic("t", 1, &bounds);
    for timestamp in [TIMESTAMP, 4_000_000_000_000, -1, 0] {
        let records = [json!({ "k": "a", "v": "b", "t": timestamp }), json!({ "k": "c", "v": "d", "t": timestamp })];
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &of(s, &records)));
    }
    // The default is another one since 4.0.
    let free = s.topic("free", 1, &[("message.timestamp.after.max.ms", "3600000")]);
    // Old formats are converted before their times are looked at.
    let least = if format(s.v()) < 2 { -2 } else { i64::MIN };
    for timestamp in [TIMESTAMP, -1, 0, 4_000_000_000_000, i64::MAX, -2, least] {
        let records = [json!({ "k": "a", "v": "b", "t": timestamp })];
        s.ask(ApiKey::Produce, &produce(&free, "$free", 1, &of(s, &records)));
    }
    let records = [10, 30, 20].map(|later| json!({ "k": "a", "t": TIMESTAMP + later }));
    s.ask(ApiKey::Produce, &produce(&free, "$free", 1, &of(s, &records)));
    for timestamp in [-1, -2, -3, TIMESTAMP, TIMESTAMP + 20, TIMESTAMP + 31] {
        s.ask(ApiKey::ListOffsets, &super::list_offset(&free, 0, timestamp));
    }
    read_back(s, &free, "$free");
}

fn append_time(s: &mut Session) {
    let topic = s.topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &numbered(s, 0, 2)));
    for codec in ["gzip", "snappy"] {
        let mut one = numbered(s, 2, 2);
        one[BATCH]["compression"] = codec.into();
        s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &one));
    }
    read_back(s, &topic, "$t");
}

fn deleted(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &numbered(s, 0, 2)));
    s.prepare(ApiKey::DeleteTopics, &json!({ "topics": [{ "name": topic }], "timeoutMs": 30000 }));
    super::gone(s, &topic);
    s.ask(ApiKey::Produce, &produce(&topic, "$t", 1, &numbered(s, 2, 2)));
    let id_before = "$t";
    s.ask(ApiKey::Fetch, &fetch(&topic, id_before, 0, 0));
}
