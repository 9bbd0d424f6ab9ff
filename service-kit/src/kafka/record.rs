//! Records in and out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use recipes::{DeadLetter, headers};
use time::OffsetDateTime;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

impl Place {
    /// A partition of a topic.
    #[must_use]
    pub fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition it came from.
    pub place: Place,
    /// Its offset there.
    pub offset: i64,
    /// Its timestamp in ms since 1970, or 0 without one.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers in order; a name may come more than once.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    pub(crate) fn read(message: &BorrowedMessage<'_>, place: Place) -> Self {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
        });
        Self {
            place,
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }

    /// The key as text; empty without a key, with U+FFFD where it is no UTF-8.
    #[must_use]
    pub fn key_text(&self) -> Cow<'_, str> {
        self.key.as_deref().map_or(Cow::Borrowed(""), String::from_utf8_lossy)
    }

    /// The headers as `recipes` reads them.
    #[must_use]
    pub fn header_pairs(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// The last header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(header, _)| header == name).map(|(_, value)| &**value)
    }

    /// Its timestamp; 1970 without one.
    #[must_use]
    pub fn time(&self) -> OffsetDateTime {
        let nanos = i128::from(self.timestamp_ms) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Bytes of key, value and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + headers
    }
}

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub(crate) topic: Cow<'static, str>,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl Output {
    /// A record for a topic, so far without key and value.
    #[must_use]
    pub fn to(topic: impl Into<Cow<'static, str>>) -> Self {
        Self { topic: topic.into(), partition: None, key: None, value: None, headers: Vec::new() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the value; a record without one is a tombstone.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Names the partition; without it the key's hash (murmur2, as Java's clients) decides.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds headers, as `recipes::RawPage::headers` gives them.
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.headers.extend(headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())));
        self
    }

    /// A dead letter, on its way back to where it was given up: as it was before, for the group that gave it up.
    #[must_use]
    pub fn replay(record: Record, letter: &DeadLetter) -> Self {
        let ours = |name: &str| DeadLetter::owns(name) || name == headers::REPLAY_GROUP;
        let kept = record.headers.into_iter().filter(|(name, _)| !ours(name));
        let mut output = Self::to(letter.topic.clone());
        output.key = record.key;
        output.value = record.value;
        output.headers = kept.map(|(name, value)| (name.into(), value)).collect();
        match letter.group.is_empty() {
            true => output,
            false => output.header(headers::REPLAY_GROUP, letter.group.clone()),
        }
    }

    /// Bytes of key, value and headers.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + headers
    }

    pub(crate) fn owned_headers(&self) -> OwnedHeaders {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        self.headers.iter().fold(empty, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }
}
