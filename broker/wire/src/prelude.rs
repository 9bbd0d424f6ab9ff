//! What generated modules use.

pub(crate) use std::borrow::Cow;

pub(crate) use uuid::Uuid;

pub(crate) use crate::api::{Message, Request, Response};
pub(crate) use crate::coordinator_record::{CoordinatorKey, CoordinatorValue};
pub(crate) use crate::encoder::{TaggedFields, absent};
#[cfg(any(test, feature = "json"))]
pub(crate) use crate::json::{Reflect, Visitor};
pub(crate) use crate::metadata_record::MetadataRecordType;
pub(crate) use crate::{ApiKey, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, RawTaggedField, Records};
