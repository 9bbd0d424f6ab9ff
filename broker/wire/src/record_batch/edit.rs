//! Changing a batch where it stands.

use super::view::{Attributes, RecordBatch, TimestampType};
use super::{BatchError, HEADER_SIZE};

/// One batch of magic 2 that can be changed. Base offset and leader epoch are not part of what the checksum covers;
/// for the other changes the checksum is computed anew.
#[derive(Debug)]
pub struct RecordBatchMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> RecordBatchMut<'a> {
    /// The batch that `buffer` starts with. More may follow it.
    ///
    /// # Errors
    /// As [`RecordBatch::parse`].
    pub fn parse(buffer: &'a mut [u8]) -> Result<Self, BatchError> {
        let size = RecordBatch::parse(buffer)?.size();
        Ok(Self { bytes: &mut buffer[..size] })
    }

    /// The batch, to read from.
    ///
    /// # Errors
    /// None in practice: the batch was checked, and no change makes it invalid.
    pub fn view(&self) -> Result<RecordBatch<'_>, BatchError> {
        RecordBatch::parse(self.bytes)
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        debug_assert!(at + N <= HEADER_SIZE && self.bytes.len() >= HEADER_SIZE);
        self.bytes[at..at + N].copy_from_slice(&value);
    }

    /// Moves the batch to other offsets.
    pub fn set_base_offset(&mut self, offset: i64) {
        self.put(0, offset.to_be_bytes());
    }

    /// Moves the batch so that its last record has `offset`.
    pub fn set_last_offset(&mut self, offset: i64) {
        let delta: [u8; 4] = [self.bytes[23], self.bytes[24], self.bytes[25], self.bytes[26]];
        self.set_base_offset(offset.wrapping_sub(i64::from(i32::from_be_bytes(delta))));
    }

    /// Sets the epoch of the leader that appends the batch.
    pub fn set_leader_epoch(&mut self, epoch: i32) {
        self.put(12, epoch.to_be_bytes());
    }

    /// Sets the timestamp type and the largest timestamp (in ms since 1970); the checksum only if that changes anything.
    pub fn set_max_timestamp(&mut self, timestamp_type: TimestampType, max_timestamp: i64) {
        let before = Attributes(i16::from_be_bytes([self.bytes[21], self.bytes[22]]));
        let after = before.with_timestamp_type(timestamp_type);
        if before == after && self.bytes[35..43] == max_timestamp.to_be_bytes() {
            return;
        }
        self.put(21, after.0.to_be_bytes());
        self.put(35, max_timestamp.to_be_bytes());
        self.update_crc();
    }

    /// Computes the checksum anew.
    pub fn update_crc(&mut self) {
        let crc = crc32c::crc32c(&self.bytes[21..]);
        self.put(17, crc.to_be_bytes());
    }
}
