//! Writing records outside a consumer's loop.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};

use crate::failure::{Exit, Failure};
use crate::handle::Counter;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;
use crate::kafka::record::Output;

/// Most KiB waiting for acknowledgements; below what librdkafka's queue takes, so that it is never full.
const IN_FLIGHT_KIB: u32 = 64 * 1024;

/// Why a record is not on its topic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The broker or the client will never take this record.
    #[error("a record of {bytes} bytes is refused by topic {topic}: {reason}")]
    Rejected {
        /// The topic.
        topic: String,
        /// Size of key, value and headers.
        bytes: usize,
        /// Why.
        reason: String,
    },
    /// No record can be written to this topic.
    #[error("topic {topic} cannot be written to: {reason}")]
    Unwritable {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
        /// Whether rights are missing.
        forbidden: bool,
    },
    /// The partition on whose behalf it was to be written has gone to another instance.
    #[error("partition {place} is another instance's now")]
    Lost {
        /// The partition.
        place: String,
    },
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let forbidden = matches!(error, SendError::Unwritable { forbidden: true, .. });
        Self::new(if forbidden { Exit::NoPermission } else { Exit::Unavailable }, error.to_string())
    }
}

/// An idempotent producer with `acks=all`. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    client: Arc<ThreadedProducer<Context>>,
    in_flight: Arc<Semaphore>,
    produced: Counter,
}

impl Kafka {
    /// A producer for records that come from elsewhere than a topic.
    ///
    /// # Errors
    /// Settings that contradict each other (exit code 64).
    pub fn producer(&self) -> Result<Producer, Failure> {
        Ok(Producer {
            client: Arc::new(self.open_producer(None)?),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_KIB as usize)),
            produced: self.handle().counter("produced"),
        })
    }

    pub(crate) fn open_producer(&self, transactional_id: Option<&str>) -> Result<ThreadedProducer<Context>, Failure> {
        let check = self.handle().health().check("producer", "no producer id yet");
        self.begin();
        let context = self.context("producer").with_producer_check(check);
        let config = self.settings().producer(self.service(), transactional_id);
        config.create_with_context(context).map_err(|error| Self::wrong_settings(&error))
    }
}

impl Producer {
    /// Writes a record and waits for the broker's acknowledgement; many calls may wait at once (64 MiB of records are
    /// on their way at most, further calls wait their turn). While the broker is down this waits.
    ///
    /// A call that begins after another has returned writes behind it; calls under way at the same time may overtake
    /// each other. Not cancellation-safe: a dropped
    /// call may or may not have written its record.
    ///
    /// # Errors
    /// [`SendError`]; after [`SendError::Rejected`] other records can still be written.
    pub async fn send(&self, output: Output) -> Result<(), SendError> {
        let kib = u32::try_from(output.size() / 1024 + 1).unwrap_or(u32::MAX).min(IN_FLIGHT_KIB);
        // The semaphore is never closed.
        let _permit = self.in_flight.acquire_many(kib).await;
        let ack = enqueue(&self.client, &output).map_err(|error| send_error(&output, &error))?;
        match ack.await.unwrap_or(Err(KafkaError::Canceled)) {
            Ok(_) => {
                self.produced.add(1);
                Ok(())
            }
            Err(error) => Err(send_error(&output, &error)),
        }
    }

    /// Writes records one after the other, each after the acknowledgement of the one before.
    ///
    /// # Errors
    /// As [`Producer::send`]; the records before the failed one are written, those after it are not.
    pub async fn send_in_order(&self, outputs: impl IntoIterator<Item = Output>) -> Result<(), SendError> {
        for output in outputs {
            self.send(output).await?;
        }
        Ok(())
    }

    /// Number of records that are on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.client.in_flight_count()).unwrap_or(0)
    }
}

pub(crate) type AckReceiver = oneshot::Receiver<Result<Offset, KafkaError>>;

/// Hands a record to librdkafka, waiting for room in its queue.
pub(crate) fn enqueue(client: &ThreadedProducer<Context>, output: &Output) -> Result<AckReceiver, KafkaError> {
    let (ack, receiver) = oneshot::channel();
    let mut record: BaseRecord<'_, [u8], [u8], Box<_>> = BaseRecord::with_opaque_to(&output.topic, Box::new(ack));
    record.key = output.key.as_deref();
    record.payload = output.value.as_deref();
    record.partition = output.partition;
    if !output.headers.is_empty() {
        record = record.headers(output.owned_headers());
    }
    loop {
        match client.send(record) {
            Ok(()) => return Ok(receiver),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                // Returns as soon as the queue is empty; that it timed out is no matter, we look again.
                let _ = client.flush(Duration::from_millis(50));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

pub(crate) fn send_error(output: &Output, error: &KafkaError) -> SendError {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge, TopicAuthorizationFailed,
    };
    let topic = output.topic.clone().into_owned();
    let code = error.rdkafka_error_code();
    let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
    match code {
        Some(MessageSizeTooLarge | InvalidMessageSize | InvalidRecord) => {
            SendError::Rejected { topic, bytes: output.size(), reason }
        }
        Some(TopicAuthorizationFailed | ClusterAuthorizationFailed) => {
            SendError::Unwritable { topic, reason, forbidden: true }
        }
        _ => SendError::Unwritable { topic, reason, forbidden: false },
    }
}
