//! Messages as JSON, in the words of Kafka's definitions: for tests that send the same requests to different brokers and
//! compare the replies field by field.
//!
//! One JSON fits all versions of a request: fields that a version does not have are left out of it. A name that no
//! version has is an error. Bytes, and records too, are base64; ids are as Kafka prints them (base64url).

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

#[cfg(test)]
use crate::testing::Random;
use crate::{ApiKey, DecodeError, EncodeError, Encoder, RawTaggedField, Records, Request, frame, messages::EXCHANGES};

/// Why JSON is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A field has another type, or does not exist.
    #[error("{field}: {reason}")]
    Field {
        /// Its name in Kafka.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The version cannot hold it.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl JsonError {
    fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), reason: reason.into() }
    }
}

/// JSON, version, correlation id and client id become a frame.
type EncodeRequest = fn(&Json, i16, i32, Option<&str>) -> Result<Vec<u8>, JsonError>;
/// Content and version become correlation id and JSON.
type DecodeResponse = fn(&[u8], i16) -> Result<(i32, Json), DecodeError>;

/// How one API's messages become JSON and JSON its messages.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// The API.
    pub api: ApiKey,
    pub(crate) encode: EncodeRequest,
    pub(crate) decode: DecodeResponse,
}

impl Exchange {
    /// The exchange of an API.
    #[must_use]
    pub fn of(api: ApiKey) -> Option<&'static Self> {
        EXCHANGES.iter().find(|exchange| exchange.api == api)
    }

    /// A whole request frame, with its size and header. Fields that are not named are at their default.
    ///
    /// # Errors
    /// [`JsonError`] for fields that do not exist or do not fit.
    pub fn encode_request(
        &self,
        request: &Json,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Result<Vec<u8>, JsonError> {
        (self.encode)(request, version, correlation_id, client_id)
    }

    /// Reads a reply's content (what follows the size): correlation id and body.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are no such reply.
    pub fn decode_response(&self, content: &[u8], version: i16) -> Result<(i32, Json), DecodeError> {
        (self.decode)(content, version)
    }
}

/// An [`Exchange`] of a request type.
macro_rules! exchange {
    ($request:ident) => {
        crate::json::Exchange {
            api: <$request as crate::Request>::API_KEY,
            encode: |json, version, correlation_id, client_id| {
                let mut request = $request::default();
                crate::json::Value::set(&mut request, version, json)?;
                crate::json::encode(&request, version, correlation_id, client_id)
            },
            decode: |content, version| {
                let (correlation_id, mut response) =
                    crate::frame::decode_response::<<$request as crate::Request>::Response<'_>>(content, version)?;
                Ok((correlation_id, crate::json::Value::json(&mut response, version)))
            },
        }
    };
}
pub(crate) use exchange;

pub(crate) fn encode(
    request: &impl Request,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Vec<u8>, JsonError> {
    let mut encoder = Encoder::new();
    frame::encode_request(&mut encoder, correlation_id, client_id, version, request)?;
    Ok(encoder.into_bytes()?)
}

/// A struct whose fields can be visited; generated.
pub(crate) trait Reflect {
    fn fields(&mut self, version: i16, visitor: &mut dyn Visitor);
}

/// Visits the fields of a struct.
pub(crate) trait Visitor {
    /// `is_default` is told of tagged fields only; it is false for all others.
    fn field(
        &mut self,
        name: &'static str,
        version: i16,
        present: bool,
        nullable: bool,
        is_default: bool,
        value: &mut dyn Value,
    );
    fn tags(&mut self, present: bool, fields: &mut Vec<RawTaggedField>);
}

/// A field's value.
pub(crate) trait Value {
    fn json(&mut self, version: i16) -> Json;
    fn set(&mut self, version: i16, json: &Json) -> Result<(), JsonError>;
    #[cfg(test)]
    fn randomize(&mut self, version: i16, nullable: bool, random: &mut Random);
}

/// Collects fields into JSON.
struct Shown(Map<String, Json>);

impl Visitor for Shown {
    fn field(
        &mut self,
        name: &'static str,
        version: i16,
        present: bool,
        _nullable: bool,
        is_default: bool,
        value: &mut dyn Value,
    ) {
        if present && !is_default {
            self.0.insert(name.to_owned(), value.json(version));
        }
    }

    fn tags(&mut self, _present: bool, _fields: &mut Vec<RawTaggedField>) {}
}

/// Sets fields from JSON.
struct Taken<'j> {
    fields: &'j Map<String, Json>,
    known: usize,
    names: Vec<&'static str>,
    result: Result<(), JsonError>,
}

impl Visitor for Taken<'_> {
    fn field(
        &mut self,
        name: &'static str,
        version: i16,
        present: bool,
        _nullable: bool,
        _is_default: bool,
        value: &mut dyn Value,
    ) {
        self.names.push(name);
        let Some(json) = self.fields.get(name) else { return };
        self.known += 1;
        if present && self.result.is_ok() {
            self.result = value.set(version, json).map_err(|error| match error {
                JsonError::Field { field, reason } if field.is_empty() => JsonError::field(name, reason),
                JsonError::Field { field, reason } => JsonError::field(&format!("{name}.{field}"), reason),
                other => other,
            });
        }
    }

    fn tags(&mut self, _present: bool, _fields: &mut Vec<RawTaggedField>) {}
}

fn wrong(expected: &str, json: &Json) -> JsonError {
    JsonError::field("", format!("{json} is not {expected}"))
}

impl<T: Reflect> Value for T {
    fn json(&mut self, version: i16) -> Json {
        let mut visitor = Shown(Map::new());
        self.fields(version, &mut visitor);
        Json::Object(visitor.0)
    }

