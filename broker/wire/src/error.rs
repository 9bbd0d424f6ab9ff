//! Errors of decoding and encoding.

/// Bytes that are no valid message of the version asked for.
///
/// `at` is the position in the decoder's buffer, in bytes from its start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The buffer ends inside a value.
    #[error("truncated at byte {at}: {needed} bytes needed, {remaining} left")]
    Truncated {
        /// Position of the value.
        at: usize,
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are there.
        remaining: usize,
    },
    /// A variable-length integer that goes on for too long or does not fit its type.
    #[error("invalid variable-length integer at byte {at}")]
    InvalidVarint {
        /// Position of the integer.
        at: usize,
    },
    /// A length that no value of the type can have.
    #[error("invalid length {length} at byte {at}")]
    InvalidLength {
        /// Position after the length.
        at: usize,
        /// The length as read.
        length: i64,
    },
    /// An array that claims more elements than the bytes left can hold.
    #[error("array of {count} elements at byte {at}, but only {remaining} bytes are left")]
    ImpossibleCount {
        /// Position after the count.
        at: usize,
        /// Elements claimed.
        count: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// Null where the version does not allow it.
    #[error("null at byte {at}, where the version does not allow it")]
    UnexpectedNull {
        /// Position after the null marker.
        at: usize,
    },
    /// A known tagged field whose value does not fill the size it announces.
    #[error("tagged field {tag} ending at byte {at} is {unread} bytes shorter than its size says")]
    TaggedFieldSize {
        /// Position after the field's value.
        at: usize,
        /// The tag.
        tag: u32,
        /// Announced bytes that the value did not use.
        unread: usize,
    },
    /// A version outside the ones that this library knows.
    #[error("version {version} of {message} is not known; {min} to {max} are")]
    UnsupportedVersion {
        /// Name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
        /// Lowest version known.
        min: i16,
        /// Highest version known.
        max: i16,
    },
    /// A request for an API that this library does not know.
    #[error("API key {0} is not known")]
    UnknownApiKey(i16),
    /// A record whose type is not known: a coordinator's key or a metadata record.
    #[error("{kind} type {id} is not known")]
    UnknownRecordType {
        /// What kind of record.
        kind: &'static str,
        /// The type's number.
        id: i32,
    },
    /// A metadata record frame of another version.
    #[error("metadata record frame version {0} is not known; only 1 is")]
    UnknownFrameVersion(u32),
    /// Bytes after the end of the message.
    #[error("{remaining} bytes follow the message that ends at byte {at}")]
    TrailingBytes {
        /// Position of the first of them.
        at: usize,
        /// How many they are.
        remaining: usize,
    },
}

/// A message that cannot be written in the version asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A field has a value, but the version has no such field and it may not be dropped.
    #[error("field {field} is set, but version {version} does not have it: leave it at its default")]
    UnsupportedField {
        /// Name of the field.
        field: &'static str,
        /// Version of the message.
        version: i16,
    },
    /// A field is null, and the version does not allow it.
    #[error("field {field} is null, which version {version} does not allow")]
    UnexpectedNull {
        /// Name of the field.
        field: &'static str,
        /// Version of the message.
        version: i16,
    },
    /// A string of more than 32,767 bytes, or bytes or an array of more than 2^31 - 1.
    #[error("field {field} is too long to be written: {length}")]
    TooLong {
        /// Name of the field.
        field: &'static str,
        /// Bytes of the string or elements of the array.
        length: usize,
    },
    /// Unknown tagged fields that are not in ascending order, or that repeat a field known in this version.
    #[error("unknown tagged field {tag} is out of order")]
    TagOrder {
        /// The tag in the wrong place.
        tag: u32,
    },
    /// A version outside the ones that this library knows.
    #[error("version {version} of {message} is not known; {min} to {max} are")]
    UnsupportedVersion {
        /// Name of the message.
        message: &'static str,
        /// The version asked for.
        version: i16,
        /// Lowest version known.
        min: i16,
        /// Highest version known.
        max: i16,
    },
    /// Records that stand in a file, in a place where the bytes themselves are needed.
    #[error("external records cannot be written here: read them into memory first")]
    ExternalRecords,
}
