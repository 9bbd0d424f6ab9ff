//! Compaction in the background: the dirtiest log of those that are due, one for each thread. Source: `LogCleaner`,
//! `LogCleanerManager.grabFilthiestCompactedLog`, `Throttler`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commitlog::{Cleanable, Cleaner, CleanerConfig, LogError, Pace, TopicPartition};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error};

use crate::config::{BrokerConfig, CleanerSettings};
use crate::node::now_ms;
use crate::replica::{Partition, ReplicaManager, Volume};

/// Starts compaction on `tasks`, with the settings as they are at any time; what is under way is finished after `stop`.
pub fn start(
    replicas: &Arc<ReplicaManager>,
    mut config: watch::Receiver<Arc<BrokerConfig>>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let work = Arc::new(Work { replicas: Arc::clone(replicas), busy: Mutex::default() });
    let throttle = Arc::new(Throttle::new(config.borrow().cleaner.log_cleaner_io_max_bytes_per_second));
    let stop = stop.clone();
    tasks.spawn(async move {
        loop {
            let settings = config.borrow_and_update().cleaner.clone();
            let (threads, changed) = (TaskTracker::new(), stop.child_token());
            for _ in 0..settings.log_cleaner_threads {
                let (work, throttle) = (Arc::clone(&work), Arc::clone(&throttle));
                threads.spawn(compact(work, settings.clone(), throttle, changed.clone()));
            }
            let stopped = tokio::select! {
                other = config.wait_for(|config| config.cleaner != settings) => other.is_err(),
                () = stop.cancelled() => true,
            };
            changed.cancel();
            let limit = config.borrow().cleaner.log_cleaner_io_max_bytes_per_second;
            throttle.limit(if stopped { f64::INFINITY } else { limit });
            threads.close();
            threads.wait().await;
            if stopped {
                return;
            }
        }
    });
}

/// One thread's share of the work, until `stop`.
async fn compact(work: Arc<Work>, settings: CleanerSettings, throttle: Arc<Throttle>, stop: CancellationToken) {
    let backoff = Duration::from_millis(u64::try_from(settings.log_cleaner_backoff_ms).unwrap_or(0).max(1));
    let threads = usize::try_from(settings.log_cleaner_threads).unwrap_or(1).max(1);
    let config = CleanerConfig {
        dedupe_buffer_bytes: usize::try_from(settings.log_cleaner_dedupe_buffer_size).unwrap_or(usize::MAX) / threads,
        load_factor: settings.log_cleaner_io_buffer_load_factor,
        write_buffer_bytes: usize::try_from(settings.log_cleaner_io_buffer_size).unwrap_or(0) / threads / 2,
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff) => {}
        }
        let (work, pace, stop) = (Arc::clone(&work), Arc::clone(&throttle), stop.clone());
        let round = tokio::task::spawn_blocking(move || work.clean_all(&mut Cleaner::paced(config, pace), &stop));
        if let Err(failed) = round.await {
            error!(%failed, "compaction failed");
        }
    }
}

/// What the threads share.
#[derive(Debug)]
struct Work {
    replicas: Arc<ReplicaManager>,
    /// The logs that a thread is at.
    busy: Mutex<HashSet<TopicPartition>>,
}

/// A log that is due, which no other thread takes until this is dropped.
struct Task<'a> {
    work: &'a Work,
    key: TopicPartition,
    partition: Arc<Partition>,
    cleanable: Cleanable,
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.work.busy.lock().remove(&self.key);
    }
}

impl Work {
    /// Compacts until no log is due any more, or `stop`.
    fn clean_all(&self, cleaner: &mut Cleaner, stop: &CancellationToken) {
        for volume in self.replicas.volumes().iter().filter(|volume| volume.is_online()) {
            let mut failed = Vec::new();
            while !stop.is_cancelled() {
                let task = match self.dirtiest(volume, &failed) {
                    Ok(Some(task)) => task,
                    Ok(None) => break,
                    Err(error) => {
                        error!(directory = %volume.dir.path().display(), %error, "logs not compacted");
                        break;
                    }
                };
                match task.clean(cleaner) {
                    Ok(true) => {}
                    Ok(false) => failed.push(task.key.clone()),
                    Err(error) => {
                        error!(partition = %task.key, %error, "log not compacted");
                        failed.push(task.key.clone());
                    }
                }
            }
        }
    }

