//! LZ4 frames.
//!
//! Kafka's clients of the time of message format 0 summed up the frame's header from the wrong byte on, magic included.
//! Readers and writers of that format keep to it (`Lz4BlockInputStream`, `Lz4BlockOutputStream` in Kafka).

use std::borrow::Cow;
use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use super::{Compression, CompressionError, read_limited};

const FRAME_MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
const CONTENT_SIZE: u8 = 0x08;
const DICTIONARY_ID: u8 = 0x01;

/// Which sum the header of an LZ4 frame has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lz4Frame {
    /// As the LZ4 frame format says; in message formats 1 and 2.
    #[default]
    Standard,
    /// Of the magic number too; in message format 0. When reading, any sum is taken.
    MessageFormat0,
}

/// Where the header's sum is, if `frame` starts with a header.
fn checksum_position(frame: &[u8]) -> Option<usize> {
    let flags = *frame.strip_prefix(&FRAME_MAGIC)?.first()?;
    let size = if flags & CONTENT_SIZE != 0 { 8 } else { 0 };
    let dictionary = if flags & DICTIONARY_ID != 0 { 4 } else { 0 };
    let position = FRAME_MAGIC.len() + 2 + size + dictionary;
    (position < frame.len()).then_some(position)
}

fn checksum(header: &[u8]) -> u8 {
    (XxHash32::oneshot(0, header) >> 8) as u8
}

pub(super) fn decompress(bytes: &[u8], limit: usize, frame: Lz4Frame) -> Result<Vec<u8>, CompressionError> {
    let mut bytes = Cow::Borrowed(bytes);
    if let (Lz4Frame::MessageFormat0, Some(position)) = (frame, checksum_position(&bytes)) {
        bytes.to_mut()[position] = checksum(&bytes[FRAME_MAGIC.len()..position]);
    }
    read_limited(Compression::Lz4, FrameDecoder::new(bytes.as_ref()), limit)
}

pub(super) fn compress(bytes: &[u8], frame: Lz4Frame) -> Result<Vec<u8>, CompressionError> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    let failed = |error: &dyn std::fmt::Display| CompressionError::failed(Compression::Lz4, error);
    encoder.write_all(bytes).map_err(|error| failed(&error))?;
    let mut out = encoder.finish().map_err(|error| failed(&error))?;
    if let (Lz4Frame::MessageFormat0, Some(position)) = (frame, checksum_position(&out)) {
        out[position] = checksum(&out[..position]);
    }
    Ok(out)
}
