//! A test web for the crawler: many hosts on loopback that behave as hosts do, and measure how they are treated.
//!
//! `crawl_web [PORT] [HOSTS] [PAGES]` (18090, 1000, 100). Host `n` is `127.1.<n / 250>.<n % 250 + 1>:PORT`; its sitemap
//! names its pages, and `http://127.1.0.1:PORT/index.xml` names all sitemaps. Of each hundred pages one is forbidden,
//! gone, broken, busy once (429 with Retry-After), slow, redirected, or redirected for ever. `http://127.0.0.1:PORT/stats`
//! tells requests, bytes, 304s, and the shortest time between two requests to one host.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// Bytes of a page.
const PAGE: usize = 20 * 1024;

struct Web {
    port: u16,
    hosts: usize,
    pages: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    last: HashMap<String, Instant>,
    busy: HashMap<String, u32>,
    shortest: Option<Duration>,
    requests: u64,
    forbidden: u64,
    bytes: u64,
    by_status: BTreeMap<u16, u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let port = u16::try_from(number(18090)?).context("PORT is 0 to 65535")?;
    let (hosts, pages) = (number(1000)?, number(100)?);
    let web = Arc::new(Web { port, hosts, pages, seen: Mutex::default() });
    let listener = TcpListener::bind(("0.0.0.0", port)).await.with_context(|| format!("listen on port {port}"))?;
    println!("http://127.1.0.1:{port}/index.xml names {hosts} hosts of {pages} pages");
    axum::serve(listener, Router::new().fallback(answer).with_state(web)).await.context("serve")
}

async fn answer(State(web): State<Arc<Web>>, request: Request) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let path = request.uri().path().to_owned();
    if host.starts_with("127.0.0.1") {
        return web.stats();
    }
    web.came(&host);
    let response = match path.as_str() {
        "/robots.txt" => "User-agent: *\nDisallow: /forbidden/\n".into_response(),
        "/index.xml" => web.index(),
        "/sitemap.xml" => web.sitemap(&host),
        _ => web.page(&host, &path, request.headers()).await,
    };
    let mut seen = web.seen.lock();
    *seen.by_status.entry(response.status().as_u16()).or_default() += 1;
    seen.forbidden += u64::from(path.starts_with("/forbidden/"));
    response
}

impl Web {
    fn came(&self, host: &str) {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        seen.requests += 1;
        if let Some(last) = seen.last.insert(host.to_owned(), now) {
            let gap = now - last;
            seen.shortest = Some(seen.shortest.map_or(gap, |shortest| shortest.min(gap)));
        }
    }

    fn stats(&self) -> Response<Body> {
        let seen = self.seen.lock();
        let shortest = seen.shortest.unwrap_or_default().as_millis();
        let (requests, forbidden, bytes, by_status) = (seen.requests, seen.forbidden, seen.bytes, &seen.by_status);
        format!(
            "requests {requests}\nforbidden {forbidden}\nbytes {bytes}\nby status {by_status:?}\n\
             shortest time between two requests to one host {shortest} ms\n"
        )
        .into_response()
    }

    fn index(&self) -> Response<Body> {
        let name = |host: usize| format!("<sitemap><loc>http://{}/sitemap.xml</loc></sitemap>", self.host(host));
        xml(format!("<sitemapindex>{}</sitemapindex>", (0..self.hosts).map(name).collect::<String>()))
    }

    fn host(&self, number: usize) -> String {
        format!("127.1.{}.{}:{}", number / 250, number % 250 + 1, self.port)
    }

    fn sitemap(&self, host: &str) -> Response<Body> {
        let name = |page: usize| {
            let folder = if page % 100 == 1 { "forbidden" } else { "page" };
            format!("<url><loc>http://{host}/{folder}/{page}</loc></url>")
        };
        xml(format!("<urlset>{}</urlset>", (0..self.pages).map(name).collect::<String>()))
    }

    async fn page(&self, host: &str, path: &str, head: &HeaderMap) -> Response<Body> {
        let Some(page) = path.strip_prefix("/page/").and_then(|page| page.parse::<usize>().ok()) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        match page % 100 {
            2 => return StatusCode::NOT_FOUND.into_response(),
            3 => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            4 if self.is_first(host, path) => {
                return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
            }
            5 => tokio::time::sleep(Duration::from_millis(200)).await,
            6 => return (StatusCode::FOUND, [(header::LOCATION, "/page/0")]).into_response(),
            7 => return (StatusCode::FOUND, [(header::LOCATION, path)]).into_response(),
            _ => {}
        }
        let etag = format!("\"{page}\"");
        if head.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
        }
        let mut body =
            format!("<html><head><title>{host}{path}</title></head><body><p>{host}{path}</p><p>").into_bytes();
        body.resize(PAGE, b'x');
        self.seen.lock().bytes += body.len() as u64;
        ([(header::CONTENT_TYPE, "text/html".to_owned()), (header::ETAG, etag)], Bytes::from(body)).into_response()
    }

    fn is_first(&self, host: &str, path: &str) -> bool {
        let mut seen = self.seen.lock();
        let times = seen.busy.entry(format!("{host}{path}")).or_default();
        *times += 1;
        *times == 1
    }
}

fn xml(body: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
