//! What the producer knows of a URL.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::read::{self, ReadError};
use crate::stamp;

/// Value of `crawl_urls`; the key is the URL. A record without value (a tombstone) forgets the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrawlState {
    /// Name or address of the source the URL was found in.
    #[serde(default)]
    pub source: String,
    /// Links followed from the source to this URL.
    #[serde(default)]
    pub depth: u32,
    /// Entity tag of the last answer, with its quotes, for `If-None-Match`.
    #[serde(default)]
    pub etag: Option<String>,
    /// `Last-Modified` of the last answer as the server wrote it, for `If-Modified-Since`.
    #[serde(default)]
    pub last_modified: Option<String>,
    /// SHA-256 of the last body published, in hex: an unchanged page is not published again.
    #[serde(default)]
    pub content_sha256: Option<String>,
    /// Key on `raw_recipes` of what was published, where it is not the URL itself: it was redirected, or names another
    /// address as its canonical one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_as: Option<String>,
    /// When to visit next, RFC 3339; null for never.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub next_fetch_at: Option<OffsetDateTime>,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// What the URL is fetched for: `page`, one of the source's own documents, or `robots` for a host's robots.txt,
    /// whose record keeps the host's turn when another instance takes it over.
    #[serde(default)]
    pub role: String,
    /// Seconds between the last visit and the next.
    #[serde(default)]
    pub interval_s: Option<u64>,
    /// Of a host's record: milliseconds its robots.txt asks to wait between requests.
    #[serde(default)]
    pub crawl_delay_ms: Option<u64>,
}

impl CrawlState {
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
