//! What a batch must be before it may enter a log (Kafka's `LogValidator` and `UnifiedLog.analyzeAndValidateRecords`).
//!
//! Most batches are judged by their header, their CRC and, if they are not compressed, a walk over their records.
//! Compressed ones are opened only where a setting of the topic asks about single records; see [`crate::convert`].
//!
//! All of this happens before the log's lock is taken.

use wire::record_batch::{Record, RecordBatch};

use crate::append::{AppendContext, Origin};
use crate::batch::{self, BatchHeader, HEADER};
use crate::config::{LogConfig, TimestampType};
use crate::convert;
use crate::error::{AppendError, RecordError};

/// Batches that may be appended: nothing but their place is missing.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) bytes: Bytes<'a>,
    /// Number of batches.
    pub(crate) count: usize,
}

/// The bytes as they came, or what they were converted to.
#[derive(Debug)]
pub(crate) enum Bytes<'a> {
    AsReceived(&'a mut [u8]),
    Converted(Vec<u8>),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::AsReceived(bytes) => bytes,
            Bytes::Converted(bytes) => bytes,
        }
    }
}

impl std::ops::DerefMut for Bytes<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Bytes::AsReceived(bytes) => bytes,
            Bytes::Converted(bytes) => bytes,
        }
    }
}

/// Checks `bytes` and makes of them what goes to disk.
pub(crate) fn prepare<'a>(
    bytes: &'a mut [u8],
    context: &AppendContext,
    config: &LogConfig,
    log: &str,
) -> Result<Prepared<'a>, AppendError> {
    let Shape { len, count, old_format } = shape(bytes, context, config, log)?;
    let bytes = &mut bytes[..len];
    let rules = Rules { log, now_ms: context.now_ms, origin: context.origin, config };
    let mut bytes = if old_format {
        Bytes::Converted(convert::up_convert(bytes, &rules)?)
    } else {
        match check_batches(bytes, &rules)? {
            Some(rewritten) => Bytes::Converted(rewritten),
            None => Bytes::AsReceived(bytes),
        }
    };
    let count = if old_format { 1 } else { count };
    if let Bytes::Converted(converted) = &bytes {
        for (_, batch) in batch::Batches::new(converted) {
            check_size(batch.len(), config, log)?;
        }
    }
    if bytes.len() as u64 > config.segment_bytes {
        let max = usize::try_from(config.segment_bytes).unwrap_or(usize::MAX);
        return Err(AppendError::RecordListTooLarge { log: log.to_owned(), size: bytes.len(), max });
    }
    if config.message_timestamp_type == TimestampType::LogAppendTime {
        stamp(&mut bytes, context.now_ms);
    }
    Ok(Prepared { bytes, count })
}

/// Batches as far as lengths and checksums tell.
struct Shape {
    /// Bytes of whole batches; what follows is a torn one, which is dropped.
    len: usize,
    count: usize,
    /// Message formats v0 or v1.
    old_format: bool,
}

fn shape(bytes: &[u8], context: &AppendContext, config: &LogConfig, log: &str) -> Result<Shape, AppendError> {
    let mut shape = Shape { len: 0, count: 0, old_format: false };
    while let Some((magic, size)) = next_size(&bytes[shape.len..])? {
        let Some(batch) = bytes.get(shape.len..shape.len + size) else { break };
        if magic < 2 {
            shape.old_format = true;
        } else {
            check_header(batch, context, log)?;
        }
        check_size(size, config, log)?;
        if magic == 2 {
            check_crc(batch, log)?;
        }
        shape.len += size;
        shape.count += 1;
    }
    Ok(shape)
}

/// Magic and size of the batch (or message) that begins `bytes`; `None` if too few bytes are left to tell.
///
/// # Errors
/// [`AppendError::CorruptMessage`] for a length or a magic that no format has.
pub fn next_size(bytes: &[u8]) -> Result<Option<(i8, usize)>, AppendError> {
    /// The least a message of the oldest format takes after its length: crc, magic, attributes, two lengths.
    const LEAST: i32 = 14;
    let Some(length) = bytes.get(8..12).and_then(|length| length.first_chunk()) else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    if length < LEAST {
        return Err(AppendError::CorruptMessage(format!(
            "Record size {length} is less than the minimum record overhead ({LEAST})"
        )));
    }
    let Some(&magic) = bytes.get(16) else { return Ok(None) };
    let magic = magic as i8;
    if !(0..=2).contains(&magic) {
        return Err(AppendError::CorruptMessage(format!("Invalid magic found in record: {magic}")));
    }
    Ok(Some((magic, length as usize + batch::LOG_OVERHEAD)))
}

