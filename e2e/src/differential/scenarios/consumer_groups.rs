//! KIP-848: heartbeats with every epoch, assignments, descriptions, and the way between both kinds of groups.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::group_offsets::{commit_request, fetch_request};
use super::{LONG_MS, classic_groups, scenario};
use crate::differential::kafka::OFFSETS_PARTITIONS;
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("consumer-group", ApiKey::ConsumerGroupHeartbeat, one_member),
    scenario("consumer-group-two", ApiKey::ConsumerGroupHeartbeat, two_members),
    scenario("consumer-group-refused", ApiKey::ConsumerGroupHeartbeat, refused),
    scenario("consumer-group-static", ApiKey::ConsumerGroupHeartbeat, static_members),
    scenario("consumer-group-assignors", ApiKey::ConsumerGroupHeartbeat, assignors),
    scenario("consumer-group-regex", ApiKey::ConsumerGroupHeartbeat, regex),
    scenario("consumer-group-offsets", ApiKey::ConsumerGroupHeartbeat, offsets),
    scenario("consumer-group-kinds", ApiKey::ConsumerGroupHeartbeat, kinds),
    scenario("consumer-group-describe", ApiKey::ConsumerGroupDescribe, describe),
];

/// The first heartbeat of a member. From version 1 on the member makes its id.
pub fn first(s: &Session, group: &str, member: &str, topics: &[&str]) -> Json {
    let id = if s.version(ApiKey::ConsumerGroupHeartbeat) == 0 { "" } else { member };
    json!({
        "groupId": group, "memberId": id, "memberEpoch": 0, "rebalanceTimeoutMs": LONG_MS,
        "subscribedTopicNames": topics, "topicPartitions": [],
    })
}

/// A heartbeat that says nothing new.
pub fn beat(group: &str, member: &str, epoch: i32) -> Json {
    json!({ "groupId": group, "memberId": member, "memberEpoch": epoch })
}

/// A heartbeat that says what is owned.
pub fn owns(group: &str, member: &str, epoch: i32, topic: &str, partitions: &[i32]) -> Json {
    let mut request = beat(group, member, epoch);
    request["topicPartitions"] =
        if partitions.is_empty() { json!([]) } else { json!([{ "topicId": topic, "partitions": partitions }]) };
    request
}

/// Waits until the group's coordinator knows the topic, which it learns a moment after the brokers: until a member of
/// another group of the same coordinator partition is assigned it.
pub fn known(s: &mut Session, group: &str, topic: &str) {
    // As Java hashes a text of ASCII.
    let partition = |name: &str| {
        let hash = name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        (hash & 0x7fff_ffff) % OFFSETS_PARTITIONS
    };
    let mut names = (0..).map(|number| format!("{group}-probe-{number}"));
    let probe = names.find(|name| partition(name) == partition(group)).unwrap_or_default();
    let join = json!({
        "groupId": probe, "memberId": MEMBER, "memberEpoch": 0, "rebalanceTimeoutMs": LONG_MS,
        "subscribedTopicNames": [topic], "topicPartitions": [],
    });
    s.prepare_until(HEARTBEAT, &join, |reply| {
        reply.pointer("/assignment/topicPartitions").and_then(Json::as_array).is_some_and(|list| !list.is_empty())
    });
    s.prepare(HEARTBEAT, &beat(&probe, MEMBER, -1));
    s.prepare(ApiKey::DeleteGroups, &json!({ "groupsNames": [probe] }));
}

const MEMBER: &str = "bXktbWVtYmVyLWlzLW1pbg";
const OTHER: &str = "bXktbWVtYmVyLWlzLXlvdQ";
const HEARTBEAT: ApiKey = ApiKey::ConsumerGroupHeartbeat;

