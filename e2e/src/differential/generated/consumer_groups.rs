//! One group of the consumer protocol with up to three members, and one member of the classic protocol that comes and goes:
//! the way between both kinds of groups.
//!
//! Who is assigned which partition is the brokers' to choose; how many is not.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wire::ApiKey;

use crate::differential::scenarios::classic_groups::{self, group, heartbeat_request};
use crate::differential::scenarios::consumer_groups::{beat, known};
use crate::differential::scenarios::group_offsets::{commit_request, fetch_request};
use crate::differential::scenarios::{LONG_MS, bytes, subscription};
use crate::differential::session::Session;

/// Member ids of the three.
const IDS: [&str; 3] = ["Zmlyc3QtbWVtYmVyLWlkLQ", "c2Vjb25kLW1lbWJlci1pZA", "dGhpcmQtbWVtYmVyLWlkLQ"];
/// How requests name them, and what they were assigned.
const MEMBERS: [&str; 3] = ["$m0", "$m1", "$m2"];
const ASSIGNED: [&str; 3] = ["$a0", "$a1", "$a2"];
/// A number of partitions that up to three members can share evenly.
const PARTITIONS: i32 = 6;
const HEARTBEAT: ApiKey = ApiKey::ConsumerGroupHeartbeat;

/// What a member says it owns.
#[derive(Debug, Clone, Copy)]
pub enum Owned {
    Unsaid,
    Assigned,
    Nothing,
}

/// One request. `ahead` is how far its epoch is from the member's.
#[derive(Debug, Clone)]
pub enum Step {
    Join { version: u8, who: usize, is_static: bool, topics: u8 },
    Beat { version: u8, who: usize, ahead: i64, owned: Owned },
    Subscribe { version: u8, who: usize, topics: u8 },
    Leave { version: u8, who: usize, for_now: bool },
    Commit { version: u8, who: usize, ahead: i64, offset: i64 },
    Fetch { version: u8, who: usize, ahead: i64 },
    Describe { version: u8 },
    DescribeClassic { version: u8 },
    Delete { version: u8 },
    DeleteOffsets,
    ClassicJoin { version: u8 },
    ClassicSync { version: u8, ahead: i64 },
    ClassicBeat { version: u8, ahead: i64 },
    ClassicLeave { version: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let version = any::<u8>;
    let who = || 0..MEMBERS.len();
    let ahead = || prop_oneof![8 => Just(0), 1 => -2..2_i64];
    let topics = || prop_oneof![6 => Just(1_u8), 1 => 0..4_u8];
    let owned = prop_oneof![4 => Just(Owned::Assigned), 2 => Just(Owned::Unsaid), 1 => Just(Owned::Nothing)];
    let is_static = prop_oneof![3 => Just(false), 1 => Just(true)];
    prop_oneof![
        5 => (version(), who(), is_static, topics())
            .prop_map(|(version, who, is_static, topics)| Step::Join { version, who, is_static, topics }),
        12 => (version(), who(), ahead(), owned)
            .prop_map(|(version, who, ahead, owned)| Step::Beat { version, who, ahead, owned }),
        1 => (version(), who(), topics()).prop_map(|(version, who, topics)| Step::Subscribe { version, who, topics }),
        2 => (version(), who(), any::<bool>())
            .prop_map(|(version, who, for_now)| Step::Leave { version, who, for_now }),
        2 => (version(), who(), ahead(), 0..9_i64)
            .prop_map(|(version, who, ahead, offset)| Step::Commit { version, who, ahead, offset }),
        2 => (version(), who(), ahead()).prop_map(|(version, who, ahead)| Step::Fetch { version, who, ahead }),
        2 => version().prop_map(|version| Step::Describe { version }),
        1 => version().prop_map(|version| Step::DescribeClassic { version }),
        1 => version().prop_map(|version| Step::Delete { version }),
        1 => Just(Step::DeleteOffsets),
        3 => version().prop_map(|version| Step::ClassicJoin { version }),
        3 => (version(), ahead()).prop_map(|(version, ahead)| Step::ClassicSync { version, ahead }),
        3 => (version(), ahead()).prop_map(|(version, ahead)| Step::ClassicBeat { version, ahead }),
        1 => version().prop_map(|version| Step::ClassicLeave { version }),
    ]
}

/// Sequences that begin with no group, and the assignor that all members ask for. From one to the other as many partitions
/// move as chance has it.
pub fn sequences() -> impl Strategy<Value = (Option<&'static str>, Vec<Step>)> {
    (prop_oneof![3 => Just(None), 1 => Just(Some("range"))], prop::collection::vec(step(), 8..45))
}

/// The group, and what its members know of it.
struct Play<'a> {
    s: &'a mut Session,
    group: String,
    topics: [String; 2],
    assignor: Option<&'static str>,
    epochs: [Option<i64>; 3],
    /// Whether a member has an instance id.
    statics: [bool; 3],
    /// The generation of the classic member, if it is one.
    generation: Option<i64>,
}

