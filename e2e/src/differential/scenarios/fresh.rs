//! Requests to coordinators before anything has made their topics: what is refused anyway, and what has to wait.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::LONG_MS;
use super::classic_groups::{heartbeat_request, join, sync_request};
use super::consumer_groups::beat;
use super::group_offsets::{commit_request, fetch_request};
use super::transactions::add_request;
use crate::differential::session::Session;

/// Asks a broker that has nothing but its metadata.
pub fn all(s: &mut Session) {
    heartbeats(s);
    classic(s);
    transactions(s);
}

fn with(request: &Json, change: &Json) -> Json {
    let mut request = request.clone();
    for (name, value) in change.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

fn heartbeats(s: &mut Session) {
    let first = json!({
        "groupId": "g", "memberId": "m", "memberEpoch": 0, "rebalanceTimeoutMs": LONG_MS,
        "subscribedTopicNames": ["t"], "topicPartitions": [],
    });
    for change in [
        json!({}),
        json!({ "serverAssignor": "nonsense" }),
        json!({ "groupId": "" }),
        json!({ "memberId": "" }),
        json!({ "instanceId": "" }),
        json!({ "rackId": "" }),
        json!({ "rebalanceTimeoutMs": -1 }),
        json!({ "topicPartitions": null }),
        json!({ "subscribedTopicNames": null }),
        json!({ "subscribedTopicNames": null, "subscribedTopicRegex": "[" }),
        json!({ "memberEpoch": -2 }),
        json!({ "memberEpoch": -3 }),
    ] {
        s.ask_version(ApiKey::ConsumerGroupHeartbeat, 1, &with(&first, &change));
    }
    s.ask_version(ApiKey::ConsumerGroupHeartbeat, 1, &beat("g", "m", 1));
    for groups in [json!(["g"]), json!([""]), json!([])] {
        s.ask(ApiKey::ConsumerGroupDescribe, &json!({ "groupIds": groups }));
    }
}

fn classic(s: &mut Session) {
    for group in ["g", ""] {
        s.ask(ApiKey::JoinGroup, &join(group, "", None, &["range"]));
        s.ask(ApiKey::JoinGroup, &with(&join(group, "m", None, &["range"]), &json!({ "sessionTimeoutMs": 1 })));
        s.ask(ApiKey::JoinGroup, &join(group, "m", None, &[]));
        s.ask(ApiKey::SyncGroup, &sync_request(group, 1, "m", &[]));
        s.ask(ApiKey::Heartbeat, &heartbeat_request(group, 1, "m"));
        s.ask(ApiKey::LeaveGroup, &json!({ "groupId": group, "members": [{ "memberId": "m" }] }));
        s.ask(ApiKey::DescribeGroups, &json!({ "groups": [group] }));
        s.ask(ApiKey::DeleteGroups, &json!({ "groupsNames": [group] }));
        s.ask_version(ApiKey::OffsetCommit, 9, &commit_request(group, "t", "$t", &[(0, 5, None)]));
        for version in [1, 7, 9] {
            s.ask_version(ApiKey::OffsetFetch, version, &fetch_request(group, Some(&[("t", "$t", &[0])])));
        }
        s.ask_version(ApiKey::OffsetFetch, 9, &fetch_request(group, None));
        let list = json!([{ "name": "t", "partitions": [{ "partitionIndex": 0 }] }]);
        s.ask(ApiKey::OffsetDelete, &json!({ "groupId": group, "topics": list }));
    }
    s.ask(ApiKey::ListGroups, &json!({}));
}

fn transactions(s: &mut Session) {
    for id in ["x", ""] {
        let producer = json!({ "transactionalId": id, "producerId": 5, "producerEpoch": 0 });
        let group = json!({ "groupId": "g" });
        let init = json!({ "transactionalId": id, "transactionTimeoutMs": LONG_MS });
        s.ask(ApiKey::InitProducerId, &init);
        s.ask(ApiKey::InitProducerId, &with(&init, &json!({ "transactionTimeoutMs": 0 })));
        for version in [3, 5] {
            let request = add_request(id, json!(5), json!(0), &[("t", &[0])]);
            s.ask_version(ApiKey::AddPartitionsToTxn, version, &request);
        }
        s.ask(ApiKey::AddOffsetsToTxn, &with(&producer, &group));
        s.ask(ApiKey::AddOffsetsToTxn, &with(&producer, &json!({ "groupId": "" })));
        let one = json!({ "partitionIndex": 0, "committedOffset": 1 });
        let offsets = json!({ "groupId": "g", "generationId": -1, "memberId": "", "topics": [{ "name": "t", "partitions": [one] }] });
        s.ask(ApiKey::TxnOffsetCommit, &with(&producer, &offsets));
        for version in [4, 5] {
            s.ask_version(ApiKey::EndTxn, version, &with(&producer, &json!({ "committed": true })));
        }
        s.ask(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }));
    }
    s.ask(ApiKey::ListTransactions, &json!({}));
    s.ask(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": "t", "partitionIndexes": [0] }] }));
}
