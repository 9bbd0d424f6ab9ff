//! Writes the message modules of `wire` from the definitions inside Apache Kafka's jars.
//!
//! ```text
//! wire-generator [--check] NEWER_LIB_FOLDER OLDER_LIB_FOLDER
//! ```
//! Needs `unzip`, `rustfmt` and, for the error codes, `java`. With `--check` nothing is written; the exit code says
//! whether the committed files are what would be written.

mod definition;
mod emit;
mod errors;
mod index;
mod jars;
mod merge;
mod names;
mod output;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::definition::Definition;
use crate::names::snake_case;
use crate::schema::Message;

fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    arguments.retain(|argument| argument != "--check");
    let [newer, older] = arguments.as_slice() else {
        bail!("usage: wire-generator [--check] NEWER_LIB_FOLDER OLDER_LIB_FOLDER");
    };
    let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = generate(Path::new(newer), Path::new(older), &wire)?;
    output::settle(&wire.join("src"), &files, check)
}

/// All generated files by their path below `src`.
fn generate(newer: &Path, older: &Path, wire: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let messages = messages(newer, older)?;
    let borrowing: BTreeSet<String> = messages
        .iter()
        .filter(|message| message.structs.first().is_some_and(|top| top.borrows))
        .map(|message| message.definition.name.clone())
        .collect();
    let mut files = BTreeMap::new();
    for message in &messages {
        if let Some(folder) = folder(&message.definition) {
            let path = format!("{folder}/{}.rs", snake_case(&message.definition.name));
            files.insert(PathBuf::from(path), emit::module(message, &borrowing));
        }
    }
    let of = |wanted: &str| -> Vec<&Message> {
        messages.iter().filter(|message| folder(&message.definition) == Some(wanted)).collect()
    };
    let requests: Vec<&Message> =
        of("messages").into_iter().filter(|message| message.definition.kind == "request").collect();
    files.insert("messages/mod.rs".into(), index::messages(&of("messages")));
    files.insert("metadata/mod.rs".into(), index::metadata(&of("metadata")));
    files.insert("coordinator/mod.rs".into(), index::coordinator(&of("coordinator")));
    files.insert("data/mod.rs".into(), index::data(&of("data")));
    files.insert("api_key.rs".into(), index::api_keys(&requests));
    files.insert("error_code.rs".into(), errors::module(newer, wire)?);
    Ok(files)
}

/// The merged messages of both releases that brokers and their clients use.
fn messages(newer: &Path, older: &Path) -> anyhow::Result<Vec<Message>> {
    let mut newer = jars::definitions(newer)?;
    let mut older = jars::definitions(older)?;
    let names: BTreeSet<String> = newer.keys().chain(older.keys()).cloned().collect();
    let merged: Vec<Definition> =
        names.iter().filter_map(|name| merge::merge(newer.remove(name), older.remove(name))).collect();
    let served: BTreeSet<i16> = merged.iter().filter(|one| is_served(one)).filter_map(|one| one.api_key).collect();
    merged
        .into_iter()
        .filter(|one| match one.kind.as_str() {
            "request" | "response" => one.api_key.is_some_and(|key| served.contains(&key)),
            "header" => false,
            // A draft of share groups that only 3.9 had, as a preview.
            _ => {
                !one.valid_versions.is_empty()
                    && !matches!(one.name.as_str(), SHARE_GROUP_DRAFT_KEY | SHARE_GROUP_DRAFT_VALUE)
            }
        })
        .map(Message::resolve)
        .collect()
}

/// Records of the preview of share groups in 3.9 that 4.x replaced by others.
const SHARE_GROUP_DRAFT_KEY: &str = "ShareGroupPartitionMetadataKey";
const SHARE_GROUP_DRAFT_VALUE: &str = "ShareGroupPartitionMetadataValue";

/// Whether a broker's listener serves the request. The others are sent by brokers and controllers to each other.
fn is_served(definition: &Definition) -> bool {
    definition.kind == "request"
        && definition.listeners.iter().any(|listener| listener == "broker")
        && !definition.valid_versions.is_empty()
        // An earlier name of ListConfigResources, with the same bytes.
        && definition.name != "ListClientMetricsResourcesRequest"
}

/// The folder that a message's module goes to, if it goes anywhere.
fn folder(definition: &Definition) -> Option<&'static str> {
    match definition.kind.as_str() {
        "request" | "response" if definition.name.starts_with("ListClientMetricsResources") => None,
        "request" | "response" => Some("messages"),
        "metadata" => Some("metadata"),
        "coordinator-key" | "coordinator-value" => Some("coordinator"),
        "data" => Some("data"),
        _ => None,
    }
}
