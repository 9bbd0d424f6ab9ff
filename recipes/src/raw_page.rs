//! The headers of a fetched page.

use time::OffsetDateTime;

use crate::headers::{self, HeaderError};
use crate::stamp;

/// What is known of a page, as it travels in the headers of `raw_recipes`. The value is the body as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPage {
    /// URL as it was asked for.
    pub url: String,
    /// URL the page came from after redirects; the same as `url` without any.
    pub final_url: String,
    /// When it was fetched.
    pub fetched_at: OffsetDateTime,
    /// HTTP status; none for pages that came from a file.
    pub http_status: Option<u16>,
    /// The `Content-Type` as the server sent it.
    pub content_type: Option<String>,
    /// Character set from the `Content-Type`, when it named one.
    pub charset: Option<String>,
    /// Entity tag with its quotes.
    pub etag: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl RawPage {
    /// The page's headers. What is unknown is left out.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let always = [
            Some((headers::URL, self.url.clone())),
            Some((headers::FINAL_URL, self.final_url.clone())),
            stamp::to_text(self.fetched_at).map(|at| (headers::FETCHED_AT, at)),
            self.http_status.map(|status| (headers::HTTP_STATUS, status.to_string())),
        ];
        let maybe = [
            (headers::CONTENT_TYPE, &self.content_type),
            (headers::CHARSET, &self.charset),
            (headers::ETAG, &self.etag),
            (headers::TRACEPARENT, &self.traceparent),
        ];
        let maybe = maybe.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        always.into_iter().flatten().chain(maybe).collect()
    }

    /// Reads the headers of a record; the last of each name counts.
    ///
    /// # Errors
    /// `url` is missing, or a header is not what its name says. Without `final_url` it is the same as `url`, without
    /// `fetched_at` it is `record_time`, so that pages written by the tutorial's producer plus a `url` can be read.
    pub fn from_headers(pairs: &[(&str, &[u8])], record_time: OffsetDateTime) -> Result<Self, HeaderError> {
        let url = headers::text(pairs, headers::URL)?.ok_or(HeaderError::Missing(headers::URL))?;
        let fetched_at = match headers::text(pairs, headers::FETCHED_AT)? {
            None => record_time,
            Some(value) => stamp::from_text(&value).ok_or(HeaderError::Invalid {
                name: headers::FETCHED_AT,
                value,
                expected: "a time as in RFC 3339",
            })?,
        };
        Ok(Self {
            final_url: headers::text(pairs, headers::FINAL_URL)?.unwrap_or_else(|| url.clone()),
            url,
            fetched_at,
            http_status: headers::parsed(pairs, headers::HTTP_STATUS, "an HTTP status as a decimal number")?,
            content_type: headers::text(pairs, headers::CONTENT_TYPE)?,
            charset: headers::text(pairs, headers::CHARSET)?,
            etag: headers::text(pairs, headers::ETAG)?,
            traceparent: headers::text(pairs, headers::TRACEPARENT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn page() -> RawPage {
        RawPage {
            url: "http://a.example/r".to_owned(),
            final_url: "https://a.example/r".to_owned(),
            fetched_at: datetime!(2026-11-20 13:30:00.125 UTC),
            http_status: Some(200),
            content_type: Some("text/html; charset=utf-8".to_owned()),
            charset: Some("utf-8".to_owned()),
            etag: Some("\"abc\"".to_owned()),
            traceparent: None,
        }
    }

    fn pairs(headers: &[(&'static str, String)]) -> Vec<(&'static str, Vec<u8>)> {
        headers.iter().map(|(name, value)| (*name, value.clone().into_bytes())).collect()
    }

    #[test]
    fn headers_read_back_as_written() {
        let owned = pairs(&page().headers());
        let pairs: Vec<(&str, &[u8])> = owned.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(RawPage::from_headers(&pairs, OffsetDateTime::UNIX_EPOCH), Ok(page()));
    }

    #[test]
    fn url_is_needed_and_the_rest_has_defaults() {
        assert_eq!(RawPage::from_headers(&[], OffsetDateTime::UNIX_EPOCH), Err(HeaderError::Missing(headers::URL)));
        let page = RawPage::from_headers(&[("url", b"http://a.example/")], OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!((&*page.final_url, page.fetched_at), ("http://a.example/", OffsetDateTime::UNIX_EPOCH));
    }

    #[test]
    fn wrong_headers_are_named() {
        let error = RawPage::from_headers(&[("url", b"u"), ("http_status", b"ok")], OffsetDateTime::UNIX_EPOCH);
        assert_eq!(
            error.unwrap_err().to_string(),
            "header `http_status` is \"ok\"; expected an HTTP status as a decimal number"
        );
    }
}
