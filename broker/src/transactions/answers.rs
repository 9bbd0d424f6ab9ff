//! What is told of transactions without changing them. Source: `TransactionCoordinator.handleDescribeTransactions`,
//! `TransactionStateManager.listTransactionStates`.

use wire::ErrorCode;

use super::metadata::{Name, Transaction};
use super::request::{ListFilter, Listed, Outcome};
use super::shard::Shard;

impl Shard {
    /// One transactional id.
    ///
    /// # Errors
    /// Its error.
    pub fn describe(&self, id: &str) -> Outcome<Transaction> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.transactions.get(id).cloned().ok_or(ErrorCode::TransactionalIdNotFound)
    }

    /// Every transactional id that passes the filter.
    pub fn list(&self, now_ms: i64, filter: &ListFilter) -> Vec<Listed> {
        let wanted = self.transactions.iter().filter(|(id, transaction)| filter.wants(now_ms, id, transaction));
        let listed = wanted.map(|(id, transaction)| Listed {
            id: Name::clone(id),
            producer_id: transaction.producer_id,
            state: transaction.state,
        });
        listed.collect()
    }
}

impl ListFilter {
    fn wants(&self, now_ms: i64, id: &str, transaction: &Transaction) -> bool {
        let state = self.states.as_ref().is_none_or(|states| states.contains(&transaction.state));
        let producer = self.producer_ids.is_empty() || self.producer_ids.contains(&transaction.producer_id);
        let duration = self.duration_ms < 0 || now_ms - transaction.started_ms > self.duration_ms;
        state && producer && duration && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}
