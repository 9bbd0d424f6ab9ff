//! What a producer tells of its sources.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::read::{self, ReadError};
use crate::stamp;

/// One source as one producer sees it. Value of `crawl_sources`; a record without value says that it is no longer among the
/// sources.
///
/// Producers that share their hosts each tell of their part: sums over the instances are the source's, and the newest
/// `last_success` is. A report is renewed once a minute at least while its producer lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceReport {
    /// The source's name.
    pub source: String,
    /// The producer that tells.
    pub instance: String,
    /// Its kind: `list`, `sitemap`, `feed` and so on.
    #[serde(default)]
    pub kind: String,
    /// Its web address or path.
    #[serde(default)]
    pub address: String,
    /// Pages it led to since the producer began.
    #[serde(default)]
    pub pages: u64,
    /// Pages that went to `raw_recipes`, each visit that found something new counted.
    #[serde(default)]
    pub published: u64,
    /// Visits that found nothing new.
    #[serde(default)]
    pub unchanged: u64,
    /// Pages that were given up.
    #[serde(default)]
    pub dead_letters: u64,
    /// Visits that failed, by reason.
    #[serde(default)]
    pub failures: BTreeMap<String, u64>,
    /// The last page that failed; null when none did.
    #[serde(default)]
    pub last_failure: Option<SourceFailure>,
    /// When the source itself was last read, RFC 3339.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_success: Option<OffsetDateTime>,
    /// When the source itself is visited next, RFC 3339.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub next_visit: Option<OffsetDateTime>,
    /// When this was told, RFC 3339.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub reported_at: Option<OffsetDateTime>,
}

/// A page that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFailure {
    /// Its address.
    pub url: String,
    /// Why.
    pub reason: String,
}

impl SourceReport {
    /// Key of its record.
    #[must_use]
    pub fn key(&self) -> String {
        Self::key_of(&self.instance, &self.source)
    }

    /// Key of the record of a source that an instance told of.
    #[must_use]
    pub fn key_of(instance: &str, source: &str) -> String {
        format!("{instance} {source}")
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ReadError`] says which field is wrong, and how.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        read::json(bytes)
    }

    /// The JSON that goes onto the topic.
    ///
    /// # Errors
    /// A time that has no RFC 3339 form.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }
}
