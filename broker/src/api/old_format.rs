//! Records in the formats before v2, for clients of the 0.8 to 0.10 era: converted at the door, in and out.

use commitlog::next_size;
use wire::ErrorCode;
use wire::compression::Compression;
use wire::record_batch::convert::{self, read_message_set};
use wire::record_batch::{BatchError, BatchOptions, NO_TIMESTAMP, RecordBatches, magic};

use crate::replica::AppendFailure;

/// Most bytes that a message set or a batch may decompress to.
const MAX_DECOMPRESSED: usize = 256 * 1024 * 1024;

/// Makes a batch of a message set (magic 0 or 1), compressed as it came. Batches of format v2 stay as they are.
///
/// # Errors
/// `CORRUPT_MESSAGE` for bytes that are no message set, `INVALID_RECORD` for none or for a batch of a later format.
pub fn up_convert(records: &[u8]) -> Result<Vec<u8>, AppendFailure> {
    let failure = |error: BatchError| match error {
        BatchError::UnsupportedMagic { .. } => AppendFailure::new(ErrorCode::InvalidRecord, error.to_string()),
        _ => AppendFailure::new(ErrorCode::CorruptMessage, error.to_string()),
    };
    let records = whole(records)?;
    if magic(records) == Some(2) {
        return Ok(records.to_vec());
    }
    let set = read_message_set(records, MAX_DECOMPRESSED).map_err(failure)?;
    if set.records.iter().any(|record| record.timestamp < NO_TIMESTAMP) {
        // As Kafka, where the exception behind it has no code of its own.
        return Err(AppendFailure::code(ErrorCode::UnknownServerError));
    }
    set.to_batch(BatchOptions { compression: set.compression, ..BatchOptions::default() }).map_err(failure)
}

/// `records` up to the last message that is there whole: what follows is dropped, as Kafka does. All of it where not even
/// the first one is whole, for the reader to say what is wrong with it.
fn whole(records: &[u8]) -> Result<&[u8], AppendFailure> {
    let mut end = 0;
    while let Some((_, size)) = next_size(&records[end..]).map_err(|error| AppendFailure::from(&error))? {
        if records.len() - end < size {
            break;
        }
        end += size;
    }
    Ok(if end == 0 { records } else { &records[..end] })
}

/// Makes a message set of whole batches: of magic 0 for Fetch versions 0 and 1, of magic 1 for 2 and 3. Ends before the
/// first batch that those formats cannot hold.
///
/// # Errors
/// `UNSUPPORTED_COMPRESSION_TYPE` where Zstandard, which those formats do not know, comes first; `CORRUPT_MESSAGE`.
pub fn down_convert(fetch_version: i16, batches: &[u8], first_offset: i64) -> Result<Vec<u8>, ErrorCode> {
    let format = if fetch_version < 2 { 0 } else { 1 };
    let mut end = 0;
    for batch in RecordBatches::new(batches).map_while(Result::ok) {
        if batch.compression().is_ok_and(|codec| codec == Compression::Zstd) {
            if end == 0 {
                return Err(ErrorCode::UnsupportedCompressionType);
            }
            break;
        }
        end += batch.size();
    }
    let converted = convert::down_convert(&batches[..end], format, first_offset, MAX_DECOMPRESSED);
    converted.map_err(|_| ErrorCode::CorruptMessage)
}
