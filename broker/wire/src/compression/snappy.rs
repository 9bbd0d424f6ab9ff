//! Snappy in the framing of xerial's snappy-java, which Kafka's Java clients write, and plain Snappy, which others do.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | int32 version 1 | int32 compatible version 1 | (int32 length, raw Snappy)*
//! ```

use super::{Compression, CompressionError};

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEADER: usize = 16;
/// snappy-java's block size, before compression.
const BLOCK: usize = 32 * 1024;
/// Snappy's best: three bytes repeat 64.
const MAX_RATIO: usize = 64;

fn corrupt(reason: impl ToString) -> CompressionError {
    CompressionError::corrupt(Compression::Snappy, reason)
}

pub(super) fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    if !bytes.starts_with(MAGIC) {
        block(bytes, limit, &mut out)?;
        return Ok(out);
    }
    let mut rest = bytes.get(HEADER..).ok_or_else(|| corrupt("truncated header"))?;
    while !rest.is_empty() {
        // Streams may be strung together.
        if rest.starts_with(MAGIC) {
            rest = rest.get(HEADER..).ok_or_else(|| corrupt("truncated header"))?;
            continue;
        }
        let (length, after) = rest.split_first_chunk().ok_or_else(|| corrupt("truncated block length"))?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > after.len() {
            return Err(corrupt(format!("block of {length} bytes, {} are left", after.len())));
        }
        let (compressed, after) = after.split_at(length);
        block(compressed, limit, &mut out)?;
        rest = after;
    }
    Ok(out)
}

fn block(compressed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let length = snap::raw::decompress_len(compressed).map_err(corrupt)?;
    if length > limit.saturating_sub(out.len()) {
        return Err(CompressionError::TooLarge { limit });
    }
    if length > compressed.len().saturating_mul(MAX_RATIO) {
        return Err(corrupt(format!("{} bytes cannot hold the {length} they announce", compressed.len())));
    }
    let start = out.len();
    out.resize(start + length, 0);
    snap::raw::Decoder::new().decompress(compressed, &mut out[start..]).map_err(corrupt)?;
    Ok(())
}

pub(super) fn compress(bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(HEADER + bytes.len() / 2);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    let mut buffer = vec![0; snap::raw::max_compress_len(BLOCK.min(bytes.len()))];
    for block in bytes.chunks(BLOCK) {
        let length = encoder
            .compress(block, &mut buffer)
            .map_err(|error| CompressionError::failed(Compression::Snappy, error))?;
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.extend_from_slice(&buffer[..length]);
    }
    Ok(out)
}
