//! Offsets of groups: OffsetCommit, OffsetFetch, OffsetDelete.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::classic_groups::{group, stable};
use super::{UNKNOWN_ID, scenario};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("offset-commit", ApiKey::OffsetCommit, commit),
    scenario("offset-commit-members", ApiKey::OffsetCommit, commit_as_member),
    scenario("offset-fetch", ApiKey::OffsetFetch, fetch),
    scenario("offset-delete", ApiKey::OffsetDelete, delete),
];

/// An OffsetCommit request of one topic.
pub fn commit_request(group: &str, topic: &str, id: &str, offsets: &[(i32, i64, Option<&str>)]) -> Json {
    let partitions: Vec<Json> = offsets
        .iter()
        .map(|(index, offset, metadata)| {
            json!({ "partitionIndex": index, "committedOffset": offset, "committedMetadata": metadata,
                "committedLeaderEpoch": 0 })
        })
        .collect();
    json!({ "groupId": group, "topics": [{ "name": topic, "topicId": id, "partitions": partitions }] })
}

/// An OffsetFetch request of some topics (name, id, partitions), or of all.
pub fn fetch_request(group: &str, topics: Option<&[(&str, &str, &[i32])]>) -> Json {
    let list = topics.map(|topics| -> Vec<Json> {
        topics
            .iter()
            .map(|(name, id, partitions)| json!({ "name": name, "topicId": id, "partitionIndexes": partitions }))
            .collect()
    });
    let old = topics.map(|topics| -> Vec<Json> {
        topics.iter().map(|(name, _, partitions)| json!({ "name": name, "partitionIndexes": partitions })).collect()
    });
    json!({ "groupId": group, "topics": old, "groups": [{ "groupId": group, "topics": list }] })
}

fn commit(s: &mut Session) {
    let topic = s.topic("t", 3, &[]);
    let group = group(s, "g");
    let missing = s.name("missing");
    s.ask(
        ApiKey::OffsetCommit,
        &commit_request(&group, &topic, "$t", &[(0, 5, Some("m")), (1, 0, None), (2, 9, Some(""))]),
    );
    s.ask(
        ApiKey::OffsetCommit,
        &commit_request(&group, &topic, "$t", &[(0, 3, Some("again")), (3, 1, None), (-1, 1, None)]),
    );
    s.ask(ApiKey::OffsetCommit, &commit_request(&group, &missing, UNKNOWN_ID, &[(0, 5, Some("m"))]));
    s.ask(ApiKey::OffsetCommit, &commit_request(&group, "", super::NO_ID, &[(0, 5, Some("m"))]));
    s.ask(ApiKey::OffsetCommit, &commit_request("", &topic, "$t", &[(0, 5, Some("m"))]));
    s.ask(ApiKey::OffsetCommit, &commit_request(&group, &topic, "$t", &[(0, -1, None), (1, -5, None)]));
    let long = "x".repeat(4097);
    s.ask(
        ApiKey::OffsetCommit,
        &commit_request(&group, &topic, "$t", &[(0, 7, Some(&long)), (1, 7, Some(&long[..4096]))]),
    );
    s.ask(ApiKey::OffsetCommit, &json!({ "groupId": group }));
    for (generation, member) in [(0, ""), (1, "stranger"), (-1, "stranger"), (5, "")] {
        let mut request = commit_request(&group, &topic, "$t", &[(0, 8, Some("m"))]);
        request["generationIdOrMemberEpoch"] = generation.into();
        request["memberId"] = member.into();
        s.ask(ApiKey::OffsetCommit, &request);
    }
    for retention in [0, 1000, -1] {
        let mut request = commit_request(&group, &topic, "$t", &[(2, 9, Some("kept"))]);
        request["retentionTimeMs"] = retention.into();
        s.ask(ApiKey::OffsetCommit, &request);
    }
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(&topic, "$t", &[0, 1, 2])])));
}

fn commit_as_member(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let group = stable(s, "g");
    for (generation, member, instance) in [
        (1, "$m", Json::Null),
        (0, "$m", Json::Null),
        (2, "$m", Json::Null),
        (-1, "$m", Json::Null),
        (-1, "", Json::Null),
        (1, "", Json::Null),
        (1, "stranger", Json::Null),
        (1, "$m", json!("stranger")),
    ] {
        let mut request = commit_request(&group, &topic, "$t", &[(0, 8, Some("m"))]);
        request["generationIdOrMemberEpoch"] = generation.into();
        request["memberId"] = member.into();
        if s.v() >= 7 {
            request["groupInstanceId"] = instance;
        }
        s.ask(ApiKey::OffsetCommit, &request);
    }
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": "$m", "members": [{ "memberId": "$m" }] }));
    let mut request = commit_request(&group, &topic, "$t", &[(0, 9, Some("m"))]);
    request["generationIdOrMemberEpoch"] = 1.into();
    request["memberId"] = "$m".into();
    s.ask(ApiKey::OffsetCommit, &request);
    request["generationIdOrMemberEpoch"] = (-1).into();
    request["memberId"] = "".into();
    s.ask(ApiKey::OffsetCommit, &request);
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}

