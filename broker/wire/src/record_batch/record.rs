//! The records of a batch.
//!
//! ```text
//! record:  varint size | i8 attributes | varlong timestamp delta | varint offset delta
//!          | varint length, key | varint length, value | varint number of headers, headers
//! header:  varint length, key | varint length, value
//! ```
//! A length of -1 stands for null; a header's key is never null.

use std::borrow::Cow;

use super::error::InvalidRecord;
use super::view::increment_sequence;
use super::{BatchError, NO_SEQUENCE, RecordBatch};
use crate::Decoder;
use crate::compression;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Not used by any version of Kafka so far.
    pub attributes: i8,
    /// Its offset in the partition.
    pub offset: i64,
    /// In ms since 1970, or -1.
    pub timestamp: i64,
    /// Its number in the producer's sequence, or -1.
    pub sequence: i32,
    /// What it is about, in compacted topics and for the choice of the partition.
    pub key: Option<&'a [u8]>,
    /// What it says; none deletes the key from a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, checked but not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The headers as they stand in the record, without their number.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Goes through the headers.
    pub fn iter(self) -> impl Iterator<Item = Header<'a>> {
        let mut decoder = Decoder::new(self.bytes);
        // They were read once when the record was, so that this ends with the last of them.
        (0..self.count).map_while(move |_| read_header(&mut decoder).ok())
    }
}

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name: UTF-8, if the producer keeps to the protocol.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// The name as text; what is not UTF-8 is replaced.
    pub fn name(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }
}

/// The decompressed records of one batch.
#[derive(Debug, Clone)]
pub struct RecordSet<'a> {
    batch: RecordBatch<'a>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> RecordSet<'a> {
    pub(super) fn new(batch: RecordBatch<'a>, limit: usize) -> Result<Self, BatchError> {
        let bytes = compression::decompress(batch.compression()?, batch.records_bytes(), limit)?;
        Ok(Self { batch, bytes })
    }

    /// The records' bytes, not compressed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the records one by one. The last item is an error if they are not as many as the batch declares.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { batch: self.batch, decoder: Decoder::new(&self.bytes), index: 0, ended: false }
    }
}

impl<'r> IntoIterator for &'r RecordSet<'_> {
    type Item = Result<Record<'r>, BatchError>;
    type IntoIter = RecordIter<'r>;

    fn into_iter(self) -> RecordIter<'r> {
        self.iter()
    }
}

/// The records of one batch, one after the other. Ends after the first error.
#[derive(Debug, Clone)]
pub struct RecordIter<'r> {
    batch: RecordBatch<'r>,
    decoder: Decoder<'r>,
    index: i32,
    ended: bool,
}

impl<'r> Iterator for RecordIter<'r> {
    type Item = Result<Record<'r>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let (declared, offset) = (self.batch.count(), self.batch.base_offset());
        let is_last = self.index >= declared;
        if is_last || self.decoder.remaining() == 0 {
            self.ended = true;
            let found = self.index.saturating_add(i32::from(self.decoder.remaining() > 0));
            return (found != declared).then_some(Err(BatchError::CountMismatch { offset, declared, found }));
        }
        let index = self.index;
        self.index += 1;
        let record = read_record(self.batch, &mut self.decoder);
        self.ended = record.is_err();
        Some(record.map_err(|reason| BatchError::InvalidRecord { index, reason }))
    }
}

fn read_record<'r>(batch: RecordBatch<'_>, decoder: &mut Decoder<'r>) -> Result<Record<'r>, InvalidRecord> {
    let size = decoder.varint()?;
    let size = usize::try_from(size).map_err(|_| invalid("size", size))?;
    let mut body = Decoder::new(decoder.raw(size)?);
    let attributes = body.i8()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let key = read_bytes(&mut body)?;
    let value = read_bytes(&mut body)?;
    let headers = read_headers(&mut body)?;
    if body.remaining() > 0 {
        return Err(InvalidRecord::Size { unread: body.remaining() });
    }
    let sequence = match batch.base_sequence() {
        NO_SEQUENCE => NO_SEQUENCE,
        base => increment_sequence(base, offset_delta),
    };
    let offset = batch.base_offset().wrapping_add(i64::from(offset_delta));
    Ok(Record { attributes, offset, timestamp: batch.timestamp(timestamp_delta), sequence, key, value, headers })
}

fn invalid(what: &'static str, value: i32) -> InvalidRecord {
    InvalidRecord::Length { what, value: i64::from(value) }
}

/// Bytes with their length before them. Kafka takes any negative length for null.
fn read_bytes<'r>(decoder: &mut Decoder<'r>) -> Result<Option<&'r [u8]>, InvalidRecord> {
    match usize::try_from(decoder.varint()?) {
        Ok(length) => Ok(Some(decoder.raw(length)?)),
        Err(_) => Ok(None),
    }
}

fn read_headers<'r>(decoder: &mut Decoder<'r>) -> Result<Headers<'r>, InvalidRecord> {
    let number = decoder.varint()?;
    let count = u32::try_from(number).map_err(|_| invalid("number of headers", number))?;
    let start = decoder.rest();
    for _ in 0..count {
        read_header(decoder)?;
    }
    Ok(Headers { count, bytes: &start[..start.len() - decoder.remaining()] })
}

fn read_header<'r>(decoder: &mut Decoder<'r>) -> Result<Header<'r>, InvalidRecord> {
    let length = decoder.varint()?;
    let length = usize::try_from(length).map_err(|_| invalid("length of a header's key", length))?;
    let key = decoder.raw(length)?;
    Ok(Header { key, value: read_bytes(decoder)? })
}
