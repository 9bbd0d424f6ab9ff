//! The field type `records`: record batches, in memory or elsewhere.

use std::borrow::Cow;

/// Record batches as they are in a request or reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records<'a> {
    /// The bytes themselves.
    Bytes(Cow<'a, [u8]>),
    /// Bytes that stand elsewhere, such as in a segment file, and that the sender puts in their place.
    External {
        /// How many bytes they are.
        len: u32,
        /// What the sender knows them by; of no meaning to this library.
        id: u64,
    },
}

impl Records<'_> {
    /// How many bytes the records take.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::External { len, .. } => *len as usize,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, where they are in memory.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::External { .. } => None,
        }
    }
}

impl<'a> From<&'a [u8]> for Records<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Records<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

/// A place in an encoder's buffer where external records belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// Bytes of the buffer that come before them.
    pub position: usize,
    /// What they are known by; see [`Records::External`].
    pub id: u64,
    /// How many bytes they are.
    pub len: u32,
}

/// A tagged field that is not known in the version read, kept so that it can be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTaggedField {
    /// Its tag.
    pub tag: u32,
    /// Its value, as it came.
    pub data: Vec<u8>,
}