fn fetch(s: &mut Session) {
    let topic = s.topic("t", 3, &[]);
    let other = s.topic("u", 1, &[]);
    let group = group(s, "g");
    let missing = s.name("missing");
    s.prepare(ApiKey::OffsetCommit, &commit_request(&group, &topic, "$t", &[(0, 5, Some("m")), (1, 0, None)]));
    s.prepare(ApiKey::OffsetCommit, &commit_request(&group, &other, "$u", &[(0, 6, None)]));
    let t: &str = &topic;
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(t, "$t", &[0, 1, 2, 3, -1]), (&other, "$u", &[0])])));
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(&missing, UNKNOWN_ID, &[0, 1])])));
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[("", super::NO_ID, &[0])])));
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(t, "$t", &[0, 0]), (t, "$t", &[1])])));
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[])));
    s.ask(ApiKey::OffsetFetch, &fetch_request(&missing, Some(&[(t, "$t", &[0])])));
    s.ask(ApiKey::OffsetFetch, &fetch_request("", Some(&[(t, "$t", &[0])])));
    if s.v() >= 2 {
        for name in [&group, &missing] {
            s.ask(ApiKey::OffsetFetch, &fetch_request(name, None));
        }
    }
    if s.v() >= 7 {
        let mut request = fetch_request(&group, Some(&[(t, "$t", &[0])]));
        request["requireStable"] = true.into();
        s.ask(ApiKey::OffsetFetch, &request);
    }
    if s.v() >= 8 {
        let one = fetch_request(&group, Some(&[(t, "$t", &[0])]))["groups"][0].clone();
        let all = fetch_request(&group, None)["groups"][0].clone();
        let none = fetch_request(&missing, Some(&[(t, "$t", &[0])]))["groups"][0].clone();
        s.ask(ApiKey::OffsetFetch, &json!({ "groups": [one, none, all] }));
        s.ask(ApiKey::OffsetFetch, &json!({ "groups": [] }));
    }
    if s.v() >= 9 {
        for (member, epoch) in [("stranger", 1), ("", 0), (" ", -1), ("stranger", -1)] {
            let mut request = fetch_request(&group, Some(&[(t, "$t", &[0])]));
            request["groups"][0]["memberId"] = member.into();
            request["groups"][0]["memberEpoch"] = epoch.into();
            s.ask(ApiKey::OffsetFetch, &request);
        }
    }
    // A topic's offsets go with it.
    s.prepare(ApiKey::DeleteTopics, &json!({ "topics": [{ "name": other }], "timeoutMs": 30000 }));
    super::gone(s, &other);
    if s.v() >= 10 {
        s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(&other, "$u", &[0])])));
    }
}

fn delete(s: &mut Session) {
    let topic = s.topic("t", 3, &[]);
    let group = stable(s, "g");
    let missing = s.name("missing");
    let ask = |s: &mut Session, group: &str, name: &str, partitions: &[i32]| {
        let list: Vec<Json> = partitions.iter().map(|index| json!({ "partitionIndex": index })).collect();
        let request = json!({ "groupId": group, "topics": [{ "name": name, "partitions": list }] });
        s.ask(ApiKey::OffsetDelete, &request);
    };
    let mut request = commit_request(&group, &topic, "$t", &[(0, 5, None), (1, 6, None)]);
    request["generationIdOrMemberEpoch"] = 1.into();
    request["memberId"] = "$m".into();
    s.prepare(ApiKey::OffsetCommit, &request);
    ask(s, &group, &topic, &[0, 2, 9]);
    // The member's subscription names another topic.
    ask(s, &group, "topic", &[0]);
    ask(s, &group, &missing, &[0]);
    ask(s, &missing, &topic, &[0]);
    ask(s, "", &topic, &[0]);
    s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group }));
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": "$m", "members": [{ "memberId": "$m" }] }));
    ask(s, &group, &topic, &[0, 1]);
    s.ask(ApiKey::OffsetFetch, &fetch_request(&group, Some(&[(&topic, "$t", &[0, 1, 2])])));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}
