//! Compaction keeps the latest record of each key and everything it may not touch, whatever happens meanwhile.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use commitlog::fault::FaultyDisk;
use commitlog::{Cleaner, CleanerConfig, Env, Isolation, Log, LogConfig, OpenOptions};
use common::*;
use proptest::prelude::*;
use wire::compression::Compression as Codec;
use wire::record_batch::RecordBatches;

const DAY: i64 = 86_400_000;

fn config() -> LogConfig {
    LogConfig { compact: true, delete: false, delete_retention_ms: DAY, ..small_segments(400) }
}

/// `(offset, key, value)`.
type Row = (i64, String, Option<String>);

fn rows(log: &Log) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut next = log.offsets().log_start;
    while let Some(slice) = log.read(next, 1 << 20, Isolation::LogEnd, true).unwrap().slice {
        let bytes = slice.to_vec().unwrap();
        for batch in RecordBatches::new(&bytes) {
            let Ok(batch) = batch else { break };
            batch.check_crc().unwrap();
            next = batch.next_offset();
            for record in &batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                if !batch.is_control() {
                    rows.push((record.offset, text(record.key).unwrap_or_default(), text(record.value)));
                }
            }
        }
    }
    rows
}

fn put(log: &Log, codec: Codec, pairs: &[(&str, Option<&str>)]) {
    let records: Vec<_> =
        pairs.iter().map(|(key, value)| (NOW, Some(key.as_bytes()), value.map(str::as_bytes))).collect();
    append(log, compressed(codec, &records));
}

/// A round over all that is sealed. Returns how far it came.
fn clean(log: &Log, from: Option<i64>, now_ms: i64) -> i64 {
    let cleanable = log.cleanable(from, now_ms).unwrap();
    let report = Cleaner::new(CleanerConfig::default()).clean(log, &cleanable, now_ms).unwrap();
    assert!(!report.interrupted);
    report.cleaned_to
}

#[test]
fn only_the_latest_record_of_a_key_stays_in_what_is_sealed() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let env = Env::new(16);
        let log = open_with(&env, &path, &config(), &OpenOptions::new(NOW));
        for n in 0..60 {
            put(&log, codec, &[(&format!("k{}", n % 7), Some(&format!("v{n}"))), (&format!("l{}", n % 11), Some("x"))]);
        }
        let before = rows(&log);
        let segments = log.segment_count();
        let first_uncleaned = log.active_base_offset();
        assert_eq!(clean(&log, None, NOW), first_uncleaned);
        let after = rows(&log);
        let latest: BTreeMap<&str, i64> =
            before.iter().filter(|row| row.0 < first_uncleaned).map(|row| (row.1.as_str(), row.0)).collect();
        let expected: Vec<_> =
            before.iter().filter(|row| row.0 >= first_uncleaned || latest[row.1.as_str()] == row.0).cloned().collect();
        assert_eq!(after, expected, "{codec:?}");
        // Which segments fit together is judged by their size before the round.
        clean(&log, None, NOW);
        assert_eq!(rows(&log), expected);
        assert!(log.segment_count() < segments, "small segments are merged");
        assert_eq!(log.offsets().log_end, 120);
        env.collect_trash(i64::MAX);
        let state = (rows(&log), log.segment_count(), log.size());
        drop(log);
        let log = open(&path, &config());
        assert_eq!((rows(&log), log.segment_count(), log.size()), state, "after a recovery");
        for offset in 0..120 {
            let found = log.read(offset, 1, Isolation::LogEnd, true).unwrap();
            let next = expected.iter().find(|row| row.0 >= offset).unwrap().0;
            assert!(records_of(&found).iter().any(|(at, _)| *at == next), "from {offset}");
        }
    }
}

