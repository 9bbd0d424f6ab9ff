//! Compaction in the background: the dirtiest log of those that are due, one after the other. Source: `LogCleaner`,
//! `LogCleanerManager.grabFilthiestCompactedLog`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commitlog::{Cleanable, Cleaner, CleanerConfig, LogError, TopicPartition};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use crate::config::CleanerSettings;
use crate::node::now_ms;
use crate::replica::{Partition, ReplicaManager, Volume};

/// Starts compaction on `tasks`; a round under way is finished after `stop`.
///
/// `log.cleaner.threads` is one here: a round is bounded by the disk, and the buffer for keys is not shared out.
pub fn start(
    replicas: &Arc<ReplicaManager>,
    settings: &CleanerSettings,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let backoff = Duration::from_millis(u64::try_from(settings.log_cleaner_backoff_ms).unwrap_or(0).max(1));
    let config = CleanerConfig {
        dedupe_buffer_bytes: usize::try_from(settings.log_cleaner_dedupe_buffer_size).unwrap_or(usize::MAX),
        load_factor: settings.log_cleaner_io_buffer_load_factor,
    };
    let (replicas, stop) = (Arc::clone(replicas), stop.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff) => {}
            }
            let (replicas, stop) = (Arc::clone(&replicas), stop.clone());
            let round = tokio::task::spawn_blocking(move || clean_all(&replicas, &mut Cleaner::new(config), &stop));
            if let Err(failed) = round.await {
                error!(%failed, "compaction failed");
            }
        }
    });
}

/// Compacts until no log is due any more.
fn clean_all(replicas: &ReplicaManager, cleaner: &mut Cleaner, stop: &CancellationToken) {
    for volume in replicas.volumes() {
        let mut cleaned = match volume.dir.cleaner_offsets() {
            Ok(offsets) => offsets,
            Err(error) => {
                error!(directory = %volume.dir.path().display(), %error, "logs not compacted");
                continue;
            }
        };
        let mut failed = Vec::new();
        while !stop.is_cancelled() {
            let Some((partition, cleanable)) = dirtiest(replicas, volume, &cleaned, &failed) else { break };
            let key = key_of(&partition);
            match clean(cleaner, volume, &partition, &cleanable, &mut cleaned) {
                Ok(true) => {}
                Ok(false) => failed.push(key),
                Err(error) => {
                    error!(partition = %key, %error, "log not compacted");
                    failed.push(key);
                }
            }
        }
    }
}

/// One round on one log; false if it changed meanwhile and is to be left for the next time.
fn clean(
    cleaner: &mut Cleaner,
    volume: &Volume,
    partition: &Partition,
    cleanable: &Cleanable,
    cleaned: &mut BTreeMap<TopicPartition, i64>,
) -> Result<bool, LogError> {
    let report = cleaner.clean(partition.log(), cleanable, now_ms())?;
    debug!(topic = %partition.topic(), partition = partition.index(), ?report, "log compacted");
    cleaned.insert(key_of(partition), report.cleaned_to);
    volume.dir.write_cleaner_offsets(cleaned)?;
    Ok(!report.interrupted)
}

fn dirtiest(
    replicas: &ReplicaManager,
    volume: &Volume,
    cleaned: &BTreeMap<TopicPartition, i64>,
    failed: &[TopicPartition],
) -> Option<(Arc<Partition>, Cleanable)> {
    let compacted = replicas.all().into_iter().filter(|partition| {
        let log = partition.log();
        log.config().compact && !log.is_offline() && log.folder().parent() == Some(volume.dir.path())
    });
    let due = compacted.filter_map(|partition| {
        let key = key_of(&partition);
        if failed.contains(&key) {
            return None;
        }
        let cleanable = partition.log().cleanable(cleaned.get(&key).copied(), now_ms()).ok()?;
        cleanable.is_due(partition.log().config().min_cleanable_dirty_ratio).then_some((partition, cleanable))
    });
    due.max_by(|(_, one), (_, other)| one.dirty_ratio().total_cmp(&other.dirty_ratio()))
}

fn key_of(partition: &Partition) -> TopicPartition {
    TopicPartition::new(&**partition.topic(), partition.index())
}
