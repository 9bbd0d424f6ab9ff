//! Opening batches where a topic's settings ask about single records, or want them written otherwise: key presence on
//! compacted topics, `compression.type`, `message.timestamp.before.max.ms`, and message formats v0 and v1.

use wire::compression::{Compression as Codec, CompressionError};
use wire::record_batch::{
    BatchBuilder, BatchError, BatchOptions, NewRecord, Producer, Record, RecordBatch, TimestampType as BatchTime,
    convert,
};

use crate::batch::BatchHeader;
use crate::config::{Compression, LogConfig, TimestampType};
use crate::error::AppendError;
use crate::validate::{Rules, refusal};

/// What the records of one batch may take once decompressed: 64 MiB, or 32 times `max.message.bytes` if that is more.
fn limit(config: &LogConfig) -> usize {
    config.max_message_bytes.saturating_mul(32).max(64 << 20)
}

/// The codec a batch that came with `source` is to be stored with, and its level.
fn target(config: &LogConfig, source: Codec) -> (Codec, Option<i32>) {
    match config.compression {
        Compression::Producer => (source, None),
        Compression::None => (Codec::None, None),
        Compression::Gzip(level) => (Codec::Gzip, (level > 0).then_some(level)),
        Compression::Snappy => (Codec::Snappy, None),
        Compression::Lz4(level) => (Codec::Lz4, Some(level)),
        Compression::Zstd(level) => (Codec::Zstd, Some(level)),
    }
}

fn codec(id: i16) -> Result<Codec, AppendError> {
    let id = i8::try_from(id).unwrap_or(-1);
    Codec::try_from(id).map_err(|error| AppendError::invalid(error.to_string()))
}

/// Whether a batch has to be opened. Batches that are not compressed and stay so are checked in place instead.
pub(crate) fn is_needed(header: &BatchHeader, rules: &Rules<'_>) -> bool {
    let Ok(source) = codec(header.codec()) else { return true };
    if target(rules.config, source).0 != source {
        return true;
    }
    // A compressed batch whose largest time is in bounds is taken at its word, unless old records are unwelcome, too.
    source != Codec::None
        && (rules.config.compact
            || rules.config.message_timestamp_before_max_ms != i64::MAX
            || rules.bad_timestamp(header, header.max_timestamp, header.base_offset).is_some())
}

fn refused(error: BatchError) -> AppendError {
    match error {
        BatchError::CrcMismatch { .. } | BatchError::Torn { .. } | BatchError::InvalidLength { .. } => {
            AppendError::CorruptMessage(error.to_string())
        }
        BatchError::Compression(CompressionError::TooLarge { limit }) => {
            AppendError::invalid(format!("records take more than {limit} bytes once decompressed"))
        }
        BatchError::Compression(error @ CompressionError::Corrupt { .. }) => {
            AppendError::Undecodable(error.to_string())
        }
        other => AppendError::invalid(other.to_string()),
    }
}

/// Checks every record of `batch`; the batch anew if it is to be stored with another codec, or if its records do not
/// count up from its base offset.
pub(crate) fn check_and_recompress(
    header: &BatchHeader,
    batch: &[u8],
    rules: &Rules<'_>,
) -> Result<Option<Vec<u8>>, AppendError> {
    let view = RecordBatch::parse(batch).map_err(refused)?;
    let source = codec(header.codec())?;
    let (codec, level) = target(rules.config, source);
    let set = view.records(limit(rules.config)).map_err(refused)?;
    let mut errors = Vec::new();
    let mut in_place = codec == source;
    for (index, record) in set.iter().enumerate() {
        let record = record.map_err(refused)?;
        rules.check_record(header, &record, index, &mut errors);
        in_place &= record.offset == header.base_offset + index as i64;
    }
    if !errors.is_empty() {
        return Err(refusal(errors));
    }
    if in_place {
        return Ok(None);
    }
    let stamped = view.timestamp_type() == BatchTime::LogAppendTime;
    let options = BatchOptions {
        base_offset: header.base_offset,
        compression: codec,
        level,
        log_append_time: stamped.then_some(header.max_timestamp),
        producer: Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
        is_transactional: header.is_transactional(),
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    for (index, record) in set.iter().enumerate() {
        let record = record.map_err(refused)?;
        let offset = header.base_offset + index as i64;
        builder.append_record(&Record { offset, ..record }).map_err(refused)?;
    }
    builder.build().map(Some).map_err(refused)
}

/// Makes one batch of the messages of formats v0 or v1 in `bytes`.
pub(crate) fn up_convert(bytes: &[u8], rules: &Rules<'_>) -> Result<Vec<u8>, AppendError> {
    let set = convert::read_message_set(bytes, limit(rules.config)).map_err(refused)?;
    let (codec, level) = target(rules.config, set.compression);
    let header = BatchHeader::of_message_set(set.timestamp_type == BatchTime::LogAppendTime);
    let mut errors = Vec::new();
    for (index, message) in set.records.iter().enumerate() {
        let record = Record {
            attributes: 0,
            offset: index as i64,
            timestamp: message.timestamp,
            sequence: -1,
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            headers: wire::record_batch::Headers::default(),
        };
        rules.check_record(&header, &record, index, &mut errors);
    }
    if !errors.is_empty() {
        return Err(refusal(errors));
    }
    let now = rules.now_ms;
    let stamped = rules.config.message_timestamp_type == TimestampType::LogAppendTime;
    let options =
        BatchOptions { compression: codec, level, log_append_time: stamped.then_some(now), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    for message in &set.records {
        let (key, value) = (message.key.as_deref(), message.value.as_deref());
        builder.append(NewRecord { timestamp: message.timestamp, key, value, headers: &[] }).map_err(refused)?;
    }
    builder.build().map_err(refused)
}
