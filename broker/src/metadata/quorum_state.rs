//! `quorum-state`: what this voter must not forget of elections (`FileQuorumStateStore` in Kafka).
//!
//! JSON, in version 0 for a quorum whose voters are configured and in version 1 for one whose voters stand in the log
//! (KIP-853). Written before the first record of an epoch, so that no epoch is taken twice.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::files;

/// Name of the file, in the folder of the metadata log.
const FILE: &str = "quorum-state";

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum QuorumStateError {
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// No JSON, or without an epoch.
    #[error("{path} is damaged: {reason}; it can be removed, its epoch is also in the log")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The epoch in the file; `None` if there is no file.
pub(super) fn read_epoch(folder: &Path) -> Result<Option<i32>, QuorumStateError> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(QuorumStateError::Io { path, error }),
    };
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| QuorumStateError::Damaged { path: path.clone(), reason: error.to_string() })?;
    value
        .get("leaderEpoch")
        .and_then(Value::as_i64)
        .and_then(|epoch| i32::try_from(epoch).ok())
        .map(Some)
        .ok_or_else(|| QuorumStateError::Damaged { path, reason: "leaderEpoch is missing".to_owned() })
}

/// Notes that `node` leads in `epoch`.
pub(super) fn write(folder: &Path, node: i32, epoch: i32, voters_in_log: bool) -> Result<(), QuorumStateError> {
    let value = if voters_in_log {
        json!({
            "leaderId": node, "leaderEpoch": epoch, "votedId": -1,
            "votedDirectoryId": "AAAAAAAAAAAAAAAAAAAAAA", "data_version": 1,
        })
    } else {
        json!({
            "clusterId": "", "leaderId": node, "leaderEpoch": epoch, "votedId": -1, "appliedOffset": 0,
            "currentVoters": [{ "voterId": node }], "data_version": 0,
        })
    };
    let path = folder.join(FILE);
    files::replace(&path, &folder.join("quorum-state.tmp"), value.to_string().as_bytes())
        .map_err(|error| QuorumStateError::Io { path, error })
}
