//! Records in requests and replies: built from JSON, and shown as JSON.
//!
//! In a request `{"$batch": {...}}` stands for the bytes of a batch, `{"$batch": [{...}, ...]}` for several. Fields, all
//! but `records` optional: `records` (each with `k`, `v`, `t` and `h`), `magic`, `compression`, `baseOffset`,
//! `producerId`, `producerEpoch`, `baseSequence`, `transactional`, `control`, `appendTime`; and to make it wrong: `set`
//! (byte positions and values, after which the checksum is made right), `spoil` (the same, the checksum left alone), `cut`
//! (bytes left out at the end), `append` (bytes added).

use serde_json::{Value as Json, json};
use wire::compression::Compression;
use wire::json::{base64, from_base64};
use wire::record_batch::{
    BatchBuilder, BatchOptions, Header, NewRecord, Producer, RecordBatch, RecordBatchMut, RecordBatches, TimestampType,
    control, convert, legacy, magic,
};

/// The field that marks a batch in a request.
pub const BATCH: &str = "$batch";
/// The timestamp of records that do not give one, in ms since 1970.
pub const TIMESTAMP: i64 = 1_700_000_000_000;
const LIMIT: usize = 64 << 20;

/// The bytes of what `$batch` describes, as base64.
///
/// # Panics
/// When it describes nothing that can be built, which is a mistake of the scenario.
#[must_use]
pub fn build(description: &Json) -> Json {
    let bytes = match description {
        Json::Array(batches) => batches.iter().flat_map(one).collect(),
        batch => one(batch),
    };
    json!(base64(&bytes, false))
}

fn one(batch: &Json) -> Vec<u8> {
    let number = |name: &str, default: i64| batch[name].as_i64().unwrap_or(default);
    let compression = batch["compression"].as_str().unwrap_or("none");
    let options = BatchOptions {
        base_offset: number("baseOffset", 0),
        compression: Compression::from_name(compression).unwrap_or_else(|| panic!("no compression {compression}")),
        log_append_time: batch["appendTime"].as_i64(),
        producer: Producer {
            id: number("producerId", -1),
            epoch: number("producerEpoch", -1) as i16,
            base_sequence: number("baseSequence", -1) as i32,
        },
        is_transactional: batch["transactional"] == true,
        is_control: batch["control"] == true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    for record in batch["records"].as_array().unwrap_or_else(|| panic!("no records in {batch}")) {
        append(&mut builder, record);
    }
    let mut bytes = builder.build().expect("a batch can be built");
    spoil(&mut bytes, &batch["set"]);
    if !batch["set"].is_null() {
        RecordBatchMut::parse(&mut bytes).expect("a batch that still is one").update_crc();
    }
    let magic = number("magic", 2);
    if magic < 2 {
        bytes = convert::down_convert(&bytes, magic as i8, 0, LIMIT).expect("a batch can be converted");
    }
    spoil(&mut bytes, &batch["spoil"]);
    bytes.truncate(bytes.len() - number("cut", 0) as usize);
    bytes.extend(vec![0; number("append", 0) as usize]);
    bytes
}

fn append(builder: &mut BatchBuilder, record: &Json) {
    let text = |value: &Json| value.as_str().map(|text| text.as_bytes().to_vec());
    let (key, value) = (text(&record["k"]), text(&record["v"]));
    let headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = record["h"].as_array().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (text(&header[0]).unwrap_or_default(), text(&header[1]))).collect()
    });
    let headers: Vec<Header<'_>> = headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
    let timestamp = record["t"].as_i64().unwrap_or(TIMESTAMP);
    let record = NewRecord { timestamp, key: key.as_deref(), value: value.as_deref(), headers: &headers };
    builder.append(record).expect("a record can be appended");
}

fn spoil(bytes: &mut [u8], changes: &Json) {
    for change in changes.as_array().into_iter().flatten() {
        let (at, value) = (change[0].as_u64().unwrap_or_default(), change[1].as_u64().unwrap_or_default());
        bytes[at as usize] = value as u8;
    }
}

/// A record of a key and a value.
#[must_use]
pub fn record(key: &str, value: &str) -> Json {
    json!({ "k": key, "v": value })
}

