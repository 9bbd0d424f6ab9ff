//! Small text files: Kafka's checkpoints, `partition.metadata`, `.kafka_cleanshutdown`.
//!
//! ```text
//! recovery-point-offset-checkpoint        leader-epoch-checkpoint      partition.metadata
//! log-start-offset-checkpoint
//! replication-offset-checkpoint
//! cleaner-offset-checkpoint
//! 0                    (version)          0                            version: 0
//! 2                    (lines)            1                            topic_id: 8fFQ6uRTSpy-BQJKjk1mfA
//! raw_recipes 0 1042   (topic, partition, 4 1042  (epoch, its
//! raw_recipes 1 977     offset)                    first offset)
//! ```
//!
//! Each is written to `<name>.tmp`, synced, and renamed over the old one, so that a reader finds the old or the new one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::disk::Disk;
use crate::epoch_cache::EpochEntry;
use crate::error::LogError;
use crate::names::TopicPartition;

/// Name of the leader epoch checkpoint in a partition's folder.
pub(crate) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// Name of the file with the topic's id in a partition's folder.
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// Replaces `path` by a file with `text`, durably: no crash leaves a torn one.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, text: &[u8]) -> Result<(), LogError> {
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, true).map_err(LogError::io("create", temporary))?;
    disk.set_len(&file, 0).map_err(LogError::io("truncate", temporary))?;
    disk.write_at(&file, text, 0).map_err(LogError::io("write", temporary))?;
    // Before the rename, or the new name may come to stand for a file without its bytes.
    disk.sync(&file).map_err(LogError::io("fsync", temporary))?;
    disk.rename(temporary, path).map_err(LogError::io("rename", temporary))?;
    if let Some(folder) = path.parent() {
        disk.sync_dir(folder).map_err(LogError::io("fsync folder", folder))?;
    }
    Ok(())
}

/// The file's text; `None` if there is no such file.
fn read_text(path: &Path) -> Result<Option<String>, LogError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("read", path)(error)),
    }
}

/// Reads `version 0`, a count, and that many lines.
fn read_lines<T>(path: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Option<Vec<T>>, LogError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let bad = |line: usize, reason: &str| LogError::corrupt(path, 0, format!("line {line}: {reason}"));
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some("0") {
        return Err(bad(1, "a checkpoint begins with its version, 0"));
    }
    let count: usize = lines
        .next()
        .and_then(|line| line.trim().parse().ok())
        .ok_or_else(|| bad(2, "a checkpoint's second line is the number of its lines"))?;
    let mut entries = Vec::new();
    for (at, line) in lines.filter(|line| !line.trim().is_empty()).enumerate() {
        entries.push(parse(line).ok_or_else(|| bad(at + 3, "not an entry"))?);
    }
    if entries.len() != count {
        return Err(bad(2, &format!("{count} entries are promised and {} are there", entries.len())));
    }
    Ok(Some(entries))
}

/// Reads an offset checkpoint; empty if there is no such file.
///
/// # Errors
/// [`LogError::Corrupt`] if the file breaks the format, [`LogError::Io`].
pub fn read_offsets(path: &Path) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
    let entries = read_lines(path, |line| {
        let mut words = line.split_ascii_whitespace();
        let (topic, partition, offset) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then(|| (TopicPartition::new(topic, partition), offset))
    })?;
    Ok(entries.unwrap_or_default().into_iter().collect())
}

/// Replaces an offset checkpoint, durably.
///
/// # Errors
/// [`LogError::Io`]; the old checkpoint is then still there.
pub fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
    use std::fmt::Write;
    let mut text = format!("0\n{}\n", offsets.len());
    for (TopicPartition { topic, partition }, offset) in offsets {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{topic} {partition} {offset}");
    }
    replace_file(disk, path, text.as_bytes())
}

pub(crate) fn read_epochs(folder: &Path) -> Result<Vec<EpochEntry>, LogError> {
    let entries = read_lines(&folder.join(LEADER_EPOCHS), |line| {
        let mut words = line.split_ascii_whitespace();
        let entry = EpochEntry { epoch: words.next()?.parse().ok()?, start_offset: words.next()?.parse().ok()? };
        words.next().is_none().then_some(entry)
    })?;
    Ok(entries.unwrap_or_default())
}

