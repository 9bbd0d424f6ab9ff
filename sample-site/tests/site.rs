//! The site as a crawler sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::HashSet;
use std::io::Read;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use sample_site::{Catalog, Outcome};
use tower::ServiceExt;

struct Visitor(axum::Router);

impl Visitor {
    fn new() -> Self {
        Self(sample_site::router().unwrap())
    }

    async fn get_with(&self, path: &str, fields: &[(header::HeaderName, &str)]) -> Response<Body> {
        let mut request = Request::get(path).header(header::HOST, "spoon.test:8088");
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        self.0.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        let response = self.get_with(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        String::from_utf8_lossy(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).into_owned()
    }
}

/// The values of an attribute or element, by the text around them.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[tokio::test]
async fn the_lists_and_the_sitemaps_lead_to_every_page() {
    let site = Visitor::new();
    let mut listed = HashSet::new();
    let mut next = Some("/recipes/".to_owned());
    while let Some(path) = next {
        let html = site.text(&path).await;
        listed.extend(between(&html, "fixed-recipe-card__title-link\" href=\"", "\"").into_iter().map(str::to_owned));
        next = between(&html, "class=\"next\" href=\"", "\"").first().map(|path| (*path).to_owned());
    }
    let index = site.text("/sitemap.xml").await;
    assert_eq!(
        between(&index, "<loc>http://spoon.test:8088", "</loc>"),
        ["/sitemap-recipes.xml", "/sitemap-pages.xml.gz"]
    );
    let recipes = site.text("/sitemap-recipes.xml").await;
    let response = site.get_with("/sitemap-pages.xml.gz", &[]).await;
    let packed = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let mut pages = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut pages).unwrap();
    let mapped: HashSet<String> = [recipes, pages]
        .iter()
        .flat_map(|xml| between(xml, "<loc>http://spoon.test:8088", "</loc>"))
        .filter(|path| !path.starts_with("/private/"))
        .map(str::to_owned)
        .collect();

    let expected: HashSet<String> = Catalog::embedded().unwrap().expected().map(|(path, _)| path).collect();
    assert_eq!(mapped, expected);
    let only_mapped: Vec<&String> = mapped.difference(&listed).collect();
    assert_eq!(only_mapped, ["/recipe/blank/"]);
    for path in &expected {
        site.text(path).await;
    }
}

#[tokio::test]
async fn a_page_seen_is_not_sent_again_until_it_changes() {
    let site = Visitor::new();
    let (recipe, later) = (Catalog::embedded().unwrap().recipes.into_iter())
        .find_map(|recipe| recipe.later.clone().map(|later| (recipe, later)))
        .unwrap();
    assert_eq!((recipe.outcome, later.outcome), (Outcome::Below, Outcome::Alert));
    let changing = format!("/recipe/{}/", recipe.slug);
    let etag = |response: &Response<Body>| response.headers()[header::ETAG].to_str().unwrap().to_owned();

    let first = site.get_with(&changing, &[]).await;
    let second = site.get_with(&changing, &[(header::IF_NONE_MATCH, &etag(&first))]).await;
    assert_eq!(second.status(), StatusCode::OK, "the page changed");
    assert_ne!(etag(&first), etag(&second));
    let third = site.get_with(&changing, &[(header::IF_NONE_MATCH, &etag(&second))]).await;
    assert_eq!(third.status(), StatusCode::NOT_MODIFIED);

    // A site started anew does not go back to the past for a visitor who has the later page.
    let anew = Visitor::new();
    let fourth = anew.get_with(&changing, &[(header::IF_NONE_MATCH, &etag(&second))]).await;
    assert_eq!(fourth.status(), StatusCode::NOT_MODIFIED);

    let steady = "/recipe/red-lentil-soup-with-lemon/";
    let seen = site.get_with(steady, &[]).await;
    let again = site.get_with(steady, &[(header::IF_NONE_MATCH, &etag(&seen))]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn the_tutorials_list_page_and_selectors_are_there() {
    let site = Visitor::new();
    let list = site.text("/recipes/96/salad/").await;
    assert!(list.contains("<h3 class=\"fixed-recipe-card__h3\"><a "));
    let page = site.text("/recipe/warm-potato-salad-with-mustard/").await;
    for selector in ["recipe-summary__h1", "submitter__name", "submitter__description", "recipe-ingred_txt"] {
        assert!(page.contains(selector), "{selector}");
    }
    assert!(page.contains(r#"<span class="calorie-count"><span>319</span> cals</span>"#));
}

#[tokio::test]
async fn robots_forbids_what_the_sitemap_names() {
    let site = Visitor::new();
    let robots = site.text("/robots.txt").await;
    assert!(robots.contains("Disallow: /private/") && robots.contains("Sitemap: http://spoon.test:8088/sitemap.xml"));
    assert!(site.text("/private/guest-list/").await.contains("did not read robots.txt"));
}
