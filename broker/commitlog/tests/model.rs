//! A log against a list in memory, under any sequence of appends, stops, crashes and housekeeping.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::path::Path;
use std::sync::Arc;

use commitlog::fault::{FaultyDisk, Loss};
use commitlog::{Env, Isolation, Log, LogConfig, MoveProgress, OffsetQuery, OpenOptions};
use common::*;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use wire::compression::Compression as Codec;

/// What may happen to a log.
#[derive(Debug, Clone)]
enum Step {
    /// Timestamps of a batch's records, relative to [`NOW`], and a codec.
    Append(Vec<i16>, u8),
    Flush,
    Roll,
    /// DeleteRecords, at this part of the log (of 256).
    DeleteRecords(u8),
    /// Retention by size, to this many bytes.
    Retain(u16),
    Truncate(u8),
    /// Closed and opened again.
    Restart,
    /// Killed and opened again: what was written is there.
    Kill,
    /// The machine crashed: what was not synced may be gone.
    Crash(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (proptest::collection::vec(any::<i16>(), 1..4), 0..5_u8).prop_map(|(times, codec)| Step::Append(times, codec)),
        2 => Just(Step::Flush),
        1 => Just(Step::Roll),
        1 => any::<u8>().prop_map(Step::DeleteRecords),
        1 => (0..4000_u16).prop_map(Step::Retain),
        1 => any::<u8>().prop_map(Step::Truncate),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => (any::<u64>(), any::<bool>()).prop_map(|(seed, zeros)| Step::Crash(seed, zeros)),
    ]
}

/// The log as it should be.
#[derive(Debug, Default)]
struct Model {
    /// `(offset, timestamp)` of all records from the log start on.
    records: Vec<(i64, i64)>,
    /// Offsets at which batches begin.
    batches: Vec<i64>,
    start: i64,
    end: i64,
    /// Everything below survives a crash of the machine.
    durable: i64,
}

impl Model {
    fn cut(&mut self, end: i64) {
        self.records.retain(|(offset, _)| *offset < end);
        self.batches.retain(|offset| *offset < end);
        self.end = end;
        self.durable = self.durable.min(end);
    }

    fn start_at(&mut self, start: i64) {
        self.start = start;
        self.records.retain(|(offset, _)| *offset >= start);
    }
}

struct Subject {
    disk: Arc<FaultyDisk>,
    log: Log,
    config: LogConfig,
}

impl Subject {
    fn open(path: &Path, config: &LogConfig, options: &OpenOptions) -> Subject {
        let disk = Arc::new(FaultyDisk::new());
        let log = open_with(&Env::with_disk(Arc::clone(&disk) as _, 16), path, config, options);
        Subject { disk, log, config: config.clone() }
    }

    /// Stops in the way the step says and opens again with what the checkpoints would say.
    fn stop(self, path: &Path, step: &Step) -> Subject {
        let Subject { disk, log, config } = self;
        let clean = matches!(step, Step::Restart);
        if clean {
            log.close().unwrap();
        }
        let options = OpenOptions {
            clean,
            recovery_point: log.recovery_point(),
            log_start_offset: log.offsets().log_start,
            ..OpenOptions::new(NOW)
        };
        drop(log);
        if let Step::Crash(seed, zeros) = step {
            let mut dice = *seed | 1;
            let roll = |unsynced: u64| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let kept = (dice >> 33) % (unsynced + 1);
                if *zeros { Loss::Zeros(kept) } else { Loss::Cut(kept) }
            };
            disk.crash(roll).unwrap();
        }
        Subject::open(path, &config, &options)
    }
}

