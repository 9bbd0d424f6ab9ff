//! A log does what its documentation says, one property a test.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::sync::Arc;

use commitlog::{
    AppendContext, AppendError, Compression, Env, Isolation, LogConfig, LogError, OffsetQuery, OpenOptions, ReadError,
    TimestampType,
};
use common::*;
use wire::compression::Compression as Codec;
use wire::record_batch::{BatchOptions, RecordBatch, RecordBatches};

#[test]
fn records_come_back_with_growing_offsets_across_segments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &small_segments(300));
    for n in 0..50 {
        let info = append(&log, batch(NOW + n, &[&format!("a{n}"), &format!("b{n}")]));
        assert_eq!((info.first_offset, info.last_offset), (2 * n, 2 * n + 1));
    }
    assert!(log.segment_count() > 10);
    let expected: Vec<_> = (0..50).flat_map(|n| [(2 * n, format!("a{n}")), (2 * n + 1, format!("b{n}"))]).collect();
    assert_eq!(values_from(&log, 0), expected);
    for offset in 0..100 {
        assert_eq!(values_from(&log, offset), expected[offset as usize..], "from {offset}");
    }
    assert!(matches!(log.read(101, 100, Isolation::LogEnd, true), Err(ReadError::OutOfRange { .. })));
    assert!(log.read(100, 100, Isolation::LogEnd, true).unwrap().slice.is_none());
}

#[test]
fn boundaries_before_a_time_are_those_written_to_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &small_segments(70));
    for n in 0..3 {
        append(&log, batch(NOW, &[&n.to_string()]));
    }
    // Segments are written to by the clock of the system.
    let later = i64::MAX / 2;
    let before = |timestamp, limit| log.boundaries_before(timestamp, limit, later).unwrap();
    assert_eq!(before(-1, 9), [3, 2, 1, 0]);
    assert_eq!(before(-2, 9), [0]);
    assert_eq!(before(later - 1, 9), [2, 1, 0]);
    assert_eq!(before(later, 9), [3, 2, 1, 0], "the end is written to now");
    assert_eq!(before(later, 2), [3, 2]);
    assert!(before(1, 9).is_empty());
}

#[test]
fn a_read_is_limited_but_for_the_first_batch() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &LogConfig::default());
    let size = append(&log, batch(NOW, &["one"])).bytes;
    append(&log, batch(NOW, &["two"]));
    let read = |max, whole| log.read(0, max, Isolation::HighWatermark, whole).unwrap();
    assert_eq!(records_of(&read(1, true)), [(0, "one".to_owned())]);
    let cut = read(10, false);
    assert!(cut.first_batch_incomplete);
    assert_eq!(cut.slice.unwrap().len, 10);
    assert_eq!(records_of(&read(size, false)).len(), 1);
    assert_eq!(read(size + 5, false).slice.unwrap().len, size + 5);
    assert_eq!(records_of(&read(1000, false)).len(), 2);
}

#[test]
fn readers_stop_at_the_high_watermark_even_within_a_segment() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &LogConfig::default());
    for n in 0..5 {
        log.append(&mut batch(NOW, &[&n.to_string()]), &client()).unwrap();
    }
    assert!(log.read(0, 1000, Isolation::HighWatermark, true).unwrap().slice.is_none());
    assert!(log.advance_high_watermark(3));
    assert!(!log.advance_high_watermark(2));
    let seen = log.read(1, 1000, Isolation::HighWatermark, true).unwrap();
    assert_eq!(records_of(&seen), [(1, "1".to_owned()), (2, "2".to_owned())]);
    assert_eq!(values_from(&log, 0).len(), 5);
}

