//! What can be wrong with record batches.

use crate::DecodeError;
use crate::compression::CompressionError;

/// Bytes that are no valid record batch. `at` is the position in the buffer that was read, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The buffer ends inside a batch.
    #[error("batch at byte {at} is torn: it takes {needed} bytes, {remaining} are there")]
    Torn {
        /// Where the batch starts.
        at: usize,
        /// Bytes that it takes, as far as known.
        needed: usize,
        /// Bytes that are there.
        remaining: usize,
    },
    /// A length that no batch has.
    #[error("batch at byte {at} has the impossible length {length}")]
    InvalidLength {
        /// Where the batch starts.
        at: usize,
        /// The length as read.
        length: i32,
    },
    /// A format other than the ones expected here.
    #[error("batch at byte {at} has the format (magic) {magic}, which is not supported here")]
    UnsupportedMagic {
        /// Where the batch starts.
        at: usize,
        /// The magic byte.
        magic: i8,
    },
    /// A batch or message that is not what its writer summed up.
    #[error("batch at offset {offset} is corrupt: its checksum is {computed:#010x}, stored is {stored:#010x}")]
    CrcMismatch {
        /// The batch's base offset or the message's offset.
        offset: i64,
        /// The checksum it has.
        stored: u32,
        /// The checksum it should have.
        computed: u32,
    },
    /// More or fewer records than the batch declares.
    #[error("batch at offset {offset} declares {declared} records, but its bytes hold {found}")]
    CountMismatch {
        /// The batch's base offset.
        offset: i64,
        /// The number declared.
        declared: i32,
        /// Records read; where bytes are left over after all declared ones, one more.
        found: i32,
    },
    /// A record that cannot be read.
    #[error("record {index} of the batch cannot be read: {reason}")]
    InvalidRecord {
        /// Its place in the batch, from 0.
        index: i32,
        /// What is wrong.
        reason: InvalidRecord,
    },
    /// A compressed old message that is not valid as the wrapper of others.
    #[error("compressed message at offset {offset} {reason}")]
    InvalidWrapper {
        /// The message's offset.
        offset: i64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Records that cannot be decompressed or compressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A batch that would be larger than 2^31 - 1 bytes, or whose offsets would be further apart.
    #[error("the batch would be too large: {0}")]
    TooLarge(&'static str),
    /// A control record that cannot be written or read.
    #[error("control record: {0}")]
    Control(String),
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// A primitive value cannot be read.
    #[error(transparent)]
    Value(#[from] DecodeError),
    /// A length or number that no record has.
    #[error("invalid {what} {value}")]
    Length {
        /// What it is the length or number of.
        what: &'static str,
        /// The value as read.
        value: i64,
    },
    /// The record's fields do not fill the size it announces.
    #[error("{unread} bytes of its size are not used")]
    Size {
        /// Bytes left.
        unread: usize,
    },
}
