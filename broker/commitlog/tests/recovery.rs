//! What is left after a crash: all that was promised, nothing torn, and the same again after another crash.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commitlog::fault::{FaultyDisk, Loss};
use commitlog::{
    AppendError, Env, Isolation, Log, LogConfig, LogDir, LogError, OffsetQuery, OpenOptions, TopicPartition,
};
use common::*;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in files(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

fn log_files(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|name| name.ends_with(".log")).map(|name| folder.join(name)).collect()
}

/// Bytes of each batch that [`eight_segments`] writes.
const SIZE: u64 = 83;

/// Eight segments, all but the last with two batches of two records.
fn eight_segments(path: &Path) -> Vec<(i64, String)> {
    let log = open(path, &small_segments(220));
    for n in 0..15 {
        let info = append(&log, batch(NOW + n, &[&format!("a{n:02}"), &format!("b{n:02}")]));
        assert_eq!(info.bytes as u64, SIZE);
    }
    assert_eq!(log.segment_count(), 8);
    values_from(&log, 0)
}

#[test]
fn acked_batches_survive_a_cut_at_any_byte_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("t-0");
    let expected = eight_segments(&original);
    let last = log_files(&original).pop().unwrap();
    let second_last = log_files(&original).into_iter().rev().nth(1).unwrap();
    for (file, is_last) in [(last, true), (second_last, false)] {
        let base: i64 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        for len in 0..fs::metadata(&file).unwrap().len() {
            // Between two batches the cut does not show: as for Kafka, what compaction removed looks the same.
            if !is_last && len.is_multiple_of(SIZE) {
                continue;
            }
            let path = folder.path().join(format!("cut-{len}"));
            copy(&original, &path);
            let cut = fs::OpenOptions::new().write(true).open(path.join(file.file_name().unwrap())).unwrap();
            cut.set_len(len).unwrap();
            let options = OpenOptions { recovery_point: base, ..OpenOptions::new(NOW) };
            let log = open_with(&Env::new(16), &path, &small_segments(220), &options);
            let end = log.offsets().log_end;
            assert_eq!(end, base + 2 * (len / SIZE) as i64, "cut at {len}");
            assert_eq!(values_from(&log, 0), expected[..end as usize]);
            assert_eq!(append(&log, batch(NOW, &["next"])).first_offset, end);
            drop(log);
            let again = open_with(&Env::new(16), &path, &small_segments(220), &options);
            assert_eq!(again.offsets().log_end, end + 1);
            fs::remove_dir_all(path).unwrap();
        }
    }
}

#[test]
fn a_flipped_bit_ends_the_log_there() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("t-0");
    let expected = eight_segments(&original);
    let file = log_files(&original).into_iter().nth(3).unwrap();
    let bytes = fs::read(&file).unwrap();
    for position in 0..bytes.len() {
        let path = folder.path().join(format!("flip-{position}"));
        copy(&original, &path);
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x40;
        fs::write(path.join(file.file_name().unwrap()), flipped).unwrap();
        let log = open(&path, &small_segments(220));
        // The leader epoch is not under the CRC: a wrong one does no harm to the records.
        if !(12..16).contains(&(position % SIZE as usize)) {
            assert_eq!(log.offsets().log_end, 12 + 2 * (position as u64 / SIZE) as i64, "bit in byte {position}");
            assert!(files(&path).iter().any(|name| name.ends_with(".log.deleted")));
        }
        let end = log.offsets().log_end as usize;
        assert_eq!(values_from(&log, 0), expected[..end]);
        fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn recovery_done_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    eight_segments(&path);
    let contents = || -> Vec<(String, Vec<u8>)> {
        files(&path).into_iter().map(|name| (name.clone(), fs::read(path.join(name)).unwrap())).collect()
    };
    drop(open(&path, &small_segments(220)));
    let once = contents();
    drop(open(&path, &small_segments(220)));
    assert_eq!(contents(), once);
}

