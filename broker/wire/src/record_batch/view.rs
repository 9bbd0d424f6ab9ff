//! One batch in a buffer.

use super::{
    BatchError, HEADER_SIZE, LOG_OVERHEAD, MAGIC_OFFSET, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, RecordSet,
};
use crate::compression::{Compression, CompressionError};

/// What the timestamps of a batch mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// Given by the producer for each record.
    #[default]
    CreateTime,
    /// Given by the broker: all records have the batch's max timestamp.
    LogAppendTime,
}

/// The attributes of a batch.
///
/// ```text
/// bits 0-2 compression | 3 log append time | 4 transactional | 5 control | 6 has a delete horizon
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const COMPRESSION: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`CompressionError::UnknownCodec`].
    pub fn compression(self) -> Result<Compression, CompressionError> {
        Compression::try_from((self.0 & Self::COMPRESSION) as i8)
    }

    /// What the timestamps mean.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is the time at which tombstones may be dropped.
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same with another codec.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !Self::COMPRESSION | i16::from(compression.id()))
    }

    /// The same with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(Self::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, transactional or not.
    #[must_use]
    pub fn with_transactional(self, on: bool) -> Self {
        self.with(Self::TRANSACTIONAL, on)
    }

    /// The same, control or not.
    #[must_use]
    pub fn with_control(self, on: bool) -> Self {
        self.with(Self::CONTROL, on)
    }

    /// The same, with or without delete horizon.
    #[must_use]
    pub fn with_delete_horizon(self, on: bool) -> Self {
        self.with(Self::DELETE_HORIZON, on)
    }

    fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// One batch of magic 2, of which length and magic are checked; the checksum only by [`RecordBatch::check_crc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordBatch<'a> {
    bytes: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// The batch that `buffer` starts with. More may follow it.
    ///
    /// # Errors
    /// [`BatchError::Torn`], [`BatchError::InvalidLength`] or [`BatchError::UnsupportedMagic`], at byte 0.
    pub fn parse(buffer: &'a [u8]) -> Result<Self, BatchError> {
        Self::parse_at(buffer, 0)
    }

    /// The batch at `at` in `buffer`.
    pub(super) fn parse_at(buffer: &'a [u8], at: usize) -> Result<Self, BatchError> {
        let rest = buffer.get(at..).unwrap_or_default();
        let torn = |needed| BatchError::Torn { at, needed, remaining: rest.len() };
        let Some(length) = rest.get(8..LOG_OVERHEAD).and_then(|bytes| bytes.first_chunk()) else {
            return Err(torn(HEADER_SIZE));
        };
        // The magic comes before the length in importance: other formats have other shortest lengths.
        if let Some(magic) = super::magic(rest).filter(|magic| *magic != 2) {
            return Err(BatchError::UnsupportedMagic { at, magic });
        }
        let length = i32::from_be_bytes(*length);
        let size = usize::try_from(length).ok().and_then(|length| length.checked_add(LOG_OVERHEAD));
        let Some(size) = size.filter(|size| *size >= HEADER_SIZE) else {
            return Err(BatchError::InvalidLength { at, length });
        };
        rest.get(..size).map(|bytes| Self { bytes }).ok_or_else(|| torn(size))
    }

    /// All bytes of the batch.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Its size in bytes, at least [`HEADER_SIZE`].
    pub fn size(self) -> usize {
        self.bytes.len()
    }

    fn field<const N: usize>(self, at: usize) -> [u8; N] {
        // The size was checked when the view was made; a shorter slice cannot get here.
        self.bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
    }

    /// Offset of the first record (of the first one that there was, if the log was compacted).
    pub fn base_offset(self) -> i64 {
        i64::from_be_bytes(self.field(0))
    }

    /// Epoch of the leader that appended the batch.
    pub fn leader_epoch(self) -> i32 {
        i32::from_be_bytes(self.field(12))
    }

    /// The format; always 2.
    pub fn magic(self) -> i8 {
        i8::from_be_bytes(self.field(MAGIC_OFFSET))
    }

    /// The checksum that the batch carries.
    pub fn crc(self) -> u32 {
        u32::from_be_bytes(self.field(17))
    }

    /// The checksum of what follows it.
    pub fn computed_crc(self) -> u32 {
        crc32c::crc32c(self.bytes.get(21..).unwrap_or_default())
    }

    /// Checks the checksum.
    ///
    /// # Errors
    /// [`BatchError::CrcMismatch`].
    pub fn check_crc(self) -> Result<(), BatchError> {
        let (stored, computed) = (self.crc(), self.computed_crc());
        if stored == computed {
            return Ok(());
        }
        Err(BatchError::CrcMismatch { offset: self.base_offset(), stored, computed })
    }

    /// Codec, timestamp type and flags.
    pub fn attributes(self) -> Attributes {
        Attributes(i16::from_be_bytes(self.field(21)))
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`CompressionError::UnknownCodec`].
    pub fn compression(self) -> Result<Compression, CompressionError> {
        self.attributes().compression()
    }

    /// What the timestamps mean.
    pub fn timestamp_type(self) -> TimestampType {
        self.attributes().timestamp_type()
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.attributes().is_transactional()
    }

    /// Whether the batch holds a control record.
    pub fn is_control(self) -> bool {
        self.attributes().is_control()
    }

    /// Offset of the last record, as a difference to the first; compaction keeps it.
    pub fn last_offset_delta(self) -> i32 {
        i32::from_be_bytes(self.field(23))
    }

    /// Offset of the last record.
    pub fn last_offset(self) -> i64 {
        self.base_offset().saturating_add(i64::from(self.last_offset_delta()))
    }

    /// The offset after the last record.
    pub fn next_offset(self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// What records' timestamps are relative to: the first record's timestamp, or the delete horizon. In ms since 1970.
    pub fn base_timestamp(self) -> i64 {
        i64::from_be_bytes(self.field(27))
    }

    /// The largest timestamp, in ms since 1970, or [`NO_TIMESTAMP`].
    pub fn max_timestamp(self) -> i64 {
        i64::from_be_bytes(self.field(35))
    }

    /// When tombstones may be dropped, in ms since 1970, if compaction has set a time.
    pub fn delete_horizon(self) -> Option<i64> {
        self.attributes().has_delete_horizon().then(|| self.base_timestamp())
    }

    /// The producer's id, or [`NO_PRODUCER_ID`].
    pub fn producer_id(self) -> i64 {
        i64::from_be_bytes(self.field(43))
    }

    /// Whether the producer is idempotent or transactional.
    pub fn has_producer_id(self) -> bool {
        self.producer_id() > NO_PRODUCER_ID
    }

    /// The producer's epoch, or -1.
    pub fn producer_epoch(self) -> i16 {
        i16::from_be_bytes(self.field(51))
    }

    /// The first record's number in the producer's sequence, or [`NO_SEQUENCE`].
    pub fn base_sequence(self) -> i32 {
        i32::from_be_bytes(self.field(53))
    }

    /// The last record's number in the producer's sequence, which starts over at 0 after 2^31 - 1; or [`NO_SEQUENCE`].
    pub fn last_sequence(self) -> i32 {
        match self.base_sequence() {
            NO_SEQUENCE => NO_SEQUENCE,
            base => increment_sequence(base, self.last_offset_delta()),
        }
    }

    /// The number of records that the batch declares.
    pub fn count(self) -> i32 {
        i32::from_be_bytes(self.field(57))
    }

    /// The records as they are, compressed or not.
    pub fn records_bytes(self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or_default()
    }

    /// The records, decompressed into at most `limit` bytes.
    ///
    /// # Errors
    /// [`BatchError::Compression`].
    pub fn records(self, limit: usize) -> Result<RecordSet<'a>, BatchError> {
        RecordSet::new(self, limit)
    }

    /// Timestamp of a record whose difference to the base is `delta`.
    pub(super) fn timestamp(self, delta: i64) -> i64 {
        match self.timestamp_type() {
            TimestampType::LogAppendTime => self.max_timestamp(),
            TimestampType::CreateTime if self.base_timestamp() == NO_TIMESTAMP && delta == 0 => NO_TIMESTAMP,
            TimestampType::CreateTime => self.base_timestamp().wrapping_add(delta),
        }
    }
}

/// The sequence number `increment` after `sequence`; 0 follows 2^31 - 1.
pub(super) fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    match sequence.checked_add(increment) {
        Some(next) => next,
        None => increment.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1),
    }
}