#[test]
fn tombstones_stay_for_delete_retention_and_then_go() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &config());
    put(&log, Codec::None, &[("gone", Some("v")), ("kept", Some("v"))]);
    put(&log, Codec::None, &[("gone", None)]);
    put(&log, Codec::None, &[("other", Some("v"))]);
    log.roll(NOW).unwrap();
    let keys = |log: &Log| rows(log).into_iter().map(|(offset, key, _)| (offset, key)).collect::<Vec<_>>();
    let named = |pairs: &[(i64, &str)]| pairs.iter().map(|(at, key)| (*at, (*key).to_owned())).collect::<Vec<_>>();
    clean(&log, None, NOW);
    assert_eq!(keys(&log), named(&[(1, "kept"), (2, "gone"), (3, "other")]));
    clean(&log, None, NOW + DAY - 1);
    assert_eq!(keys(&log), named(&[(1, "kept"), (2, "gone"), (3, "other")]));
    clean(&log, None, NOW + DAY);
    assert_eq!(keys(&log), named(&[(1, "kept"), (3, "other")]));
    assert_eq!(log.offsets().log_end, 4);
}

#[test]
fn what_is_young_or_undecided_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &LogConfig { min_compaction_lag_ms: 1000, ..config() });
    put(&log, Codec::None, &[("a", Some("1"))]);
    log.roll(NOW).unwrap();
    put(&log, Codec::None, &[("a", Some("2"))]);
    log.roll(NOW).unwrap();
    let first_uncleanable = |log: &Log, now| log.cleanable(None, now).unwrap().first_uncleanable;
    assert_eq!(first_uncleanable(&log, NOW + 999), 0);
    assert_eq!(first_uncleanable(&log, NOW + 1000), 2);
    append_transactional(&log, 5, 0, 0, &["open"]);
    log.roll(NOW).unwrap();
    assert_eq!(first_uncleanable(&log, NOW + 1000), 2, "a transaction is open");
    append_marker(&log, 5, 0, true);
    assert_eq!(first_uncleanable(&log, NOW + 1000), 3);
    let cleanable = log.cleanable(Some(1), NOW + 1000).unwrap();
    assert_eq!((cleanable.first_dirty, cleanable.overdue), (1, false));
    assert!(cleanable.dirty_ratio() > 0.5 && cleanable.is_due(0.5) && !cleanable.is_due(0.9));
    log.update_config(Arc::new(LogConfig { max_compaction_lag_ms: 5000, ..config() }));
    assert!(log.cleanable(Some(1), NOW + 5001).unwrap().is_due(0.9));
    assert_eq!(log.cleanable(Some(99), NOW).unwrap().first_dirty, 0, "a checkpoint beyond the log is none");
}

#[test]
fn aborted_records_go_at_once_and_markers_after_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &LogConfig { segment_bytes: 10_000, ..config() });
    append_transactional(&log, 1, 0, 0, &["aborted"]);
    append_marker(&log, 1, 0, false);
    append_transactional(&log, 2, 0, 0, &["committed"]);
    append_marker(&log, 2, 0, true);
    // Later records of the same producers, so that the state no longer rests on the first ones.
    append_transactional(&log, 1, 0, 1, &["second"]);
    append_marker(&log, 1, 0, true);
    append_transactional(&log, 2, 0, 1, &["third"]);
    append_marker(&log, 2, 0, true);
    put(&log, Codec::None, &[("end", Some("of round"))]);
    log.roll(NOW).unwrap();
    let producers = log.producers();
    let values = |log: &Log| rows(log).into_iter().filter_map(|row| row.2).collect::<Vec<_>>();
    let offsets_of_markers = |log: &Log| {
        let bytes = log.read(0, 1 << 20, Isolation::LogEnd, true).unwrap().slice.unwrap().to_vec().unwrap();
        let batches: Vec<_> = RecordBatches::new(&bytes).map(Result::unwrap).collect();
        let full = batches.iter().filter(|batch| batch.is_control() && batch.count() > 0);
        full.map(|batch| batch.base_offset()).collect::<Vec<_>>()
    };
    clean(&log, None, NOW);
    assert_eq!(values(&log), ["third", "of round"], "all have the key k");
    assert_eq!(offsets_of_markers(&log), [1, 3, 5, 7]);
    clean(&log, None, NOW + DAY - 1);
    assert_eq!(offsets_of_markers(&log), [1, 3, 5, 7]);
    clean(&log, None, NOW + 3 * DAY);
    // Of the last transactions there still is a batch, be it an empty one that a producer's state rests on.
    assert_eq!(offsets_of_markers(&log), [5, 7]);
    assert_eq!(log.producers(), producers);
    drop(log);
    let snapshots = files(&path).into_iter().filter(|name| name.ends_with(".snapshot"));
    snapshots.for_each(|name| std::fs::remove_file(path.join(name)).unwrap());
    let log = open(&path, &config());
    let sequences: Vec<_> =
        log.producers().iter().map(|producer| (producer.producer_id, producer.last_sequence)).collect();
    assert_eq!(sequences, [(1, 1), (2, 1)], "the state can be rebuilt from what is left");
    assert_eq!(log.offsets().last_stable, log.offsets().log_end);
}

