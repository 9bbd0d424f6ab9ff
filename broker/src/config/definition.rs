//! The table of every property Apache Kafka 4.3.1 knows, and of the few that are ours.
//!
//! The facts (name, type, default, validator, update mode, synonyms) are `definitions.tsv`, printed from Kafka's own
//! `ConfigDef` objects by `broker/dev/ConfigTable.java`. What the broker does with a property, and the sentence
//! `DescribeConfigs` shows for it, is `support.tsv`. Both are parsed at first use, in some tens of microseconds, into
//! slices of the program's own text.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::error::ConfigError;
use super::rule::Rule;
use super::value::{Kind, Value};

const DEFINITIONS: &str = include_str!("definitions.tsv");
const OURS: &str = include_str!("ours.tsv");
const SUPPORT: &str = include_str!("support.tsv");

/// What kind of resource a property belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `server.properties` and the broker resource of the config APIs.
    Broker,
    /// A topic's overrides.
    Topic,
    /// A consumer, share or streams group's overrides (KIP-848, KIP-932, KIP-1071).
    Group,
    /// A client telemetry subscription (KIP-714).
    ClientMetrics,
    /// A user's or client's quota, and SCRAM credentials.
    ClientQuota,
    /// A quota on an address.
    IpQuota,
}

impl Scope {
    const ALL: [Scope; 6] =
        [Scope::Broker, Scope::Topic, Scope::Group, Scope::ClientMetrics, Scope::ClientQuota, Scope::IpQuota];

    fn label(self) -> &'static str {
        match self {
            Scope::Broker => "broker",
            Scope::Topic => "topic",
            Scope::Group => "group",
            Scope::ClientMetrics => "client-metrics",
            Scope::ClientQuota => "client-quota",
            Scope::IpQuota => "ip-quota",
        }
    }
}

/// How a broker property may change while the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// On one named broker.
    PerBroker,
    /// On one broker or as the default of all.
    ClusterWide,
}

/// How much attention Kafka's documentation thinks a property deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// Set it deliberately.
    High,
    /// Often left alone.
    Medium,
    /// Nearly always left alone.
    Low,
}

/// What this broker does with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It acts as in Kafka.
    Implemented,
    /// It has nothing to act on in a broker without replicas, remote storage or a JVM; accepted in silence.
    Moot,
    /// Kafka would act on it and we do not yet; setting it earns a warning.
    Missing,
}

/// One property: what Kafka says about it and what we do with it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The resource it belongs to.
    pub scope: Scope,
    /// Its name, as in `server.properties`.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The default in Kafka's text form; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Kafka refuses to start without it.
    pub required: bool,
    /// Kafka's grading.
    pub importance: Importance,
    /// What values are accepted beyond the type.
    pub rule: Rule,
    /// Whether it changes while the broker runs.
    pub update: UpdateMode,
    /// Kafka hides it from `DescribeConfigs` of a broker.
    pub internal: bool,
    /// It can be set on a running broker and not in `server.properties`.
    pub dynamic_only: bool,
    /// It is no property of Kafka's but one of ours.
    pub ours: bool,
    /// It may change on a running broker only behind `listener.name.<listener>.`.
    pub per_listener: bool,
    /// The broker properties that stand for it, in order of precedence: for a topic or group property where it gets
    /// its value from, for a broker property that has a twin in another unit both of them.
    pub synonyms: Vec<&'static str>,
    /// What we do with it.
    pub support: Support,
    /// One sentence about it, empty where [`Support`] is not `Implemented`.
    pub documentation: &'static str,
}

impl Definition {
    /// A sentence about it for `DescribeConfigs`, also where we do nothing with it.
    pub fn told(&self) -> &'static str {
        match self.support {
            Support::Implemented => self.documentation,
            Support::Moot => "Without effect: this broker has no replicas, no remote storage and no JVM.",
            Support::Missing => "Without effect in this broker.",
        }
    }

    /// Reads `text` as a value of this property.
    ///
    /// # Errors
    /// [`ConfigError::InvalidConfig`] with Kafka's words when the type or the rule does not hold.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let mut value = self.kind.parse(self.name, text)?;
        if let (Rule::ListOf { .. }, Value::List(items)) = (&self.rule, &mut value) {
            // Values from a list stand once each (KIP-1161).
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert(item.clone()));
        }
        self.rule.check(self.name, &value)?;
        Ok(value)
    }

    /// Whether `DescribeConfigs` withholds the value.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    fn from_line(line: &'static str, ours: bool, support: &SupportTable) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (scope, name, kind, default) = (next()?, next()?, next()?, next()?);
        let (importance, rule, update) = (next()?, next()?, next()?);
        let (flags, synonyms) = (next().unwrap_or(""), next().unwrap_or(""));
        let scope = Scope::ALL.into_iter().find(|known| known.label() == scope)?;
        let (support, documentation) = support.get(&(scope, name)).copied().unwrap_or((Support::Missing, ""));
        Some(Self {
            scope,
            name,
            kind: Kind::from_name(kind)?,
            default: default.strip_prefix('='),
            required: default == "-",
            importance: match importance {
                "HIGH" => Importance::High,
                "MEDIUM" => Importance::Medium,
                _ => Importance::Low,
            },
            rule: Rule::from_description(rule),
            update: match update {
                "per-broker" => UpdateMode::PerBroker,
                "cluster-wide" => UpdateMode::ClusterWide,
                _ => UpdateMode::ReadOnly,
            },
            internal: flags.contains('i'),
            dynamic_only: flags.contains('d'),
            per_listener: flags.contains('s'),
            ours,
            synonyms: synonyms.split(',').filter(|synonym| !synonym.is_empty()).collect(),
            support,
            documentation,
        })
    }
}

