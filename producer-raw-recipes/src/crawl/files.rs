//! Sources that are files.

use std::sync::Arc;

use recipes::RawPage;
use tracing::warn;

use super::visits::{identity, short};
use super::{Crawl, Origin, Told};
use crate::clock::Moment;
use crate::content::ContentHash;
use crate::fetch_error::FetchError;
use crate::fetcher::charset;
use crate::frontier::SourceId;
use crate::local::{self, LocalItem};
use crate::publisher::{Publication, Publisher, traceparent};
use crate::source::folder::FilePage;
use crate::source::{Link, Role};

impl<P: Publisher> Crawl<P> {
    /// Reads a source that is not being read and not planned.
    pub(super) fn walk_once(&mut self, source: SourceId) {
        let planned = self.locals_due.iter().any(|(_, planned)| *planned == source);
        if !planned && self.walking.insert(source) {
            self.walk(source);
        }
    }

    fn walk(&mut self, source: SourceId) {
        let (spec, to, limit) = (Arc::clone(&self.specs[source]), self.to_local.clone(), self.settings.page_bytes);
        self.locals_open += 1;
        tokio::task::spawn_blocking(move || local::walk(&spec, source, limit, &to));
    }

    /// Reads the sources that are due again.
    pub(super) fn reread_locals(&mut self) {
        let now = self.clock.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.locals_due).into_iter().partition(|(due, _)| *due <= now);
        self.locals_due = later;
        for (_, source) in due {
            self.walk_once(source);
        }
    }

    pub(super) fn on_local(&mut self, source: SourceId, item: LocalItem) {
        match item {
            LocalItem::Urls(urls) => {
                let links: Vec<Link> = urls.into_iter().map(|url| Link::new(url, Role::Page)).collect();
                let records = self.offer(&links, source);
                self.publish_states(self.partition_of_files(), records);
            }
            LocalItem::Bad { what, reason } => {
                warn!(source = self.specs[source].name, what, reason, "left out");
                self.sources.failed(source, &what, &FetchError::Unreadable(reason));
            }
            LocalItem::Page { page, path, content } => self.on_file(source, page, &path, content),
            LocalItem::Done => self.on_end(source),
        }
    }

    fn on_end(&mut self, source: SourceId) {
        self.locals_open -= 1;
        self.walking.remove(&source);
        let interval = self.specs[source].interval.unwrap_or(self.settings.intervals.shortest);
        // Standard input has only one end.
        let again = !self.settings.once && self.specs[source].address != "-";
        let next = if again { self.clock.now() + interval } else { Moment::NEVER };
        if again {
            self.locals_due.push((next, source));
        }
        self.sources.read(source, next);
    }

    fn on_file(&mut self, source: SourceId, page: FilePage, path: &str, content: ContentHash) {
        let identity = identity(path);
        let content = short(&content);
        match self.files.get(&identity) {
            None => self.sources.found(source, 1),
            Some(known) if *known == content => return self.sources.unchanged(source),
            Some(_) => {}
        }
        let url = String::from(page.url);
        let raw = RawPage {
            url: url.clone(),
            final_url: url.clone(),
            fetched_at: page.fetched_at,
            http_status: page.status,
            charset: page.content_type.as_deref().and_then(charset),
            content_type: page.content_type.or_else(|| Some("text/html".to_owned())),
            etag: page.etag,
            traceparent: Some(traceparent()),
        };
        let told = Told { origin: Origin::File, source, key: path.to_owned(), identity, content: Some(content) };
        self.publish(self.partition_of_files(), vec![Publication::Page { key: url, page: raw, body: page.body }], told);
    }
}
