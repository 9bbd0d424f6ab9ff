//! Which batches belong to aborted transactions, and which markers still have records before them (Kafka's
//! `CleanedTransactionMetadata`).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::batch::BatchHeader;
use crate::producer::EndMarker;
use crate::txn_index::AbortedTxn;

#[derive(Debug)]
struct OpenAbort {
    txn: AbortedTxn,
    seen_a_batch: bool,
}

/// Follows the transactions while a log's batches are read in order.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// Those that begin further on, by first offset.
    ahead: VecDeque<AbortedTxn>,
    aborting: HashMap<i64, OpenAbort>,
    committing: HashSet<i64>,
}

/// What to do with a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkerFate {
    /// Records of its transaction are still there.
    Keep,
    /// The same, and the transaction was aborted: it belongs into the new transaction index.
    KeepAborted(AbortedTxn),
    /// Nothing is left of its transaction.
    Discard,
}

impl Transactions {
    /// Adds aborted transactions; those known already are passed over.
    pub(crate) fn add(&mut self, found: Vec<AbortedTxn>) {
        for txn in found {
            let known =
                self.ahead.contains(&txn) || self.aborting.get(&txn.producer_id).is_some_and(|open| open.txn == txn);
            if !known {
                let at = self.ahead.partition_point(|other| other.first_offset <= txn.first_offset);
                self.ahead.insert(at, txn);
            }
        }
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(txn) = self.ahead.front().copied().filter(|txn| txn.first_offset <= offset) {
            self.ahead.pop_front();
            self.aborting.entry(txn.producer_id).or_insert(OpenAbort { txn, seen_a_batch: false });
        }
    }

    /// Reads a batch of records; true if its transaction was aborted, so that it may go.
    pub(crate) fn data(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.aborting.get_mut(&header.producer_id) {
            Some(open) => {
                open.seen_a_batch = true;
                true
            }
            None => {
                self.committing.insert(header.producer_id);
                false
            }
        }
    }

    /// Reads a control batch with its marker, if it has one.
    pub(crate) fn control(&mut self, header: &BatchHeader, marker: Option<EndMarker>) -> MarkerFate {
        self.begin_up_to(header.last_offset());
        match marker {
            Some(EndMarker { abort: true, .. }) => match self.aborting.remove(&header.producer_id) {
                Some(OpenAbort { txn, seen_a_batch: true }) => MarkerFate::KeepAborted(txn),
                _ => MarkerFate::Discard,
            },
            Some(EndMarker { abort: false, .. }) => {
                if self.committing.remove(&header.producer_id) {
                    MarkerFate::Keep
                } else {
                    MarkerFate::Discard
                }
            }
            // Emptied by an earlier cleaning, or a control record that is no transaction's.
            None if header.count == 0 => MarkerFate::Discard,
            None => MarkerFate::Keep,
        }
    }
}