#[test]
fn lost_or_damaged_indexes_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let log = open(&path, &small_segments(800));
    for n in 0..60 {
        append(&log, batch(NOW + n, &["x"]));
    }
    log.close().unwrap();
    let indexes: Vec<_> = files(&path).into_iter().filter(|name| name.ends_with("index")).collect();
    let before: Vec<_> = indexes.iter().map(|name| fs::read(path.join(name)).unwrap()).collect();
    let clean = OpenOptions { clean: true, ..OpenOptions::new(NOW) };
    let check = |options: &OpenOptions| {
        let log = open_with(&Env::new(16), &path, &small_segments(800), options);
        assert_eq!(values_from(&log, 0).len(), 60);
        assert_eq!(log.find(OffsetQuery::Timestamp(NOW + 33)).unwrap().unwrap().offset, 33);
        drop(log);
        let after: Vec<_> = indexes.iter().map(|name| fs::read(path.join(name)).unwrap()).collect();
        assert_eq!(after, before);
    };
    check(&clean);
    indexes.iter().for_each(|name| fs::remove_file(path.join(name)).unwrap());
    check(&clean);
    // As Kafka leaves them when it is killed: longer than what is in them.
    for name in &indexes {
        let file = fs::OpenOptions::new().write(true).open(path.join(name)).unwrap();
        file.set_len(10_000).unwrap();
    }
    check(&OpenOptions::new(NOW));
}

#[test]
fn a_full_disk_takes_the_log_offline_and_loses_nothing_acked() {
    let batch_size = batch(NOW, &["x"]).len() as u64;
    for room in 0..3 * batch_size {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let disk = Arc::new(FaultyDisk::new());
        let env = Env::with_disk(Arc::clone(&disk) as _, 16);
        let config = LogConfig::default();
        let log = open_with(&env, &path, &config, &OpenOptions::new(NOW));
        append(&log, batch(NOW, &["x"]));
        disk.limit_space(Some(room));
        let mut acked = 1;
        let error = loop {
            match log.append(&mut batch(NOW, &["x"]), &client()) {
                Ok(_) => acked += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Log(LogError::Io { action: "write", .. })), "{error}");
        assert_eq!(acked, 1 + room / batch_size);
        disk.limit_space(None);
        let refused = log.append(&mut batch(NOW, &["x"]), &client()).unwrap_err();
        assert!(matches!(refused, AppendError::Log(LogError::Offline { .. })));
        assert!(log.is_offline() && log.close().is_err());
        assert_eq!(values_from(&log, 0).len() as u64, acked, "reads go on");
        drop(log);
        let log = open(&path, &config);
        assert_eq!(log.offsets().log_end as u64, acked);
    }
}

#[test]
fn a_failed_fsync_is_never_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new());
    let env = Env::with_disk(Arc::clone(&disk) as _, 16);
    let config = LogConfig { flush_messages: 2, ..LogConfig::default() };
    let log = open_with(&env, &folder.path().join("t-0"), &config, &OpenOptions::new(NOW));
    append(&log, batch(NOW, &["x"]));
    assert_eq!(log.recovery_point(), 0);
    append(&log, batch(NOW, &["x"]));
    assert_eq!(log.recovery_point(), 2);
    append(&log, batch(NOW, &["x"]));
    disk.fail_syncs(true);
    assert!(log.append(&mut batch(NOW, &["x"]), &client()).is_err());
    disk.fail_syncs(false);
    assert!(matches!(log.flush(), Err(LogError::Offline { .. })));
    assert_eq!(log.recovery_point(), 2);
    assert_eq!(log.read(0, 1000, Isolation::LogEnd, true).unwrap().offsets.log_end, 4);
}

#[test]
fn synced_records_survive_the_machine_without_a_flush() {
    for zeros in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let disk = Arc::new(FaultyDisk::new());
        let config = small_segments(300);
        let log = open_with(&Env::with_disk(Arc::clone(&disk) as _, 16), &path, &config, &OpenOptions::new(NOW));
        for n in 0..20 {
            let info = append(&log, batch(NOW, &[&n.to_string()]));
            if n % 3 == 0 {
                log.sync_data(info.last_offset + 1).unwrap();
            }
        }
        assert_eq!(log.recovery_point(), 0);
        drop(log);
        disk.crash(|_| if zeros { Loss::Zeros(0) } else { Loss::Cut(0) }).unwrap();
        let log = open(&path, &config);
        assert_eq!(values_from(&log, 0).len(), 19);
        assert_eq!(log.latest_epoch().unwrap(), Some(3));
    }
}

