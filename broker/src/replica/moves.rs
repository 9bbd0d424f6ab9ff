//! Partitions on their way to another log directory. Source: `ReplicaAlterLogDirsManager`, `LogManager` (KIP-113, KIP-858).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use commitlog::{LogError, MoveProgress, TopicPartition};
use tokio::runtime::Handle;
use tracing::{error, info, warn};

use super::{Lookup, Partition, ReplicaManager};
use crate::maintenance;
use crate::metadata::{Controller, DirectoryAssignment};
use crate::node::now_ms;

/// A partition on its way to another directory.
#[derive(Debug, Clone)]
pub struct Move {
    /// The directory.
    pub to: PathBuf,
    /// How far it is.
    pub progress: Arc<MoveProgress>,
}

impl ReplicaManager {
    /// Has a partition moved to a directory in the background, and metadata told of it. Where it is under way to another
    /// one, it goes on to this one from there.
    pub fn start_move(self: &Arc<Self>, controller: &Controller, partition: &Arc<Partition>, to: &Path) {
        let key = key_of(partition);
        let wanted = Move { to: to.to_path_buf(), progress: Arc::default() };
        if self.moves.lock().insert(key.clone(), wanted).is_some() {
            return;
        }
        let (manager, controller, partition) = (Arc::clone(self), controller.clone(), Arc::clone(partition));
        self.movers.spawn_blocking(move || {
            while let Some(Move { to, progress }) = manager.next_move(&key, &partition) {
                let from = partition.log().folder();
                match partition.log().move_to(&to, &progress, now_ms()) {
                    Ok(()) => {
                        info!(partition = %key, directory = %to.display(), "log moved");
                        if let Some(from) = from.parent()
                            && let Err(error) = manager.cleaned_offset_moves(&key, from, &to)
                        {
                            error!(partition = %key, %error, "log is compacted anew: checkpoint not written");
                        }
                        Handle::current().block_on(manager.note_directories(&controller, &[Arc::clone(&partition)]));
                    }
                    Err(LogError::Closed { .. }) => {
                        manager.moves.lock().remove(&key);
                    }
                    Err(error) => {
                        error!(partition = %key, directory = %to.display(), %error, "log not moved");
                        manager.moves.lock().remove(&key);
                    }
                }
            }
            maintenance::checkpoint(&manager);
        });
    }

    /// Goes on with the moves that were under way when the broker before this one ended, and tells metadata of all
    /// partitions that are not where it has them.
    pub async fn resume_moves(self: &Arc<Self>, controller: &Controller) {
        for (key, to) in std::mem::take(&mut *self.interrupted.lock()) {
            match self.by_name(&key.topic, key.partition) {
                Lookup::Found(partition) if partition.log().folder().parent() != Some(&to) => {
                    info!(partition = %key, directory = %to.display(), "move between log directories goes on");
                    self.start_move(controller, &partition, &to);
                }
                _ => {}
            }
        }
        self.note_directories(controller, &self.all()).await;
    }

    /// Returns when no move is under way any more; those of closed logs end soon.
    pub async fn moves_ended(&self) {
        self.movers.close();
        self.movers.wait().await;
    }

    /// The partition's move, if it is under way.
    pub fn moving(&self, partition: &Partition) -> Option<Move> {
        self.moves.lock().get(&key_of(partition)).cloned()
    }

    /// Where a partition is still to go; forgets it once it is there.
    fn next_move(&self, key: &TopicPartition, partition: &Partition) -> Option<Move> {
        let mut moves = self.moves.lock();
        let wanted = moves.get(key)?.clone();
        if partition.log().folder().parent() == Some(&wanted.to) {
            moves.remove(key);
            return None;
        }
        Some(wanted)
    }

    /// Tells metadata where partitions are. What fails is made good at the next start.
    async fn note_directories(&self, controller: &Controller, partitions: &[Arc<Partition>]) {
        let image = controller.image();
        let elsewhere = partitions.iter().filter_map(|partition| {
            let directory = self.volume_of(partition)?.id;
            let (topic, index) = (partition.topic_id(), partition.index());
            let noted = image.topics.by_id(topic)?.partition(index)?;
            let assignment = DirectoryAssignment { topic, partition: index, directory };
            (noted.directories != [directory]).then_some(assignment)
        });
        let elsewhere = elsewhere.collect::<Vec<_>>();
        if !elsewhere.is_empty()
            && let Err(error) = controller.assign_directories(elsewhere).await
        {
            warn!(%error, "metadata not told of where partitions are");
        }
    }
}

pub(super) fn key_of(partition: &Partition) -> TopicPartition {
    TopicPartition::new(&**partition.topic(), partition.index())
}