#[test]
fn only_place_and_append_time_change_in_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
    let log = open(&folder.path().join("t-0"), &config);
    append(&log, batch(5, &["x"]));
    let mut sent = compressed(Codec::Gzip, &[(7, None, Some(b"one")), (9, None, Some(b"two"))]);
    let original = sent.clone();
    let info = log.append(&mut sent, &AppendContext::client(8, NOW + 1)).unwrap();
    assert_eq!((info.log_append_time, info.max_timestamp, info.offset_of_max_timestamp), (NOW + 1, NOW + 1, 2));
    let stored = log.read(1, 1000, Isolation::LogEnd, true).unwrap().slice.unwrap().to_vec().unwrap();
    let stored = RecordBatch::parse(&stored).unwrap();
    stored.check_crc().unwrap();
    assert_eq!((stored.base_offset(), stored.leader_epoch(), stored.max_timestamp()), (1, 8, NOW + 1));
    assert_eq!(stored.records_bytes(), &original[61..]);
    for record in &stored.records(1000).unwrap() {
        assert_eq!(record.unwrap().timestamp, NOW + 1);
    }
}

#[test]
fn compressed_bytes_that_are_none_are_told_from_records_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { compression: Compression::None, ..LogConfig::default() };
    let log = open(&folder.path().join("t-0"), &config);
    for codec in 1..=4 {
        let mut spoiled = batch_with(BatchOptions::default(), &[(NOW, Some(b"a"), Some(b"b"))]);
        spoiled[22] = codec;
        wire::record_batch::RecordBatchMut::parse(&mut spoiled).unwrap().update_crc();
        let error = log.append(&mut spoiled, &client()).unwrap_err();
        assert!(matches!(error, AppendError::Undecodable(_)), "codec {codec}: {error}");
    }
    let mut short = compressed(Codec::Gzip, &[(NOW, None, Some(b"one"))]);
    (short[26], short[60]) = (8, 9);
    wire::record_batch::RecordBatchMut::parse(&mut short).unwrap().update_crc();
    let error = log.append(&mut short, &client()).unwrap_err();
    assert!(matches!(error, AppendError::InvalidRecord { .. }), "{error}");
}

#[test]
fn batches_that_lie_are_refused_and_the_log_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { max_message_bytes: 300, segment_bytes: 1000, ..LogConfig::default() };
    let log = open(&folder.path().join("t-0"), &config);
    append(&log, batch(NOW, &["good"]));
    let refuse = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = batch(NOW, &["a", "b"]);
        change(&mut bytes);
        let error = log.append(&mut bytes, &client()).unwrap_err();
        assert_eq!(log.offsets().log_end, 1);
        error
    };
    let with_crc = |bytes: &mut Vec<u8>| wire::record_batch::RecordBatchMut::parse(bytes).unwrap().update_crc();
    let flipped = refuse(&|bytes| *bytes.last_mut().unwrap() ^= 1);
    assert!(matches!(flipped, AppendError::CorruptMessage(_)), "{flipped}");
    let counted = refuse(&|bytes| {
        bytes[60] = 3;
        with_crc(bytes);
    });
    assert!(matches!(counted, AppendError::InvalidRecord { .. }), "{counted}");
    let short = refuse(&|bytes| {
        (bytes[26], bytes[60]) = (2, 3);
        with_crc(bytes);
    });
    assert!(matches!(short, AppendError::InvalidRecord { .. }), "{short}");
    let offset = refuse(&|bytes| bytes[7] = 1);
    assert!(offset.to_string().contains("should be 0, but it is 1"), "{offset}");
    let magic = refuse(&|bytes| bytes[16] = 9);
    assert!(matches!(magic, AppendError::CorruptMessage(_)), "{magic}");
    let large = refuse(&|bytes| *bytes = batch(NOW, &[&"x".repeat(300)]));
    assert!(matches!(large, AppendError::RecordTooLarge { max: 300, .. }), "{large}");
    let two = refuse(&|bytes| bytes.extend(batch(NOW, &["c"])));
    assert!(matches!(two, AppendError::InvalidRecord { .. }), "{two}");
    let control = refuse(&|bytes| *bytes = marker(1, 0, true, 0));
    assert!(control.to_string().contains("control records"), "{control}");
    let late = refuse(&|bytes| *bytes = batch(NOW + 3_600_001, &["soon"]));
    assert!(matches!(&late, AppendError::InvalidTimestamp { records, .. } if records.len() == 1), "{late}");
    let late = refuse(&|bytes| {
        *bytes = compressed(Codec::Lz4, &[(NOW, None, None), (NOW + 3_600_001, None, Some(b"soon"))]);
    });
    assert!(matches!(&late, AppendError::InvalidTimestamp { records, .. } if records[0].index == 1), "{late}");
}

