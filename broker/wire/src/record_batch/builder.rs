//! Writing batches.

use super::view::{Attributes, TimestampType};
use super::{
    BatchError, HEADER_SIZE, Header, LOG_OVERHEAD, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP, Record,
};
use crate::Encoder;
use crate::compression::{self, Compression};

/// The producer of a batch, and where in its sequence the batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// The producer's id, or -1.
    pub id: i64,
    /// The producer's epoch, or -1.
    pub epoch: i16,
    /// The first record's number in the producer's sequence, or -1.
    pub base_sequence: i32,
}

impl Default for Producer {
    fn default() -> Self {
        Self { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH, base_sequence: NO_SEQUENCE }
    }
}

/// What a batch says besides its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOptions {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Epoch of the leader that appends it, or -1.
    pub leader_epoch: i32,
    /// How to compress the records.
    pub compression: Compression,
    /// How hard to compress them; see [`compression::compress`].
    pub level: Option<i32>,
    /// The time that all records get, in ms since 1970; none gives them their own. Their own are written in any case.
    pub log_append_time: Option<i64>,
    /// Who wrote it.
    pub producer: Producer,
    /// Whether it is part of a transaction.
    pub is_transactional: bool,
    /// Whether it holds a control record.
    pub is_control: bool,
    /// When tombstones may be dropped, in ms since 1970.
    pub delete_horizon: Option<i64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: NO_LEADER_EPOCH,
            compression: Compression::None,
            level: None,
            log_append_time: None,
            producer: Producer::default(),
            is_transactional: false,
            is_control: false,
            delete_horizon: None,
        }
    }
}

/// A record to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewRecord<'a> {
    /// In ms since 1970, or -1.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [Header<'a>],
}

/// Collects records and writes the batch.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    options: BatchOptions,
    records: Encoder,
    body: Encoder,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    last_offset_delta: i32,
    next_offset: i64,
    count: i32,
}

impl BatchBuilder {
    /// Starts a batch.
    pub fn new(options: BatchOptions) -> Self {
        Self {
            options,
            records: Encoder::new(),
            body: Encoder::new(),
            base_timestamp: options.delete_horizon,
            max_timestamp: NO_TIMESTAMP,
            last_offset_delta: -1,
            next_offset: options.base_offset,
            count: 0,
        }
    }

    /// Records added so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes that the batch takes if it is not compressed.
    pub fn size(&self) -> usize {
        HEADER_SIZE + self.records.buffer().len()
    }

    /// Adds a record with the offset after the last one.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`].
    pub fn append(&mut self, record: NewRecord<'_>) -> Result<(), BatchError> {
        self.append_at(self.next_offset, record)
    }

    /// Adds a record with the given offset, which must be larger than the last one's.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] for an offset too far from the first one, or before the last one.
    pub fn append_at(&mut self, offset: i64, record: NewRecord<'_>) -> Result<(), BatchError> {
        let mut headers = Encoder::new();
        for header in record.headers {
            put_bytes(&mut headers, Some(header.key))?;
            put_bytes(&mut headers, header.value)?;
        }
        let count = length(record.headers.len())?;
        self.write(offset, 0, record.timestamp, [record.key, record.value], (count, headers.buffer()))
    }

    /// Adds a record as it is, with its own offset.
    ///
    /// # Errors
    /// As [`Self::append_at`].
    pub fn append_record(&mut self, record: &Record<'_>) -> Result<(), BatchError> {
        let headers = (length(record.headers.len())?, record.headers.bytes());
        self.write(record.offset, record.attributes, record.timestamp, [record.key, record.value], headers)
    }

    fn write(
        &mut self,
        offset: i64,
        attributes: i8,
        timestamp: i64,
        fields: [Option<&[u8]>; 2],
        (header_count, headers): (i32, &[u8]),
    ) -> Result<(), BatchError> {
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let delta = offset.checked_sub(self.options.base_offset).and_then(|delta| i32::try_from(delta).ok());
        let delta = delta.filter(|delta| *delta > self.last_offset_delta || self.count == 0 && *delta >= 0);
        let delta = delta.ok_or(BatchError::TooLarge("a record's offset is out of order or too far from the first"))?;
        let mut body = std::mem::take(&mut self.body);
        body.truncate(0);
        body.i8(attributes);
        body.varlong(timestamp.wrapping_sub(base_timestamp));
        body.varint(delta);
        fields.into_iter().try_for_each(|field| put_bytes(&mut body, field))?;
        body.varint(header_count);
        body.raw(headers);
        self.records.varint(length(body.buffer().len())?);
        self.records.raw(body.buffer());
        self.body = body;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.last_offset_delta = delta;
        self.next_offset = offset.saturating_add(1);
        self.count += 1;
        Ok(())
    }

    /// Lets the batch end at `offset` although no record has it: compaction keeps the last offset of a batch.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] for an offset before the last record's or too far from the first one.
    pub fn set_last_offset(&mut self, offset: i64) -> Result<(), BatchError> {
        let delta = offset.checked_sub(self.options.base_offset).and_then(|delta| i32::try_from(delta).ok());
        let delta = delta.filter(|delta| *delta >= self.last_offset_delta.max(0));
        self.last_offset_delta = delta.ok_or(BatchError::TooLarge("the last offset is too far from the first"))?;
        Ok(())
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] or [`BatchError::Compression`].
    pub fn build(self) -> Result<Vec<u8>, BatchError> {
        let options = &self.options;
        let records = compression::compress(options.compression, options.level, self.records.buffer())?;
        let timestamp_type = match options.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let attributes = Attributes::default()
            .with_compression(options.compression)
            .with_timestamp_type(timestamp_type)
            .with_transactional(options.is_transactional)
            .with_control(options.is_control)
            .with_delete_horizon(options.delete_horizon.is_some());
        let mut out = Encoder::with_capacity(HEADER_SIZE + records.len());
        out.i64(options.base_offset);
        out.i32(length(HEADER_SIZE - LOG_OVERHEAD + records.len())?);
        out.i32(options.leader_epoch);
        out.i8(2);
        out.u32(0);
        out.i16(attributes.0);
        out.i32(self.last_offset_delta);
        out.i64(self.base_timestamp.unwrap_or(NO_TIMESTAMP));
        out.i64(options.log_append_time.unwrap_or(self.max_timestamp));
        out.i64(options.producer.id);
        out.i16(options.producer.epoch);
        out.i32(options.producer.base_sequence);
        out.i32(self.count);
        out.raw(&records);
        let (mut bytes, _) = out.into_parts();
        super::RecordBatchMut::parse(&mut bytes)?.update_crc();
        Ok(bytes)
    }
}

fn length(length: usize) -> Result<i32, BatchError> {
    i32::try_from(length).map_err(|_| BatchError::TooLarge("more than 2^31 - 1 bytes"))
}

fn put_bytes(encoder: &mut Encoder, bytes: Option<&[u8]>) -> Result<(), BatchError> {
    match bytes {
        Some(bytes) => {
            encoder.varint(length(bytes.len())?);
            encoder.raw(bytes);
        }
        None => encoder.varint(-1),
    }
    Ok(())
}
