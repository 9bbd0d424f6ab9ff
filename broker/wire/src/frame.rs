//! Requests and replies as they stand on a connection: a size, a header, a body.
//!
//! ```text
//! request:  int32 size | int16 API key | int16 version | int32 correlation id | client id | tagged fields | body
//! reply:    int32 size | int32 correlation id | tagged fields | body
//! ```

use std::borrow::Cow;

use crate::{ApiKey, Decode, DecodeError, Decoder, EncodeError, Encoder, RawTaggedField, Request, Response};

/// Bytes of a frame's size prefix.
pub const SIZE_PREFIX: usize = 4;

/// The header of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeader<'a> {
    /// The API's number.
    pub api_key: i16,
    /// The version of the request's body.
    pub api_version: i16,
    /// A number that the reply repeats.
    pub correlation_id: i32,
    /// What the client calls itself; since header version 1.
    pub client_id: Option<Cow<'a, str>>,
    /// Tagged fields; since header version 2.
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header at the start of a frame's content and finds its version by API and version.
    ///
    /// A version that the API does not have is read with the header of the versions next to it, as Kafka does: a client
    /// that asks for `ApiVersions` in a version of the future is to be told which ones there are.
    ///
    /// # Errors
    /// [`DecodeError::UnknownApiKey`], or what truncated bytes give.
    pub fn decode(decoder: &mut Decoder<'a>) -> Result<Self, DecodeError> {
        let mut ahead = decoder.clone();
        let api = ApiKey::try_from(ahead.i16()?)?;
        let version = ahead.i16()?;
        Self::decode_version(decoder, api.request_header_version(version))
    }

    /// Reads a header of version 0, 1 or 2.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated bytes or another version.
    pub fn decode_version(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        if !(0..=2).contains(&version) {
            return Err(DecodeError::UnsupportedVersion { message: "RequestHeader", version, min: 0, max: 2 });
        }
        Ok(Self {
            api_key: decoder.i16()?,
            api_version: decoder.i16()?,
            correlation_id: decoder.i32()?,
            // Never compact, so that brokers can read it before they know the version.
            client_id: if version >= 1 { decoder.nullable_string(true, false)? } else { None },
            unknown_tagged_fields: decoder.unknown_tagged_fields(version >= 2)?,
        })
    }

    /// Writes a header of version 0, 1 or 2.
    ///
    /// # Errors
    /// [`EncodeError`] for a client id that is too long, tagged fields before version 2, or another version.
    pub fn encode_version(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        if !(0..=2).contains(&version) {
            return Err(EncodeError::UnsupportedVersion { message: "RequestHeader", version, min: 0, max: 2 });
        }
        encoder.i16(self.api_key);
        encoder.i16(self.api_version);
        encoder.i32(self.correlation_id);
        if version >= 1 {
            encoder.nullable_string("client_id", version, self.client_id.as_deref(), true, false)?;
        }
        encoder.unknown_tagged_fields(version, &self.unknown_tagged_fields, version >= 2)
    }
}

/// The header of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseHeader {
    /// The request's number.
    pub correlation_id: i32,
    /// Tagged fields; since header version 1.
    pub unknown_tagged_fields: Vec<RawTaggedField>,
}

impl ResponseHeader {
    /// Reads a header of version 0 or 1.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated bytes or another version.
    pub fn decode_version(decoder: &mut Decoder<'_>, version: i16) -> Result<Self, DecodeError> {
        if !(0..=1).contains(&version) {
            return Err(DecodeError::UnsupportedVersion { message: "ResponseHeader", version, min: 0, max: 1 });
        }
        let correlation_id = decoder.i32()?;
        Ok(Self { correlation_id, unknown_tagged_fields: decoder.unknown_tagged_fields(version >= 1)? })
    }

    /// Writes a header of version 0 or 1.
    ///
    /// # Errors
    /// [`EncodeError`] for tagged fields before version 1, or another version.
    pub fn encode_version(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        if !(0..=1).contains(&version) {
            return Err(EncodeError::UnsupportedVersion { message: "ResponseHeader", version, min: 0, max: 1 });
        }
        encoder.i32(self.correlation_id);
        encoder.unknown_tagged_fields(version, &self.unknown_tagged_fields, version >= 1)
    }
}

/// Appends a whole reply to `encoder`: size, header and body. Takes away what it wrote if it fails.
///
/// # Errors
/// [`EncodeError`] for what the version cannot hold.
pub fn encode_response<R: Response>(
    encoder: &mut Encoder,
    correlation_id: i32,
    version: i16,
    body: &R,
) -> Result<(), EncodeError> {
    let header = ResponseHeader { correlation_id, unknown_tagged_fields: Vec::new() };
    let header_version = R::API_KEY.response_header_version(version);
    framed(encoder, |encoder| {
        header.encode_version(encoder, header_version)?;
        body.encode(encoder, version)
    })
}

/// Appends a whole request to `encoder`: size, header and body. Takes away what it wrote if it fails.
///
/// # Errors
/// [`EncodeError`] for what the version cannot hold.
pub fn encode_request<R: Request>(
    encoder: &mut Encoder,
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    body: &R,
) -> Result<(), EncodeError> {
    let header = RequestHeader {
        api_key: R::API_KEY.key(),
        api_version: version,
        correlation_id,
        client_id: client_id.map(Cow::Borrowed),
        unknown_tagged_fields: Vec::new(),
    };
    framed(encoder, |encoder| {
        header.encode_version(encoder, R::API_KEY.request_header_version(version))?;
        body.encode(encoder, version)
    })
}

fn framed(
    encoder: &mut Encoder,
    content: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = encoder.begin_frame();
    let result = content(encoder).and_then(|()| encoder.end_frame(start));
    if result.is_err() {
        encoder.truncate(start);
    }
    result
}

/// Reads a reply's content (what follows the size): correlation id and body.
///
/// # Errors
/// [`DecodeError`] for bytes that are no such reply.
pub fn decode_response<'a, R: Response + Decode<'a>>(content: &'a [u8], version: i16) -> Result<(i32, R), DecodeError> {
    let mut decoder = Decoder::new(content);
    let header = ResponseHeader::decode_version(&mut decoder, R::API_KEY.response_header_version(version))?;
    let body = R::decode(&mut decoder, version)?;
    decoder.finish()?;
    Ok((header.correlation_id, body))
}
