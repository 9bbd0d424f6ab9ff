//! Crawls that share hosts, with the group played by the test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, reason = "each test file uses its part")]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect};
use parking_lot::Mutex;
use producer_raw_recipes::clock::Clock;
use producer_raw_recipes::frontier::Memory;
use producer_raw_recipes::ledger;
use producer_raw_recipes::membership::{Followed, Share};
use producer_raw_recipes::publisher::Publication;
use producer_raw_recipes::source::{Kind, Role, SourceSpec};
use recipes::CrawlState;
use support::{Kept, Setup, Teller, listener};
use tokio::sync::oneshot;
use url::Url;

const PARTITIONS: i32 = 16;
const HOUR: Duration = Duration::from_secs(3600);

/// A site that notes its requests and whether they had validators: `/list` links to `/1`, `/2` and `away`; `/moved`
/// redirects there.
#[derive(Clone)]
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Site {
    async fn serve(away: Option<SocketAddr>) -> Self {
        let (listener, address) = listener().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let away = away.map_or_else(String::new, |away| format!("http://{away}/away"));
        let router = Router::new().fallback(move |uri: Uri, head: HeaderMap| {
            notes.lock().push((uri.path().to_owned(), head.contains_key(header::IF_NONE_MATCH)));
            let away = away.clone();
            async move {
                let html = |body: String| {
                    ([(header::CONTENT_TYPE, "text/html"), (header::ETAG, "\"1\"")], body).into_response()
                };
                match uri.path() {
                    "/robots.txt" => StatusCode::NOT_FOUND.into_response(),
                    "/list" => html(format!("<h2><a href=/1>1</a><a href=/2>2</a><a href='{away}'>3</a></h2>")),
                    "/moved" => Redirect::to(&away).into_response(),
                    _ if head.contains_key(header::IF_NONE_MATCH) => StatusCode::NOT_MODIFIED.into_response(),
                    path => html(format!("<p>{path}</p>")),
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    fn partition(&self) -> i32 {
        ledger::partition(&self.url("/"), PARTITIONS)
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().iter().filter(|(asked, _)| asked == path).count()
    }
}

/// Two sites whose hosts are in different partitions.
async fn two_sites() -> (Site, Site) {
    let other = Site::serve(None).await;
    loop {
        let site = Site::serve(Some(other.address)).await;
        if site.partition() != other.partition() {
            return (site, other);
        }
    }
}

fn setup(sites: &[&Site], once: bool) -> Setup {
    let mut setup = Setup::new("none");
    setup.crawl.once = once;
    setup.crawl.bounds.own_hosts = sites.iter().map(|site| site.address.to_string()).collect();
    setup
}

fn list(site: &Site) -> SourceSpec {
    SourceSpec::new("list", Kind::List, site.url("/list").as_str())
}

/// The states that were written, in order.
fn states(kept: &Kept) -> Vec<(String, i32, CrawlState)> {
    let publications = kept.0.lock();
    let states = publications.iter().filter_map(|publication| match publication {
        Publication::State { key, partition, state } => Some((key.clone(), *partition, state.clone())),
        _ => None,
    });
    states.collect()
}

#[tokio::test]
async fn links_to_hosts_of_others_are_told_and_not_followed() {
    let (site, other) = two_sites().await;
    let mut moved = SourceSpec::new("moved", Kind::Site, site.url("/moved").as_str());
    moved.depth = 0;
    let (teller, group) = Teller::new(PARTITIONS);
    teller.assign([site.partition()], Vec::new()).await;
    let sharing = setup(&[&site, &other], true).start_sharing(vec![list(&site), moved], PARTITIONS, group);
    sharing.task.await.unwrap().unwrap();

    assert_eq!(
        sharing.kept.pages().into_keys().collect::<Vec<_>>(),
        [site.url("/1").to_string(), site.url("/2").to_string()]
    );
    assert!(other.asked.lock().is_empty(), "{:?}", other.asked.lock());
    let states = states(&sharing.kept);
    let away = format!("link:{}", other.url("/away"));
    let told: Vec<_> = states.iter().filter(|(key, ..)| *key == away).collect();
    assert_eq!((told.len(), told[0].1), (1, other.partition()));
    // Links are written before the list counts as read, a page before its state.
    let at = |key: Url| states.iter().rposition(|(found, ..)| *found == *key.as_str()).unwrap();
    let first = |key: Url| states.iter().position(|(found, ..)| *found == *key.as_str()).unwrap();
    assert!(first(site.url("/1")) < at(site.url("/list")) && told[0].2.interval_s.is_none());
    assert!(states[at(site.url("/1"))].2.content_sha256.is_some());
}

#[tokio::test]
async fn what_is_known_is_not_asked_before_its_time_and_then_with_its_validators() {
    let (site, _) = two_sites().await;
    let now = Clock::start().now();
    let memory =
        Memory { etag: Some("\"1\"".to_owned()), interval: Some(HOUR), content: Some([7; 32]), ..Memory::default() };
    let state = |next| ledger::state("list", Role::Page, &memory, next);
    let known = vec![
        (
            site.url("/list"),
            ledger::state("list", Role::List(0), &Memory { interval: Some(HOUR), ..Memory::default() }, now + HOUR),
        ),
        (site.url("/1"), state(now + HOUR)),
        (site.url("/2"), state(now)),
        (site.url("/3"), ledger::state("a source that is no more", Role::Page, &memory, now)),
    ];
    let (teller, group) = Teller::new(PARTITIONS);
    teller.assign(0..PARTITIONS, known).await;
    let sharing = setup(&[&site], false).start_sharing(vec![list(&site)], PARTITIONS, group);
    sharing.handle.wait_until(|handle| handle.count("unchanged") == 1).await;
    sharing.shutdown.cancel();
    sharing.task.await.unwrap().unwrap();
    let asked = site.asked.lock().clone();
    assert_eq!(asked, [("/robots.txt".to_owned(), false), ("/2".to_owned(), true)]);
    assert!(sharing.kept.pages().is_empty());
}

#[tokio::test]
async fn hosts_that_went_are_asked_no_more_and_come_back_with_what_is_known() {
    let (site, other) = two_sites().await;
    let (teller, group) = Teller::new(PARTITIONS);
    teller.assign(0..PARTITIONS, Vec::new()).await;
    let mut setup = setup(&[&site, &other], false);
    let interval = Duration::from_millis(50);
    setup.crawl.intervals.shortest = interval;
    setup.crawl.intervals.longest = interval;
    let sharing = setup.start_sharing(vec![list(&site)], PARTITIONS, group);
    sharing.handle.wait_until(|handle| handle.count("published") == 3).await;
    let (done, stopped) = oneshot::channel();
    teller.to.send(Share::Revoked(vec![other.partition()], done)).await.unwrap();
    stopped.await.unwrap();
    teller.shelf.lock().remove(other.partition());
    // One request may have been under way; its visit ends with the next count of the others.
    let under_way = other.asked("/away") + 1;
    let counted = sharing.handle.count("unchanged");
    sharing.handle.wait_until(|handle| handle.count("unchanged") > counted + 20).await;
    assert!(other.asked("/away") <= under_way);

    let (_, _, state) =
        states(&sharing.kept).into_iter().rfind(|(key, ..)| *key == *other.url("/away").as_str()).unwrap();
    let conditional = || other.asked.lock().iter().filter(|(path, validators)| path == "/away" && *validators).count();
    let before = conditional();
    teller.assign([other.partition()], vec![(other.url("/away"), state)]).await;
    let counted = sharing.handle.count("unchanged");
    sharing.handle.wait_until(|handle| handle.count("unchanged") > counted + 20).await;
    assert!(conditional() > before);
    sharing.shutdown.cancel();
    sharing.task.await.unwrap().unwrap();
    assert!(sharing.kept.pages().values().all(|bodies| bodies.len() == 1), "nothing is published twice");
}

#[tokio::test]
async fn a_link_that_another_found_is_taken_once_and_what_is_known_of_it_stays() {
    let (site, other) = two_sites().await;
    let now = Clock::start().now();
    let memory = Memory { etag: Some("\"1\"".to_owned()), interval: Some(HOUR), ..Memory::default() };
    let known = vec![(site.url("/1"), ledger::state("list", Role::Page, &memory, now + HOUR))];
    let found = ledger::state("list", Role::Page, &Memory::default(), now);
    let (teller, group) = Teller::new(PARTITIONS);
    // A source of that name begins at a host of somebody else's.
    let spec = list(&other);
    teller.assign([site.partition()], known).await;
    let links = vec![(site.url("/1"), found.clone()), (site.url("/2"), found)];
    teller.to.send(Share::Followed(Followed { links, ..Followed::default() })).await.unwrap();
    let sharing = setup(&[&site], false).start_sharing(vec![spec], PARTITIONS, group);
    sharing.handle.wait_until(|handle| handle.count("published") == 1).await;
    sharing.shutdown.cancel();
    sharing.task.await.unwrap().unwrap();
    assert_eq!((site.asked("/1"), site.asked("/2")), (0, 1));
    assert!(states(&sharing.kept).iter().all(|(key, ..)| !key.ends_with("/1")), "its record is not overwritten");
    let publications = sharing.kept.0.lock();
    let taken = publications.iter().filter_map(|publication| match publication {
        Publication::Taken { key, .. } => Some(key.clone()),
        _ => None,
    });
    assert_eq!(taken.collect::<Vec<_>>(), [format!("link:{}", site.url("/1")), format!("link:{}", site.url("/2"))]);
}
