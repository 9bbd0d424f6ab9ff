//! Why a page was not fetched.

use std::time::Duration;

use crate::address::PrivateAddress;

/// One failed fetch. Its text tells the operator what happened; its label counts it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// robots.txt forbids it.
    #[error("robots.txt forbids it")]
    Disallowed,
    /// robots.txt could not be read, which forbids everything (RFC 9309 section 2.3.1.4).
    #[error("robots.txt cannot be read, so nothing may be fetched: {0}")]
    RobotsUnreachable(String),
    /// The host is being left alone after failures.
    #[error("the host failed too often and is left alone for a while")]
    CircuitOpen,
    /// The host is private.
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    /// The name has no address.
    #[error("the host's name cannot be resolved: {0}")]
    Dns(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// A time limit passed.
    #[error("no {what} within {limit:?}")]
    Timeout {
        /// What did not come.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The body, after decompression, is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke, the length was wrong, the compression broken, or it was no HTTP at all.
    #[error("the answer broke off or makes no sense: {0}")]
    Broken(String),
    /// Any status that is no success, with Retry-After where there was one.
    #[error("http status {status}")]
    Status {
        /// The status.
        status: u16,
        /// The wait the server asks for.
        retry_after: Option<Duration>,
    },
    /// More redirects than allowed.
    #[error("more than {0} redirects in a row")]
    TooManyRedirects(u32),
    /// A redirect that leads nowhere.
    #[error("redirect without a usable Location: {0:?}")]
    BadRedirect(String),
    /// The answer is no HTML.
    #[error("no html but {0:?}")]
    NotHtml(String),
    /// A list, sitemap or feed that cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The broker did not take the page.
    #[error("not published: {0}")]
    Unpublished(String),
}

impl FetchError {
    /// A word for metrics and summaries.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Disallowed => "robots",
            Self::RobotsUnreachable(_) => "robots_unreachable",
            Self::CircuitOpen => "circuit_open",
            Self::Private(_) => "private_address",
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::Broken(_) => "broken_answer",
            Self::Status { status: 429, .. } => "http_429",
            Self::Status { status: 404 | 410, .. } => "http_gone",
            Self::Status { status: 400..500, .. } => "http_4xx",
            Self::Status { status: 500.., .. } => "http_5xx",
            Self::Status { .. } => "http_other",
            Self::TooManyRedirects(_) | Self::BadRedirect(_) => "redirect",
            Self::NotHtml(_) => "not_html",
            Self::Unreadable(_) => "unreadable",
            Self::Unpublished(_) => "unpublished",
        }
    }

    /// Whether the same request may work soon.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Timeout { .. } | Self::Broken(_) | Self::Unpublished(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether the server was there and answered, so that the host is well.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Timeout { .. } | Self::Broken(_) => false,
            Self::Status { status, .. } => *status < 500,
            _ => true,
        }
    }
}
