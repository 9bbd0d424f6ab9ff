//! A web for the crawler: many hosts on loopback that behave as hosts do, and measure how they are treated.
//!
//! Host `n` is `127.1.<n / 250>.<n % 250 + 1>`; its sitemap names its pages, and `/index.xml` of the first host names all
//! sitemaps. Of each hundred pages one is forbidden, gone, broken, busy once (429 with Retry-After), slow, redirected,
//! or redirected for ever.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// Bytes of a page.
const PAGE: usize = 20 * 1024;

/// The web. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    inner: Arc<Inner>,
}

struct Inner {
    port: u16,
    hosts: usize,
    pages: usize,
    /// Version of the pages that change.
    version: AtomicU64,
    seen: Mutex<Seen>,
    /// Requests that came before, by host and path.
    busy: Mutex<HashSet<String>>,
}

/// What the hosts saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    last: HashMap<String, Instant>,
    /// Shortest time between two requests to one host.
    pub shortest: Option<Duration>,
    /// Requests.
    pub requests: u64,
    /// Requests for what robots.txt forbids.
    pub forbidden: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Answers.
    pub by_status: BTreeMap<u16, u64>,
}

impl Web {
    /// Serves hosts of so many pages each, for as long as the runtime lives.
    ///
    /// # Errors
    /// The port cannot be listened on at every address of this machine.
    pub async fn serve(port: u16, hosts: usize, pages: usize) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        let inner = Inner {
            port: listener.local_addr()?.port(),
            hosts,
            pages,
            version: AtomicU64::new(1),
            seen: Mutex::default(),
            busy: Mutex::default(),
        };
        let web = Self { inner: Arc::new(inner) };
        let router = Router::new().fallback(answer).with_state(web.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(web)
    }

    /// Address of the sitemap that names all others.
    #[must_use]
    pub fn index(&self) -> String {
        format!("http://{}/index.xml", self.host(0))
    }

    /// Addresses of the pages that are to be published, each once: those that robots.txt allows and the host gives.
    #[must_use]
    pub fn published(&self) -> Vec<String> {
        let pages = || (0..self.inner.pages).filter(|page| !matches!(page % 100, 1 | 2 | 3 | 6 | 7));
        (0..self.inner.hosts)
            .flat_map(|host| pages().map(move |page| format!("http://{}/page/{page}", self.host(host))))
            .collect()
    }

    /// Changes one page in a hundred, number 10 of each.
    pub fn change(&self) {
        self.inner.version.fetch_add(1, Ordering::Relaxed);
    }

    /// What the hosts saw since they were asked last.
    #[must_use]
    pub fn take_seen(&self) -> Seen {
        std::mem::take(&mut self.inner.seen.lock())
    }

    fn host(&self, number: usize) -> String {
        format!("127.1.{}.{}:{}", number / 250, number % 250 + 1, self.inner.port)
    }

    fn came(&self, host: &str) {
        let now = Instant::now();
        let mut seen = self.inner.seen.lock();
        seen.requests += 1;
        if let Some(last) = seen.last.insert(host.to_owned(), now) {
            let gap = now - last;
            seen.shortest = Some(seen.shortest.map_or(gap, |shortest| shortest.min(gap)));
        }
    }

    fn sitemaps(&self) -> Response<Body> {
        let name = |host: usize| format!("<sitemap><loc>http://{}/sitemap.xml</loc></sitemap>", self.host(host));
        xml(format!("<sitemapindex>{}</sitemapindex>", (0..self.inner.hosts).map(name).collect::<String>()))
    }

    fn sitemap(&self, host: &str) -> Response<Body> {
        let name = |page: usize| {
            let folder = if page % 100 == 1 { "forbidden" } else { "page" };
            format!("<url><loc>http://{host}/{folder}/{page}</loc></url>")
        };
        xml(format!("<urlset>{}</urlset>", (0..self.inner.pages).map(name).collect::<String>()))
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
        let version = if page % 100 == 10 { self.inner.version.load(Ordering::Relaxed) } else { 1 };
        let etag = format!("\"{page}-{version}\"");
        if head.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
        }
        let text = format!("{host}{path} {version}");
        let mut body = format!("<html><head><title>{text}</title></head><body><p>{text}</p><p>").into_bytes();
        body.resize(PAGE, b'x');
        self.inner.seen.lock().bytes += body.len() as u64;
        ([(header::CONTENT_TYPE, "text/html".to_owned()), (header::ETAG, etag)], Bytes::from(body)).into_response()
    }

    fn is_first(&self, host: &str, path: &str) -> bool {
        self.inner.busy.lock().insert(format!("{host}{path}"))
    }
}

async fn answer(State(web): State<Web>, request: Request) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let path = request.uri().path().to_owned();
    web.came(&host);
    let response = match path.as_str() {
        "/robots.txt" => "User-agent: *\nDisallow: /forbidden/\n".into_response(),
        "/index.xml" => web.sitemaps(),
        "/sitemap.xml" => web.sitemap(&host),
        _ => web.page(&host, &path, request.headers()).await,
    };
    let mut seen = web.inner.seen.lock();
    *seen.by_status.entry(response.status().as_u16()).or_default() += 1;
    seen.forbidden += u64::from(path.starts_with("/forbidden/"));
    response
}

fn xml(body: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
