//! Fields that may differ between two brokers that behave alike, by name and with the reason.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::names::Names;
use super::records;

/// What the comparison makes of a field.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Any number that is not negative equals any other; text equals other text.
    Any,
    /// Any text equals any other.
    Words,
    /// An id that the broker makes up: compared by the order in which ids are seen.
    Id(&'static str),
    /// An array in an order that has no meaning: compared in the order of these fields of its elements.
    Unordered(&'static [&'static str]),
    /// An unordered array whose elements are compared one by one under the names that this field gives them.
    Keyed(&'static str),
    /// Record batches.
    Records,
}

/// API (or `*`), field, what is made of it, and why.
type Row = (&'static str, &'static str, Rule, &'static str);

const FIELDS: &[Row] = &[
    ("*", "throttleTimeMs", Rule::Any, "quotas are measured in time"),
    ("*", "port", Rule::Any, "two brokers on one machine"),
    ("*", "clusterId", Rule::Id("cluster"), "made when the data directory is"),
    ("*", "topicId", Rule::Id("topic"), "made when the topic is"),
    ("*", "memberId", Rule::Id("member"), "made when the member joins"),
    ("JoinGroup", "leader", Rule::Id("member"), "made when the member joins"),
    ("*", "producerId", Rule::Id("producer"), "from blocks of numbers"),
    ("*", "appendTimestamp", Rule::Any, "the broker's clock"),
    ("*", "base_appendTimestamp", Rule::Any, "the broker's clock"),
    ("*", "max_appendTimestamp", Rule::Any, "the broker's clock"),
    ("*", "logAppendTimeMs", Rule::Any, "the broker's clock"),
    ("*", "records", Rule::Records, "compared batch by batch"),
    ("ApiVersions", "apiKeys", Rule::Keyed("apiKey"), "a set"),
    ("ApiVersions", "supportedFeatures", Rule::Keyed("name"), "a set"),
    ("ApiVersions", "finalizedFeatures", Rule::Keyed("name"), "a set"),
    ("ApiVersions", "finalizedFeaturesEpoch", Rule::Any, "an offset of the metadata log"),
    ("Fetch", "sessionId", Rule::Id("session"), "random"),
    ("Metadata", "topics", Rule::Unordered(&["name"]), "a set"),
    ("Metadata", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("CreateTopics", "topics", Rule::Unordered(&["name"]), "a set"),
    ("CreateTopics", "configs", Rule::Keyed("name"), "a set"),
    ("CreatePartitions", "results", Rule::Unordered(&["name"]), "a set"),
    ("DescribeConfigs", "configs", Rule::Keyed("name"), "a set"),
    ("DescribeConfigs", "results", Rule::Unordered(&["resourceType", "resourceName"]), "a set"),
    ("IncrementalAlterConfigs", "responses", Rule::Unordered(&["resourceType", "resourceName"]), "a set"),
    ("AlterConfigs", "responses", Rule::Unordered(&["resourceType", "resourceName"]), "a set"),
    ("DescribeLogDirs", "topics", Rule::Unordered(&["name"]), "a set"),
    ("DescribeLogDirs", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("DescribeLogDirs", "logDir", Rule::Any, "two data directories"),
    ("DescribeLogDirs", "totalBytes", Rule::Any, "the disk"),
    ("DescribeLogDirs", "usableBytes", Rule::Any, "the disk"),
    ("DescribeConfigs", "documentation", Rule::Words, "said in words of our own"),
    ("DescribeQuorum", "highWatermark", Rule::Any, "an offset of the metadata log"),
    ("DescribeQuorum", "logEndOffset", Rule::Any, "an offset of the metadata log"),
    ("DescribeQuorum", "lastFetchTimestamp", Rule::Any, "the broker's clock"),
    ("DescribeQuorum", "lastCaughtUpTimestamp", Rule::Any, "the broker's clock"),
    ("DescribeQuorum", "replicaDirectoryId", Rule::Id("directory"), "made when the data directory is"),
    ("DescribeProducers", "lastTimestamp", Rule::Any, "the broker's clock"),
    ("DescribeProducers", "activeProducers", Rule::Unordered(&["producerEpoch", "lastSequence"]), "a set"),
    ("DescribeTransactions", "transactionStartTimeMs", Rule::Any, "the broker's clock"),
    ("DescribeTransactions", "topics", Rule::Unordered(&["topic"]), "a set"),
    ("ListTransactions", "transactionStates", Rule::Unordered(&["transactionalId"]), "a set"),
    ("ListTransactions", "unknownStateFilters", Rule::Unordered(&[]), "a set"),
    ("AddPartitionsToTxn", "resultsByPartition", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("DescribeTransactions", "partitions", Rule::Unordered(&[]), "a set"),
    ("ConsumerGroupDescribe", "groups", Rule::Unordered(&["groupId"]), "a set"),
    ("Fetch", "responses", Rule::Unordered(&["topic"]), "a set"),
    ("ListGroups", "groups", Rule::Unordered(&["groupId"]), "a set"),
    ("DescribeGroups", "groups", Rule::Unordered(&["groupId"]), "a set"),
    ("DescribeGroups", "members", Rule::Unordered(&["groupInstanceId", "memberMetadata"]), "a set"),
    (
        "ConsumerGroupDescribe",
        "members",
        Rule::Unordered(&["instanceId", "subscribedTopicNames", "assignment"]),
        "a set",
    ),
    ("JoinGroup", "members", Rule::Unordered(&["groupInstanceId", "metadata"]), "a set"),
    ("OffsetFetch", "topics", Rule::Unordered(&["name"]), "a set"),
    ("OffsetFetch", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("OffsetCommit", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("OffsetCommit", "topics", Rule::Unordered(&["name"]), "a set"),
    ("OffsetDelete", "topics", Rule::Unordered(&["name"]), "a set"),
    ("TxnOffsetCommit", "topics", Rule::Unordered(&["name"]), "a set"),
    ("ConsumerGroupHeartbeat", "topicPartitions", Rule::Unordered(&["partitions"]), "a set"),
    ("ConsumerGroupDescribe", "topicPartitions", Rule::Unordered(&["topicName"]), "a set"),
    ("DeleteGroups", "results", Rule::Unordered(&["groupId"]), "a set"),
    ("DeleteTopics", "responses", Rule::Unordered(&["name"]), "a set"),
    ("DeleteRecords", "topics", Rule::Unordered(&["name"]), "a set"),
    ("DeleteRecords", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("ListOffsets", "topics", Rule::Unordered(&["name"]), "a set"),
    ("ListOffsets", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("Produce", "responses", Rule::Unordered(&["name"]), "a set"),
    ("Produce", "partitionResponses", Rule::Unordered(&["index"]), "a set"),
    ("AlterReplicaLogDirs", "results", Rule::Unordered(&["topicName"]), "a set"),
    ("AlterReplicaLogDirs", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("ElectLeaders", "replicaElectionResults", Rule::Keyed("topic"), "a set"),
    ("ElectLeaders", "partitionResult", Rule::Unordered(&["partitionId"]), "a set"),
    ("OffsetForLeaderEpoch", "topics", Rule::Unordered(&["topic"]), "a set"),
    ("OffsetForLeaderEpoch", "partitions", Rule::Unordered(&["partition"]), "a set"),
    ("AddPartitionsToTxn", "resultsByTopicV3AndBelow", Rule::Unordered(&["name"]), "a set"),
    ("AddPartitionsToTxn", "resultsByTransaction", Rule::Unordered(&["transactionalId"]), "a set"),
    ("AddPartitionsToTxn", "topicResults", Rule::Unordered(&["name"]), "a set"),
    ("WriteTxnMarkers", "partitions", Rule::Unordered(&["partitionIndex"]), "a set"),
    ("WriteTxnMarkers", "topics", Rule::Unordered(&["name"]), "a set"),
    ("ListConfigResources", "configResources", Rule::Unordered(&["resourceType", "resourceName"]), "a set"),
    ("AlterUserScramCredentials", "results", Rule::Unordered(&["user"]), "a set"),
    ("DescribeUserScramCredentials", "results", Rule::Unordered(&["user"]), "a set"),
    ("DescribeClientQuotas", "entries", Rule::Unordered(&["entity"]), "a set"),
    ("UpdateFeatures", "results", Rule::Unordered(&["feature"]), "a set"),
];

fn rule(api: &str, field: &str) -> Option<Rule> {
    let rows = || FIELDS.iter().filter(|row| row.1 == field);
    rows().find(|row| row.0 == api).or_else(|| rows().find(|row| row.0 == "*")).map(|row| row.2)
}

/// A reply as the comparison sees it.
#[must_use]
pub fn normalise(api: &str, reply: &Json, names: &mut Names) -> Json {
    let named = name(api, reply, names);
    in_texts(&named, names)
}

fn name(api: &str, value: &Json, names: &mut Names) -> Json {
    match value {
        Json::Array(elements) => elements.iter().map(|element| name(api, element, names)).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(field, value)| (field.clone(), apply(api, field, value, names))).collect()
        }
        other => other.clone(),
    }
}

fn apply(api: &str, field: &str, value: &Json, names: &mut Names) -> Json {
    match (rule(api, field), value) {
        (Some(Rule::Any), Json::Number(number)) if number.as_i64().is_some_and(|number| number >= 0) => "<any>".into(),
        (Some(Rule::Any), Json::String(text)) if !text.is_empty() => "<any>".into(),
        (Some(Rule::Words), Json::String(_)) => "<any>".into(),
        (Some(Rule::Id(kind)), Json::String(_) | Json::Number(_)) => names.name(kind, value),
        (Some(Rule::Records), Json::String(_)) => name(api, &records::show(value), names),
        (Some(Rule::Keyed(key)), Json::Array(elements)) => {
            let text = |key: &Json| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            elements.iter().map(|element| (text(&element[key]), name(api, element, names))).collect()
        }
        (Some(Rule::Unordered(keys)), Json::Array(elements)) => {
            // Sorted by what ids do not touch, and before they are named by the order in which they are seen.
            let mut elements = elements.clone();
            let are_known = elements.iter().all(|one| known_member(one, names).is_some());
            elements.sort_by(|one, other| {
                if are_known {
                    return known_member(one, names).cmp(&known_member(other, names));
                }
                compare(one, other, keys).then_with(|| known(one, names).cmp(&known(other, names)))
            });
            elements.iter().map(|element| name(api, element, names)).collect()
        }
        _ => name(api, value, names),
    }
}

/// What the member or the topic of an element is called by now: the order of elements that are alike.
fn known<'a>(element: &Json, names: &'a Names) -> Option<&'a str> {
    let topic = || element["topicId"].as_str().and_then(|id| names.known("topic", id));
    known_member(element, names).or_else(topic)
}

/// What the member of an element is called by now.
fn known_member<'a>(element: &Json, names: &'a Names) -> Option<&'a str> {
    element["memberId"].as_str().and_then(|id| names.known("member", id))
}

/// A reply of groups with the numbers of assigned partitions instead of the partitions: which ones a member is assigned
/// is the broker's to choose.
#[must_use]
pub fn count_assigned(reply: &Json) -> Json {
    let count =
        |topics: &[Json]| -> usize { topics.iter().filter_map(|one| Some(one["partitions"].as_array()?.len())).sum() };
    match reply {
        Json::Object(fields) => fields
            .iter()
            .map(|(field, value)| {
                let counted = match (field.as_str(), value) {
                    ("topicPartitions", Json::Array(topics)) => count(topics).into(),
                    ("subscribedTopicNames", Json::Array(names)) => {
                        let mut names = names.clone();
                        names.sort_by_key(Json::to_string);
                        names.into()
                    }
                    // Those of the classic protocol, in bytes.
                    ("assignment" | "memberAssignment", Json::String(bytes)) => bytes.len().into(),
                    _ => count_assigned(value),
                };
                (field.clone(), counted)
            })
            .collect(),
        Json::Array(elements) => elements.iter().map(count_assigned).collect(),
        other => other.clone(),
    }
}

fn compare(one: &Json, other: &Json, keys: &[&str]) -> Ordering {
    let text = |value: &Json| match value {
        Json::Number(number) => format!("{:020}", number.as_i64().unwrap_or_default()),
        other => other.to_string(),
    };
    if keys.is_empty() {
        return text(one).cmp(&text(other));
    }
    keys.iter()
        .map(|key| text(&one[*key]).cmp(&text(&other[*key])))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn in_texts(value: &Json, names: &Names) -> Json {
    match value {
        Json::String(text) => without_clock(&names.in_text(text)).into(),
        Json::Array(elements) => elements.iter().map(|element| in_texts(element, names)).collect(),
        Json::Object(fields) => fields.iter().map(|(field, value)| (field.clone(), in_texts(value, names))).collect(),
        other => other.clone(),
    }
}

/// The refusal of a timestamp, without the bounds that the broker's clock sets.
fn without_clock(text: &str) -> String {
    const BOUNDS: &str = "The timestamp should be within [";
    let mut parts = text.split(BOUNDS);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += BOUNDS;
        out += part.find(']').map_or(part, |end| &part[end..]);
    }
    out
}
