//! Records in the formats before v2, for clients of the 0.8 to 0.10 era: converted at the door, in and out.

use wire::ErrorCode;
use wire::compression::Compression;
use wire::record_batch::convert::{self, read_message_set};
use wire::record_batch::{BatchError, BatchOptions};

use crate::replica::AppendFailure;

/// Most bytes that a message set or a batch may decompress to.
const MAX_DECOMPRESSED: usize = 256 * 1024 * 1024;

/// Makes a batch of a message set (magic 0 or 1), compressed as it came.
///
/// # Errors
/// `CORRUPT_MESSAGE` for bytes that are no message set, `INVALID_RECORD` for none or for a batch of a later format.
pub fn up_convert(records: &[u8]) -> Result<Vec<u8>, AppendFailure> {
    let failure = |error: BatchError| match error {
        BatchError::UnsupportedMagic { .. } => AppendFailure::new(ErrorCode::InvalidRecord, error.to_string()),
        _ => AppendFailure::new(ErrorCode::CorruptMessage, error.to_string()),
    };
    let set = read_message_set(records, MAX_DECOMPRESSED).map_err(failure)?;
    set.to_batch(BatchOptions { compression: set.compression, ..BatchOptions::default() }).map_err(failure)
}

/// Makes a message set of whole batches: of magic 0 for Fetch versions 0 and 1, of magic 1 for 2 and 3.
///
/// # Errors
/// `UNSUPPORTED_COMPRESSION_TYPE` for Zstandard, which those formats do not know; `CORRUPT_MESSAGE`.
pub fn down_convert(fetch_version: i16, batches: &[u8], first_offset: i64) -> Result<Vec<u8>, ErrorCode> {
    let magic = if fetch_version < 2 { 0 } else { 1 };
    let whole = whole_batches(batches);
    convert::down_convert(whole, magic, first_offset, MAX_DECOMPRESSED).map_err(|error| match error {
        BatchError::Compression(wire::compression::CompressionError::UnknownCodec(codec))
            if codec == Compression::Zstd.id() =>
        {
            ErrorCode::UnsupportedCompressionType
        }
        _ => ErrorCode::CorruptMessage,
    })
}

/// `batches` up to the last one that is there whole.
fn whole_batches(batches: &[u8]) -> &[u8] {
    let mut end = 0;
    while let Some(size) = batch_size(&batches[end..]).filter(|size| end + size <= batches.len()) {
        end += size;
    }
    &batches[..end]
}

/// Bytes of the batch that `records` begins with, by its own account.
pub fn batch_size(records: &[u8]) -> Option<usize> {
    let length = i32::from_be_bytes(*records.get(8..)?.first_chunk()?);
    Some(usize::try_from(length).ok()? + wire::record_batch::LOG_OVERHEAD)
}
