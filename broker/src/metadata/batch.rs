//! Record batches (v2) as the metadata log and its snapshots have them: not compressed, without producer, and either
//! all control records or all metadata records.

use wire::{DecodeError, Decoder, Encoder};

/// Bytes before the records.
const HEADER: usize = 61;
/// Bytes the batch's length does not count: base offset and length.
const OVERHEAD: usize = 12;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
const CONTROL: i16 = 0x20;
const CODEC: i16 = 0x07;

/// The types of control record that the metadata log and snapshots have (`ControlRecordType` in Kafka).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum ControlType {
    /// A leader was elected: the first batch of an epoch.
    LeaderChange = 2,
    /// First record of a snapshot.
    SnapshotHeader = 3,
    /// Last record of a snapshot.
    SnapshotFooter = 4,
    /// `kraft.version` (KIP-853).
    KraftVersion = 5,
    /// The set of voters (KIP-853).
    KraftVoters = 6,
}

impl ControlType {
    pub(super) fn from_number(number: i16) -> Option<Self> {
        [Self::LeaderChange, Self::SnapshotHeader, Self::SnapshotFooter, Self::KraftVersion, Self::KraftVoters]
            .into_iter()
            .find(|kind| *kind as i16 == number)
    }

    /// The key of a control record: version 0, type.
    pub(super) fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }
}

/// Why bytes are no batch of a metadata log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the batch says.
    #[error("the batch at byte {at} ends before its length")]
    Torn {
        /// Where it begins.
        at: usize,
    },
    /// Not a batch of magic 2.
    #[error("there is no record batch at byte {at}")]
    NotABatch {
        /// Where it should begin.
        at: usize,
    },
    /// The checksum is not that of the bytes.
    #[error("the batch of offset {offset} has a wrong checksum")]
    Checksum {
        /// Base offset.
        offset: i64,
    },
    /// Metadata is never compressed.
    #[error("the batch of offset {offset} is compressed, which metadata never is")]
    Compressed {
        /// Base offset.
        offset: i64,
    },
    /// A record that is not what its length says.
    #[error("a record in the batch of offset {offset} is malformed: {error}")]
    Record {
        /// Base offset.
        offset: i64,
        /// What is wrong.
        error: DecodeError,
    },
    /// A value that the log cannot hold.
    #[error("the batch is too large for a log")]
    TooLarge,
}

/// A record to be written: a key for control records, none for metadata.
pub(super) type NewRecord = (Option<[u8; 4]>, Vec<u8>);

/// Builds one batch.
pub(super) fn build(
    base_offset: i64,
    epoch: i32,
    now_ms: i64,
    control: bool,
    records: &[NewRecord],
) -> Result<Vec<u8>, BatchError> {
    let size: usize = records.iter().map(|(_, value)| value.len() + 24).sum();
    let mut out = Encoder::with_capacity(HEADER + size);
    let count = i32::try_from(records.len()).map_err(|_| BatchError::TooLarge)?;
    out.i64(base_offset);
    out.i32(0); // length, set below
    out.i32(epoch);
    out.i8(2);
    out.u32(0); // checksum, set below
    out.i16(if control { CONTROL } else { 0 });
    out.i32(count - 1);
    out.i64(now_ms);
    out.i64(now_ms);
    out.i64(-1); // no producer
    out.i16(-1);
    out.i32(-1);
    out.i32(count);
    for (delta, (key, value)) in (0..).zip(records) {
        let record = record(delta, key.as_ref().map(<[u8; 4]>::as_slice), value)?;
        out.varint(i32::try_from(record.len()).map_err(|_| BatchError::TooLarge)?);
        out.raw(&record);
    }
    let (mut bytes, _) = out.into_parts();
    let length = i32::try_from(bytes.len() - OVERHEAD).map_err(|_| BatchError::TooLarge)?;
    bytes[8..OVERHEAD].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[CRC_FROM..]);
    bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(bytes)
}

/// A record without its length.
fn record(offset_delta: i32, key: Option<&[u8]>, value: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut out = Encoder::with_capacity(value.len() + 16);
    out.i8(0); // attributes
    out.varlong(0); // timestamp delta
    out.varint(offset_delta);
    match key {
        None => out.varint(-1),
        Some(key) => {
            out.varint(i32::try_from(key.len()).map_err(|_| BatchError::TooLarge)?);
            out.raw(key);
        }
    }
    out.varint(i32::try_from(value.len()).map_err(|_| BatchError::TooLarge)?);
    out.raw(value);
    out.varint(0); // headers
    Ok(out.into_parts().0)
}

