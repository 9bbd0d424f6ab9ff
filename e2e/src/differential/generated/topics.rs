//! A few topics that come, grow, change their settings and go.

use proptest::prelude::*;
use serde_json::json;
use wire::ApiKey;

use crate::differential::session::Session;

/// A setting and a value of it, good and bad.
const CONFIGS: [(&str, &str); 8] = [
    ("retention.ms", "1000"),
    ("retention.ms", "x"),
    ("cleanup.policy", "compact"),
    ("cleanup.policy", "delete,compact"),
    ("cleanup.policy", "nonsense"),
    ("max.message.bytes", "5000"),
    ("no.such.thing", "1"),
    ("min.insync.replicas", "0"),
];
/// The first version of Metadata whose clients say whether a topic is to be made.
const FIRST_METADATA: i16 = 4;

/// One request. `name` is a topic's number.
#[derive(Debug, Clone)]
pub enum Step {
    Create { version: u8, topics: Vec<(u8, i32, Option<usize>)>, validate: bool },
    Delete { version: u8, name: u8 },
    Grow { version: u8, name: u8, count: i32, validate: bool },
    Alter { version: u8, name: u8, config: usize, operation: i8, validate: bool },
    Describe { version: u8, name: u8 },
    Metadata { version: u8, name: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let version = any::<u8>;
    let name = || 0..4_u8;
    let validate = || prop_oneof![4 => Just(false), 1 => Just(true)];
    let created = (name(), prop_oneof![4 => 1..4, 1 => -1..1], prop::option::of(0..CONFIGS.len()));
    prop_oneof![
        4 => (version(), prop::collection::vec(created, 1..4), validate())
            .prop_map(|(version, topics, validate)| Step::Create { version, topics, validate }),
        1 => (version(), name()).prop_map(|(version, name)| Step::Delete { version, name }),
        2 => (version(), name(), 0..7, validate())
            .prop_map(|(version, name, count, validate)| Step::Grow { version, name, count, validate }),
        3 => (version(), name(), 0..CONFIGS.len(), 0..4_i8, validate()).prop_map(
            |(version, name, config, operation, validate)| Step::Alter { version, name, config, operation, validate }
        ),
        2 => (version(), name()).prop_map(|(version, name)| Step::Describe { version, name }),
        2 => (version(), name()).prop_map(|(version, name)| Step::Metadata { version, name }),
    ]
}

/// Sequences that begin with no topic.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 5..25)
}

/// Sends a sequence.
pub fn play(s: &mut Session, steps: &Vec<Step>) {
    let names: Vec<String> = (0..4).map(|number| s.name(&format!("t{number}"))).collect();
    let named = |name: u8| &names[usize::from(name)];
    for step in steps {
        match step {
            Step::Create { version, topics, validate } => {
                let topic = |(name, partitions, config): &(u8, i32, Option<usize>)| {
                    let configs = config.map(|at| json!({ "name": CONFIGS[at].0, "value": CONFIGS[at].1 }));
                    let configs: Vec<_> = configs.into_iter().collect();
                    json!({ "name": named(*name), "numPartitions": partitions, "replicationFactor": 1, "configs": configs })
                };
                let topics: Vec<_> = topics.iter().map(topic).collect();
                let request = json!({ "topics": topics, "timeoutMs": 30000, "validateOnly": validate });
                s.ask_version(ApiKey::CreateTopics, s.pick(ApiKey::CreateTopics, *version), &request);
            }
            Step::Delete { version, name } => {
                let name = named(*name);
                let request = json!({ "topics": [{ "name": name }], "topicNames": [name], "timeoutMs": 30000 });
                s.ask_version(ApiKey::DeleteTopics, s.pick(ApiKey::DeleteTopics, *version), &request);
            }
            Step::Grow { version, name, count, validate } => {
                let topic = json!({ "name": named(*name), "count": count, "assignments": null });
                let request = json!({ "topics": [topic], "timeoutMs": 30000, "validateOnly": validate });
                s.ask_version(ApiKey::CreatePartitions, s.pick(ApiKey::CreatePartitions, *version), &request);
            }
            Step::Alter { version, name, config, operation, validate } => {
                let (config, value) = CONFIGS[*config];
                let config = json!({ "name": config, "configOperation": operation, "value": value });
                let resource = json!({ "resourceType": 2, "resourceName": named(*name), "configs": [config] });
                let request = json!({ "resources": [resource], "validateOnly": validate });
                let version = s.pick(ApiKey::IncrementalAlterConfigs, *version);
                s.ask_version(ApiKey::IncrementalAlterConfigs, version, &request);
            }
            Step::Describe { version, name } => {
                let keys = ["retention.ms", "cleanup.policy", "max.message.bytes", "min.insync.replicas"];
                let resource = json!({ "resourceType": 2, "resourceName": named(*name), "configurationKeys": keys });
                let request = json!({ "resources": [resource], "includeSynonyms": true });
                s.agree_version(ApiKey::DescribeConfigs, s.pick(ApiKey::DescribeConfigs, *version), &request);
            }
            Step::Metadata { version, name } => {
                let version = s.pick(ApiKey::Metadata, *version).max(FIRST_METADATA);
                let request = json!({ "topics": [{ "name": named(*name) }], "allowAutoTopicCreation": false });
                s.agree_version(ApiKey::Metadata, version, &request);
            }
        }
    }
}