#[test]
fn a_torn_batch_at_the_end_of_a_request_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &LogConfig::default());
    let mut bytes = batch(NOW, &["whole"]);
    bytes.extend(&batch(NOW, &["torn"])[..40]);
    assert_eq!(append(&log, bytes).last_offset, 0);
    assert_eq!(values_from(&log, 0), [(0, "whole".to_owned())]);
}

#[test]
fn keyless_records_are_refused_by_compacted_topics_whatever_the_codec() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let folder = tempfile::tempdir().unwrap();
        let log = open(&folder.path().join("t-0"), &LogConfig { compact: true, ..LogConfig::default() });
        let mut bytes = compressed(codec, &[(NOW, Some(b"k"), None), (NOW, None, Some(b"v"))]);
        match log.append(&mut bytes, &client()) {
            Err(AppendError::InvalidRecord { records, .. }) => assert_eq!(records[0].index, 1),
            other => panic!("{codec:?}: {other:?}"),
        }
        append(&log, compressed(codec, &[(NOW, Some(b"k"), None)]));
    }
}

#[test]
fn batches_are_recompressed_to_the_topics_codec() {
    let sources = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let targets =
        [Compression::None, Compression::Gzip(9), Compression::Snappy, Compression::Lz4(9), Compression::Zstd(3)];
    for source in sources {
        for (target, id) in targets.into_iter().zip(0_i8..) {
            let folder = tempfile::tempdir().unwrap();
            let log = open(&folder.path().join("t-0"), &LogConfig { compression: target, ..LogConfig::default() });
            let value = "text ".repeat(100);
            append(&log, compressed(source, &[(5, None, Some(value.as_bytes())), (9, Some(b"k"), None)]));
            let bytes = log.read(0, 10_000, Isolation::LogEnd, true).unwrap().slice.unwrap().to_vec().unwrap();
            let stored = RecordBatch::parse(&bytes).unwrap();
            assert_eq!(stored.compression().unwrap().id(), id, "{source:?} to {target:?}");
            let set = stored.records(10_000).unwrap();
            let records: Vec<_> = set.iter().map(Result::unwrap).collect();
            assert_eq!(records[0].value, Some(value.as_bytes()));
            assert_eq!((records[1].timestamp, records[1].key, records[1].value), (9, Some(&b"k"[..]), None));
            assert_eq!(stored.max_timestamp(), 9);
        }
    }
}

#[test]
fn old_messages_become_batches() {
    let source = batch_with(BatchOptions::default(), &[(11, Some(b"k"), Some(b"one")), (12, None, Some(b"two"))]);
    for (magic, timestamps) in [(0, [-1, -1]), (1, [11, 12])] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let options = BatchOptions { compression: codec, ..BatchOptions::default() };
            let plain = RecordBatch::parse(&source).unwrap();
            let set = plain.records(1000).unwrap();
            let mut builder = wire::record_batch::BatchBuilder::new(options);
            set.iter().for_each(|record| builder.append_record(&record.unwrap()).unwrap());
            let batch = builder.build().unwrap();
            let old = wire::record_batch::convert::down_convert(&batch, magic, 0, 1000).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let log = open(&folder.path().join("t-0"), &LogConfig::default());
            append(&log, batch_with(BatchOptions::default(), &[(1, None, None)]));
            assert_eq!(append(&log, old).last_offset, 2, "magic {magic} {codec:?}");
            let bytes = log.read(1, 10_000, Isolation::LogEnd, true).unwrap().slice.unwrap().to_vec().unwrap();
            let stored = RecordBatches::new(&bytes).next().unwrap().unwrap();
            assert_eq!((stored.magic(), stored.compression().unwrap()), (2, codec));
            let set = stored.records(1000).unwrap();
            let records: Vec<_> = set.iter().map(Result::unwrap).collect();
            assert_eq!([records[0].timestamp, records[1].timestamp], timestamps);
            assert_eq!((records[0].offset, records[1].offset), (1, 2));
            assert_eq!((records[0].key, records[1].value), (Some(&b"k"[..]), Some(&b"two"[..])));
        }
    }
}