fn check_header(batch: &[u8], context: &AppendContext, log: &str) -> Result<(), AppendError> {
    let Some(header) = BatchHeader::parse(batch) else {
        return Err(AppendError::CorruptMessage(format!(
            "Record batch is corrupted (the size {} is smaller than the minimum allowed overhead {HEADER}) in topic \
             partition {log}.",
            batch.len()
        )));
    };
    if context.origin == Origin::Client && header.base_offset != 0 {
        return Err(AppendError::invalid(format!(
            "The baseOffset of the record batch in the append to {log} should be 0, but it is {}",
            header.base_offset
        )));
    }
    Ok(())
}

fn check_size(size: usize, config: &LogConfig, log: &str) -> Result<(), AppendError> {
    if size > config.max_message_bytes {
        return Err(AppendError::RecordTooLarge { log: log.to_owned(), size, max: config.max_message_bytes });
    }
    Ok(())
}

fn check_crc(batch: &[u8], log: &str) -> Result<(), AppendError> {
    let stored = BatchHeader::parse(batch).map_or(0, |header| header.crc);
    let computed = batch::crc_of(batch);
    if stored != computed {
        return Err(AppendError::CorruptMessage(format!(
            "Record is corrupt (stored crc = {stored}, computed crc = {computed}) in topic partition {log}."
        )));
    }
    Ok(())
}

/// What the checks of batches and records go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) log: &'a str,
    pub(crate) now_ms: i64,
    pub(crate) origin: Origin,
    pub(crate) config: &'a LogConfig,
}

/// Checks batches of magic 2. Returns other bytes where the topic's settings demand it.
fn check_batches(bytes: &mut [u8], rules: &Rules<'_>) -> Result<Option<Vec<u8>>, AppendError> {
    if rules.origin == Origin::Client && batch::Batches::new(bytes).nth(1).is_some() {
        return Err(AppendError::invalid("Compressed outer record has more than one batch"));
    }
    let mut rewritten: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(header) = BatchHeader::parse(&bytes[at..]) {
        let size = header.size().unwrap_or(HEADER);
        let batch = &mut bytes[at..at + size];
        at += size;
        check_batch(&header, rules)?;
        let converted = if header.is_control() || !convert::is_needed(&header, rules) {
            None
        } else {
            convert::check_and_recompress(&header, batch, rules)?
        };
        if converted.is_none() && header.codec() == 0 {
            check_plain(&header, batch, rules)?;
        }
        match (&mut rewritten, converted) {
            (Some(all), Some(new)) => all.extend_from_slice(&new),
            (Some(all), None) => all.extend_from_slice(batch),
            (None, Some(new)) => {
                // The batches before this one stay as they are.
                let mut all = bytes[..at - size].to_vec();
                all.extend_from_slice(&new);
                rewritten = Some(all);
            }
            (None, None) => {}
        }
    }
    Ok(rewritten)
}

/// Kafka's `LogValidator.validateBatch`.
fn check_batch(header: &BatchHeader, rules: &Rules<'_>) -> Result<(), AppendError> {
    let log = rules.log;
    if rules.origin == Origin::Client {
        let (base, last) = (header.base_offset, header.last_offset());
        let range = last - base + 1;
        if range <= 0 {
            return Err(AppendError::invalid(format!(
                "Batch has an invalid offset range: [{base}, {last}] in topic partition {log}"
            )));
        }
        if header.count <= 0 {
            return Err(AppendError::invalid(format!(
                "Invalid reported count for record batch: {} in topic partition {log}",
                header.count
            )));
        }
        if range != i64::from(header.count) {
            return Err(AppendError::invalid(format!(
                "Inconsistent batch offset range [{base}, {last}] and count of records {} in topic partition {log}",
                header.count
            )));
        }
        if header.is_control() {
            return Err(AppendError::invalid(format!(
                "Clients are not allowed to write control records in topic partition {log}"
            )));
        }
        if header.has_producer_id() && header.base_sequence < 0 {
            return Err(AppendError::invalid(format!(
                "Invalid sequence number {} in record batch with producerId {} in topic partition {log}",
                header.base_sequence, header.producer_id
            )));
        }
    } else if header.last_offset_delta < 0 {
        return Err(AppendError::invalid(format!("batch without records in topic partition {log}")));
    }
    if header.codec() > 4 {
        return Err(AppendError::invalid(format!("Unknown compression type id: {}", header.codec())));
    }
    Ok(())
}

