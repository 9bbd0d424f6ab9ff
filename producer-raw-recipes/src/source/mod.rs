//! Where recipes are found: each kind of source turns a document into links, without any I/O of its own. The crawl
//! fetches the documents, under the same rules as every page.

pub mod feed;
pub mod folder;
pub mod list_page;
pub mod site;
pub mod sitemap;
mod spec;
pub mod url_list;
pub mod warc;

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::Encoding;
use time::OffsetDateTime;
use url::Url;

use crate::fetch_error::FetchError;

pub use spec::{Kind, SourceSpec, SpecError};

/// Largest list page, sitemap or feed, decompressed: what the sitemap protocol allows.
pub const MAX_DOCUMENT_BYTES: usize = 50 * 1024 * 1024;
/// Sitemap indexes inside of sitemap indexes that are followed.
const MAX_INDEX_DEPTH: u32 = 3;

/// What a URL is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A page to publish.
    Page,
    /// A list page, this many pages after the first.
    List(u32),
    /// A sitemap, this many indexes below the first.
    Sitemap(u32),
    /// A feed.
    Feed,
    /// A source whose kind its content tells.
    Auto,
    /// A page of a whole-site crawl, this many links after the first: published, and mined for links.
    Site(u32),
}

impl Role {
    /// Whether documents of this role are published.
    #[must_use]
    pub fn is_published(self) -> bool {
        matches!(self, Self::Page | Self::Site(_))
    }

    /// Whether it is one of a source's own documents, which come before its pages.
    #[must_use]
    pub fn is_directory(self) -> bool {
        !self.is_published()
    }

    /// Links followed from the source to here.
    #[must_use]
    pub fn depth(self) -> u32 {
        match self {
            Self::Page => 1,
            Self::List(depth) | Self::Sitemap(depth) | Self::Site(depth) => depth,
            Self::Feed | Self::Auto => 0,
        }
    }
}

/// A link that a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, canonical.
    pub url: Url,
    /// What it is to be fetched for.
    pub role: Role,
    /// When it changed last, as the source says.
    pub changed: Option<OffsetDateTime>,
}

impl Link {
    /// A link of unknown age.
    #[must_use]
    pub fn new(url: Url, role: Role) -> Self {
        Self { url, role, changed: None }
    }
}

/// Finds the links in a source's document fetched from `url`.
///
/// # Errors
/// [`FetchError::Unreadable`] says what is wrong with it.
pub fn links(spec: &SourceSpec, role: Role, url: &Url, body: &Bytes) -> Result<Vec<Link>, FetchError> {
    let body = sitemap::unpacked(body)?;
    let found = match role {
        Role::Page => Vec::new(),
        Role::List(page) => list_page::links(spec, page, url, &body)?,
        Role::Sitemap(depth) => sitemap::links(url, &body, depth)?,
        Role::Feed => feed::links(url, &body)?,
        Role::Site(depth) => site::links(spec, depth, url, &body),
        Role::Auto => match sniff(&body) {
            Sniffed::Sitemap => sitemap::links(url, &body, 0)?,
            Sniffed::Feed => feed::links(url, &body)?,
            Sniffed::Html => list_page::links(spec, 0, url, &body)?,
        },
    };
    let in_bounds = |link: &Link| link.role.is_directory() || spec.takes(&link.url);
    Ok(found.into_iter().filter(in_bounds).filter(|link| depth_is_sane(link.role)).collect())
}

fn depth_is_sane(role: Role) -> bool {
    !matches!(role, Role::Sitemap(depth) if depth > MAX_INDEX_DEPTH)
}

enum Sniffed {
    Sitemap,
    Feed,
    Html,
}

/// Tells sitemaps, feeds and web pages apart by what they begin with.
fn sniff(body: &[u8]) -> Sniffed {
    let head = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    let trimmed = head.trim_start_matches('\u{feff}').trim_start();
    if head.contains("<urlset") || head.contains("<sitemapindex") {
        Sniffed::Sitemap
    } else if trimmed.starts_with('{') || head.contains("<rss") || head.contains("<feed") || head.contains("<rdf:rdf") {
        Sniffed::Feed
    } else {
        Sniffed::Html
    }
}

/// An XML document as text: in the encoding of its byte order mark or its declaration, UTF-8 without either.
pub(crate) fn xml_text(body: &[u8]) -> Cow<'_, str> {
    let head = String::from_utf8_lossy(&body[..body.len().min(200)]);
    let declared = head.strip_prefix("<?xml").and_then(|head| head.split("?>").next()).and_then(|declaration| {
        let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
        Encoding::for_label(value.split(['"', '\'']).nth(1)?.as_bytes())
    });
    declared.unwrap_or(encoding_rs::UTF_8).decode(body).0
}

pub(crate) fn unreadable(what: &str, error: impl std::fmt::Display) -> FetchError {
    FetchError::Unreadable(format!("{what} cannot be read: {error}"))
}
