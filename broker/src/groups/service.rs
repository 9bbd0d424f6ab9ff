//! The shell: locks, the log, timers and parked requests around the [`Shard`]s.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::codec;
use super::log::{Durability, LogEntry, OffsetsLog};
use super::record::Name;
use super::request::{JoinReply, SyncReply};
use super::shard::{Answer, AppendError, Effects, MemberIds, Shard, Then, Waiter};
use super::time::{Deadline, Now};
use super::topics::{Topics, TopicsImage};
use super::{GroupConfig, GroupError, GroupOverrides, partition_for};

/// Records that need not be written together go in batches of about this many bytes.
const SPLIT_BYTES: usize = 512 * 1024;

/// The group coordinator. Clones share everything.
#[derive(Clone)]
pub struct GroupCoordinator {
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<GroupConfig>,
    log: Arc<dyn OffsetsLog>,
    /// What new shards begin with.
    surroundings: RwLock<Surroundings>,
    slots: RwLock<Vec<Arc<Slot>>>,
    deadlines: Mutex<BTreeSet<(Deadline, i32)>>,
    earlier_deadline: Notify,
    started: Instant,
    waiters: AtomicU64,
}

/// What shards know of the rest of the broker.
struct Surroundings {
    topics: Arc<dyn Topics>,
    overrides: HashMap<Name, GroupOverrides>,
}

/// One partition of `__consumer_offsets`.
struct Slot {
    partition: i32,
    phase: Mutex<Phase>,
}

enum Phase {
    /// Not led here.
    Absent,
    /// Being read. Transactions that end meanwhile are kept for when it is.
    Loading { ended: Vec<(i64, bool)> },
    /// In service.
    Active(Box<Active>),
}

struct Active {
    shard: Shard,
    parked: HashMap<Waiter, Parked>,
    /// The deadline the timer task knows of.
    armed: Option<Deadline>,
}

/// The other end of a parked request.
pub(super) enum Parked {
    Join(oneshot::Sender<JoinReply>),
    Sync(oneshot::Sender<SyncReply>),
}

/// Random member ids.
#[derive(Debug)]
struct RandomIds;

impl MemberIds for RandomIds {
    fn next(&mut self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// A partition of `__consumer_offsets` could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError<E> {
    /// The log could not be read.
    #[error("cannot read __consumer_offsets-{partition}: {source}")]
    Read {
        /// The partition.
        partition: i32,
        /// What the log said.
        source: E,
    },
    /// The topic has fewer partitions than that.
    #[error("__consumer_offsets has no partition {partition}: call set_partitions first")]
    NoPartition {
        /// The partition.
        partition: i32,
    },
}

/// What a step under the lock leaves to do outside of it.
struct Outcome<R> {
    result: R,
    answers: Vec<(Parked, Answer)>,
    appended_to: Option<i64>,
    /// Whether what the request itself wanted written is in the log.
    written: Result<(), AppendError>,
}

impl fmt::Debug for GroupCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCoordinator").field("partitions", &self.partitions()).finish_non_exhaustive()
    }
}

impl GroupCoordinator {
    /// A coordinator that leads no partition yet. `partitions` is the number of partitions that `__consumer_offsets`
    /// has, or will have (`offsets.topic.num.partitions`).
    pub fn new(config: GroupConfig, partitions: i32, log: Arc<dyn OffsetsLog>) -> Self {
        let inner = Inner {
            config: Arc::new(config),
            log,
            surroundings: RwLock::new(Surroundings {
                topics: Arc::new(TopicsImage::default()),
                overrides: HashMap::new(),
            }),
            slots: RwLock::default(),
            deadlines: Mutex::default(),
            earlier_deadline: Notify::new(),
            started: Instant::now(),
            waiters: AtomicU64::new(0),
        };
        let coordinator = Self { inner: Arc::new(inner) };
        coordinator.set_partitions(partitions);
        coordinator
    }

