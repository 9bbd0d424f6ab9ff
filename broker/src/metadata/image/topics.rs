//! Topics and partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use uuid::Uuid;
use wire::metadata::{PartitionChangeRecord, PartitionRecord};

/// The leader of a partition that has none.
pub const NO_LEADER: i32 = -1;

/// `PartitionChangeRecord::leader` when the leader stays.
const NO_LEADER_CHANGE: i32 = -2;

/// A partition: who has it, who leads it.
///
/// Every change raises `partition_epoch`; one that names a leader, be it the same, raises `leader_epoch` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// For each replica, the id of the log directory that holds it; nil where that is not known.
    pub directories: Vec<Uuid>,
    /// Replicas in sync. May be empty with eligible leader replicas (KIP-966).
    pub isr: Vec<i32>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Vec<i32>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<i32>,
    /// Replicas that are out of sync by a clean stop, and may lead.
    pub eligible_leader_replicas: Vec<i32>,
    /// Replicas that led or could have, before all of them were lost.
    pub last_known_elr: Vec<i32>,
    /// The leader, or [`NO_LEADER`].
    pub leader: i32,
    /// 0 recovered, 1 recovering from an unclean election.
    pub leader_recovery_state: i8,
    /// Raised by each election.
    pub leader_epoch: i32,
    /// Raised by each change.
    pub partition_epoch: i32,
}

impl Partition {
    pub(super) fn from_record(record: &PartitionRecord) -> Self {
        let unknown = || vec![Uuid::nil(); record.replicas.len()];
        Self {
            replicas: record.replicas.clone(),
            directories: if record.directories.is_empty() { unknown() } else { record.directories.clone() },
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            eligible_leader_replicas: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_recovery_state: record.leader_recovery_state,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    pub(super) fn change(&mut self, record: &PartitionChangeRecord) {
        let set = |target: &mut Vec<i32>, value: &Option<Vec<i32>>| {
            if let Some(value) = value {
                target.clone_from(value);
            }
        };
        set(&mut self.isr, &record.isr);
        set(&mut self.removing_replicas, &record.removing_replicas);
        set(&mut self.adding_replicas, &record.adding_replicas);
        set(&mut self.eligible_leader_replicas, &record.eligible_leader_replicas);
        set(&mut self.last_known_elr, &record.last_known_elr);
        if let Some(replicas) = &record.replicas {
            // Directories follow their replicas where the record does not give them anew.
            let old: BTreeMap<i32, Uuid> =
                self.replicas.iter().copied().zip(self.directories.iter().copied()).collect();
            self.directories = replicas.iter().map(|id| old.get(id).copied().unwrap_or_default()).collect();
            self.replicas.clone_from(replicas);
        }
        if let Some(directories) = &record.directories {
            self.directories.clone_from(directories);
        }
        if record.leader != NO_LEADER_CHANGE {
            self.leader = record.leader;
            self.leader_epoch += 1;
        }
        if record.leader_recovery_state >= 0 {
            self.leader_recovery_state = record.leader_recovery_state;
        }
        self.partition_epoch += 1;
    }

    pub(super) fn to_record(&self, topic: Uuid, index: i32) -> PartitionRecord {
        let some = |list: &Vec<i32>| (!list.is_empty()).then(|| list.clone());
        PartitionRecord {
            partition_id: index,
            topic_id: topic,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: some(&self.eligible_leader_replicas),
            last_known_elr: some(&self.last_known_elr),
            ..PartitionRecord::default()
        }
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, new each time a topic of this name is made.
    pub id: Uuid,
    /// Its partitions: the index is the partition's number.
    pub partitions: Vec<Partition>,
}

impl Topic {
    /// The partition of this number.
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index))
    }
}

/// All topics, by name and by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Topics {
    by_id: HashTrieMapSync<Uuid, Arc<Topic>>,
    names: RedBlackTreeMapSync<Arc<str>, Uuid>,
    partitions: usize,
}

impl Default for Topics {
    fn default() -> Self {
        Self { by_id: HashTrieMapSync::new_sync(), names: RedBlackTreeMapSync::new_sync(), partitions: 0 }
    }
}

impl Topics {
    /// The topic called `name`.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.names.get(name).and_then(|id| self.by_id.get(id))
    }

    /// The topic with this id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.names.values().filter_map(|id| self.by_id.get(id))
    }

    /// Topics sorted by name, from the first that is `from` or comes after it.
    pub fn from<'a>(&'a self, from: &'a str) -> impl Iterator<Item = &'a Arc<Topic>> {
        self.names.range(Arc::<str>::from(from)..).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_id.size()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many partitions all topics have together.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    pub(super) fn insert(&mut self, topic: Topic) {
        self.partitions += topic.partitions.len();
        self.names.insert_mut(topic.name.clone(), topic.id);
        self.by_id.insert_mut(topic.id, Arc::new(topic));
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Option<Arc<Topic>> {
        let topic = self.by_id.get(&id)?.clone();
        self.by_id.remove_mut(&id);
        self.names.remove_mut(&topic.name);
        self.partitions -= topic.partitions.len();
        Some(topic)
    }

    /// Puts a partition in its place. Kafka's snapshots may list the partitions of a topic in any order, so places
    /// before it that are still missing are filled by a partition with no replicas, until their record comes.
    pub(super) fn put_partition(&mut self, id: Uuid, index: usize, partition: Partition) -> Option<()> {
        let topic = Arc::make_mut(self.by_id.get_mut(&id)?);
        if index >= topic.partitions.len() {
            self.partitions += index + 1 - topic.partitions.len();
            topic.partitions.resize_with(index + 1, Partition::missing);
        }
        topic.partitions[index] = partition;
        Some(())
    }

    pub(super) fn partition_mut(&mut self, id: Uuid, index: i32) -> Option<&mut Partition> {
        let index = usize::try_from(index).ok()?;
        Arc::make_mut(self.by_id.get_mut(&id)?).partitions.get_mut(index)
    }
}

impl Partition {
    fn missing() -> Self {
        Self {
            replicas: Vec::new(),
            directories: Vec::new(),
            isr: Vec::new(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            eligible_leader_replicas: Vec::new(),
            last_known_elr: Vec::new(),
            leader: NO_LEADER,
            leader_recovery_state: 0,
            leader_epoch: 0,
            partition_epoch: 0,
        }
    }
}