fn apply(subject: Subject, model: &mut Model, path: &Path, step: &Step) -> Subject {
    let log = &subject.log;
    match step {
        Step::Append(times, codec) => {
            let codec = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd][usize::from(*codec)];
            let records: Vec<_> =
                times.iter().map(|time| (NOW + i64::from(*time), None, Some(&b"some value"[..]))).collect();
            let info = append(log, compressed(codec, &records));
            assert_eq!(info.first_offset, model.end);
            model.batches.push(model.end);
            for (time, ..) in &records {
                model.records.push((model.end, *time));
                model.end += 1;
            }
            assert_eq!(info.last_offset, model.end - 1);
        }
        Step::Flush => {
            log.flush().unwrap();
            model.durable = model.end;
        }
        Step::Roll => {
            let is_new = log.active_base_offset() == model.end;
            assert_eq!(log.roll(NOW).unwrap(), !is_new);
        }
        Step::DeleteRecords(part) => {
            let before = model.start + (model.end - model.start) * i64::from(*part) / 255;
            assert_eq!(log.delete_records(before).unwrap(), before.max(model.start));
            model.start_at(before);
        }
        Step::Retain(bytes) => {
            let before = log.size();
            log.update_config(Arc::new(LogConfig { retention_bytes: i64::from(*bytes), ..subject.config.clone() }));
            log.delete_old_segments(NOW).unwrap();
            log.update_config(Arc::new(subject.config.clone()));
            assert!(log.size() >= before.min(u64::from(*bytes)) || log.first_base_offset() <= model.start);
            let start = log.offsets().log_start;
            assert!(
                start >= model.start && (start == model.end || start == model.start || model.batches.contains(&start))
            );
            model.start_at(start);
        }
        Step::Truncate(part) => {
            let wanted = model.start + (model.end - model.start) * i64::from(*part) / 255;
            assert_eq!(log.truncate_to(wanted, NOW).unwrap(), wanted < model.end);
            if wanted < model.end {
                // Whole batches go.
                let end = log.offsets().log_end;
                assert!(end <= wanted && (end == wanted || model.batches.contains(&end)));
                model.cut(end);
                if log.offsets().log_start < model.start {
                    model.start = log.offsets().log_start;
                }
            }
        }
        Step::Restart | Step::Kill => {
            if matches!(step, Step::Restart) {
                model.durable = model.end;
            }
            return subject.stop(path, step);
        }
        Step::Crash(..) => {
            let subject = subject.stop(path, step);
            let offsets = subject.log.offsets();
            assert!(offsets.log_end >= model.durable, "{} was promised, {offsets:?} is left", model.durable);
            assert!(
                offsets.log_end == model.end
                    || offsets.log_end <= offsets.log_start
                    || model.batches.contains(&offsets.log_end)
            );
            model.cut(offsets.log_end);
            return subject;
        }
    }
    subject
}

fn check(log: &Log, model: &Model, at: usize) {
    let offsets = log.offsets();
    assert_eq!((offsets.log_start, offsets.log_end), (model.start, model.end));
    assert_eq!((offsets.high_watermark, offsets.last_stable), (model.end, model.end));
    assert!(log.recovery_point() <= model.end);
    let found: Vec<i64> = values_from(log, model.start).into_iter().map(|(offset, _)| offset).collect();
    let expected: Vec<i64> = model.records.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(found, expected);
    if let Some(&(offset, time)) = model.records.get(at % model.records.len().max(1)) {
        let first = |target| model.records.iter().find(|(_, time)| *time >= target).copied();
        for target in [time - 1, time, time + 1] {
            let found = log.find(OffsetQuery::Timestamp(target)).unwrap();
            assert_eq!(found.map(|found| (found.offset, found.timestamp)), first(target), "at time {target}");
        }
        let read = log.read(offset, 1, Isolation::HighWatermark, true).unwrap();
        assert!(records_of(&read).iter().any(|(found, _)| *found == offset));
        let max = log.find(OffsetQuery::MaxTimestamp).unwrap().unwrap();
        let largest = model.records.iter().map(|(_, time)| *time).max().unwrap();
        assert_eq!(Some((max.offset, max.timestamp)), first(largest));
    }
}

/// Takes the steps; after every so many of them the log moves to the other of two directories.
fn run(steps: &[Step], segment: u64, moves: usize) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut path = folders[0].path().join("t-0");
    let config = LogConfig { retention_ms: -1, message_timestamp_after_max_ms: i64::MAX, ..small_segments(segment) };
    let mut subject = Subject::open(&path, &config, &OpenOptions::new(NOW));
    let mut model = Model::default();
    for (at, step) in steps.iter().enumerate() {
        subject = apply(subject, &mut model, &path, step);
        if (at + 1) % moves == 0 {
            let to = folders[(at + 1) / moves % 2].path();
            subject.log.move_to(to, &MoveProgress::default(), NOW).unwrap();
            let old = std::mem::replace(&mut path, to.join("t-0"));
            assert_eq!(subject.log.folder(), path);
            assert!(!old.exists(), "the log is in both directories");
            check(&subject.log, &model, at * 3);
        }
        // Reading everything after every append would be most of the time.
        if !matches!(step, Step::Append(..)) || at % 8 == 0 {
            check(&subject.log, &model, at * 7);
        }
    }
    // Recovery from nothing but the records gives the same log.
    let options = OpenOptions { log_start_offset: model.start, ..OpenOptions::new(NOW) };
    let subject = subject.stop(&path, &Step::Kill);
    drop(subject);
    let subject = Subject::open(&path, &config, &options);
    check(&subject.log, &model, 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_log_is_a_list_that_survives(steps in proptest::collection::vec(step(), 1..60), segment in 250..2000_u64) {
        run(&steps, segment, usize::MAX);
    }

    #[test]
    fn a_log_that_moves_is_the_same_list(
        steps in proptest::collection::vec(step(), 1..40), segment in 250..2000_u64, moves in 2..12_usize
    ) {
        run(&steps, segment, moves);
    }
}