type SupportTable = HashMap<(Scope, &'static str), (Support, &'static str)>;

/// `support.tsv`: scope, name, `+` implemented or `~` moot, and the sentence.
fn support_table() -> SupportTable {
    let mut table = HashMap::with_capacity(256);
    for line in SUPPORT.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.splitn(4, '\t');
        let (Some(scope), Some(name), Some(mark)) = (columns.next(), columns.next(), columns.next()) else { continue };
        let Some(scope) = Scope::ALL.into_iter().find(|known| known.label() == scope) else { continue };
        let support = if mark == "+" { Support::Implemented } else { Support::Moot };
        table.insert((scope, name), (support, columns.next().unwrap_or("")));
    }
    table
}

/// The properties of one scope.
#[derive(Debug, Default)]
pub struct Definitions {
    in_order: Vec<Definition>,
    by_name: HashMap<&'static str, usize>,
    /// Those with synonyms in their own scope.
    with_twins: Vec<usize>,
}

impl Definitions {
    /// The property called `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(name).and_then(|index| self.in_order.get(*index))
    }

    /// All of them, in the order Kafka defines and checks them.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.in_order.iter()
    }

    /// Whether somebody who set the properties `in_layer` said what `name` means under another name. A layer above
    /// then hides all layers below (`DynamicBrokerConfig.overrideProps`): with a dynamic `log.retention.ms`, a
    /// `log.retention.hours` of the file counts as not set.
    #[must_use]
    pub fn is_said_otherwise(&self, name: &str, in_layer: impl Fn(&str) -> bool) -> bool {
        self.with_twins
            .iter()
            .filter_map(|index| self.in_order.get(*index))
            .any(|definition| definition.synonyms.contains(&name) && in_layer(definition.name))
    }

    fn push(&mut self, definition: Definition) {
        if definition.scope == Scope::Broker && !definition.synonyms.is_empty() {
            self.with_twins.push(self.in_order.len());
        }
        self.by_name.insert(definition.name, self.in_order.len());
        self.in_order.push(definition);
    }
}

/// The properties of `scope`.
#[must_use]
pub fn definitions(scope: Scope) -> &'static Definitions {
    static TABLE: OnceLock<[Definitions; 6]> = OnceLock::new();
    let tables = TABLE.get_or_init(|| {
        let mut tables: [Definitions; 6] = Default::default();
        let support = support_table();
        let kafka = DEFINITIONS.lines().filter_map(|line| Definition::from_line(line, false, &support));
        let ours = OURS.lines().filter_map(|line| Definition::from_line(line, true, &support));
        for definition in kafka.chain(ours) {
            tables[definition.scope as usize].push(definition);
        }
        tables
    });
    &tables[scope as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_a_definition_or_a_remark_about_one() {
        let parsed: usize = Scope::ALL.into_iter().map(|scope| definitions(scope).iter().count()).sum();
        assert_eq!(parsed, DEFINITIONS.lines().count() + OURS.lines().count());
        for line in SUPPORT.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            assert!(matches!(columns.len(), 3 | 4), "{line}");
            let scope = Scope::ALL.into_iter().find(|scope| scope.label() == columns[0]).expect(line);
            let definition = definitions(scope).get(columns[1]);
            assert!(definition.is_some(), "support.tsv names a property that is not defined: {line}");
            let described = definition.is_some_and(|known| !known.documentation.is_empty());
            assert_eq!(columns[2] == "+", described, "a sentence goes with + and only with it: {line}");
        }
    }

    #[test]
    fn every_default_is_a_valid_value_of_its_own_property() {
        for scope in Scope::ALL {
            for definition in definitions(scope).iter() {
                if let Some(default) = definition.default {
                    // Kafka checks these two only where somebody sets them: the default, an empty list, fails them.
                    if definition.name.starts_with("controller.quorum.") && definition.kind == Kind::List {
                        continue;
                    }
                    let value =
                        definition.parse(default).unwrap_or_else(|error| panic!("{}: {error}", definition.name));
                    assert_eq!(value.to_string(), default, "{}", definition.name);
                }
            }
        }
    }

    #[test]
    fn every_synonym_is_a_broker_property() {
        for scope in Scope::ALL {
            for definition in definitions(scope).iter() {
                for synonym in &definition.synonyms {
                    assert!(definitions(Scope::Broker).get(synonym).is_some(), "{} -> {synonym}", definition.name);
                }
            }
        }
    }
}
