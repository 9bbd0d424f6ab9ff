//! What can be learned of transactions: DescribeProducers, DescribeTransactions, ListTransactions.

use serde_json::{Value as Json, json};
use wire::ApiKey;

use super::scenario;
use super::transactions::{add, begin, finish, records};
use crate::differential::session::Session;
use crate::differential::suite::Scenario;

pub const SCENARIOS: &[Scenario] = &[
    scenario("describe-producers", ApiKey::DescribeProducers, producers),
    scenario("describe-transactions", ApiKey::DescribeTransactions, transactions),
    scenario("list-transactions", ApiKey::ListTransactions, list),
];

fn producers(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    let id = begin(s, "x");
    let ask = |s: &mut Session, name: &str, partitions: &[i32]| {
        s.ask(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": name, "partitionIndexes": partitions }] }));
    };
    ask(s, &topic, &[0, 1, 2, -1]);
    add(s, &id, &[(&topic, &[0])]);
    s.prepare(ApiKey::Produce, &records(&topic, "$t", &id, 0, 3));
    ask(s, &topic, &[0, 1]);
    finish(s, &id, true);
    s.until(ApiKey::DescribeProducers, &json!({ "topics": [{ "name": topic, "partitionIndexes": [0] }] }), |reply| {
        reply.pointer("/topics/0/partitions/0/activeProducers/0/currentTxnStartOffset") == Some(&json!(-1))
    });
    ask(s, &missing, &[0, 1]);
    ask(s, "not a name", &[0]);
    ask(s, "", &[0]);
    ask(s, &topic, &[0, 0]);
    s.ask(ApiKey::DescribeProducers, &json!({ "topics": [] }));
}

fn transactions(s: &mut Session) {
    let topic = s.topic("t", 2, &[]);
    let missing = s.name("missing");
    let id = begin(s, "x");
    let ask = |s: &mut Session, ids: &[&str]| {
        s.agree(ApiKey::DescribeTransactions, &json!({ "transactionalIds": ids }));
    };
    ask(s, &[&id]);
    add(s, &id, &[(&topic, &[1, 0])]);
    ask(s, &[&id, &missing, ""]);
    ask(s, &[&id, &id]);
    ask(s, &[]);
    finish(s, &id, true);
    s.until(ApiKey::DescribeTransactions, &json!({ "transactionalIds": [id] }), |reply| {
        reply.pointer("/transactionStates/0/transactionState") == Some(&json!("CompleteCommit"))
    });
}

fn list(s: &mut Session) {
    let topic = s.topic("t", 1, &[]);
    let open = begin(s, "open");
    s.keep("openPid", "/producerId");
    add(s, &open, &[(&topic, &[0])]);
    begin(s, "empty");
    // All transactions of the broker are in the answer: a pattern, where there is one, or the producer's id, limits it.
    let pattern = s.name("open");
    for change in [
        json!({}),
        json!({ "stateFilters": ["Ongoing"] }),
        json!({ "stateFilters": ["ongoing", "nonsense", "Empty"] }),
        json!({ "stateFilters": ["Empty"] }),
        json!({ "producerIdFilters": ["$openPid"] }),
        json!({ "producerIdFilters": [987_654] }),
        json!({ "durationFilter": 0 }),
        json!({ "durationFilter": 3_600_000 }),
        json!({ "transactionalIdPattern": pattern }),
        json!({ "transactionalIdPattern": ".*nothing" }),
        json!({ "transactionalIdPattern": "(" }),
        json!({ "transactionalIdPattern": "" }),
        json!({ "transactionalIdPattern": Json::Null }),
    ] {
        // Those before it may not be over yet.
        s.agree(ApiKey::ListTransactions, &change);
    }
}
