//! One answer: a body with its validators, sent whole, gzipped, or not at all (304), as the request asks for.

use std::io::Write;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use flate2::{Compression, Crc, write::GzEncoder};
use time::OffsetDateTime;

/// A body and what describes it.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Content-Type.
    pub content_type: String,
    /// The bytes, not compressed for transfer.
    pub body: Vec<u8>,
    /// Time of the last change.
    pub modified: OffsetDateTime,
}

impl Document {
    /// A strong validator: the same bytes have the same tag in every process.
    pub fn etag(&self) -> String {
        let mut crc = Crc::new();
        crc.update(&self.body);
        format!("\"{:08x}-{:x}\"", crc.sum(), self.body.len())
    }

    /// Answers a GET by RFC 9110: 304 where the client's copy is current (If-None-Match goes before
    /// If-Modified-Since), gzip where it is welcome.
    pub fn answer(self, request: &HeaderMap) -> Response<Body> {
        let etag = self.etag();
        let modified = httpdate::fmt_http_date(self.modified.into());
        if self.is_current(request, &etag) {
            let head =
                [(header::ETAG, etag), (header::LAST_MODIFIED, modified), (header::VARY, "accept-encoding".into())];
            return response(StatusCode::NOT_MODIFIED, head, Body::empty());
        }
        let mut head = vec![
            (header::CONTENT_TYPE, self.content_type.clone()),
            (header::ETAG, etag),
            (header::LAST_MODIFIED, modified),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
            (header::VARY, "accept-encoding".to_owned()),
        ];
        if !accepts_gzip(request) {
            return response(StatusCode::OK, head, Body::from(self.body));
        }
        head.push((header::CONTENT_ENCODING, "gzip".to_owned()));
        match gzip(&self.body) {
            Ok(body) => response(StatusCode::OK, head, Body::from(body)),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn is_current(&self, request: &HeaderMap, etag: &str) -> bool {
        let field = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if let Some(tags) = field(header::IF_NONE_MATCH) {
            return names_tag(tags, etag);
        }
        let since = field(header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
        since.is_some_and(|since| OffsetDateTime::from(since) >= self.modified)
    }
}

/// Whether an If-None-Match field names this tag, by the weak comparison.
pub(crate) fn names_tag(field: &str, etag: &str) -> bool {
    field.trim() == "*" || field.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

/// Compresses for a `.gz` file or for transfer.
pub(crate) fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// A short plain text answer.
pub(crate) fn text(status: StatusCode, message: &str) -> Response<Body> {
    response(
        status,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned())],
        Body::from(format!("{message}\n")),
    )
}

fn response(status: StatusCode, head: impl IntoIterator<Item = (HeaderName, String)>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in head {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether Accept-Encoding names gzip with a weight above zero.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let fields = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|weight| weight.parse() == Ok(0.0_f32));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use time::macros::datetime;

    fn document() -> Document {
        Document {
            content_type: "text/html".into(),
            body: b"<p>plums</p>".to_vec(),
            modified: datetime!(2026-01-05 00:00 UTC),
        }
    }

    fn answer(fields: &[(HeaderName, &str)]) -> Response<Body> {
        let mut request = HeaderMap::new();
        for (name, value) in fields {
            request.insert(name, HeaderValue::from_str(value).unwrap());
        }
        document().answer(&request)
    }

    #[test]
    fn a_current_copy_is_not_sent_again() {
        let etag = document().etag();
        let weak = format!("\"other\", W/{etag}");
        assert_eq!(answer(&[(header::IF_NONE_MATCH, &weak)]).status(), StatusCode::NOT_MODIFIED);
        let later = "Tue, 06 Jan 2026 00:00:00 GMT";
        assert_eq!(answer(&[(header::IF_MODIFIED_SINCE, later)]).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn if_none_match_goes_before_if_modified_since() {
        let later = "Tue, 06 Jan 2026 00:00:00 GMT";
        let fields = [(header::IF_NONE_MATCH, "\"other\""), (header::IF_MODIFIED_SINCE, later)];
        assert_eq!(answer(&fields).status(), StatusCode::OK);
    }

    #[test]
    fn gzip_only_where_it_is_welcome() {
        assert!(answer(&[]).headers().get(header::CONTENT_ENCODING).is_none());
        assert!(answer(&[(header::ACCEPT_ENCODING, "gzip;q=0, br")]).headers().get(header::CONTENT_ENCODING).is_none());
        assert!(
            answer(&[(header::ACCEPT_ENCODING, "br, gzip;q=0.5")]).headers().get(header::CONTENT_ENCODING).is_some()
        );
        let mut text = String::new();
        flate2::read::GzDecoder::new(&gzip(b"plums").unwrap()[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "plums");
    }
}
