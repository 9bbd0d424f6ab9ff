//! ListTransactions (key 66). Source: `KafkaApis.handleListTransactionsRequest`,
//! `TransactionStateManager.listTransactionStates`; KIP-664, KIP-994, KIP-1152.

use regex::Regex;
use wire::ErrorCode;
use wire::messages::list_transactions_request::ListTransactionsRequest;
use wire::messages::list_transactions_response::{ListTransactionsResponse, TransactionState as ListedState};

use super::Context;
use crate::transactions::TransactionState;
use crate::transactions::request::ListFilter;

/// Answers a request.
pub fn handle<'a>(context: &Context<'_>, request: ListTransactionsRequest<'a>) -> ListTransactionsResponse<'a> {
    let pattern = match request.transactional_id_pattern.as_deref() {
        None | Some("") => None,
        // The pattern is to match all of the id, as `java.util.regex.Matcher.matches` does.
        Some(text) => match Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$"))) {
            Ok(pattern) => Some(pattern),
            Err(_) => return failed(ErrorCode::InvalidRegularExpression),
        },
    };
    let states: Vec<_> = request.state_filters.iter().filter_map(|name| TransactionState::named(name)).collect();
    let filter = ListFilter {
        states: (!request.state_filters.is_empty()).then_some(states),
        producer_ids: request.producer_id_filters,
        duration_ms: if context.version >= 1 { request.duration_filter } else { -1 },
        pattern,
    };
    let listed = match context.node.transactions.list(&filter) {
        Ok(listed) => listed,
        Err(code) => return failed(code),
    };
    let transaction_states = listed.into_iter().map(|one| ListedState {
        transactional_id: one.id.to_string().into(),
        producer_id: one.producer_id,
        transaction_state: one.state.name().into(),
        ..ListedState::default()
    });
    let unknown = request.state_filters.into_iter().filter(|name| TransactionState::named(name).is_none());
    ListTransactionsResponse {
        transaction_states: transaction_states.collect(),
        unknown_state_filters: unknown.collect(),
        ..ListTransactionsResponse::default()
    }
}

fn failed<'a>(code: ErrorCode) -> ListTransactionsResponse<'a> {
    ListTransactionsResponse { error_code: code.code(), ..ListTransactionsResponse::default() }
}
