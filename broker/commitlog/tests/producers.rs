//! Idempotent producers and transactions, as Apache Kafka's `ProducerStateManager` treats them.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::path::Path;

use commitlog::{AbortedTxn, AppendContext, AppendError, Env, Isolation, Log, LogConfig, OpenOptions};
use common::*;

fn send(log: &Log, id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Result<commitlog::AppendInfo, AppendError> {
    log.append(&mut idempotent(id, epoch, sequence, false, values), &client())
}

fn new_log(folder: &Path) -> Log {
    open(&folder.join("t-0"), &LogConfig::default())
}

#[test]
fn a_batch_that_comes_twice_is_answered_with_its_first_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    for n in 0..8 {
        let info = send(&log, 7, 0, 2 * n, &["a", "b"]).unwrap();
        assert_eq!((info.first_offset, info.duplicate), (i64::from(2 * n), false));
    }
    // The last five are remembered.
    for n in 3..8 {
        let info = send(&log, 7, 0, 2 * n, &["a", "b"]).unwrap();
        assert!(info.duplicate);
        assert_eq!((info.first_offset, info.last_offset), (i64::from(2 * n), i64::from(2 * n) + 1));
    }
    assert!(matches!(send(&log, 7, 0, 4, &["a", "b"]), Err(AppendError::OutOfOrderSequence(_))));
    assert!(
        matches!(send(&log, 7, 0, 14, &["a"]), Err(AppendError::OutOfOrderSequence(_))),
        "a part of a batch is no duplicate"
    );
    assert_eq!(log.offsets().log_end, 16);
}

#[test]
fn sequences_may_not_jump_and_wrap_at_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    // Nothing is known of the producer: any sequence will do.
    send(&log, 7, 0, i32::MAX - 1, &["a"]).unwrap();
    assert!(matches!(send(&log, 7, 0, 0, &["c"]), Err(AppendError::OutOfOrderSequence(_))));
    send(&log, 7, 0, i32::MAX, &["b", "c", "d"]).unwrap();
    assert!(matches!(send(&log, 7, 0, 3, &["f"]), Err(AppendError::OutOfOrderSequence(_))));
    send(&log, 7, 0, 2, &["e"]).unwrap();
    assert!(send(&log, 7, 0, i32::MAX, &["b", "c", "d"]).unwrap().duplicate);
    assert_eq!(log.producers()[0].last_sequence, 2);
}

#[test]
fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    send(&log, 7, 1, 0, &["a"]).unwrap();
    assert!(matches!(send(&log, 7, 2, 1, &["b"]), Err(AppendError::OutOfOrderSequence(_))));
    send(&log, 7, 2, 0, &["b"]).unwrap();
    assert!(matches!(send(&log, 7, 1, 1, &["c"]), Err(AppendError::InvalidProducerEpoch(_))));
    assert_eq!((log.producers()[0].producer_epoch, log.offsets().log_end), (2, 2));
}

#[test]
fn coordinators_are_not_held_to_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    log.append(&mut idempotent(7, 0, -1, false, &["a"]), &AppendContext::coordinator(0, NOW)).unwrap();
    log.append(&mut idempotent(7, 0, -1, false, &["b"]), &AppendContext::coordinator(0, NOW)).unwrap();
    let refused = log.append(&mut idempotent(7, 0, -1, false, &["c"]), &client());
    assert!(matches!(refused, Err(AppendError::InvalidRecord { .. })));
}

#[test]
fn readers_of_committed_records_stop_before_open_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    append(&log, batch(NOW, &["plain"]));
    append_transactional(&log, 1, 0, 0, &["one a"]);
    append_transactional(&log, 2, 0, 0, &["two a"]);
    append_transactional(&log, 1, 0, 1, &["one b"]);
    let stable = |log: &Log| log.offsets().last_stable;
    assert_eq!(stable(&log), 1);
    append_marker(&log, 2, 0, true);
    assert_eq!(stable(&log), 1, "the first transaction is still open");
    let seen = log.read(0, 1000, Isolation::LastStable, true).unwrap();
    assert_eq!(records_of(&seen), [(0, "plain".to_owned())]);
    assert!(log.read(1, 1000, Isolation::LastStable, true).unwrap().slice.is_none());
    append_marker(&log, 1, 0, false);
    assert_eq!(stable(&log), 6);
    let aborted = AbortedTxn { producer_id: 1, first_offset: 1, last_offset: 5, last_stable_offset: 6 };
    let read = |from| log.read(from, 1000, Isolation::LastStable, true).unwrap().aborted;
    assert_eq!((read(0), read(5)), (vec![aborted], vec![aborted]));
    assert_eq!(log.aborted_transactions(0, 1).unwrap(), []);
    append(&log, batch(NOW, &["after"]));
    assert_eq!(read(6), []);
}

#[test]
fn a_marker_counts_only_once_the_high_watermark_has_passed_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    append_transactional(&log, 1, 0, 0, &["a"]);
    let info = log.append(&mut marker(1, 0, true, 4), &AppendContext::coordinator(3, NOW)).unwrap();
    assert_eq!((log.offsets().last_stable, log.offsets().high_watermark), (0, 1));
    log.advance_high_watermark(info.last_offset + 1);
    assert_eq!(log.offsets().last_stable, 2);
}

