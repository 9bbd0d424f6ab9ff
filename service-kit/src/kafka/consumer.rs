//! The loop: consume, process, produce, commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};
use recipes::{headers, topics};
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::failure::{Exit, Failure};
use crate::handle::{Counter, Gauge, Handle};
use crate::health::Check;
use crate::kafka::config::{Delivery, REQUEST_TIMEOUT};
use crate::kafka::connection::Kafka;
use crate::kafka::context::{Context, Event};
use crate::kafka::delivery::{Delivered, Writer};
use crate::kafka::fence::Fence;
use crate::kafka::plan::{Outcome, Plan};
use crate::kafka::record::{Place, Record};
use crate::kafka::retry::{Retries, Waiting};
use crate::metrics::{BATCH_SECONDS, LAG_RECORDS};

/// Longest wait for a record, after which a shutdown is noticed.
const POLL: Duration = Duration::from_millis(100);

/// Records that are processed and committed together, of one or more partitions, in order within each.
#[derive(Debug, Default)]
pub struct Batch(Vec<Record>);

impl Batch {
    /// A batch of these records, for tests of processors.
    #[must_use]
    pub const fn new(records: Vec<Record>) -> Self {
        Self(records)
    }
}

impl Deref for Batch {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.0
    }
}

/// What a service does with records. Runs on a thread of its own: it may block and use all cores.
pub trait Processor: Send + 'static {
    /// Says for each record, in order, what becomes of it.
    ///
    /// A record may come again: after a crash, after [`Outcome::Retry`] of one before it in its partition, and, with
    /// transactions, after a rollback ([`Processor::assigned`] is called first then).
    fn process(&mut self, batch: &Batch) -> Vec<Outcome>;

    /// These partitions are ours now (or were rolled back): load what is kept about them. Called before the first of
    /// their records.
    ///
    /// # Errors
    /// Whatever makes processing impossible; it ends the service.
    fn assigned(&mut self, _places: &[Place]) -> Result<(), Failure> {
        Ok(())
    }

    /// Asked after every batch, and ten times a second while there is none: whether everything that is held
    /// ([`Outcome::Held`]) is done now, so that its offsets can be committed.
    fn release(&mut self) -> bool {
        false
    }

    /// These partitions are another instance's now: forget what is kept about them.
    fn revoked(&mut self, _places: &[Place]) {}
}

/// A loop to be run; see [`Kafka::consumer`].
pub struct Consumer {
    kafka: Kafka,
    group: String,
    topics: Vec<String>,
    retries: Retries,
    delivery: Delivery,
    batch_records: u64,
    counters: String,
    check: Check,
    fence: Fence,
}

impl Kafka {
    /// A loop over topics as a member of a group.
    #[must_use]
    pub fn consumer(&self, group: &str, topics: &[&str]) -> Consumer {
        let check = self.handle().health().check(format!("group {group}"), "not assigned yet");
        self.begin();
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Consumer {
            kafka: self.clone(),
            group: group.to_owned(),
            topics,
            retries: Retries::default(),
            delivery: self.settings().delivery,
            batch_records: self.settings().batch_records,
            counters: String::new(),
            check,
            fence: Fence::new(),
        }
    }
}

impl Consumer {
    /// How [`Outcome::Retry`] is carried out.
    #[must_use]
    pub const fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// What a crash may do to this loop's work; as the settings have it unless told.
    #[must_use]
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Most records in a batch, 1 or more; as the settings have it unless told.
    #[must_use]
    pub const fn batch_records(mut self, most: u64) -> Self {
        self.batch_records = most;
        self
    }

    /// Counts under names of its own, `alerts_log_consumed` for the group `alerts-log`: the loop is not what the
    /// service is there for.
    #[must_use]
    pub fn aside(mut self) -> Self {
        self.counters = format!("{}_", self.group.replace(['-', '.'], "_"));
        self
    }

