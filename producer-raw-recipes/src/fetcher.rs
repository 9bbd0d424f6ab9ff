//! One HTTP request and its answer, with limits on everything that a server decides: time, size, compression,
//! addresses. Redirects are answers here: the crawl follows them, so that each hop waits its turn at its own host.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Response, StatusCode};
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::address::{AllowedPrivate, PrivateAddress, PublicResolver};
use crate::fetch_error::FetchError;

/// Variables that name a proxy.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// KiB of sources' documents that are in memory at once; one always fits.
const DOCUMENTS_KIB: u32 = 8 * 1024;
/// What a document counts for that does not say how long it is, in bytes.
const UNSAID: u64 = 256 * 1024;

/// Most bytes that are made room for before they come.
const MOST_EXPECTED: usize = 256 * 1024;

/// How requests are made.
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// From the request to the last byte of the answer.
    pub whole: Duration,
    /// Largest page, decompressed, in bytes.
    pub page_bytes: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(20),
            whole: Duration::from_secs(60),
            page_bytes: recipes::topics::MAX_PAGE_BYTES,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Entity tag of the copy at hand.
    pub etag: Option<String>,
    /// Last-Modified of the copy at hand.
    pub last_modified: Option<String>,
    /// Headers of the source.
    pub headers: Vec<(String, String)>,
}

/// Which body is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A web page: anything else is refused by its content type, before its body is read.
    Html,
    /// Any type; an error above the limit.
    Any {
        /// Bytes.
        limit: usize,
    },
    /// Any type; what is beyond the limit is cut off.
    Prefix {
        /// Bytes.
        limit: usize,
    },
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A body.
    Document(Document),
    /// The copy at hand is current (304).
    NotModified,
    /// It is elsewhere.
    Redirect(Url),
}

/// A body with what the server said of it.
#[derive(Debug, Clone)]
pub struct Document {
    /// The bytes after decompression.
    pub body: Bytes,
    /// HTTP status.
    pub status: u16,
    /// Content-Type as it came.
    pub content_type: Option<String>,
    /// ETag as it came.
    pub etag: Option<String>,
    /// Last-Modified as it came.
    pub last_modified: Option<String>,
    /// When the answer was complete.
    pub fetched_at: OffsetDateTime,
    /// Its part of what documents of sources may take in memory, until the last copy is dropped.
    pub held: Option<Arc<OwnedSemaphorePermit>>,
}

/// Makes requests.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// Through the environment's proxies, if there are any.
    client: Client,
    /// Straight to the host, for this machine's own names.
    direct: Client,
    through_proxy: bool,
    allowed: AllowedPrivate,
    limits: FetchLimits,
    /// KiB of sources' own documents that may be in memory: each leads to many links, which take several times as much.
    documents: Arc<Semaphore>,
}

impl Fetcher {
    /// A fetcher that calls itself `user_agent`.
    ///
    /// # Errors
    /// A user agent that is no header value, or TLS that cannot be set up.
    pub fn new(user_agent: &str, limits: FetchLimits, allowed: AllowedPrivate) -> Result<Self, reqwest::Error> {
        // Fails where the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let proxies: Vec<String> = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok()).collect();
        let proxies: Vec<String> = proxies.into_iter().filter(|proxy| !proxy.is_empty()).collect();
        let builder = |resolver: PublicResolver| {
            Client::builder()
                .user_agent(user_agent)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(limits.connect)
                .pool_max_idle_per_host(2)
                .pool_idle_timeout(Duration::from_secs(15))
                .default_headers(HeaderMap::from_iter([(
                    header::ACCEPT,
                    HeaderValue::from_static("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5"),
                )]))
                .dns_resolver(resolver)
        };
        let builder = |resolver: PublicResolver| match has_certificates() {
            true => builder(resolver),
            false => builder(resolver).tls_certs_only(mozillas_certificates()),
        };
        let direct = builder(PublicResolver { allowed: allowed.clone() }).no_proxy().build()?;
        let client = if proxies.is_empty() {
            direct.clone()
        } else {
            // With a proxy the only name resolved here is the proxy's own, which the operator trusts.
            builder(PublicResolver { allowed: AllowedPrivate::new(&["*".to_owned()]) }).build()?
        };
        let documents = Arc::new(Semaphore::new(DOCUMENTS_KIB as usize));
        Ok(Self { client, direct, through_proxy: !proxies.is_empty(), allowed, limits, documents })
    }

