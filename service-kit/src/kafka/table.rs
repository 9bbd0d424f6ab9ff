//! Reading topics outside a group: a table once from start to end, or the newest records and all that follow.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::kafka::config::REQUEST_TIMEOUT;
use crate::kafka::connection::Kafka;
use crate::kafka::context::Context;
use crate::kafka::record::{Place, Record};

const POLL: Duration = Duration::from_millis(100);
/// How often an open transaction is asked after.
const STILL_OPEN: Duration = Duration::from_millis(20);
/// How long a broker that is down is waited for.
const SILENCE: Duration = Duration::from_secs(60);

/// Why a topic could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TableError {
    /// The service was told to stop.
    #[error("stopped while reading topic {0}")]
    Stopped(String),
    /// The broker did not answer for a minute, or refused.
    #[error("topic {topic} cannot be read: {reason}")]
    Unreadable {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
    },
}

/// What [`Kafka::follow`] gives.
#[derive(Debug)]
pub enum Followed<'a> {
    /// A partition's older records, which are not read.
    Skipped {
        /// The topic.
        topic: &'a str,
        /// How many there are, transaction markers included.
        records: u64,
    },
    /// A record.
    Record(Record),
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl Kafka {
    /// Reads partitions of a topic from their start to what is their end when reading gets there; gives the number of
    /// records. Transactions that are open now are waited for: what they have written is read or was rolled back. Blocks:
    /// call it from [`crate::kafka::Processor::assigned`], or on a blocking thread.
    ///
    /// # Errors
    /// [`TableError`]; records already given stay given.
    pub fn read_to_end(
        &self,
        topic: &str,
        partitions: &[i32],
        shutdown: &CancellationToken,
        mut each: impl FnMut(Record),
    ) -> Result<u64, TableError> {
        let reader = self.reader(topic)?;
        self.wait_for_transactions(&reader, topic, partitions, shutdown)?;
        let mut open: HashSet<i32> = HashSet::new();
        let mut places = TopicPartitionList::new();
        for &partition in partitions {
            let (low, high) = watermarks(&reader, topic, partition)?;
            if low < high {
                open.insert(partition);
                // Cannot fail: `Beginning` is a valid offset.
                let _ = places.add_partition_offset(topic, partition, Offset::Beginning);
            }
        }
        reader.assign(&places).map_err(|error| unreadable(topic, &error))?;
        let (mut count, mut heard) = (0, Instant::now());
        while !open.is_empty() {
            if shutdown.is_cancelled() {
                return Err(TableError::Stopped(topic.to_owned()));
            }
            match reader.poll(POLL) {
                Some(Ok(message)) => {
                    each(Record::read(&message, Place::new(topic, message.partition())));
                    count += 1;
                    heard = Instant::now();
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(error)) if heard.elapsed() > SILENCE => return Err(unreadable(topic, &error)),
                None if heard.elapsed() > SILENCE => return Err(silent(topic)),
                _ => {}
            }
        }
        Ok(count)
    }

    /// Reads a partition from an offset to its end, or until told to stop; gives the offset to go on at then. What open
    /// transactions have written is not read. Blocks.
    ///
    /// # Errors
    /// [`TableError`]; records already given stay given.
    pub fn scan(
        &self,
        place: &Place,
        from: i64,
        shutdown: &CancellationToken,
        mut each: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<Option<i64>, TableError> {
        let topic = &*place.topic;
        let reader = self.reader(topic)?;
        let (low, high) = watermarks(&reader, topic, place.partition)?;
        if from.max(low) >= high {
            return Ok(None);
        }
        let mut places = TopicPartitionList::new();
        // Cannot fail: the offset is not below the watermark.
        let _ = places.add_partition_offset(topic, place.partition, Offset::Offset(from.max(low)));
        reader.assign(&places).map_err(|error| unreadable(topic, &error))?;
        let mut heard = Instant::now();
        loop {
            if shutdown.is_cancelled() {
                return Err(TableError::Stopped(topic.to_owned()));
            }
            match reader.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let record = Record::read(&message, place.clone());
                    let next = record.offset + 1;
                    if each(record).is_break() {
                        return Ok(Some(next));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) if heard.elapsed() > SILENCE => return Err(unreadable(topic, &error)),
                None if heard.elapsed() > SILENCE => return Err(silent(topic)),
                _ => {}
            }
        }
    }

    /// Reads the record at an offset; none when there is none any more. Blocks.
    ///
    /// # Errors
    /// [`TableError`] when the broker does not answer, or there is no such partition.
    pub fn read_one(&self, place: &Place, offset: i64) -> Result<Option<Record>, TableError> {
        let topic = &*place.topic;
        let reader = self.reader(topic)?;
        let (low, high) = watermarks(&reader, topic, place.partition)?;
        if !(low..high).contains(&offset) {
            return Ok(None);
        }
        let mut places = TopicPartitionList::new();
        // Cannot fail: the offset is not below the watermark.
        let _ = places.add_partition_offset(topic, place.partition, Offset::Offset(offset));
        reader.assign(&places).map_err(|error| unreadable(topic, &error))?;
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        while Instant::now() < deadline {
            match reader.poll(POLL) {
                // Compaction and transactions leave gaps.
                Some(Ok(message)) => {
                    let record = Record::read(&message, place.clone());
                    return Ok(Some(record).filter(|record| record.offset == offset));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(_)) | None => {}
            }
        }
        Err(TableError::Unreadable { topic: topic.to_owned(), reason: "no answer for 10 s".to_owned() })
    }

    /// Reads the newest records of each partition of some topics (with each topic, how many), and what follows until
    /// the token is cancelled. Blocks.
    ///
    /// # Errors
    /// [`TableError::Unreadable`] when a topic cannot be read at the start; later failures are waited out.
    pub fn follow(
        &self,
        topics: &[(&str, i64)],
        shutdown: &CancellationToken,
        mut each: impl FnMut(Followed),
    ) -> Result<(), TableError> {
        let all = topics.iter().map(|(topic, _)| *topic).collect::<Vec<_>>().join(", ");
        let reader = self.reader(&all)?;
        let mut places = TopicPartitionList::new();
        for &(topic, last) in topics {
            for partition in partitions(&reader, topic)? {
                let (low, high) = watermarks(&reader, topic, partition)?;
                let start = low.max(high - last);
                each(Followed::Skipped { topic, records: u64::try_from(start - low).unwrap_or(0) });
                // Cannot fail: no watermark is below the logical offsets.
                let _ = places.add_partition_offset(topic, partition, Offset::Offset(start));
            }
        }
        reader.assign(&places).map_err(|error| unreadable(&all, &error))?;
        while !shutdown.is_cancelled() {
            match reader.poll(POLL) {
                Some(Ok(message)) => {
                    let place = Place::new(message.topic(), message.partition());
                    each(Followed::Record(Record::read(&message, place)));
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => tracing::debug!(topics = all, %error, "reading failed; trying again"),
            }
        }
        Ok(())
    }

    /// Waits until no transaction is open below what is the partitions' end now.
    fn wait_for_transactions(
        &self,
        reader: &BaseConsumer<Context>,
        topic: &str,
        partitions: &[i32],
        shutdown: &CancellationToken,
    ) -> Result<(), TableError> {
        let config = self.settings().uncommitted_reader(self.service());
        let all: BaseConsumer<Context> =
            config.create_with_context(self.context("reader")).map_err(|error| unreadable(topic, &error))?;
        for &partition in partitions {
            let (_, end) = watermarks(&all, topic, partition)?;
            let mut said = false;
            while watermarks(reader, topic, partition)?.1 < end {
                if shutdown.is_cancelled() {
                    return Err(TableError::Stopped(topic.to_owned()));
                }
                if !said {
                    said = true;
                    tracing::info!(topic, partition, "waiting for the end of a transaction that another process began");
                }
                // Reads nothing: nothing is assigned yet.
                let _ = reader.poll(STILL_OPEN);
            }
        }
        Ok(())
    }

    fn reader(&self, topic: &str) -> Result<BaseConsumer<Context>, TableError> {
        let config = self.settings().reader(self.service());
        config.create_with_context(self.context("reader")).map_err(|error| unreadable(topic, &error))
    }
}

fn partitions(reader: &BaseConsumer<Context>, topic: &str) -> Result<Vec<i32>, TableError> {
    let metadata = reader.fetch_metadata(Some(topic), REQUEST_TIMEOUT).map_err(|error| unreadable(topic, &error))?;
    Ok(metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect())
}

fn watermarks(reader: &BaseConsumer<Context>, topic: &str, partition: i32) -> Result<(i64, i64), TableError> {
    reader.fetch_watermarks(topic, partition, REQUEST_TIMEOUT).map_err(|error| unreadable(topic, &error))
}

fn silent(topic: &str) -> TableError {
    TableError::Unreadable { topic: topic.to_owned(), reason: "no answer for 60 s".to_owned() }
}

fn unreadable(topic: &str, error: &KafkaError) -> TableError {
    TableError::Unreadable { topic: topic.to_owned(), reason: error.to_string() }
}
