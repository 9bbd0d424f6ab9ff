//! What goes into an append and what comes out.

use crate::producer::VerificationGuard;

/// Where batches come from; it decides which checks they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A Produce request: all checks.
    Client,
    /// The group or transaction coordinator: no sequence checks, control batches allowed.
    Coordinator,
    /// The metadata log's leader: control batches allowed.
    RaftLeader,
}

/// All that an append needs to know besides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendContext {
    /// The partition's leader epoch, which is written into each batch.
    pub leader_epoch: i32,
    /// The broker's clock, in ms since the epoch.
    pub now_ms: i64,
    /// Where the batches come from.
    pub origin: Origin,
    /// Proof that the batches' transaction was verified; from [`crate::Log::start_verification`].
    pub verification: Option<VerificationGuard>,
    /// For transaction markers the version of the transaction (2: the marker's epoch is bumped, KIP-890), otherwise 0.
    pub transaction_version: i16,
}

impl AppendContext {
    /// A Produce request's append, nothing verified.
    pub fn client(leader_epoch: i32, now_ms: i64) -> AppendContext {
        AppendContext { leader_epoch, now_ms, origin: Origin::Client, verification: None, transaction_version: 0 }
    }

    /// A coordinator's append.
    pub fn coordinator(leader_epoch: i32, now_ms: i64) -> AppendContext {
        AppendContext { origin: Origin::Coordinator, ..AppendContext::client(leader_epoch, now_ms) }
    }
}

/// Where batches were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendInfo {
    /// Offset of the first record; -1 if the bytes held no whole batch.
    pub first_offset: i64,
    /// Offset of the last record; `first_offset - 1` if there was none.
    pub last_offset: i64,
    /// Largest timestamp of the batches, -1 without one.
    pub max_timestamp: i64,
    /// Last offset of the first batch that has that timestamp, -1 without one.
    pub offset_of_max_timestamp: i64,
    /// The time the broker stamped on the batches, in ms; -1 for CreateTime. For a duplicate the batch's timestamp.
    pub log_append_time: i64,
    /// The log's first offset.
    pub log_start_offset: i64,
    /// Bytes written.
    pub bytes: usize,
    /// Nothing was written: the producer sent the batch before, and the offsets are those of that time.
    pub duplicate: bool,
    /// A segment was closed; [`crate::Log::flush_if_due`] has something to do.
    pub rolled: bool,
}
