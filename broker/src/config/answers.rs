//! Replays what a running Apache Kafka 4.3.1 answered (`testdata/answers.tsv`, printed by
//! `broker/dev/ConfigAnswers.java`) against this module.

use std::collections::BTreeMap;

use super::alter::{self, BrokerLayer, Change, Operation};
use super::describe::{self, ConfigEntry, ConfigSource};
use super::value::Kind;
use super::{BrokerConfig, ConfigError, DynamicConfigs, Properties, Sources};

const ANSWERS: &str = include_str!("testdata/answers.tsv");

/// The state that the changes of the file build up.
struct Replay {
    config: BrokerConfig,
    dynamic: DynamicConfigs,
    topic: Properties,
    group: Properties,
    client_metrics: Properties,
}

impl Replay {
    fn new() -> Self {
        let statics: Vec<&str> = ANSWERS.lines().filter_map(|line| line.strip_prefix("static\t")).collect();
        let file = Some(("server.properties".into(), statics.join("\n")));
        let config = BrokerConfig::load(&Sources { file, ..Sources::default() }).expect("a valid file").config;
        // Formatting a directory with Kafka 4.3's features sets this one, which the first changes ask about.
        let cluster = Properties::from([("min.insync.replicas".to_owned(), "1".to_owned())]);
        let dynamic = DynamicConfigs { cluster, ..DynamicConfigs::default() };
        Self { config, dynamic, topic: Properties::new(), group: Properties::new(), client_metrics: Properties::new() }
    }

    fn effective(&self) -> BrokerConfig {
        self.config.with_dynamic(&self.dynamic)
    }

    fn alter(&mut self, resource: &str, name: &str, changes: &[Change<'_>]) -> Result<(), ConfigError> {
        match (resource, name) {
            ("TOPIC", _) => self.topic = alter::topic(&self.effective(), &self.topic, changes)?,
            ("GROUP", _) => self.group = alter::group(&self.effective(), &self.group, changes)?,
            ("CLIENT_METRICS", _) => self.client_metrics = alter::client_metrics(&self.client_metrics, changes)?,
            ("BROKER", "") => {
                let layer = BrokerLayer::AllBrokers;
                self.dynamic.cluster = alter::broker(&self.config, &self.dynamic, layer, changes, true)?;
            }
            _ => {
                let layer = BrokerLayer::ThisBroker;
                self.dynamic.broker = alter::broker(&self.config, &self.dynamic, layer, changes, true)?;
            }
        }
        Ok(())
    }

    fn describe(&self, resource: &str, name: &str) -> BTreeMap<String, ConfigEntry> {
        let config = self.effective();
        let entries = match (resource, name) {
            ("TOPIC", _) => describe::topic(&config, &self.dynamic, &self.topic),
            ("GROUP", _) => describe::group(&config, &self.dynamic, &self.group),
            ("CLIENT_METRICS", _) => describe::client_metrics(&self.client_metrics),
            ("BROKER", "") => describe::broker_defaults(&config, &self.dynamic),
            _ => describe::broker(&config, &self.dynamic),
        };
        entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect()
    }
}

fn changes<'a>(fields: &[&'a str]) -> Vec<Change<'a>> {
    fields
        .chunks_exact(3)
        .map(|triple| Change {
            operation: match triple[0] {
                "SET" => Operation::Set,
                "DELETE" => Operation::Delete,
                "APPEND" => Operation::Append,
                _ => Operation::Subtract,
            },
            name: triple[1],
            value: (triple[2] != "\\N").then_some(triple[2]),
        })
        .collect()
}

fn answer(outcome: Result<(), ConfigError>) -> Vec<String> {
    match outcome {
        Ok(()) => vec!["OK".to_owned()],
        Err(ConfigError::InvalidConfig(message)) => vec!["InvalidConfigurationException".to_owned(), message],
        Err(ConfigError::InvalidRequest(message)) => vec!["InvalidRequestException".to_owned(), message],
    }
}

fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        ConfigSource::DynamicClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        ConfigSource::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
        ConfigSource::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
    }
}

fn line(entry: &ConfigEntry) -> String {
    let null = || "\\N".to_owned();
    let kind = entry.kind.map_or("UNKNOWN".to_owned(), |kind| format!("{kind:?}").to_uppercase());
    let flags = format!("{}{}", if entry.is_sensitive { "s" } else { "" }, if entry.is_read_only { "r" } else { "" });
    let mut fields = vec![
        "entry".to_owned(),
        entry.name.clone(),
        entry.value.clone().unwrap_or_else(null),
        source(entry.source).to_owned(),
        flags,
        kind,
    ];
    for synonym in &entry.synonyms {
        let value = synonym.value.clone().unwrap_or_else(null);
        fields.extend([source(synonym.source).to_owned(), synonym.name.clone(), value]);
    }
    fields.join("\t")
}

#[test]
fn every_change_and_every_description_is_answered_as_kafka_answers_it() {
    let mut replay = Replay::new();
    let mut described = BTreeMap::new();
    let (mut differences, mut asked) = (Vec::new(), 0);
    for text in ANSWERS.lines() {
        let fields: Vec<&str> = text.split('\t').collect();
        let (question, wanted) = match fields.iter().position(|field| *field == "->") {
            Some(at) => (&fields[..at], &fields[at + 1..]),
            None => (&fields[..], &fields[fields.len()..]),
        };
        let given = match question[0] {
            "topic" => {
                let pairs: Vec<_> = question[1..].chunks_exact(2).map(|pair| (pair[0], Some(pair[1]))).collect();
                replay.topic = alter::new_topic(&replay.config, &pairs).expect("the topic of the file");
                continue;
            }
            "create" => {
                let value = |text| (text != "\\N").then_some(text);
                let pairs: Vec<_> = question[1..].chunks_exact(2).map(|pair| (pair[0], value(pair[1]))).collect();
                answer(alter::new_topic(&replay.effective(), &pairs).map(drop))
            }
            "alter" => answer(replay.alter(question[1], question[2], &changes(&question[3..]))),
            "describe" => {
                assert!(described.is_empty(), "described and not in Kafka's answer: {:?}", described.keys());
                described = replay.describe(question[1], question[2]);
                continue;
            }
            "entry" => {
                let given = described.remove(question[1]).map_or("absent".to_owned(), |entry| line(&entry));
                asked += 1;
                if given != text {
                    differences.push(format!("kafka: {text}\nours:  {given}"));
                }
                continue;
            }
            _ => continue,
        };
        asked += 1;
        if given != wanted {
            differences.push(format!("kafka: {text}\nours:  {given:?}"));
        }
    }
    assert!(described.is_empty(), "described and not in Kafka's answer: {:?}", described.keys());
    assert!(asked > 1_000, "only {asked} answers in the file");
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn types_have_the_codes_of_the_wire() {
    let codes = [Kind::Boolean, Kind::String, Kind::Int, Kind::Short, Kind::Long, Kind::Double, Kind::List];
    assert_eq!(codes.map(Kind::code), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!([Kind::Class, Kind::Password].map(Kind::code), [8, 9]);
}
