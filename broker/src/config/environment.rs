//! Properties from `KAFKA_*` variables, as the `apache/kafka` image takes them.
//!
//! The image (class `kafka.docker.KafkaDockerWrapper`) drops `KAFKA_`, lowers the case, and turns `_` into a dot, `__`
//! into an underscore and `___` into a hyphen; it writes the result as a line of a properties file, so escapes and
//! line ends in a value act as they do there. `KAFKA_CFG_*`, the form of another widespread image, is taken too.

use super::properties;

/// A property that a variable named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromEnvironment {
    /// The variable.
    pub variable: String,
    /// The property.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Variables of the image that are no property (`kafka.docker.Constants.ExcludeServerPropsEnv`).
const NOT_PROPERTIES: [&str; 11] = [
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// Variables that other software around a broker reads: clients, Kafka's own scripts, other images.
const OTHERS: [&str; 20] = [
    "KAFKA_ADVERTISED_HOST",
    "KAFKA_BOOTSTRAP",
    "KAFKA_BOOTSTRAP_SERVER",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_BROKER",
    "KAFKA_BROKERS",
    "KAFKA_CLUSTER_ID",
    "KAFKA_CREATE_TOPICS_SEPARATOR",
    "KAFKA_DATA",
    "KAFKA_DEBUG",
    "KAFKA_GROUP",
    "KAFKA_GROUP_ID",
    "KAFKA_HOME",
    "KAFKA_HOST",
    "KAFKA_JMX_PORT",
    "KAFKA_KRAFT_CLUSTER_ID",
    "KAFKA_PROPS",
    "KAFKA_TOPIC",
    "KAFKA_TOPICS",
    "KAFKA_URL",
];

/// The properties in `variables`, in the order of their names so that two runs agree.
#[must_use]
pub fn properties_in(variables: &[(String, String)]) -> Vec<FromEnvironment> {
    let mut sorted: Vec<_> = variables.iter().filter(|(variable, value)| is_property(variable, value)).collect();
    sorted.sort();
    let mut found = Vec::new();
    for (variable, value) in sorted {
        let rest = variable.trim_start_matches("KAFKA_");
        let name = property_name(rest.strip_prefix("CFG_").unwrap_or(rest));
        if name == "create.topics" {
            // Topics may stand on lines of their own there, which a properties file would cut apart.
            let value = value.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(",");
            found.push(FromEnvironment { variable: variable.clone(), name, value });
            continue;
        }
        // A value with an escape that is none is taken as it stands: there is no file whose line could be named.
        let parsed = properties::parse(&format!("{name}={value}"));
        let parsed = parsed.unwrap_or_else(|_| {
            vec![properties::Property { name: name.clone(), value: value.trim().to_owned(), line: 1 }]
        });
        found.extend(parsed.into_iter().map(|property| FromEnvironment {
            variable: variable.clone(),
            name: property.name,
            value: property.value,
        }));
    }
    found
}

/// The cluster id to format a new directory with: the image's `CLUSTER_ID`, or the names others gave it.
#[must_use]
pub fn cluster_id_in(variables: &[(String, String)]) -> Option<String> {
    ["CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"].into_iter().find_map(|wanted| {
        variables
            .iter()
            .find(|(variable, value)| variable == wanted && !value.trim().is_empty())
            .map(|(_, value)| value.trim().to_owned())
    })
}

fn property_name(rest: &str) -> String {
    rest.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_")
}

fn is_property(variable: &str, value: &str) -> bool {
    variable.strip_prefix("KAFKA_").is_some_and(|rest| !rest.is_empty())
        && !NOT_PROPERTIES.contains(&variable)
        && !OTHERS.contains(&variable)
        && !is_service_link(variable, value)
}

/// What Kubernetes and Docker links inject for a service called `kafka`: `KAFKA_SERVICE_HOST`, `KAFKA_PORT=tcp://…`,
/// `KAFKA_PORT_9092_TCP_ADDR` and so on.
fn is_service_link(variable: &str, value: &str) -> bool {
    variable.starts_with("KAFKA_SERVICE_")
        || (variable.starts_with("KAFKA_PORT") && (value.contains("://") || variable.contains("_TCP")))
        || variable.starts_with("KAFKA_ENV_")
        || variable == "KAFKA_NAME"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        properties_in(&owned).into_iter().map(|found| (found.name, found.value)).collect()
    }

    #[test]
    fn names_are_mapped_as_the_image_maps_them() {
        for (variable, name) in [
            ("KAFKA_NUM_PARTITIONS", "num.partitions"),
            ("KAFKA_LISTENER_NAME_INTERNAL_SASL_ENABLED_MECHANISMS", "listener.name.internal.sasl.enabled.mechanisms"),
            ("KAFKA_LISTENER_NAME_MY__HOST_SSL_KEYSTORE_TYPE", "listener.name.my_host.ssl.keystore.type"),
            ("KAFKA_LISTENER_NAME_SASL___SSL_PLAIN", "listener.name.sasl-ssl.plain"),
            ("KAFKA_CFG_NODE_ID", "node.id"),
        ] {
            assert_eq!(names(&[(variable, "1")]), [(name.to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn what_is_no_property_is_left_alone() {
        let variables = [
            ("KAFKA_VERSION", "4.3.1"),
            ("KAFKA_OPTS", "-Dx"),
            ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("PATH", "/bin"),
            ("KAFKA_", "x"),
        ];
        assert_eq!(names(&variables), []);
    }

    #[test]
    fn values_are_read_as_lines_of_a_properties_file() {
        assert_eq!(names(&[("KAFKA_A_B", "x\\\n  y")]), [("a.b".to_owned(), "xy".to_owned())]);
        assert_eq!(names(&[("KAFKA_A_B", "  x=y")]), [("a.b".to_owned(), "x=y".to_owned())]);
        assert_eq!(
            names(&[("KAFKA_CREATE_TOPICS", "a:1:1\nb:2:1\n")]),
            [("create.topics".to_owned(), "a:1:1,b:2:1".to_owned())]
        );
        assert_eq!(names(&[("KAFKA_A_B", "\\u12")]), [("a.b".to_owned(), "\\u12".to_owned())]);
    }

    #[test]
    fn the_cluster_id_comes_from_any_of_its_names() {
        let id = |name: &str| cluster_id_in(&[(name.to_owned(), " abc ".to_owned())]);
        assert_eq!(id("CLUSTER_ID").as_deref(), Some("abc"));
        assert_eq!(id("KAFKA_KRAFT_CLUSTER_ID").as_deref(), Some("abc"));
        assert_eq!(id("OTHER"), None);
    }
}
