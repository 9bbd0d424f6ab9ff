//! Up to where each log is compacted, as the directories' checkpoints say. Source: `LogCleanerManager`.

use std::collections::BTreeMap;
use std::path::Path;

use commitlog::{LogError, TopicPartition};

use super::moves::key_of;
use super::{Partition, ReplicaManager, Volume};

impl ReplicaManager {
    /// Notes up to where a partition's log is compacted, wherever it is now.
    ///
    /// # Errors
    /// The checkpoint could not be read or written.
    pub fn note_cleaned(&self, partition: &Partition, to: i64) -> Result<(), LogError> {
        let _one_at_a_time = self.cleaner_checkpoints.lock();
        let Some(volume) = self.volume_of(partition) else { return Ok(()) };
        update(volume, |offsets| {
            offsets.insert(key_of(partition), to);
        })
    }

    /// Takes what the cleaner has noted of a log to the directory that the log is in now.
    pub(super) fn cleaned_offset_moves(&self, key: &TopicPartition, from: &Path, to: &Path) -> Result<(), LogError> {
        let _one_at_a_time = self.cleaner_checkpoints.lock();
        let at = |path: &Path| self.volumes.iter().find(|volume| volume.dir.path() == path);
        let (Some(from), Some(to)) = (at(from), at(to)) else { return Ok(()) };
        let Some(&cleaned) = from.dir.cleaner_offsets()?.get(key) else { return Ok(()) };
        update(to, |offsets| {
            // The cleaner may have got further in the new directory already.
            let known = offsets.entry(key.clone()).or_insert(cleaned);
            *known = cleaned.max(*known);
        })?;
        update(from, |offsets| {
            offsets.remove(key);
        })
    }

    /// Forgets what is noted of a log that is being deleted: a topic of the same name has another log.
    ///
    /// # Errors
    /// The checkpoint could not be read or written.
    pub(super) fn forget_cleaned(&self, volume: &Volume, partition: &Partition) -> Result<(), LogError> {
        let _one_at_a_time = self.cleaner_checkpoints.lock();
        let key = key_of(partition);
        if !volume.dir.cleaner_offsets()?.contains_key(&key) {
            return Ok(());
        }
        update(volume, |offsets| {
            offsets.remove(&key);
        })
    }
}

fn update(volume: &Volume, change: impl FnOnce(&mut BTreeMap<TopicPartition, i64>)) -> Result<(), LogError> {
    let mut offsets = volume.dir.cleaner_offsets()?;
    change(&mut offsets);
    volume.dir.write_cleaner_offsets(&offsets)
}