#[test]
fn offsets_are_found_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &small_segments(400));
    assert_eq!(log.find(OffsetQuery::MaxTimestamp).unwrap(), None);
    for n in 0..40_i64 {
        let records = [(1000 + 10 * n, None, Some(&b"a"[..])), (1005 + 10 * n, None, Some(&b"b"[..]))];
        append(&log, compressed(if n % 2 == 0 { Codec::None } else { Codec::Zstd }, &records));
    }
    for target in 0..1400_i64 {
        let found = log.find(OffsetQuery::Timestamp(target)).unwrap();
        let expected = (0..80).map(|offset| (1000 + 5 * offset, offset)).find(|(time, _)| *time >= target);
        assert_eq!(found.map(|found| (found.timestamp, found.offset)), expected, "at {target}");
        assert_eq!(found.and_then(|found| found.leader_epoch), expected.map(|_| 3));
    }
    let max = log.find(OffsetQuery::MaxTimestamp).unwrap().unwrap();
    assert_eq!((max.timestamp, max.offset), (1395, 79));
    log.delete_records(10).unwrap();
    assert_eq!(log.find(OffsetQuery::Timestamp(0)).unwrap().unwrap().offset, 10);
    let earliest = log.find(OffsetQuery::Earliest).unwrap().unwrap();
    assert_eq!((earliest.timestamp, earliest.offset, earliest.leader_epoch), (-1, 10, Some(3)));
    assert_eq!(log.find(OffsetQuery::Latest).unwrap().unwrap().offset, 80);
}

#[test]
fn segments_roll_by_time_of_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_ms: 100, ..LogConfig::default() };
    let log = open(&folder.path().join("t-0"), &config);
    let send = |time| log.append(&mut batch(time, &["x"]), &AppendContext::client(0, NOW)).unwrap().rolled;
    assert!(!send(NOW));
    assert!(!send(NOW + 100));
    assert!(send(NOW + 101));
    assert_eq!(log.active_base_offset(), 2);
}

#[test]
fn segments_roll_when_an_index_is_full_or_offsets_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_index_bytes: 80, index_interval_bytes: 0, ..LogConfig::default() };
    let log = open(&folder.path().join("t-0"), &config);
    for n in 0..30 {
        append(&log, batch(NOW + n, &["x"]));
    }
    assert!(log.segment_count() > 3, "five entries of 12 bytes, less the last, fill a time index");
    assert_eq!(values_from(&log, 0).len(), 30);

    let log = open(&folder.path().join("t-1"), &LogConfig::default());
    let far = || {
        let mut builder = wire::record_batch::BatchBuilder::new(BatchOptions::default());
        builder.append(wire::record_batch::NewRecord::default()).unwrap();
        builder.set_last_offset(i64::from(i32::MAX) - 1).unwrap();
        builder.build().unwrap()
    };
    let coordinator = AppendContext::coordinator(0, NOW);
    assert!(!log.append(&mut far(), &coordinator).unwrap().rolled);
    let info = log.append(&mut far(), &coordinator).unwrap();
    assert!(info.rolled);
    assert_eq!((info.first_offset, log.active_base_offset()), (i64::from(i32::MAX), i64::from(i32::MAX)));
}

