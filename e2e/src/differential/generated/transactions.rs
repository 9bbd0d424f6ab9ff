//! Two transactional producers, one topic and one group: every step of a transaction, in the right state and in wrong ones,
//! with epochs and sequence numbers that are right, late and early.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wire::ApiKey;

use crate::differential::records::{BATCH, record};
use crate::differential::scenarios::classic_groups::group;
use crate::differential::scenarios::group_offsets::fetch_request;
use crate::differential::scenarios::transactions::add_request;
use crate::differential::scenarios::{LONG_MS, fetch, list_offset, produce_to};
use crate::differential::session::Session;

/// Producer ids of the two producers, as requests name them.
const PIDS: [&str; 2] = ["$pid0", "$pid1"];
/// The last version of EndTxn that gives no new epoch: what clients send while version 1 of the protocol is spoken.
const LAST_WITHOUT_EPOCH: i16 = 4;
/// Partitions of the topic.
const PARTITIONS: i32 = 2;

/// Who a producer says it is when it takes its producer id anew.
#[derive(Debug, Clone, Copy)]
pub enum Claim {
    Nothing,
    Own,
    Late,
    Early,
    Stranger,
}

/// One request. `who` is the producer, `early` how far its epoch is ahead of the one it has.
#[derive(Debug, Clone)]
pub enum Step {
    Init { version: u8, who: usize, claim: Claim },
    Add { version: u8, who: usize, early: i64, partitions: Vec<i32> },
    AddBoth { version: u8, partition: i32, verify: (bool, bool) },
    AddOffsets { version: u8, who: usize, early: i64 },
    Commit { version: u8, who: usize, early: i64, partition: i32, offset: i64 },
    Produce { version: u8, who: usize, early: i64, partition: i32, count: usize, skipped: i64, transactional: bool },
    End { version: u8, who: usize, early: i64, committed: bool },
    Marker { version: u8, who: usize, early: i64, partition: i32, committed: bool },
    Describe { version: u8 },
    List { version: u8, who: usize },
    Producers { version: u8 },
    Fetch { version: u8, partition: i32, offset: i64 },
    ListOffsets { version: u8, partition: i32 },
    Offsets { version: u8, stable: bool },
    DeleteOffsets { partition: i32 },
}

fn step() -> impl Strategy<Value = Step> {
    // The newest as often as all others: they have most to tell.
    let version = || prop_oneof![any::<u8>(), Just(u8::MAX)];
    let who = || 0..PIDS.len();
    let early = || prop_oneof![8 => Just(0), 1 => -2..2_i64];
    let partition = || prop_oneof![8 => 0..PARTITIONS, 1 => Just(PARTITIONS)];
    let claim = prop_oneof![
        3 => Just(Claim::Nothing),
        3 => Just(Claim::Own),
        1 => Just(Claim::Late),
        1 => Just(Claim::Early),
        1 => Just(Claim::Stranger),
    ];
    let skipped = prop_oneof![8 => Just(0), 1 => -3..3_i64];
    prop_oneof![
        3 => (version(), who(), claim).prop_map(|(version, who, claim)| Step::Init { version, who, claim }),
        3 => (version(), who(), early(), prop::collection::vec(partition(), 1..3))
            .prop_map(|(version, who, early, partitions)| Step::Add { version, who, early, partitions }),
        1 => (version(), partition(), any::<(bool, bool)>())
            .prop_map(|(version, partition, verify)| Step::AddBoth { version, partition, verify }),
        2 => (version(), who(), early()).prop_map(|(version, who, early)| Step::AddOffsets { version, who, early }),
        3 => (version(), who(), early(), 0..PARTITIONS, 0..9_i64).prop_map(|(version, who, early, partition, offset)| {
            Step::Commit { version, who, early, partition, offset }
        }),
        8 => (version(), who(), early(), partition(), 1..4_usize, skipped, prop_oneof![9 => Just(true), 1 => Just(false)])
            .prop_map(|(version, who, early, partition, count, skipped, transactional)| {
                Step::Produce { version, who, early, partition, count, skipped, transactional }
            }),
        6 => (version(), who(), early(), any::<bool>())
            .prop_map(|(version, who, early, committed)| Step::End { version, who, early, committed }),
        // One of a later epoch would keep the coordinator's own out for good.
        1 => (version(), who(), prop_oneof![4 => Just(0), 1 => Just(-1)], 0..PARTITIONS, any::<bool>()).prop_map(
            |(version, who, early, partition, committed)| Step::Marker { version, who, early, partition, committed }
        ),
        1 => version().prop_map(|version| Step::Describe { version }),
        1 => (version(), who()).prop_map(|(version, who)| Step::List { version, who }),
        1 => version().prop_map(|version| Step::Producers { version }),
        2 => (version(), 0..PARTITIONS, 0..9_i64)
            .prop_map(|(version, partition, offset)| Step::Fetch { version, partition, offset }),
        1 => (version(), 0..PARTITIONS).prop_map(|(version, partition)| Step::ListOffsets { version, partition }),
        2 => (version(), any::<bool>()).prop_map(|(version, stable)| Step::Offsets { version, stable }),
        1 => (0..PARTITIONS).prop_map(|partition| Step::DeleteOffsets { partition }),
    ]
}

