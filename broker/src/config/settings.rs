//! Gathers properties from a file, the environment and flags, and says of each whether Kafka knows it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::definition::{Definition, Scope, Support, definitions};
use super::environment::{self, FromEnvironment};
use super::reader::Properties;
use super::{nearest, properties, retired};

/// Where settings are taken from. Later ones win: the file, then `KAFKA_*` variables, then overrides.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// A `server.properties`: its path, for messages, and its text.
    pub file: Option<(PathBuf, String)>,
    /// The process's variables, or none for a broker inside another program.
    pub environment: Vec<(String, String)>,
    /// What the program around the broker prefers where nobody sets anything: before the file.
    pub defaults: Vec<(String, String)>,
    /// `name=value` pairs of the command line, or of the program the broker runs in.
    pub overrides: Vec<(String, String)>,
}

/// Where one property came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, from 1.
    File(PathBuf, usize),
    /// A variable.
    Environment(String),
    /// An override.
    Override,
    /// The program around the broker.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::Override => f.write_str("--override"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Everything that is wrong with the settings, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct SettingsError {
    /// One line for each wrong setting, saying where it stands and what to write instead.
    pub problems: Vec<String>,
}

/// What somebody set, with where it came from.
#[derive(Debug, Default, Clone)]
pub(super) struct Gathered {
    pub values: Properties,
    pub origins: BTreeMap<String, Origin>,
    pub cluster_id: Option<String>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Gathered {
    pub fn from(sources: &Sources) -> Self {
        let mut gathered = Self { cluster_id: environment::cluster_id_in(&sources.environment), ..Self::default() };
        for (name, value) in &sources.defaults {
            gathered.put(name.clone(), value.clone(), Origin::Default);
        }
        if let Some((path, text)) = &sources.file {
            match properties::parse(text) {
                Ok(found) => {
                    for property in found {
                        gathered.put(property.name, property.value, Origin::File(path.clone(), property.line));
                    }
                }
                Err(error) => gathered.problems.push(format!("{}: {error}", path.display())),
            }
        }
        for FromEnvironment { variable, name, value } in environment::properties_in(&sources.environment) {
            gathered.put(name, value, Origin::Environment(variable));
        }
        for (name, value) in &sources.overrides {
            gathered.put(name.trim().to_owned(), value.clone(), Origin::Override);
        }
        gathered.check_names();
        gathered
    }

    fn put(&mut self, name: String, value: String, origin: Origin) {
        self.origins.insert(name.clone(), origin);
        self.values.insert(name, value);
    }

    /// `"<where>: "` for a property, or nothing for one nobody set.
    pub fn origin(&self, name: &str) -> String {
        self.origins.get(name).map(|origin| format!("{origin}: ")).unwrap_or_default()
    }

    fn check_names(&mut self) {
        let plugin = self.plugin();
        let mut missing = Vec::new();
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for name in self.values.keys() {
            let origin = self.origin(name);
            match Standing::of(name) {
                Standing::Known(definition) if definition.support == Support::Missing => missing.push(name.as_str()),
                Standing::Known(_) => {}
                Standing::Passed => warnings.push(format!("{origin}{name} is for a Java plugin, and none can be loaded here; it has no effect")),
                Standing::Retired(what_now) => warnings.push(format!("{origin}{name}: {what_now}")),
                Standing::Unknown => match plugin {
                    Some(plugin) => warnings.push(format!(
                        "{origin}{name} is no setting of Kafka's; it may belong to the class in {plugin}, which cannot be loaded here"
                    )),
                    None => problems.push(format!("{origin}{}", unknown(name))),
                },
            }
        }
        if !missing.is_empty() {
            warnings.push(format!("not implemented by this broker, so without effect: {}", missing.join(", ")));
        }
        self.problems.extend(problems);
        self.warnings.extend(warnings);
    }

    /// The property that names a Java class of the user's own, whose settings Kafka would hand to it.
    fn plugin(&self) -> Option<&'static str> {
        const OWN: [&str; 8] = [
            "authorizer.class.name",
            "alter.config.policy.class.name",
            "client.quota.callback.class",
            "create.topic.policy.class.name",
            "metric.reporters",
            "principal.builder.class",
            "replica.selector.class",
            "ssl.engine.factory.class",
        ];
        OWN.into_iter().find(|name| {
            self.values.get(*name).is_some_and(|class| !class.trim().is_empty() && !class.contains("org.apache.kafka."))
        })
    }
}

fn unknown(name: &str) -> String {
    let known = definitions(Scope::Broker).iter().filter(|known| !known.internal).map(|known| known.name);
    match nearest::to(name, known) {
        Some(near) => format!("{name} is no setting of Kafka's; did you mean {near}?"),
        None => format!("{name} is no setting of Kafka's; remove it, or correct its name"),
    }
}

/// What kind of name one is.
pub(super) enum Standing {
    Known(&'static Definition),
    Passed,
    Retired(&'static str),
    Unknown,
}

impl Standing {
    pub fn of(name: &str) -> Self {
        if let Some(definition) = known(name) {
            return if definition.dynamic_only {
                Self::Retired("ignored; it can only be set on a running broker, with kafka-configs")
            } else {
                Self::Known(definition)
            };
        }
        const PASSED: [&str; 13] = [
            "client.quota.callback.",
            "config.providers.",
            "confluent.",
            "cruise.control.",
            "kafka.metrics.",
            "ldap.",
            "listener.name.",
            "metrics.context.",
            "metrics.jmx.",
            "oauth.",
            "rlmm.config.",
            "rsm.config.",
            "strimzi.",
        ];
        if PASSED.iter().any(|prefix| name.starts_with(prefix)) {
            return Self::Passed;
        }
        match retired::what_now(name) {
            Some(what_now) => Self::Retired(what_now),
            None => Self::Unknown,
        }
    }
}

/// The definition of a broker property, also behind `listener.name.<listener>.`, and with a SASL mechanism between.
#[must_use]
pub fn known(name: &str) -> Option<&'static Definition> {
    let table = definitions(Scope::Broker);
    if let Some(definition) = table.get(name) {
        return Some(definition);
    }
    let (_listener, rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    table.get(rest).or_else(|| {
        const WITH_MECHANISM: [&str; 4] = [
            "sasl.jaas.config",
            "sasl.login.callback.handler.class",
            "sasl.login.class",
            "sasl.server.callback.handler.class",
        ];
        let (_mechanism, rest) = rest.split_once('.')?;
        WITH_MECHANISM.contains(&rest).then(|| table.get(rest)).flatten()
    })
}