#[test]
fn retention_deletes_whole_segments_below_the_high_watermark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let env = Env::new(64);
    let config = LogConfig { retention_ms: 1000, retention_bytes: -1, file_delete_delay_ms: 50, ..small_segments(100) };
    let log = open_with(&env, &path, &config, &OpenOptions::new(NOW));
    for n in 0..10 {
        log.append(&mut batch(NOW + 100 * n, &["x"]), &AppendContext::client(0, NOW)).unwrap();
    }
    assert_eq!(log.delete_old_segments(NOW + 1_000_000).unwrap(), 0);
    log.advance_high_watermark(6);
    assert_eq!(log.delete_old_segments(NOW + 1301).unwrap(), 4);
    assert_eq!((log.offsets().log_start, log.first_base_offset()), (4, 4));
    assert!(matches!(log.read(3, 100, Isolation::LogEnd, true), Err(ReadError::OutOfRange { log_start: 4, .. })));
    assert!(files(&path).iter().any(|name| name == "00000000000000000003.log.deleted"));
    assert_eq!(env.collect_trash(NOW + 1350), 0);
    assert_eq!(env.collect_trash(NOW + 1351), 1);
    assert!(!files(&path).iter().any(|name| name.ends_with(".deleted")));
    log.advance_high_watermark(10);
    assert_eq!(log.delete_old_segments(NOW + 1_000_000).unwrap(), 6);
    assert_eq!((log.offsets().log_start, log.offsets().log_end, log.segment_count()), (10, 10, 1));
    assert_eq!(log.delete_old_segments(NOW + 2_000_000).unwrap(), 0, "an empty segment is not replaced");
    assert_eq!(append(&log, batch(NOW, &["next"])).first_offset, 10);
}

#[test]
fn retention_by_size_keeps_at_least_that_much() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &small_segments(100));
    let size = append(&log, batch(NOW, &["x"])).bytes as i64;
    for _ in 1..10 {
        append(&log, batch(NOW, &["x"]));
    }
    let keep = |bytes| {
        log.update_config(Arc::new(LogConfig { retention_bytes: bytes, retention_ms: -1, ..small_segments(100) }));
        log.delete_old_segments(NOW).unwrap()
    };
    assert_eq!(keep(10 * size), 0);
    assert_eq!(keep(9 * size), 1);
    assert_eq!(keep(3 * size - 1), 6, "a part of a segment does not go");
    assert_eq!(log.offsets().log_start, 7);
    assert_eq!(log.size(), 3 * size as u64);
}

#[test]
fn deleted_records_stay_deleted_and_free_whole_segments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &small_segments(100));
    for _ in 0..5 {
        log.append(&mut batch(NOW, &["x", "y"]), &client()).unwrap();
    }
    assert!(matches!(log.delete_records(1), Err(LogError::OutOfRange { log_end: 0, .. })));
    log.advance_high_watermark(10);
    assert_eq!(log.delete_records(5).unwrap(), 5);
    assert_eq!(log.delete_records(3).unwrap(), 5);
    assert_eq!(log.delete_old_segments(NOW).unwrap(), 2);
    assert_eq!(log.first_base_offset(), 4);
    assert_eq!(values_from(&log, 5).first(), Some(&(5, "y".to_owned())));
    drop(log);
    let options = OpenOptions { log_start_offset: 5, ..OpenOptions::new(NOW) };
    let log = open_with(&Env::new(16), &path, &small_segments(100), &options);
    assert_eq!(log.offsets().log_start, 5);
}

#[test]
fn truncation_takes_records_indexes_and_producers_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("t-0"), &small_segments(500));
    for n in 0..20 {
        append(&log, idempotent(7, 0, n, false, &[&n.to_string()]));
    }
    assert!(log.truncate_to(11, NOW).unwrap());
    assert!(!log.truncate_to(11, NOW).unwrap());
    assert_eq!(log.offsets().log_end, 11);
    assert_eq!(log.producers()[0].last_sequence, 10);
    assert_eq!(append(&log, idempotent(7, 0, 11, false, &["again"])).first_offset, 11);
    assert_eq!(values_from(&log, 10), [(10, "10".to_owned()), (11, "again".to_owned())]);
    log.truncate_fully_and_start_at(100, NOW).unwrap();
    assert_eq!((log.offsets().log_start, log.offsets().log_end), (100, 100));
    assert_eq!(append(&log, batch(NOW, &["new"])).first_offset, 100);
}

