//! The settings of a topic that act on its log, under Kafka's names with `.` as `_`.

/// Who stamps a record with its time (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's time stays.
    CreateTime,
    /// The broker's clock at the append replaces it.
    LogAppendTime,
}

/// What `compression.type` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As the producer sent it.
    Producer,
    /// `uncompressed`.
    None,
    /// `gzip` with `compression.gzip.level` (-1 is the library's own, or 1..=9).
    Gzip(i32),
    /// `snappy`.
    Snappy,
    /// `lz4` with `compression.lz4.level` (1..=17).
    Lz4(i32),
    /// `zstd` with `compression.zstd.level` (-131072..=22).
    Zstd(i32),
}

/// The topic settings a log obeys. [`Default`] holds Kafka's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: largest size of a segment, in bytes.
    pub segment_bytes: u64,
    /// `segment.ms`: longest time between a segment's first record and the roll, in ms.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: up to this much is taken off `segment_ms`, fixed for a segment, so that logs do not roll
    /// in step.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: largest size of an index file, in bytes.
    pub segment_index_bytes: usize,
    /// `index.interval.bytes`: bytes of log between two index entries.
    pub index_interval_bytes: u32,
    /// `preallocate`: reserve `segment_bytes` on disk when a segment is made.
    pub preallocate: bool,
    /// `flush.messages`: fsync after this many records.
    pub flush_messages: i64,
    /// `flush.ms`: fsync after this many ms.
    pub flush_ms: i64,
    /// `retention.bytes`: size of the log above which the oldest segments go; negative keeps them.
    pub retention_bytes: i64,
    /// `retention.ms`: age of a segment's newest record after which it goes; negative keeps it.
    pub retention_ms: i64,
    /// `file.delete.delay.ms`: how long a deleted file stays under its `.deleted` name.
    pub file_delete_delay_ms: i64,
    /// `cleanup.policy` contains `delete`.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub compact: bool,
    /// `delete.retention.ms`: how long tombstones stay readable after compaction has reached them.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: records younger than this are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a dirty record older than this makes the log due for compaction.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: dirty bytes over all bytes from which on the log is due for compaction.
    pub min_cleanable_dirty_ratio: f64,
    /// `max.message.bytes`: largest batch, in bytes, headers and compression included.
    pub max_message_bytes: usize,
    /// `compression.type` and its level.
    pub compression: Compression,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        const WEEK_MS: i64 = 7 * 24 * 3_600_000;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            preallocate: false,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            retention_bytes: -1,
            retention_ms: WEEK_MS,
            file_delete_delay_ms: 60_000,
            delete: true,
            compact: false,
            delete_retention_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            max_message_bytes: 1_048_588,
            compression: Compression::Producer,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
        }
    }
}

impl LogConfig {
    /// The age at which a segment is rolled: a compacted log rolls early enough for `max.compaction.lag.ms`, because
    /// the active segment is never compacted.
    pub(crate) fn max_segment_ms(&self) -> i64 {
        if self.compact && self.max_compaction_lag_ms > 0 {
            self.max_compaction_lag_ms.min(self.segment_ms)
        } else {
            self.segment_ms
        }
    }
}