/// A batch of `count` records whose values are numbers from `from` on.
#[must_use]
pub fn batch(from: usize, count: usize) -> Json {
    let records: Vec<Json> =
        (from..from + count).map(|number| json!({ "k": format!("k{number}"), "v": format!("v{number}") })).collect();
    json!({ BATCH: { "records": records } })
}

/// Records of a reply, with every field of every batch.
#[must_use]
pub fn show(records: &Json) -> Json {
    let Some(bytes) = records.as_str().and_then(from_base64) else { return records.clone() };
    let mut shown = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(format) = magic(rest) {
        let (taken, batch) = if format == 2 { show_batch(rest) } else { show_message(rest) };
        if taken == 0 {
            break;
        }
        shown.push(batch);
        rest = &rest[taken..];
    }
    if !rest.is_empty() {
        shown.push(json!({ "partOfABatch": rest.len() }));
    }
    Json::Array(shown)
}

fn show_batch(bytes: &[u8]) -> (usize, Json) {
    let Some(Ok(batch)) = RecordBatches::new(bytes).next() else { return (0, Json::Null) };
    let compressed = batch.compression().is_ok_and(|codec| codec != Compression::None);
    let by_broker = batch.is_control() || batch.timestamp_type() == TimestampType::LogAppendTime;
    let timestamp = if by_broker { "appendTimestamp" } else { "timestamp" };
    let records: Vec<Json> = match batch.records(LIMIT) {
        Err(error) => vec![json!(error.to_string())],
        Ok(records) => records.iter().map(|record| show_record(batch, record, timestamp)).collect(),
    };
    let shown = json!({
        // Compressed bytes differ from library to library.
        "size": (!compressed).then(|| batch.size()),
        "baseOffset": batch.base_offset(), "partitionLeaderEpoch": batch.leader_epoch(),
        "crcIsRight": batch.check_crc().is_ok(), "attributes": batch.attributes().0,
        "lastOffsetDelta": batch.last_offset_delta(), "producerId": batch.producer_id(),
        "producerEpoch": batch.producer_epoch(), "baseSequence": batch.base_sequence(), "count": batch.count(),
        format!("base_{timestamp}"): batch.base_timestamp(), format!("max_{timestamp}"): batch.max_timestamp(),
        "records": records,
    });
    (batch.size(), shown)
}

fn show_record(
    batch: RecordBatch<'_>,
    record: Result<wire::record_batch::Record<'_>, wire::record_batch::BatchError>,
    timestamp: &str,
) -> Json {
    let record = match record {
        Ok(record) => record,
        Err(error) => return json!(error.to_string()),
    };
    let headers: Vec<Json> = record.headers.iter().map(|header| json!([header.name(), text(header.value)])).collect();
    let epoch = batch.is_control().then(|| control::coordinator_epoch(&record).ok());
    let value = if batch.is_control() { json!({ "coordinatorEpoch": epoch }) } else { text(record.value) };
    json!({
        "offset": record.offset, timestamp: record.timestamp, "key": text(record.key), "value": value,
        "headers": headers,
    })
}

fn show_message(bytes: &[u8]) -> (usize, Json) {
    let Some(Ok(message)) = legacy::Messages::new(bytes).next() else { return (0, Json::Null) };
    let records = match legacy::unwrap(&message, LIMIT) {
        Err(error) => json!(error.to_string()),
        Ok(records) => records
            .iter()
            .map(|record| {
                let (key, value) = (text(record.key.as_deref()), text(record.value.as_deref()));
                json!({ "offset": record.offset, "timestamp": record.timestamp, "key": key, "value": value })
            })
            .collect(),
    };
    let compressed = message.compression().is_ok_and(|codec| codec != Compression::None);
    let shown = json!({
        "size": (!compressed).then(|| message.bytes().len()), "offset": message.offset, "magic": message.magic,
        "attributes": message.attributes, "timestamp": message.timestamp, "records": records,
    });
    (message.bytes().len(), shown)
}

fn text(bytes: Option<&[u8]>) -> Json {
    json!(bytes.map(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|character| !character.is_control()) => text.to_owned(),
        _ => format!("base64 {}", base64(bytes, false)),
    }))
}