    fn dirtiest<'a>(&'a self, volume: &'a Volume, failed: &[TopicPartition]) -> Result<Option<Task<'a>>, LogError> {
        let mut busy = self.busy.lock();
        let cleaned = volume.dir.cleaner_offsets()?;
        let compacted = self.replicas.all().into_iter().filter(|partition| {
            let log = partition.log();
            log.config().compact && !log.is_offline() && log.folder().parent() == Some(volume.dir.path())
        });
        let due = compacted.filter_map(|partition| {
            let key = TopicPartition::new(&**partition.topic(), partition.index());
            if failed.contains(&key) || busy.contains(&key) {
                return None;
            }
            let cleanable = partition.log().cleanable(cleaned.get(&key).copied(), now_ms()).ok()?;
            let due = cleanable.is_due(partition.log().config().min_cleanable_dirty_ratio);
            due.then_some((key, partition, cleanable))
        });
        let dirtiest = due.max_by(|(.., one), (.., other)| one.dirty_ratio().total_cmp(&other.dirty_ratio()));
        Ok(dirtiest.map(|(key, partition, cleanable)| {
            busy.insert(key.clone());
            Task { work: self, key, partition, cleanable }
        }))
    }
}

impl Task<'_> {
    /// One round; false if the log changed meanwhile and is to be left for the next time.
    fn clean(&self, cleaner: &mut Cleaner) -> Result<bool, LogError> {
        let report = cleaner.clean(self.partition.log(), &self.cleanable, now_ms())?;
        debug!(partition = %self.key, ?report, "log compacted");
        self.work.replicas.note_cleaned(&self.partition, report.cleaned_to)?;
        Ok(!report.interrupted)
    }
}

/// `log.cleaner.io.max.bytes.per.second`, for all threads together.
#[derive(Debug)]
struct Throttle {
    account: Mutex<Account>,
    changed: Condvar,
}

#[derive(Debug)]
struct Account {
    bytes_per_second: f64,
    /// When what was spent is paid for.
    paid: Instant,
    /// How often the limit was changed.
    changes: u64,
}

impl Throttle {
    fn new(bytes_per_second: f64) -> Self {
        let account = Account { bytes_per_second, paid: Instant::now(), changes: 0 };
        Self { account: Mutex::new(account), changed: Condvar::new() }
    }

    /// Changes the limit. Who waits need not any more: what was spent before is forgiven.
    fn limit(&self, bytes_per_second: f64) {
        let mut account = self.account.lock();
        *account = Account { bytes_per_second, paid: Instant::now(), changes: account.changes + 1 };
        self.changed.notify_all();
    }
}

impl Pace for Throttle {
    fn spend(&self, bytes: usize) {
        let mut account = self.account.lock();
        let Ok(cost) = Duration::try_from_secs_f64(bytes as f64 / account.bytes_per_second) else { return };
        if cost.is_zero() {
            return;
        }
        let (until, changes) = (account.paid.max(Instant::now()) + cost, account.changes);
        account.paid = until;
        while account.changes == changes && !self.changed.wait_until(&mut account, until).timed_out() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time_in_all_threads_together() {
        let throttle = Throttle::new(1_000_000.0);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| throttle.spend(10_000)));
            }
        });
        assert!(start.elapsed() >= Duration::from_millis(190), "200 kB at 1 MB/s took {:?}", start.elapsed());
    }

    #[test]
    fn nobody_waits_without_a_limit_or_once_it_is_lifted() {
        Throttle::new(f64::MAX).spend(usize::MAX);
        let throttle = Throttle::new(0.001);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| throttle.spend(1_000_000));
            while throttle.account.lock().paid < Instant::now() + Duration::from_secs(1_000) {
                std::thread::yield_now();
            }
            throttle.limit(f64::INFINITY);
            waiting.join().unwrap();
        });
    }
}
