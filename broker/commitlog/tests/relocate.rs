//! Moves between log directories.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use commitlog::fault::FaultyDisk;
use commitlog::{Env, Found, LogDir, LogError, MoveProgress, OpenOptions, TopicPartition};
use common::*;

#[test]
fn appends_and_reads_go_on_while_a_log_moves() {
    const RECORDS: i64 = 2_000;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let log = open(&folders[0].path().join("t-0"), &small_segments(2_000));
    let done = AtomicBool::new(false);
    let (log, done) = (&log, &done);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for offset in 0..RECORDS {
                append(log, batch(NOW + offset, &[&offset.to_string()]));
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(move || {
            let mut next = 0;
            while next < RECORDS {
                for (offset, value) in values_from(log, next) {
                    assert_eq!((offset, value), (next, next.to_string()));
                    next += 1;
                }
            }
        });
        let mut moves = 0;
        while !done.load(Ordering::Acquire) || moves < 2 {
            moves += 1;
            let (from, to) = (log.folder(), folders[moves % 2].path());
            let progress = MoveProgress::default();
            log.move_to(to, &progress, NOW).unwrap();
            assert_eq!(log.folder(), to.join("t-0"));
            assert!(!from.exists() && progress.bytes() <= log.size() && progress.end_offset() <= RECORDS);
        }
    });
    assert_eq!(values_from(log, 0).len(), usize::try_from(RECORDS).unwrap());
}

#[test]
fn a_move_that_fails_leaves_the_log_where_it_was_and_in_use() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let disk = Arc::new(FaultyDisk::new());
    let env = Env::with_disk(Arc::clone(&disk) as _, 64);
    let path = folders[0].path().join("t-0");
    let log = open_with(&env, &path, &small_segments(500), &OpenOptions::new(NOW));
    for offset in 0..50 {
        append(&log, batch(NOW + offset, &["some value"]));
    }
    let to = folders[1].path();
    disk.limit_space(Some(1_000));
    log.move_to(to, &MoveProgress::default(), NOW).unwrap_err();
    disk.limit_space(None);
    assert_eq!(log.folder(), path);
    assert!(std::fs::read_dir(to).unwrap().next().is_none(), "what was copied is still there");
    append(&log, batch(NOW, &["after"]));
    assert_eq!(values_from(&log, 0).len(), 51);
    log.move_to(to, &MoveProgress::default(), NOW).unwrap();
    assert_eq!(values_from(&log, 0).len(), 51);
    log.close().unwrap();
    // The log is closed before the move begins: nothing is made.
    log.move_to(folders[0].path(), &MoveProgress::default(), NOW).unwrap_err();
    assert_eq!(log.folder(), to.join("t-0"));
}

#[test]
fn a_start_tells_of_a_copy_that_was_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join("t-0.8a3a2b1c4d5e6f708192a3b4c5d6e7f8-future");
    std::fs::create_dir(&unfinished).unwrap();
    let env = quick_env();
    let found = LogDir::open(&env, folder.path()).unwrap().scan().unwrap();
    assert_eq!(found, Found { logs: vec![], moving: vec![TopicPartition::new("t", 0)] });
    env.collect_trash(NOW);
    assert!(!unfinished.exists());
}

#[test]
fn a_stop_leaves_a_copy_without_records_that_the_next_start_finds() {
    // A move may be done before the log is closed: then it is tried again.
    let was_stopped = (0..100).any(|_| {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let log = open(&folders[0].path().join("t-0"), &small_segments(2_000));
        log.assign_topic_id(uuid::Uuid::from_u128(7)).unwrap();
        for offset in 0..500 {
            append(&log, batch(NOW + offset, &["some value"]));
        }
        let (to, progress) = (folders[1].path(), MoveProgress::default());
        let moved = std::thread::scope(|scope| {
            let moving = scope.spawn(|| log.move_to(to, &progress, NOW));
            while progress.bytes() == 0 && !moving.is_finished() {
                std::thread::yield_now();
            }
            log.close().unwrap();
            moving.join().unwrap()
        });
        let Err(error) = moved else { return false };
        assert!(matches!(error, LogError::Closed { .. }), "{error}");
        let folder = std::fs::read_dir(to).unwrap().next().unwrap().unwrap().path();
        let left = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(left, ["partition.metadata"]);
        let found = LogDir::open(&quick_env(), to).unwrap().scan().unwrap();
        assert_eq!(found, Found { logs: vec![], moving: vec![TopicPartition::new("t", 0)] });
        true
    });
    assert!(was_stopped, "no log was closed while it moved");
}
