//! The marker in a control batch.

use wire::record_batch::RecordBatch;
use wire::record_batch::control::{ControlType, coordinator_epoch};

/// Control records are never compressed and take a few dozen bytes.
const LIMIT: usize = 1 << 20;

/// The marker in a control batch that ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndMarker {
    pub(crate) abort: bool,
    pub(crate) coordinator_epoch: i32,
}

/// The marker that a control batch holds; `None` for other control records (leader change, snapshot header, …).
pub(crate) fn end_marker(batch: &[u8]) -> Option<EndMarker> {
    let set = RecordBatch::parse(batch).ok()?.records(LIMIT).ok()?;
    let record = set.iter().next()?.ok()?;
    let abort = match ControlType::of(&record).ok()?? {
        ControlType::Abort => true,
        ControlType::Commit => false,
        _ => return None,
    };
    Some(EndMarker { abort, coordinator_epoch: coordinator_epoch(&record).ok()? })
}