/// Sequences that begin with two producers and nothing written.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 8..45)
}

/// Has both brokers speak that version of the transaction protocol from now on.
pub fn speak(s: &mut Session, level: i16) {
    // Up or down without loss: whichever it is not, is refused.
    for kind in [1, 2] {
        let update = json!({ "feature": "transaction.version", "maxVersionLevel": level, "upgradeType": kind });
        s.prepare(ApiKey::UpdateFeatures, &json!({ "timeoutMs": 30000, "featureUpdates": [update] }));
    }
    s.prepare_until(
        ApiKey::ApiVersions,
        &json!({ "clientSoftwareName": "t", "clientSoftwareVersion": "1" }),
        |reply| {
            let features = reply["finalizedFeatures"].as_array().cloned().unwrap_or_default();
            let found = features.iter().find(|one| one["name"] == "transaction.version");
            found.map_or(0, |one| one["maxVersionLevel"].as_i64().unwrap_or_default()) == i64::from(level)
        },
    );
}

/// A producer as it sees itself.
#[derive(Debug, Default, Clone)]
struct Producer {
    id: String,
    epoch: i64,
    /// The next sequence number of each partition.
    next: [i64; PARTITIONS as usize + 1],
}

impl Producer {
    /// It is told its producer id and epoch.
    fn is_now(&mut self, s: &mut Session, who: usize, reply: &Json) {
        if let (0, Some(epoch @ 0..)) =
            (reply["errorCode"].as_i64().unwrap_or_default(), reply["producerEpoch"].as_i64())
        {
            s.keep(&PIDS[who][1..], "/producerId");
            self.epoch = epoch;
            self.next = Default::default();
        }
    }
}

/// Waits until no transaction is being ended: what comes next would be answered by chance.
fn settle(s: &mut Session, producers: &[Producer]) {
    let ids: Vec<&str> = producers.iter().map(|producer| producer.id.as_str()).collect();
    s.prepare_until(ApiKey::DescribeTransactions, &json!({ "transactionalIds": ids }), |reply| {
        let states = reply["transactionStates"].as_array().cloned().unwrap_or_default();
        states.iter().all(|one| !one["transactionState"].as_str().unwrap_or_default().starts_with("Prepare"))
    });
}

