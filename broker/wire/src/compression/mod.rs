//! Compressing and decompressing records, in the formats that Kafka's clients write.

mod lz4;
mod snappy;

use std::borrow::Cow;
use std::io::{Read, Write};

pub use lz4::Lz4Frame;

/// How records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip (RFC 1952).
    Gzip,
    /// Snappy, in blocks with the framing of xerial's snappy-java.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// The number in a batch's attributes.
    pub const fn id(self) -> i8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in Kafka's settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd].into_iter().find(|codec| codec.name() == name)
    }
}

impl TryFrom<i8> for Compression {
    type Error = CompressionError;

    fn try_from(id: i8) -> Result<Self, CompressionError> {
        Ok(match id {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => return Err(CompressionError::UnknownCodec(other)),
        })
    }
}

/// Why bytes could not be decompressed or compressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// A codec that no release knows.
    #[error("compression codec {0} is not known")]
    UnknownCodec(i8),
    /// More output than the caller allows.
    #[error("records take more than {limit} bytes when decompressed")]
    TooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// Bytes that the codec cannot make sense of.
    #[error("{codec} data is corrupt: {reason}")]
    Corrupt {
        /// The codec's name.
        codec: &'static str,
        /// What it says.
        reason: String,
    },
    /// A codec that failed to compress.
    #[error("cannot compress with {codec}: {reason}")]
    Failed {
        /// The codec's name.
        codec: &'static str,
        /// What it says.
        reason: String,
    },
}

impl CompressionError {
    fn corrupt(codec: Compression, reason: impl ToString) -> Self {
        Self::Corrupt { codec: codec.name(), reason: reason.to_string() }
    }

    fn failed(codec: Compression, reason: impl ToString) -> Self {
        Self::Failed { codec: codec.name(), reason: reason.to_string() }
    }
}

/// Decompresses `bytes` into at most `limit` bytes. What is not compressed is borrowed, and held to the limit too.
///
/// # Errors
/// [`CompressionError::TooLarge`] or [`CompressionError::Corrupt`].
pub fn decompress(codec: Compression, bytes: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, CompressionError> {
    decompress_with(codec, bytes, limit, Lz4Frame::Standard)
}

/// Decompresses as [`decompress`] does; `lz4` says which LZ4 frames to expect.
///
/// # Errors
/// As [`decompress`].
pub fn decompress_with(
    codec: Compression,
    bytes: &[u8],
    limit: usize,
    lz4: Lz4Frame,
) -> Result<Cow<'_, [u8]>, CompressionError> {
    Ok(Cow::Owned(match codec {
        Compression::None if bytes.len() > limit => return Err(CompressionError::TooLarge { limit }),
        Compression::None => return Ok(Cow::Borrowed(bytes)),
        Compression::Gzip => read_limited(codec, flate2::read::MultiGzDecoder::new(bytes), limit)?,
        Compression::Snappy => snappy::decompress(bytes, limit)?,
        Compression::Lz4 => lz4::decompress(bytes, limit, lz4)?,
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes);
            read_limited(codec, decoder.map_err(|error| CompressionError::failed(codec, error))?, limit)?
        }
    }))
}

fn read_limited(codec: Compression, reader: impl Read, limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = reader.take(one_more).read_to_end(&mut out);
    if out.len() > limit {
        return Err(CompressionError::TooLarge { limit });
    }
    read.map_err(|error| CompressionError::corrupt(codec, error))?;
    Ok(out)
}

/// Compresses `bytes` in the format that Kafka's Java clients write.
///
/// `level` is 1 to 9 for gzip (default 6) and -131072 to 22 for zstd (default 3); the other codecs have no levels here.
///
/// # Errors
/// [`CompressionError::Failed`].
pub fn compress(codec: Compression, level: Option<i32>, bytes: &[u8]) -> Result<Cow<'_, [u8]>, CompressionError> {
    compress_with(codec, level, bytes, Lz4Frame::Standard)
}

/// Compresses as [`compress`] does; `lz4` says which LZ4 frames to write.
///
/// # Errors
/// [`CompressionError::Failed`].
pub fn compress_with(
    codec: Compression,
    level: Option<i32>,
    bytes: &[u8],
    lz4: Lz4Frame,
) -> Result<Cow<'_, [u8]>, CompressionError> {
    Ok(Cow::Owned(match codec {
        Compression::None => return Ok(Cow::Borrowed(bytes)),
        Compression::Gzip => gzip(level, bytes).map_err(|error| CompressionError::failed(codec, error))?,
        Compression::Snappy => snappy::compress(bytes)?,
        Compression::Lz4 => lz4::compress(bytes, lz4)?,
        Compression::Zstd => {
            let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
            zstd::bulk::compress(bytes, level).map_err(|error| CompressionError::failed(codec, error))?
        }
    }))
}

fn gzip(level: Option<i32>, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let level = level.and_then(|level| u32::try_from(level).ok()).unwrap_or(6).min(9);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes)?;
    encoder.finish()
}
