//! The Kafka wire protocol: frames, primitive types, messages and record batches. No I/O.
//!
//! # Messages
//! [`messages`] has every request and reply that brokers' listeners serve in Apache Kafka 4.3.1 and 3.9.1, in the union
//! of both releases' versions: one struct a message, whose fields say which versions have them. [`coordinator`] has the
//! records of the internal topics, [`metadata`] those of the metadata log, [`data`] what is left.
//!
//! Reading borrows text and bytes from the buffer. Nothing allocates more than the bytes that are there justify.
//! Writing checks as Kafka does: a field that the version lacks must be at its default unless it may be ignored, null
//! must be allowed, tagged fields at their default are not written, unknown ones are written as they were read.
//!
//! Left out are messages that only brokers and controllers send to each other: `AllocateProducerIds`, `AlterPartition`,
//! `AssignReplicasToDirs`, `BeginQuorumEpoch`, `BrokerHeartbeat`, `BrokerRegistration`, `ControlledShutdown`,
//! `ControllerRegistration`, `EndQuorumEpoch`, `Envelope`, `FetchSnapshot`, `LeaderAndIsr`, `StopReplica`,
//! `UpdateMetadata`, `UpdateRaftVoter`, `Vote`; the records of tiered storage; and the version 0 of the share group APIs
//! that 3.9 had as a preview. Version 0 of `ListConfigResources` is what 3.9 calls `ListClientMetricsResources`.

mod api;
mod api_key;
pub mod compression;
pub mod coordinator;
pub mod coordinator_record;
pub mod data;
pub mod decoder;
pub mod encoder;
mod error;
mod error_code;
mod error_info;
pub mod frame;
#[cfg(any(test, feature = "json"))]
pub mod json;
pub mod messages;
pub mod metadata;
mod metadata_record;
mod prelude;
pub mod record_batch;
mod records;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use api::{Listener, Message, Request, Response};
pub use api_key::ApiKey;
pub use decoder::{Decode, Decoder};
pub use encoder::{Encode, Encoder};
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use frame::{RequestHeader, ResponseHeader};
pub use metadata_record::MetadataRecordType;
pub use records::{RawTaggedField, Records, Splice};
