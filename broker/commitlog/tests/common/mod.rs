//! What the tests of this crate share.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::path::Path;
use std::sync::Arc;

use commitlog::fault::FaultyDisk;
use commitlog::{AppendContext, Env, Fetched, Isolation, Log, LogConfig, OpenOptions};
use wire::compression::Compression;
use wire::record_batch::{BatchBuilder, BatchOptions, NewRecord, Producer, RecordBatches, control};

/// A point in time, in ms.
pub const NOW: i64 = 1_700_000_000_000;

/// A config whose segments are small.
pub fn small_segments(bytes: u64) -> LogConfig {
    LogConfig { segment_bytes: bytes, index_interval_bytes: 64, file_delete_delay_ms: 0, ..LogConfig::default() }
}

/// A disk without faults that syncs nothing: tests that don't crash the machine need not wait for it.
pub fn quick_env() -> Arc<Env> {
    Env::with_disk(Arc::new(FaultyDisk::new()), 64)
}

/// Opens the log of `folder`, everything checked.
pub fn open(folder: &Path, config: &LogConfig) -> Log {
    open_with(&quick_env(), folder, config, &OpenOptions::new(NOW))
}

pub fn open_with(env: &Arc<Env>, folder: &Path, config: &LogConfig, options: &OpenOptions) -> Log {
    Log::open(env, folder.to_path_buf(), Arc::new(config.clone()), options).unwrap()
}

/// Timestamp, key and value.
pub type Fields<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

/// A batch of records.
pub fn batch_with(options: BatchOptions, records: &[Fields<'_>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for &(timestamp, key, value) in records {
        builder.append(NewRecord { timestamp, key, value, headers: &[] }).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of `values`, each with the key `k`, all of one time.
pub fn batch(timestamp: i64, values: &[&str]) -> Vec<u8> {
    let records: Vec<_> = values.iter().map(|value| (timestamp, Some(&b"k"[..]), Some(value.as_bytes()))).collect();
    batch_with(BatchOptions::default(), &records)
}

pub fn compressed(codec: Compression, records: &[Fields<'_>]) -> Vec<u8> {
    batch_with(BatchOptions { compression: codec, ..BatchOptions::default() }, records)
}

pub fn idempotent(id: i64, epoch: i16, sequence: i32, transactional: bool, values: &[&str]) -> Vec<u8> {
    let records: Vec<_> = values.iter().map(|value| (NOW, Some(&b"k"[..]), Some(value.as_bytes()))).collect();
    let producer = Producer { id, epoch, base_sequence: sequence };
    batch_with(BatchOptions { producer, is_transactional: transactional, ..BatchOptions::default() }, &records)
}

pub fn marker(id: i64, epoch: i16, commit: bool, coordinator_epoch: i32) -> Vec<u8> {
    control::end_transaction(id, epoch, commit, coordinator_epoch, NOW, BatchOptions::default()).unwrap()
}

pub fn client() -> AppendContext {
    AppendContext::client(3, NOW)
}

pub fn append(log: &Log, mut bytes: Vec<u8>) -> commitlog::AppendInfo {
    let info = log.append(&mut bytes, &client()).unwrap();
    log.advance_high_watermark(info.last_offset + 1);
    info
}

/// Appends a batch of a transaction that the coordinator has confirmed.
pub fn append_transactional(log: &Log, id: i64, epoch: i16, sequence: i32, values: &[&str]) -> commitlog::AppendInfo {
    let verification = log.start_verification(id, epoch, sequence, false, NOW).unwrap();
    let context = AppendContext { verification, ..client() };
    let info = log.append(&mut idempotent(id, epoch, sequence, true, values), &context).unwrap();
    log.advance_high_watermark(info.last_offset + 1);
    info
}

/// Appends a marker as the transaction coordinator does.
pub fn append_marker(log: &Log, id: i64, epoch: i16, commit: bool) -> commitlog::AppendInfo {
    let info = log.append(&mut marker(id, epoch, commit, 4), &AppendContext::coordinator(3, NOW)).unwrap();
    log.advance_high_watermark(info.last_offset + 1);
    info
}

/// All of a log's records from `offset` on, as `(offset, value)`.
pub fn values_from(log: &Log, offset: i64) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    let mut next = offset;
    loop {
        let fetched = log.read(next, 1 << 20, Isolation::LogEnd, true).unwrap();
        let records = records_of(&fetched);
        let Some(last) = records.last().map(|(last, _)| *last) else { return values };
        values.extend(records.into_iter().filter(|(offset, _)| *offset >= next));
        next = last + 1;
    }
}

/// The whole batches of a slice, as `(offset, value)`; a torn batch at the end is left out.
pub fn records_of(fetched: &Fetched) -> Vec<(i64, String)> {
    let Some(slice) = &fetched.slice else { return Vec::new() };
    let bytes = slice.to_vec().unwrap();
    let mut records = Vec::new();
    for batch in RecordBatches::new(&bytes) {
        let Ok(batch) = batch else { break };
        batch.check_crc().unwrap();
        for record in &batch.records(1 << 30).unwrap() {
            let record = record.unwrap();
            records.push((record.offset, String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned()));
        }
    }
    records
}

/// Names of a folder's files, sorted.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