#[test]
fn the_transaction_index_follows_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &config());
    // The aborted record is above what the map knows of in the first round: it is in the last, uncleaned segment.
    put(&log, Codec::None, &[("a", Some("1"))]);
    log.roll(NOW).unwrap();
    append_transactional(&log, 1, 0, 0, &["aborted"]);
    log.roll(NOW).unwrap();
    append_marker(&log, 1, 0, false);
    log.roll(NOW).unwrap();
    put(&log, Codec::None, &[("a", Some("2"))]);
    let before = log.aborted_transactions(0, 100).unwrap();
    assert_eq!(before.len(), 1);
    clean(&log, None, NOW);
    // The producer's last batch stays as a header, so its transaction's end is still told.
    assert_eq!(log.aborted_transactions(0, 100).unwrap(), before);
    let committed = log.read(1, 1000, Isolation::LastStable, true).unwrap();
    assert!(records_of(&committed).iter().all(|(_, value)| value != "aborted"));
}

#[test]
fn a_map_without_room_cleans_in_several_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &LogConfig { segment_bytes: 20_000, ..config() });
    for n in 0..4000 {
        put(&log, Codec::None, &[(&format!("k{}", n % 2000), Some(&n.to_string()))]);
    }
    log.roll(NOW).unwrap();
    // Room for 921 keys.
    let mut cleaner = Cleaner::new(CleanerConfig { dedupe_buffer_bytes: 24 * 1024, ..CleanerConfig::default() });
    let mut from = 0;
    let mut rounds = 0;
    while from < 4000 {
        let report = cleaner.clean(&log, &log.cleanable(Some(from), NOW).unwrap(), NOW).unwrap();
        assert!(report.cleaned_to > from);
        from = report.cleaned_to;
        rounds += 1;
    }
    assert_eq!(rounds, 5);
    let expected: Vec<_> = (2000..4000).map(|n| (n, format!("k{}", n - 2000), Some(n.to_string()))).collect();
    assert_eq!(rows(&log), expected);
}

#[test]
fn a_log_that_changes_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &LogConfig { delete: true, ..config() });
    for n in 0..20 {
        put(&log, Codec::None, &[("k", Some(&n.to_string()))]);
    }
    log.roll(NOW).unwrap();
    let stale = log.cleanable(None, NOW).unwrap();
    log.truncate_fully_and_start_at(100, NOW).unwrap();
    put(&log, Codec::None, &[("k", Some("new"))]);
    let report = Cleaner::new(CleanerConfig::default()).clean(&log, &stale, NOW).unwrap();
    assert_eq!(report.segments_after, 0);
    assert_eq!(rows(&log), [(100, "k".to_owned(), Some("new".to_owned()))]);
}

