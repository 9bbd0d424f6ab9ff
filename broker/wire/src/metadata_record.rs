//! Framing of the metadata log's records: three unsigned varints (frame version, record type, version), then the
//! record (`MetadataRecordSerde` in Kafka).

use crate::metadata::MetadataRecord;
use crate::{DecodeError, Decoder, EncodeError, Encoder, Message};

/// A record of the metadata log.
pub trait MetadataRecordType: Message {
    /// The record's type.
    const TYPE: u32;
}

/// The only version of the frame.
const FRAME_VERSION: u32 = 1;

impl<'a> MetadataRecord<'a> {
    /// Reads the value of a record of the metadata log, and the version it was written in.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are no such record, another frame version, an unknown type or version.
    pub fn decode_frame(bytes: &'a [u8]) -> Result<(Self, i16), DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let frame = decoder.unsigned_varint()?;
        if frame != FRAME_VERSION {
            return Err(DecodeError::UnknownFrameVersion(frame));
        }
        let number = decoder.unsigned_varint()?;
        let at = decoder.position();
        let version = i16::try_from(decoder.unsigned_varint()?).map_err(|_| DecodeError::InvalidVarint { at })?;
        let record = Self::decode_body(number, &mut decoder, version)?;
        decoder.finish()?;
        Ok((record, version))
    }

    /// Writes the value of a record of the metadata log.
    ///
    /// # Errors
    /// [`EncodeError`] for what the version cannot hold.
    pub fn encode_frame(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut encoder = Encoder::new();
        encoder.unsigned_varint(FRAME_VERSION);
        encoder.unsigned_varint(self.type_number());
        encoder.unsigned_varint(u32::from(version.cast_unsigned()));
        self.encode_body(&mut encoder, version)?;
        encoder.into_bytes()
    }
}