    /// Asks for a URL.
    ///
    /// # Errors
    /// Anything but a success, a redirect or a 304 is an error with its reason. Cancellation-safe: dropping the future
    /// closes the connection.
    pub async fn fetch(&self, url: &Url, conditions: &Conditions, want: Want) -> Result<Answer, FetchError> {
        self.allowed.check(url)?;
        let start = Instant::now();
        let client = if self.through_proxy && !is_local(url) { &self.client } else { &self.direct };
        let request = client.get(url.clone()).headers(self.headers(conditions));
        let limit = self.limits.first_byte;
        let response = match timeout_at(start + limit, request.send()).await {
            Ok(response) => response.map_err(|error| self.classify(&error))?,
            Err(_) => return Err(FetchError::Timeout { what: "first byte", limit }),
        };
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer::NotModified);
        }
        if response.status().is_redirection() {
            return redirect(url, &response);
        }
        if response.status() != StatusCode::OK {
            let retry_after = field(&response, header::RETRY_AFTER).and_then(|value| retry_after(&value));
            return Err(FetchError::Status { status: response.status().as_u16(), retry_after });
        }
        self.read(response, start.elapsed(), want).await.map(Answer::Document)
    }

    fn headers(&self, conditions: &Conditions) -> HeaderMap {
        let own = [
            (header::IF_NONE_MATCH, conditions.etag.as_deref()),
            (header::IF_MODIFIED_SINCE, conditions.last_modified.as_deref()),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value?).ok()?)));
        let of_source = conditions.headers.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        of_source.chain(own).collect()
    }

    async fn read(&self, mut response: Response, spent: Duration, want: Want) -> Result<Document, FetchError> {
        let content_type = field(&response, header::CONTENT_TYPE);
        let (limit, cut) = match want {
            Want::Html => (self.limits.page_bytes, false),
            Want::Any { limit } => (limit, false),
            Want::Prefix { limit } => (limit, true),
        };
        if want == Want::Html && content_type.as_deref().is_some_and(|kind| !is_html(kind)) {
            return Err(FetchError::NotHtml(content_type.unwrap_or_default()));
        }
        let too_large = FetchError::TooLarge { limit };
        if !cut && response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large);
        }
        let held = match want {
            Want::Any { .. } => self.hold(response.content_length()).await.map(Arc::new),
            Want::Html | Want::Prefix { .. } => None,
        };
        // Waiting for room is not the server's fault.
        let deadline = Instant::now() + self.limits.whole.saturating_sub(spent);
        let mut document = Document {
            held,
            body: Bytes::new(),
            status: response.status().as_u16(),
            etag: field(&response, header::ETAG),
            last_modified: field(&response, header::LAST_MODIFIED),
            content_type,
            fetched_at: OffsetDateTime::now_utc(),
        };
        // As much as the server says, so that it is not copied as it grows; a liar gets no more than a page.
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = BytesMut::with_capacity(expected.min(limit).min(MOST_EXPECTED));
        loop {
            let chunk = match timeout_at(deadline, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| self.classify(&error))?,
                Err(_) => return Err(FetchError::Timeout { what: "end of the body", limit: self.limits.whole }),
            };
            let Some(chunk) = chunk else { break };
            if body.len() + chunk.len() > limit {
                if !cut {
                    return Err(too_large);
                }
                body.extend_from_slice(&chunk[..limit - body.len()]);
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if want == Want::Html && document.content_type.is_none() && !looks_like_html(&body) {
            return Err(FetchError::NotHtml("no content type".to_owned()));
        }
        document.body = body.freeze();
        document.fetched_at = OffsetDateTime::now_utc();
        Ok(document)
    }

    /// Waits for room for a document of a source. What does not say how long it is counts as a middling one.
    async fn hold(&self, length: Option<u64>) -> Option<OwnedSemaphorePermit> {
        let kib = length.unwrap_or(UNSAID).div_ceil(1024).clamp(1, DOCUMENTS_KIB.into());
        let kib = u32::try_from(kib).unwrap_or(DOCUMENTS_KIB);
        // The semaphore is never closed.
        Arc::clone(&self.documents).acquire_many_owned(kib).await.ok()
    }

    fn classify(&self, error: &reqwest::Error) -> FetchError {
        let mut causes = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = next {
            if let Some(private) = cause.downcast_ref::<PrivateAddress>() {
                return FetchError::Private(private.clone());
            }
            causes.push(cause);
            next = cause.source();
        }
        // The innermost cause says most; those around it repeat the URL.
        let reason = causes.last().map(ToString::to_string).unwrap_or_default();
        if error.is_timeout() {
            return FetchError::Timeout { what: "connection", limit: self.limits.connect };
        }
        if error.is_connect() {
            let dns = causes.iter().any(|cause| cause.to_string().contains("dns error"));
            return if dns { FetchError::Dns(reason) } else { FetchError::Connect(reason) };
        }
        FetchError::Broken(reason)
    }
}

