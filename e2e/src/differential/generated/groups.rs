//! One group with one member of the classic protocol: generations, offsets, and who may still say what.

use proptest::prelude::*;
use serde_json::json;
use wire::ApiKey;

use crate::differential::scenarios::classic_groups::{group, heartbeat_request, join, sync_request};
use crate::differential::scenarios::group_offsets::{commit_request, fetch_request};
use crate::differential::session::Session;

/// Who sends a request: the member, a stranger, or nobody's member.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    Member,
    Stranger,
    Nobody,
}

/// One request. `behind` is how far its generation is from the group's.
#[derive(Debug, Clone)]
pub enum Step {
    Join { version: u8 },
    Sync { version: u8, who: Who, behind: i32 },
    Heartbeat { version: u8, who: Who, behind: i32 },
    Leave { version: u8, who: Who },
    Commit { version: u8, who: Who, behind: i32, partition: i32, offset: i64 },
    FetchOffsets { version: u8, all: bool },
    DeleteOffsets { partition: i32 },
    Describe { version: u8 },
    Delete { version: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let version = any::<u8>;
    let who = || prop_oneof![4 => Just(Who::Member), 1 => Just(Who::Stranger), 1 => Just(Who::Nobody)];
    let behind = || prop_oneof![4 => Just(0), 1 => -1..2];
    prop_oneof![
        3 => version().prop_map(|version| Step::Join { version }),
        3 => (version(), who(), behind()).prop_map(|(version, who, behind)| Step::Sync { version, who, behind }),
        2 => (version(), who(), behind()).prop_map(|(version, who, behind)| Step::Heartbeat { version, who, behind }),
        1 => (version(), who()).prop_map(|(version, who)| Step::Leave { version, who }),
        4 => (version(), who(), behind(), 0..3, 0..9_i64).prop_map(|(version, who, behind, partition, offset)| {
            Step::Commit { version, who, behind, partition, offset }
        }),
        3 => (version(), any::<bool>()).prop_map(|(version, all)| Step::FetchOffsets { version, all }),
        1 => (0..3).prop_map(|partition| Step::DeleteOffsets { partition }),
        2 => version().prop_map(|version| Step::Describe { version }),
        1 => version().prop_map(|version| Step::Delete { version }),
    ]
}

/// Sequences that begin with a member that has joined.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 5..40)
}

fn id(who: Who) -> &'static str {
    match who {
        Who::Member => "$m",
        Who::Stranger => "stranger",
        Who::Nobody => "",
    }
}

/// The group's only member joins, anew or once more. A second member would wait for the first one. Gives the generation.
fn joins(s: &mut Session, group: &str, version: i16, is_member: bool) -> Option<i32> {
    let protocols = &["range", "roundrobin"];
    let ask = |s: &mut Session, member: &str| {
        s.ask_version(ApiKey::JoinGroup, version, &join(group, member, None, protocols))
    };
    let mut reply = ask(s, if is_member { "$m" } else { "" });
    if !is_member {
        s.keep("m", "/memberId");
    }
    if reply["errorCode"] == 79 {
        reply = ask(s, "$m");
    }
    let generation = reply["generationId"].as_i64().filter(|_| reply["errorCode"] == 0);
    generation.and_then(|generation| i32::try_from(generation).ok())
}

/// Sends a sequence.
pub fn play(s: &mut Session, steps: &Vec<Step>) {
    let topic = s.topic("t", 3, &[]);
    let group = group(s, "g");
    let newest = s.pick(ApiKey::JoinGroup, u8::MAX);
    let mut generation = joins(s, &group, newest, false).unwrap_or_default();
    let mut is_member = true;
    for step in steps {
        match *step {
            Step::Join { version } => {
                let version = s.pick(ApiKey::JoinGroup, version);
                generation = joins(s, &group, version, is_member).unwrap_or(generation);
                is_member = true;
            }
            Step::Sync { version, who, behind } => {
                let request = sync_request(&group, generation + behind, id(who), &[("$m", "all")]);
                s.ask_version(ApiKey::SyncGroup, s.pick(ApiKey::SyncGroup, version), &request);
            }
            Step::Heartbeat { version, who, behind } => {
                let request = heartbeat_request(&group, generation + behind, id(who));
                s.ask_version(ApiKey::Heartbeat, s.pick(ApiKey::Heartbeat, version), &request);
            }
            Step::Leave { version, who } => {
                let list = json!([{ "memberId": id(who) }]);
                let request = json!({ "groupId": group, "memberId": id(who), "members": list });
                s.ask_version(ApiKey::LeaveGroup, s.pick(ApiKey::LeaveGroup, version), &request);
                is_member &= !matches!(who, Who::Member);
            }
            Step::Commit { version, who, behind, partition, offset } => {
                let mut request = commit_request(&group, &topic, "$t", &[(partition, offset, Some("m"))]);
                let of_member = generation + behind;
                request["generationIdOrMemberEpoch"] =
                    if matches!(who, Who::Nobody) { (-1).into() } else { of_member.into() };
                request["memberId"] = id(who).into();
                s.ask_version(ApiKey::OffsetCommit, s.pick(ApiKey::OffsetCommit, version), &request);
            }
            Step::FetchOffsets { version, all } => {
                let version = s.pick(ApiKey::OffsetFetch, version);
                let some: &[(&str, &str, &[i32])] = &[(&topic, "$t", &[0, 1, 2])];
                // All can be asked for since version 2.
                let request = fetch_request(&group, Some(some).filter(|_| !all || version < 2));
                s.ask_version(ApiKey::OffsetFetch, version, &request);
            }
            Step::DeleteOffsets { partition } => {
                let list = json!([{ "name": topic, "partitions": [{ "partitionIndex": partition }] }]);
                s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group, "topics": list }));
            }
            Step::Describe { version } => {
                let request = json!({ "groups": [group] });
                s.ask_version(ApiKey::DescribeGroups, s.pick(ApiKey::DescribeGroups, version), &request);
            }
            Step::Delete { version } => {
                let request = json!({ "groupsNames": [group] });
                s.ask_version(ApiKey::DeleteGroups, s.pick(ApiKey::DeleteGroups, version), &request);
            }
        }
    }
}