    fn set(&mut self, version: i16, json: &Json) -> Result<(), JsonError> {
        let fields = json.as_object().ok_or_else(|| wrong("an object", json))?;
        let mut visitor = Taken { fields, known: 0, names: Vec::new(), result: Ok(()) };
        self.fields(version, &mut visitor);
        visitor.result?;
        if visitor.known < fields.len() {
            let unknown = fields.keys().find(|name| !visitor.names.contains(&name.as_str()));
            let name = unknown.map_or("", String::as_str);
            return Err(JsonError::field(name, format!("is none of {}", visitor.names.join(", "))));
        }
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, version: i16, _nullable: bool, random: &mut Random) {
        crate::testing::randomize(self, version, random);
    }
}

macro_rules! number {
    ($($kind:ty),*) => { $(impl Value for $kind {
        fn json(&mut self, _version: i16) -> Json {
            json!(*self)
        }

        fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
            *self = serde_json::from_value(json.clone()).map_err(|_| wrong(stringify!($kind), json))?;
            Ok(())
        }

        #[cfg(test)]
        fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
            *self = match random.below(5) {
                0 => <$kind>::MIN,
                1 => <$kind>::MAX,
                _ => random.next() as $kind,
            };
        }
    })* };
}
number!(i8, i16, u16, i32, u32, i64, f64);

impl Value for bool {
    fn json(&mut self, _version: i16) -> Json {
        json!(*self)
    }

    fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
        *self = json.as_bool().ok_or_else(|| wrong("true or false", json))?;
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = random.below(2) == 1;
    }
}

impl Value for Uuid {
    fn json(&mut self, _version: i16) -> Json {
        json!(base64(self.as_bytes(), true))
    }

    fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
        let bytes = json.as_str().and_then(from_base64).and_then(|bytes| Self::from_slice(&bytes).ok());
        *self = bytes.ok_or_else(|| wrong("an id", json))?;
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Uuid::from_u64_pair(random.next(), random.next());
    }
}

impl Value for Cow<'_, str> {
    fn json(&mut self, _version: i16) -> Json {
        json!(self)
    }

    fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
        *self = Cow::Owned(json.as_str().ok_or_else(|| wrong("a string", json))?.to_owned());
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Cow::Owned(random.text());
    }
}

fn bytes_of(json: &Json) -> Result<Vec<u8>, JsonError> {
    json.as_str().and_then(from_base64).ok_or_else(|| wrong("base64", json))
}

impl Value for Cow<'_, [u8]> {
    fn json(&mut self, _version: i16) -> Json {
        json!(base64(self, false))
    }

    fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
        *self = Cow::Owned(bytes_of(json)?);
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Cow::Owned(random.bytes());
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::Bytes(Cow::Borrowed(&[]))
    }
}

impl Value for Records<'_> {
    fn json(&mut self, _version: i16) -> Json {
        json!(self.as_bytes().map(|bytes| base64(bytes, false)))
    }

    fn set(&mut self, _version: i16, json: &Json) -> Result<(), JsonError> {
        *self = Self::from(bytes_of(json)?);
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, _version: i16, _nullable: bool, random: &mut Random) {
        *self = Self::from(random.bytes());
    }
}

impl<T: Value + Default> Value for Option<T> {
    fn json(&mut self, version: i16) -> Json {
        self.as_mut().map_or(Json::Null, |value| value.json(version))
    }

    fn set(&mut self, version: i16, json: &Json) -> Result<(), JsonError> {
        *self = match json {
            Json::Null => None,
            json => {
                let mut value = T::default();
                value.set(version, json)?;
                Some(value)
            }
        };
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, version: i16, nullable: bool, random: &mut Random) {
        *self = (!nullable || random.below(4) > 0).then(|| {
            let mut value = T::default();
            value.randomize(version, false, random);
            value
        });
    }
}

impl<T: Value + Default> Value for Vec<T> {
    fn json(&mut self, version: i16) -> Json {
        Json::Array(self.iter_mut().map(|value| value.json(version)).collect())
    }

    fn set(&mut self, version: i16, json: &Json) -> Result<(), JsonError> {
        self.clear();
        for json in json.as_array().ok_or_else(|| wrong("an array", json))? {
            let mut value = T::default();
            value.set(version, json)?;
            self.push(value);
        }
        Ok(())
    }

    #[cfg(test)]
    fn randomize(&mut self, version: i16, _nullable: bool, random: &mut Random) {
        let length = random.below(3);
        self.clear();
        for _ in 0..length {
            let mut value = T::default();
            value.randomize(version, false, random);
            self.push(value);
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as base64: with padding, as Jackson writes them, or `url` without it, as Kafka writes ids.
#[must_use]
pub fn base64(bytes: &[u8], url: bool) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(group >> (18 - 6 * index) & 63) as usize]));
        }
    }
    if url { out.replace('+', "-").replace('/', "_") } else { out + &"="[..].repeat((3 - bytes.len() % 3) % 3) }
}

/// Bytes of a text that [`base64`] wrote, in either form; none if it is no such text.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        let plain = match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        ALPHABET.iter().position(|one| *one == plain).map(|index| index as u32)
    };
    let digits: Option<Vec<u32>> = text.trim_end_matches('=').bytes().map(digit).collect();
    let bytes = digits?
        .chunks(4)
        .flat_map(|chunk| {
            let group = chunk.iter().fold(0, |group, digit| group << 6 | digit) << (6 * (4 - chunk.len()));
            group.to_be_bytes()[1..chunk.len()].to_vec()
        })
        .collect::<Vec<u8>>();
    Some(bytes)
}
