//! What all messages have in common, and what is known of the APIs.

use std::ops::RangeInclusive;

use crate::{ApiKey, Decode, DecodeError, Encode, EncodeError};

/// A message with versions of its own: a request, a reply, or a record of one of Kafka's own topics.
pub trait Message: Encode {
    /// The message's name in Kafka.
    const NAME: &'static str;
    /// Lowest version known.
    const MIN_VERSION: i16;
    /// Highest version known.
    const MAX_VERSION: i16;
    /// First version with compact types and tagged fields, if there is any.
    const FLEXIBLE_SINCE: Option<i16>;

    /// Whether `version` has compact types and tagged fields.
    fn is_flexible(version: i16) -> bool {
        Self::FLEXIBLE_SINCE.is_some_and(|since| version >= since)
    }

    /// Checks that `version` can be read.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedVersion`].
    fn check_decode(version: i16) -> Result<(), DecodeError> {
        if (Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Ok(());
        }
        let (message, min, max) = (Self::NAME, Self::MIN_VERSION, Self::MAX_VERSION);
        Err(DecodeError::UnsupportedVersion { message, version, min, max })
    }

    /// Checks that `version` can be written.
    ///
    /// # Errors
    /// [`EncodeError::UnsupportedVersion`].
    fn check_encode(version: i16) -> Result<(), EncodeError> {
        if (Self::MIN_VERSION..=Self::MAX_VERSION).contains(&version) {
            return Ok(());
        }
        let (message, min, max) = (Self::NAME, Self::MIN_VERSION, Self::MAX_VERSION);
        Err(EncodeError::UnsupportedVersion { message, version, min, max })
    }
}

/// A request.
pub trait Request: Message {
    /// The API it belongs to.
    const API_KEY: ApiKey;
    /// What answers it.
    type Response<'r>: Response + Decode<'r>;
}

/// A reply.
pub trait Response: Message {
    /// The API it belongs to.
    const API_KEY: ApiKey;

    /// Tells every error code in it, its own and those of its parts; 0 where nothing failed.
    fn each_error(&self, _found: &mut dyn FnMut(i16)) {}
}

/// Where an API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// Brokers' listeners, which clients use.
    Broker,
    /// Controllers' listeners.
    Controller,
}

/// One row of the table of APIs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiInfo {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    pub(crate) unstable: bool,
    pub(crate) flexible_since: i16,
    pub(crate) listeners: &'static [Listener],
}

impl ApiKey {
    /// The number that requests carry.
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// The API's name in Kafka, such as `Fetch`.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// All versions that this library reads and writes.
    pub const fn versions(self) -> RangeInclusive<i16> {
        let info = self.info();
        info.min..=info.max
    }

    /// The versions that Kafka serves by default: all but the highest where that is not stable yet
    /// (`latestVersionUnstable` in its definition, `unstable.api.versions.enable` in a broker's settings).
    pub const fn stable_versions(self) -> RangeInclusive<i16> {
        let info = self.info();
        info.min..=info.max - info.unstable as i16
    }

    /// Whether `version` has compact types and tagged fields.
    pub const fn is_flexible(self, version: i16) -> bool {
        version >= self.info().flexible_since
    }

    /// The version of the header before requests of `version`.
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header before replies of `version`. Replies of `ApiVersions` keep the first one, so that
    /// clients can read them before they know which versions are served (KIP-511).
    pub const fn response_header_version(self, version: i16) -> i16 {
        if matches!(self, Self::ApiVersions) || !self.is_flexible(version) { 0 } else { 1 }
    }

    /// The listeners that serve the API.
    pub const fn listeners(self) -> &'static [Listener] {
        self.info().listeners
    }
}

impl TryFrom<i16> for ApiKey {
    type Error = DecodeError;

    fn try_from(key: i16) -> Result<Self, DecodeError> {
        let found = Self::ALL.binary_search_by_key(&key, |api| api.key());
        found.map(|index| Self::ALL[index]).map_err(|_| DecodeError::UnknownApiKey(key))
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
