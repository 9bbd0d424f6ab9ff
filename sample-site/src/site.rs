//! The routes: list pages, recipes, the files for crawlers.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::response::Redirect;
use axum::routing::get;
use serde::Deserialize;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use tokio::net::TcpListener;

use crate::catalog::{Catalog, Recipe, path};
use crate::document::{Document, gzip, names_tag, text};
use crate::render::{Entry, List, Renderer};

/// Entries on one list page.
const PAGE_SIZE: usize = 12;
/// Date of what has none of its own: style sheet, lists, broken pages.
const LAUNCH: &str = "2026-01-01";
const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = include_str!("../templates/style.css");

struct Site {
    catalog: Catalog,
    renderer: Renderer,
    entries: Vec<Entry>,
    /// By slug, for the pages that change: whether they have been seen once.
    visited: HashMap<String, AtomicBool>,
}

type Page = Result<Response<Body>, Failure>;

/// A page that could not be made: the fault is the site's, so the reader gets a 500 with the reason.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl axum::response::IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        tracing::error!(error = self.0, "page not rendered");
        text(StatusCode::INTERNAL_SERVER_ERROR, &self.0)
    }
}

/// Serves the site on a listener until `shutdown` completes; requests under way are finished.
///
/// # Errors
/// When the embedded content cannot be read or the listener fails.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let site = router().map_err(io::Error::other)?;
    axum::serve(listener, site).with_graceful_shutdown(shutdown).await
}

/// The site as a router, its pages as they are before the first visit.
///
/// # Errors
/// When the embedded content or a template cannot be read, which the crate's tests rule out.
pub fn router() -> Result<Router, Box<dyn std::error::Error + Send + Sync>> {
    let catalog = Catalog::embedded()?;
    let renderer = Renderer::new(catalog.categories().into_iter().map(str::to_owned).collect())?;
    let changing = catalog.recipes.iter().filter(|recipe| recipe.later.is_some());
    let visited = changing.map(|recipe| (recipe.slug.clone(), AtomicBool::new(false))).collect();
    let entries = entries(&catalog)?;
    let site = Arc::new(Site { catalog, renderer, entries, visited });
    Ok(Router::new()
        .route("/", get(|| async { Redirect::permanent("/recipes/") }))
        .route("/recipes/", get(all_recipes))
        .route("/recipes/{category}/", get(category))
        // The path of the tutorial's list page.
        .route("/recipes/96/salad/", get(salads))
        .route("/recipe/{slug}/", get(recipe))
        .route("/private/{slug}/", get(private))
        .route("/robots.txt", get(robots))
        .route("/sitemap.xml", get(sitemap_index))
        .route("/sitemap-recipes.xml", get(sitemap_of_recipes))
        .route("/sitemap-pages.xml.gz", get(sitemap_of_pages))
        .route("/feed.xml", get(feed))
        .route("/style.css", get(style))
        .route("/health/live", get(|| async { "ok\n" }))
        .fallback(|| async { text(StatusCode::NOT_FOUND, "there is no such page here") })
        .with_state(site))
}

/// One entry for each page a reader may find, the newest recipe first, pages that are no recipes last.
fn entries(catalog: &Catalog) -> Result<Vec<Entry>, time::error::Parse> {
    let mut recipes: Vec<&Recipe> = catalog.recipes.iter().collect();
    recipes.sort_by(|a, b| b.published.cmp(&a.published));
    let mut entries = Vec::new();
    for recipe in recipes {
        let published = date(&recipe.published)?;
        entries.push(Entry {
            path: path(&recipe.slug),
            title: recipe.title.clone(),
            description: recipe.description.clone(),
            submitter: recipe.submitter.clone(),
            lastmod: Some(recipe.changed_on(false).to_owned()),
            date: published.format(&Rfc2822).ok(),
        });
    }
    for page in &catalog.pages {
        let title = if page.title.is_empty() { page.slug.clone() } else { page.title.clone() };
        let none = String::new();
        let (description, submitter) = (none.clone(), none);
        entries.push(Entry { path: path(&page.slug), title, description, submitter, lastmod: None, date: None });
    }
    Ok(entries)
}

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
}

async fn all_recipes(State(site): State<Arc<Site>>, Query(paging): Query<Paging>, head: HeaderMap) -> Page {
    let listed = |path_of: &str| site.catalog.pages.iter().all(|page| page.listed || path(&page.slug) != path_of);
    let entries: Vec<Entry> = site.entries.iter().filter(|entry| listed(&entry.path)).cloned().collect();
    list(&site, "All recipes", "/recipes/", &entries, &paging, &head)
}

async fn category(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(paging): Query<Paging>,
    head: HeaderMap,
) -> Page {
    list_of_category(&site, &name, &format!("/recipes/{name}/"), &paging, &head)
}

async fn salads(State(site): State<Arc<Site>>, Query(paging): Query<Paging>, head: HeaderMap) -> Page {
    list_of_category(&site, "salad", "/recipes/96/salad/", &paging, &head)
}

fn list_of_category(site: &Site, name: &str, at: &str, paging: &Paging, head: &HeaderMap) -> Page {
    let in_category = |recipe: &&Recipe| recipe.category == name;
    let paths: Vec<String> = site.catalog.recipes.iter().filter(in_category).map(|recipe| path(&recipe.slug)).collect();
    if paths.is_empty() {
        return Ok(text(StatusCode::NOT_FOUND, "there is no such category"));
    }
    let entries: Vec<Entry> = site.entries.iter().filter(|entry| paths.contains(&entry.path)).cloned().collect();
    list(site, name, at, &entries, paging, head)
}

