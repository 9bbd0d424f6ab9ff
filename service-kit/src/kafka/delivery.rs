//! Carrying out a plan: the one place where at-least-once and transactional delivery differ.

use std::collections::HashSet;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::Failure;
use crate::kafka::config::Delivery;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;
use crate::kafka::plan::{Plan, Poisoned, dead_letter};
use crate::kafka::producer::{AckReceiver, SendError, enqueue};
use crate::kafka::record::{Output, Record};
use crate::kafka::session::{Ended, Session, Stop};

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
    group: String,
    delivery: Delivery,
    session: Session,
    /// Records that become dead letters when they come again.
    pub(crate) poisoned: Poisoned,
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
        let id = (delivery == Delivery::Transactional).then(|| format!("{group}-{}", kafka.settings().instance));
        let session = Session::open(kafka, group, id, runtime, shutdown)?;
        Ok(Self { group: group.to_owned(), delivery, session, poisoned: Poisoned::new() })
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
        let ended = match result {
            Ok(()) => return Ok(Delivered::Done),
            Err(Stop::Abort(reason) | Stop::Outdated(reason)) => {
                info!(group = self.group, reason, "transaction rolled back; its records are processed again");
                self.session.abort()
            }
            Err(Stop::Reopen(reason)) => self.session.reopen(&reason),
            Err(stop) => Err(stop),
        };
        match ended {
            Ok(()) => Ok(Delivered::RolledBack),
            Err(Stop::Abandoned) => Ok(Delivered::Abandoned),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Abort(reason) | Stop::Outdated(reason) | Stop::Reopen(reason)) => {
                Err(Failure::unavailable(format!("group {} cannot write: {reason}", self.group)))
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
            match enqueue(&self.session.producer, output) {
                Ok(ack) => waiting.push((*index, output, ack)),
                Err(error) => rejected.push((*index, self.session.only_rejected(output, &error)?)),
            }
        }
        for (index, output, ack) in waiting {
            if let Err(error) = self.session.acknowledged(ack)? {
                rejected.push((index, self.session.only_rejected(output, &error)?));
            }
        }
        Ok(rejected)
    }

    fn transaction(&mut self, plan: &Plan, batch: &[Record], consumer: &BaseConsumer<Context>) -> Result<(), Stop> {
        let outputs = plan.outputs.iter().chain(&plan.after).map(|(index, output)| (*index, output));
        match self.session.transaction(outputs, &offsets(plan), consumer.group_metadata().as_ref()) {
            Ok(_) => Ok(()),
            Err(Ended::Rejected(index, rejected)) => {
                self.poison(batch, index, &rejected);
                Err(Stop::Abort(rejected.to_string()))
            }
            Err(Ended::Stop(stop)) => Err(stop),
        }
    }

    fn poison(&mut self, batch: &[Record], index: usize, error: &SendError) {
        if let Some(record) = batch.get(index) {
            self.poisoned.insert((record.place.clone(), record.offset), error.to_string());
        }
    }
}

fn offsets(plan: &Plan) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(plan.offsets.len());
    for (place, offset) in &plan.offsets {
        // Fails only for an offset below the logical ones, which no record has.
        let _ = list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*offset));
    }
    list
}
