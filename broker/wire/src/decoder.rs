//! Reading the primitive types of the protocol.
//!
//! Types as in [the protocol guide](https://kafka.apache.org/protocol#protocol_types) and
//! [KIP-482](https://cwiki.apache.org/confluence/x/OhMyBw) (compact forms and tagged fields). Where Kafka is lenient, so
//! is this: any negative length means null, any byte but 0 means true, and text that is not UTF-8 is read with
//! replacement characters.

use std::borrow::Cow;

use uuid::Uuid;

use crate::{DecodeError, RawTaggedField, Records};

/// Longest string that Kafka reads or writes, in bytes, in the compact form too.
pub(crate) const MAX_STRING: usize = i16::MAX as usize;

/// Reads values of type `Self` in one version of the message they are part of.
pub trait Decode<'a>: Sized {
    /// Reads a value that borrows its text and bytes from the decoder's buffer.
    ///
    /// # Errors
    /// Any [`DecodeError`]; the decoder's position is then undefined.
    fn decode(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError>;
}

/// A position in a buffer, and the primitive types that can be read there.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    buffer: &'a [u8],
    position: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte of `buffer`.
    pub fn new(buffer: &'a [u8]) -> Self {
        Self { buffer, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.buffer.len() - self.position
    }

    /// The bytes not read yet; reading goes on before them.
    pub fn rest(&self) -> &'a [u8] {
        &self.buffer[self.position..]
    }

    /// Checks that everything was read.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if not.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(DecodeError::TrailingBytes { at: self.position, remaining }),
        }
    }

    /// Reads the next `length` bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.rest();
        let Some(bytes) = rest.get(..length) else {
            return Err(DecodeError::Truncated { at: self.position, needed: length, remaining: rest.len() });
        };
        self.position += length;
        Ok(bytes)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.rest().first_chunk::<N>() else {
            return Err(DecodeError::Truncated { at: self.position, needed: N, remaining: self.remaining() });
        };
        self.position += N;
        Ok(*bytes)
    }

    /// Reads a boolean: one byte, 0 is false.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], as for all types of fixed size.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Reads an `int8`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array_of().map(i8::from_be_bytes)
    }

    /// Reads an `int16`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array_of().map(i16::from_be_bytes)
    }

    /// Reads a `uint16`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array_of().map(u16::from_be_bytes)
    }

    /// Reads an `int32`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array_of().map(i32::from_be_bytes)
    }

    /// Reads a `uint32`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array_of().map(u32::from_be_bytes)
    }

    /// Reads an `int64`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array_of().map(i64::from_be_bytes)
    }

    /// Reads a `float64`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array_of().map(f64::from_be_bytes)
    }

    /// Reads a `uuid`: 16 bytes, most significant first; all zero stands for "none".
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.array_of().map(Uuid::from_bytes)
    }

    /// Reads an unsigned varint of up to 5 bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::InvalidVarint`].
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let at = self.position;
        u32::try_from(self.base_128(5)?).map_err(|_| DecodeError::InvalidVarint { at })
    }

    /// Reads a zigzag varint (`varint` of the record format) of up to 5 bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::InvalidVarint`].
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// Reads a zigzag varlong (`varlong` of the record format) of up to 10 bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::InvalidVarint`].
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let raw = self.base_128(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn base_128(&mut self, max_bytes: usize) -> Result<u64, DecodeError> {
        let at = self.position;
        let mut value = 0_u64;
        for index in 0..max_bytes {
            let byte = self.array_of::<1>()?[0];
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index;
            if shift == 63 && bits > 1 {
                return Err(DecodeError::InvalidVarint { at });
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::InvalidVarint { at })
    }

    /// Reads a length in the compact form (unsigned varint of length + 1), if there is one.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let raw = self.unsigned_varint()?;
        if raw > i32::MAX.cast_unsigned() {
            return Err(DecodeError::InvalidLength { at: self.position, length: i64::from(raw) - 1 });
        }
        Ok(raw.checked_sub(1).map(|length| length as usize))
    }

    fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if !flexible {
            return Ok(usize::try_from(self.i16()?).ok());
        }
        match self.compact_length()? {
            Some(length) if length > MAX_STRING => {
                Err(DecodeError::InvalidLength { at: self.position, length: length as i64 })
            }
            length => Ok(length),
        }
    }

    fn bytes_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_length() } else { Ok(usize::try_from(self.i32()?).ok()) }
    }

    fn null(&self) -> DecodeError {
        DecodeError::UnexpectedNull { at: self.position }
    }

    /// Reads a `string`; `flexible` selects the compact form.
    ///
    /// # Errors
    /// [`DecodeError`] for a truncated, too long or null string.
    pub fn string(&mut self, flexible: bool) -> Result<Cow<'a, str>, DecodeError> {
        self.nullable_string(false, flexible)?.ok_or_else(|| self.null())
    }

    /// Reads a nullable `string`; null is an error unless `nullable`.
    ///
    /// # Errors
    /// [`DecodeError`] for a truncated, too long or null string.
    pub fn nullable_string(&mut self, nullable: bool, flexible: bool) -> Result<Option<Cow<'a, str>>, DecodeError> {
        match self.string_length(flexible)? {
            Some(length) => Ok(Some(String::from_utf8_lossy(self.raw(length)?))),
            None if nullable => Ok(None),
            None => Err(self.null()),
        }
    }

    /// Reads `bytes`; `flexible` selects the compact form.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated or null bytes.
    pub fn bytes(&mut self, flexible: bool) -> Result<Cow<'a, [u8]>, DecodeError> {
        self.nullable_bytes(false, flexible)?.ok_or_else(|| self.null())
    }

    /// Reads nullable `bytes`; null is an error unless `nullable`.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated or null bytes.
    pub fn nullable_bytes(&mut self, nullable: bool, flexible: bool) -> Result<Option<Cow<'a, [u8]>>, DecodeError> {
        match self.bytes_length(flexible)? {
            Some(length) => Ok(Some(Cow::Borrowed(self.raw(length)?))),
            None if nullable => Ok(None),
            None => Err(self.null()),
        }
    }

    /// Reads `records`, which are framed as bytes; null is an error unless `nullable`.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated or null records. What is in them is not looked at.
    pub fn records(&mut self, nullable: bool, flexible: bool) -> Result<Option<Records<'a>>, DecodeError> {
        Ok(self.nullable_bytes(nullable, flexible)?.map(Records::Bytes))
    }

    /// Reads an array whose elements take at least `min_size` bytes each.
    ///
    /// # Errors
    /// [`DecodeError`] for a null array, a count that the bytes left cannot hold, or an element that is wrong.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        min_size: usize,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(false, flexible, min_size, element)?.ok_or_else(|| self.null())
    }

    /// Reads a nullable array whose elements take at least `min_size` bytes each; null is an error unless `nullable`.
    ///
    /// # Errors
    /// As [`Self::array`].
    pub fn nullable_array<T>(
        &mut self,
        nullable: bool,
        flexible: bool,
        min_size: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count(nullable, flexible, min_size)? else { return Ok(None) };
        let mut elements = Vec::with_capacity(self.justified_capacity(count, size_of::<T>()));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// Reads an array of structs; see [`Self::array`].
    ///
    /// # Errors
    /// As [`Self::array`].
    pub fn structs<T: Decode<'a>>(
        &mut self,
        version: i16,
        flexible: bool,
        min_size: usize,
    ) -> Result<Vec<T>, DecodeError> {
        self.array(flexible, min_size, |decoder| T::decode(decoder, version))
    }

    /// Reads a nullable array of structs; see [`Self::nullable_array`].
    ///
    /// # Errors
    /// As [`Self::array`].
    pub fn nullable_structs<T: Decode<'a>>(
        &mut self,
        version: i16,
        nullable: bool,
        flexible: bool,
        min_size: usize,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        self.nullable_array(nullable, flexible, min_size, |decoder| T::decode(decoder, version))
    }

    /// Reads a nullable struct: a byte that is negative for null, then the struct. Null is an error unless `nullable`.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedNull`], or what the struct's fields give.
    pub fn nullable_struct<T: Decode<'a>>(&mut self, version: i16, nullable: bool) -> Result<Option<T>, DecodeError> {
        if self.i8()? >= 0 {
            return T::decode(self, version).map(Some);
        }
        if nullable { Ok(None) } else { Err(self.null()) }
    }

    /// Reads a nullable struct that is a tagged field: an unsigned varint that is 0 for null, then the struct.
    ///
    /// # Errors
    /// As [`Self::nullable_struct`].
    pub fn tagged_struct<T: Decode<'a>>(&mut self, version: i16, nullable: bool) -> Result<Option<T>, DecodeError> {
        if self.unsigned_varint()? > 0 {
            return T::decode(self, version).map(Some);
        }
        if nullable { Ok(None) } else { Err(self.null()) }
    }

    fn count(&mut self, nullable: bool, flexible: bool, min_size: usize) -> Result<Option<usize>, DecodeError> {
        match self.bytes_length(flexible)? {
            Some(count) if count > self.remaining() / min_size.max(1) => {
                Err(DecodeError::ImpossibleCount { at: self.position, count, remaining: self.remaining() })
            }
            None if !nullable => Err(self.null()),
            count => Ok(count),
        }
    }

    /// Elements to make room for at once: no more memory than bytes are left. Elements are larger in memory than on the
    /// wire, so that the vector grows later only by what was really there.
    fn justified_capacity(&self, count: usize, size: usize) -> usize {
        count.min(self.remaining() / size.max(1) + 1)
    }

    /// Reads the tagged fields at the end of a struct if the version has them, and keeps them all.
    ///
    /// # Errors
    /// As [`Self::tagged_fields`].
    pub fn unknown_tagged_fields(&mut self, flexible: bool) -> Result<Vec<RawTaggedField>, DecodeError> {
        if flexible { self.tagged_fields(|_, _| Ok(false)) } else { Ok(Vec::new()) }
    }

    /// Reads the tagged fields at the end of a struct. `known` reads the value of a tag it knows and returns true; fields
    /// for which it returns false are kept as they are.
    ///
    /// # Errors
    /// [`DecodeError`] for truncated fields, a value that does not fill the size announced, or what `known` gives.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<Vec<RawTaggedField>, DecodeError> {
        let mut unknown = Vec::new();
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()? as usize;
            let start = self.position;
            let data = self.raw(size)?;
            let mut field = Decoder { buffer: &self.buffer[..self.position], position: start };
            if !known(tag, &mut field)? {
                unknown.push(RawTaggedField { tag, data: data.to_vec() });
            } else if field.remaining() > 0 {
                return Err(DecodeError::TaggedFieldSize { at: field.position, tag, unread: field.remaining() });
            }
        }
        Ok(unknown)
    }
}
