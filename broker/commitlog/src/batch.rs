//! The header of a record batch (magic 2), and walking from batch to batch in a file.
//!
//! ```text
//!  0 base offset i64        | 8 length i32 (of all that follows) | 12 leader epoch i32 | 16 magic i8 = 2
//! 17 crc u32 (of 21..)      | 21 attributes i16                  | 23 last offset delta i32
//! 27 base timestamp i64     | 35 max timestamp i64               | 43 producer id i64  | 51 producer epoch i16
//! 53 base sequence i32      | 57 record count i32                | 61 records
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes before the records.
pub(crate) const HEADER: usize = 61;
/// Bytes that `length` does not count: base offset and length.
pub(crate) const LOG_OVERHEAD: usize = 12;
/// Where the CRC's input begins.
pub(crate) const CRC_START: usize = 21;

const CODEC_MASK: i16 = 0x07;
const TIMESTAMP_TYPE: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// A batch's header, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) length: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) magic: i8,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl BatchHeader {
    /// Decodes the first [`HEADER`] bytes; `None` if there are fewer.
    pub(crate) fn parse(bytes: &[u8]) -> Option<BatchHeader> {
        Some(BatchHeader {
            base_offset: i64::from_be_bytes(array(bytes, 0)?),
            length: i32::from_be_bytes(array(bytes, 8)?),
            leader_epoch: i32::from_be_bytes(array(bytes, 12)?),
            magic: i8::from_be_bytes(array(bytes, 16)?),
            crc: u32::from_be_bytes(array(bytes, 17)?),
            attributes: i16::from_be_bytes(array(bytes, 21)?),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)?),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)?),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)?),
            producer_id: i64::from_be_bytes(array(bytes, 43)?),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)?),
            base_sequence: i32::from_be_bytes(array(bytes, 53)?),
            count: i32::from_be_bytes(array(bytes, 57)?),
        })
    }

    /// Stands for a set of old messages, so that the checks of records apply to them, too.
    pub(crate) fn of_message_set(log_append_time: bool) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            length: 0,
            leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: if log_append_time { TIMESTAMP_TYPE } else { 0 },
            last_offset_delta: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
        }
    }

    /// Bytes of the whole batch; `None` if the length can't be that of a batch.
    pub(crate) fn size(&self) -> Option<usize> {
        let size = usize::try_from(self.length).ok()? + LOG_OVERHEAD;
        (size >= HEADER).then_some(size)
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    pub(crate) fn codec(&self) -> i16 {
        self.attributes & CODEC_MASK
    }

    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// Sequence of the last record, which wraps from `i32::MAX` to 0; -1 without a sequence.
    pub(crate) fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 { -1 } else { increment_sequence(self.base_sequence, self.last_offset_delta) }
    }

    /// When the base timestamp is a delete horizon (KIP-534), that horizon.
    pub(crate) fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }
}

/// Adds to a sequence number; they wrap from `i32::MAX` to 0.
pub(crate) fn increment_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

/// CRC-32C of a whole batch, as its header should state it.
pub(crate) fn crc_of(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(CRC_START..).unwrap_or_default())
}

/// Sets timestamp type LogAppendTime with `now_ms` as the largest timestamp, and the CRC.
pub(crate) fn set_log_append_time(batch: &mut [u8], now_ms: i64) {
    batch[22] |= TIMESTAMP_TYPE as u8;
    batch[35..43].copy_from_slice(&now_ms.to_be_bytes());
    let crc = crc_of(batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Sets timestamp type CreateTime with the largest timestamp, and the CRC.
pub(crate) fn set_create_time(batch: &mut [u8], timestamp: i64) {
    batch[22] &= !(TIMESTAMP_TYPE as u8);
    batch[35..43].copy_from_slice(&timestamp.to_be_bytes());
    let crc = crc_of(batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Sets what the CRC does not cover: where the batch stands in the log.
pub(crate) fn set_place(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[0..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// The batches of a buffer, as far as they are whole.
pub(crate) struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Batches<'a> {
        Batches { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = (BatchHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = BatchHeader::parse(self.rest)?;
        let (batch, rest) = self.rest.split_at_checked(header.size()?)?;
        self.rest = rest;
        Some((header, batch))
    }
}

/// Walks over the headers of a log file, reading little more than the headers.
///
/// Small batches come many to a read, and of large ones only the beginning is read.
pub(crate) struct HeaderWalk<'a> {
    file: &'a File,
    position: u64,
    end: u64,
    chunk: Box<[u8; HeaderWalk::CHUNK]>,
    chunk_start: u64,
    chunk_len: usize,
}

impl<'a> HeaderWalk<'a> {
    const CHUNK: usize = 4096;

    /// Walks over `[position, end)`.
    pub(crate) fn new(file: &'a File, position: u64, end: u64) -> HeaderWalk<'a> {
        HeaderWalk { file, position, end, chunk: Box::new([0; Self::CHUNK]), chunk_start: 0, chunk_len: 0 }
    }

    /// Where the walk stands: the position of the batch that `next` yields.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch that lies wholly before the end, with its position. `None` at the end, and also where what
    /// follows is no batch (then `position` is before the end).
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        let position = self.position;
        if position + HEADER as u64 > self.end {
            return Ok(None);
        }
        let in_chunk =
            position >= self.chunk_start && position + HEADER as u64 <= self.chunk_start + self.chunk_len as u64;
        if !in_chunk {
            self.fill(position)?;
        }
        let at = (position - self.chunk_start) as usize;
        let Some(header) = BatchHeader::parse(&self.chunk[at..self.chunk_len]) else { return Ok(None) };
        let Some(size) = header.size().filter(|_| header.magic == 2) else { return Ok(None) };
        if position + size as u64 > self.end {
            return Ok(None);
        }
        self.position = position + size as u64;
        Ok(Some((position, header)))
    }

    fn fill(&mut self, position: u64) -> io::Result<()> {
        let want = (self.end - position).min(Self::CHUNK as u64) as usize;
        self.chunk_start = position;
        self.chunk_len = 0;
        while self.chunk_len < want {
            match self.file.read_at(&mut self.chunk[self.chunk_len..want], position + self.chunk_len as u64) {
                Ok(0) => break,
                Ok(read) => self.chunk_len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(increment_sequence(i32::MAX, 1), 0);
        assert_eq!(increment_sequence(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(increment_sequence(i32::MAX - 1, 4), 2);
    }
}
