//! Control records: transaction markers, and what the metadata log's quorum writes.
//!
//! The key is `int16 version, int16 type`; the value depends on the type.

use super::{BatchBuilder, BatchError, BatchOptions, NewRecord, Producer, Record};
use crate::coordinator_record::{decode_value, encode_value};
use crate::data::{
    EndTxnMarker, KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use crate::{Decode, Decoder, Encode, Encoder, Message};

/// The type of a control record (`ControlRecordType` in Kafka).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort = 0,
    /// A transaction was committed.
    Commit = 1,
    /// A new leader of the metadata log.
    LeaderChange = 2,
    /// The start of a snapshot.
    SnapshotHeader = 3,
    /// The end of a snapshot.
    SnapshotFooter = 4,
    /// The version of the quorum's protocol.
    KRaftVersion = 5,
    /// The quorum's voters.
    KRaftVoters = 6,
}

impl ControlType {
    const ALL: [Self; 7] = [
        Self::Abort,
        Self::Commit,
        Self::LeaderChange,
        Self::SnapshotHeader,
        Self::SnapshotFooter,
        Self::KRaftVersion,
        Self::KRaftVoters,
    ];

    /// The type that a control record's key names; none for types of later releases, which readers skip.
    ///
    /// # Errors
    /// [`BatchError::Control`] for a key that is no control record's.
    pub fn of(record: &Record<'_>) -> Result<Option<Self>, BatchError> {
        let mut key = Decoder::new(record.key.unwrap_or_default());
        let read = |key: &mut Decoder<'_>| key.i16().map_err(|error| BatchError::Control(error.to_string()));
        let version = read(&mut key)?;
        if version < 0 {
            return Err(BatchError::Control(format!("key has the version {version}")));
        }
        let number = read(&mut key)?;
        Ok(Self::ALL.into_iter().find(|known| *known as i16 == number))
    }

    fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }
}

/// The batch that ends a transaction: one commit or abort marker.
///
/// # Errors
/// [`BatchError`], which no input gives in practice.
pub fn end_transaction(
    producer_id: i64,
    producer_epoch: i16,
    is_commit: bool,
    coordinator_epoch: i32,
    timestamp: i64,
    options: BatchOptions,
) -> Result<Vec<u8>, BatchError> {
    let kind = if is_commit { ControlType::Commit } else { ControlType::Abort };
    let marker = EndTxnMarker { coordinator_epoch };
    let value = encode_value(&marker, 0).map_err(|error| BatchError::Control(error.to_string()))?;
    let producer = Producer { id: producer_id, epoch: producer_epoch, base_sequence: super::NO_SEQUENCE };
    let options = BatchOptions { producer, is_transactional: true, ..options };
    batch(&[(kind, value)], timestamp, options)
}

/// The coordinator's epoch in a transaction marker.
///
/// # Errors
/// [`BatchError::Control`] for a record that is no transaction marker.
pub fn coordinator_epoch(record: &Record<'_>) -> Result<i32, BatchError> {
    if !matches!(ControlType::of(record)?, Some(ControlType::Commit | ControlType::Abort)) {
        return Err(BatchError::Control("not a transaction marker".to_owned()));
    }
    let value = record.value.unwrap_or_default();
    let (marker, _) = decode_value::<EndTxnMarker>(value).map_err(|error| BatchError::Control(error.to_string()))?;
    Ok(marker.coordinator_epoch)
}

/// A control record of the metadata log's quorum. The version of each stands in the message itself.
#[derive(Debug, Clone, PartialEq)]
pub enum QuorumRecord<'a> {
    /// A new leader.
    LeaderChange(LeaderChangeMessage),
    /// The start of a snapshot.
    SnapshotHeader(SnapshotHeaderRecord),
    /// The end of a snapshot.
    SnapshotFooter(SnapshotFooterRecord),
    /// The version of the quorum's protocol.
    KRaftVersion(KRaftVersionRecord),
    /// The voters.
    Voters(VotersRecord<'a>),
}

impl<'a> QuorumRecord<'a> {
    /// The record's type.
    pub fn control_type(&self) -> ControlType {
        match self {
            Self::LeaderChange(_) => ControlType::LeaderChange,
            Self::SnapshotHeader(_) => ControlType::SnapshotHeader,
            Self::SnapshotFooter(_) => ControlType::SnapshotFooter,
            Self::KRaftVersion(_) => ControlType::KRaftVersion,
            Self::Voters(_) => ControlType::KRaftVoters,
        }
    }

    /// Reads a control record; none for transaction markers and types of later releases.
    ///
    /// # Errors
    /// [`BatchError::Control`] for bytes that are no control record.
    pub fn read(record: &Record<'a>) -> Result<Option<Self>, BatchError> {
        let value = record.value.unwrap_or_default();
        Ok(Some(match ControlType::of(record)? {
            Some(ControlType::LeaderChange) => Self::LeaderChange(body(value)?),
            Some(ControlType::SnapshotHeader) => Self::SnapshotHeader(body(value)?),
            Some(ControlType::SnapshotFooter) => Self::SnapshotFooter(body(value)?),
            Some(ControlType::KRaftVersion) => Self::KRaftVersion(body(value)?),
            Some(ControlType::KRaftVoters) => Self::Voters(body(value)?),
            Some(ControlType::Abort | ControlType::Commit) | None => return Ok(None),
        }))
    }

    fn value(&self) -> Result<Vec<u8>, BatchError> {
        let mut encoder = Encoder::new();
        match self {
            Self::LeaderChange(message) => message.encode(&mut encoder, message.version),
            Self::SnapshotHeader(message) => message.encode(&mut encoder, message.version),
            Self::SnapshotFooter(message) => message.encode(&mut encoder, message.version),
            Self::KRaftVersion(message) => message.encode(&mut encoder, message.version),
            Self::Voters(message) => message.encode(&mut encoder, message.version),
        }
        .and_then(|()| encoder.into_bytes())
        .map_err(|error| BatchError::Control(error.to_string()))
    }
}

/// Reads the value of a control record, which starts with its version.
fn body<'a, M: Message + Decode<'a>>(value: &'a [u8]) -> Result<M, BatchError> {
    let read = || {
        let version = Decoder::new(value).i16()?;
        M::decode(&mut Decoder::new(value), version.min(M::MAX_VERSION))
    };
    read().map_err(|error| BatchError::Control(error.to_string()))
}

/// The batch of some control records of the quorum.
///
/// # Errors
/// [`BatchError::Control`] for a record that its version cannot hold.
pub fn quorum_batch(
    records: &[QuorumRecord<'_>],
    timestamp: i64,
    options: BatchOptions,
) -> Result<Vec<u8>, BatchError> {
    let pairs = records.iter().map(|record| Ok((record.control_type(), record.value()?)));
    batch(&pairs.collect::<Result<Vec<_>, BatchError>>()?, timestamp, options)
}

fn batch(records: &[(ControlType, Vec<u8>)], timestamp: i64, options: BatchOptions) -> Result<Vec<u8>, BatchError> {
    let mut builder = BatchBuilder::new(BatchOptions { is_control: true, ..options });
    for (kind, value) in records {
        builder.append(NewRecord { timestamp, key: Some(&kind.key()), value: Some(value), headers: &[] })?;
    }
    builder.build()
}