#[test]
fn a_kill_at_any_operation_leaves_the_old_or_the_new() {
    let write = |log: &Log| {
        for n in 0..12 {
            put(log, Codec::None, &[(&format!("k{}", n % 3), Some(&n.to_string()))]);
        }
        append_transactional(log, 1, 0, 0, &["aborted"]);
        append_marker(log, 1, 0, false);
        for n in 12..24 {
            put(log, Codec::None, &[(&format!("k{}", n % 3), Some(&n.to_string()))]);
        }
        log.roll(NOW).unwrap();
        log.flush().unwrap();
    };
    let latest = |log: &Log| -> BTreeMap<String, (i64, Option<String>)> {
        rows(log).into_iter().map(|(offset, key, value)| (key, (offset, value))).collect()
    };
    let attempt = |path: &Path, operations: u64| {
        let disk = Arc::new(FaultyDisk::new());
        let log = open_with(&Env::with_disk(Arc::clone(&disk) as _, 16), path, &config(), &OpenOptions::new(NOW));
        write(&log);
        let expected = latest(&log);
        let cleanable = log.cleanable(None, NOW).unwrap();
        disk.kill_after(operations);
        let finished = Cleaner::new(CleanerConfig::default()).clean(&log, &cleanable, NOW).is_ok();
        (finished, expected, log.recovery_point())
    };
    let mut operations = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let (finished, expected, recovery_point) = attempt(&path, operations);
        for clean in [false, true] {
            let options = OpenOptions { recovery_point, clean, ..OpenOptions::new(NOW) };
            let log = open_with(&quick_env(), &path, &config(), &options);
            // A committed reader must not see the aborted record either way.
            let mut expected = expected.clone();
            let mut found = latest(&log);
            if !found.contains_key("k") {
                expected.remove("k");
            } else {
                assert_eq!(log.aborted_transactions(0, 100).unwrap().len(), 1, "killed after {operations}");
                found.remove("k");
                expected.remove("k");
            }
            assert_eq!(found, expected, "killed after {operations}");
            assert_eq!(log.offsets().log_end, 26);
            let left = files(&path).into_iter().filter(|name| name.ends_with(".swap") || name.ends_with(".cleaned"));
            assert_eq!(left.count(), 0, "killed after {operations}");
        }
        if finished {
            break;
        }
        operations += 1;
    }
    assert!(operations > 30, "{operations} operations were tried");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Readers that keep the latest value of each key can't tell a compacted log from one that never was.
    #[test]
    fn compaction_never_changes_what_the_keys_say(
        writes in proptest::collection::vec((0..6_u8, proptest::option::weighted(0.8, 0..100_u8), 0..3_u8, any::<bool>()), 1..150),
        rounds in proptest::collection::vec(0..3 * DAY, 1..4),
        batch_size in 1..4_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder.path().join("t-0"), &config());
        let mut model: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut from = None;
        let mut now = NOW;
        for (part, wait) in writes.chunks(writes.len().div_ceil(rounds.len())).zip(&rounds) {
            for group in part.chunks(batch_size) {
                let records: Vec<(String, Option<String>)> = group
                    .iter()
                    .map(|(key, value, ..)| (format!("k{key}"), value.map(|value| value.to_string())))
                    .collect();
                let pairs: Vec<_> = records.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
                put(&log, [Codec::None, Codec::Zstd, Codec::Lz4][usize::from(group[0].2)], &pairs);
                model.extend(records);
                if group[0].3 {
                    log.roll(NOW).unwrap();
                }
            }
            let before = rows(&log);
            from = Some(clean(&log, from, now));
            let after = rows(&log);
            prop_assert!(after.iter().all(|row| before.contains(row)), "records only go");
            now += wait;
        }
        let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
        found.extend(rows(&log).into_iter().map(|(_, key, value)| (key, value)));
        for (key, value) in &model {
            // A deleted key may be gone altogether.
            prop_assert_eq!(found.get(key).cloned().flatten(), value.clone(), "{}", key);
        }
        prop_assert!(found.keys().all(|key| model.contains_key(key)));
        prop_assert_eq!(log.offsets().log_end as usize, writes.len());
    }
}
