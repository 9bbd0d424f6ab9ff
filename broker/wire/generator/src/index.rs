//! Rust source of the modules that list the messages.

use std::fmt::Write;

use crate::emit::{HEADER, api_name};
use crate::names::snake_case;
use crate::schema::Message;

/// `mod` lines and re-exports of a folder's messages.
fn modules(out: &mut String, messages: &[&Message]) {
    for message in messages {
        let _ = writeln!(out, "pub mod {};", snake_case(&message.definition.name));
    }
    out.push('\n');
    for message in messages {
        let name = &message.definition.name;
        let _ = writeln!(out, "pub use {}::{name};", snake_case(name));
    }
    out.push('\n');
}

fn lifetime(message: &Message, name: &'static str) -> &'static str {
    if message.structs.first().is_some_and(|top| top.borrows) { name } else { "" }
}

/// The list of messages that tests go through.
fn test_cases(out: &mut String, messages: &[&Message]) {
    out.push_str("/// Every message of this module, for tests that hold for all of them.\n#[cfg(test)]\n");
    out.push_str("pub(crate) fn cases() -> Vec<crate::testing::Case> { vec![\n");
    for message in messages {
        let _ = writeln!(out, "crate::testing::case!({}),", message.definition.name);
    }
    out.push_str("] }\n");
}

/// `messages/mod.rs`.
pub fn messages(messages: &[&Message]) -> String {
    let mut out = String::from(HEADER);
    out.push_str("//! Requests and replies, one module each, in the versions of both releases.\n\n");
    modules(&mut out, messages);
    exchanges(&mut out, messages);
    test_cases(&mut out, messages);
    out
}

/// The list of APIs whose messages are read from JSON and shown as JSON.
fn exchanges(out: &mut String, messages: &[&Message]) {
    out.push_str(
        "/// How JSON becomes a request of each API, and a reply JSON.\n#[cfg(any(test, feature = \"json\"))]\n",
    );
    out.push_str("pub(crate) const EXCHANGES: &[crate::json::Exchange] = &[\n");
    for message in messages.iter().filter(|message| message.definition.kind == "request") {
        let _ = writeln!(out, "crate::json::exchange!({}),", message.definition.name);
    }
    out.push_str("];\n\n");
}

/// `data/mod.rs`.
pub fn data(messages: &[&Message]) -> String {
    let mut out = String::from(HEADER);
    out.push_str(
        "//! Data with definitions of their own: consumers' subscriptions and assignments, the values of control records, \
         the quorum's state and the producers' snapshots.\n\n",
    );
    modules(&mut out, messages);
    test_cases(&mut out, messages);
    out
}

/// `api_key.rs`.
pub fn api_keys(requests: &[&Message]) -> String {
    let mut requests = requests.to_vec();
    requests.sort_by_key(|message| message.definition.api_key);
    let mut out = String::from(HEADER);
    out.push_str("//! The APIs that brokers serve.\n\nuse crate::api::{ApiInfo, Listener};\n\n");
    out.push_str("/// An API, by the number that its requests carry.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(i16)]\npub enum ApiKey {\n");
    for message in &requests {
        let definition = &message.definition;
        let name = api_name(&definition.name);
        let key = definition.api_key.unwrap_or_default();
        let _ = writeln!(out, "/// API {key}.\n{name} = {key},");
    }
    out.push_str(
        "}\n\nimpl ApiKey {\n/// Every API, in ascending order of the keys.\npub const ALL: &'static [ApiKey] = &[\n",
    );
    for message in &requests {
        let _ = writeln!(out, "Self::{},", api_name(&message.definition.name));
    }
    out.push_str("];\n\n/// What is known of the API.\npub(crate) const fn info(self) -> ApiInfo {\nmatch self {\n");
    for message in &requests {
        let definition = &message.definition;
        let flexible = message.flexible_since().unwrap_or(i16::MAX);
        let listeners: Vec<&str> = [("broker", "Listener::Broker"), ("controller", "Listener::Controller")]
            .into_iter()
            .filter(|(name, _)| definition.listeners.iter().any(|listener| listener == name))
            .map(|(_, listener)| listener)
            .collect();
        let _ = writeln!(
            out,
            "Self::{name} => ApiInfo {{ name: \"{name}\", min: {}, max: {}, unstable: {}, flexible_since: {}, listeners: &[{}] }},",
            definition.valid_versions.min,
            definition.valid_versions.max,
            definition.latest_version_unstable,
            if flexible == i16::MAX { "i16::MAX".to_owned() } else { flexible.to_string() },
            listeners.join(", "),
            name = api_name(&definition.name),
        );
    }
    out.push_str("}\n}\n}\n");
    out
}

/// `metadata/mod.rs`.
pub fn metadata(messages: &[&Message]) -> String {
    let mut sorted = messages.to_vec();
    sorted.sort_by_key(|message| message.definition.api_key);
    let mut out = String::from(HEADER);
    out.push_str("//! Records of the metadata log `__cluster_metadata`.\n\nuse crate::prelude::*;\n\n");
    modules(&mut out, messages);
    let number = |message: &Message| message.definition.api_key.unwrap_or_default();
    record_enum(&mut out, "MetadataRecord", "A record of the metadata log, of any type.", "Record", &sorted);
    out.push_str("impl<'a> MetadataRecord<'a> {\n");
    type_number(&mut out, "u32", &sorted, "Record", number);
    out.push_str("/// Reads a record of type `number`.\npub(crate) fn decode_body(number: u32, d: &mut Decoder<'a>, v: i16) -> Result<Self, DecodeError> {\nOk(match number {\n");
    for message in &sorted {
        let (variant, name) = (variant(message, "Record"), &message.definition.name);
        let _ = writeln!(out, "{} => Self::{variant}({name}::decode(d, v)?),", number(message));
    }
    out.push_str("_ => return Err(DecodeError::UnknownRecordType { kind: \"metadata record\", id: number.cast_signed() }),\n})\n}\n\n");
    out.push_str(
        "/// The name of the record's type, as in Kafka.\npub fn name(&self) -> &'static str {\nmatch self {\n",
    );
    for message in &sorted {
        let _ = writeln!(out, "Self::{}(_) => {}::NAME,", variant(message, "Record"), message.definition.name);
    }
    out.push_str("}\n}\n\n/// Writes the record without its frame.\npub(crate) fn encode_body(&self, e: &mut Encoder, v: i16) -> Result<(), EncodeError> {\nmatch self {\n");
    for message in &sorted {
        let _ = writeln!(out, "Self::{}(record) => record.encode(e, v),", variant(message, "Record"));
    }
    out.push_str("}\n}\n}\n\n");
    test_cases(&mut out, messages);
    out
}

fn variant<'m>(message: &'m Message, suffix: &str) -> &'m str {
    let name = message.definition.name.as_str();
    name.strip_suffix(suffix).unwrap_or(name)
}

