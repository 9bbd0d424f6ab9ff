//! One of the two brokers that are compared, and what a client knows of it.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::connection::Connection;
use super::kafka::CONTROLLER;
use super::names::Names;

/// A broker, its connections, and the values that scenarios remember from its replies.
pub struct Side {
    address: String,
    connections: HashMap<String, Connection>,
    kept: HashMap<String, Json>,
    /// The names that its ids have in the comparison.
    pub names: Names,
}

impl Side {
    /// A broker at that port, with its data directory.
    #[must_use]
    pub fn new(port: u16, data: &str) -> Self {
        let mut names = Names::default();
        names.call(&format!("127.0.0.1:{port}"), "broker");
        names.call(&format!("127.0.0.1:{}", port + CONTROLLER), "controller");
        names.call(data, "data");
        Self { address: format!("127.0.0.1:{port}"), connections: HashMap::new(), kept: HashMap::new(), names }
    }

    /// The versions of each API that it says it serves.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn versions(&mut self) -> HashMap<ApiKey, RangeInclusive<i16>> {
        let connection = self.connection("versions");
        connection.send(ApiKey::ApiVersions, 0, &json!({}), true);
        let reply = connection.receive();
        let keys = reply["apiKeys"].as_array().unwrap_or_else(|| panic!("no versions but {reply}"));
        let number = |one: &Json, name: &str| one[name].as_i64().and_then(|number| i16::try_from(number).ok());
        keys.iter()
            .filter_map(|one| {
                let api = ApiKey::try_from(number(one, "apiKey")?).ok()?;
                Some((api, number(one, "minVersion")?..=number(one, "maxVersion")?))
            })
            .collect()
    }

    /// The connection of that name, opened when it is first asked for.
    pub fn connection(&mut self, name: &str) -> &mut Connection {
        self.connections.entry(name.to_owned()).or_insert_with(|| Connection::open(&self.address))
    }

    /// Closes a connection.
    pub fn close(&mut self, name: &str) {
        self.connections.remove(name);
    }

    /// Forgets connections and kept values: a new scenario begins.
    pub fn reset(&mut self) {
        self.connections.clear();
        self.kept.clear();
    }

    /// Keeps a value that requests name by `$name`.
    pub fn keep(&mut self, name: &str, value: Json) {
        self.kept.insert(format!("${name}"), value);
    }

    /// The request with kept values in the place of their names. Inside an object whose only field is `$bytes`, the
    /// function that makes bytes is called with kept values put in.
    #[must_use]
    pub fn fill(&self, request: &Json) -> Json {
        match request {
            Json::String(text) if text.starts_with('$') => self.kept.get(text).cloned().unwrap_or(Json::Null),
            Json::Array(elements) => elements.iter().map(|element| self.fill(element)).collect(),
            Json::Object(fields) => match fields.get(super::records::BATCH) {
                Some(batch) => super::records::build(&self.fill(batch)),
                None => fields.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect(),
            },
            other => other.clone(),
        }
    }
}
