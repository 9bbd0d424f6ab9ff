//! Message sets: the record formats before batches (magic 0 and 1).
//!
//! ```text
//!  0  offset i64       12  CRC-32 u32 (of all after it)     18  timestamp i64 (magic 1 only)
//!  8  size i32         16  magic i8                         ..  i32 length, key
//!                      17  attributes i8                    ..  i32 length, value
//! ```
//! A compressed message's value is itself a message set. The wrapper has the offset of the last message in it; with
//! magic 1 the offsets inside count from the first message on, with magic 0 they are the offsets themselves.
//! Source: `LegacyRecord`, `AbstractLegacyRecordBatch` in Kafka.

use super::{BatchError, LOG_OVERHEAD, MAGIC_OFFSET, NO_TIMESTAMP, TimestampType};
use crate::Decoder;
use crate::compression::{self, Compression, CompressionError, Lz4Frame};

/// Where the CRC's input begins.
const CRC_START: usize = 16;
/// Bytes of the smallest message: no key, no value.
const fn min_size(magic: i8) -> usize {
    LOG_OVERHEAD + 4 + 1 + 1 + if magic == 0 { 0 } else { 8 } + 4 + 4
}

const COMPRESSION: i8 = 0x07;
const LOG_APPEND_TIME: i8 = 0x08;

/// One message as it stands in a message set; a compressed one wraps others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Its offset; inside a wrapper of magic 1 it counts from the first message on.
    pub offset: i64,
    /// 0 or 1.
    pub magic: i8,
    /// Codec and, with magic 1, timestamp type.
    pub attributes: i8,
    /// In ms since 1970; [`NO_TIMESTAMP`] with magic 0.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// The message at `at` in `buffer`. Its checksum is not looked at.
    fn parse_at(buffer: &'a [u8], at: usize) -> Result<Self, BatchError> {
        let rest = buffer.get(at..).unwrap_or_default();
        let torn = |needed| BatchError::Torn { at, needed, remaining: rest.len() };
        let magic = super::magic(rest).ok_or_else(|| torn(MAGIC_OFFSET + 1))?;
        if !matches!(magic, 0 | 1) {
            return Err(BatchError::UnsupportedMagic { at, magic });
        }
        let mut decoder = Decoder::new(rest);
        let read = |_| torn(min_size(magic));
        let offset = decoder.i64().map_err(read)?;
        let length = decoder.i32().map_err(read)?;
        let invalid = BatchError::InvalidLength { at, length };
        let size = usize::try_from(length).ok().and_then(|length| length.checked_add(LOG_OVERHEAD));
        let size = size.filter(|size| *size >= min_size(magic)).ok_or_else(|| invalid.clone())?;
        let bytes = rest.get(..size).ok_or_else(|| torn(size))?;
        let mut decoder = Decoder::new(&bytes[MAGIC_OFFSET + 1..]);
        // Only the lengths of key and value can be wrong from here on.
        let mut fields = || {
            let attributes = decoder.i8()?;
            let timestamp = if magic == 1 { decoder.i64()? } else { NO_TIMESTAMP };
            let mut bytes = || match usize::try_from(decoder.i32()?) {
                Ok(length) => decoder.raw(length).map(Some),
                Err(_) => Ok(None),
            };
            let (key, value) = (bytes()?, bytes()?);
            decoder.finish()?;
            Ok::<_, crate::DecodeError>((attributes, timestamp, key, value))
        };
        let (attributes, timestamp, key, value) =
            fields().map_err(|reason| BatchError::InvalidRecord { index: 0, reason: reason.into() })?;
        Ok(Self { bytes, offset, magic, attributes, timestamp, key, value })
    }

    /// All bytes of the message.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How the messages in it are compressed; `None` for a message of its own.
    ///
    /// # Errors
    /// [`CompressionError::UnknownCodec`], for Zstandard too: these formats do not have it.
    pub fn compression(&self) -> Result<Compression, CompressionError> {
        match Compression::try_from(self.attributes & COMPRESSION)? {
            Compression::Zstd => Err(CompressionError::UnknownCodec(Compression::Zstd.id())),
            codec => Ok(codec),
        }
    }

    /// What the timestamp means; always [`TimestampType::CreateTime`] with magic 0.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.magic == 1 && self.attributes & LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Checks the checksum.
    ///
    /// # Errors
    /// [`BatchError::CrcMismatch`].
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let stored = Decoder::new(&self.bytes[LOG_OVERHEAD..]).u32().unwrap_or_default();
        let computed = crc32(&self.bytes[CRC_START..]);
        if stored == computed {
            return Ok(());
        }
        Err(BatchError::CrcMismatch { offset: self.offset, stored, computed })
    }
}

/// CRC-32 as in gzip; batches have CRC-32C.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The messages of a set as they stand, wrappers not unwrapped. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    buffer: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> Messages<'a> {
    /// Starts at the first byte of `buffer`.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self { buffer, position: 0, failed: false }
    }

    /// Where the next message starts; after an error, where the message starts that is wrong.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.position == self.buffer.len() {
            return None;
        }
        let message = Message::parse_at(self.buffer, self.position);
        match &message {
            Ok(message) => self.position += message.bytes.len(),
            Err(_) => self.failed = true,
        }
        Some(message)
    }
}

/// A record out of a message set, on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRecord {
    /// Its offset in the partition, or what its producer put there.
    pub offset: i64,
    /// In ms since 1970, or [`NO_TIMESTAMP`].
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// The records that one message stands for: itself, or the ones it wraps, decompressed into at most `limit` bytes.
/// All checksums are checked.
///
/// # Errors
/// Any [`BatchError`].
pub fn unwrap(message: &Message<'_>, limit: usize) -> Result<Vec<LegacyRecord>, BatchError> {
    message.check_crc()?;
    let codec = message.compression()?;
    if codec == Compression::None {
        return Ok(vec![record(message, message.offset, message.timestamp)]);
    }
    let wrong = |reason| BatchError::InvalidWrapper { offset: message.offset, reason };
    let value = message.value.ok_or_else(|| wrong("has no value"))?;
    let frame = if message.magic == 0 { Lz4Frame::MessageFormat0 } else { Lz4Frame::Standard };
    let set = compression::decompress_with(codec, value, limit, frame)?;
    let mut inner = Vec::new();
    for one in Messages::new(&set) {
        let one = one?;
        if one.magic != message.magic {
            return Err(wrong("wraps a message of another format"));
        }
        if one.compression()? != Compression::None {
            return Err(wrong("wraps a compressed message"));
        }
        one.check_crc()?;
        inner.push(one);
    }
    let last = inner.last().ok_or_else(|| wrong("wraps no message"))?.offset;
    let base = if message.magic == 0 { 0 } else { message.offset.wrapping_sub(last) };
    let log_append_time = message.timestamp_type() == TimestampType::LogAppendTime;
    let timestamp = |one: &Message<'_>| if log_append_time { message.timestamp } else { one.timestamp };
    Ok(inner.iter().map(|one| record(one, base.wrapping_add(one.offset), timestamp(one))).collect())
}

fn record(message: &Message<'_>, offset: i64, timestamp: i64) -> LegacyRecord {
    LegacyRecord { offset, timestamp, key: message.key.map(<[u8]>::to_vec), value: message.value.map(<[u8]>::to_vec) }
}
