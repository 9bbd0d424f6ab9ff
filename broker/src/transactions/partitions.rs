//! AddPartitionsToTxn. Source: `TransactionCoordinator.handleAddPartitionsToTransaction`,
//! `handleVerifyPartitionsInTransaction`; KIP-890.

use wire::ErrorCode;

use super::metadata::Transaction;
use super::request::{Outcome, PartitionsRequest, ProducerIdentity};
use super::shard::{Decision, Now, Shard};
use super::state::TransactionState;

impl Shard {
    /// Adds partitions to the producer's transaction, which begins if none is open.
    pub fn add_partitions(&self, now: Now, request: &PartitionsRequest) -> Decision<()> {
        let transaction = match self.known(&request.id) {
            Ok(transaction) => transaction,
            Err(code) => return Decision::refuse(code),
        };
        if let Err(code) = transaction.check_producer(request.producer) {
            return Decision::refuse(code);
        }
        let has_all = request.partitions.iter().all(|partition| transaction.partitions.contains(partition));
        if transaction.state == TransactionState::Ongoing && has_all {
            return Decision::Answer(Ok(()));
        }
        let next = transaction.with_partitions(&request.partitions, request.client_version, now.ms);
        Decision::write(&request.id, next, Ok(()))
    }

    /// Says for each partition, in the order of the request, whether it is part of the producer's transaction.
    ///
    /// # Errors
    /// The error of every partition.
    pub fn verify_partitions(&self, request: &PartitionsRequest) -> Outcome<Vec<Outcome<()>>> {
        let transaction = self.known(&request.id)?;
        transaction.check_producer(request.producer)?;
        let check = |partition| match transaction.partitions.contains(partition) {
            true => Ok(()),
            false => Err(ErrorCode::TransactionAbortable),
        };
        Ok(request.partitions.iter().map(check).collect())
    }
}

impl Transaction {
    fn check_producer(&self, producer: ProducerIdentity) -> Outcome<()> {
        if self.producer_id != producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.producer_epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if self.state.is_prepared() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        Ok(())
    }
}