#[test]
fn flushed_records_survive_the_machine() {
    for (seed, zeros) in (0..40_u64).flat_map(|seed| [(seed, false), (seed, true)]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let disk = Arc::new(FaultyDisk::new());
        let config = LogConfig { flush_messages: 1000, ..small_segments(300) };
        let log = open_with(&Env::with_disk(Arc::clone(&disk) as _, 16), &path, &config, &OpenOptions::new(NOW));
        let mut written = Vec::new();
        for n in 0..40 {
            append(&log, idempotent(7, 0, n, false, &[&format!("{seed}-{n}")]));
            written.push((i64::from(n), format!("{seed}-{n}")));
            if n as u64 == seed {
                log.flush().unwrap();
            }
        }
        let flushed = log.recovery_point();
        assert_eq!(flushed, seed as i64 + 1);
        drop(log);
        let mut dice = seed;
        disk.crash(|unsynced| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kept = (dice >> 33) % (unsynced + 1);
            if zeros { Loss::Zeros(kept) } else { Loss::Cut(kept) }
        })
        .unwrap();
        let options = OpenOptions { recovery_point: flushed, ..OpenOptions::new(NOW) };
        let log = open_with(&Env::new(16), &path, &config, &options);
        let end = log.offsets().log_end;
        assert!(end >= flushed, "{end} < {flushed}");
        assert_eq!(values_from(&log, 0), written[..end as usize]);
        assert_eq!(log.producers()[0].last_sequence + 1, end as i32);
    }
}

#[test]
fn a_directory_remembers_starts_and_clean_stops() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::new(64);
    let names = [TopicPartition::new("a", 0), TopicPartition::new("a-b", 7)];
    let config = Arc::new(small_segments(200));
    {
        let dir = LogDir::open(&env, folder.path()).unwrap();
        assert!(!dir.was_stopped_cleanly());
        let in_use = LogDir::open(&env, folder.path()).unwrap_err();
        assert!(in_use.to_string().contains("in use by another broker"), "{in_use}");
        let logs: Vec<Log> = names
            .iter()
            .map(|name| dir.create_log(name, uuid::Uuid::from_u128(5), Arc::clone(&config), NOW).unwrap())
            .collect();
        for n in 0..10 {
            append(&logs[1], batch(NOW, &[&n.to_string()]));
        }
        logs[1].delete_records(5).unwrap();
        logs.iter().for_each(|log| log.close().unwrap());
        dir.write_checkpoints(&logs).unwrap();
        dir.mark_clean_shutdown(31).unwrap();
    }
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(text("recovery-point-offset-checkpoint"), "0\n2\na 0 0\na-b 7 10\n");
    assert_eq!(text("replication-offset-checkpoint"), "0\n2\na 0 0\na-b 7 10\n");
    assert_eq!(text("log-start-offset-checkpoint"), "0\n1\na-b 7 5\n");
    assert_eq!(text(".kafka_cleanshutdown"), r#"{"version":0,"brokerEpoch":31}"#);
    fs::create_dir(folder.path().join("gone-0.0123456789abcdef0123456789abcdef-delete")).unwrap();

    let dir = LogDir::open(&env, folder.path()).unwrap();
    assert!(dir.was_stopped_cleanly());
    assert!(!folder.path().join(".kafka_cleanshutdown").exists());
    assert_eq!(dir.scan().unwrap().logs, names);
    assert_eq!(env.collect_trash(NOW), 1);
    let logs: Vec<Log> =
        dir.open_logs(&names, 3, NOW, |_| Arc::clone(&config)).into_iter().map(Result::unwrap).collect();
    assert_eq!((logs[1].offsets().log_start, logs[1].offsets().log_end, logs[1].recovery_point()), (5, 10, 10));
    assert_eq!(logs[0].topic_id().unwrap(), Some(uuid::Uuid::from_u128(5)));
    assert_eq!(values_from(&logs[1], 5).len(), 5);
    // A topic made anew under an old name does not inherit the old one's offsets.
    logs[1].delete(NOW).unwrap();
    let anew = dir.create_log(&names[1], uuid::Uuid::from_u128(6), config, NOW).unwrap();
    assert_eq!((anew.offsets().log_start, anew.recovery_point()), (0, 0));
}

#[test]
fn a_clean_start_reads_no_records_and_keeps_no_file_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    eight_segments(&path);
    open(&path, &small_segments(220)).close().unwrap();
    // A start that read the first segment would find this.
    fs::write(&log_files(&path)[0], b"not read").unwrap();
    let clean = OpenOptions { clean: true, ..OpenOptions::new(NOW) };
    let log = open_with(&Env::new(16), &path, &small_segments(220), &clean);
    assert_eq!(log.offsets().log_end, 30);
    let inside = fs::canonicalize(&path).unwrap();
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    assert_eq!(open.filter(|target| target.starts_with(&inside)).count(), 0);
}
