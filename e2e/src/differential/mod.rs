//! The differential tester: the same requests to our broker and to a real Apache Kafka, and their replies compared field
//! by field.
//!
//! A [`Scenario`] is about one API and runs once in every version of it; requests are JSON in the words of Kafka's message
//! definitions ([`wire::json`]), of which each version takes the fields it has. Ids that brokers make up have names by the
//! order in which they are seen ([`names`]); fields that may differ are listed in [`fields`], deliberate differences in
//! `broker/differences.tsv`, which `docs/compatibility.md` is written from too.
//!
//! Apache Kafka 4.3.1 is the reference for the versions it serves, 3.9.1 for the older ones.

mod compare;
mod connection;
mod explained;
pub mod fields;
mod generated;
mod kafka;
pub mod names;
mod records;
mod report;
mod scenarios;
mod session;
mod side;
mod suite;

pub use kafka::Kafka;
pub use report::Report;
pub use session::Session;
pub use suite::{Scenario, compare_with_kafka};
