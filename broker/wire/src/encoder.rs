//! Writing the primitive types of the protocol; the counterpart of [`crate::decoder`].

use uuid::Uuid;

use crate::decoder::MAX_STRING;
use crate::{EncodeError, RawTaggedField, Records, Splice};

/// Writes values in one version of the message they are part of.
pub trait Encode {
    /// Appends the value to the encoder.
    ///
    /// # Errors
    /// Any [`EncodeError`]; what was appended by then is undefined.
    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError>;
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        T::encode(self, encoder, version)
    }
}

/// A growing buffer, and the places in it where records that stand elsewhere belong ([`Records::External`]).
///
/// ```text
/// buffer:   | size | header | … | records' length |                      | rest |
/// splices:                                        ^ position: len bytes of `id`
/// ```
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    buffer: Vec<u8>,
    splices: Vec<Splice>,
}

impl Encoder {
    /// An empty encoder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty encoder with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity), splices: Vec::new() }
    }

    /// Goes on after what `buffer` holds; gives a used buffer a second life.
    pub fn from_buffer(buffer: Vec<u8>) -> Self {
        Self { buffer, splices: Vec::new() }
    }

    /// Bytes of the whole output, external records included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.external(0)
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// External bytes that belong at or after `start` in the buffer.
    fn external(&self, start: usize) -> usize {
        self.splices.iter().rev().take_while(|splice| splice.position > start).map(|splice| splice.len as usize).sum()
    }

    /// The bytes written, without external records.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// The places of external records, in ascending order.
    pub fn splices(&self) -> &[Splice] {
        &self.splices
    }

    /// The bytes written, and the places of external records in ascending order.
    pub fn into_parts(self) -> (Vec<u8>, Vec<Splice>) {
        (self.buffer, self.splices)
    }

    /// The bytes written.
    ///
    /// # Errors
    /// [`EncodeError::ExternalRecords`] if some of them stand elsewhere.
    pub fn into_bytes(self) -> Result<Vec<u8>, EncodeError> {
        if self.splices.is_empty() { Ok(self.buffer) } else { Err(EncodeError::ExternalRecords) }
    }

    /// Drops everything written after `length` bytes of the buffer; undoes a failed encoding.
    pub fn truncate(&mut self, length: usize) {
        self.buffer.truncate(length);
        self.splices.retain(|splice| splice.position <= length);
    }

    /// Starts a frame: leaves room for its size. Pass the result to [`Self::end_frame`].
    pub fn begin_frame(&mut self) -> usize {
        let start = self.buffer.len();
        self.i32(0);
        start
    }

    /// Ends the frame begun at `start` by writing its size, external records included.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for a frame of more than 2^31 - 1 bytes.
    pub fn end_frame(&mut self, start: usize) -> Result<(), EncodeError> {
        let body = start + 4;
        let length = self.buffer.len() - body + self.external(body);
        let size = i32::try_from(length).map_err(|_| EncodeError::TooLong { field: "frame", length })?;
        self.buffer[start..body].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes a boolean as one byte.
    pub fn bool(&mut self, value: bool) {
        self.buffer.push(u8::from(value));
    }

    /// Writes an `int8`.
    pub fn i8(&mut self, value: i8) {
        self.buffer.push(value.cast_unsigned());
    }

    /// Writes an `int16`.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a `uint16`.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an `int32`.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a `uint32`.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes an `int64`.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a `float64`.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// Writes a `uuid`.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(value.as_bytes());
    }

    /// Writes an unsigned varint.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.base_128(u64::from(value));
    }

    /// Writes a zigzag varint.
    pub fn varint(&mut self, value: i32) {
        self.unsigned_varint(((value << 1) ^ (value >> 31)).cast_unsigned());
    }

    /// Writes a zigzag varlong.
    pub fn varlong(&mut self, value: i64) {
        self.base_128(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn base_128(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    fn length(&mut self, field: &'static str, length: usize, flexible: bool) -> Result<(), EncodeError> {
        // The compact form holds length + 1, which must fit an int32 as well.
        let checked = i32::try_from(length).ok().filter(|length| *length < i32::MAX);
        let length = checked.ok_or(EncodeError::TooLong { field, length })?;
        if flexible {
            self.unsigned_varint(length.cast_unsigned() + 1);
        } else {
            self.i32(length);
        }
        Ok(())
    }

    fn null_length(
        &mut self,
        field: &'static str,
        version: i16,
        nullable: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if !nullable {
            return Err(EncodeError::UnexpectedNull { field, version });
        }
        if flexible {
            self.unsigned_varint(0);
        } else {
            self.i32(-1);
        }
        Ok(())
    }

    /// Writes a `string`; `flexible` selects the compact form.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for more than 32,767 bytes.
    pub fn string(&mut self, field: &'static str, value: &str, flexible: bool) -> Result<(), EncodeError> {
        if value.len() > MAX_STRING {
            return Err(EncodeError::TooLong { field, length: value.len() });
        }
        if flexible {
            self.unsigned_varint(value.len() as u32 + 1);
        } else {
            self.i16(value.len() as i16);
        }
        self.raw(value.as_bytes());
        Ok(())
    }

    /// Writes a nullable `string`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`], or [`EncodeError::UnexpectedNull`] for null unless `nullable`.
    pub fn nullable_string(
        &mut self,
        field: &'static str,
        version: i16,
        value: Option<&str>,
        nullable: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.string(field, value, flexible)?,
            None if !nullable => return Err(EncodeError::UnexpectedNull { field, version }),
            None if flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Writes `bytes`; `flexible` selects the compact form.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn bytes(&mut self, field: &'static str, value: &[u8], flexible: bool) -> Result<(), EncodeError> {
        self.length(field, value.len(), flexible)?;
        self.raw(value);
        Ok(())
    }

    /// Writes nullable `bytes`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`], or [`EncodeError::UnexpectedNull`] for null unless `nullable`.
    pub fn nullable_bytes(
        &mut self,
        field: &'static str,
        version: i16,
        value: Option<&[u8]>,
        nullable: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(field, value, flexible),
            None => self.null_length(field, version, nullable, flexible),
        }
    }

    /// Writes `records`: their length, and then the bytes or the note where they belong.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`], or [`EncodeError::UnexpectedNull`] for null unless `nullable`.
    pub fn records(
        &mut self,
        field: &'static str,
        version: i16,
        value: Option<&Records<'_>>,
        nullable: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(Records::Bytes(bytes)) => self.bytes(field, bytes, flexible),
            Some(&Records::External { len, id }) => {
                self.length(field, len as usize, flexible)?;
                self.splices.push(Splice { position: self.buffer.len(), id, len });
                Ok(())
            }
            None => self.null_length(field, version, nullable, flexible),
        }
    }

    /// Writes an array.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`], or what an element gives.
    pub fn array<T>(
        &mut self,
        field: &'static str,
        elements: &[T],
        flexible: bool,
        mut element: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.length(field, elements.len(), flexible)?;
        elements.iter().try_for_each(|value| element(self, value))
    }

    /// Writes a nullable array.
    ///
    /// # Errors
    /// As [`Self::array`], or [`EncodeError::UnexpectedNull`] for null unless `nullable`.
    pub fn nullable_array<T>(
        &mut self,
        field: &'static str,
        version: i16,
        elements: Option<&Vec<T>>,
        nullable: bool,
        flexible: bool,
        element: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        match elements {
            Some(elements) => self.array(field, elements, flexible, element),
            None => self.null_length(field, version, nullable, flexible),
        }
    }

    /// Writes an array of structs.
    ///
    /// # Errors
    /// As [`Self::array`].
    pub fn structs<T: Encode>(
        &mut self,
        field: &'static str,
        version: i16,
        elements: &[T],
        flexible: bool,
    ) -> Result<(), EncodeError> {
        self.array(field, elements, flexible, |encoder, element| element.encode(encoder, version))
    }

    /// Writes a nullable array of structs.
    ///
    /// # Errors
    /// As [`Self::nullable_array`].
    pub fn nullable_structs<T: Encode>(
        &mut self,
        field: &'static str,
        version: i16,
        elements: Option<&Vec<T>>,
        nullable: bool,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match elements {
            Some(elements) => self.structs(field, version, elements, flexible),
            None => self.null_length(field, version, nullable, flexible),
        }
    }

    /// Writes a nullable struct: -1 for null, or 1 and the struct.
    ///
    /// # Errors
    /// [`EncodeError::UnexpectedNull`] for null unless `nullable`, or what the struct gives.
    pub fn nullable_struct<T: Encode>(
        &mut self,
        field: &'static str,
        version: i16,
        value: Option<&T>,
        nullable: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => {
                self.i8(1);
                value.encode(self, version)
            }
            None if nullable => {
                self.i8(-1);
                Ok(())
            }
            None => Err(EncodeError::UnexpectedNull { field, version }),
        }
    }

    /// Writes a nullable struct that is a tagged field: 0 for null, or 1 and the struct.
    ///
    /// # Errors
    /// As [`Self::nullable_struct`].
    pub fn tagged_struct<T: Encode>(
        &mut self,
        field: &'static str,
        version: i16,
        value: Option<&T>,
        nullable: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => {
                self.unsigned_varint(1);
                value.encode(self, version)
            }
            None if nullable => {
                self.unsigned_varint(0);
                Ok(())
            }
            None => Err(EncodeError::UnexpectedNull { field, version }),
        }
    }

    /// Writes the tagged fields of a struct that has only unknown ones, if the version has tagged fields.
    ///
    /// # Errors
    /// As [`TaggedFields::finish`], or [`EncodeError::UnsupportedField`] if there are some and the version has none.
    pub fn unknown_tagged_fields(
        &mut self,
        version: i16,
        fields: &[RawTaggedField],
        flexible: bool,
    ) -> Result<(), EncodeError> {
        if flexible {
            TaggedFields::new(self, fields).finish()
        } else if fields.is_empty() {
            Ok(())
        } else {
            Err(EncodeError::UnsupportedField { field: "unknown_tagged_fields", version })
        }
    }

    /// Puts `bytes` at `position`, moving what follows.
    fn insert(&mut self, position: usize, bytes: &[u8]) {
        let tail = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        self.buffer[position..].rotate_right(bytes.len());
        debug_assert!(position <= tail);
        for splice in self.splices.iter_mut().rev().take_while(|splice| splice.position > position) {
            splice.position += bytes.len();
        }
    }
}