/// Sends a sequence, and looks at what it left. `level` is the version of the protocol that is spoken.
pub fn play(s: &mut Session, steps: &Vec<Step>, level: i16) {
    let topic = s.topic("t", PARTITIONS, &[]);
    let group = group(s, "g");
    let mut producers: Vec<Producer> =
        ["x0", "x1"].iter().map(|name| Producer { id: s.name(name), ..Producer::default() }).collect();
    for who in 0..PIDS.len() {
        // Its coordinator's partition is there a moment after the topic.
        let request = json!({ "transactionalId": producers[who].id, "transactionTimeoutMs": LONG_MS });
        s.prepare_until(ApiKey::InitProducerId, &request, |reply| reply["errorCode"] == 0);
        init(s, &mut producers, who, u8::MAX, Claim::Nothing);
    }
    for step in steps {
        match step {
            Step::End { version, who, early, committed } => {
                end(s, &mut producers, level, (*version, *who, *early, *committed));
            }
            _ => change(s, &topic, &group, &mut producers, step),
        }
        look(s, &topic, &group, &producers, step);
    }
    for step in [Step::Describe { version: u8::MAX }, Step::Producers { version: u8::MAX }] {
        look(s, &topic, &group, &producers, &step);
    }
    for partition in 0..PARTITIONS {
        look(s, &topic, &group, &producers, &Step::Fetch { version: u8::MAX, partition, offset: 0 });
        look(s, &topic, &group, &producers, &Step::ListOffsets { version: u8::MAX, partition });
    }
    look(s, &topic, &group, &producers, &Step::Offsets { version: u8::MAX, stable: true });
    // Nothing is left open for what follows.
    for who in 0..PIDS.len() {
        init(s, &mut producers, who, u8::MAX, Claim::Nothing);
    }
    s.forget_topics(&[&topic]);
}

fn init(s: &mut Session, producers: &mut [Producer], who: usize, version: u8, claim: Claim) {
    let epoch = producers[who].epoch;
    let (pid, epoch) = match claim {
        Claim::Nothing => (json!(-1), -1),
        Claim::Own => (json!(PIDS[who]), epoch),
        Claim::Late => (json!(PIDS[who]), epoch - 1),
        Claim::Early => (json!(PIDS[who]), epoch + 1),
        Claim::Stranger => (json!(PIDS[1 - who]), epoch),
    };
    let request = json!({ "transactionalId": producers[who].id, "transactionTimeoutMs": LONG_MS, "producerId": pid,
        "producerEpoch": epoch });
    let reply = s.ask_version(ApiKey::InitProducerId, s.pick(ApiKey::InitProducerId, version), &request);
    producers[who].is_now(s, who, &reply);
    settle(s, producers);
}

fn end(s: &mut Session, producers: &mut [Producer], level: i16, step: (u8, usize, i64, bool)) {
    let (version, who, early, committed) = step;
    let Producer { id, epoch, .. } = &producers[who];
    let request = json!({ "transactionalId": id, "producerId": PIDS[who], "producerEpoch": epoch + early,
        "committed": committed });
    let newest = if level < 2 { LAST_WITHOUT_EPOCH } else { i16::MAX };
    let version = s.pick(ApiKey::EndTxn, version).min(newest);
    let reply = s.ask_version(ApiKey::EndTxn, version, &request);
    producers[who].is_now(s, who, &reply);
    settle(s, producers);
}

