//! Names of files and folders, as Kafka's `LogFileUtils` and `UnifiedLog` make them.
//!
//! A segment's files carry its base offset in 20 digits: `00000000000000000000.log`. A suffix tells a file's state:
//! `.cleaned` (being written by compaction), `.swap` (complete, about to replace others), `.deleted` (about to go).
//! A partition's folder is `<topic>-<partition>`; once deleted `<topic>-<partition>.<32 hex digits>-delete`.

use std::fmt;

use uuid::Uuid;

/// A topic's name with a partition's number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A pair.
    pub fn new(topic: impl Into<String>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    /// Reads `<topic>-<partition>`; the topic may itself contain `-`.
    pub fn parse(name: &str) -> Option<TopicPartition> {
        let (topic, partition) = name.rsplit_once('-')?;
        let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
        if topic.is_empty() || !digits {
            return None;
        }
        Some(TopicPartition::new(topic, partition.parse().ok()?))
    }

    /// The name of its folder once it is deleted: at most 255 bytes, the topic is cut where needed.
    pub fn delete_folder_name(&self) -> String {
        self.folder_name(DELETE_FOLDER)
    }

    /// The name of its folder in another directory until it has moved there.
    pub(crate) fn future_folder_name(&self) -> String {
        self.folder_name(FUTURE_FOLDER)
    }

    /// The partition that a folder named by [`TopicPartition::future_folder_name`] is of, if its name was not cut.
    pub(crate) fn parse_future_folder(name: &str) -> Option<TopicPartition> {
        let (partition, _uuid) = name.strip_suffix(FUTURE_FOLDER)?.rsplit_once('.')?;
        TopicPartition::parse(partition)
    }

    fn folder_name(&self, end: &str) -> String {
        let tail = format!("-{}.{}{end}", self.partition, Uuid::new_v4().simple());
        let mut keep = self.topic.len().min(255 - tail.len());
        while !self.topic.is_char_boundary(keep) {
            keep -= 1;
        }
        format!("{}{tail}", &self.topic[..keep])
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// End of the name of a deleted partition's folder.
pub(crate) const DELETE_FOLDER: &str = "-delete";
/// End of the name of the folder of a partition that the metadata does not know (left by Kafka at a start).
pub(crate) const STRAY_FOLDER: &str = "-stray";
/// End of the name of a folder that is being moved between log directories.
pub(crate) const FUTURE_FOLDER: &str = "-future";

/// The kinds of files that belong to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    Snapshot,
}

impl FileKind {
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::TxnIndex => ".txnindex",
            FileKind::Snapshot => ".snapshot",
        }
    }
}

/// What a file's second extension says of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Suffix {
    None,
    Cleaned,
    Swap,
    Deleted,
}

impl Suffix {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Suffix::None => "",
            Suffix::Cleaned => ".cleaned",
            Suffix::Swap => ".swap",
            Suffix::Deleted => ".deleted",
        }
    }

    pub(crate) const fn from_u8(value: u8) -> Suffix {
        match value {
            1 => Suffix::Cleaned,
            2 => Suffix::Swap,
            3 => Suffix::Deleted,
            _ => Suffix::None,
        }
    }
}

/// `00000000000000000042.log.swap`.
pub(crate) fn file_name(base_offset: i64, kind: FileKind, suffix: Suffix) -> String {
    format!("{base_offset:020}{}{}", kind.extension(), suffix.text())
}

/// Takes a segment file's name apart; `None` for any other file.
pub(crate) fn parse_file_name(name: &str) -> Option<(i64, FileKind, Suffix)> {
    let (digits, rest) = name.split_at_checked(20)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let base_offset = digits.parse().ok()?;
    let kinds = [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex, FileKind::Snapshot];
    let suffixes = [Suffix::None, Suffix::Cleaned, Suffix::Swap, Suffix::Deleted];
    for kind in kinds {
        if let Some(end) = rest.strip_prefix(kind.extension()) {
            let suffix = suffixes.into_iter().find(|suffix| suffix.text() == end)?;
            return Some((base_offset, kind, suffix));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_go_both_ways() {
        for suffix in [Suffix::None, Suffix::Cleaned, Suffix::Swap, Suffix::Deleted] {
            let name = file_name(42, FileKind::TimeIndex, suffix);
            assert_eq!(parse_file_name(&name), Some((42, FileKind::TimeIndex, suffix)));
        }
        assert_eq!(file_name(7, FileKind::Log, Suffix::None), "00000000000000000007.log");
        for name in ["leader-epoch-checkpoint", "partition.metadata", "0.log", "00000000000000000007.log.bak"] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn folder_names_allow_dashes_in_topics() {
        assert_eq!(TopicPartition::parse("a-b-12"), Some(TopicPartition::new("a-b", 12)));
        for name in ["a", "a-", "-1", "a-b", "a-+1", "a-99999999999"] {
            assert_eq!(TopicPartition::parse(name), None, "{name}");
        }
    }

    #[test]
    fn deleted_folder_names_fit_a_file_system() {
        let name = TopicPartition::new("t".repeat(249), 123).delete_folder_name();
        assert_eq!(name.len(), 255);
        assert!(name.starts_with("ttt") && name.ends_with("-delete"));
    }
}
