//! One batch after the other in a buffer.

use super::{BatchError, RecordBatch};

/// The batches of a buffer, all of magic 2. Ends after the first error.
///
/// Length and magic of each are checked, its checksum is not.
#[derive(Debug, Clone)]
pub struct RecordBatches<'a> {
    buffer: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> RecordBatches<'a> {
    /// Starts at the first byte of `buffer`.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self { buffer, position: 0, failed: false }
    }

    /// Where the next batch starts; after an error, where the batch starts that is wrong.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for RecordBatches<'a> {
    type Item = Result<RecordBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.position == self.buffer.len() {
            return None;
        }
        let batch = RecordBatch::parse_at(self.buffer, self.position);
        match &batch {
            Ok(batch) => self.position += batch.size(),
            Err(_) => self.failed = true,
        }
        Some(batch)
    }
}