/// Whether the system has certificates of authorities. Small container images have none, and a client that is told to
/// trust the system's would not even start there.
fn has_certificates() -> bool {
    Client::builder().no_proxy().build().is_ok()
}

/// Mozilla's list, as it was when this program was built.
fn mozillas_certificates() -> Vec<Certificate> {
    tracing::info!("no certificates on this system; trusting the list of Mozilla's authorities that is built in");
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn field(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

fn redirect(url: &Url, response: &Response) -> Result<Answer, FetchError> {
    let location = field(response, header::LOCATION).unwrap_or_default();
    let target = url.join(&location).ok().filter(|_| !location.is_empty());
    let target = target.filter(|target| matches!(target.scheme(), "http" | "https") && target.has_host());
    target.map(Answer::Redirect).ok_or(FetchError::BadRedirect(location))
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

fn is_html(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|html| kind.eq_ignore_ascii_case(html))
}

/// Whether a body without a content type begins as markup does.
fn looks_like_html(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    text.first() == Some(&b'<') && text.get(1).is_some_and(|byte| byte.is_ascii_alphabetic() || b"!?".contains(byte))
}

/// The character set a Content-Type names.
#[must_use]
pub fn charset(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| parameter.split_once('='));
    let (_, value) = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    let value = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charset_is_read_as_servers_write_it() {
        assert_eq!(charset("text/html; Charset=\"UTF-8\""), Some("utf-8".to_owned()));
        assert_eq!(charset("text/html;boundary=x; charset=windows-1252 "), Some("windows-1252".to_owned()));
        assert_eq!(charset("text/html; charset="), None);
        assert_eq!(charset("text/html"), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
        let soon = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(3600));
        assert!(retry_after(&soon).unwrap() > Duration::from_secs(3500));
    }

    #[test]
    fn only_markup_passes_for_html() {
        assert!(is_html("Text/HTML; charset=x") && is_html("application/xhtml+xml") && !is_html("application/pdf"));
        assert!(looks_like_html(b"\n <!doctype html>") && looks_like_html(b"\xEF\xBB\xBF<html>"));
        assert!(!looks_like_html(b"%PDF-1.7") && !looks_like_html(b"< 5") && !looks_like_html(b""));
    }
}