/// Sends a sequence.
pub fn play(s: &mut Session, (assignor, steps): &(Option<&'static str>, Vec<Step>)) {
    let topics = [s.topic("t", PARTITIONS, &[]), s.topic("u", PARTITIONS, &[])];
    let group = group(s, "g");
    for topic in &topics {
        known(s, &group, topic);
    }
    s.count_partitions();
    let mut play =
        Play { s, group, topics, assignor: *assignor, epochs: [None; 3], statics: [false; 3], generation: None };
    for step in steps {
        play.step(step);
    }
    play.describe(u8::MAX);
    let Play { s, topics: [one, other], .. } = play;
    s.forget_topics(&[&one, &other]);
}

impl Play<'_> {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Join { version, who, is_static, topics } => self.join(version, who, is_static, topics),
            Step::Beat { version, who, ahead, owned } => {
                let mut request = self.beat(who, ahead);
                match owned {
                    Owned::Unsaid => {}
                    Owned::Assigned => request["topicPartitions"] = ASSIGNED[who].into(),
                    Owned::Nothing => request["topicPartitions"] = json!([]),
                }
                self.heartbeat(version, who, &request);
            }
            Step::Subscribe { version, who, topics } => {
                let mut request = self.beat(who, 0);
                request["subscribedTopicNames"] = self.names(topics).into();
                self.heartbeat(version, who, &request);
            }
            Step::Leave { version, who, for_now } => self.leave(version, who, for_now),
            Step::Commit { version, who, ahead, offset } => {
                let mut request = commit_request(&self.group, &self.topics[0], "$t", &[(0, offset, Some("m"))]);
                request["generationIdOrMemberEpoch"] = (self.epochs[who].unwrap_or(-1) + ahead).into();
                request["memberId"] = self.member(who).into();
                let version = self.s.pick(ApiKey::OffsetCommit, version);
                self.s.ask_version(ApiKey::OffsetCommit, version, &request);
            }
            Step::Fetch { version, who, ahead } => {
                let mut request = fetch_request(&self.group, Some(&[(&self.topics[0], "$t", &[0, 1])]));
                request["groups"][0]["memberId"] = self.member(who).into();
                request["groups"][0]["memberEpoch"] = (self.epochs[who].unwrap_or(-1) + ahead).into();
                let version = self.s.pick(ApiKey::OffsetFetch, version);
                self.s.ask_version(ApiKey::OffsetFetch, version, &request);
            }
            Step::Describe { version } => self.describe(version),
            Step::DescribeClassic { version } => {
                let version = self.s.pick(ApiKey::DescribeGroups, version);
                self.s.ask_version(ApiKey::DescribeGroups, version, &json!({ "groups": [self.group] }));
            }
            Step::Delete { version } => {
                let version = self.s.pick(ApiKey::DeleteGroups, version);
                self.s.ask_version(ApiKey::DeleteGroups, version, &json!({ "groupsNames": [self.group] }));
            }
            Step::DeleteOffsets => {
                let list = json!([{ "name": self.topics[0], "partitions": [{ "partitionIndex": 0 }] }]);
                self.s.ask(ApiKey::OffsetDelete, &json!({ "groupId": self.group, "topics": list }));
            }
            // In a consumer group its id is a random one, and ranges are dealt in the order of the ids.
            Step::ClassicJoin { .. } if self.assignor.is_some() => {}
            Step::ClassicJoin { version } => self.classic_join(version),
            Step::ClassicSync { version, ahead } => {
                let generation = self.generation.unwrap_or(0) + ahead;
                let member = self.classic();
                let mut request = classic_groups::sync_request(&self.group, generation as i32, member, &[]);
                request["assignments"] = json!([{ "memberId": member, "assignment": all_of_nothing() }]);
                let version = self.s.pick(ApiKey::SyncGroup, version);
                self.s.ask_version(ApiKey::SyncGroup, version, &request);
            }
            Step::ClassicBeat { version, ahead } => {
                let generation = self.generation.unwrap_or(0) + ahead;
                let request = heartbeat_request(&self.group, generation as i32, self.classic());
                let version = self.s.pick(ApiKey::Heartbeat, version);
                self.s.ask_version(ApiKey::Heartbeat, version, &request);
            }
            Step::ClassicLeave { version } => {
                let member = self.classic();
                let request = json!({ "groupId": self.group, "memberId": member, "members": [{ "memberId": member }] });
                let version = self.s.pick(ApiKey::LeaveGroup, version);
                self.s.ask_version(ApiKey::LeaveGroup, version, &request);
                self.generation = None;
            }
        }
    }

    /// The id of a member, or one that nobody has.
    fn member(&self, who: usize) -> &'static str {
        if self.epochs[who].is_some() { MEMBERS[who] } else { IDS[who] }
    }

    /// The id of the classic member, or one that nobody has.
    const fn classic(&self) -> &'static str {
        if self.generation.is_some() { "$c" } else { "nobody" }
    }

    fn names(&self, topics: u8) -> Vec<String> {
        let subscribed = self.topics.iter().enumerate().filter(|(at, _)| topics & (1 << at) != 0);
        subscribed.map(|(_, name)| name.clone()).collect()
    }

    fn beat(&self, who: usize, ahead: i64) -> Json {
        let mut request = beat(&self.group, self.member(who), (self.epochs[who].unwrap_or(1) + ahead) as i32);
        if self.statics[who] {
            request["instanceId"] = format!("i{who}").into();
        }
        request
    }

    /// Sends a heartbeat, and remembers what its answer says.
    fn heartbeat(&mut self, version: u8, who: usize, request: &Json) -> Json {
        let version = self.s.pick(HEARTBEAT, version);
        let reply = self.s.ask_version(HEARTBEAT, version, request);
        if reply["errorCode"] == 0 {
            self.epochs[who] = reply["memberEpoch"].as_i64().filter(|epoch| *epoch >= 0);
            if reply["assignment"].is_object() {
                self.s.keep(&ASSIGNED[who][1..], "/assignment/topicPartitions");
            }
        }
        reply
    }

    fn join(&mut self, version: u8, who: usize, is_static: bool, topics: u8) {
        let is_member = self.epochs[who].is_some();
        // In version 0 the broker makes the id, and the order of the ids has a say in who is assigned what.
        let version = if is_member || self.s.pick(HEARTBEAT, version) >= 1 { version } else { u8::MAX };
        let member = self.member(who);
        if !is_member {
            self.statics[who] = is_static;
        }
        let mut request = json!({
            "groupId": self.group, "memberId": member, "memberEpoch": 0, "rebalanceTimeoutMs": LONG_MS,
            "subscribedTopicNames": self.names(topics), "topicPartitions": [],
        });
        if self.statics[who] {
            request["instanceId"] = format!("i{who}").into();
        }
        request["serverAssignor"] = self.assignor.into();
        let reply = self.heartbeat(version, who, &request);
        if reply["errorCode"] == 0 {
            self.s.keep(&MEMBERS[who][1..], "/memberId");
        }
    }

    fn leave(&mut self, version: u8, who: usize, for_now: bool) {
        let mut request = self.beat(who, 0);
        request["memberEpoch"] = if for_now && self.statics[who] { -2 } else { -1 }.into();
        self.heartbeat(version, who, &request);
        self.epochs[who] = None;
    }

    fn describe(&mut self, version: u8) {
        let version = self.s.pick(ApiKey::ConsumerGroupDescribe, version);
        self.s.ask_version(ApiKey::ConsumerGroupDescribe, version, &json!({ "groupIds": [self.group] }));
    }

    fn classic_join(&mut self, version: u8) {
        let version = self.s.pick(ApiKey::JoinGroup, version);
        let mut request = classic_groups::join(&self.group, "", None, &["range"]);
        request["protocols"][0]["metadata"] = subscription(&[&self.topics[0]]);
        request["memberId"] = if self.generation.is_some() { "$c" } else { "" }.into();
        let mut reply = self.s.ask_version(ApiKey::JoinGroup, version, &request);
        if reply["errorCode"] == 79 {
            self.s.keep("c", "/memberId");
            request["memberId"] = "$c".into();
            reply = self.s.ask_version(ApiKey::JoinGroup, version, &request);
        }
        if reply["errorCode"] == 0 {
            self.s.keep("c", "/memberId");
            self.generation = reply["generationId"].as_i64();
        }
    }
}

/// An assignment of nothing, version 0 of `ConsumerProtocolAssignment` behind its version.
fn all_of_nothing() -> Json {
    bytes(&[0, 0, 0, 0, 0, 0, 255, 255, 255, 255])
}