/// A batch that was read and whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) base_offset: i64,
    pub(super) epoch: i32,
    pub(super) last_offset: i64,
    pub(super) max_timestamp: i64,
    pub(super) control: bool,
    count: i32,
    body: &'a [u8],
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Calls `each` with every record, in order.
    pub(super) fn for_each<E: From<BatchError>>(
        &self,
        mut each: impl FnMut(Record<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut decoder = Decoder::new(self.body);
        for _ in 0..self.count {
            let record = read_record(&mut decoder);
            each(record.map_err(|error| BatchError::Record { offset: self.base_offset, error })?)?;
        }
        Ok(())
    }
}

fn read_record<'a>(decoder: &mut Decoder<'a>) -> Result<Record<'a>, DecodeError> {
    decoder.varint()?; // length
    decoder.i8()?; // attributes
    decoder.varlong()?; // timestamp delta
    decoder.varint()?; // offset delta
    let key = read_bytes(decoder)?;
    let value = read_bytes(decoder)?.unwrap_or_default();
    for _ in 0..decoder.varint()? {
        read_bytes(decoder)?;
        read_bytes(decoder)?;
    }
    Ok(Record { key, value })
}

fn read_bytes<'a>(decoder: &mut Decoder<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    match usize::try_from(decoder.varint()?) {
        Ok(length) => decoder.raw(length).map(Some),
        Err(_) => Ok(None),
    }
}

/// The batches in `bytes`, one after the other. After an error there are no more.
pub(super) struct Batches<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn read(&self) -> Result<(Batch<'a>, usize), BatchError> {
        let at = self.at;
        let rest = &self.bytes[at..];
        let mut decoder = Decoder::new(rest);
        let torn = |_| BatchError::Torn { at };
        let base_offset = decoder.i64().map_err(torn)?;
        let length = decoder.i32().map_err(torn)?;
        let size = usize::try_from(length).map_err(|_| BatchError::NotABatch { at })? + OVERHEAD;
        let epoch = decoder.i32().map_err(torn)?;
        if decoder.i8().map_err(torn)? != 2 || size < HEADER {
            return Err(BatchError::NotABatch { at });
        }
        let batch = rest.get(..size).ok_or(BatchError::Torn { at })?;
        if decoder.u32().map_err(torn)? != crc32c::crc32c(&batch[CRC_FROM..]) {
            return Err(BatchError::Checksum { offset: base_offset });
        }
        let attributes = decoder.i16().map_err(torn)?;
        if attributes & CODEC != 0 {
            return Err(BatchError::Compressed { offset: base_offset });
        }
        let last_offset = base_offset.saturating_add(i64::from(decoder.i32().map_err(torn)?));
        decoder.i64().map_err(torn)?; // base timestamp
        let max_timestamp = decoder.i64().map_err(torn)?;
        decoder.raw(8 + 2 + 4).map_err(torn)?; // producer
        let count = decoder.i32().map_err(torn)?;
        let control = attributes & CONTROL != 0;
        let body = &batch[HEADER..];
        Ok((Batch { base_offset, epoch, last_offset, max_timestamp, control, count, body }, size))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        match self.read() {
            Ok((batch, size)) => {
                self.at += size;
                Some(Ok(batch))
            }
            Err(error) => {
                self.at = self.bytes.len();
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header batch of a `bootstrap.checkpoint` that `kafka-storage format` of Apache Kafka 4.3.1 wrote.
    const KAFKAS_SNAPSHOT_HEADER: &str = "00000000000000000000004700000000 02ead887aa00200000000000000\
        1a1f9274e04000001a1f9274e04ffffffffffffffffffffffffffff000000012a0000000800000003160000000000000000000000 00";

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn a_batch_is_to_the_byte_what_kafka_writes() {
        let kafkas = unhex(KAFKAS_SNAPSHOT_HEADER);
        let key = ControlType::SnapshotHeader.key();
        let ours = build(0, 0, 0x1a1_f927_4e04, true, &[(Some(key), vec![0; 11])]).unwrap();
        assert_eq!(ours, kafkas);
    }

    #[test]
    fn what_is_built_is_read_and_a_torn_or_changed_byte_is_seen() {
        let records = vec![(None, b"one".to_vec()), (None, vec![]), (Some([0, 0, 0, 2]), vec![7; 300])];
        let bytes = build(41, 3, 17, false, &records).unwrap();
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        assert_eq!((batch.base_offset, batch.last_offset, batch.epoch, batch.max_timestamp), (41, 43, 3, 17));
        let mut read = Vec::new();
        batch
            .for_each(|record| {
                read.push((record.key.map(|key| key.try_into().unwrap()), record.value.to_vec()));
                Ok::<_, BatchError>(())
            })
            .unwrap();
        assert_eq!(read, records);
        for cut in 1..bytes.len() {
            let error = Batches::new(&bytes[..cut]).next().unwrap().unwrap_err();
            assert_eq!(error, BatchError::Torn { at: 0 }, "{cut}");
        }
        for at in CRC_AT..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Batches::new(&changed).next().unwrap().is_err(), "{at}");
        }
    }
}