#[test]
fn transactions_need_verification_and_stay_transactional() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    let unverified = log.append(&mut idempotent(1, 0, 0, true, &["a"]), &client());
    assert!(matches!(unverified, Err(AppendError::InvalidTxnState(_))));
    let other = log.start_verification(2, 0, 0, false, NOW).unwrap();
    let context = AppendContext { verification: other, ..client() };
    let wrong = log.append(&mut idempotent(1, 0, 0, true, &["a"]), &context);
    assert!(matches!(wrong, Err(AppendError::InvalidTxnState(_))), "the guard is another producer's");
    append_transactional(&log, 1, 0, 0, &["a"]);
    assert_eq!(log.start_verification(1, 0, 1, false, NOW).unwrap(), None, "an open transaction needs no more");
    let plain = log.append(&mut idempotent(1, 0, 1, false, &["b"]), &client());
    assert!(matches!(plain, Err(AppendError::InvalidTxnState(_))));
    assert!(matches!(log.start_verification(1, -1, 1, false, NOW), Err(AppendError::InvalidProducerEpoch(_))));
    append_marker(&log, 1, 0, true);
    let unverified = log.append(&mut idempotent(1, 0, 1, true, &["b"]), &client());
    assert!(matches!(unverified, Err(AppendError::InvalidTxnState(_))), "the next transaction is another one");
}

#[test]
fn without_verification_transactions_begin_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::new(16);
    env.set_transaction_verification(false);
    let log = open_with(&env, &folder.path().join("t-0"), &LogConfig::default(), &OpenOptions::new(NOW));
    append(&log, idempotent(1, 0, 0, true, &["a"]));
    assert_eq!(log.offsets().last_stable, 0);
}

#[test]
fn a_guard_of_transactions_version_2_wants_sequence_zero_from_unknown_producers() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    let verification = log.start_verification(1, 0, 5, true, NOW).unwrap();
    let context = AppendContext { verification, ..client() };
    let late = log.append(&mut idempotent(1, 0, 5, true, &["a"]), &context);
    assert!(matches!(late, Err(AppendError::OutOfOrderSequence(_))));
}

#[test]
fn markers_of_transactions_version_2_come_with_a_larger_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let log = new_log(folder.path());
    append_transactional(&log, 1, 5, 0, &["a"]);
    let context = AppendContext { transaction_version: 2, ..AppendContext::coordinator(3, NOW) };
    let same = log.append(&mut marker(1, 5, true, 4), &context);
    assert!(matches!(same, Err(AppendError::InvalidProducerEpoch(_))));
    let bumped = log.append(&mut marker(1, 6, true, 4), &context).unwrap();
    log.advance_high_watermark(bumped.last_offset + 1);
    assert_eq!((log.offsets().last_stable, log.producers()[0].producer_epoch), (2, 6));
    log.append(&mut marker(1, 6, true, 4), &context).unwrap();
    let zombie = log.append(&mut marker(1, 7, true, 3), &context);
    assert!(matches!(zombie, Err(AppendError::TransactionCoordinatorFenced(_))));
}

#[test]
fn silent_producers_are_forgotten_unless_a_transaction_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::new(16);
    env.set_producer_expiration_ms(1000);
    let log = open_with(&env, &folder.path().join("t-0"), &LogConfig::default(), &OpenOptions::new(NOW));
    append(&log, idempotent(1, 0, 0, false, &["a"]));
    append_transactional(&log, 2, 0, 0, &["b"]);
    assert_eq!(log.expire_producers(NOW + 999), 0);
    assert_eq!(log.expire_producers(NOW + 1000), 1);
    assert_eq!(log.producers()[0].producer_id, 2);
    // Of a forgotten producer any sequence is taken.
    append(&log, idempotent(1, 0, 17, false, &["c"]));
    assert!(!log.has_late_transaction(NOW + 300_000 + 60_000, 60_000));
    assert!(log.has_late_transaction(NOW + 300_000 + 60_001, 60_000));
}

/// What is known of producers and transactions.
fn state(log: &Log) -> impl PartialEq + std::fmt::Debug + use<> {
    (log.producers(), log.offsets(), log.aborted_transactions(0, i64::MAX).unwrap())
}

#[test]
fn producers_and_transactions_survive_any_kind_of_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t-0");
    let config = small_segments(600);
    let log = open(&path, &config);
    for n in 0..40 {
        append(&log, idempotent(7, 0, n, false, &["idempotent"]));
        append_transactional(&log, 8, 1, n, &["transactional"]);
        if n % 7 == 6 {
            append_marker(&log, 8, 1, n % 2 == 0);
        }
    }
    assert!(log.segment_count() > 5);
    let before = state(&log);
    drop(log);
    let log = open(&path, &config);
    assert_eq!(state(&log), before, "after a kill, with snapshots");
    drop(log);
    for name in files(&path).into_iter().filter(|name| name.ends_with(".snapshot")) {
        std::fs::write(path.join(name), b"torn").unwrap();
    }
    let log = open(&path, &config);
    assert_eq!(state(&log), before, "after a kill, all snapshots torn");
    log.close().unwrap();
    let clean = OpenOptions { clean: true, ..OpenOptions::new(NOW) };
    let log = open_with(&Env::new(16), &path, &config, &clean);
    assert_eq!(state(&log), before, "after a clean stop");
    assert!(send(&log, 7, 0, 39, &["idempotent"]).unwrap().duplicate);
    append_marker(&log, 8, 1, true);
    assert_eq!(log.offsets().last_stable, log.offsets().log_end);
}
