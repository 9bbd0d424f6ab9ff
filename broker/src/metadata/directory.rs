//! A data directory: whose it is, and formatting one (`kafka-storage format`, `MetaPropertiesEnsemble` in Kafka).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;
use wire::metadata::FeatureLevelRecord;

use super::files;
use super::ids::random_id;
use super::image::METADATA_VERSION;
use super::snapshot::{self, SnapshotError, SnapshotWriter};
use super::version::LATEST_METADATA_VERSION;

const META_PROPERTIES: &str = "meta.properties";
const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";

/// The features of Apache Kafka 4.3, at the levels it finalizes in a new cluster, in the order it writes them.
pub const DEFAULT_FEATURES: [(&str, i16); 6] = [
    (METADATA_VERSION, LATEST_METADATA_VERSION),
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// A data directory that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// The node whose it is.
    pub node_id: i32,
    /// The cluster it belongs to: 22 characters of base64 for URLs, as a rule.
    pub cluster_id: String,
    /// Its own id, as partitions name it.
    pub directory_id: Uuid,
    /// Whether it was formatted just now.
    pub formatted: bool,
}

/// Why a directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It can't be made, read or written.
    #[error("data directory {path} can't be {what}: {error}; name a directory that this user may write (log.dirs)")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// `made`, `read` or `written`.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The path is a file.
    #[error("data directory {0} is not a directory; name another one (log.dirs)")]
    NotADirectory(PathBuf),
    /// Files of somebody else.
    #[error(
        "data directory {path} is not empty and has no meta.properties (it holds {found}): it is no Kafka data \
             directory; name an empty one (log.dirs), or restore meta.properties"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A file in it.
        found: String,
    },
    /// `meta.properties` can't be understood.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Made for a ZooKeeper cluster.
    #[error("{0} has version=0: it was written by a Kafka with ZooKeeper; migrate it to KRaft with Kafka 3.9 first")]
    ZooKeeper(PathBuf),
    /// Another node's.
    #[error(
        "data directory {path} belongs to node {stored}, but node.id is {wanted}: set node.id={stored}, or name \
             another directory (log.dirs)"
    )]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// The node in `meta.properties`.
        stored: i32,
        /// The node that was asked for.
        wanted: i32,
    },
    /// Another cluster's.
    #[error(
        "data directory {path} belongs to cluster {stored}, not to {wanted}: use that cluster id, or name another \
             directory (log.dirs)"
    )]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// The cluster in `meta.properties`.
        stored: String,
        /// The cluster that was asked for.
        wanted: String,
    },
    /// A cluster id that can't be written.
    #[error("cluster id {0:?} is not usable: give 1 to 255 letters, digits, `-` or `_`")]
    InvalidClusterId(String),
    /// `bootstrap.checkpoint` could not be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl Directory {
    /// Opens the directory at `path`, formatting it if it is empty or missing. `cluster_id` names the cluster: a new
    /// directory joins it (or a new one of random id), an old one must belong to it.
    ///
    /// Hold the directory's lock ([`commitlog`]'s `LogDir` takes it): two processes must not format at once.
    ///
    /// # Errors
    /// [`DirectoryError`] for a directory that is somebody else's or can't be written. Nothing was changed then.
    pub fn open(path: &Path, node_id: i32, cluster_id: Option<&str>) -> Result<Self, DirectoryError> {
        let io_error = |what| move |error| DirectoryError::Io { path: path.into(), what, error };
        if path.exists() && !path.is_dir() {
            return Err(DirectoryError::NotADirectory(path.into()));
        }
        fs::create_dir_all(path).map_err(io_error("made"))?;
        let meta = path.join(META_PROPERTIES);
        match fs::read_to_string(&meta) {
            Ok(text) => {
                let found = parse(path, &meta, &text)?;
                found.check(node_id, cluster_id)?;
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => format(path, node_id, cluster_id),
            Err(error) => Err(DirectoryError::Io { path: meta, what: "read", error }),
        }
    }

    /// Where the records are that the first start writes.
    pub(super) fn bootstrap_checkpoint(&self) -> PathBuf {
        self.path.join(BOOTSTRAP_CHECKPOINT)
    }

    fn check(&self, node_id: i32, cluster_id: Option<&str>) -> Result<(), DirectoryError> {
        let path = self.path.clone();
        if self.node_id != node_id {
            return Err(DirectoryError::OtherNode { path, stored: self.node_id, wanted: node_id });
        }
        match cluster_id {
            Some(wanted) if wanted != self.cluster_id => {
                Err(DirectoryError::OtherCluster { path, stored: self.cluster_id.clone(), wanted: wanted.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Names that an empty directory may have: our lock, a mount point's own, and what Kafka keeps at the root.
fn is_harmless(name: &str) -> bool {
    name.starts_with('.') || name == "lost+found" || name.ends_with("-offset-checkpoint") || name.ends_with(".tmp")
}

fn format(path: &Path, node_id: i32, cluster_id: Option<&str>) -> Result<Directory, DirectoryError> {
    let read_error = |error| DirectoryError::Io { path: path.into(), what: "read", error };
    for entry in fs::read_dir(path).map_err(read_error)? {
        let name = entry.map_err(read_error)?.file_name().to_string_lossy().into_owned();
        // A crash while formatting leaves the checkpoint, which is written first.
        if !is_harmless(&name) && !name.starts_with(BOOTSTRAP_CHECKPOINT) {
            return Err(DirectoryError::Foreign { path: path.into(), found: name });
        }
    }
    let cluster_id = match cluster_id {
        Some(given) if is_usable(given) => given.to_owned(),
        Some(given) => return Err(DirectoryError::InvalidClusterId(given.to_owned())),
        None => commitlog::format_id(random_id()),
    };
    let directory = Directory { path: path.into(), node_id, cluster_id, directory_id: random_id(), formatted: true };
    let now_ms = super::now_ms();
    let mut writer = SnapshotWriter::new(0, now_ms, 0, &[])?;
    for (name, level) in DEFAULT_FEATURES {
        let record = FeatureLevelRecord { name: name.into(), feature_level: level, ..Default::default() };
        writer.record(&record.into(), LATEST_METADATA_VERSION)?;
    }
    snapshot::save(&directory.bootstrap_checkpoint(), &writer.finish()?).map_err(|error| match error {
        SnapshotError::Io { path, error } => DirectoryError::Io { path, what: "written", error },
        error => error.into(),
    })?;
    let text = format!(
        "#\n#{}\nnode.id={node_id}\ndirectory.id={}\nversion=1\ncluster.id={}\n",
        super::time::java_date(now_ms),
        commitlog::format_id(directory.directory_id),
        directory.cluster_id,
    );
    let meta = path.join(META_PROPERTIES);
    files::replace(&meta, &path.join("meta.properties.tmp"), text.as_bytes()).map_err(|error| DirectoryError::Io {
        path: meta,
        what: "written",
        error,
    })?;
    Ok(directory)
}

fn is_usable(id: &str) -> bool {
    (1..256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn parse(directory: &Path, meta: &Path, text: &str) -> Result<Directory, DirectoryError> {
    let damaged = |reason: String| DirectoryError::Damaged { path: meta.into(), reason };
    let properties: BTreeMap<&str, String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().replace('\\', "")))
        .collect();
    let get = |name: &str| properties.get(name).ok_or_else(|| damaged(format!("{name} is missing")));
    match get("version")?.as_str() {
        "1" => {}
        "0" => return Err(DirectoryError::ZooKeeper(meta.into())),
        other => return Err(damaged(format!("version={other} is newer than this broker, which knows version=1"))),
    }
    let node = get("node.id")?;
    let node_id = node.parse().map_err(|_| damaged(format!("node.id={node} is no number")))?;
    // Kafka before 3.7 wrote no directory id; such directories do not name it in their metadata either.
    let directory_id = match properties.get("directory.id") {
        Some(id) => commitlog::parse_id(id).ok_or_else(|| damaged(format!("directory.id={id} is no id")))?,
        None => Uuid::nil(),
    };
    let cluster_id = get("cluster.id")?.clone();
    Ok(Directory { path: directory.into(), node_id, cluster_id, directory_id, formatted: false })
}