    /// The loop's standing in the group, for what is written beside it on behalf of its partitions.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Runs the loop until the token is cancelled; then the batch under way is finished and committed, and the group
    /// left. Topics that are missing are made, `<topic>.dead` of each too.
    ///
    /// # Errors
    /// What the loop cannot go on after: rights are missing (exit code 77), a topic it writes to is gone (69), the
    /// processor gave up.
    pub async fn run(self, processor: impl Processor, shutdown: CancellationToken) -> Result<(), Failure> {
        // Dead letters have none of their own: who reads them gives none up.
        let alive = self.topics.iter().filter(|topic| !topic.ends_with(topics::DEAD_SUFFIX));
        let dead: Vec<String> = alive.map(|topic| topics::dead(topic)).collect();
        let all: Vec<&str> = self.topics.iter().chain(&dead).map(String::as_str).collect();
        self.kafka.ensure_topics(&all).await?;
        let (done, result) = oneshot::channel();
        let group = self.group.clone();
        let runtime = Runtime::current();
        let work = move || {
            let result = Worker::start(self, processor, runtime, shutdown).and_then(Worker::run);
            // The caller may have stopped waiting.
            let _ = done.send(result);
        };
        std::thread::Builder::new()
            .name(group.clone())
            .spawn(work)
            .map_err(|error| Failure::unavailable(format!("no thread for group {group}: {error}")))?;
        result.await.unwrap_or_else(|_| Err(Failure::software(format!("the loop of group {group} panicked"))))
    }
}

struct Worker<P> {
    group: String,
    handle: Handle,
    consumer: BaseConsumer<Context>,
    writer: Writer,
    processor: P,
    shutdown: CancellationToken,
    topics: Vec<Arc<str>>,
    batch_records: usize,
    batch_bytes: usize,
    waiting: Waiting,
    assigned: BTreeSet<Place>,
    joined: bool,
    /// Next offset to process, where anything was processed.
    positions: BTreeMap<Place, i64>,
    /// Next offset behind the last record that was taken, done or not.
    taken: BTreeMap<Place, i64>,
    /// Next offset of the partitions of which something is held.
    held: BTreeMap<Place, i64>,
    fence: Fence,
    check: Check,
    assigned_gauge: Gauge,
    /// Names of the counters of records consumed, produced and given up.
    counters: [String; 3],
    retries: Counter,
}

