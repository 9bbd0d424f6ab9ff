//! A producer and what its transactions go through: each request asked until it is answered, and what is to follow when
//! one does not work.

use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::failure::Failure;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;
use crate::kafka::producer::{AckReceiver, SendError, enqueue, send_error};
use crate::kafka::record::Output;

/// How long a batch may still wait for a broker that is down after the service was told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Longest single wait, so that a shutdown is noticed.
pub(crate) const STEP: Duration = Duration::from_millis(100);
/// Longest wait for one request of a transaction; it is asked again afterwards.
const TRANSACTION_STEP: Duration = Duration::from_secs(2);

/// How an attempt to write ended early.
pub(crate) enum Stop {
    /// The service is to stop and the broker is out of reach.
    Abandoned,
    /// The transaction is to be aborted.
    Abort(String),
    /// The same, because the group has gone on without the member that the transaction was for.
    Outdated(String),
    /// The producer is of no use any more.
    Reopen(String),
    Failed(Failure),
}

/// How a transaction ended early.
pub(crate) enum Ended {
    /// A record of the group with this number will never be taken.
    Rejected(usize, SendError),
    Stop(Stop),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<SendError> for Stop {
    fn from(error: SendError) -> Self {
        Self::Failed(error.into())
    }
}

/// A producer that can be replaced.
pub(crate) struct Session {
    kafka: Kafka,
    /// Who writes, in logs: a group.
    name: String,
    transactional_id: Option<String>,
    pub(crate) producer: ThreadedProducer<Context>,
    runtime: Runtime,
    shutdown: CancellationToken,
    told_to_stop: Option<Instant>,
}

impl Session {
    /// Opens the producer. With a transactional id this ends whatever an earlier process of the same id left open.
    pub(crate) fn open(
        kafka: &Kafka,
        name: &str,
        transactional_id: Option<String>,
        runtime: Runtime,
        shutdown: &CancellationToken,
    ) -> Result<Self, Failure> {
        let mut session = Self {
            producer: kafka.open_producer(transactional_id.as_deref())?,
            kafka: kafka.clone(),
            name: name.to_owned(),
            transactional_id,
            runtime,
            shutdown: shutdown.clone(),
            told_to_stop: None,
        };
        session.init()?;
        Ok(session)
    }

    fn init(&mut self) -> Result<(), Failure> {
        if self.transactional_id.is_none() {
            return Ok(());
        }
        match self.step(|producer| producer.init_transactions(TRANSACTION_STEP)) {
            Ok(()) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Abandoned) => Err(Failure::stopped("stopped while waiting for the transaction coordinator")),
            Err(Stop::Abort(reason) | Stop::Outdated(reason) | Stop::Reopen(reason)) => {
                Err(Failure::unavailable(format!("transactions of {} cannot begin: {reason}", self.name)))
            }
        }
    }

    /// Writes records and a consumer group's positions in one transaction. Each record comes with the number of the group
    /// it is part of, and its offset is given back with that number. `member` is what the consumer is in its group.
    pub(crate) fn transaction<'o>(
        &mut self,
        outputs: impl Iterator<Item = (usize, &'o Output)>,
        positions: &TopicPartitionList,
        member: Option<&ConsumerGroupMetadata>,
    ) -> Result<Vec<(usize, i64)>, Ended> {
        self.step(|producer| producer.begin_transaction())?;
        let mut waiting: Vec<(usize, &Output, AckReceiver)> = Vec::new();
        for (group, output) in outputs {
            match enqueue(&self.producer, output) {
                Ok(ack) => waiting.push((group, output, ack)),
                Err(error) => return Err(Ended::Rejected(group, self.only_rejected(output, &error)?)),
            }
        }
        // Before the positions: once the next owner of a partition sees that they are decided, so is all that was written
        // with them, and it stands below the end of its topic.
        let mut offsets = Vec::with_capacity(waiting.len());
        for (group, output, ack) in waiting {
            match self.acknowledged(ack)? {
                Ok(offset) => offsets.push((group, offset.to_raw().unwrap_or_default())),
                Err(error) => {
                    return Err(Ended::Rejected(group, self.only_rejected_in_transaction(output, &error)?));
                }
            }
        }
        let Some(member) = member else {
            return Err(Stop::Abort("the consumer is in no group".to_owned()).into());
        };
        self.step(|producer| producer.send_offsets_to_transaction(positions, member, TRANSACTION_STEP))?;
        self.step(|producer| producer.commit_transaction(TRANSACTION_STEP))?;
        Ok(offsets)
    }

