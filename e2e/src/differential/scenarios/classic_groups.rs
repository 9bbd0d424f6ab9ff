//! Classic groups: members that join, are rebalanced, leave and are thrown out.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::{LONG_MS, scenario, subscription};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("join-group", ApiKey::JoinGroup, one_member),
    scenario("join-group-two", ApiKey::JoinGroup, two_members),
    scenario("join-group-refused", ApiKey::JoinGroup, join_refused),
    scenario("join-group-static", ApiKey::JoinGroup, static_members),
    scenario("sync-group", ApiKey::SyncGroup, sync),
    scenario("heartbeat", ApiKey::Heartbeat, heartbeat),
    scenario("leave-group", ApiKey::LeaveGroup, leave),
    scenario("leave-group-static", ApiKey::LeaveGroup, leave_static),
    scenario("describe-groups", ApiKey::DescribeGroups, describe),
    scenario("list-groups", ApiKey::ListGroups, list),
    scenario("delete-groups", ApiKey::DeleteGroups, delete),
];

const PROTOCOLS: &[&str] = &["range", "roundrobin"];

/// A JoinGroup request of a consumer.
pub fn join(group: &str, member: &str, instance: Option<&str>, protocols: &[&str]) -> Json {
    let protocols: Vec<Json> =
        protocols.iter().map(|name| json!({ "name": name, "metadata": subscription(&["topic"]) })).collect();
    json!({
        "groupId": group, "memberId": member, "groupInstanceId": instance, "sessionTimeoutMs": LONG_MS,
        "rebalanceTimeoutMs": LONG_MS, "protocolType": "consumer", "protocols": protocols, "reason": "test",
    })
}

/// A SyncGroup request.
pub fn sync_request(group: &str, generation: i32, member: &str, assignments: &[(&str, &str)]) -> Json {
    let assignments: Vec<Json> = assignments
        .iter()
        .map(|(member, assignment)| json!({ "memberId": member, "assignment": super::bytes(assignment.as_bytes()) }))
        .collect();
    json!({ "groupId": group, "generationId": generation, "memberId": member, "protocolType": "consumer",
        "protocolName": "range", "assignments": assignments })
}

/// A Heartbeat request.
pub fn heartbeat_request(group: &str, generation: i32, member: &str) -> Json {
    json!({ "groupId": group, "generationId": generation, "memberId": member })
}

/// Waits for the coordinator's partition, which a broker has a moment after the topic.
pub fn coordinator(s: &mut Session, group: &str) {
    let request = json!({ "groups": [group] });
    s.prepare_until(ApiKey::DescribeGroups, &request, |reply| {
        let code = reply.pointer("/groups/0/errorCode").and_then(Json::as_i64);
        code.is_some_and(|code| ![14, 15, 16].contains(&code))
    });
}

/// Makes the internal topic and waits for it.
pub fn group(s: &mut Session, name: &str) -> String {
    let group = s.name(name);
    let request = json!({ "keyType": 0, "coordinatorKeys": [group], "key": group });
    s.prepare_until(ApiKey::FindCoordinator, &request, |reply| {
        reply.pointer("/coordinators/0/errorCode") == Some(&json!(0))
    });
    coordinator(s, &group);
    group
}

/// Joins with a member id that the broker gives, and keeps that id. JoinGroup 4 and later ask twice.
pub fn join_as(s: &mut Session, group: &str, member: &str) -> Json {
    let reply = s.ask(ApiKey::JoinGroup, &join(group, "", None, PROTOCOLS));
    s.keep(member, "/memberId");
    if reply["errorCode"] == 79 {
        s.ask(ApiKey::JoinGroup, &join(group, &format!("${member}"), None, PROTOCOLS))
    } else {
        reply
    }
}

/// A member alone in its group, with its assignment.
pub fn stable(s: &mut Session, name: &str) -> String {
    let group = group(s, name);
    join_as(s, &group, "m");
    s.ask(ApiKey::SyncGroup, &sync_request(&group, 1, "$m", &[("$m", "all")]));
    group
}

fn wait_for(s: &mut Session, group: &str, state: &'static str, members: usize) {
    s.prepare_until(ApiKey::DescribeGroups, &json!({ "groups": [group] }), |reply| {
        let list = reply.pointer("/groups/0/members").and_then(Json::as_array);
        reply.pointer("/groups/0/groupState") == Some(&json!(state)) && list.is_some_and(|list| list.len() == members)
    });
}

