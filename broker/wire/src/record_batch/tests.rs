//! Batches against the ones that Kafka writes, against themselves, and against chance.

use std::io::{BufRead, BufReader};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::compression::{Compression, CompressionError};
use crate::json::{base64, from_base64};
use crate::record_batch::control::{ControlType, QuorumRecord};

const LIMIT: usize = 1 << 20;

fn vectors() -> Vec<Json> {
    let file: &[u8] = include_bytes!("../../vectors/batches-3.9.1.jsonl.gz");
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn text(bytes: Option<&[u8]>) -> Json {
    bytes.map_or(Json::Null, |bytes| json!(base64(bytes, false)))
}

fn record_json(record: &Record<'_>) -> Json {
    let headers: Vec<Json> = record.headers.iter().map(|header| json!([header.name(), text(header.value)])).collect();
    json!({
        "offset": record.offset, "timestamp": record.timestamp, "sequence": record.sequence,
        "key": text(record.key), "value": text(record.value), "headers": headers,
    })
}

fn legacy_json(record: &legacy::LegacyRecord) -> Json {
    json!({
        "offset": record.offset, "timestamp": record.timestamp, "sequence": -1,
        "key": text(record.key.as_deref()), "value": text(record.value.as_deref()), "headers": [],
    })
}

fn batch_json(bytes: &[u8]) -> Json {
    let mut out = Vec::new();
    for batch in RecordBatches::new(bytes) {
        let batch = batch.unwrap();
        batch.check_crc().unwrap();
        out.extend(batch.records(LIMIT).unwrap().iter().map(|record| record_json(&record.unwrap())));
    }
    Json::Array(out)
}

fn set_json(bytes: &[u8]) -> Json {
    convert::read_message_set(bytes, LIMIT).unwrap().records.iter().map(legacy_json).collect()
}

#[test]
fn kafkas_batches_are_read_in_every_codec_and_format() {
    let mut formats = std::collections::BTreeSet::new();
    for vector in vectors() {
        let bytes = from_base64(vector["b"].as_str().unwrap()).unwrap();
        let kind = format!("{} {} {}", vector["magic"], vector["codec"], vector["type"]);
        match magic(&bytes) {
            Some(2) => assert_eq!(batch_json(&bytes), vector["j"], "{kind}"),
            _ => {
                assert_eq!(set_json(&bytes), vector["j"], "{kind}");
                let set = convert::read_message_set(&bytes, LIMIT).unwrap();
                assert_eq!(json!(set.magic), vector["magic"]);
                assert_eq!(json!(set.compression.name()), vector["codec"]);
            }
        }
        formats.insert(kind);
    }
    assert_eq!(formats.len(), 4 + 8 + 10 + 1, "{formats:?}");
}

/// The builder's options for a batch as Kafka wrote it.
fn options(batch: RecordBatch<'_>) -> BatchOptions {
    BatchOptions {
        base_offset: batch.base_offset(),
        leader_epoch: batch.leader_epoch(),
        compression: batch.compression().unwrap(),
        log_append_time: (batch.timestamp_type() == TimestampType::LogAppendTime).then(|| batch.max_timestamp()),
        producer: Producer {
            id: batch.producer_id(),
            epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
        },
        is_transactional: batch.is_transactional(),
        is_control: batch.is_control(),
        ..BatchOptions::default()
    }
}

#[test]
fn the_same_records_make_the_same_batch_as_kafkas() {
    for vector in vectors().iter().filter(|vector| vector["magic"] == 2) {
        let bytes = from_base64(vector["b"].as_str().unwrap()).unwrap();
        let batch = RecordBatch::parse(&bytes).unwrap();
        let mut builder = BatchBuilder::new(options(batch));
        for record in &batch.records(LIMIT).unwrap() {
            builder.append_record(&record.unwrap()).unwrap();
        }
        let built = builder.build().unwrap();
        assert_eq!(batch_json(&built), vector["j"]);
        // With log append time the records keep timestamps of their own that no reader sees.
        if batch.timestamp_type() == TimestampType::LogAppendTime {
            continue;
        }
        let ours = RecordBatch::parse(&built).unwrap();
        // Compressed bytes differ from library to library; what is in them and the header do not.
        assert_eq!(ours.records(LIMIT).unwrap().bytes(), batch.records(LIMIT).unwrap().bytes());
        assert_eq!(ours.bytes()[21..HEADER_SIZE], batch.bytes()[21..HEADER_SIZE]);
        if vector["codec"] == "none" {
            assert_eq!(built, bytes);
        }
    }
}

#[test]
fn down_conversion_gives_what_kafkas_gives() {
    let mut compared = 0;
    for vector in vectors() {
        for magic in [0_i8, 1] {
            let Some(expected) = vector[format!("d{magic}")].as_str().and_then(from_base64) else { continue };
            let bytes = from_base64(vector["b"].as_str().unwrap()).unwrap();
            let first = vector["first"].as_i64().unwrap();
            let converted = convert::down_convert(&bytes, magic, first, LIMIT).unwrap();
            assert_eq!(set_json(&converted), set_json(&expected), "{} to {magic}", vector["codec"]);
            if vector["codec"] == "none" {
                assert_eq!(converted, expected);
            } else {
                // The wrappers agree in all but the compressed bytes and what depends on them.
                let wrapper = |bytes| {
                    let message = legacy::Messages::new(bytes).next().unwrap().unwrap();
                    (message.offset, message.magic, message.attributes, message.timestamp, message.key)
                };
                assert_eq!(wrapper(&converted), wrapper(&expected));
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 2 * 3 * 2);
}

#[test]
fn old_message_sets_become_one_batch_with_the_same_records() {
    for vector in vectors().iter().filter(|vector| vector["magic"].as_i64().is_some_and(|magic| magic < 2)) {
        let bytes = from_base64(vector["b"].as_str().unwrap()).unwrap();
        let set = convert::read_message_set(&bytes, LIMIT).unwrap();
        let options = BatchOptions { base_offset: 70, compression: set.compression, ..BatchOptions::default() };
        let built = set.to_batch(options).unwrap();
        let batch = RecordBatch::parse(&built).unwrap();
        let expected: Vec<Json> = (70..)
            .zip(&set.records)
            .map(|(offset, record)| legacy_json(&legacy::LegacyRecord { offset, ..record.clone() }))
            .collect();
        assert_eq!(batch_json(&built), Json::Array(expected));
        assert_eq!(batch.last_offset(), 69 + set.records.len() as i64);
    }
}

#[test]
fn control_records_are_what_kafka_writes() {
    for vector in vectors().iter().filter(|vector| vector["control"].is_string()) {
        let bytes = from_base64(vector["b"].as_str().unwrap()).unwrap();
        let batch = RecordBatch::parse(&bytes).unwrap();
        assert!(batch.is_control());
        let records = batch.records(LIMIT).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        let options = BatchOptions {
            base_offset: batch.base_offset(),
            leader_epoch: batch.leader_epoch(),
            ..BatchOptions::default()
        };
        let built = match ControlType::of(&record).unwrap().unwrap() {
            kind @ (ControlType::Commit | ControlType::Abort) => {
                assert_eq!(QuorumRecord::read(&record), Ok(None));
                let epoch = control::coordinator_epoch(&record).unwrap();
                assert_eq!(epoch, 12);
                let is_commit = kind == ControlType::Commit;
                assert_eq!(is_commit, vector["control"] == "COMMIT");
                control::end_transaction(4711, 3, is_commit, epoch, record.timestamp, options)
            }
            _ => {
                let read = QuorumRecord::read(&record).unwrap().unwrap();
                let QuorumRecord::LeaderChange(change) = &read else { panic!("{read:?}") };
                assert_eq!((change.leader_id, change.voters[0].voter_id), (2, 2));
                control::quorum_batch(&[read], record.timestamp, options)
            }
        };
        assert_eq!(built.unwrap(), bytes);
    }
}

fn sample(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchOptions { base_offset: 5, compression, ..BatchOptions::default() });
    let headers = [Header { key: b"trace", value: Some(b"1") }, Header { key: b"none", value: None }];
    for timestamp in [1000, 900, 1100] {
        builder.append(NewRecord { timestamp, key: Some(b"key"), value: None, headers: &headers }).unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn changes_in_place_keep_the_checksum_right() {
    let mut bytes = sample(Compression::None);
    let before = RecordBatch::parse(&bytes).unwrap().crc();
    let mut batch = RecordBatchMut::parse(&mut bytes).unwrap();
    batch.set_base_offset(100);
    batch.set_leader_epoch(8);
    batch.set_max_timestamp(TimestampType::CreateTime, 1100);
    assert_eq!(batch.view().unwrap().crc(), before, "nothing that the checksum covers has changed");
    batch.set_max_timestamp(TimestampType::LogAppendTime, 5000);
    batch.set_last_offset(202);
    let view = RecordBatch::parse(&bytes).unwrap();
    view.check_crc().unwrap();
    assert_eq!((view.base_offset(), view.last_offset(), view.leader_epoch()), (200, 202, 8));
    let records = view.records(LIMIT).unwrap();
    let stamps: Vec<(i64, i64)> =
        records.iter().map(|record| record.map(|one| (one.offset, one.timestamp)).unwrap()).collect();
    assert_eq!(stamps, [(200, 5000), (201, 5000), (202, 5000)]);
}

#[test]
fn each_way_to_be_wrong_is_told_apart() {
    let good = sample(Compression::None);
    let size = good.len();
    let two = [good.clone(), good.clone()].concat();
    let errors = |bytes: &[u8]| RecordBatches::new(bytes).find_map(Result::err);
    assert_eq!(errors(&two), None);
    assert_eq!(errors(&two[..size + 5]), Some(BatchError::Torn { at: size, needed: HEADER_SIZE, remaining: 5 }));
    assert_eq!(errors(&two[..2 * size - 1]), Some(BatchError::Torn { at: size, needed: size, remaining: size - 1 }));
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(errors(&changed(MAGIC_OFFSET, 1)), Some(BatchError::UnsupportedMagic { at: 0, magic: 1 }));
    let mut short = good.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(errors(&short), Some(BatchError::InvalidLength { at: 0, length: 48 }));
    let corrupt = changed(size - 1, 0x55);
    let corrupt = RecordBatch::parse(&corrupt).unwrap();
    assert!(matches!(corrupt.check_crc(), Err(BatchError::CrcMismatch { offset: 5, .. })));
    for (declared, found) in [(2_u8, 3), (4, 3)] {
        let bytes = changed(60, declared);
        let last = RecordBatch::parse(&bytes).unwrap().records(LIMIT).unwrap().iter().last().map(|last| last.err());
        let expected = BatchError::CountMismatch { offset: 5, declared: i32::from(declared), found };
        assert_eq!(last, Some(Some(expected)));
    }
    let codec = changed(22, 5);
    let error = RecordBatch::parse(&codec).unwrap().records(LIMIT).map(|_| ());
    assert_eq!(error, Err(BatchError::Compression(CompressionError::UnknownCodec(5))));
}

#[test]
fn sequences_start_over_after_the_largest() {
    let producer = Producer { id: 1, epoch: 0, base_sequence: i32::MAX - 1 };
    let mut builder = BatchBuilder::new(BatchOptions { producer, ..BatchOptions::default() });
    for _ in 0..4 {
        builder.append(NewRecord::default()).unwrap();
    }
    let bytes = builder.build().unwrap();
    let batch = RecordBatch::parse(&bytes).unwrap();
    assert_eq!(batch.last_sequence(), 1);
    let records = batch.records(LIMIT).unwrap();
    let sequences: Vec<i32> = records.iter().map(|record| record.unwrap().sequence).collect();
    assert_eq!(sequences, [i32::MAX - 1, i32::MAX, 0, 1]);
}

#[test]
fn nothing_decompresses_to_more_than_the_limit() {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = vec![0; 500_000];
    builder.append(NewRecord { value: Some(&value), ..NewRecord::default() }).unwrap();
    let plain = builder.build().unwrap();
    let records = RecordBatch::parse(&plain).unwrap().records_bytes().to_vec();
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let small = crate::compression::compress(codec, None, &records).unwrap().into_owned();
        let decompress = |limit| crate::compression::decompress(codec, &small, limit).map(|out| out.len());
        assert_eq!(decompress(records.len()), Ok(records.len()), "{codec:?}");
        let limit = records.len() - 1;
        assert_eq!(decompress(limit), Err(CompressionError::TooLarge { limit }), "{codec:?}");
        for cut in [0, 1, small.len() / 2, small.len() - 5] {
            let cut = crate::compression::decompress(codec, &small[..cut], LIMIT);
            assert!(cut.is_err() || cut.unwrap().len() < records.len(), "{codec:?}");
        }
    }
}

#[test]
fn a_compacted_batch_keeps_its_last_offset() {
    let mut builder =
        BatchBuilder::new(BatchOptions { base_offset: 10, delete_horizon: Some(77), ..BatchOptions::default() });
    builder.append_at(12, NewRecord { timestamp: 50, ..NewRecord::default() }).unwrap();
    assert!(builder.clone().append_at(12, NewRecord::default()).is_err(), "offsets ascend");
    assert!(builder.set_last_offset(11).is_err());
    builder.set_last_offset(20).unwrap();
    let bytes = builder.build().unwrap();
    let batch = RecordBatch::parse(&bytes).unwrap();
    assert_eq!((batch.last_offset(), batch.count(), batch.delete_horizon()), (20, 1, Some(77)));
    let records = batch.records(LIMIT).unwrap();
    let record = records.iter().next().unwrap().unwrap();
    assert_eq!((record.offset, record.timestamp), (12, 50));
}

fn touch_everything(bytes: &[u8]) {
    for batch in RecordBatches::new(bytes).flatten() {
        let _ = (batch.last_offset(), batch.last_sequence(), batch.check_crc());
        if let Ok(records) = batch.records(LIMIT) {
            for record in records.iter().flatten() {
                let _ = (record.headers.iter().count(), ControlType::of(&record), QuorumRecord::read(&record));
                let _ = control::coordinator_epoch(&record);
            }
        }
    }
    let _ = convert::read_message_set(bytes, LIMIT);
    let _ = convert::down_convert(bytes, 1, 0, LIMIT);
}

proptest! {
    #[test]
    fn what_is_built_is_read(
        records in prop::collection::vec(any::<(i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>)>(), 1..8),
        base_offset in 0..i64::MAX / 2,
        codec in 0_i8..5,
    ) {
        let compression = Compression::try_from(codec).unwrap();
        let mut builder = BatchBuilder::new(BatchOptions { base_offset, compression, ..BatchOptions::default() });
        for (timestamp, key, value, headers) in &records {
            let headers: Vec<Header<'_>> =
                headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            builder.append(NewRecord { timestamp: *timestamp, key: key.as_deref(), value: value.as_deref(), headers: &headers }).unwrap();
        }
        let bytes = builder.build().unwrap();
        let batch = RecordBatch::parse(&bytes).unwrap();
        prop_assert!(batch.check_crc().is_ok());
        let set = batch.records(LIMIT).unwrap();
        let read: Vec<_> = set.iter().map(|record| record.map(|one| (
            one.timestamp,
            one.key.map(<[u8]>::to_vec),
            one.value.map(<[u8]>::to_vec),
            one.headers.iter().map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec))).collect::<Vec<_>>(),
        )).unwrap()).collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        touch_everything(&bytes);
        for codec in 0..5 {
            let _ = crate::compression::decompress(Compression::try_from(codec).unwrap(), &bytes, 1000);
        }
    }

    #[test]
    fn no_change_to_a_batch_panics(which in 0_usize..1000, changes: [(prop::sample::Index, u8); 3]) {
        let vectors = vectors();
        let mut bytes = from_base64(vectors[which % vectors.len()]["b"].as_str().unwrap()).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(mut batch) = RecordBatchMut::parse(&mut bytes) {
            batch.update_crc();
        }
        touch_everything(&bytes);
    }
}
