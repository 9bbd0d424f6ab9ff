//! `.snapshot`: the producers' state at an offset (Kafka's `ProducerSnapshot`, version 1).
//!
//! Big-endian: `version: i16 = 1 | crc: u32 (CRC-32C of all that follows) | count: i32 | entries`, an entry being
//! `producer id: i64 | epoch: i16 | last sequence: i32 | last offset: i64 | offset delta: i32 | timestamp: i64 |
//! coordinator epoch: i32 | first offset of the open transaction: i64 or -1`. Only the last batch of a producer is
//! kept.

use std::path::Path;

use super::ProducerEntry;
use super::entry::BatchMeta;
use crate::disk::Disk;
use crate::error::LogError;

const VERSION: i16 = 1;
const CRC_START: usize = 6;
const ENTRIES: usize = 10;
const ENTRY: usize = 46;

pub(crate) fn encode<'a>(producers: impl Iterator<Item = (i64, &'a ProducerEntry)>) -> Vec<u8> {
    let mut bytes = vec![0; ENTRIES];
    let mut count: i32 = 0;
    for (producer_id, entry) in producers {
        let none = BatchMeta { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp: entry.last_timestamp };
        let batch = entry.last_batch().copied().unwrap_or(none);
        bytes.extend_from_slice(&producer_id.to_be_bytes());
        bytes.extend_from_slice(&entry.epoch.to_be_bytes());
        bytes.extend_from_slice(&batch.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&batch.last_offset.to_be_bytes());
        bytes.extend_from_slice(&batch.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&entry.last_timestamp.to_be_bytes());
        bytes.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&entry.txn_first.unwrap_or(-1).to_be_bytes());
        count += 1;
    }
    bytes[..2].copy_from_slice(&VERSION.to_be_bytes());
    bytes[CRC_START..ENTRIES].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[CRC_START..]);
    bytes[2..CRC_START].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn field<const N: usize>(bytes: &[u8], at: &mut usize) -> Option<[u8; N]> {
    let value = bytes.get(*at..*at + N)?.try_into().ok()?;
    *at += N;
    Some(value)
}

fn decode_entry(bytes: &[u8]) -> Option<(i64, ProducerEntry)> {
    let at = &mut 0;
    let producer_id = i64::from_be_bytes(field(bytes, at)?);
    let mut entry = ProducerEntry::NEW;
    entry.set_epoch(i16::from_be_bytes(field(bytes, at)?));
    let last_sequence = i32::from_be_bytes(field(bytes, at)?);
    let last_offset = i64::from_be_bytes(field(bytes, at)?);
    let offset_delta = i32::from_be_bytes(field(bytes, at)?);
    let timestamp = i64::from_be_bytes(field(bytes, at)?);
    if last_offset >= 0 {
        entry.add_batch(BatchMeta { last_sequence, last_offset, offset_delta, timestamp });
    }
    entry.last_timestamp = timestamp;
    entry.coordinator_epoch = i32::from_be_bytes(field(bytes, at)?);
    let first = i64::from_be_bytes(field(bytes, at)?);
    entry.txn_first = (first >= 0).then_some(first);
    Some((producer_id, entry))
}

/// Reads a snapshot's bytes, or says what is wrong with them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<(i64, ProducerEntry)>, &'static str> {
    let at = &mut 0;
    let version = i16::from_be_bytes(field(bytes, at).ok_or("it is shorter than its header")?);
    let crc = u32::from_be_bytes(field(bytes, at).ok_or("it is shorter than its header")?);
    let count = i32::from_be_bytes(field(bytes, at).ok_or("it is shorter than its header")?);
    if version != VERSION {
        return Err("its version is unknown");
    }
    if crc32c::crc32c(&bytes[CRC_START..]) != crc {
        return Err("its checksum is wrong");
    }
    let entries = &bytes[ENTRIES..];
    if usize::try_from(count).ok().and_then(|count| count.checked_mul(ENTRY)) != Some(entries.len()) {
        return Err("its length does not fit the number of its entries");
    }
    entries.chunks_exact(ENTRY).map(|entry| decode_entry(entry).ok_or("an entry is cut short")).collect()
}

pub(crate) fn write<'a>(
    disk: &dyn Disk,
    path: &Path,
    producers: impl Iterator<Item = (i64, &'a ProducerEntry)>,
) -> Result<(), LogError> {
    let file = disk.open(path, true).map_err(LogError::io("create", path))?;
    disk.set_len(&file, 0).map_err(LogError::io("truncate", path))?;
    disk.write_at(&file, &encode(producers), 0).map_err(LogError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_keep_the_last_batch_and_the_open_transaction() {
        let mut entry = ProducerEntry::NEW;
        entry.set_epoch(3);
        for last in 0..7 {
            entry.add_batch(BatchMeta {
                last_sequence: last,
                last_offset: 100 + i64::from(last),
                offset_delta: 0,
                timestamp: 9,
            });
        }
        entry.txn_first = Some(101);
        entry.coordinator_epoch = 2;
        let bytes = encode([(77, &entry), (78, &ProducerEntry::NEW)].into_iter());
        assert_eq!(bytes.len(), ENTRIES + 2 * ENTRY);
        let read = decode(&bytes).unwrap();
        assert_eq!(read[0].0, 77);
        assert_eq!(read[0].1.info(77), entry.info(77));
        assert_eq!(read[0].1.batches().len(), 1);
        assert_eq!(read[1].1, ProducerEntry::NEW);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = encode([(77, &ProducerEntry::NEW)].into_iter());
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&broken).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
