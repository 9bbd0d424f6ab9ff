//! What `DescribeConfigs` says: each property with its value, where the value comes from, and what it would fall back
//! to.
//!
//! The rules are those of `kafka.server.ConfigHelper`, quirks included: the list of fallbacks starts at the first that
//! bears the property's own name, so that `log.retention.hours=1` shows in the value of `retention.ms` and not in its
//! source.

use super::broker::BrokerConfig;
use super::definition::{Definition, Scope, definitions};
use super::dynamic::DynamicConfigs;
use super::reader::{Properties, set_in};
use super::settings;
use super::value::Kind;

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// The topic's own override.
    DynamicTopic,
    /// This broker's dynamic setting.
    DynamicBroker,
    /// The dynamic setting of all brokers.
    DynamicDefaultBroker,
    /// `server.properties`, the environment or a flag.
    StaticBroker,
    /// Kafka's default.
    Default,
    /// A level of the log.
    DynamicBrokerLogger,
    /// A client telemetry subscription.
    DynamicClientMetrics,
    /// The group's own override.
    DynamicGroup,
}

impl ConfigSource {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::DynamicBrokerLogger => 6,
            Self::DynamicClientMetrics => 7,
            Self::DynamicGroup => 8,
        }
    }
}

/// One place a value can come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The name it has there.
    pub name: String,
    /// Its value there; `None` where it is secret.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// One property as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` for null and for what is secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// The value is withheld.
    pub is_sensitive: bool,
    /// It changes only by a restart.
    pub is_read_only: bool,
    /// Its type; `None` for a name Kafka does not know.
    pub kind: Option<Kind>,
    /// All places it could come from, the one it does first.
    pub synonyms: Vec<Synonym>,
    /// A sentence about it, for `include_documentation`.
    pub documentation: &'static str,
}

impl ConfigEntry {
    /// The level of a logger.
    #[must_use]
    pub fn of_logger(name: &str, level: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(level.to_owned()),
            source: ConfigSource::DynamicBrokerLogger,
            is_sensitive: false,
            is_read_only: false,
            kind: None,
            synonyms: Vec::new(),
            documentation: "",
        }
    }

    /// The type's code on the wire; 0 for an unknown one.
    #[must_use]
    pub fn type_code(&self) -> i8 {
        self.kind.map_or(0, Kind::code)
    }
}

/// Everything a topic obeys. `config` is the broker's configuration with `dynamic` applied.
#[must_use]
pub fn topic(config: &BrokerConfig, dynamic: &DynamicConfigs, overrides: &Properties) -> Vec<ConfigEntry> {
    let resolved = config.topic_defaults.with_overrides(overrides);
    let layers = Layers { config, dynamic };
    definitions(Scope::Topic)
        .iter()
        .filter(|definition| !definition.internal || overrides.contains_key(definition.name))
        .map(|definition| {
            let value = resolved.text(definition.name);
            let mut synonyms = definition.synonyms.first().map(|name| layers.synonyms(name)).unwrap_or_default();
            if overrides.contains_key(definition.name) {
                synonyms.insert(0, own(definition, value.clone(), ConfigSource::DynamicTopic));
            }
            overridable(definition, value, synonyms)
        })
        .collect()
}

/// Everything a group obeys.
#[must_use]
pub fn group(config: &BrokerConfig, dynamic: &DynamicConfigs, overrides: &Properties) -> Vec<ConfigEntry> {
    let layers = Layers { config, dynamic };
    definitions(Scope::Group)
        .iter()
        .map(|definition| {
            let set = overrides.get(definition.name).and_then(|text| definition.parse(text).ok());
            let synonym = definition.synonyms.first();
            let mut synonyms = synonym.map(|name| layers.synonyms(name)).unwrap_or_else(|| {
                definition
                    .default
                    .map(|text| own(definition, Some(text.to_owned()), ConfigSource::Default))
                    .into_iter()
                    .collect()
            });
            let value = set.as_ref().map(ToString::to_string);
            let value = value.or_else(|| match synonym {
                Some(name) => layers.effective(name),
                None => definition.default.map(str::to_owned),
            });
            if set.is_some() {
                synonyms.insert(0, own(definition, value.clone(), ConfigSource::DynamicGroup));
            }
            overridable(definition, value, synonyms)
        })
        .collect()
}

/// A client telemetry subscription (KIP-714), also one that does not exist.
#[must_use]
pub fn client_metrics(overrides: &Properties) -> Vec<ConfigEntry> {
    definitions(Scope::ClientMetrics)
        .iter()
        .map(|definition| {
            let set = overrides.get(definition.name).and_then(|text| definition.parse(text).ok());
            let value = set.as_ref().map(ToString::to_string).or_else(|| definition.default.map(str::to_owned));
            let synonyms = match set {
                Some(_) => vec![own(definition, value.clone(), ConfigSource::DynamicClientMetrics)],
                None => Vec::new(),
            };
            overridable(definition, value, synonyms)
        })
        .collect()
}