    /// One request of a transaction, asked until it is answered.
    pub(crate) fn step(
        &mut self,
        mut ask: impl FnMut(&ThreadedProducer<Context>) -> KafkaResult<()>,
    ) -> Result<(), Stop> {
        use RDKafkaErrorCode::{FencedInstanceId, IllegalGeneration, StaleMemberEpoch, UnknownMemberId};
        loop {
            match ask(&self.producer) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => self.patience()?,
                Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                    let outdated = [IllegalGeneration, UnknownMemberId, FencedInstanceId, StaleMemberEpoch];
                    let reason = error.string();
                    return Err(match outdated.contains(&error.code()) {
                        true => Stop::Outdated(reason),
                        false => Stop::Abort(reason),
                    });
                }
                Err(KafkaError::Transaction(error)) if error.is_fatal() => return Err(Stop::Reopen(error.string())),
                Err(error) => return Err(Stop::Abort(error.to_string())),
            }
        }
    }

    /// Waits for an acknowledgement. (Not by `flush`, which looks for acknowledgements ten times a second.)
    pub(crate) fn acknowledged(&mut self, mut ack: AckReceiver) -> Result<Result<Offset, KafkaError>, Stop> {
        loop {
            match self.runtime.block_on(async { tokio::time::timeout(STEP, &mut ack).await }) {
                Ok(result) => return Ok(result.unwrap_or(Err(KafkaError::Canceled))),
                Err(_) => self.patience()?,
            }
        }
    }

    /// Sorts out a record that was not handed over: what concerns it alone is given back, the rest stops the attempt.
    pub(crate) fn only_rejected(&self, output: &Output, error: &KafkaError) -> Result<SendError, Stop> {
        self.sort(output, error, Stop::from)
    }

    /// Sorts out a record that was not acknowledged within a transaction, which may work when it is tried again.
    fn only_rejected_in_transaction(&self, output: &Output, error: &KafkaError) -> Result<SendError, Stop> {
        self.sort(output, error, |error| match error {
            SendError::Unwritable { forbidden: true, .. } => error.into(),
            unwritten => Stop::Abort(unwritten.to_string()),
        })
    }

    fn sort(
        &self,
        output: &Output,
        error: &KafkaError,
        stop: impl FnOnce(SendError) -> Stop,
    ) -> Result<SendError, Stop> {
        if let Some((_, reason)) = self.producer.client().fatal_error() {
            return Err(Stop::Reopen(reason));
        }
        match send_error(output, error) {
            rejected @ SendError::Rejected { .. } => Ok(rejected),
            unwritten => Err(stop(unwritten)),
        }
    }

    /// Rolls back what the transaction under way has written.
    pub(crate) fn abort(&mut self) -> Result<(), Stop> {
        match self.step(|producer| producer.abort_transaction(TRANSACTION_STEP)) {
            Err(Stop::Abort(reason) | Stop::Outdated(reason) | Stop::Reopen(reason)) => self.reopen(&reason),
            ended => ended,
        }
    }

    /// Begins anew with another producer; the transaction under way is rolled back.
    pub(crate) fn reopen(&mut self, reason: &str) -> Result<(), Stop> {
        warn!(writer = self.name, reason, "producer replaced");
        self.producer = self.kafka.open_producer(self.transactional_id.as_deref()).map_err(Stop::Failed)?;
        self.init().map_err(Stop::Failed)
    }

    /// Goes on waiting, unless the service was told to stop a while ago.
    pub(crate) fn patience(&mut self) -> Result<(), Stop> {
        if let Some((code, reason)) = self.producer.client().fatal_error()
            && code != RDKafkaErrorCode::NoError
        {
            return Err(Stop::Reopen(reason));
        }
        if self.shutdown.is_cancelled() {
            let told = *self.told_to_stop.get_or_insert_with(Instant::now);
            if told.elapsed() > GRACE {
                warn!(writer = self.name, "the broker is out of reach; the last records will be written again");
                return Err(Stop::Abandoned);
            }
        }
        Ok(())
    }
}
