//! What generated modules use.

pub(crate) use std::borrow::Cow;

pub(crate) use uuid::Uuid;

pub(crate) use crate::api::{Message, Request, Response};
pub(crate) use crate::coordinator_record::{CoordinatorKey, CoordinatorValue};
pub(crate) use crate::encoder::{TaggedFields, absent};
pub(crate) use crate::metadata_record::MetadataRecordType;
#[cfg(test)]
pub(crate) use crate::testing::{Reflect, Visitor};
pub(crate) use crate::{ApiKey, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, RawTaggedField, Records};
