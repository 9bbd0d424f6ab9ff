//! What is done on the logs by the clock: retention, flushes, checkpoints, files of deleted segments, expired producers.
//! Source: `LogManager.startup`, `KafkaScheduler`.

use std::sync::Arc;
use std::time::Duration;

use commitlog::LogError;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::config::StorageSettings;
use crate::node::now_ms;
use crate::replica::{Partition, ReplicaManager};

/// How often files whose `file.delete.delay.ms` is over are looked for.
const TRASH_INTERVAL: Duration = Duration::from_secs(5);

/// Starts the work on `tasks`; it ends after `stop`.
pub fn start(
    replicas: &Arc<ReplicaManager>,
    settings: &StorageSettings,
    producer_check: Duration,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let ms = |value: i64| Duration::from_millis(u64::try_from(value).unwrap_or(0).max(1));
    let delay = ms(settings.log_initial_task_delay_ms);
    let every = |first: Duration, interval: Duration, work: fn(&ReplicaManager)| {
        let (replicas, stop) = (Arc::clone(replicas), stop.clone());
        tasks.spawn(repeat(first, interval, stop, replicas, work));
    };
    every(delay, ms(settings.log_retention_check_interval_ms), retain);
    every(delay, ms(settings.log_flush_scheduler_interval_ms), flush_due);
    every(delay, ms(settings.log_flush_offset_checkpoint_interval_ms.into()), checkpoint);
    every(TRASH_INTERVAL, TRASH_INTERVAL, |replicas| {
        replicas.env().collect_trash(now_ms());
    });
    every(producer_check, producer_check, |replicas| {
        for partition in replicas.all() {
            partition.log().expire_producers(now_ms());
        }
    });
}

async fn repeat(
    first: Duration,
    interval: Duration,
    stop: CancellationToken,
    replicas: Arc<ReplicaManager>,
    work: fn(&ReplicaManager),
) {
    // A setting of "never" is an interval of 2^63 ms; the clock cannot count that far.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    let mut ticks = tokio::time::interval_at(Instant::now() + first.min(LONGEST), interval.min(LONGEST));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let replicas = Arc::clone(&replicas);
        if let Err(failed) = tokio::task::spawn_blocking(move || work(&replicas)).await {
            error!(%failed, "background work on the logs failed");
        }
    }
}

fn retain(replicas: &ReplicaManager) {
    for partition in replicas.all() {
        let now = now_ms();
        report(
            &partition,
            "retention",
            partition.log().maybe_roll(now).and_then(|_| partition.log().delete_old_segments(now)),
        );
    }
}

fn flush_due(replicas: &ReplicaManager) {
    for partition in replicas.all() {
        report(&partition, "flush", partition.log().flush_if_due(now_ms()));
    }
}

/// Writes the checkpoints of all directories.
pub fn checkpoint(replicas: &ReplicaManager) {
    let partitions = replicas.all();
    for volume in replicas.volumes().iter().filter(|volume| volume.is_online()) {
        let here = partitions
            .iter()
            .map(|partition| partition.log())
            .filter(|log| log.folder().parent() == Some(volume.dir.path()));
        if let Err(error) = volume.dir.write_checkpoints(here) {
            error!(directory = %volume.dir.path().display(), %error, "checkpoints not written");
        }
    }
}

fn report<T>(partition: &Partition, work: &'static str, result: Result<T, LogError>) {
    if let Err(error) = result {
        error!(topic = %partition.topic(), partition = partition.index(), work, %error, "background work on the log failed");
    }
}
