//! Servers that mean no good, or just are broken: each page ends as a failure with its reason, and no other page suffers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(dead_code, reason = "each test file uses its part")]
mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use producer_raw_recipes::source::{Kind, SourceSpec};
use producer_raw_recipes::status::SourceStatus;
use support::{Setup, listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

const GOOD: &str = "<html><body><h1>Soup</h1></body></html>";

fn html(body: impl Into<Body>) -> Response<Body> {
    Response::builder().header(header::CONTENT_TYPE, "text/html").body(body.into()).unwrap()
}

async fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A server that writes these bytes to every connection, whatever it is asked, and closes.
async fn serve_raw(answer: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let request = String::from_utf8_lossy(&request).into_owned();
                let robots = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let bytes = if request.starts_with("GET /robots.txt") { robots } else { answer };
                let _ = socket.write_all(bytes).await;
            });
        }
    });
    address
}

/// Crawls URLs; gives the keys of published pages and the state of the source.
async fn crawl(setup: Setup, urls: &[String]) -> (BTreeMap<String, Vec<Vec<u8>>>, SourceStatus) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), urls.join("\n")).unwrap();
    let spec = SourceSpec::new("urls", Kind::Urls, file.path().to_str().unwrap());
    let (kept, status) = setup.pass(vec![spec]).await;
    (kept.pages(), status[0].clone())
}

fn reasons(status: &SourceStatus) -> BTreeMap<&'static str, u64> {
    status.failures.clone()
}

#[tokio::test]
async fn redirects_end_and_lead_where_they_should() {
    let router = Router::new()
        .route("/good", get(|| async { html(GOOD) }))
        .route("/once", get(|| async { Redirect::to("/good?utm_source=redirect") }))
        .route("/loop/{n}", get(|Path(n): Path<u32>| async move { Redirect::to(&format!("/loop/{}", n + 1)) }))
        .route("/self", get(|| async { Redirect::temporary("/self") }))
        .route("/nowhere", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "mailto:cook@example.com")]) }))
        .route("/empty", get(|| async { StatusCode::MOVED_PERMANENTLY }));
    let address = serve(router).await;
    let url = |path: &str| format!("http://{address}{path}");
    let urls = [url("/once"), url("/loop/0"), url("/self"), url("/nowhere"), url("/empty")];
    let (pages, status) = crawl(Setup::new(&address.to_string()), &urls).await;
    assert_eq!(
        pages.into_keys().collect::<Vec<_>>(),
        [url("/good?utm_source=redirect").replace("?utm_source=redirect", "")]
    );
    assert_eq!(reasons(&status), BTreeMap::from([("redirect", 4)]), "{status:?}");
}

#[tokio::test]
async fn sizes_are_capped_after_decompression() {
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        (0..64).for_each(|_| encoder.write_all(&[b' '; 1 << 20]).unwrap());
        Bytes::from(encoder.finish().unwrap())
    };
    let endless = || async {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 8192])));
        html(Body::from_stream(chunks))
    };
    let bombed = move || async move {
        let mut response = html(bomb);
        response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        response
    };
    let broken = || async {
        let mut response = html("this is no gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        response
    };
    let router = Router::new()
        .route("/endless", get(endless))
        .route("/bomb", get(bombed))
        .route("/broken", get(broken))
        .route("/long", get(|| async { html(vec![b'x'; 11 << 20]) }))
        .route("/good", get(|| async { html(GOOD) }));
    let address = serve(router).await;
    let urls = ["endless", "bomb", "broken", "long", "good"].map(|path| format!("http://{address}/{path}"));
    let (pages, status) = crawl(Setup::new(&address.to_string()), &urls).await;
    assert_eq!(pages.into_keys().collect::<Vec<_>>(), [urls[4].clone()]);
    assert_eq!(reasons(&status), BTreeMap::from([("too_large", 3), ("broken_answer", 1)]), "{status:?}");
    assert_eq!(status.dead_letters, 3);
}

#[tokio::test]
async fn what_is_no_html_is_a_dead_letter_with_its_type() {
    let typed = |kind: &'static str, body: &'static str| move || async move { ([(header::CONTENT_TYPE, kind)], body) };
    let untyped = |body: &'static str| move || async move { Response::new(Body::from(body)) };
    let router = Router::new()
        .route("/pdf", get(typed("application/pdf", "%PDF-1.7")))
        .route("/xhtml", get(typed("application/xhtml+xml; charset=utf-8", GOOD)))
        .route("/untyped-html", get(untyped(GOOD)))
        .route("/untyped", get(untyped("%PDF-1.7")));
    let address = serve(router).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let urls = ["pdf", "xhtml", "untyped-html", "untyped"].map(|path| format!("http://{address}/{path}"));
    std::fs::write(file.path(), urls.join("\n")).unwrap();
    let spec = SourceSpec::new("urls", Kind::Urls, file.path().to_str().unwrap());
    let (kept, status) = Setup::new(&address.to_string()).pass(vec![spec]).await;
    // The two good pages say the same, under different addresses.
    assert_eq!(kept.pages().into_keys().collect::<Vec<_>>(), [urls[2].clone(), urls[1].clone()]);
    let mut dead = kept.dead();
    dead.sort();
    assert_eq!(dead[0], (urls[0].clone(), "no html but \"application/pdf\"".to_owned()));
    assert_eq!((dead.len(), status[0].dead_letters), (2, 2));
}

