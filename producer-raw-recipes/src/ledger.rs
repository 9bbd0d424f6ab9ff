//! The frontier's records on `crawl_urls`: what is known of each URL, so that any instance can take a host over and a
//! restart forgets nothing.

use std::time::Duration;

use recipes::CrawlState;
use url::Url;

use crate::canonical::host_key;
use crate::clock::Moment;
use crate::content::{ContentHash, hex};
use crate::frontier::Memory;
use crate::source::Role;

/// What the record of a host's robots.txt says in `role`.
pub const ROBOTS: &str = "robots";

/// What the key of a link that another instance found begins with, until the owner of its host has taken it: a record
/// under the URL itself is the owner's alone.
pub const LINK: &str = "link:";

/// Whether a key is that of a host's turn rather than a URL's.
#[must_use]
pub fn is_turn(key: &str) -> bool {
    key.ends_with("/robots.txt")
}

/// Whether a record is that of a page, rather than of one of a source's own documents.
#[must_use]
pub fn is_page(state: &CrawlState) -> bool {
    matches!(state.role.as_str(), "page" | "site")
}

/// The partition of `crawl_urls` that a URL's host belongs to: all of a host's URLs are in one, so one instance has
/// them. FNV-1a, which stays the same over releases.
#[must_use]
pub fn partition(url: &Url, partitions: i32) -> i32 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let hash = host_key(url).bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let count = u64::try_from(partitions.max(1)).unwrap_or(1);
    // The low bits of FNV are the best mixed; folded so that all of them count.
    i32::try_from((hash ^ (hash >> 32)) % count).unwrap_or(0)
}

/// The partition that the files go with, which have no host.
#[must_use]
pub fn partition_of_files(partitions: i32) -> i32 {
    Url::parse("file:///").map_or(0, |files| partition(&files, partitions))
}

/// The record of a URL after a visit, or before its first one (a memory of nothing, due at once).
#[must_use]
pub fn state(source: &str, role: Role, memory: &Memory, next: Moment) -> CrawlState {
    CrawlState {
        source: source.to_owned(),
        depth: role.depth(),
        etag: memory.etag.clone(),
        last_modified: memory.last_modified.clone(),
        content_sha256: memory.content.as_ref().map(hex),
        published_as: memory.published_as.clone(),
        next_fetch_at: next.date(),
        failures: memory.failures,
        role: name(role).to_owned(),
        interval_s: memory.interval.map(|interval| interval.as_secs()),
        crawl_delay_ms: None,
    }
}

/// What is remembered of a URL, by its record: what it is fetched for, and when next.
#[must_use]
pub fn read(state: &CrawlState) -> Option<(Role, Memory, Moment)> {
    let role = match state.role.as_str() {
        "page" => Role::Page,
        "list" => Role::List(state.depth),
        "sitemap" => Role::Sitemap(state.depth),
        "feed" => Role::Feed,
        "auto" => Role::Auto,
        "site" => Role::Site(state.depth),
        _ => return None,
    };
    let memory = Memory {
        etag: state.etag.clone(),
        last_modified: state.last_modified.clone(),
        failures: state.failures,
        interval: state.interval_s.map(Duration::from_secs),
        content: state.content_sha256.as_deref().and_then(unhex),
        published_as: state.published_as.clone(),
    };
    Some((role, memory, state.next_fetch_at.map_or(Moment::NEVER, Moment::from)))
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Page => "page",
        Role::List(_) => "list",
        Role::Sitemap(_) => "sitemap",
        Role::Feed => "feed",
        Role::Auto => "auto",
        Role::Site(_) => "site",
    }
}

fn unhex(text: &str) -> Option<ContentHash> {
    let mut hash = ContentHash::default();
    if text.len() != 2 * hash.len() || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_as_written() {
        let memory = Memory {
            etag: Some("\"x\"".to_owned()),
            last_modified: Some("Mon, 05 Jan 2026 08:00:00 GMT".to_owned()),
            failures: 2,
            interval: Some(Duration::from_secs(90)),
            content: Some([0xAB; 32]),
            published_as: Some("https://a.example/".to_owned()),
        };
        for role in [Role::Page, Role::List(3), Role::Sitemap(1), Role::Feed, Role::Auto, Role::Site(2)] {
            let next = Moment(1_790_000_000_123);
            let record = state("salads", role, &memory, next).to_json().unwrap();
            let record = CrawlState::from_json(&record).unwrap();
            assert_eq!(record.source, "salads");
            assert_eq!(read(&record), Some((role, memory.clone(), next)));
        }
    }

    #[test]
    fn a_host_has_one_partition_and_hosts_have_many() {
        let of = |url: &str| partition(&Url::parse(url).unwrap(), 12);
        assert_eq!(of("http://a.example/1"), of("https://a.example/2?x=y"));
        let used: std::collections::BTreeSet<i32> =
            (0..500).map(|host| of(&format!("http://h{host}.example/"))).collect();
        assert_eq!(used, (0..12).collect());
        assert_eq!(partition(&Url::parse("http://a.example/").unwrap(), 1), 0);
    }
}
