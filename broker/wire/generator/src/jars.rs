//! Reading definitions and error codes out of a folder with one Kafka release's jars.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::definition::{Definition, parse};

/// Jars that hold definitions of what goes over the wire or into the logs.
const JARS: [&str; 6] = [
    "kafka-clients",
    "kafka-group-coordinator",
    "kafka-metadata",
    "kafka-raft",
    "kafka-share-coordinator",
    "kafka-transaction-coordinator",
];
/// Definitions inside `kafka-storage` that are of use; the others belong to tiered storage.
const STORAGE: [&str; 1] = ["ProducerSnapshot"];

/// All definitions of a release by their name.
pub fn definitions(folder: &Path) -> anyhow::Result<BTreeMap<String, Definition>> {
    let mut found = BTreeMap::new();
    for jar in jar_files(folder)? {
        for name in run(Command::new("unzip").arg("-Z1").arg(&jar))?.lines().filter(|name| name.ends_with(".json")) {
            let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if jar_name(&jar).starts_with("kafka-storage-") && !STORAGE.contains(&stem) {
                continue;
            }
            let text = run(Command::new("unzip").arg("-p").arg(&jar).arg(name))?;
            let mut definition = parse(&text).with_context(|| format!("{name} in {}", jar.display()))?;
            definition.jar = jar_stem(&jar).unwrap_or_default().to_owned();
            found.insert(definition.name.clone(), definition);
        }
    }
    // Only requests say that their highest version is not stable yet; it holds for their replies too.
    let unstable = found.values().filter(|one: &&Definition| one.latest_version_unstable);
    let replies: Vec<String> = unstable.map(|one| one.name.replace("Request", "Response")).collect();
    for name in replies {
        if let Some(reply) = found.get_mut(&name) {
            reply.latest_version_unstable = true;
        }
    }
    if found.is_empty() {
        bail!("no message definitions in the jars of {}: is it the lib folder of an Apache Kafka?", folder.display());
    }
    Ok(found)
}

fn jar_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// `kafka-clients` for `kafka-clients-4.3.1.jar`.
fn jar_stem(path: &Path) -> Option<&str> {
    jar_name(path).strip_suffix(".jar").and_then(|name| name.rsplit_once('-')).map(|(stem, _)| stem)
}

fn jar_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut jars = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if jar_stem(&path).is_some_and(|stem| JARS.contains(&stem) || stem == "kafka-storage") {
            jars.push(path);
        }
    }
    jars.sort();
    Ok(jars)
}

/// Runs the Java source file `source` on the folder's class path and returns what it prints.
pub fn java(folder: &Path, source: &Path) -> anyhow::Result<String> {
    run(Command::new("java").arg("-cp").arg(folder.join("*")).arg(source))
}

/// Runs a command and returns its standard output.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("run {program}: is it installed?"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
