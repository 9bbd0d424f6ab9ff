//! Carrying out a plan: the one place where at-least-once and transactional delivery differ.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::failure::Failure;
use crate::kafka::config::Delivery;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;
use crate::kafka::plan::{Plan, Poisoned, dead_letter};
use crate::kafka::producer::{AckReceiver, SendError, enqueue, send_error};
use crate::kafka::record::{Output, Record};

/// How long a batch may still wait for a broker that is down after the service was told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Longest single wait, so that a shutdown is noticed.
const STEP: Duration = Duration::from_millis(100);
/// Longest wait for one request of a transaction; it is asked again afterwards.
const TRANSACTION_STEP: Duration = Duration::from_secs(2);

/// What came of a batch.
pub(crate) enum Delivered {
    /// Outputs and offsets are with the broker.
    Done,
    /// Nothing of it is visible; it is to be processed again.
    RolledBack,
    /// The service is to stop and the broker is out of reach: what was not committed is read again next time.
    Abandoned,
}

/// Writes outputs and commits offsets.
pub(crate) struct Writer {
    kafka: Kafka,
    group: String,
    delivery: Delivery,
    producer: ThreadedProducer<Context>,
    runtime: Runtime,
    shutdown: CancellationToken,
    told_to_stop: Option<Instant>,
    /// Records that become dead letters when they come again.
    pub(crate) poisoned: Poisoned,
}

/// How an attempt to write ended early.
enum Stop {
    Abandoned,
    /// The transaction is to be aborted.
    Abort(String),
    /// The producer is of no use any more.
    Reopen(String),
    Failed(Failure),
}

impl From<SendError> for Stop {
    fn from(error: SendError) -> Self {
        Self::Failed(error.into())
    }
}

impl Writer {
    /// Opens the producer. With transactions this ends whatever an earlier process of the same name left open.
    pub(crate) fn open(
        kafka: &Kafka,
        group: &str,
        delivery: Delivery,
        runtime: Runtime,
        shutdown: &CancellationToken,
    ) -> Result<Self, Failure> {
        let mut writer = Self {
            producer: kafka.open_producer(transactional_id(kafka, group, delivery).as_deref())?,
            kafka: kafka.clone(),
            group: group.to_owned(),
            delivery,
            runtime,
            shutdown: shutdown.clone(),
            told_to_stop: None,
            poisoned: Poisoned::new(),
        };
        writer.init()?;
        Ok(writer)
    }