/// Everything this broker obeys.
#[must_use]
pub fn broker(config: &BrokerConfig, dynamic: &DynamicConfigs) -> Vec<ConfigEntry> {
    let layers = Layers { config, dynamic };
    let mut names: Vec<&str> = definitions(Scope::Broker)
        .iter()
        .filter(|definition| !definition.internal && !definition.dynamic_only && !definition.ours)
        .map(|definition| definition.name)
        .collect();
    let set = [&dynamic.broker, &dynamic.cluster, &*config.statics].into_iter().flat_map(|layer| layer.keys());
    let mut more: Vec<&str> = set.map(String::as_str).filter(|name| !is_listed(name)).collect();
    more.sort_unstable();
    more.dedup();
    names.extend(more);
    names
        .into_iter()
        .map(|name| {
            let synonyms = layers.synonyms(name);
            layers.entry(name, layers.effective(name), synonyms)
        })
        .collect()
}

/// The dynamic settings of all brokers (resource name: empty).
#[must_use]
pub fn broker_defaults(config: &BrokerConfig, dynamic: &DynamicConfigs) -> Vec<ConfigEntry> {
    let layers = Layers { config, dynamic };
    dynamic
        .cluster
        .iter()
        .map(|(name, text)| {
            let mut synonyms = layers.synonyms(name);
            synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
            layers.entry(name, Some(text.clone()), synonyms)
        })
        .collect()
}

/// Whether `broker` lists `name` already, set or not.
fn is_listed(name: &str) -> bool {
    let definition = definitions(Scope::Broker).get(name);
    definition.is_some_and(|definition| !definition.internal && !definition.dynamic_only && !definition.ours)
}

/// A property of a topic, group or subscription: never read-only.
fn overridable(definition: &Definition, value: Option<String>, synonyms: Vec<Synonym>) -> ConfigEntry {
    ConfigEntry {
        name: definition.name.to_owned(),
        value,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        is_sensitive: definition.is_sensitive(),
        is_read_only: false,
        kind: Some(definition.kind),
        synonyms,
        documentation: definition.told(),
    }
}

fn own(definition: &Definition, value: Option<String>, source: ConfigSource) -> Synonym {
    Synonym { name: definition.name.to_owned(), value, source }
}

/// The places a broker property can come from.
struct Layers<'a> {
    config: &'a BrokerConfig,
    dynamic: &'a DynamicConfigs,
}

impl Layers<'_> {
    /// All places that have a value for `name` or for a name that stands for it, from the first that has `name`.
    fn synonyms(&self, name: &str) -> Vec<Synonym> {
        let definition = settings::known(name);
        let sensitive = definition.is_none_or(Definition::is_sensitive);
        let names = names_for(name);
        let mut synonyms = Vec::new();
        for (layer, source) in [
            (&self.dynamic.broker, ConfigSource::DynamicBroker),
            (&self.dynamic.cluster, ConfigSource::DynamicDefaultBroker),
            (&*self.config.statics, ConfigSource::StaticBroker),
        ] {
            for name in &names {
                if let Some(text) = layer.get(name) {
                    let value = (!sensitive).then(|| text.clone());
                    synonyms.push(Synonym { name: name.clone(), value, source });
                }
            }
        }
        for name in &names {
            let definition = definitions(Scope::Broker).get(name).filter(|definition| !definition.dynamic_only);
            if let Some(default) = definition.and_then(|definition| definition.default) {
                let value = (!sensitive).then(|| default.to_owned());
                synonyms.push(Synonym { name: name.clone(), value, source: ConfigSource::Default });
            }
        }
        let first = synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
        synonyms.split_off(first)
    }

    /// The value that acts, as it is printed.
    fn effective(&self, name: &str) -> Option<String> {
        let layers = [&self.dynamic.broker, &self.dynamic.cluster, &*self.config.statics];
        let text = set_in(layers, name);
        let Some(definition) = settings::known(name) else { return text.map(str::to_owned) };
        let exact = definitions(Scope::Broker).get(name).is_some();
        match text {
            Some(text) => Some(definition.parse(text).map_or_else(|_| text.to_owned(), |value| value.to_string())),
            None if exact => definition.default.map(str::to_owned),
            None => None,
        }
    }

    fn entry(&self, name: &str, value: Option<String>, synonyms: Vec<Synonym>) -> ConfigEntry {
        let definition = settings::known(name);
        let sensitive = definition.is_none_or(Definition::is_sensitive);
        let exact = definitions(Scope::Broker).get(name);
        ConfigEntry {
            name: name.to_owned(),
            value: value.filter(|_| !sensitive),
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            is_sensitive: sensitive,
            is_read_only: exact.is_none_or(|known| known.update == super::definition::UpdateMode::ReadOnly),
            kind: definition.map(|known| known.kind),
            synonyms,
            documentation: definition.map_or("", Definition::told),
        }
    }
}

/// The names that stand for `name`: its twins in other units, or the property behind a listener's name.
fn names_for(name: &str) -> Vec<String> {
    if let Some(definition) = definitions(Scope::Broker).get(name) {
        if definition.synonyms.is_empty() {
            return vec![name.to_owned()];
        }
        return definition.synonyms.iter().map(|synonym| (*synonym).to_owned()).collect();
    }
    match name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')) {
        Some((_, base)) => {
            let base = settings::known(name).map_or(base, |definition| definition.name);
            vec![name.to_owned(), base.to_owned()]
        }
        None => vec![name.to_owned()],
    }
}
