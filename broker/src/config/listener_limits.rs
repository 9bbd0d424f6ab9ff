//! Limits on the connections of each listener (KIP-402, KIP-612).

use std::collections::BTreeMap;

use super::reader::Reader;
use super::value::Value;
use super::{Listener, NetworkSettings, known};

/// What one listener obeys: `listener.name.<name>.max.connections` and `….max.connection.creation.rate`, and where they
/// are not set those of the whole broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections.
    pub max_connections: i32,
    /// New connections a second.
    pub max_connection_creation_rate: i32,
}

impl ListenerLimits {
    /// Those of `listeners`, by name.
    pub(super) fn read(
        reader: &Reader<'_>,
        listeners: &[Listener],
        broker: &NetworkSettings,
    ) -> BTreeMap<String, ListenerLimits> {
        let own = |listener: &str, base: &str| {
            let name = format!("listener.name.{}.{base}", listener.to_lowercase());
            match known(&name)?.parse(reader.set(&name)?) {
                Ok(Value::Int(value)) => Some(value),
                _ => None,
            }
        };
        let limits = |name: &str| ListenerLimits {
            max_connections: own(name, "max.connections").unwrap_or(broker.max_connections),
            max_connection_creation_rate: own(name, "max.connection.creation.rate")
                .unwrap_or(broker.max_connection_creation_rate),
        };
        listeners.iter().map(|listener| (listener.name.clone(), limits(&listener.name))).collect()
    }
}
