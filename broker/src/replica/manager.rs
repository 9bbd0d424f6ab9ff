//! All partitions of this broker, in step with metadata. Source: `ReplicaManager`, `LogManager`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use commitlog::{Env, Log, LogDir, LogError, TopicPartition};
use parking_lot::{Mutex, RwLock};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};
use uuid::Uuid;
use wire::ErrorCode;

use super::moves::Move;
use super::partition::Partition;
use crate::config::TopicConfig;
use crate::metadata::{Image, Topic};

/// The metadata log's topic, whose folder the controller looks after.
const METADATA_TOPIC: &str = "__cluster_metadata";
/// How long a folder of no topic is kept, as `file.delete.delay.ms` by default.
const STRAY_DELAY_MS: i64 = 60_000;

/// What there is under a topic and an index.
#[derive(Debug)]
pub enum Lookup {
    /// A partition that can be read and written.
    Found(Arc<Partition>),
    /// No such topic.
    NoTopic,
    /// The topic has no partition of that index.
    NoPartition,
    /// The partition's log could not be opened, or has failed since.
    Offline,
}

impl Lookup {
    /// The partition, or the error that most APIs answer without it.
    pub fn found(self) -> Result<Arc<Partition>, ErrorCode> {
        match self {
            Self::Found(partition) => Ok(partition),
            Self::NoTopic | Self::NoPartition => Err(ErrorCode::UnknownTopicOrPartition),
            Self::Offline => Err(ErrorCode::KafkaStorageError),
        }
    }
}

/// The log directories could not be taken into use.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// One of them cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A topic's partitions by index; `None` where the log could not be opened. Replaced as a whole when it changes.
#[derive(Debug)]
struct TopicReplicas {
    id: Uuid,
    partitions: Vec<Option<Arc<Partition>>>,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: HashMap<Arc<str>, Arc<TopicReplicas>>,
    names: HashMap<Uuid, Arc<str>>,
}

/// A log directory and the id it is known by in metadata.
#[derive(Debug)]
pub struct Volume {
    /// The directory.
    pub dir: LogDir,
    /// `directory.id` of its `meta.properties`.
    pub id: Uuid,
    pub(super) failed: AtomicBool,
}

impl Volume {
    /// A directory that is online.
    pub fn new(dir: LogDir, id: Uuid) -> Self {
        Self { dir, id, failed: AtomicBool::new(false) }
    }
}

/// All partitions, and the directories their logs are in.
#[derive(Debug)]
pub struct ReplicaManager {
    env: Arc<Env>,
    pub(super) volumes: Vec<Volume>,
    topics: RwLock<Topics>,
    /// Held while metadata is being followed, so that two changes do not make the same log.
    following: Mutex<()>,
    /// Partitions that are to be in another directory, until they are.
    pub(super) moves: Mutex<HashMap<TopicPartition, Move>>,
    /// The tasks that move them.
    pub(super) movers: TaskTracker,
    /// Moves that the last run did not finish: the partition and where it was to go.
    pub(super) interrupted: Mutex<Vec<(TopicPartition, PathBuf)>>,
    /// Held while a cleaner's checkpoint is read and written.
    pub(super) cleaner_checkpoints: Mutex<()>,
}

/// Settings by topic name, as metadata has them.
pub type ConfigOf<'a> = &'a (dyn Fn(&Image, &str) -> TopicConfig + Sync);