fn list(site: &Site, heading: &str, at: &str, entries: &[Entry], paging: &Paging, head: &HeaderMap) -> Page {
    let page = paging.page.unwrap_or(1);
    let pages = entries.len().div_ceil(PAGE_SIZE);
    if page == 0 || page > pages {
        return Ok(text(StatusCode::NOT_FOUND, "there is no such page of this list"));
    }
    let number = |page: usize| if page == 1 { at.to_owned() } else { format!("{at}?page={page}") };
    let html = site.renderer.list(&List {
        heading,
        cards: &entries[(page - 1) * PAGE_SIZE..entries.len().min(page * PAGE_SIZE)],
        page,
        pages,
        next: (page < pages).then(|| number(page + 1)),
        previous: (page > 1).then(|| number(page - 1)),
    })?;
    document(HTML, html, LAUNCH, head)
}

async fn recipe(State(site): State<Arc<Site>>, Path(slug): Path<String>, method: Method, head: HeaderMap) -> Page {
    let base = base(&head);
    if let Some(page) = site.catalog.pages.iter().find(|page| page.slug == slug) {
        return document(HTML, site.renderer.page(&base, page)?, LAUNCH, &head);
    }
    let Some(recipe) = site.catalog.recipes.iter().find(|recipe| recipe.slug == slug) else {
        return Ok(text(StatusCode::NOT_FOUND, "there is no such recipe"));
    };
    let first = recipe_document(&site, &base, recipe, false)?;
    let document = match site.visited.get(&slug) {
        None => first,
        Some(visited) => {
            let changed = recipe_document(&site, &base, recipe, true)?;
            if is_later(visited, &method, &head, &changed) { changed } else { first }
        }
    };
    Ok(document.answer(&head))
}

/// Whether this visit of a page that changes gets the later page. The first GET gets the first page; a client that
/// shows it has the later one already (after this process started anew) is not shown the past again.
fn is_later(visited: &AtomicBool, method: &Method, head: &HeaderMap, changed: &Document) -> bool {
    let tags = head.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if tags.is_some_and(|tags| names_tag(tags, &changed.etag())) {
        visited.store(true, Ordering::Relaxed);
        return true;
    }
    if method == Method::HEAD { visited.load(Ordering::Relaxed) } else { visited.swap(true, Ordering::Relaxed) }
}

fn recipe_document(site: &Site, base: &str, recipe: &Recipe, later: bool) -> Result<Document, Failure> {
    Ok(Document {
        content_type: format!("text/html; charset={}", recipe.charset),
        body: site.renderer.recipe(base, recipe, later)?,
        modified: date(recipe.changed_on(later))?,
    })
}

async fn private(State(site): State<Arc<Site>>, Path(slug): Path<String>, head: HeaderMap) -> Page {
    match site.catalog.private.iter().find(|page| page.slug == slug) {
        Some(page) => document(HTML, site.renderer.private(page)?, LAUNCH, &head),
        None => Ok(text(StatusCode::NOT_FOUND, "there is no such page")),
    }
}

async fn robots(State(site): State<Arc<Site>>, head: HeaderMap) -> Page {
    let robots = site.renderer.crawler_file("robots.txt", &base(&head), &[])?;
    document("text/plain; charset=utf-8", robots, LAUNCH, &head)
}

async fn sitemap_index(State(site): State<Arc<Site>>, head: HeaderMap) -> Page {
    let xml = site.renderer.crawler_file("sitemap_index.xml", &base(&head), &site.entries)?;
    document("application/xml", xml, LAUNCH, &head)
}

async fn sitemap_of_recipes(State(site): State<Arc<Site>>, head: HeaderMap) -> Page {
    let dated: Vec<Entry> = site.entries.iter().filter(|entry| entry.lastmod.is_some()).cloned().collect();
    let xml = site.renderer.crawler_file("sitemap.xml", &base(&head), &dated)?;
    document("application/xml", xml, LAUNCH, &head)
}

/// The pages that are no recipes, and those robots.txt forbids: a sitemap invites nobody past it.
async fn sitemap_of_pages(State(site): State<Arc<Site>>, head: HeaderMap) -> Page {
    let mut entries: Vec<Entry> = site.entries.iter().filter(|entry| entry.lastmod.is_none()).cloned().collect();
    for page in &site.catalog.private {
        let (title, path) = (page.title.clone(), format!("/private/{}/", page.slug));
        let none = String::new();
        let (description, submitter) = (none.clone(), none);
        entries.push(Entry { path, title, description, submitter, lastmod: None, date: None });
    }
    let xml = site.renderer.crawler_file("sitemap.xml", &base(&head), &entries)?;
    let modified = date(LAUNCH)?;
    Ok(Document { content_type: "application/gzip".into(), body: gzip(xml.as_bytes())?, modified }.answer(&head))
}

async fn feed(State(site): State<Arc<Site>>, head: HeaderMap) -> Page {
    let newest: Vec<Entry> = site.entries.iter().filter(|entry| entry.date.is_some()).take(10).cloned().collect();
    let xml = site.renderer.crawler_file("feed.xml", &base(&head), &newest)?;
    document("application/rss+xml", xml, LAUNCH, &head)
}

async fn style(head: HeaderMap) -> Page {
    document("text/css", STYLE.to_owned(), LAUNCH, &head)
}

fn document(content_type: &str, body: String, modified: &str, head: &HeaderMap) -> Page {
    let modified = date(modified)?;
    Ok(Document { content_type: content_type.into(), body: body.into_bytes(), modified }.answer(head))
}

/// The site's address as the client named it, so that links work by every name the site is reached under.
fn base(head: &HeaderMap) -> String {
    let host = head.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) { "http://localhost:8088".into() } else { format!("http://{host}") }
}

fn date(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    Ok(Date::parse(text, format_description!("[year]-[month]-[day]"))?.midnight().assume_utc())
}
