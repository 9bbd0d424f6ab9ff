//! Framing of the records that coordinators keep in their topics: a two-byte number, then the message.
//!
//! In keys the number is the record's type, in values the version (`CoordinatorRecordSerde` in Kafka). Values of the
//! consumer protocol and of control records are framed like values.

use crate::{Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, Message};

/// The key of a coordinator's record. All keys have one version only.
pub trait CoordinatorKey: Message {
    /// The record's type.
    const TYPE: i16;
}

/// The value of a coordinator's record.
pub trait CoordinatorValue: Message {
    /// The type of the key that it belongs to.
    const TYPE: i16;
}

/// Writes a key.
///
/// # Errors
/// [`EncodeError`] for a text that is too long.
pub fn encode_key<K: CoordinatorKey>(key: &K) -> Result<Vec<u8>, EncodeError> {
    prefixed(K::TYPE, key, K::MIN_VERSION)
}

/// Writes a value, or any other data that starts with its version.
///
/// # Errors
/// [`EncodeError`] for what the version cannot hold.
pub fn encode_value<V: Message>(value: &V, version: i16) -> Result<Vec<u8>, EncodeError> {
    prefixed(version, value, version)
}

/// Reads a value, or any other data that starts with its version, and the version.
///
/// # Errors
/// [`DecodeError`] for bytes that are no such value, or a version that is not known.
pub fn decode_value<'a, V: Message + Decode<'a>>(bytes: &'a [u8]) -> Result<(V, i16), DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let version = decoder.i16()?;
    Ok((V::decode(&mut decoder, version)?, version))
}

fn prefixed(number: i16, message: &impl Encode, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder::new();
    encoder.i16(number);
    message.encode(&mut encoder, version)?;
    encoder.into_bytes()
}
