//! What can go wrong with the metadata as a whole.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::batch::BatchError;
use super::image::ReplayError;
use super::quorum_state::QuorumStateError;
use super::snapshot::{RecordError, SnapshotError};

/// Why the metadata could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The log failed.
    #[error("metadata log: {0}")]
    Log(String),
    /// A batch of the log is damaged, or has a record that this version does not know or that does not fit.
    #[error("{folder} at offset {offset}: {error}")]
    Record {
        /// The log's folder.
        folder: PathBuf,
        /// Offset of the batch.
        offset: i64,
        /// What is wrong.
        error: RecordError,
    },
    /// The log does not reach back to the newest snapshot.
    #[error(
        "{folder} begins at offset {log_start}, but the newest snapshot ends at {snapshot_end}: records between \
             are missing; restore the folder from a backup"
    )]
    Gap {
        /// The log's folder.
        folder: PathBuf,
        /// Where the snapshot ends; 0 without one.
        snapshot_end: i64,
        /// Where the log begins.
        log_start: i64,
    },
    /// A snapshot can't be read or written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// `quorum-state` can't be read or written.
    #[error(transparent)]
    QuorumState(#[from] QuorumStateError),
    /// A record that can't be written: a mistake of this broker.
    #[error("a metadata record can't be written: {0}")]
    Encode(#[from] wire::EncodeError),
    /// A batch that can't be written.
    #[error("a metadata batch can't be written: {0}")]
    Batch(BatchError),
    /// A record of our own that does not fit: a mistake of this broker.
    #[error("a metadata record does not fit: {0}")]
    Replay(#[from] ReplayError),
    /// The directory is one of several of a cluster.
    #[error(
        "the cluster of this directory has more than this one node ({0}): it needs Apache Kafka; to leave it, make \
             this node the only replica and the only voter first"
    )]
    SeveralNodes(String),
    /// Written by a Kafka that is newer, or older than 3.3.
    #[error(
        "the cluster's metadata.version is {level}, but this broker works with {} to {}",
        super::OLDEST_METADATA_VERSION,
        super::LATEST_METADATA_VERSION
    )]
    MetadataVersion {
        /// The level found.
        level: i16,
    },
    /// The controller's thread could not be started.
    #[error("no thread for the controller: {0}")]
    Thread(io::Error),
}

/// Why an operation was not done. Kafka's code for both is `UNKNOWN_SERVER_ERROR`; a client may try again after a
/// restart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ControllerError {
    /// The log can't be written any more: the broker must be restarted.
    #[error("the metadata log failed: {0}")]
    Failed(Arc<str>),
    /// The broker is stopping.
    #[error("the controller is closed")]
    Closed,
}