    /// Writes a plan's outputs and commits its offsets.
    pub(crate) fn deliver(
        &mut self,
        plan: &mut Plan,
        batch: &[Record],
        consumer: &BaseConsumer<Context>,
    ) -> Result<Delivered, Failure> {
        if plan.offsets.is_empty() && plan.outputs.is_empty() && plan.after.is_empty() {
            return Ok(Delivered::Done);
        }
        let result = match self.delivery {
            Delivery::AtLeastOnce => self.at_least_once(plan, batch, consumer),
            Delivery::Transactional => self.transaction(plan, batch, consumer),
        };
        match result {
            Ok(()) => Ok(Delivered::Done),
            Err(Stop::Abandoned) => Ok(Delivered::Abandoned),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Abort(reason)) => {
                info!(group = self.group, reason, "transaction rolled back; its records are processed again");
                self.abort()
            }
            Err(Stop::Reopen(reason)) => {
                warn!(group = self.group, reason, "producer replaced; the batch is processed again");
                self.reopen()
            }
        }
    }

    fn at_least_once(
        &mut self,
        plan: &mut Plan,
        batch: &[Record],
        consumer: &BaseConsumer<Context>,
    ) -> Result<(), Stop> {
        let mut rejected = self.write(&plan.outputs)?;
        let dead: HashSet<usize> = rejected.iter().map(|(index, _)| *index).collect();
        let after: Vec<(usize, Output)> = plan.after.drain(..).filter(|(index, _)| !dead.contains(index)).collect();
        rejected.extend(self.write(&after)?);
        if !rejected.is_empty() {
            self.bury(plan, batch, &rejected)?;
        }
        plan.after = after;
        if plan.offsets.is_empty() {
            return Ok(());
        }
        let offsets = offsets(plan);
        let stored = consumer.store_offsets(&offsets);
        stored.and_then(|()| consumer.commit(&offsets, CommitMode::Async)).map_err(|error| {
            Stop::Failed(Failure::unavailable(format!("offsets of group {} are not committed: {error}", self.group)))
        })
    }

    /// Records whose outputs were rejected become dead letters.
    fn bury(&mut self, plan: &mut Plan, batch: &[Record], rejected: &[(usize, SendError)]) -> Result<(), Stop> {
        let mut letters: Vec<(usize, Output)> = Vec::new();
        for (index, error) in rejected {
            let known = letters.iter().any(|(other, _)| other == index);
            if let Some(record) = batch.get(*index).filter(|_| !known) {
                letters.push((*index, dead_letter(&self.group, record, &error.to_string(), 1)));
            }
        }
        if let Some((index, error)) = self.write(&letters)?.into_iter().next() {
            let place = batch.get(index).map(|record| format!("{} at offset {}", record.place, record.offset));
            let place = place.unwrap_or_default();
            return Err(Stop::Failed(Failure::unavailable(format!(
                "{place}: the dead letter is refused too: {error}"
            ))));
        }
        plan.dead += letters.len() as u64;
        plan.outputs.retain(|(index, _)| !letters.iter().any(|(dead, _)| dead == index));
        plan.outputs.extend(letters);
        Ok(())
    }

    /// Writes records and waits for all acknowledgements; gives back those the broker will never take.
    fn write(&mut self, outputs: &[(usize, Output)]) -> Result<Vec<(usize, SendError)>, Stop> {
        let mut rejected = Vec::new();
        let mut waiting: Vec<(usize, &Output, AckReceiver)> = Vec::with_capacity(outputs.len());
        for (index, output) in outputs {
            match enqueue(&self.producer, output) {
                Ok(ack) => waiting.push((*index, output, ack)),
                Err(error) => rejected.push((*index, self.only_rejected(output, &error)?)),
            }
        }
        for (index, output, ack) in waiting {
            if let Err(error) = self.acknowledged(ack)? {
                rejected.push((index, self.only_rejected(output, &error)?));
            }
        }
        Ok(rejected)
    }

    /// Waits for an acknowledgement. (Not by `flush`, which looks for acknowledgements ten times a second.)
    fn acknowledged(&mut self, mut ack: AckReceiver) -> Result<Result<Offset, KafkaError>, Stop> {
        loop {
            match self.runtime.block_on(async { tokio::time::timeout(STEP, &mut ack).await }) {
                Ok(result) => return Ok(result.unwrap_or(Err(KafkaError::Canceled))),
                Err(_) => self.patience()?,
            }
        }
    }

    /// Sorts out a failed write: what concerns this record alone is given back, the rest stops the batch.
    fn only_rejected(&self, output: &Output, error: &KafkaError) -> Result<SendError, Stop> {
        if let Some((_, reason)) = self.producer.client().fatal_error() {
            return Err(Stop::Reopen(reason));
        }
        match send_error(output, error) {
            rejected @ SendError::Rejected { .. } => Ok(rejected),
            unwritable => Err(unwritable.into()),
        }
    }

    fn transaction(&mut self, plan: &Plan, batch: &[Record], consumer: &BaseConsumer<Context>) -> Result<(), Stop> {
        self.step(|producer| producer.begin_transaction())?;
        let mut waiting: Vec<(usize, &Output, AckReceiver)> = Vec::new();
        for (index, output) in plan.outputs.iter().chain(&plan.after) {
            match enqueue(&self.producer, output) {
                Ok(ack) => waiting.push((*index, output, ack)),
                Err(error) => {
                    let rejected = self.only_rejected(output, &error)?;
                    self.poison(batch, *index, &rejected);
                    return Err(Stop::Abort(rejected.to_string()));
                }
            }
        }
        // Before the offsets: once the group's next owner of a partition sees that they are decided, so is all that was
        // written with them, and it stands below the end of its topic.
        for (index, output, ack) in waiting {
            if let Err(error) = self.acknowledged(ack)? {
                return Err(self.unacknowledged(batch, index, output, &error));
            }
        }
        let Some(member) = consumer.group_metadata() else {
            return Err(Stop::Abort("the consumer is in no group".to_owned()));
        };
        let offsets = offsets(plan);
        self.step(|producer| producer.send_offsets_to_transaction(&offsets, &member, TRANSACTION_STEP))?;
        self.step(|producer| producer.commit_transaction(TRANSACTION_STEP))
    }

    /// What a record that was not written means for its transaction.
    fn unacknowledged(&mut self, batch: &[Record], index: usize, output: &Output, error: &KafkaError) -> Stop {
        if let Some((_, reason)) = self.producer.client().fatal_error() {
            return Stop::Reopen(reason);
        }
        match send_error(output, error) {
            rejected @ SendError::Rejected { .. } => {
                self.poison(batch, index, &rejected);
                Stop::Abort(rejected.to_string())
            }
            forbidden @ SendError::Unwritable { forbidden: true, .. } => forbidden.into(),
            unwritten => Stop::Abort(unwritten.to_string()),
        }
    }

    fn poison(&mut self, batch: &[Record], index: usize, error: &SendError) {
        if let Some(record) = batch.get(index) {
            self.poisoned.insert((record.place.clone(), record.offset), error.to_string());
        }
    }

    /// One request of a transaction, asked until it is answered.
    fn step(&mut self, mut ask: impl FnMut(&ThreadedProducer<Context>) -> KafkaResult<()>) -> Result<(), Stop> {
        loop {
            match ask(&self.producer) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => self.patience()?,
                Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                    return Err(Stop::Abort(error.string()));
                }
                Err(KafkaError::Transaction(error)) if error.is_fatal() => return Err(Stop::Reopen(error.string())),
                Err(error) => return Err(Stop::Abort(error.to_string())),
            }
        }
    }

    fn abort(&mut self) -> Result<Delivered, Failure> {
        match self.step(|producer| producer.abort_transaction(TRANSACTION_STEP)) {
            Ok(()) => Ok(Delivered::RolledBack),
            Err(Stop::Abandoned) => Ok(Delivered::Abandoned),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Abort(reason) | Stop::Reopen(reason)) => {
                warn!(group = self.group, reason, "producer replaced");
                self.reopen()
            }
        }
    }

    fn reopen(&mut self) -> Result<Delivered, Failure> {
        self.producer =
            self.kafka.open_producer(transactional_id(&self.kafka, &self.group, self.delivery).as_deref())?;
        self.init()?;
        Ok(Delivered::RolledBack)
    }

    fn init(&mut self) -> Result<(), Failure> {
        if self.delivery == Delivery::AtLeastOnce {
            return Ok(());
        }
        match self.step(|producer| producer.init_transactions(TRANSACTION_STEP)) {
            Ok(()) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Abandoned) => Err(Failure::stopped("stopped while waiting for the transaction coordinator")),
            Err(Stop::Abort(reason) | Stop::Reopen(reason)) => {
                Err(Failure::unavailable(format!("transactions of group {} cannot begin: {reason}", self.group)))
            }
        }
    }

    /// Goes on waiting, unless the service was told to stop a while ago.
    fn patience(&mut self) -> Result<(), Stop> {
        if let Some((code, reason)) = self.producer.client().fatal_error()
            && code != RDKafkaErrorCode::NoError
        {
            return Err(Stop::Reopen(reason));
        }
        if self.shutdown.is_cancelled() {
            let told = *self.told_to_stop.get_or_insert_with(Instant::now);
            if told.elapsed() > GRACE {
                warn!(group = self.group, "the broker is out of reach; the last records will be read again");
                return Err(Stop::Abandoned);
            }
        }
        Ok(())
    }
}

fn transactional_id(kafka: &Kafka, group: &str, delivery: Delivery) -> Option<String> {
    (delivery == Delivery::Transactional).then(|| format!("{group}-{}", kafka.settings().instance))
}

fn offsets(plan: &Plan) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(plan.offsets.len());
    for (place, offset) in &plan.offsets {
        // Fails only for an offset below the logical ones, which no record has.
        let _ = list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*offset));
    }
    list
}