#[test]
fn epochs_know_where_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &LogConfig::default());
    for (epoch, count) in [(2, 3), (5, 2), (6, 1)] {
        for _ in 0..count {
            log.append(&mut batch(NOW, &["x"]), &AppendContext::client(epoch, NOW)).unwrap();
        }
    }
    let check = |log: &commitlog::Log| {
        let end = |epoch| {
            let end = log.end_offset_for_epoch(epoch).unwrap();
            (end.epoch, end.end_offset)
        };
        let ends = [end(-1), end(1), end(2), end(3), end(4), end(5), end(6), end(7)];
        assert_eq!(ends, [(-1, -1), (1, 0), (2, 3), (2, 3), (2, 3), (5, 5), (6, 6), (-1, -1)]);
    };
    check(&log);
    log.close().unwrap();
    check(&open(&path, &LogConfig::default()));
    assert_eq!(std::fs::read_to_string(path.join("leader-epoch-checkpoint")).unwrap(), "0\n3\n2 0\n5 3\n6 5\n");
}

#[test]
fn a_closed_or_deleted_log_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topic-4");
    let env = Env::new(64);
    let log =
        open_with(&env, &path, &LogConfig { file_delete_delay_ms: 9, ..LogConfig::default() }, &OpenOptions::new(NOW));
    append(&log, batch(NOW, &["x"]));
    let slice = log.read(0, 100, Isolation::LogEnd, true).unwrap().slice.unwrap();
    log.delete(NOW).unwrap();
    let refused = log.append(&mut batch(NOW, &["y"]), &client()).unwrap_err();
    assert!(matches!(refused, AppendError::Log(LogError::Closed { .. })));
    assert!(!path.exists());
    let renamed = files(folder.path());
    assert!(renamed[0].starts_with("topic-4.") && renamed[0].ends_with("-delete"), "{renamed:?}");
    assert_eq!(env.next_trash_ms(), Some(NOW + 9));
    assert_eq!(env.collect_trash(NOW + 9), 1);
    assert!(files(folder.path()).is_empty());
    assert_eq!(RecordBatch::parse(&slice.to_vec().unwrap()).unwrap().count(), 1);
}

/// Readers, retention, flushes and a clock run beside a writer; nobody sees a torn batch or a gap.
#[test]
fn readers_and_housekeepers_run_beside_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::new(16);
    let config = LogConfig { retention_bytes: 20_000, retention_ms: -1, ..small_segments(2000) };
    let log = open_with(&env, &folder.path().join("t-0"), &config, &OpenOptions::new(NOW));
    let done = std::sync::atomic::AtomicBool::new(false);
    let running = || !done.load(std::sync::atomic::Ordering::Acquire);
    std::thread::scope(|scope| {
        for isolation in [Isolation::HighWatermark, Isolation::LogEnd, Isolation::LastStable] {
            let (log, running) = (&log, &running);
            scope.spawn(move || {
                let mut next = 0;
                while running() || next < log.offsets().log_end {
                    match log.read(next, 3000, isolation, true) {
                        Ok(fetched) => {
                            let from = next;
                            for (offset, value) in records_of(&fetched).into_iter().filter(|(at, _)| *at >= from) {
                                assert_eq!((offset, value.parse()), (next, Ok(next)));
                                next = offset + 1;
                            }
                        }
                        Err(ReadError::OutOfRange { log_start, .. }) => {
                            assert!(log_start > next);
                            next = log_start;
                        }
                        Err(ReadError::Log(error)) => panic!("{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while running() {
                log.delete_old_segments(NOW).unwrap();
                env.collect_trash(i64::MAX);
                log.flush().unwrap();
                log.find(OffsetQuery::Timestamp(NOW)).unwrap();
            }
        });
        for n in 0..3000 {
            append(&log, batch(NOW, &[&n.to_string()]));
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
    assert_eq!(log.offsets().log_end, 3000);
}

#[test]
fn open_files_stay_within_their_budget() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::new(16);
    let logs: Vec<_> = (0..50)
        .map(|n| open_with(&env, &folder.path().join(format!("t-{n}")), &small_segments(100), &OpenOptions::new(NOW)))
        .collect();
    for round in 0..3 {
        for log in &logs {
            append(log, batch(NOW, &[&round.to_string()]));
        }
    }
    let inside = std::fs::canonicalize(folder.path()).unwrap();
    let open = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|target| target.starts_with(&inside))
        .count();
    assert!(open <= 16, "{open} files are open");
    for log in &logs {
        assert_eq!(values_from(log, 0).len(), 3);
    }
}
