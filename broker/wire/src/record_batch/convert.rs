//! Conversion between batches and the older formats, for the clients that still speak them.
//!
//! Source: `LogValidator` (old to new, when produced) and `RecordsUtil.downConvert` (new to old, when fetched).

use super::legacy::{self, LegacyRecord, Messages};
use super::{
    BatchBuilder, BatchError, BatchOptions, LOG_OVERHEAD, NO_TIMESTAMP, NewRecord, Record, RecordBatch, RecordBatches,
    TimestampType,
};
use crate::Encoder;
use crate::compression::{self, Compression, CompressionError, Lz4Frame};

/// A message set, read and taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSet {
    /// The records in it, in order.
    pub records: Vec<LegacyRecord>,
    /// The format, 0 or 1.
    pub magic: i8,
    /// The codec of the last wrapper in it.
    pub compression: Compression,
    /// The timestamp type of the last message in it.
    pub timestamp_type: TimestampType,
}

/// Reads the message set `buffer`, with all its messages together decompressed into at most `limit` bytes.
///
/// # Errors
/// Any [`BatchError`]; [`BatchError::UnsupportedMagic`] for batches of magic 2 and for sets of mixed formats.
pub fn read_message_set(buffer: &[u8], limit: usize) -> Result<MessageSet, BatchError> {
    let magic = super::magic(buffer).unwrap_or_default();
    let mut set = MessageSet {
        records: Vec::new(),
        magic,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
    };
    let mut left = limit;
    let mut messages = Messages::new(buffer);
    while let (at, Some(message)) = (messages.position(), messages.next()) {
        let message = message?;
        if message.magic != magic {
            return Err(BatchError::UnsupportedMagic { at, magic: message.magic });
        }
        let records = legacy::unwrap(&message, left)?;
        let size: usize = records.iter().map(|record| record_size(magic, record)).sum();
        left = left.checked_sub(size).ok_or(CompressionError::TooLarge { limit })?;
        set.compression = message.compression()?;
        set.timestamp_type = message.timestamp_type();
        set.records.extend(records);
    }
    Ok(set)
}

fn record_size(magic: i8, record: &LegacyRecord) -> usize {
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    LOG_OVERHEAD + if magic == 0 { 14 } else { 22 } + length(&record.key) + length(&record.value)
}

impl MessageSet {
    /// Writes the records as one batch of magic 2, with offsets one after the other from the options' base offset on.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] or [`BatchError::Compression`].
    pub fn to_batch(&self, options: BatchOptions) -> Result<Vec<u8>, BatchError> {
        let mut builder = BatchBuilder::new(options);
        for record in &self.records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.append(NewRecord { timestamp: record.timestamp, key, value, headers: &[] })?;
        }
        builder.build()
    }
}

/// Writes the batches of `buffer` as a message set of magic 0 or 1, for a fetch from `first_offset` on. Headers are
/// dropped, and so are control batches. Records before `first_offset` are left out where nothing is compressed.
///
/// `limit` holds for each batch's decompressed records.
///
/// # Errors
/// Any [`BatchError`]; [`CompressionError::UnknownCodec`] for Zstandard, which the old formats do not have, and
/// [`BatchError::UnsupportedMagic`] for a `magic` other than 0 or 1.
pub fn down_convert(buffer: &[u8], magic: i8, first_offset: i64, limit: usize) -> Result<Vec<u8>, BatchError> {
    if !matches!(magic, 0 | 1) {
        return Err(BatchError::UnsupportedMagic { at: 0, magic });
    }
    let mut out = Encoder::new();
    for batch in RecordBatches::new(buffer) {
        let batch = batch?;
        if !batch.is_control() {
            down_convert_batch(batch, magic, first_offset, limit, &mut out)?;
        }
    }
    Ok(out.into_parts().0)
}

fn down_convert_batch(
    batch: RecordBatch<'_>,
    magic: i8,
    first_offset: i64,
    limit: usize,
    out: &mut Encoder,
) -> Result<(), BatchError> {
    let codec = batch.compression()?;
    if codec == Compression::Zstd {
        return Err(CompressionError::UnknownCodec(codec.id()).into());
    }
    let records = batch.records(limit)?;
    let compressed = codec != Compression::None;
    let type_bit = match batch.timestamp_type() {
        TimestampType::LogAppendTime if magic == 1 => 0x08,
        _ => 0,
    };
    let mut set = Encoder::new();
    let mut last: Option<Record<'_>> = None;
    let mut max_timestamp = NO_TIMESTAMP;
    for record in &records {
        let record = record?;
        if !compressed && record.offset < first_offset {
            continue;
        }
        let relative = compressed && magic == 1;
        let offset = if relative { record.offset.wrapping_sub(batch.base_offset()) } else { record.offset };
        write_message(&mut set, offset, magic, type_bit, record.timestamp, record.key, record.value)?;
        max_timestamp = max_timestamp.max(record.timestamp);
        last = Some(record);
    }
    let Some(last) = last else { return Ok(()) };
    if !compressed {
        out.raw(set.buffer());
        return Ok(());
    }
    let frame = if magic == 0 { Lz4Frame::MessageFormat0 } else { Lz4Frame::Standard };
    let value = compression::compress_with(codec, None, set.buffer(), frame)?;
    write_message(out, last.offset, magic, type_bit | codec.id(), max_timestamp, None, Some(&value))
}

fn write_message(
    out: &mut Encoder,
    offset: i64,
    magic: i8,
    attributes: i8,
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(), BatchError> {
    let too_large = |_| BatchError::TooLarge("more than 2^31 - 1 bytes");
    let mut body = Encoder::new();
    body.i8(magic);
    body.i8(attributes);
    if magic == 1 {
        body.i64(timestamp);
    }
    for field in [key, value] {
        match field {
            Some(bytes) => {
                body.i32(i32::try_from(bytes.len()).map_err(too_large)?);
                body.raw(bytes);
            }
            None => body.i32(-1),
        }
    }
    out.i64(offset);
    out.i32(i32::try_from(body.buffer().len() + 4).map_err(too_large)?);
    out.u32(legacy::crc32(body.buffer()));
    out.raw(body.buffer());
    Ok(())
}