fn one_member(s: &mut Session) {
    let topic = s.topic("t", 3, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let request = first(s, &group, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.keep("m", "/memberId");
    for epoch in [1, 0, 2, -1, 1, -3] {
        if epoch == -1 {
            continue;
        }
        s.ask(HEARTBEAT, &beat(&group, "$m", epoch));
    }
    s.ask(HEARTBEAT, &owns(&group, "$m", 1, "$t", &[0, 1, 2]));
    s.ask(HEARTBEAT, &owns(&group, "$m", 1, "$t", &[0]));
    s.ask(HEARTBEAT, &owns(&group, "$m", 1, "$t", &[0, 7]));
    let mut again = request.clone();
    again["memberId"] = "$m".into();
    s.ask(HEARTBEAT, &again);
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    // Another subscription is another epoch.
    let other = s.topic("u", 1, &[]);
    known(s, &group, &other);
    let mut changed = beat(&group, "$m", 1);
    changed["subscribedTopicNames"] = json!([topic, other]);
    s.ask(HEARTBEAT, &changed);
    s.ask(HEARTBEAT, &beat(&group, "$m", 2));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    let mut changed = beat(&group, "$m", 2);
    changed["serverAssignor"] = "range".into();
    s.ask(HEARTBEAT, &changed);
    let mut changed = beat(&group, "$m", 2);
    changed["subscribedTopicNames"] = json!([]);
    s.ask(HEARTBEAT, &changed);
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    s.ask(HEARTBEAT, &beat(&group, "$m", -1));
    s.ask(HEARTBEAT, &beat(&group, "$m", 3));
    s.ask(HEARTBEAT, &beat(&group, "$m", -1));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
}

fn two_members(s: &mut Session) {
    let topic = s.topic("t", 4, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let request = first(s, &group, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.keep("m", "/memberId");
    s.ask(HEARTBEAT, &owns(&group, "$m", 2, "$t", &[0, 1, 2, 3]));
    let request = first(s, &group, OTHER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.keep("n", "/memberId");
    s.ask(HEARTBEAT, &beat(&group, "$n", 3));
    s.ask(HEARTBEAT, &beat(&group, "$m", 2));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    // What was lost may be the lower half or the upper one, as both brokers choose; then neither owns all.
    s.ask(HEARTBEAT, &owns(&group, "$m", 2, "$t", &[0, 1]));
    s.ask(HEARTBEAT, &owns(&group, "$m", 3, "$t", &[0, 1]));
    s.ask(HEARTBEAT, &beat(&group, "$n", 3));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    let request = first(s, &group, "dGhpcmQtbWVtYmVyLWlzbg", &["nothing-of-that-name"]);
    s.ask(HEARTBEAT, &request);
    s.keep("o", "/memberId");
    let request = first(s, &group, "Zm91cnRoLW1lbWJlci1pcw", &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.ask(HEARTBEAT, &beat(&group, "$n", -1));
    s.ask(HEARTBEAT, &beat(&group, "$m", 3));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
}

fn refused(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let version = s.v();
    let base = first(s, &group, MEMBER, &[&topic]);
    let ask = |s: &mut Session, change: Json| {
        let mut request = base.clone();
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(HEARTBEAT, &request);
    };
    for change in [
        json!({ "groupId": "" }),
        json!({ "groupId": " " }),
        json!({ "memberId": if version == 0 { "x" } else { "" } }),
        json!({ "memberEpoch": 1 }),
        json!({ "memberEpoch": 1, "memberId": "stranger" }),
        json!({ "memberEpoch": -1, "memberId": "stranger" }),
        json!({ "memberEpoch": -2, "memberId": "stranger" }),
        json!({ "memberEpoch": -2, "memberId": "stranger", "instanceId": "i" }),
        json!({ "memberEpoch": -3, "memberId": "stranger" }),
        json!({ "rebalanceTimeoutMs": -1 }),
        json!({ "rebalanceTimeoutMs": 0 }),
        json!({ "topicPartitions": null }),
        json!({ "topicPartitions": [{ "topicId": "$t", "partitions": [0] }] }),
        json!({ "subscribedTopicNames": null }),
        json!({ "subscribedTopicNames": [] }),
        json!({ "subscribedTopicNames": null, "subscribedTopicRegex": "" }),
        json!({ "subscribedTopicNames": null, "subscribedTopicRegex": "[" }),
        json!({ "subscribedTopicNames": null, "subscribedTopicRegex": "(?<x" }),
        json!({ "serverAssignor": "nonsense" }),
        json!({ "serverAssignor": "" }),
        json!({ "instanceId": "" }),
        json!({ "rackId": "" }),
        json!({ "memberId": "x".repeat(37) }),
        json!({ "subscribedTopicNames": ["not a name"] }),
    ] {
        ask(s, change);
    }
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
}

fn static_members(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let with = |mut request: Json, instance: &str| {
        request["instanceId"] = instance.into();
        request
    };
    let one = first(s, &group, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &with(one, "one"));
    s.keep("m", "/memberId");
    s.ask(HEARTBEAT, &with(owns(&group, "$m", 2, "$t", &[0, 1]), "one"));
    let other = first(s, &group, OTHER, &[&topic]);
    s.ask(HEARTBEAT, &with(other.clone(), "one"));
    s.ask(HEARTBEAT, &with(beat(&group, "stranger", 1), "one"));
    s.ask(HEARTBEAT, &with(beat(&group, "$m", 2), "two"));
    // It leaves for a while, and another process takes its name.
    s.ask(HEARTBEAT, &with(beat(&group, "$m", -2), "one"));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    s.ask(HEARTBEAT, &with(beat(&group, "$m", 2), "one"));
    s.ask(HEARTBEAT, &with(other, "one"));
    s.keep("n", "/memberId");
    s.ask(HEARTBEAT, &with(beat(&group, "$n", 2), "one"));
    s.ask(HEARTBEAT, &with(beat(&group, "$m", 2), "one"));
    s.ask(HEARTBEAT, &with(beat(&group, "$n", -1), "one"));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
}

/// The group's assignor is the one that most members ask for.
fn assignors(s: &mut Session) {
    let topic = s.topic("t", 6, &[]);
    s.count_partitions();
    for votes in [["range", "uniform", "uniform"], ["uniform", "range", "range"]] {
        let group = classic_groups::group(s, votes[0]);
        known(s, &group, &topic);
        for (id, assignor) in [MEMBER, OTHER, "dGhpcmQtbWVtYmVyLWlzbg"].into_iter().zip(votes) {
            let mut request = first(s, &group, id, &[&topic]);
            request["serverAssignor"] = assignor.into();
            s.ask(HEARTBEAT, &request);
            s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
        }
    }
}

fn regex(s: &mut Session) {
    if s.v() < 1 {
        return;
    }
    let topic = s.topic("regex-a", 1, &[]);
    s.topic("regex-b", 1, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let mut request = first(s, &group, MEMBER, &[]);
    request["subscribedTopicNames"] = Json::Null;
    request["subscribedTopicRegex"] = format!("{}.*|nothing", &topic[..topic.len() - 1]).into();
    s.until(HEARTBEAT, &request, |reply| {
        reply.pointer("/assignment/topicPartitions").and_then(Json::as_array).is_some_and(|list| !list.is_empty())
    });
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group] }));
    let mut request = beat(&group, MEMBER, 1);
    request["subscribedTopicRegex"] = "nothing-matches-this".into();
    s.prepare(HEARTBEAT, &request);
    let mut request = beat(&group, MEMBER, -1);
    request["subscribedTopicRegex"] = Json::Null;
    s.ask(HEARTBEAT, &request);
}

fn offsets(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let request = first(s, &group, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.keep("m", "/memberId");
    s.ask(HEARTBEAT, &owns(&group, "$m", 1, "$t", &[0, 1]));
    for (epoch, member) in [(1, "$m"), (0, "$m"), (2, "$m"), (-1, "$m"), (-1, ""), (1, "stranger"), (1, "")] {
        let mut request = commit_request(&group, &topic, "$t", &[(0, 8, Some("m"))]);
        request["generationIdOrMemberEpoch"] = epoch.into();
        request["memberId"] = member.into();
        for version in [8, 9, 10] {
            s.ask_version(ApiKey::OffsetCommit, version, &request);
        }
        let mut request = fetch_request(&group, Some(&[(&topic, "$t", &[0, 1])]));
        request["groups"][0]["memberId"] = member.into();
        request["groups"][0]["memberEpoch"] = epoch.into();
        for version in [8, 9, 10] {
            s.ask_version(ApiKey::OffsetFetch, version, &request);
        }
    }
    let list = json!([{ "name": topic, "partitions": [{ "partitionIndex": 0 }] }]);
    s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group, "topics": list }));
    s.ask(ApiKey::DeleteGroups, &json!({ "groupsNames": [group] }));
    s.ask(HEARTBEAT, &beat(&group, "$m", -1));
    s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group, "topics": list }));
    s.ask(ApiKey::DeleteGroups, &json!({ "groupsNames": [group] }));
}