/// Checks that a field which `version` does not have is at its default.
///
/// # Errors
/// [`EncodeError::UnsupportedField`] if it is not.
pub fn absent(field: &'static str, version: i16, is_default: bool) -> Result<(), EncodeError> {
    if is_default { Ok(()) } else { Err(EncodeError::UnsupportedField { field, version }) }
}

/// Writes the tagged fields of one struct in ascending order of their tags, unknown ones in their places.
pub struct TaggedFields<'e, 'u> {
    encoder: &'e mut Encoder,
    unknown: std::slice::Iter<'u, RawTaggedField>,
    start: usize,
    count: u32,
    last: Option<u32>,
}

impl<'e, 'u> TaggedFields<'e, 'u> {
    /// Starts the list.
    pub fn new(encoder: &'e mut Encoder, unknown: &'u [RawTaggedField]) -> Self {
        let start = encoder.buffer.len();
        encoder.i8(0);
        Self { encoder, unknown: unknown.iter(), start, count: 0, last: None }
    }

    /// Writes the field `tag` unless it `is_default`; call in ascending order of tags.
    ///
    /// # Errors
    /// What `value` gives, or [`EncodeError::TagOrder`].
    pub fn field(
        &mut self,
        tag: u32,
        is_default: bool,
        value: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if is_default {
            return Ok(());
        }
        while let Some(raw) = self.unknown.as_slice().first().filter(|raw| raw.tag < tag) {
            self.unknown.next();
            self.raw(raw)?;
        }
        self.tag(tag)?;
        let start = self.encoder.buffer.len();
        value(self.encoder)?;
        let size = self.encoder.buffer.len() - start + self.encoder.external(start);
        let size = u32::try_from(size).map_err(|_| EncodeError::TooLong { field: "tagged field", length: size })?;
        let mut prefix = Encoder::with_capacity(5);
        prefix.unsigned_varint(size);
        self.encoder.insert(start, &prefix.buffer);
        Ok(())
    }