fn change(s: &mut Session, topic: &str, group: &str, producers: &mut [Producer], step: &Step) {
    match step {
        Step::Init { version, who, claim } => init(s, producers, *who, *version, *claim),
        Step::Add { version, who, early, partitions } => {
            let Producer { id, epoch, .. } = &producers[*who];
            let request = add_request(id, json!(PIDS[*who]), json!(epoch + early), &[(topic, partitions)]);
            let version = s.pick(ApiKey::AddPartitionsToTxn, *version);
            s.ask_version(ApiKey::AddPartitionsToTxn, version, &request);
        }
        Step::AddBoth { version, partition, verify } => {
            let transactions = [(0, verify.0), (1, verify.1)].map(|(who, verify)| {
                json!({ "transactionalId": producers[who].id, "producerId": PIDS[who],
                    "producerEpoch": producers[who].epoch, "verifyOnly": verify,
                    "topics": [{ "name": topic, "partitions": [partition] }] })
            });
            let version = s.pick(ApiKey::AddPartitionsToTxn, *version).max(4);
            s.ask_version(ApiKey::AddPartitionsToTxn, version, &json!({ "transactions": transactions }));
        }
        Step::AddOffsets { version, who, early } => {
            let Producer { id, epoch, .. } = &producers[*who];
            let request = json!({ "transactionalId": id, "producerId": PIDS[*who], "producerEpoch": epoch + early,
                "groupId": group });
            s.ask_version(ApiKey::AddOffsetsToTxn, s.pick(ApiKey::AddOffsetsToTxn, *version), &request);
        }
        Step::Commit { version, who, early, partition, offset } => {
            let Producer { id, epoch, .. } = &producers[*who];
            let one = json!({ "partitionIndex": partition, "committedOffset": offset, "committedMetadata": "m" });
            let request = json!({ "transactionalId": id, "groupId": group, "producerId": PIDS[*who],
                "producerEpoch": epoch + early, "generationId": -1, "memberId": "",
                "topics": [{ "name": topic, "partitions": [one] }] });
            s.ask_version(ApiKey::TxnOffsetCommit, s.pick(ApiKey::TxnOffsetCommit, *version), &request);
        }
        Step::Produce { version, who, early, partition, count, skipped, transactional } => {
            let producer = &mut producers[*who];
            let next = &mut producer.next[*partition as usize];
            let from = (*next + skipped).max(0);
            let records: Vec<Json> = (0..*count).map(|index| record("k", &(from + index as i64).to_string())).collect();
            let batch = json!({ BATCH: { "producerId": PIDS[*who], "producerEpoch": producer.epoch + early,
                "baseSequence": from, "transactional": transactional, "records": records } });
            let mut request = produce_to(topic, "$t", -1, &[(*partition, batch)]);
            request["transactionalId"] = if *transactional { json!(producer.id) } else { Json::Null };
            // The first version that knows of transactions.
            let version = s.pick(ApiKey::Produce, *version).max(3);
            let reply = s.ask_version(ApiKey::Produce, version, &request);
            if reply.pointer("/responses/0/partitionResponses/0/errorCode") == Some(&json!(0)) {
                *next = from + *count as i64;
            }
        }
        Step::Marker { version, who, early, partition, committed } => {
            let one = json!({ "producerId": PIDS[*who], "producerEpoch": producers[*who].epoch + early,
                "transactionResult": committed, "coordinatorEpoch": 0,
                "topics": [{ "name": topic, "partitionIndexes": [partition] }] });
            let version = s.pick(ApiKey::WriteTxnMarkers, *version);
            s.ask_version(ApiKey::WriteTxnMarkers, version, &json!({ "markers": [one] }));
        }
        Step::DeleteOffsets { partition } => {
            let list = json!([{ "name": topic, "partitions": [{ "partitionIndex": partition }] }]);
            s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group, "topics": list }));
        }
        _ => {}
    }
}

fn look(s: &mut Session, topic: &str, group: &str, producers: &[Producer], step: &Step) {
    match step {
        Step::Describe { version } => {
            let ids: Vec<&str> = producers.iter().map(|producer| producer.id.as_str()).collect();
            let version = s.pick(ApiKey::DescribeTransactions, *version);
            s.ask_version(ApiKey::DescribeTransactions, version, &json!({ "transactionalIds": ids }));
        }
        Step::List { version, who } => {
            let version = s.pick(ApiKey::ListTransactions, *version);
            s.ask_version(ApiKey::ListTransactions, version, &json!({ "producerIdFilters": [PIDS[*who]] }));
        }
        Step::Producers { version } => {
            let partitions: Vec<i32> = (0..PARTITIONS).collect();
            let request = json!({ "topics": [{ "name": topic, "partitionIndexes": partitions }] });
            s.ask_version(ApiKey::DescribeProducers, s.pick(ApiKey::DescribeProducers, *version), &request);
        }
        Step::Fetch { version, partition, offset } => {
            let mut request = fetch(topic, "$t", *partition, *offset);
            request["isolationLevel"] = 1.into();
            // The first version that knows of transactions.
            s.ask_version(ApiKey::Fetch, s.pick(ApiKey::Fetch, *version).max(4), &request);
        }
        Step::ListOffsets { version, partition } => {
            let version = s.pick(ApiKey::ListOffsets, *version);
            for level in [0, 1] {
                let mut request = list_offset(topic, *partition, -1);
                request["isolationLevel"] = level.into();
                s.ask_version(ApiKey::ListOffsets, version, &request);
            }
        }
        Step::Offsets { version, stable } => {
            let mut request = fetch_request(group, Some(&[(topic, "$t", &[0, 1])]));
            request["requireStable"] = (*stable).into();
            s.ask_version(ApiKey::OffsetFetch, s.pick(ApiKey::OffsetFetch, *version), &request);
        }
        _ => {}
    }
}