impl ReplicaManager {
    /// Opens the logs of all partitions that `image` has, makes those that are missing, and sets aside folders of
    /// partitions that it does not have.
    ///
    /// # Errors
    /// [`StartError`] if a directory cannot be listed. A log that cannot be opened is logged and offline.
    pub fn start(
        env: Arc<Env>,
        volumes: Vec<Volume>,
        threads: usize,
        image: &Image,
        config_of: ConfigOf<'_>,
        now_ms: i64,
    ) -> Result<Self, StartError> {
        let manager = Self {
            env,
            volumes,
            topics: RwLock::default(),
            following: Mutex::default(),
            moves: Mutex::default(),
            movers: TaskTracker::new(),
            interrupted: Mutex::default(),
            cleaner_checkpoints: Mutex::default(),
        };
        let mut opened = HashMap::new();
        for volume in &manager.volumes {
            let dir = &volume.dir;
            let is_open = |partition: &TopicPartition| matches!(opened.get(partition), Some(Ok(_)));
            let known = manager.known_partitions(volume, image, &is_open, now_ms)?;
            let logs = dir.open_logs(&known, threads, now_ms, |partition| config_of(image, &partition.topic).log);
            opened.extend(known.into_iter().zip(logs));
        }
        for topic in image.topics.iter() {
            let config = config_of(image, &topic.name);
            manager.follow_topic(topic, &config, now_ms, |partition| opened.remove(partition));
        }
        Ok(manager)
    }

    /// The partitions of `image` that have a folder in a directory; other folders are set aside to be deleted.
    /// A partition that is open from another directory already was on its way there: both folders hold the same.
    fn known_partitions(
        &self,
        volume: &Volume,
        image: &Image,
        is_open: &dyn Fn(&TopicPartition) -> bool,
        now_ms: i64,
    ) -> Result<Vec<TopicPartition>, StartError> {
        let dir = &volume.dir;
        let mut known = Vec::new();
        let found = dir.scan()?;
        let path = dir.path().to_path_buf();
        self.interrupted.lock().extend(found.moving.into_iter().map(|partition| (partition, path.clone())));
        for partition in found.logs {
            if partition.topic == METADATA_TOPIC {
                continue;
            }
            // After a clean stop folders and metadata agree; otherwise a folder may be that of a deleted topic of the
            // same name.
            let topic = image.topic(&partition.topic).filter(|topic| {
                let exists = usize::try_from(partition.partition).is_ok_and(|index| index < topic.partitions.len());
                exists
                    && (dir.was_stopped_cleanly()
                        || dir.topic_id(&partition).is_ok_and(|id| id.is_none_or(|id| id == topic.id)))
            });
            if topic.is_some() && !is_open(&partition) {
                known.push(partition);
                continue;
            }
            let why = if topic.is_some() { "is in another directory, too" } else { "belongs to no topic" };
            warn!(%partition, directory = %dir.path().display(), "folder {why}; it will be deleted");
            if let Err(error) = dir.discard(&partition, now_ms + STRAY_DELAY_MS) {
                error!(%partition, %error, "folder not set aside");
            }
        }
        Ok(known)
    }

    /// The partition `index` of the topic `name`.
    pub fn by_name(&self, name: &str, index: i32) -> Lookup {
        let topics = self.topics.read();
        topics.by_name.get(name).map_or(Lookup::NoTopic, |topic| topic.get(index))
    }

    /// The partition `index` of the topic with an id.
    pub fn by_id(&self, id: Uuid, index: i32) -> Lookup {
        let topics = self.topics.read();
        let topic = topics.names.get(&id).and_then(|name| topics.by_name.get(name));
        topic.map_or(Lookup::NoTopic, |topic| topic.get(index))
    }