#[tokio::test]
async fn slow_servers_run_into_their_limits_and_hold_up_nobody() {
    let silent = || async { std::future::pending::<Response<Body>>().await };
    let drip = || async {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        });
        html(Body::from_stream(drops))
    };
    let slow = serve(Router::new().route("/silent", get(silent)).route("/drip", get(drip))).await;
    let good = serve(Router::new().route("/good", get(|| async { html(GOOD) }))).await;
    let mut setup = Setup::new(&slow.to_string());
    setup.fetch.first_byte = Duration::from_millis(300);
    setup.fetch.whole = Duration::from_millis(600);
    setup.crawl.retries = 0;
    let urls = [format!("http://{slow}/silent"), format!("http://{slow}/drip"), format!("http://{good}/good")];
    let (pages, status) = crawl(setup, &urls).await;
    assert_eq!(pages.into_keys().collect::<Vec<_>>(), [urls[2].clone()]);
    assert_eq!(reasons(&status), BTreeMap::from([("timeout", 2)]), "{status:?}");
}

#[tokio::test]
async fn answers_that_break_off_or_make_no_sense_are_failures() {
    let answers: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n<html>short",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"",
    ];
    let mut setup = Setup::new("none");
    setup.crawl.retries = 0;
    let mut urls = Vec::new();
    for answer in answers {
        urls.push(format!("http://{}/page", serve_raw(answer).await));
    }
    let (pages, status) = crawl(setup, &urls).await;
    assert!(pages.is_empty());
    assert_eq!(reasons(&status), BTreeMap::from([("broken_answer", 4)]), "{status:?}");
}

#[tokio::test]
async fn a_host_that_is_not_there_is_left_alone_after_a_few_tries() {
    // Bound and dropped: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let urls: Vec<String> = (0..20).map(|page| format!("http://{address}/{page}")).collect();
    let (pages, status) = crawl(Setup::new(&address.to_string()), &urls).await;
    assert!(pages.is_empty());
    assert_eq!(reasons(&status), BTreeMap::from([("robots_unreachable", 20)]), "{status:?}");
}

#[tokio::test]
async fn robots_txt_may_fail_be_huge_or_be_elsewhere() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = {
        let count = Arc::clone(&count);
        move || async move {
            count.fetch_add(1, Ordering::Relaxed);
            html(GOOD)
        }
    };
    let broken = Router::new()
        .route("/robots.txt", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/page", get(counted));
    let missing = Router::new()
        .route("/robots.txt", get(|| async { StatusCode::FORBIDDEN }))
        .route("/page", get(|| async { html(GOOD) }));
    // One without an end, and one that says that it is 100 MB long.
    let sent = Arc::new(AtomicU64::new(0));
    let without_end = |length: Option<&'static str>| {
        let sent = Arc::clone(&sent);
        let robots = move || async move {
            let first = Bytes::from_static(b"User-agent: *\nDisallow: /secret\n");
            let line = Bytes::from(vec![b'#'; 65536]);
            let chunks = futures_util::stream::iter([first]).chain(futures_util::stream::repeat(line));
            let counted = chunks.inspect(move |chunk| {
                sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            });
            let mut response = Response::new(Body::from_stream(counted.map(Ok::<_, Infallible>)));
            response
                .headers_mut()
                .extend(length.map(|length| (header::CONTENT_LENGTH, HeaderValue::from_static(length))));
            response
        };
        Router::new()
            .route("/robots.txt", get(robots))
            .route("/page", get(|| async { html(GOOD) }))
            .route("/secret", get(|| async { html(GOOD) }))
    };
    let (huge, long) = (serve(without_end(None)).await, serve(without_end(Some("100000000"))).await);
    let (broken, missing) = (serve(broken).await, serve(missing).await);
    let moved = Router::new()
        .route("/robots.txt", get(move || async move { Redirect::permanent(&format!("http://{huge}/robots.txt")) }))
        .route("/secret", get(|| async { html(GOOD) }));
    let moved = serve(moved).await;
    let urls = [
        format!("http://{broken}/page"),
        format!("http://{missing}/page"),
        format!("http://{huge}/page"),
        format!("http://{huge}/secret"),
        format!("http://{moved}/secret"),
        format!("http://{long}/page"),
        format!("http://{long}/secret"),
    ];
    let (pages, status) = crawl(Setup::new("none"), &urls).await;
    let mut expected = [urls[1].clone(), urls[2].clone(), urls[5].clone()];
    expected.sort();
    assert_eq!(pages.into_keys().collect::<Vec<_>>(), expected);
    assert_eq!(reasons(&status), BTreeMap::from([("robots_unreachable", 1), ("robots", 3)]), "{status:?}");
    assert_eq!(count.load(Ordering::Relaxed), 0, "nothing is fetched where robots.txt fails");
    // Three were asked for. What the sockets hold comes on top of the 500 KiB that are read.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 50_000_000, "{sent} bytes of robots.txt were sent");
}