fn one_member(s: &mut Session) {
    let group = group(s, "g");
    join_as(s, &group, "m");
    // Again before the leader has synced, and after.
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", None, PROTOCOLS));
    s.ask(ApiKey::SyncGroup, &sync_request(&group, 1, "$m", &[("$m", "all")]));
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", None, PROTOCOLS));
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", None, &["roundrobin"]));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
    s.ask(ApiKey::Heartbeat, &heartbeat_request(&group, 3, "$m"));
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": "$m", "members": [{ "memberId": "$m" }] }));
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", None, PROTOCOLS));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}

fn two_members(s: &mut Session) {
    let group = stable(s, "g");
    // The second one gets its id first, so that all that follows names it.
    let version = s.version(ApiKey::JoinGroup);
    if version < 4 {
        s.on("second").send(ApiKey::JoinGroup, &join(&group, "", None, PROTOCOLS));
    } else {
        s.on("second").ask(ApiKey::JoinGroup, &join(&group, "", None, PROTOCOLS));
        s.keep("n", "/memberId");
        s.send(ApiKey::JoinGroup, &join(&group, "$n", None, PROTOCOLS));
    }
    s.on_main();
    wait_for(s, &group, "PreparingRebalance", 2);
    s.ask(ApiKey::Heartbeat, &heartbeat_request(&group, 1, "$m"));
    s.ask(ApiKey::SyncGroup, &sync_request(&group, 1, "$m", &[]));
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", None, PROTOCOLS));
    s.on("second").receive();
    s.keep("n", "/memberId");
    s.ask(ApiKey::Heartbeat, &heartbeat_request(&group, 2, "$n"));
    s.send(ApiKey::SyncGroup, &sync_request(&group, 2, "$n", &[]));
    s.on_main().ask(ApiKey::SyncGroup, &sync_request(&group, 2, "$m", &[("$m", "one"), ("$n", "other")]));
    s.on("second").receive();
    s.on_main().ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
    // The group is full with a third.
    s.on("third").send(ApiKey::JoinGroup, &join(&group, "$n", None, &["range"]));
    s.on_main();
    wait_for(s, &group, "PreparingRebalance", 2);
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": "$m", "members": [{ "memberId": "$m" }] }));
    s.on("third").receive();
    s.on_main().ask(ApiKey::Heartbeat, &heartbeat_request(&group, 3, "$m"));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}

fn join_refused(s: &mut Session) {
    let group = stable(s, "g");
    let ask = |s: &mut Session, change: Json| {
        let mut request = join(&group, "", None, PROTOCOLS);
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(ApiKey::JoinGroup, &request);
        s.close("main");
    };
    ask(s, json!({ "memberId": "stranger" }));
    ask(s, json!({ "groupId": "" }));
    ask(s, json!({ "protocolType": "connect" }));
    ask(s, json!({ "protocolType": "" }));
    ask(s, json!({ "protocols": [] }));
    ask(s, json!({ "protocols": [{ "name": "other", "metadata": "" }] }));
    ask(s, json!({ "sessionTimeoutMs": 1 }));
    ask(s, json!({ "sessionTimeoutMs": 999_999_999 }));
    ask(s, json!({ "sessionTimeoutMs": -1 }));
    if s.v() >= 5 {
        ask(s, json!({ "groupInstanceId": "static", "memberId": "stranger" }));
        ask(s, json!({ "groupInstanceId": "", "memberId": "stranger" }));
        ask(s, json!({ "groupInstanceId": "not a name", "memberId": "stranger" }));
    }
    let empty = super::classic_groups::group(s, "empty");
    ask(s, json!({ "groupId": empty, "memberId": "stranger" }));
    ask(s, json!({ "groupId": empty, "protocolType": "" }));
    ask(s, json!({ "groupId": empty, "protocols": [] }));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group, empty] }));
}

fn static_members(s: &mut Session) {
    if s.v() < 5 {
        return;
    }
    let group = group(s, "g");
    s.ask(ApiKey::JoinGroup, &join(&group, "", Some("one"), PROTOCOLS));
    s.keep("m", "/memberId");
    let mut request = sync_request(&group, 1, "$m", &[("$m", "all")]);
    request["groupInstanceId"] = "one".into();
    s.ask(ApiKey::SyncGroup, &request);
    // It comes back under its name: no rebalance, another id, and the old id is fenced.
    s.ask(ApiKey::JoinGroup, &join(&group, "", Some("one"), PROTOCOLS));
    s.keep("n", "/memberId");
    let beat = |member: &str, instance: &str| json!({ "groupId": group, "generationId": 1, "memberId": member, "groupInstanceId": instance });
    s.ask(ApiKey::Heartbeat, &beat("$m", "one"));
    s.ask(ApiKey::Heartbeat, &beat("$n", "one"));
    s.ask(ApiKey::Heartbeat, &beat("$n", "two"));
    s.ask(ApiKey::Heartbeat, &beat("$n", ""));
    s.ask(ApiKey::JoinGroup, &join(&group, "$m", Some("one"), PROTOCOLS));
    request["memberId"] = "$n".into();
    request["assignments"] = json!([]);
    s.ask(ApiKey::SyncGroup, &request);
    s.ask(ApiKey::JoinGroup, &join(&group, "stranger", Some("two"), PROTOCOLS));
    // With other protocols it is a change.
    s.ask(ApiKey::JoinGroup, &join(&group, "", Some("one"), &["roundrobin"]));
    s.keep("o", "/memberId");
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
    let leave = json!([{ "memberId": "", "groupInstanceId": "one" }]);
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "members": leave }));
}