    /// Every partition that is open, in no order.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        let topics = self.topics.read();
        topics.by_name.values().flat_map(|topic| topic.partitions.iter().flatten().cloned()).collect()
    }

    /// How many partitions cannot be read and written: their log could not be opened, or has failed since.
    pub fn offline_partitions(&self) -> usize {
        let topics = self.topics.read();
        let partitions = topics.by_name.values().flat_map(|topic| &topic.partitions);
        partitions.filter(|partition| partition.as_ref().is_none_or(|open| open.log().is_offline())).count()
    }

    /// The log directories.
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// The directory that a partition's log is in.
    pub fn volume_of(&self, partition: &Partition) -> Option<&Volume> {
        let folder = partition.log().folder();
        self.volumes.iter().find(|volume| folder.parent() == Some(volume.dir.path()))
    }

    /// What logs share.
    pub fn env(&self) -> &Arc<Env> {
        &self.env
    }

    /// Brings a topic to what metadata says of it: makes it, adds partitions, takes over epochs and settings.
    pub fn topic_changed(&self, topic: &Topic, config: &TopicConfig, now_ms: i64) {
        self.follow_topic(topic, config, now_ms, |_| None);
    }

    /// Takes a topic's partitions away: readers see that it is gone, its folders are renamed now and deleted later.
    pub fn topic_deleted(&self, name: &str, id: Uuid, now_ms: i64) {
        let _following = self.following.lock();
        let removed = {
            let mut topics = self.topics.write();
            topics.names.remove(&id);
            match topics.by_name.get(name) {
                Some(topic) if topic.id == id => topics.by_name.remove(name),
                _ => None,
            }
        };
        for partition in removed.iter().flat_map(|topic| topic.partitions.iter().flatten()) {
            partition.retire();
            let volume = self.volume_of(partition).filter(|_| partition.log().config().compact);
            if let Err(error) = partition.log().delete(now_ms) {
                error!(topic = name, partition = partition.index(), %error, "log not deleted");
            }
            if let Some(Err(error)) = volume.map(|volume| self.forget_cleaned(volume, partition)) {
                error!(topic = name, partition = partition.index(), %error, "cleaner's checkpoint not written");
            }
        }
    }

    fn follow_topic(
        &self,
        topic: &Topic,
        config: &TopicConfig,
        now_ms: i64,
        mut opened: impl FnMut(&TopicPartition) -> Option<Result<Log, LogError>>,
    ) {
        let _following = self.following.lock();
        let current = self.topics.read().by_name.get(&topic.name).cloned();
        let current = current.filter(|current| current.id == topic.id);
        let name = &topic.name;
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for (index, wanted) in topic.partitions.iter().enumerate() {
            let known = current.as_ref().and_then(|current| current.partitions.get(index).cloned().flatten());
            if let Some(known) = known {
                known.follow(wanted.leader_epoch, config);
                partitions.push(Some(known));
                continue;
            }
            let index = index as i32;
            let key = TopicPartition::new(&**name, index);
            let log = opened(&key).unwrap_or_else(|| {
                self.volume_for(&wanted.directories).dir.create_log(&key, topic.id, Arc::clone(&config.log), now_ms)
            });
            partitions.push(match log {
                Ok(log) => {
                    let partition = Partition::new(Arc::clone(name), topic.id, index, log);
                    partition.follow(wanted.leader_epoch, config);
                    Some(Arc::new(partition))
                }
                Err(error) => {
                    error!(topic = %name, partition = index, %error, "partition offline: its log cannot be opened");
                    None
                }
            });
        }
        let mut topics = self.topics.write();
        topics.names.insert(topic.id, Arc::clone(name));
        topics.by_name.insert(Arc::clone(name), Arc::new(TopicReplicas { id: topic.id, partitions }));
    }

    /// The directory to make a log in: the one that metadata names, else the one with the fewest partitions, as
    /// `LogManager.nextLogDirs` chooses.
    fn volume_for(&self, assigned: &[Uuid]) -> &Volume {
        if let Some(named) = self.volumes.iter().find(|volume| assigned.contains(&volume.id)) {
            return named;
        }
        let mut counts: HashMap<PathBuf, usize> = HashMap::new();
        for partition in self.all() {
            if let Some(parent) = partition.log().folder().parent() {
                *counts.entry(parent.to_path_buf()).or_default() += 1;
            }
        }
        let online = self.volumes.iter().filter(|volume| volume.is_online());
        let least = online.min_by_key(|volume| counts.get(volume.dir.path()).copied().unwrap_or(0));
        least.unwrap_or(&self.volumes[0])
    }
}

impl TopicReplicas {
    fn get(&self, index: i32) -> Lookup {
        let slot = usize::try_from(index).ok().and_then(|index| self.partitions.get(index));
        match slot {
            None => Lookup::NoPartition,
            Some(Some(partition)) if !partition.log().is_offline() => Lookup::Found(Arc::clone(partition)),
            Some(_) => Lookup::Offline,
        }
    }
}