    /// The number of partitions changes: the topic was created with another number than the setting's. Groups that
    /// move to another partition by that are not moved; Kafka forbids it for a topic that is in use.
    pub fn set_partitions(&self, partitions: i32) {
        let mut slots = self.inner.slots.write();
        slots.truncate(usize::try_from(partitions).unwrap_or(0));
        let known = i32::try_from(slots.len()).unwrap_or(i32::MAX);
        slots.extend(
            (known..partitions).map(|partition| Arc::new(Slot { partition, phase: Mutex::new(Phase::Absent) })),
        );
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> i32 {
        i32::try_from(self.inner.slots.read().len()).unwrap_or(i32::MAX)
    }

    /// The partition of `__consumer_offsets` that a group lives in.
    pub fn partition_of(&self, group_id: &str) -> i32 {
        partition_for(group_id, self.partitions().max(1))
    }

    /// The settings.
    pub fn config(&self) -> &GroupConfig {
        &self.inner.config
    }

    /// Takes a partition into service: replays what is in its log (nothing, when it was just created). Blocks on the
    /// iterator; requests meanwhile get `COORDINATOR_LOAD_IN_PROGRESS`. A record that is damaged is logged and passed
    /// over, as Kafka does.
    ///
    /// # Errors
    /// [`LoadError`]; the partition is then not in service.
    pub fn load<E>(
        &self,
        partition: i32,
        entries: impl IntoIterator<Item = Result<LogEntry, E>>,
    ) -> Result<(), LoadError<E>> {
        let slot = self.slot(partition).ok_or(LoadError::NoPartition { partition })?;
        *slot.phase.lock() = Phase::Loading { ended: Vec::new() };
        let mut shard = Shard::new(Arc::clone(&self.inner.config), Box::new(RandomIds));
        for entry in entries {
            match entry {
                Ok(entry) => replay(&mut shard, partition, entry),
                Err(source) => {
                    *slot.phase.lock() = Phase::Absent;
                    return Err(LoadError::Read { partition, source });
                }
            }
        }
        let mut phase = slot.phase.lock();
        if let Phase::Loading { ended } = &*phase {
            for (producer_id, commit) in ended {
                shard.replay_marker(*producer_id, *commit);
            }
        }
        {
            let surroundings = self.inner.surroundings.read();
            shard.topics_changed(Arc::clone(&surroundings.topics), &[], true);
            for (group, overrides) in &surroundings.overrides {
                shard.set_overrides(group.clone(), *overrides);
            }
        }
        info!(partition, groups = shard.group_count(), "group partition loaded");
        *phase = Phase::Active(Box::new(Active { shard, parked: HashMap::new(), armed: None }));
        drop(phase);
        // Starting the timers may already write: a group over its maximum size rebalances.
        if let Ok(outcome) = self.step(&slot, |shard, now, fx| shard.loaded(now, fx)) {
            self.finish_later(&slot, outcome);
        }
        Ok(())
    }

    /// Takes a partition out of service: its groups are answered `NOT_COORDINATOR`.
    pub fn unload(&self, partition: i32) {
        let Some(slot) = self.slot(partition) else { return };
        let answers = {
            let mut phase = slot.phase.lock();
            let Phase::Active(mut active) = std::mem::replace(&mut *phase, Phase::Absent) else { return };
            let mut fx = Effects::default();
            active.shard.unload(&mut fx);
            take_parked(&mut active.parked, fx.answers)
        };
        deliver(answers);
    }

    /// A transaction marker was written to the partition: what the transaction committed there counts, or is gone.
    /// Call it after the marker's append, for every marker in `__consumer_offsets`.
    pub fn transaction_ended(&self, partition: i32, producer_id: i64, commit: bool) {
        let Some(slot) = self.slot(partition) else { return };
        match &mut *slot.phase.lock() {
            Phase::Active(active) => active.shard.replay_marker(producer_id, commit),
            Phase::Loading { ended } => ended.push((producer_id, commit)),
            Phase::Absent => {}
        }
    }

    /// The broker's topics have changed: `changed` are those that came, went or grew, and `created` says whether one
    /// came. Consumer groups that read them are assigned anew with the next heartbeat of a member. Call it once at the
    /// start too.
    pub fn topics_changed(&self, topics: &Arc<dyn Topics>, changed: &[Name], created: bool) {
        self.inner.surroundings.write().topics = Arc::clone(topics);
        for slot in self.slots() {
            if let Phase::Active(active) = &mut *slot.phase.lock() {
                active.shard.topics_changed(Arc::clone(topics), changed, created);
            }
        }
    }

    /// The settings of one group are these now; the defaults when they were deleted.
    pub fn group_config_changed(&self, group_id: &Name, overrides: GroupOverrides) {
        {
            let mut surroundings = self.inner.surroundings.write();
            surroundings.overrides.insert(group_id.clone(), overrides);
            surroundings.overrides.retain(|_, overrides| *overrides != GroupOverrides::default());
        }
        let Some(slot) = self.slot(self.partition_of(group_id)) else { return };
        if let Phase::Active(active) = &mut *slot.phase.lock() {
            active.shard.set_overrides(group_id.clone(), overrides);
        }
    }

    /// Runs the timers until `stop`, then takes every partition out of service. Spawn it once.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let earlier = self.inner.earlier_deadline.notified();
            let next = self.fire_due();
            let sleep = async {
                match next {
                    Some(deadline) => {
                        tokio::time::sleep_until(self.inner.started + Duration::from_millis(deadline)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = earlier => {}
                () = sleep => {}
            }
        }
        for partition in 0..self.partitions() {
            self.unload(partition);
        }
    }

    /// Fires what is due and returns the next deadline.
    fn fire_due(&self) -> Option<Deadline> {
        loop {
            let now = self.now();
            let partition = {
                let mut deadlines = self.inner.deadlines.lock();
                let &(deadline, partition) = deadlines.first()?;
                if deadline > now.ticks {
                    return Some(deadline);
                }
                deadlines.pop_first();
                partition
            };
            let Some(slot) = self.slot(partition) else { continue };
            if let Phase::Active(active) = &mut *slot.phase.lock() {
                active.armed = None;
            }
            if let Ok(outcome) = self.step(&slot, |_, _, _| {}) {
                self.finish_later(&slot, outcome);
            }
        }
    }

    fn now(&self) -> Now {
        let ticks = u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { ticks, unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX) }
    }

    fn slot(&self, partition: i32) -> Option<Arc<Slot>> {
        self.inner.slots.read().get(usize::try_from(partition).ok()?).cloned()
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        self.inner.slots.read().clone()
    }

    pub(super) fn every_partition(&self) -> impl Iterator<Item = i32> + use<> {
        0..self.partitions()
    }

    /// Looks at the shard of a partition without changing it.
    pub(super) fn look<R>(&self, partition: i32, read: impl FnOnce(&Shard) -> R) -> Result<R, GroupError> {
        let slot = self.slot(partition).ok_or(GroupError::CoordinatorNotAvailable)?;
        match &*slot.phase.lock() {
            Phase::Active(active) => Ok(read(&active.shard)),
            Phase::Loading { .. } => Err(GroupError::CoordinatorLoadInProgress),
            Phase::Absent => Err(GroupError::NotCoordinator),
        }
    }

    /// Runs one request on the shard of a partition, and waits until what it wrote is safe.
    pub(super) async fn act<R>(
        &self,
        partition: i32,
        request: impl FnOnce(&mut Shard, Now, &mut Effects) -> R,
    ) -> Result<R, GroupError> {
        let slot = self.slot(partition).ok_or(GroupError::CoordinatorNotAvailable)?;
        let Outcome { result, answers, appended_to, written } = self.step(&slot, request)?;
        let safe = match self.durability(&slot, appended_to) {
            Some(durability) => self.in_time(durability).await,
            None => Ok(()),
        };
        deliver(answers);
        safe?;
        written.map_err(|error| GroupError::from(&error))?;
        Ok(result)
    }

    /// Runs one request that may be answered later: by the shard, over a channel that `park` makes the sender of. When
    /// something could not be written, the shard answers that.
    pub(super) fn park<T>(
        &self,
        group_id: &Name,
        park: impl FnOnce(oneshot::Sender<T>) -> Parked,
        request: impl FnOnce(&mut Shard, Now, Waiter, &mut Effects),
    ) -> Result<oneshot::Receiver<T>, GroupError> {
        let slot = self.slot(self.partition_of(group_id)).ok_or(GroupError::CoordinatorNotAvailable)?;
        let (sender, receiver) = oneshot::channel();
        let waiter = Waiter(self.inner.waiters.fetch_add(1, Ordering::Relaxed));
        let parked = park(sender);
        let outcome = self.step_with(&slot, |active, now, fx| {
            active.parked.insert(waiter, parked);
            request(&mut active.shard, now, waiter, fx);
        })?;
        self.finish_later(&slot, outcome);
        Ok(receiver)
    }

    fn step<R>(
        &self,
        slot: &Slot,
        request: impl FnOnce(&mut Shard, Now, &mut Effects) -> R,
    ) -> Result<Outcome<R>, GroupError> {
        self.step_with(slot, |active, now, fx| request(&mut active.shard, now, fx))
    }

    /// One request, then whatever is due by now, with everything they write appended before the lock is given back.
    fn step_with<R>(
        &self,
        slot: &Slot,
        request: impl FnOnce(&mut Active, Now, &mut Effects) -> R,
    ) -> Result<Outcome<R>, GroupError> {
        let mut phase = slot.phase.lock();
        let active = match &mut *phase {
            Phase::Active(active) => active,
            Phase::Loading { .. } => return Err(GroupError::CoordinatorLoadInProgress),
            Phase::Absent => return Err(GroupError::NotCoordinator),
        };
        let now = self.now();
        let mut fx = Effects::default();
        let result = request(active, now, &mut fx);
        let mut appended_to = None;
        let written = self.write(slot.partition, &mut active.shard, now, &mut fx, &mut appended_to);
        while active.shard.fire(now, &mut fx) {
            // A timer's failure to write is the shard's to deal with: nobody asked.
            let _ = self.write(slot.partition, &mut active.shard, now, &mut fx, &mut appended_to);
        }
        let answers = take_parked(&mut active.parked, std::mem::take(&mut fx.answers));
        self.arm(slot.partition, active);
        Ok(Outcome { result, answers, appended_to, written })
    }

    /// Appends what a step wants written, and what comes of that, until nothing is left.
    fn write(
        &self,
        partition: i32,
        shard: &mut Shard,
        now: Now,
        fx: &mut Effects,
        appended_to: &mut Option<i64>,
    ) -> Result<(), AppendError> {
        let mut first_error = None;
        while !fx.records.is_empty() {
            let mut records = std::mem::take(&mut fx.records);
            let then = std::mem::take(&mut fx.then);
            let producer = fx.producer.take();
            let rest = if std::mem::take(&mut fx.splittable) { split(&mut records) } else { Vec::new() };
            let encoded: Result<Vec<_>, _> = records.iter().map(codec::encode).collect();
            // A text that no length prefix can express is too large too.
            let appended = match encoded {
                Ok(encoded) => self.inner.log.append(partition, producer, encoded),
                Err(_) => Err(AppendError::TooLarge),
            };
            match appended {
                Ok(base_offset) => {
                    let end = base_offset + i64::try_from(records.len()).unwrap_or(0);
                    *appended_to = Some(end);
                    shard.appended(now, then, records, producer, base_offset, fx);
                    if !rest.is_empty() {
                        fx.records = rest;
                        fx.splittable = true;
                        fx.then = Then::Replay;
                    }
                }
                Err(error) => {
                    shard.append_failed(now, then, &error, fx);
                    first_error.get_or_insert(error);
                }
            }
        }
        fx.then = Then::Nothing;
        first_error.map_or(Ok(()), Err)
    }

    /// Makes sure the timer task wakes up for the shard's next deadline.
    fn arm(&self, partition: i32, active: &mut Active) {
        let Some(next) = active.shard.next_deadline() else { return };
        if active.armed.is_some_and(|armed| armed <= next) {
            return;
        }
        let is_first = {
            let mut deadlines = self.inner.deadlines.lock();
            if let Some(armed) = active.armed {
                deadlines.remove(&(armed, partition));
            }
            deadlines.insert((next, partition));
            deadlines.first() == Some(&(next, partition))
        };
        active.armed = Some(next);
        if is_first {
            self.inner.earlier_deadline.notify_one();
        }
    }

    fn durability(&self, slot: &Slot, appended_to: Option<i64>) -> Option<Durability> {
        appended_to.and_then(|offset| self.inner.log.durability(slot.partition, offset))
    }

    /// Waits until what was written is safe, for `offsets.commit.timeout.ms` at most: it may become safe later.
    async fn in_time(&self, durability: Durability) -> Result<(), GroupError> {
        let limit = Duration::from_millis(u64::try_from(self.inner.config.commit_timeout_ms).unwrap_or(0));
        match tokio::time::timeout(limit, durability).await {
            Ok(safe) => safe.map_err(|error| GroupError::from(&error)),
            Err(_) => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    /// Sends answers once what was written is safe, without keeping the caller.
    fn finish_later<R>(&self, slot: &Slot, outcome: Outcome<R>) {
        let answers = outcome.answers;
        match self.durability(slot, outcome.appended_to) {
            None => deliver(answers),
            Some(durability) => {
                let partition = slot.partition;
                tokio::spawn(async move {
                    match durability.await {
                        Ok(()) => deliver(answers),
                        // The senders are dropped: the requests answer that the coordinator is not available.
                        Err(error) => error!(partition, %error, "group records not made durable"),
                    }
                });
            }
        }
    }
}

fn replay(shard: &mut Shard, partition: i32, entry: LogEntry) {
    match entry {
        LogEntry::Record { offset, producer_id, key, value } => match codec::decode(&key, value.as_deref()) {
            Ok(Some(record)) => shard.replay(offset, producer_id, record),
            Ok(None) => {}
            Err(error) => error!(partition, offset, %error, "record of __consumer_offsets passed over"),
        },
        LogEntry::Marker { producer_id, commit } => shard.replay_marker(producer_id, commit),
    }
}

/// Takes away all but the first of the records, by size.
fn split(records: &mut Vec<super::record::GroupRecord>) -> Vec<super::record::GroupRecord> {
    let mut bytes = 0;
    let mut fits = |record: &super::record::GroupRecord| {
        let encoded = codec::encode(record).ok();
        bytes += encoded.map_or(0, |encoded| 32 + encoded.key.len() + encoded.value.map_or(0, |value| value.len()));
        bytes <= SPLIT_BYTES
    };
    let count = records.iter().take_while(|record| fits(record)).count().max(1);
    records.split_off(count)
}

fn take_parked(parked: &mut HashMap<Waiter, Parked>, answers: Vec<Answer>) -> Vec<(Parked, Answer)> {
    let take = |answer: Answer| {
        let waiter = match &answer {
            Answer::Join(waiter, _) | Answer::Sync(waiter, _) => *waiter,
        };
        parked.remove(&waiter).map(|parked| (parked, answer))
    };
    answers.into_iter().filter_map(take).collect()
}

fn deliver(answers: Vec<(Parked, Answer)>) {
    for (parked, answer) in answers {
        // A client that is gone does not want its answer.
        match (parked, answer) {
            (Parked::Join(sender), Answer::Join(_, reply)) => drop(sender.send(reply)),
            (Parked::Sync(sender), Answer::Sync(_, reply)) => drop(sender.send(reply)),
            (Parked::Join(_), Answer::Sync(..)) | (Parked::Sync(_), Answer::Join(..)) => {}
        }
    }
}
