//! One request with the work on its answer, done beside the crawl's loop.

use bytes::Bytes;
use recipes::RawPage;
use url::Url;

use crate::canonical;
use crate::content::{ContentHash, content_hash};
use crate::fetch_error::FetchError;
use crate::fetcher::{Answer, Document, Fetcher, Want, charset};
use crate::frontier::{RobotsAnswer, RobotsJob, Visit};
use crate::markup::Head;
use crate::politeness::Lesson;
use crate::publisher::traceparent;
use crate::robots::{self, Robots};
use crate::source::{self, Link, MAX_DOCUMENT_BYTES, Role, SourceSpec};

/// What the crawler calls itself in robots.txt.
pub const AGENT: &str = "RecipeAlert";

/// What a visit's request brought.
#[derive(Debug)]
pub enum Fetched {
    /// A page.
    Page(Box<FetchedPage>),
    /// A source's document, with the links it gave.
    Directory {
        /// The links.
        links: Vec<Link>,
        /// Its validators.
        document: Document,
    },
    /// Nothing new (304).
    NotModified,
    /// It is elsewhere.
    Redirect(Url),
}

/// A page, ready to be published.
#[derive(Debug)]
pub struct FetchedPage {
    /// Canonical URL.
    pub key: String,
    /// Hash of its content.
    pub content: ContentHash,
    /// The answer.
    pub document: Document,
    /// Its links, for a whole-site crawl.
    pub links: Vec<Link>,
}

/// Fetches a page or a source's document.
pub async fn fetch(fetcher: &Fetcher, visit: &Visit, spec: &SourceSpec) -> Result<Fetched, FetchError> {
    let want = if visit.role.is_published() { Want::Html } else { Want::Any { limit: MAX_DOCUMENT_BYTES } };
    let document = match fetcher.fetch(&visit.at, &visit.conditions, want).await? {
        Answer::NotModified => return Ok(Fetched::NotModified),
        Answer::Redirect(to) => return Ok(Fetched::Redirect(to)),
        Answer::Document(document) => document,
    };
    let role = if matches!(visit.role, Role::List(_) | Role::Auto) && is_heavy(&document.body) {
        let (spec, role, url, body) = (spec.clone(), visit.role, visit.at.clone(), document.body.clone());
        let links = tokio::task::spawn_blocking(move || source::links(&spec, role, &url, &body)).await;
        let links = links.map_err(|error| FetchError::Unreadable(error.to_string()))??;
        return Ok(Fetched::Directory { links, document });
    } else {
        visit.role
    };
    if role.is_directory() {
        let links = source::links(spec, role, &visit.at, &document.body)?;
        return Ok(Fetched::Directory { links, document });
    }
    let links = match role {
        Role::Site(_) => source::links(spec, role, &visit.at, &document.body)?,
        _ => Vec::new(),
    };
    let key = Head::read(&document.body).key(&visit.at).into();
    let content = content_hash(&document.body);
    Ok(Fetched::Page(Box::new(FetchedPage { key, content, document, links })))
}

/// Whether a document takes long enough to read that other requests would wait for it.
fn is_heavy(body: &Bytes) -> bool {
    body.len() > 256 * 1024
}

/// Fetches a robots.txt: what it brought, and what that teaches of the host.
pub async fn fetch_robots(fetcher: &Fetcher, job: &RobotsJob) -> (RobotsAnswer, Lesson) {
    // One byte more than is read tells a file that is cut off from one that ends there.
    let want = Want::Prefix { limit: robots::MAX_BYTES + 1 };
    let answer = fetcher.fetch(&job.url, &Default::default(), want).await;
    match answer {
        Ok(Answer::Document(document)) => (RobotsAnswer::Rules(Robots::parse(&document.body, AGENT)), Lesson::Answered),
        // Asked without conditions, so a 304 is a server's mistake; it says that there is nothing new to obey.
        Ok(Answer::NotModified) => (RobotsAnswer::Rules(Robots::allow_all()), Lesson::Answered),
        Ok(Answer::Redirect(to)) => (RobotsAnswer::Redirect(to), Lesson::Answered),
        Err(error) => {
            let lesson = lesson(&Err(error.clone()));
            let answer = match &error {
                FetchError::Status { status: 429, .. } => RobotsAnswer::Unreachable(error.to_string()),
                FetchError::Status { status: 400..500, .. } => RobotsAnswer::Rules(Robots::allow_all()),
                _ => RobotsAnswer::Unreachable(error.to_string()),
            };
            (answer, lesson)
        }
    }
}

/// What the outcome of a request teaches of its host.
#[must_use]
pub fn lesson(result: &Result<Fetched, FetchError>) -> Lesson {
    match result {
        Err(FetchError::Status { status: 429 | 503, retry_after }) => Lesson::Throttled(*retry_after),
        Err(error) if !error.is_answer() => Lesson::Failed,
        Ok(_) | Err(_) => Lesson::Answered,
    }
}

/// The headers of a fetched page.
#[must_use]
pub fn raw_page(url: &Url, final_url: &Url, document: &Document) -> RawPage {
    RawPage {
        url: url.as_str().to_owned(),
        final_url: canonical::canonical(final_url).into(),
        fetched_at: document.fetched_at,
        http_status: Some(document.status),
        charset: document.content_type.as_deref().and_then(charset),
        content_type: document.content_type.clone(),
        etag: document.etag.clone(),
        traceparent: Some(traceparent()),
    }
}
