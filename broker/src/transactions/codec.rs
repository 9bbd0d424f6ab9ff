//! Records of `__transaction_state` as bytes, in the versions that Apache Kafka 4.3 writes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use wire::coordinator::{self as stored, TransactionKey};
use wire::coordinator_record::{decode_value, encode_key, encode_value};
use wire::{DecodeError, EncodeError};

use super::metadata::{NO_EPOCH, Name, Transaction};
use super::state::TransactionState;

/// Version of the values from `transaction.version` 1 on: it has tagged fields.
const FLEXIBLE_VERSION: i16 = 1;

/// A record as it goes into a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The key.
    pub key: Bytes,
    /// The value; `None` for a tombstone.
    pub value: Option<Bytes>,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are no such record.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A state of a later release.
    #[error("transaction state {0} is not known: it may have been written by a later release")]
    State(i8),
}

/// Writes a record; without a transaction, the tombstone of its id. `feature_level` is that of `transaction.version`.
///
/// # Errors
/// [`EncodeError`] for an id that is longer than its length prefix can say.
pub fn encode(id: &str, value: Option<&Transaction>, feature_level: i16) -> Result<EncodedRecord, EncodeError> {
    let key = encode_key(&stored::TransactionLogKey { transactional_id: Cow::Borrowed(id) })?;
    let version = if feature_level >= 1 { FLEXIBLE_VERSION } else { 0 };
    let value = value.map(|transaction| encode_value(&stored_value(transaction, version), version)).transpose()?;
    Ok(EncodedRecord { key: key.into(), value: value.map(Bytes::from) })
}

fn stored_value(transaction: &Transaction, version: i16) -> stored::TransactionLogValue<'_> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in &transaction.partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let partitions = topics.into_iter().map(|(topic, partition_ids)| stored::transaction_log_value::PartitionsSchema {
        topic: Cow::Borrowed(topic),
        partition_ids,
        ..stored::transaction_log_value::PartitionsSchema::default()
    });
    let mut value = stored::TransactionLogValue {
        producer_id: transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
        transaction_timeout_ms: transaction.timeout_ms,
        transaction_status: transaction.state as i8,
        transaction_partitions: (transaction.state != TransactionState::Empty).then(|| partitions.collect()),
        transaction_last_update_timestamp_ms: transaction.updated_ms,
        transaction_start_timestamp_ms: transaction.started_ms,
        ..stored::TransactionLogValue::default()
    };
    if version >= FLEXIBLE_VERSION {
        value.previous_producer_id = transaction.previous_producer_id;
        value.next_producer_id = transaction.next_producer_id;
        value.client_transaction_version = transaction.client_version;
    }
    value
}

/// Reads a record: the transactional id, and its state unless it is a tombstone.
///
/// # Errors
/// [`CodecError`].
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<(Name, Option<Transaction>), CodecError> {
    let TransactionKey::TransactionLog(key) = TransactionKey::decode(key)?;
    let id = Name::from(key.transactional_id.as_ref());
    let Some(value) = value else { return Ok((id, None)) };
    let (value, _) = decode_value::<stored::TransactionLogValue<'_>>(value)?;
    let state =
        TransactionState::numbered(value.transaction_status).ok_or(CodecError::State(value.transaction_status))?;
    let mut transaction = Transaction {
        previous_producer_id: value.previous_producer_id,
        next_producer_id: value.next_producer_id,
        producer_epoch: value.producer_epoch,
        last_producer_epoch: NO_EPOCH,
        state,
        started_ms: value.transaction_start_timestamp_ms,
        updated_ms: value.transaction_last_update_timestamp_ms,
        client_version: value.client_transaction_version,
        ..Transaction::new(value.producer_id, value.transaction_timeout_ms, 0)
    };
    for topic in value.transaction_partitions.iter().flatten() {
        let name = Name::from(topic.topic.as_ref());
        transaction.partitions.extend(topic.partition_ids.iter().map(|partition| (Name::clone(&name), *partition)));
    }
    Ok((id, Some(transaction)))
}
