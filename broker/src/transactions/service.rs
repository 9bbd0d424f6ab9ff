//! The shell: locks, the logs and timers around the [`Shard`]s.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::counter;
use parking_lot::{Mutex, RwLock};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use wire::ErrorCode;

use super::codec;
use super::log::{Durability, LogEntry, MarkerError, Markers, TransactionLog};
use super::metadata::{Name, Transaction};
use super::request::{EndRequest, InitRequest, ListFilter, Listed, Outcome, PartitionsRequest, ProducerIdentity};
use super::shard::{Change, Decision, MarkerJob, Now, Shard};
use crate::groups::partition_for;
use crate::observability::metrics::TRANSACTIONS;

/// The coordinator's settings.
#[derive(Debug, Clone)]
pub struct TransactionConfig {
    /// `transaction.max.timeout.ms`: the longest transaction that a producer may ask for.
    pub max_timeout_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: how often transactions past their time are
    /// looked for.
    pub abort_interval: Duration,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`: how often unused ids are looked for.
    pub expiry_interval: Duration,
    /// `transactional.id.expiration.ms`: how long an unused id is kept.
    pub id_expiration_ms: i64,
}

/// The transaction coordinator. Clones share everything.
#[derive(Clone)]
pub struct TransactionCoordinator {
    inner: Arc<Inner>,
}

struct Inner {
    config: TransactionConfig,
    log: Arc<dyn TransactionLog>,
    markers: Arc<dyn Markers>,
    slots: RwLock<Vec<Arc<Slot>>>,
}

/// One partition of `__transaction_state`.
struct Slot {
    partition: i32,
    phase: Mutex<Phase>,
}

enum Phase {
    /// Not led here.
    Absent,
    /// Being read.
    Loading,
    /// In service.
    Active(Active),
}

struct Active {
    shard: Shard,
    /// Markers that could not be written yet.
    unfinished: Vec<MarkerJob>,
}

/// A partition of `__transaction_state` could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// The log could not be read.
    #[error("cannot read __transaction_state-{partition}: {source}")]
    Read {
        /// The partition.
        partition: i32,
        /// What the log said.
        source: E,
    },
    /// The topic has fewer partitions than that.
    #[error("__transaction_state has no partition {partition}: call set_partitions first")]
    NoPartition {
        /// The partition.
        partition: i32,
    },
}

/// What a step under the lock leaves to do outside of it.
enum Step<T> {
    /// Nothing.
    Done(Outcome<T>),
    /// The record is written, not safe yet: wait, then see to the markers, then answer.
    Wait(Durability, Option<MarkerJob>, Outcome<T>),
    /// Call again with an id.
    NeedsProducerId,
}

impl fmt::Debug for TransactionCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionCoordinator").field("partitions", &self.partitions()).finish_non_exhaustive()
    }
}

impl TransactionCoordinator {
    /// A coordinator that leads no partition yet.
    pub fn new(config: TransactionConfig, log: Arc<dyn TransactionLog>, markers: Arc<dyn Markers>) -> Self {
        Self { inner: Arc::new(Inner { config, log, markers, slots: RwLock::default() }) }
    }

    /// `__transaction_state` has this many partitions; none of those that are new is led here until it is loaded.
    pub fn set_partitions(&self, partitions: i32) {
        let mut slots = self.inner.slots.write();
        let known = i32::try_from(slots.len()).unwrap_or(i32::MAX);
        slots.extend(
            (known..partitions).map(|partition| Arc::new(Slot { partition, phase: Mutex::new(Phase::Absent) })),
        );
    }

    /// Takes a partition into service: replays its log, then finishes the transactions that were decided. The epoch is
    /// the partition's leader epoch.
    ///
    /// # Errors
    /// [`LoadError`]; the partition is not led then.
    pub fn load<E>(
        &self,
        partition: i32,
        coordinator_epoch: i32,
        entries: impl IntoIterator<Item = Result<LogEntry, E>>,
    ) -> Result<(), LoadError<E>> {
        let slot = self.slot(partition).ok_or(LoadError::NoPartition { partition })?;
        *slot.phase.lock() = Phase::Loading;
        let mut shard = Shard::new(coordinator_epoch);
        for entry in entries {
            match entry {
                Ok(entry) => replay(&mut shard, partition, &entry),
                Err(source) => {
                    *slot.phase.lock() = Phase::Absent;
                    return Err(LoadError::Read { partition, source });
                }
            }
        }
        let mut active = Active { unfinished: shard.unfinished(), shard };
        if !active.unfinished.is_empty() {
            info!(partition, transactions = active.unfinished.len(), "ending transactions decided before the start");
        }
        let mut phase = slot.phase.lock();
        self.finish_all(partition, &mut active);
        *phase = Phase::Active(active);
        Ok(())
    }

    /// Looks for what has timed out or expired until `stop`. Spawn it once. `fresh_id` draws a producer id.
    pub async fn run<F: Future<Output = Outcome<i64>>>(self, fresh_id: impl Fn() -> F, stop: CancellationToken) {
        let ticks = |every: Duration| {
            let mut ticks = interval_at(Instant::now() + every, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut aborts = ticks(self.inner.config.abort_interval);
        let mut expiry = ticks(self.inner.config.expiry_interval);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = aborts.tick() => self.abort_late(&fresh_id).await,
                _ = expiry.tick() => self.expire(),
            }
        }
    }

    /// InitProducerId for a transactional id that is not empty. `fresh_id` draws a producer id that nobody had before.
    ///
    /// # Errors
    /// The reply's error.
    pub async fn init_producer_id<F: Future<Output = Outcome<i64>>>(
        &self,
        request: InitRequest,
        fresh_id: impl Fn() -> F,
    ) -> Outcome<ProducerIdentity> {
        if !(1..=self.inner.config.max_timeout_ms).contains(&request.timeout_ms) {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let slot = self.slot_of(&request.id)?;
        self.act(&slot, fresh_id, |shard, now, fresh_id| shard.init_producer_id(now, &request, fresh_id)).await
    }

    /// AddPartitionsToTxn and AddOffsetsToTxn, for partitions that exist.
    ///
    /// # Errors
    /// The error of every partition.
    pub async fn add_partitions(&self, request: PartitionsRequest) -> Outcome<()> {
        let slot = self.slot_of(&request.id)?;
        self.act(&slot, no_fresh_id, |shard, now, _| shard.add_partitions(now, &request)).await
    }

    /// AddPartitionsToTxn that only asks: for each partition, in the order of the request, whether the transaction has
    /// it (`TRANSACTION_ABORTABLE` if not).
    ///
    /// # Errors
    /// The error of every partition.
    pub fn verify_partitions(&self, request: &PartitionsRequest) -> Outcome<Vec<Outcome<()>>> {
        self.look(&request.id, |shard| shard.verify_partitions(request))?
    }

    /// EndTxn. The answer is the producer to go on as.
    ///
    /// # Errors
    /// The reply's error.
    pub async fn end_transaction<F: Future<Output = Outcome<i64>>>(
        &self,
        request: EndRequest,
        fresh_id: impl Fn() -> F,
    ) -> Outcome<ProducerIdentity> {
        let slot = self.slot_of(&request.id)?;
        self.act(&slot, fresh_id, |shard, now, fresh_id| shard.end_transaction(now, &request, fresh_id)).await
    }

    /// DescribeTransactions, for one id.
    ///
    /// # Errors
    /// The id's error.
    pub fn describe(&self, id: &str) -> Outcome<Transaction> {
        self.look(id, |shard| shard.describe(id))?
    }

    /// ListTransactions.
    ///
    /// # Errors
    /// A partition is still loading.
    pub fn list(&self, filter: &ListFilter) -> Outcome<Vec<Listed>> {
        let mut all = Vec::new();
        for slot in self.all_slots() {
            match &*slot.phase.lock() {
                Phase::Active(active) => all.extend(active.shard.list(unix_ms(), filter)),
                Phase::Loading => return Err(ErrorCode::CoordinatorLoadInProgress),
                Phase::Absent => {}
            }
        }
        Ok(all)
    }

    fn partitions(&self) -> i32 {
        i32::try_from(self.inner.slots.read().len()).unwrap_or(i32::MAX)
    }

    fn slot(&self, partition: i32) -> Option<Arc<Slot>> {
        self.inner.slots.read().get(usize::try_from(partition).ok()?).cloned()
    }

    fn all_slots(&self) -> Vec<Arc<Slot>> {
        self.inner.slots.read().clone()
    }

    /// The partition of a transactional id. Without `__transaction_state` nobody coordinates it.
    fn slot_of(&self, id: &str) -> Outcome<Arc<Slot>> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let partitions = self.partitions();
        if partitions == 0 {
            return Err(ErrorCode::NotCoordinator);
        }
        self.slot(partition_for(id, partitions)).ok_or(ErrorCode::NotCoordinator)
    }

    fn look<R>(&self, id: &str, read: impl FnOnce(&Shard) -> R) -> Outcome<R> {
        let slot = self.slot_of(id)?;
        match &*slot.phase.lock() {
            Phase::Active(active) => Ok(read(&active.shard)),
            Phase::Loading => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Absent => Err(ErrorCode::NotCoordinator),
        }
    }

    fn now(&self) -> Now {
        Now { ms: unix_ms(), feature_level: self.inner.log.feature_level() }
    }

    /// Runs one request, draws a producer id for it if it needs one, and waits until what it wrote is safe. What is
    /// left to do then is done even if the caller goes away.
    async fn act<T: Send + 'static, F: Future<Output = Outcome<i64>>>(
        &self,
        slot: &Arc<Slot>,
        fresh_id: impl Fn() -> F,
        decide: impl Fn(&Shard, Now, Option<i64>) -> Decision<T>,
    ) -> Outcome<T> {
        let mut drawn = None;
        loop {
            match self.step(slot, |shard, now| decide(shard, now, drawn))? {
                Step::Done(answer) => return answer,
                Step::NeedsProducerId => drawn = Some(fresh_id().await?),
                Step::Wait(durability, job, answer) => {
                    let (this, slot) = (self.clone(), Arc::clone(slot));
                    let rest = tokio::spawn(async move {
                        durability.await?;
                        this.finish_later(&slot, job);
                        answer
                    });
                    return rest.await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable));
                }
            }
        }
    }

    /// One request with everything it writes, under the partition's lock.
    fn step<T>(&self, slot: &Slot, decide: impl FnOnce(&Shard, Now) -> Decision<T>) -> Outcome<Step<T>> {
        let mut phase = slot.phase.lock();
        let active = match &mut *phase {
            Phase::Active(active) => active,
            Phase::Loading => return Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Absent => return Err(ErrorCode::NotCoordinator),
        };
        let (change, answer) = match decide(&active.shard, self.now()) {
            Decision::Answer(answer) => return Ok(Step::Done(answer)),
            Decision::NeedsProducerId => return Ok(Step::NeedsProducerId),
            Decision::Write(change, answer) => (change, answer),
        };
        let end = self.append(slot.partition, &change)?;
        let job = active.shard.written(change);
        if let Some(durability) = self.inner.log.durability(slot.partition, end) {
            return Ok(Step::Wait(durability, job, answer));
        }
        if let Some(job) = job {
            self.finish(slot.partition, active, job);
        }
        Ok(Step::Done(answer))
    }

    fn append(&self, partition: i32, change: &Change) -> Outcome<i64> {
        let record = codec::encode(&change.id, change.value.as_ref(), self.inner.log.feature_level());
        // An id that no length prefix can express did not come over the wire.
        let record = record.map_err(|_| ErrorCode::UnknownServerError)?;
        self.inner.log.append(partition, record).inspect_err(|code| {
            error!(partition, transactional_id = %change.id, error = code.name(), "transaction record not written");
        })
    }

    fn finish_later(&self, slot: &Slot, job: Option<MarkerJob>) {
        let Some(job) = job else { return };
        if let Phase::Active(active) = &mut *slot.phase.lock() {
            self.finish(slot.partition, active, job);
        }
    }

    /// Writes the markers of a decided transaction and the record that says so. What cannot be written now is kept.
    fn finish(&self, partition: i32, active: &mut Active, mut job: MarkerJob) {
        job.partitions.retain(|target| match self.inner.markers.write(target, &job.marker) {
            Ok(()) => false,
            Err(MarkerError::Gone | MarkerError::Fenced) => {
                debug!(transactional_id = %job.id, topic = %target.0, partition = target.1, "marker not needed");
                false
            }
            Err(MarkerError::Unavailable) => true,
        });
        if !job.partitions.is_empty() {
            warn!(transactional_id = %job.id, partitions = job.partitions.len(), "markers not written; will try again");
            active.unfinished.push(job);
            return;
        }
        let Some(change) = active.shard.markers_written(self.now(), &job) else { return };
        match self.append(partition, &change) {
            Ok(_) => {
                drop(active.shard.written(change));
                let outcome = if job.marker.commit { "commit" } else { "abort" };
                counter!(TRANSACTIONS, "outcome" => outcome).increment(1);
            }
            Err(_) => active.unfinished.push(job),
        }
    }

    fn finish_all(&self, partition: i32, active: &mut Active) {
        for job in std::mem::take(&mut active.unfinished) {
            self.finish(partition, active, job);
        }
    }

    /// Aborts what has been open for too long, and tries again to write markers that could not be written.
    async fn abort_late<F: Future<Output = Outcome<i64>>>(&self, fresh_id: &impl Fn() -> F) {
        for slot in self.all_slots() {
            let late = match &mut *slot.phase.lock() {
                Phase::Active(active) => {
                    self.finish_all(slot.partition, active);
                    active.shard.late(self.now())
                }
                Phase::Loading | Phase::Absent => continue,
            };
            for id in late {
                let abort = |shard: &Shard, now, fresh_id| shard.abort_late(now, &id, fresh_id);
                match self.act(&slot, fresh_id, abort).await {
                    Ok(()) => info!(transactional_id = %id, "transaction aborted: it was open for too long"),
                    Err(code) => warn!(transactional_id = %id, error = code.name(), "late transaction not aborted"),
                }
            }
        }
    }

    fn expire(&self) {
        for slot in self.all_slots() {
            let Phase::Active(active) = &mut *slot.phase.lock() else { continue };
            for change in active.shard.expire(self.now(), self.inner.config.id_expiration_ms) {
                let id = Name::clone(&change.id);
                if self.append(slot.partition, &change).is_ok() {
                    active.shard.written(change);
                    info!(transactional_id = %id, "transactional id forgotten: nobody used it for too long");
                }
            }
        }
    }
}

async fn no_fresh_id() -> Outcome<i64> {
    Err(ErrorCode::UnknownServerError)
}

fn unix_ms() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(unix.as_millis()).unwrap_or(i64::MAX)
}

fn replay(shard: &mut Shard, partition: i32, entry: &LogEntry) {
    match codec::decode(&entry.key, entry.value.as_deref()) {
        Ok((id, value)) => shard.replay(id, value),
        Err(error) => error!(partition, %error, "record of __transaction_state passed over"),
    }
}
