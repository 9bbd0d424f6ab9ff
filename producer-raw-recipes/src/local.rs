//! Sources that are files: folders of pages, web archives and lists of URLs, read on a thread of their own.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use tokio::sync::mpsc::Sender;
use url::Url;

use crate::content::{ContentHash, content_hash};
use crate::frontier::SourceId;
use crate::source::folder::{self, FilePage};
use crate::source::{Kind, SourceSpec, url_list, warc};

/// URLs of a file that are handed over at once; those of standard input may come one by one.
const HANDFUL: usize = 16;

/// What a file brought.
#[derive(Debug)]
pub enum LocalItem {
    /// A page of a folder.
    Page {
        /// The page.
        page: FilePage,
        /// The file it came from, which tells it apart from others that claim the same address.
        path: String,
        /// Hash of its content.
        content: ContentHash,
    },
    /// Some URLs of a list.
    Urls(Vec<Url>),
    /// A file or line that is no good.
    Bad {
        /// The file or line.
        what: String,
        /// Why.
        reason: String,
    },
    /// The source was read to its end.
    Done,
}

/// Reads a source to its end. Blocks; ends early when nobody takes the items any more.
pub fn walk(spec: &SourceSpec, source: SourceId, limit: usize, to: &Sender<(SourceId, LocalItem)>) {
    let send = |item| to.blocking_send((source, item)).is_ok();
    let done = match spec.kind {
        Kind::Folder => walk_folder(Path::new(&spec.address), limit, &send),
        Kind::Warc => File::open(&spec.address).and_then(|file| read_archive(BufReader::new(file), spec, limit, &send)),
        _ if spec.address == "-" => read_list(io::stdin().lock(), spec, 1, &send),
        _ => File::open(&spec.address).and_then(|file| read_list(BufReader::new(file), spec, HANDFUL, &send)),
    };
    if let Err(error) = done {
        send(LocalItem::Bad { what: spec.address.clone(), reason: error.to_string() });
    }
    send(LocalItem::Done);
}

fn walk_folder(folder: &Path, limit: usize, send: &impl Fn(LocalItem) -> bool) -> io::Result<()> {
    for file in folder::files(folder)? {
        let path = file.to_string_lossy().into_owned();
        let item = match folder::read(&file, limit) {
            Ok(page) => LocalItem::Page { content: content_hash(&page.body), path, page },
            Err(error) => LocalItem::Bad { what: path, reason: error.to_string() },
        };
        if !send(item) {
            break;
        }
    }
    Ok(())
}

fn read_archive(
    from: impl io::BufRead,
    spec: &SourceSpec,
    limit: usize,
    send: &impl Fn(LocalItem) -> bool,
) -> io::Result<()> {
    warc::read(from, limit, |item| match item {
        Ok(page) if !spec.takes(&page.url) => true,
        Ok(page) => {
            // An archive may hold a page many times, as it was then and then.
            let path = format!("{} {} {}", spec.address, page.url, page.fetched_at.unix_timestamp_nanos());
            send(LocalItem::Page { content: content_hash(&page.body), path, page })
        }
        Err(bad) => send(LocalItem::Bad { what: format!("{} {}", spec.address, bad.what), reason: bad.reason }),
    })
}

/// Hands over so many URLs at once.
fn read_list(
    from: impl io::BufRead,
    spec: &SourceSpec,
    handful: usize,
    send: &impl Fn(LocalItem) -> bool,
) -> io::Result<()> {
    let mut urls = Vec::new();
    url_list::read(from, |line| {
        match line {
            Ok(url) if spec.takes(&url) => urls.push(url),
            Ok(_) => {}
            Err(line) => {
                send(LocalItem::Bad { what: line, reason: "no web address".to_owned() });
            }
        }
        if urls.len() >= handful {
            send(LocalItem::Urls(std::mem::take(&mut urls)));
        }
    })?;
    if !urls.is_empty() {
        send(LocalItem::Urls(urls));
    }
    Ok(())
}