fn sync(s: &mut Session) {
    let group = group(s, "g");
    s.ask(ApiKey::SyncGroup, &sync_request(&group, 1, "stranger", &[]));
    join_as(s, &group, "m");
    let ask = |s: &mut Session, change: Json| {
        let mut request = sync_request(&group, 1, "$m", &[("$m", "all"), ("stranger", "some")]);
        for (name, value) in change.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        s.ask(ApiKey::SyncGroup, &request);
    };
    for change in [
        json!({ "groupId": "" }),
        json!({ "memberId": "stranger" }),
        json!({ "memberId": "" }),
        json!({ "generationId": 0 }),
        json!({ "generationId": 2 }),
        json!({ "generationId": -1 }),
        json!({ "protocolType": "connect" }),
        json!({ "protocolName": "other" }),
        json!({ "protocolName": null }),
        json!({ "groupInstanceId": "stranger" }),
        json!({}),
        json!({}),
        json!({ "assignments": [] }),
        json!({ "generationId": 0 }),
    ] {
        ask(s, change);
    }
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}

fn heartbeat(s: &mut Session) {
    let empty = group(s, "empty");
    s.ask(ApiKey::Heartbeat, &heartbeat_request(&empty, 1, "stranger"));
    s.ask(ApiKey::Heartbeat, &heartbeat_request("", 1, "stranger"));
    let group = group(s, "g");
    join_as(s, &group, "m");
    s.ask(ApiKey::Heartbeat, &heartbeat_request(&group, 1, "$m"));
    s.ask(ApiKey::SyncGroup, &sync_request(&group, 1, "$m", &[("$m", "all")]));
    for (generation, member) in [(1, "$m"), (0, "$m"), (2, "$m"), (-1, "$m"), (1, "stranger"), (1, ""), (9, "stranger")]
    {
        s.ask(ApiKey::Heartbeat, &heartbeat_request(&group, generation, member));
    }
    let mut request = heartbeat_request(&group, 1, "$m");
    request["groupInstanceId"] = "stranger".into();
    s.ask(ApiKey::Heartbeat, &request);
}

fn leave(s: &mut Session) {
    let group = stable(s, "g");
    let ask = |s: &mut Session, group: &str, members: &[&str]| {
        let list: Vec<Json> = members.iter().map(|member| json!({ "memberId": member, "reason": "tired" })).collect();
        let first = members.first().copied().unwrap_or_default();
        s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": first, "members": list }));
    };
    ask(s, &group, &["stranger"]);
    ask(s, &group, &[""]);
    ask(s, &group, &[]);
    ask(s, "", &["$m"]);
    ask(s, &s.name("missing"), &["$m"]);
    ask(s, &group, &["stranger", "$m", "$m"]);
    ask(s, &group, &["$m"]);
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
}

fn leave_static(s: &mut Session) {
    let group = group(s, "g");
    s.ask(ApiKey::JoinGroup, &join(&group, "", Some("one"), PROTOCOLS));
    s.keep("m", "/memberId");
    if s.v() < 3 {
        s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "memberId": "$m" }));
        return;
    }
    for (member, instance) in
        [("stranger", "one"), ("", "two"), ("stranger", "two"), ("$m", "two"), ("", "one"), ("", "one")]
    {
        let list = json!([{ "memberId": member, "groupInstanceId": instance }]);
        s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "members": list }));
    }
}

fn describe(s: &mut Session) {
    let empty = group(s, "empty");
    let stable = stable(s, "stable");
    let joining = group(s, "joining");
    s.ask(ApiKey::JoinGroup, &join(&joining, "", Some("one"), PROTOCOLS));
    for operations in [false, true] {
        let request = json!({ "groups": [empty, stable, joining, ""], "includeAuthorizedOperations": operations });
        s.ask(ApiKey::DescribeGroups, &request);
    }
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [stable, stable] }));
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [] }));
}

fn list(s: &mut Session) {
    stable(s, "stable");
    for (states, types) in [
        (json!([]), json!([])),
        (json!(["Stable"]), json!([])),
        (json!(["stable"]), json!(["classic"])),
        (json!(["Empty", "Dead"]), json!([])),
        (json!(["nonsense"]), json!([])),
        (json!([""]), json!([])),
        (json!([]), json!(["consumer"])),
        (json!([]), json!(["Classic", "Consumer"])),
        (json!([]), json!(["nonsense"])),
        (json!(["Stable"]), json!(["classic"])),
    ] {
        let request = json!({ "statesFilter": states, "typesFilter": types });
        s.ask(ApiKey::ListGroups, &request);
    }
}

fn delete(s: &mut Session) {
    let stable = stable(s, "stable");
    let missing = s.name("missing");
    let ask = |s: &mut Session, names: &[&str]| s.ask(ApiKey::DeleteGroups, &json!({ "groupsNames": names }));
    ask(s, &[&stable, &missing, ""]);
    s.ask(ApiKey::LeaveGroup, &json!({ "groupId": stable, "memberId": "$m", "members": [{ "memberId": "$m" }] }));
    ask(s, &[&stable, &stable]);
    ask(s, &[&stable]);
    ask(s, &[]);
    s.ask(ApiKey::DescribeGroups, &json!({ "groups": [stable] }));
}
