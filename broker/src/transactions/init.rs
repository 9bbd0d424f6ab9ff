//! InitProducerId. Source: `TransactionCoordinator.handleInitProducerId`, `prepareInitProducerIdTransit`; KIP-360.

use wire::ErrorCode;

use super::metadata::{LAST_EPOCH, NO_EPOCH, Transaction};
use super::request::{InitRequest, Outcome, ProducerIdentity};
use super::shard::{Decision, Now, Shard};
use super::state::TransactionState;

impl Shard {
    /// Gives a transactional id to a producer. A transaction that is open is aborted first, and the producer told to
    /// ask again. `fresh_id` is an id that nobody had before, if the caller has drawn one.
    pub fn init_producer_id(
        &self,
        now: Now,
        request: &InitRequest,
        fresh_id: Option<i64>,
    ) -> Decision<ProducerIdentity> {
        let known = self.transactions.get(&request.id);
        let transaction = match (known, fresh_id) {
            (Some(known), _) => known.clone(),
            (None, Some(id)) => Transaction::new(id, request.timeout_ms, now.ms),
            (None, None) => return Decision::NeedsProducerId,
        };
        if !request.known.is_none_or(|known| transaction.may_be_continued_by(known)) {
            return Decision::refuse(ErrorCode::ProducerFenced);
        }
        if transaction.state.is_prepared() {
            return Decision::refuse(ErrorCode::ConcurrentTransactions);
        }
        if transaction.state == TransactionState::Ongoing {
            return transaction.fence(now, &request.id, fresh_id, Err(ErrorCode::ConcurrentTransactions));
        }
        let exhausted =
            transaction.is_exhausted() && request.known.is_none_or(|known| known.epoch == transaction.producer_epoch);
        let next = match (exhausted, fresh_id) {
            (true, None) => return Decision::NeedsProducerId,
            (true, Some(id)) => Ok(transaction.rotated(id, request.timeout_ms, request.known.is_some(), now.ms)),
            (false, _) => transaction
                .next_epochs(request.known)
                .map(|(epoch, last_epoch)| transaction.initialised(epoch, last_epoch, request.timeout_ms, now.ms)),
        };
        match next {
            Ok(next) => {
                let producer = next.producer();
                Decision::write(&request.id, next, Ok(producer))
            }
            Err(code) => Decision::refuse(code),
        }
    }
}

impl Transaction {
    /// Whether a producer that says who it was is still the one that has the transactional id: under its producer id,
    /// or under the one before if it may not know of the change yet. A producer that the log has forgotten may go on.
    fn may_be_continued_by(&self, known: ProducerIdentity) -> bool {
        self.producer_epoch == NO_EPOCH
            || known.id == self.producer_id
            || (known.id == self.previous_producer_id && known.epoch >= LAST_EPOCH)
    }

    /// The epoch that a producer gets, and the one it may repeat its request from. Without an identity it is a new
    /// producer, which nobody may take for its predecessor; one that repeats a request whose answer was lost gets that
    /// answer again.
    fn next_epochs(&self, known: Option<ProducerIdentity>) -> Outcome<(i16, i16)> {
        let bumped = self.producer_epoch.checked_add(1).ok_or(ErrorCode::UnknownServerError);
        match known.map(|known| known.epoch) {
            None => Ok((bumped?, NO_EPOCH)),
            Some(epoch) if self.producer_epoch == NO_EPOCH || epoch == self.producer_epoch => {
                Ok((bumped?, self.producer_epoch))
            }
            Some(epoch) if epoch == self.last_producer_epoch => Ok((self.producer_epoch, self.last_producer_epoch)),
            Some(_) => Err(ErrorCode::ProducerFenced),
        }
    }
}
