//! A list of recipes with a link selector, as the tutorial has it, and its further pages.

use scraper::{Html, Selector};
use url::Url;

use crate::canonical;
use crate::fetch_error::FetchError;
use crate::source::{Link, Role, SourceSpec};

/// The next page where the source names no selector.
const NEXT: &str = "link[rel~=next], a[rel~=next]";

/// The recipes a list page links to, and the page after it.
pub(super) fn links(spec: &SourceSpec, page: u32, url: &Url, body: &[u8]) -> Result<Vec<Link>, FetchError> {
    let html = Html::parse_document(&String::from_utf8_lossy(body));
    let base = select(&html, "base[href]")?.first().and_then(|href| url.join(href).ok()).unwrap_or_else(|| url.clone());
    let mut links: Vec<Link> = Vec::new();
    for href in select(&html, &spec.links)? {
        links.extend(canonical::resolve(&base, &href).map(|url| Link::new(url, Role::Page)));
    }
    if links.is_empty() {
        return Err(FetchError::Unreadable(format!("no link on the page matches {:?}", spec.links)));
    }
    if page + 1 < spec.max_pages {
        let next = select(&html, spec.next.as_deref().unwrap_or(NEXT))?;
        let next = next.first().and_then(|href| canonical::resolve(&base, href));
        links.extend(next.filter(|next| next != url).map(|next| Link::new(next, Role::List(page + 1))));
    }
    Ok(links)
}

/// The `href` of each element that matches, or of the first link inside of it.
fn select(html: &Html, selector: &str) -> Result<Vec<String>, FetchError> {
    let parse =
        |text: &str| Selector::parse(text).map_err(|error| FetchError::Unreadable(format!("selector: {error}")));
    let (selector, inner) = (parse(selector)?, parse("a[href]")?);
    let href = |element: scraper::ElementRef<'_>| {
        let own = element.value().attr("href");
        own.or_else(|| element.select(&inner).next()?.value().attr("href")).map(str::to_owned)
    };
    Ok(html.select(&selector).filter_map(href).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Kind;

    const PAGE: &str = r#"<h3 class="card"><a href="/r/1?utm_source=list">One</a></h3><h3 class="card"><a href="/r/2">Two</a>
        </h3><a href="/about">About</a><a rel="next" href="?page=2">Older</a>"#;

    fn spec() -> SourceSpec {
        let mut spec = SourceSpec::new("test", Kind::List, "http://a.example/list/");
        spec.links = ".card a".to_owned();
        spec
    }

    fn of(spec: &SourceSpec, page: u32) -> Result<Vec<String>, FetchError> {
        let url = Url::parse("http://a.example/list/").unwrap();
        Ok(links(spec, page, &url, PAGE.as_bytes())?
            .into_iter()
            .map(|link| format!("{:?} {}", link.role, link.url))
            .collect())
    }

    #[test]
    fn links_by_selector_then_the_next_page() {
        let expected =
            ["Page http://a.example/r/1", "Page http://a.example/r/2", "List(1) http://a.example/list/?page=2"];
        assert_eq!(of(&spec(), 0).unwrap(), expected);
        let around = SourceSpec { links: ".card".to_owned(), ..spec() };
        assert_eq!(of(&around, 0).unwrap(), expected);
    }

    #[test]
    fn pagination_ends_where_it_should() {
        let spec = SourceSpec { max_pages: 3, ..spec() };
        assert_eq!(of(&spec, 1).unwrap().len(), 3);
        assert_eq!(of(&spec, 2).unwrap().len(), 2);
    }

    #[test]
    fn a_selector_that_finds_nothing_is_a_failure() {
        let spec = SourceSpec { links: ".gone".to_owned(), ..spec() };
        assert!(of(&spec, 0).unwrap_err().to_string().contains(".gone"));
    }
}