fn kinds(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    // Requests of one protocol at a group of the other.
    let classic = classic_groups::stable(s, "classic");
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [classic] }));
    known(s, &classic, &topic);
    let consumer = classic_groups::group(s, "consumer");
    known(s, &consumer, &topic);
    let request = first(s, &consumer, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.keep("n", "/memberId");
    s.ask(HEARTBEAT, &owns(&consumer, "$n", 1, "$t", &[0]));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [consumer] }));
    for types in [json!(["consumer"]), json!(["classic"]), json!([])] {
        s.ask(ApiKey::ListGroups, &json!({ "typesFilter": types, "statesFilter": [] }));
    }
    s.ask(ApiKey::Heartbeat, &json!({ "groupId": consumer, "generationId": 1, "memberId": "$n" }));
    s.ask(ApiKey::SyncGroup, &classic_groups::sync_request(&consumer, 1, "$n", &[]));
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": consumer, "members": [{ "memberId": "stranger" }] }));
    s.ask(ApiKey::JoinGroup, &classic_groups::join(&consumer, "stranger", None, &["range"]));
    s.ask(ApiKey::JoinGroup, &classic_groups::join(&consumer, "", None, &["nonsense"]));
    let mut other_type = classic_groups::join(&consumer, "", None, &["range"]);
    other_type["protocolType"] = "connect".into();
    s.ask(ApiKey::JoinGroup, &other_type);
    s.ask(HEARTBEAT, &beat(&consumer, "$n", -1));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [consumer] }));
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": consumer, "members": [{ "memberId": "stranger" }] }));
    // Empty groups change their kind.
    classic_groups::join_as(s, &consumer, "o");
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [consumer] }));
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": classic, "members": [{ "memberId": "$m" }] }));
    let request = first(s, &classic, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [classic] }));
}

fn describe(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let group = classic_groups::group(s, "g");
    known(s, &group, &topic);
    let request = first(s, &group, MEMBER, &[&topic]);
    s.ask(HEARTBEAT, &request);
    let missing = s.name("missing");
    for operations in [false, true] {
        let request = json!({ "groupIds": [group, missing, ""], "includeAuthorizedOperations": operations });
        s.ask(ApiKey::ConsumerGroupDescribe, &request);
    }
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [group, group] }));
    s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": [] }));
}
