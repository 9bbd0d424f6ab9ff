//! The crawl against the sample site.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, reason = "each test file uses its part")]
mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use producer_raw_recipes::source::{Kind, SourceSpec};
use sample_site::Catalog;
use support::{Setup, listener};
use tokio_util::sync::CancellationToken;

/// Serves the sample site until the test ends.
async fn site() -> (SocketAddr, Setup) {
    let (listener, address) = listener().await;
    tokio::spawn(sample_site::serve(listener, std::future::pending()));
    (address, Setup::new(&address.to_string()))
}

fn list(address: SocketAddr) -> SourceSpec {
    let mut spec = SourceSpec::new("list", Kind::List, &format!("http://{address}/recipes/"));
    spec.links = ".fixed-recipe-card__h3 a".to_owned();
    spec
}

fn sitemap(address: SocketAddr) -> SourceSpec {
    SourceSpec::new("sitemap", Kind::Sitemap, &format!("http://{address}/sitemap.xml"))
}

fn all(address: SocketAddr) -> BTreeSet<String> {
    Catalog::embedded().unwrap().expected().map(|(path, _)| format!("http://{address}{path}")).collect()
}

#[tokio::test]
async fn list_and_sitemap_lead_to_every_page_once_and_to_nothing_forbidden() {
    let (address, setup) = site().await;
    let (kept, status) = setup.pass(vec![list(address), sitemap(address)]).await;
    let pages = kept.pages();
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), all(address));
    assert!(pages.values().all(|bodies| bodies.len() == 1), "a page found twice is published once");
    assert!(kept.dead().is_empty());
    let robots: u64 = status.iter().filter_map(|source| source.failures.get("robots")).sum();
    assert_eq!(robots, 2, "two pages of the sitemap are forbidden: {status:?}");
    assert!(status.iter().all(|source| source.last_success.is_some()));
}

#[tokio::test]
async fn bodies_are_published_as_received() {
    let (address, setup) = site().await;
    let spec = SourceSpec::new("feed", Kind::Feed, &format!("http://{address}/feed.xml"));
    let (kept, _) = setup.pass(vec![spec]).await;
    assert_eq!(kept.pages().len(), 10);
    let (address, setup) = site().await;
    let (kept, _) = setup.pass(vec![sitemap(address)]).await;
    let caldo = &kept.pages()[&format!("http://{address}/recipe/caldo-verde/")][0];
    assert!(caldo.windows(10).any(|bytes| bytes == b"Concei\xE7\xE3o "), "windows-1252 stays windows-1252");
}

#[tokio::test]
async fn a_source_of_no_kind_is_known_by_its_content() {
    let (address, setup) = site().await;
    let auto = |path: &str| SourceSpec::new(path, Kind::Auto, &format!("http://{address}{path}"));
    let (kept, _) = setup.pass(vec![auto("/recipes/"), auto("/sitemap.xml"), auto("/feed.xml")]).await;
    assert_eq!(kept.pages().keys().cloned().collect::<BTreeSet<_>>(), all(address));
}

#[tokio::test]
async fn a_whole_site_is_crawled_within_its_bounds() {
    let (address, setup) = site().await;
    let mut spec = SourceSpec::new("site", Kind::Site, &format!("http://{address}/"));
    spec.depth = 6;
    spec.include = regex::RegexSet::new(["/recipe/", "/recipes/$", r"/recipes/\?page="]).unwrap();
    let (kept, _) = setup.pass(vec![spec]).await;
    let recipes: BTreeSet<String> = kept.pages().into_keys().filter(|key| key.contains("/recipe/")).collect();
    let mut expected = all(address);
    assert!(expected.remove(&format!("http://{address}/recipe/blank/")), "nothing links to it");
    assert_eq!(recipes, expected);
}

#[tokio::test]
async fn unchanged_pages_are_not_published_again_and_changed_ones_are() {
    let (address, mut setup) = site().await;
    setup.crawl.once = false;
    let interval = Duration::from_millis(200);
    setup.crawl.intervals.shortest = interval;
    setup.crawl.intervals.longest = interval;
    let shutdown = CancellationToken::new();
    let started = setup.start(vec![sitemap(address)], shutdown.clone());
    let pages = all(address).len() as u64;
    started.handle.wait_until(|handle| handle.count("unchanged") >= 3 * pages).await;
    shutdown.cancel();
    started.task.await.unwrap().unwrap();
    let changed: Vec<String> =
        started.kept.pages().into_iter().filter(|(_, bodies)| bodies.len() > 1).map(|(key, _)| key).collect();
    assert_eq!(changed, [format!("http://{address}/recipe/weeknight-chickpea-curry/")]);
    let bodies = &started.kept.pages()[&changed[0]];
    assert!(bodies.len() == 2 && String::from_utf8_lossy(&bodies[1]).contains("356 kcal"));
}

#[tokio::test]
async fn a_folder_of_pages_is_published_by_the_addresses_they_give() {
    let folder = tempfile::tempdir().unwrap();
    let page =
        |name: &str, head: &str| std::fs::write(folder.path().join(name), format!("<head>{head}</head>")).unwrap();
    page("a.html", "<link rel=canonical href='https://a.example/soup'>");
    page("b.testhtml", "<meta property=og:url content='https://b.example/stew'>");
    page("c.htm", "");
    let spec = SourceSpec::new("folder", Kind::Folder, folder.path().to_str().unwrap());
    let (kept, status) = Setup::new("none").pass(vec![spec]).await;
    let keys: Vec<String> = kept.pages().into_keys().collect();
    assert_eq!(keys[1..], ["https://a.example/soup", "https://b.example/stew"]);
    assert!(keys[0].starts_with("file:///") && keys[0].ends_with("/c.htm"), "{}", keys[0]);
    assert_eq!((status[0].pages, status[0].published), (3, 3));
}

#[tokio::test]
async fn a_list_of_urls_is_fetched() {
    let (address, setup) = site().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let text =
        format!("# two\nhttp://{address}/recipe/caldo-verde/\nhttp://{address}/recipe/garden-mint-tea/\nnonsense\n");
    std::fs::write(file.path(), text).unwrap();
    let spec = SourceSpec::new("urls", Kind::Urls, file.path().to_str().unwrap());
    let (kept, status) = setup.pass(vec![spec]).await;
    assert_eq!(kept.pages().len(), 2);
    assert_eq!(status[0].failures.get("unreadable"), Some(&1));
}

#[tokio::test]
async fn sources_come_change_and_go_while_the_crawl_runs() {
    let (address, mut setup) = site().await;
    setup.crawl.once = false;
    let (to, from) = tokio::sync::mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let feed = SourceSpec::new("feed", Kind::Feed, &format!("http://{address}/feed.xml"));
    let started = setup.start_reloading(vec![feed], from, shutdown.clone());
    started.handle.wait_until(|handle| handle.count("published") == 10).await;
    to.send(vec![sitemap(address)]).await.unwrap();
    let pages = all(address).len() as u64;
    started.handle.wait_until(|handle| handle.count("published") + handle.count("unchanged") >= pages + 10).await;
    shutdown.cancel();
    started.task.await.unwrap().unwrap();
    assert_eq!(started.kept.pages().keys().cloned().collect::<BTreeSet<_>>(), all(address));
    let names: Vec<String> = started.sources.all().into_iter().map(|source| source.name).collect();
    assert_eq!(names, ["sitemap"]);
}