/// Walks over the records of a batch that is not compressed, and sets the batch's largest timestamp to theirs.
fn check_plain(header: &BatchHeader, batch: &mut [u8], rules: &Rules<'_>) -> Result<(), AppendError> {
    let mut errors = Vec::new();
    let mut max_timestamp = -1;
    let invalid = |error: wire::record_batch::BatchError| AppendError::invalid(error.to_string());
    let set = RecordBatch::parse(batch).and_then(|view| view.records(batch.len())).map_err(invalid)?;
    for (index, record) in set.iter().enumerate() {
        let record = record.map_err(invalid)?;
        max_timestamp = max_timestamp.max(record.timestamp);
        rules.check_record(header, &record, index, &mut errors);
    }
    if !errors.is_empty() {
        return Err(refusal(errors));
    }
    drop(set);
    let differs = max_timestamp != header.max_timestamp || header.is_log_append_time();
    if rules.config.message_timestamp_type == TimestampType::CreateTime && differs {
        batch::set_create_time(batch, max_timestamp);
    }
    Ok(())
}

impl Rules<'_> {
    /// Adds what is wrong with a record (Kafka's `validateRecord`): whether it is its timestamp, and the text.
    pub(crate) fn check_record(
        &self,
        header: &BatchHeader,
        record: &Record<'_>,
        index: usize,
        errors: &mut Vec<(bool, RecordError)>,
    ) {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        if self.config.compact && record.key.is_none() && !header.is_control() {
            let message = format!("Compacted topic cannot accept message without key in topic partition {}", self.log);
            errors.push((false, RecordError { index, message }));
            return;
        }
        if let Some(message) = self.bad_timestamp(header, record.timestamp, record.offset) {
            errors.push((true, RecordError { index, message }));
        }
    }

    pub(crate) fn bad_timestamp(&self, header: &BatchHeader, timestamp: i64, offset: i64) -> Option<String> {
        let LogConfig { message_timestamp_before_max_ms: before, message_timestamp_after_max_ms: after, .. } =
            *self.config;
        let ahead = i128::from(timestamp) - i128::from(self.now_ms);
        let create_time = self.config.message_timestamp_type == TimestampType::CreateTime;
        if create_time && timestamp != -1 {
            let is_out = ahead > after.into() || -ahead > before.into();
            return is_out.then(|| {
                format!(
                    "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                     within [{}, {}]",
                    self.now_ms.wrapping_sub(before),
                    self.now_ms.wrapping_add(after)
                )
            });
        }
        header.is_log_append_time().then(|| {
            format!(
                "Invalid timestamp type in message with offset {offset}. Producer should not set timestamp type to \
                 LogAppendTime."
            )
        })
    }
}

/// The refusal for records at fault (Kafka's `processRecordErrors`): a wrong timestamp among them decides.
pub(crate) fn refusal(errors: Vec<(bool, RecordError)>) -> AppendError {
    let timestamps = errors.iter().any(|(timestamp, _)| *timestamp);
    let records: Vec<RecordError> = errors.into_iter().map(|(_, error)| error).collect();
    if timestamps {
        let message = "One or more records have been rejected due to invalid timestamp".to_owned();
        return AppendError::InvalidTimestamp { message, records };
    }
    let shown: Vec<String> = records
        .iter()
        .take(3)
        .map(|error| format!("RecordError(batchIndex={}, message='{}')", error.index, error.message))
        .collect();
    let message = format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three \
         errors at most: [{}]",
        records.len(),
        shown.join(", ")
    );
    AppendError::InvalidRecord { message, records }
}

fn stamp(bytes: &mut [u8], now_ms: i64) {
    let mut rest = bytes;
    while let Some(size) = BatchHeader::parse(rest).and_then(|header| header.size()) {
        let Some((this, others)) = rest.split_at_mut_checked(size) else { break };
        batch::set_log_append_time(this, now_ms);
        rest = others;
    }
}
