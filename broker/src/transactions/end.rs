//! EndTxn. Source: `TransactionCoordinator.handleEndTransaction`, `endTransactionWithTV1`, `endTransaction`; KIP-890.

use wire::ErrorCode;

use super::metadata::{LAST_EPOCH, NO_PRODUCER_ID, Transaction, VERSION_WITH_EPOCH_BUMP};
use super::request::{EndRequest, Outcome, ProducerIdentity};
use super::shard::{Decision, Now, Shard, after_end};
use super::state::TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};

/// What the state of a transaction makes of a wish to end it.
enum Verdict {
    /// Write PrepareX.
    Decide,
    /// It has ended so already: the request came twice.
    Repeated,
    /// Refuse.
    Refuse(ErrorCode),
}

impl Shard {
    /// Ends the producer's transaction. The answer is the producer to go on as: with version 2 its epoch is the next
    /// one. `fresh_id` is an id that nobody had before, if the caller has drawn one.
    pub fn end_transaction(&self, now: Now, request: &EndRequest, fresh_id: Option<i64>) -> Decision<ProducerIdentity> {
        let transaction = match self.known(&request.id) {
            Ok(transaction) => transaction,
            Err(code) => return Decision::refuse(code),
        };
        let bumps = request.client_version >= VERSION_WITH_EPOCH_BUMP;
        let verdict = if bumps { transaction.end_v2(request) } else { transaction.end_v1(request) };
        let next_producer_id = match verdict {
            Ok(Verdict::Refuse(code)) | Err(code) => return Decision::refuse(code),
            Ok(Verdict::Repeated) => return Decision::Answer(Ok(transaction.producer())),
            Ok(Verdict::Decide) if !bumps || !transaction.is_exhausted() => NO_PRODUCER_ID,
            Ok(Verdict::Decide) => match fresh_id {
                Some(id) => id,
                None => return Decision::NeedsProducerId,
            },
        };
        let prepared = transaction.prepared(request.commit, request.client_version, next_producer_id, now.ms);
        let producer = after_end(&prepared);
        Decision::write(&request.id, prepared, Ok(producer))
    }
}

impl Transaction {
    /// Producers that keep their epoch: only the result tells a repetition from a mistake.
    fn end_v1(&self, request: &EndRequest) -> Outcome<Verdict> {
        if self.producer_id != request.producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.producer_epoch != request.producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        Ok(match (self.state, request.commit) {
            (Ongoing, _) => Verdict::Decide,
            (CompleteCommit, true) | (CompleteAbort, false) => Verdict::Repeated,
            (PrepareCommit, true) | (PrepareAbort, false) => Verdict::Refuse(ErrorCode::ConcurrentTransactions),
            _ => Verdict::Refuse(ErrorCode::InvalidTxnState),
        })
    }

    /// Producers whose epoch is bumped by each end: a repetition comes with the epoch before. They may abort without
    /// having added a partition, since they do not know which of their writes has arrived.
    fn end_v2(&self, request: &EndRequest) -> Outcome<Verdict> {
        let ProducerIdentity { id, epoch } = request.producer;
        // Only an end of version 2 has bumped the epoch: after another one, the epoch before is that of a producer which
        // was shut out, and must not be told the new one.
        let bumped = self.client_version >= VERSION_WITH_EPOCH_BUMP;
        let repeated = bumped && self.producer_id == id && epoch.checked_add(1) == Some(self.producer_epoch);
        let repeated_over_ids = self.previous_producer_id == id && epoch == LAST_EPOCH && self.producer_epoch == 0;
        if self.producer_id != id && !repeated_over_ids {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let current = epoch == self.producer_epoch;
        let valid = match self.state {
            PrepareCommit | PrepareAbort => repeated,
            CompleteCommit | CompleteAbort => repeated || repeated_over_ids || current,
            _ => current,
        };
        if !valid {
            return Err(ErrorCode::ProducerFenced);
        }
        let repeated = repeated || repeated_over_ids;
        Ok(match (self.state, request.commit) {
            (Ongoing, _) | (Empty, false) => Verdict::Decide,
            (CompleteCommit, true) | (CompleteAbort, false) if repeated => Verdict::Repeated,
            (CompleteCommit | CompleteAbort, false) if !repeated => Verdict::Decide,
            (PrepareCommit, true) | (PrepareAbort, false) => Verdict::Refuse(ErrorCode::ConcurrentTransactions),
            _ => Verdict::Refuse(ErrorCode::InvalidTxnState),
        })
    }
}