impl<P: Processor> Worker<P> {
    fn start(options: Consumer, processor: P, runtime: Runtime, shutdown: CancellationToken) -> Result<Self, Failure> {
        let Consumer { kafka, group, topics, retries, delivery, batch_records, counters, check, fence } = options;
        let name = |counter: &str| format!("{counters}{counter}");
        let handle = kafka.handle().clone();
        let config = kafka.settings().member(kafka.service(), &group);
        let consumer: BaseConsumer<Context> =
            config.create_with_context(kafka.context("consumer")).map_err(|error| Kafka::wrong_settings(&error))?;
        // Before joining: with transactions this also ends what a killed predecessor left open.
        let writer = Writer::open(&kafka, &group, delivery, runtime, &shutdown)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| {
            Failure::software(format!("group {group} cannot subscribe to {}: {error}", names.join(", ")))
        })?;
        let settings = kafka.settings();
        Ok(Self {
            consumer,
            writer,
            processor,
            shutdown,
            topics: topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            batch_records: usize::try_from(batch_records).unwrap_or(usize::MAX),
            batch_bytes: usize::try_from(settings.batch_bytes).unwrap_or(usize::MAX),
            waiting: Waiting::new(retries),
            assigned: BTreeSet::new(),
            joined: false,
            positions: BTreeMap::new(),
            taken: BTreeMap::new(),
            held: BTreeMap::new(),
            fence,
            check,
            assigned_gauge: handle.gauge(&name("assigned_partitions")),
            retries: handle.counter(&name("retries")),
            counters: ["consumed", "produced", "dead_letters"].map(name),
            group,
            handle,
        })
    }

    fn run(mut self) -> Result<(), Failure> {
        while !self.shutdown.is_cancelled() {
            self.resume_due()?;
            let batch = self.gather()?;
            self.note_lag();
            if !batch.is_empty() && matches!(self.work(&batch)?, Delivered::Abandoned) {
                return Ok(());
            }
            if self.processor.release() && !self.held.is_empty() && matches!(self.commit_held()?, Delivered::Abandoned)
            {
                return Ok(());
            }
        }
        self.check.fail("shutting down");
        match self.consumer.commit_consumer_state(CommitMode::Sync) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                warn!(group = self.group, %error, "last offsets not committed; their records will be read again");
            }
        }
        debug!(group = self.group, "loop ended");
        Ok(())
    }

    /// Takes what has arrived, up to a batch; waits only for the first record.
    fn gather(&mut self) -> Result<Batch, Failure> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.batch_records && bytes < self.batch_bytes {
            let wait = if batch.is_empty() { self.patience() } else { Duration::ZERO };
            let polled = match self.consumer.poll(wait) {
                None => None,
                Some(Ok(message)) => {
                    let topic = self.topics.iter().find(|topic| ***topic == *message.topic()).cloned();
                    let topic = topic.unwrap_or_else(|| Arc::from(message.topic()));
                    Some(Record::read(&message, Place { topic, partition: message.partition() }))
                }
                Some(Err(error)) => {
                    self.consume_error(&error)?;
                    None
                }
            };
            // Partitions may have come and gone within the poll, before the record it returned.
            let moved = self.apply_events(&mut batch)?;
            let Some(record) = polled else {
                if batch.is_empty() && moved && !self.shutdown.is_cancelled() {
                    continue;
                }
                break;
            };
            bytes += record.size();
            match self.taken.get_mut(&record.place) {
                Some(taken) => *taken = record.offset + 1,
                None => drop(self.taken.insert(record.place.clone(), record.offset + 1)),
            }
            batch.push(record);
        }
        Ok(Batch(batch))
    }

    fn patience(&self) -> Duration {
        let until_due = self.waiting.next_due().map(|due| due.saturating_duration_since(Instant::now()));
        until_due.map_or(POLL, |due| due.min(POLL))
    }

    fn work(&mut self, batch: &Batch) -> Result<Delivered, Failure> {
        let began = Instant::now();
        let mut outcomes = self.process(batch);
        if outcomes.len() != batch.len() {
            let (got, wanted) = (outcomes.len(), batch.len());
            return Err(Failure::software(format!("{}: {got} outcomes for {wanted} records", self.group)));
        }
        for (record, outcome) in batch.iter().zip(&mut outcomes) {
            if let Some(reason) = self.writer.poisoned.remove(&(record.place.clone(), record.offset)) {
                *outcome = Outcome::Dead(reason);
            }
        }
        let mut plan = Plan::of(&self.group, batch, outcomes, &self.held, &mut self.waiting);
        let delivered = self.writer.deliver(&mut plan, batch, &self.consumer)?;
        match delivered {
            Delivered::Done => self.done(&plan)?,
            Delivered::RolledBack => self.roll_back(batch)?,
            Delivered::Abandoned => {}
        }
        let labels = [("service", self.handle.service().to_owned()), ("group", self.group.clone())];
        metrics::histogram!(BATCH_SECONDS, &labels).record(began.elapsed().as_secs_f64());
        Ok(delivered)
    }

    /// What becomes of each record. One that was replayed for another group is none of ours.
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let group = self.group.as_bytes();
        let is_ours = |record: &Record| record.header(headers::REPLAY_GROUP).is_none_or(|wanted| wanted == group);
        if batch.iter().all(is_ours) {
            return self.processor.process(batch);
        }
        let ours = Batch(batch.iter().filter(|record| is_ours(record)).cloned().collect());
        let mut outcomes = self.processor.process(&ours).into_iter();
        batch
            .iter()
            .map_while(|record| if is_ours(record) { outcomes.next() } else { Some(Outcome::nothing()) })
            .collect()
    }

    fn commit_held(&mut self) -> Result<Delivered, Failure> {
        let mut plan = Plan { offsets: std::mem::take(&mut self.held), ..Plan::default() };
        self.writer.deliver(&mut plan, &[], &self.consumer)
    }

    fn done(&mut self, plan: &Plan) -> Result<(), Failure> {
        for (place, offset) in plan.offsets.iter().chain(&plan.held) {
            self.positions.insert(place.clone(), *offset);
            self.fence.moved(place, *offset);
        }
        self.held.extend(plan.held.clone());
        if !plan.rewind.is_empty() {
            self.retries.add(plan.rewind.len() as u64);
            self.seek(&plan.rewind)?;
            self.consumer.pause(&list(plan.rewind.keys())).map_err(|error| self.broken("pause", &error))?;
        }
        let [consumed, produced, dead_letters] = &self.counters;
        let ours = [(&**consumed, plan.done), (produced, plan.written()), (dead_letters, plan.dead)];
        self.handle.add_all(ours.into_iter().chain(plan.counts.iter().map(|(name, count)| (*name, *count))));
        Ok(())
    }

    /// Goes back to where the batch began.
    fn roll_back(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut first: BTreeMap<Place, i64> = BTreeMap::new();
        for record in batch.iter() {
            first.entry(record.place.clone()).or_insert(record.offset);
        }
        self.seek(&first)?;
        let places: Vec<Place> = first.into_keys().collect();
        self.processor.assigned(&places)
    }

    fn resume_due(&mut self) -> Result<(), Failure> {
        let due = self.waiting.due(Instant::now());
        if due.is_empty() {
            return Ok(());
        }
        self.consumer.resume(&list(&due)).map_err(|error| self.broken("resume", &error))
    }

    fn seek(&self, offsets: &BTreeMap<Place, i64>) -> Result<(), Failure> {
        let mut wanted = TopicPartitionList::new();
        for (place, offset) in offsets {
            // Fails only for an offset below the logical ones, which no record has.
            let _ = wanted.add_partition_offset(&place.topic, place.partition, Offset::Offset(*offset));
        }
        let sought =
            self.consumer.seek_partitions(wanted, REQUEST_TIMEOUT).map_err(|error| self.broken("seek", &error))?;
        // Going on would skip the records that were to be read again.
        sought.elements().iter().try_for_each(|element| element.error().map_err(|error| self.broken("seek", &error)))
    }

    fn broken(&self, what: &str, error: &KafkaError) -> Failure {
        Failure::unavailable(format!("group {} cannot {what}: {error}", self.group))
    }

    /// Carries out what rebalances decided; records of partitions that left are dropped from the batch.
    fn apply_events(&mut self, batch: &mut Vec<Record>) -> Result<bool, Failure> {
        let events = self.consumer.context().take_events();
        let moved = !events.is_empty();
        if moved {
            self.note_standing(&events)?;
        }
        for event in events {
            match event {
                Event::Revoked(places) => {
                    batch.retain(|record| !places.contains(&record.place));
                    for place in &places {
                        self.assigned.remove(place);
                        self.positions.remove(place);
                        self.taken.remove(place);
                        self.held.remove(place);
                        self.waiting.forget(place);
                        self.lag_metric(place).set(0.0);
                    }
                    self.processor.revoked(&places);
                }
                Event::Assigned(places) => {
                    self.assigned.extend(places.iter().cloned());
                    self.joined = true;
                    self.handle.set_lag(&self.group, None);
                    self.check.fail("lag not known yet");
                    if !places.is_empty() {
                        self.processor.assigned(&places)?;
                    }
                }
            }
        }
        if moved {
            self.assigned_gauge.set(Some(self.assigned.len() as u64));
            let partitions: Vec<String> = self.assigned.iter().map(ToString::to_string).collect();
            info!(group = self.group, partitions = partitions.join(" "), "assignment changed");
        }
        Ok(moved)
    }

    /// Before anyone is told of a rebalance, so that what is written because of it finds its partitions.
    fn note_standing(&self, events: &[Event]) -> Result<(), Failure> {
        if !self.fence.is_used() {
            return Ok(());
        }
        let (mut places, mut new) = (self.assigned.clone(), BTreeSet::new());
        for event in events {
            match event {
                Event::Revoked(gone) => {
                    places.retain(|place| !gone.contains(place));
                    new.retain(|place| !gone.contains(place));
                }
                Event::Assigned(come) => {
                    places.extend(come.iter().cloned());
                    new.extend(come.iter().cloned());
                }
            }
        }
        let committed = match new.is_empty() {
            true => TopicPartitionList::new(),
            false => self
                .consumer
                .committed_offsets(list(&new), REQUEST_TIMEOUT)
                .map_err(|error| self.broken("read its committed offsets", &error))?,
        };
        let positions = committed.elements().into_iter().filter_map(|element| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some((Place::new(element.topic(), element.partition()), offset))
        });
        self.fence.rebalanced(self.consumer.group_metadata(), &places, positions.collect::<Vec<_>>());
        Ok(())
    }

    /// Lag from the newest statistics: what stands between our position and the end of each partition.
    fn note_lag(&mut self) {
        let Some(ends) = self.consumer.context().new_ends() else { return };
        if !self.joined {
            return;
        }
        let mut total = Some(0);
        for place in &self.assigned {
            let known = ends.get(place).filter(|ends| ends.high >= 0);
            let lag = known.map(|ends| {
                let position = self.positions.get(place).copied().unwrap_or(ends.committed.max(ends.low));
                // At the end there may be marks of transactions, which are no records.
                let through = ends.drained && self.taken.get(place).is_none_or(|taken| position >= *taken);
                if through { 0 } else { u64::try_from(ends.high - position).unwrap_or(0) }
            });
            if let Some(lag) = lag {
                #[expect(clippy::cast_precision_loss, reason = "a metric")]
                self.lag_metric(place).set(lag as f64);
            }
            total = total.zip(lag).map(|(total, lag)| total + lag);
        }
        self.handle.set_lag(&self.group, total);
        match total {
            Some(_) => self.check.pass("assigned, lag known"),
            None => self.check.fail("lag not known yet"),
        }
    }

    fn lag_metric(&self, place: &Place) -> metrics::Gauge {
        let labels = [
            ("service", self.handle.service().to_owned()),
            ("group", self.group.clone()),
            ("topic", place.topic.to_string()),
            ("partition", place.partition.to_string()),
        ];
        metrics::gauge!(LAG_RECORDS, &labels)
    }

    fn consume_error(&self, error: &KafkaError) -> Result<(), Failure> {
        use RDKafkaErrorCode::{
            AllBrokersDown, BrokerTransportFailure, GroupAuthorizationFailed, Resolve, TopicAuthorizationFailed,
        };
        match error {
            KafkaError::MessageConsumptionFatal(code) => {
                Err(Failure::unavailable(format!("group {} cannot go on: {code}", self.group)))
            }
            KafkaError::MessageConsumption(code @ (GroupAuthorizationFailed | TopicAuthorizationFailed)) => {
                Err(Failure::new(Exit::NoPermission, format!("group {} may not read its topics: {code}", self.group)))
            }
            // Said once, where the connection is looked after.
            KafkaError::MessageConsumption(AllBrokersDown | BrokerTransportFailure | Resolve) => Ok(()),
            error => {
                warn!(group = self.group, %error, "reading failed; trying again");
                Ok(())
            }
        }
    }
}

fn list<'a>(places: impl IntoIterator<Item = &'a Place>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for place in places {
        list.add_partition(&place.topic, place.partition);
    }
    list
}