pub(crate) fn write_epochs(disk: &dyn Disk, folder: &Path, entries: &[EpochEntry]) -> Result<(), LogError> {
    use std::fmt::Write;
    let mut text = format!("0\n{}\n", entries.len());
    for EpochEntry { epoch, start_offset } in entries {
        let _ = writeln!(text, "{epoch} {start_offset}");
    }
    replace_file(disk, &folder.join(LEADER_EPOCHS), text.as_bytes())
}

/// Reads the topic id of a partition's folder; `None` if it has no `partition.metadata`.
pub(crate) fn read_topic_id(folder: &Path) -> Result<Option<Uuid>, LogError> {
    let path = folder.join(PARTITION_METADATA);
    let Some(text) = read_text(&path)? else { return Ok(None) };
    let field = |name: &str| {
        text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name)).map(|(_, v)| v.trim())
    };
    if field("version") != Some("0") {
        return Err(LogError::corrupt(&path, 0, "version 0 is expected"));
    }
    field("topic_id")
        .and_then(parse_id)
        .map(Some)
        .ok_or_else(|| LogError::corrupt(&path, 0, "topic_id is missing or is no base64 id"))
}

/// Writes the topic id. It is durable after the first flush of the log, which syncs the file; before that a crash of
/// the machine may leave any part of it, and of a log of which nothing was synced nothing needs to be left.
pub(crate) fn write_topic_id(disk: &dyn Disk, folder: &Path, id: Uuid) -> Result<(), LogError> {
    let path = folder.join(PARTITION_METADATA);
    let text = format!("version: 0\ntopic_id: {}", format_id(id));
    let file = disk.open(&path, true).map_err(LogError::io("create", &path))?;
    disk.set_len(&file, 0).map_err(LogError::io("truncate", &path))?;
    disk.write_at(&file, text.as_bytes(), 0).map_err(LogError::io("write", &path))
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Kafka's text form of an id: base64 for URLs, without padding, 22 characters.
pub fn format_id(id: Uuid) -> String {
    // 128 bits in groups of six from the top; the last character holds two bits.
    let bits = id.as_u128();
    (0..22)
        .map(|at| {
            let six = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
            char::from(BASE64_URL[(six & 63) as usize])
        })
        .collect()
}

/// Reads [`format_id`]'s form.
pub fn parse_id(text: &str) -> Option<Uuid> {
    if text.len() != 22 {
        return None;
    }
    let mut bits = 0_u128;
    for (at, byte) in text.bytes().enumerate() {
        let six = BASE64_URL.iter().position(|&digit| digit == byte)? as u128;
        bits = if at < 21 { bits << 6 | six } else { bits << 2 | six >> 4 };
    }
    Some(Uuid::from_u128(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn ids_are_kafkas_base64() {
        // Kafka's Uuid.ONE_UUID and its text.
        assert_eq!(format_id(Uuid::from_u128(1)), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_u128(0xf1f1_50ea_e453_4a9c_be05_024a_8e4d_667c);
        assert_eq!(format_id(id), "8fFQ6uRTSpy-BQJKjk1mfA");
        assert_eq!(parse_id("8fFQ6uRTSpy-BQJKjk1mfA"), Some(id));
        assert_eq!(parse_id("8fFQ6uRTSpy+BQJKjk1mfA"), None);
        assert_eq!(parse_id("short"), None);
    }

    #[test]
    fn offsets_survive_the_file_and_lies_are_found() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("recovery-point-offset-checkpoint");
        assert!(read_offsets(&path)?.is_empty());
        let offsets = BTreeMap::from([(TopicPartition::new("a-b", 0), 12), (TopicPartition::new("c", 31), i64::MAX)]);
        write_offsets(&RealDisk, &path, &offsets)?;
        assert_eq!(fs::read_to_string(&path)?, format!("0\n2\na-b 0 12\nc 31 {}\n", i64::MAX));
        assert_eq!(read_offsets(&path)?, offsets);
        for text in ["1\n0\n", "0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 1 2\n", ""] {
            fs::write(&path, text)?;
            assert!(matches!(read_offsets(&path), Err(LogError::Corrupt { .. })), "{text:?}");
        }
        Ok(())
    }
}
