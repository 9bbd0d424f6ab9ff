//! A partition's log on disk, in Apache Kafka's file formats. Synchronous, no runtime, knows no request.
//!
//! # What to call
//!
//! ```text
//! // One a process: the disk (real, or one that fails in tests), the budget of open files, the trash of deleted files.
//! Env::new(open_files: usize) -> Arc<Env>                      Env::with_disk(Arc<dyn Disk>, usize) -> Arc<Env>
//! env.set_producer_expiration_ms(ms)    env.set_transaction_verification(bool)         // dynamic broker settings
//! env.collect_trash(now_ms) -> usize                           // removes files whose file.delete.delay.ms is over
//!
//! // One a log directory.
//! LogDir::open(&Arc<Env>, path) -> Result<LogDir, DirError>    // takes `.lock`, reads the checkpoints, notes a clean stop
//! dir.scan() -> Result<Found>                                  // `<topic>-<n>`, `-future` folders; `-delete`: to the trash
//! dir.open_logs(&[TopicPartition], threads, now_ms, |&TopicPartition| -> Arc<LogConfig>) -> Vec<Result<Log, LogError>>
//! dir.create_log(&TopicPartition, topic_id: Uuid, Arc<LogConfig>, now_ms) -> Result<Log, LogError>
//! dir.write_checkpoints(logs: impl IntoIterator<Item = &Log>)  // recovery point, log start, high watermark
//! dir.mark_clean_shutdown(broker_epoch: i64)                   // after every log was closed and the checkpoints written
//! dir.discard(&TopicPartition, due_ms)                         // a folder that the metadata knows no topic of
//! dir.cleaner_offsets() -> BTreeMap<TopicPartition, i64>       dir.write_cleaner_offsets(&…)
//!
//! // One a partition. `Log: Send + Sync`; every method takes `&self`.
//! Log::open(&Arc<Env>, PathBuf, Arc<LogConfig>, &OpenOptions) -> Result<Log, LogError>
//! log.append(&mut [u8], &AppendContext) -> Result<AppendInfo, AppendError>      // then log.advance_high_watermark(last + 1)
//! log.read(offset, max_bytes, Isolation, min_one_batch: bool) -> Result<Fetched, ReadError>
//!     // Fetched { slice: Option<FileSlice { file: Arc<File>, position, len }>, first_batch_incomplete, offsets, aborted }
//!     // FileSlice::read_into(&mut Vec<u8>) where sendfile can't be used
//! log.find(OffsetQuery::{Earliest, Latest, MaxTimestamp, Timestamp(ms)}) -> Result<Option<TimestampOffset>, LogError>
//! log.offsets() -> Offsets { log_start, last_stable, high_watermark, log_end }     log.recovery_point() -> i64
//! log.advance_high_watermark(offset) -> bool
//! log.end_offset_for_epoch(epoch) -> EpochEnd { epoch, end_offset }    log.assign_epoch(epoch)    log.latest_epoch()
//! log.aborted_transactions(from, to) -> Result<Vec<AbortedTxn>, LogError>
//! log.producers() -> Vec<ProducerInfo>                          log.has_late_transaction(now_ms, max_timeout_ms) -> bool
//! log.start_verification(producer_id, epoch, sequence, supports_epoch_bump, now_ms) -> Option<VerificationGuard>
//!
//! // Housekeeping: the caller owns the clock and the threads.
//! log.flush_if_due(now_ms)     // each second, and after an append that says `rolled`: off the async threads, it fsyncs
//! log.sync_data(up_to_offset)  // returns once those batches are on the medium; one fsync for all who wait (acks=all)
//! log.delete_old_segments(now_ms) -> usize   log.expire_producers(now_ms)   log.flush()   log.roll(now_ms)   log.maybe_roll(now_ms)
//! log.delete_records(before_offset) -> i64 (the new log start)
//! log.truncate_to(offset, now_ms)   log.truncate_fully_and_start_at(offset, now_ms)
//! log.update_config(Arc<LogConfig>)   log.size() -> u64   log.segment_count()   log.topic_id()   log.is_offline()
//! log.close()                                                   // flush, producer snapshot, trim: then a start is cheap
//! log.move_to(directory, &MoveProgress, now_ms)                 // blocks, copies; appends and reads go on meanwhile
//! log.delete(now_ms)                                            // renames to `<topic>-<n>.<uuid>-delete`, trash later
//!
//! // Compaction, on threads of their own.
//! log.cleanable(checkpointed: Option<i64>, now_ms) -> Result<Cleanable, LogError>   // .is_due(min ratio), .dirty_ratio()
//! Cleaner::new(CleanerConfig).clean(&log, &Cleanable, now_ms) -> Result<CleanReport, LogError>   // .cleaned_to
//! ```
//!
//! # What is in a log's folder
//!
//! ```text
//! raw_recipes-0/
//!   00000000000000000000.log         batches: base offset i64 | length i32 | leader epoch i32 | magic 2 | crc | …
//!   00000000000000000000.index       (offset - base) i32 | position i32       one about every index.interval.bytes
//!   00000000000000000000.timeindex   largest timestamp i64 | (offset - base) i32
//!   00000000000000000042.txnindex    version i16 | producer id i64 | first, last, last stable offset i64
//!   00000000000000000042.snapshot    the producers' state before offset 42
//!   leader-epoch-checkpoint          text: version, count, then `epoch first-offset` lines
//!   partition.metadata               text: the topic's id
//! ```
//!
//! The number in a name is the offset of the first record the file is about. Suffixes tell what a stop may leave half
//! done: `.cleaned` is being written by compaction, `.swap` is complete and replaces others, `.deleted` waits to go.
//! After an unclean stop everything from the recovery point on is read and checked, the log is cut at the first batch
//! that is not whole, and indexes, epochs and the producers' state are made anew; after a clean one next to nothing is
//! read. The details stand in the modules that do it: `log::load`, `log::recover`, `segment`, `table`, `producer`,
//! `cleaner`.
//!
//! # Who may do what at the same time
//!
//! All methods of [`Log`] may be called from any thread. Writers (append, roll, truncate, delete, close) queue on
//! one mutex inside the log. Readers (`read`, `find`, `offsets`, …) never take it: they copy a small view of the log
//! (offsets, the list of segments) under a lock that is held for nanoseconds, and then read files. A `FileSlice` stays
//! readable after retention deleted its segment, because it holds the file open. Bytes below the log end never change,
//! except by truncation.

mod append;
mod batch;
mod checkpoint;
mod cleaner;
mod config;
mod convert;
mod dir;
mod disk;
mod env;
mod epoch_cache;
mod error;
pub mod fault;
mod file;
mod log;
mod names;
mod offset_index;
mod producer;
mod segment;
mod table;
mod time_index;
mod trash;
mod txn_index;
mod validate;

pub use append::{AppendContext, AppendInfo, Origin};
pub use checkpoint::{format_id, parse_id, read_offsets, write_offsets};
pub use cleaner::{CleanReport, Cleaner, CleanerConfig, Pace};
pub use config::{Compression, LogConfig, TimestampType};
pub use dir::{DirError, DirLock, Found, LogDir};
pub use disk::{Disk, RealDisk};
pub use env::Env;
pub use epoch_cache::{EpochEnd, EpochEntry};
pub use error::{AppendError, LogError, RecordError};
pub use log::{
    Cleanable, Fetched, FileSlice, Isolation, Log, MoveProgress, OffsetQuery, Offsets, OpenOptions, ReadError,
    TimestampOffset,
};
pub use names::TopicPartition;
pub use producer::{ProducerInfo, VerificationGuard};
pub use txn_index::AbortedTxn;
pub use validate::next_size;
