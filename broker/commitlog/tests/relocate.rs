//! Moves between log directories.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use commitlog::fault::FaultyDisk;
use commitlog::{Env, LogDir, MoveProgress, OpenOptions};
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
    log.move_to(folders[0].path(), &MoveProgress::default(), NOW).unwrap_err();
    assert_eq!(log.folder(), to.join("t-0"));
}

#[test]
fn a_start_removes_a_copy_that_was_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join("t-0.8a3a2b1c4d5e6f708192a3b4c5d6e7f8-future");
    std::fs::create_dir(&unfinished).unwrap();
    let env = quick_env();
    assert_eq!(LogDir::open(&env, folder.path()).unwrap().scan().unwrap(), []);
    env.collect_trash(NOW);
    assert!(!unfinished.exists());
}
