//! DescribeTransactions (key 65): what transactional ids are doing. Source: `KafkaApis.handleDescribeTransactionsRequest`,
//! KIP-664.

use std::borrow::Cow;

use wire::ErrorCode;
use wire::messages::describe_transactions_request::DescribeTransactionsRequest;
use wire::messages::describe_transactions_response::{DescribeTransactionsResponse, TopicData, TransactionState};

use super::Context;
use crate::transactions::Transaction;

/// Answers a request.
pub fn handle<'a>(context: &Context<'_>, request: DescribeTransactionsRequest<'a>) -> DescribeTransactionsResponse<'a> {
    let describe = |id: Cow<'a, str>| {
        let found = context.node.transactions.describe(&id);
        state(id, found)
    };
    DescribeTransactionsResponse {
        transaction_states: request.transactional_ids.into_iter().map(describe).collect(),
        ..DescribeTransactionsResponse::default()
    }
}

fn state<'a>(transactional_id: Cow<'a, str>, found: Result<Transaction, ErrorCode>) -> TransactionState<'a> {
    let transaction = match found {
        Ok(transaction) => transaction,
        Err(code) => {
            return TransactionState { transactional_id, error_code: code.code(), ..TransactionState::default() };
        }
    };
    let mut topics: Vec<TopicData<'_>> = Vec::new();
    for (name, index) in &transaction.partitions {
        match topics.last_mut().filter(|topic| *topic.topic == **name) {
            Some(topic) => topic.partitions.push(*index),
            None => topics.push(TopicData {
                topic: name.to_string().into(),
                partitions: vec![*index],
                ..TopicData::default()
            }),
        }
    }
    TransactionState {
        transactional_id,
        transaction_state: transaction.state.name().into(),
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_start_time_ms: transaction.started_ms,
        producer_id: transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
        topics,
        ..TransactionState::default()
    }
}