#[tokio::test]
async fn retry_after_is_waited_for_and_then_the_page_comes() {
    let asked = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    let busy = move || async move {
        let mut times = times.lock();
        times.push(Instant::now());
        match times.len() {
            1 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "2")]).into_response(),
            _ => html(GOOD),
        }
    };
    let address = serve(Router::new().route("/page", get(busy))).await;
    let url = format!("http://{address}/page");
    let (pages, _) = crawl(Setup::new(&address.to_string()), std::slice::from_ref(&url)).await;
    assert!(pages.contains_key(&url));
    let asked = asked.lock();
    assert!(asked[1] - asked[0] >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_host_that_asks_for_an_hour_is_given_up_in_a_single_pass() {
    let busy = || async { (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "3600")]) };
    let router = Router::new().route("/robots.txt", get(|| async { StatusCode::NOT_FOUND })).fallback(busy);
    let address = serve(router).await;
    let urls: Vec<String> = (0..5).map(|page| format!("http://{address}/{page}")).collect();
    let (_, status) = crawl(Setup::new("none"), &urls).await;
    assert_eq!(reasons(&status).values().sum::<u64>(), 5, "{status:?}");
}

#[tokio::test]
async fn private_addresses_are_refused_by_name_by_number_and_behind_redirects() {
    let reached = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&reached);
    let inner = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { html(GOOD) }
    });
    let inner = serve(inner).await;
    let port = inner.port();
    let outer = Router::new()
        .route("/robots.txt", get(|| async { StatusCode::NOT_FOUND }))
        .route("/out", get(move || async move { Redirect::to(&format!("http://localhost:{port}/secret")) }));
    // Reached as 127.0.0.1, which is allowed; localhost, [::1] and the other forms are not.
    let outer = serve(outer).await;
    let mut setup = Setup::new("none");
    setup.allow_private = vec!["127.0.0.1".to_owned()];
    let urls = [
        format!("http://{outer}/out"),
        format!("http://localhost:{port}/a"),
        format!("http://[::1]:{port}/b"),
        format!("http://[::ffff:127.0.0.1]:{port}/c"),
        format!("http://127.0.0.2:{port}/d"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    let (pages, status) = crawl(setup, &urls).await;
    assert!(pages.is_empty());
    assert_eq!(reached.load(Ordering::Relaxed), 0);
    assert_eq!(reasons(&status).values().sum::<u64>(), 6, "{status:?}");
    assert!(status.last_failures.iter().all(|failure| failure.reason.contains("private address")), "{status:?}");
}

#[tokio::test]
async fn no_host_is_asked_faster_than_its_delay() {
    let seen = Arc::new(parking_lot::Mutex::new(Vec::<(Instant, Instant)>::new()));
    let times = Arc::clone(&seen);
    let router = Router::new().fallback(move |uri: axum::http::Uri| {
        let times = Arc::clone(&times);
        async move {
            let came = Instant::now();
            tokio::time::sleep(Duration::from_millis(20)).await;
            times.lock().push((came, Instant::now()));
            match uri.path() {
                "/robots.txt" => "User-agent: *\nCrawl-delay: 0.25\n".into_response(),
                "/redirect" => Redirect::to("/1").into_response(),
                _ => html(format!("<p>{uri}</p>")),
            }
        }
    });
    let address = serve(router).await;
    let mut urls: Vec<String> = (0..5).map(|page| format!("http://{address}/{page}")).collect();
    urls.push(format!("http://{address}/redirect"));
    let (pages, _) = crawl(Setup::new("none"), &urls).await;
    assert_eq!(pages.len(), 5);
    let seen = seen.lock();
    assert_eq!(seen.len(), 7, "robots.txt, five pages and what leads to one of them");
    // The first delay is the setting's (100 ms), known before robots.txt is.
    for (index, pair) in seen.windows(2).enumerate() {
        let least = if index == 0 { 100 } else { 250 };
        assert!(pair[1].0 - pair[0].1 >= Duration::from_millis(least) - Duration::from_millis(1), "{index}");
    }
}

#[tokio::test]
async fn credentials_and_cookies_stay_at_home() {
    let fields = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = Arc::clone(&fields);
    let router = Router::new().route("/robots.txt", get(|| async { StatusCode::NOT_FOUND })).fallback(
        move |request: axum::extract::Request| {
            seen.lock().push(request.headers().clone());
            async { ([(header::SET_COOKIE, "session=1"), (header::CONTENT_TYPE, "text/html")], GOOD) }
        },
    );
    let address = serve(router).await;
    let urls = [format!("http://user:secret@{address}/1"), format!("http://{address}/2")];
    crawl(Setup::new(&address.to_string()), &urls).await;
    let fields = fields.lock();
    assert_eq!(fields.len(), 2);
    for request in fields.iter() {
        let has = |name: HeaderName| request.contains_key(name);
        assert!(!has(header::AUTHORIZATION) && !has(header::COOKIE) && !has(header::REFERER));
        assert_eq!(request[header::USER_AGENT], "RecipeAlert/test");
    }
}
