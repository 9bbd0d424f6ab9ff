//! Names of record headers. A header's value is UTF-8 text.

use thiserror::Error;

/// URL as it was asked for.
pub const URL: &str = "url";
/// URL the page came from after redirects.
pub const FINAL_URL: &str = "final_url";
/// When the page was fetched, RFC 3339.
pub const FETCHED_AT: &str = "fetched_at";
/// HTTP status, decimal; missing for pages that came from a file.
pub const HTTP_STATUS: &str = "http_status";
/// The `Content-Type` as the server sent it.
pub const CONTENT_TYPE: &str = "content_type";
/// Character set from the `Content-Type`, when it named one.
pub const CHARSET: &str = "charset";
/// The page's entity tag, with its quotes.
pub const ETAG: &str = "etag";
/// W3C trace context, `00-<trace id>-<span id>-<flags>`.
pub const TRACEPARENT: &str = "traceparent";
/// Name and version of the value's schema, `ParsedRecipe/1`.
pub const SCHEMA: &str = "schema";
/// Identity of an alert: two records with the same one tell of the same crossing.
pub const ALERT_ID: &str = "alert_id";
/// Why the record was given up.
pub const DEAD_REASON: &str = "dead.reason";
/// Topic the record was read from.
pub const DEAD_TOPIC: &str = "dead.topic";
/// Partition the record was read from.
pub const DEAD_PARTITION: &str = "dead.partition";
/// Offset the record was read at.
pub const DEAD_OFFSET: &str = "dead.offset";
/// How many times it was tried.
pub const DEAD_ATTEMPTS: &str = "dead.attempts";
/// When it was given up, RFC 3339.
pub const DEAD_AT: &str = "dead.at";
/// Group that gave it up.
pub const DEAD_GROUP: &str = "dead.group";
/// Group that a replayed record is for; other groups pass it by.
pub const REPLAY_GROUP: &str = "replay.group";

/// A header that is missing or does not say what its name promises.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A header the reader cannot do without.
    #[error("header `{0}` is missing")]
    Missing(&'static str),
    /// A header whose value cannot be read.
    #[error("header `{name}` is {value:?}; expected {expected}")]
    Invalid {
        /// The header's name.
        name: &'static str,
        /// Its value, made readable.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// The last header called `name`, as Kafka's `Headers.lastHeader` takes it.
pub(crate) fn last<'a>(headers: &[(&str, &'a [u8])], name: &str) -> Option<&'a [u8]> {
    headers.iter().rev().find(|(header, _)| *header == name).map(|(_, value)| *value)
}

/// The last header called `name`, as text.
pub(crate) fn text(headers: &[(&str, &[u8])], name: &'static str) -> Result<Option<String>, HeaderError> {
    let Some(value) = last(headers, name) else { return Ok(None) };
    match std::str::from_utf8(value) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(HeaderError::Invalid {
            name,
            value: String::from_utf8_lossy(value).into_owned(),
            expected: "text in UTF-8",
        }),
    }
}

/// The last header called `name`, parsed.
pub(crate) fn parsed<T: std::str::FromStr>(
    headers: &[(&str, &[u8])],
    name: &'static str,
    expected: &'static str,
) -> Result<Option<T>, HeaderError> {
    let Some(value) = text(headers, name)? else { return Ok(None) };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(_) => Err(HeaderError::Invalid { name, value, expected }),
    }
}