    /// Writes the unknown fields that are left, and the number of fields.
    ///
    /// # Errors
    /// [`EncodeError::TagOrder`] for unknown fields that are not in ascending order.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        while let Some(raw) = self.unknown.next() {
            self.raw(raw)?;
        }
        if self.count < 0x80 {
            self.encoder.buffer[self.start] = self.count as u8;
            return Ok(());
        }
        let mut count = Encoder::with_capacity(5);
        count.unsigned_varint(self.count);
        self.encoder.buffer[self.start] = count.buffer[0];
        self.encoder.insert(self.start + 1, &count.buffer[1..]);
        Ok(())
    }

    fn raw(&mut self, raw: &RawTaggedField) -> Result<(), EncodeError> {
        self.tag(raw.tag)?;
        let length = raw.data.len();
        let size = u32::try_from(length).map_err(|_| EncodeError::TooLong { field: "tagged field", length })?;
        self.encoder.unsigned_varint(size);
        self.encoder.raw(&raw.data);
        Ok(())
    }

    fn tag(&mut self, tag: u32) -> Result<(), EncodeError> {
        if self.last.is_some_and(|last| last >= tag) {
            return Err(EncodeError::TagOrder { tag });
        }
        self.last = Some(tag);
        self.count += 1;
        self.encoder.unsigned_varint(tag);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