fn record_enum(out: &mut String, name: &str, about: &str, suffix: &str, messages: &[&Message]) {
    let _ = writeln!(out, "/// {about}\n#[derive(Debug, Clone, PartialEq)]\npub enum {name}<'a> {{");
    for message in messages {
        let record = &message.definition.name;
        let number = message.definition.api_key.unwrap_or_default();
        let variant = variant(message, suffix);
        let _ = writeln!(out, "/// Type {number}.\n{variant}({record}{}),", lifetime(message, "<'a>"));
    }
    out.push_str("}\n\n");
    for message in messages {
        let record = &message.definition.name;
        let lifetime = lifetime(message, "<'a>");
        let variant = variant(message, suffix);
        let _ = writeln!(
            out,
            "impl<'a> From<{record}{lifetime}> for {name}<'a> {{ fn from(record: {record}{lifetime}) -> Self {{ \
             Self::{variant}(record) }} }}\n"
        );
    }
}

fn type_number(out: &mut String, kind: &str, messages: &[&Message], suffix: &str, number: impl Fn(&Message) -> i16) {
    let _ =
        writeln!(out, "/// The number of the record's type.\npub fn type_number(&self) -> {kind} {{\nmatch self {{");
    for message in messages {
        let _ = writeln!(out, "Self::{}(_) => {},", variant(message, suffix), number(message));
    }
    out.push_str("}\n}\n\n");
}

/// `coordinator/mod.rs`.
pub fn coordinator(messages: &[&Message]) -> String {
    let mut out = String::from(HEADER);
    out.push_str(
        "//! Records of the internal topics `__consumer_offsets`, `__transaction_state` and `__share_group_state`.\n\n\
         use crate::prelude::*;\n\n",
    );
    modules(&mut out, messages);
    for (jar, name, topic) in [
        ("kafka-group-coordinator", "GroupKey", "__consumer_offsets"),
        ("kafka-transaction-coordinator", "TransactionKey", "__transaction_state"),
        ("kafka-share-coordinator", "ShareKey", "__share_group_state"),
    ] {
        let mut keys: Vec<&Message> = messages
            .iter()
            .copied()
            .filter(|message| message.definition.jar == jar && message.definition.kind == "coordinator-key")
            .collect();
        keys.sort_by_key(|message| message.definition.api_key);
        coordinator_keys(&mut out, name, topic, &keys);
    }
    test_cases(&mut out, messages);
    out
}

fn coordinator_keys(out: &mut String, name: &str, topic: &str, keys: &[&Message]) {
    let number = |message: &Message| message.definition.api_key.unwrap_or_default();
    record_enum(out, name, &format!("The key of a record of `{topic}`."), "Key", keys);
    let _ = writeln!(out, "impl<'a> {name}<'a> {{");
    type_number(out, "i16", keys, "Key", number);
    out.push_str(
        "/// Reads a record's key: its type, then its fields.\n///\n/// # Errors\n/// [`DecodeError::UnknownRecordType`] for types of later \
         releases, or what the fields give.\npub fn decode(key: &'a [u8]) -> Result<Self, DecodeError> {\nlet d = &mut Decoder::new(key);\nOk(match d.i16()? {\n",
    );
    for message in keys {
        let record = &message.definition.name;
        let _ = writeln!(out, "{} => Self::{}({record}::decode(d, 0)?),", number(message), variant(message, "Key"));
    }
    let _ = writeln!(
        out,
        "id => return Err(DecodeError::UnknownRecordType {{ kind: \"{topic} key\", id: i32::from(id) }}),\n}})\n}}\n\n\
         /// Writes a record's key.\n///\n/// # Errors\n/// [`EncodeError`] for a text that is too long.\n\
         pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {{\nmatch self {{"
    );
    for message in keys {
        let _ = writeln!(out, "Self::{}(key) => crate::coordinator_record::encode_key(key),", variant(message, "Key"));
    }
    out.push_str("}\n}\n}\n\n");
}
