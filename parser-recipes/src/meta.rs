//! What a page says of itself in its head: `<meta>`, `<title>`, `<html lang>`.

use crate::draft::Draft;
use crate::html::{Document, Tag};
use crate::values::{self, author_name, clean};

const WRITTEN_BY: &[&str] = &[
    "written by",
    "geschrieben von",
    "verfasst von",
    "écrit par",
    "escrito por",
    "scritto da",
    "geschreven door",
    "napisane przez",
    "skriven av",
    "skrevet af",
    "skrevet av",
    "napisal",
    "автор",
];

/// Reads the head; the second value is the site's name. `host` helps to take that name off the title.
pub fn read(page: &Document<'_>, host: &str) -> (Draft, Option<String>) {
    let mut draft = Draft::default();
    let (mut og_title, mut site, mut title, mut h1) = (None, None, None, None);
    let (mut og_description, mut author) = (None, None);
    // WordPress's SEO plugins name the author in a card of labels and values.
    let (mut written_by, mut writer) = (false, None);
    for node in page.all() {
        match page.tag(node) {
            Tag::Html => draft.language = page.attr(node, "lang").map(|l| clean(&l)).filter(|l| !l.is_empty()),
            Tag::Title if title.is_none() => title = Some(page.text(node)).filter(|t| !t.is_empty()),
            Tag::H1 if h1.is_none() => h1 = Some(page.text(node)).filter(|t| !t.is_empty()),
            Tag::Meta => {
                let key = page.attr(node, "property").or_else(|| page.attr(node, "name"));
                let (Some(key), Some(content)) = (key, page.attr(node, "content")) else { continue };
                let content = clean(&content);
                if content.is_empty() {
                    continue;
                }
                match &*key.to_ascii_lowercase() {
                    "og:title" => og_title = og_title.or(Some(content)),
                    "og:site_name" => site = site.or(Some(content)),
                    "og:description" => og_description = og_description.or(Some(content)),
                    "description" => draft.description = draft.description.or(Some(content)),
                    "og:image" if content.starts_with("http") => draft.image = draft.image.or(Some(content)),
                    "twitter:label1" => written_by = WRITTEN_BY.contains(&&*content.to_lowercase()),
                    "twitter:data1" if written_by => writer = writer.or_else(|| author_name(&content)),
                    "author" | "article:author" | "dc.creator" => author = author.or_else(|| author_name(&content)),
                    _ => {}
                }
            }
            Tag::Link if draft.url.is_none() && page.attr_raw(node, "rel") == Some("canonical") => {
                draft.url = page.attr(node, "href").map(|u| u.into_owned());
            }
            _ => {}
        }
    }
    // A page read from a file says itself where it lives.
    let own = draft.url.as_deref().and_then(|u| url::Url::parse(u).ok());
    let host = if host.is_empty() { own.as_ref().and_then(url::Url::host_str).unwrap_or("") } else { host };
    let host = host.strip_prefix("www.").unwrap_or(host);
    let name = host.rsplit_once('.').map_or(host, |(name, _)| name);
    let site = site.or_else(|| title.as_deref().and_then(|t| values::site_in_title(t, name)));
    let sites: Vec<&str> = site.as_deref().into_iter().chain([name, host]).collect();
    // The heading is what a reader takes for the title; the other two are written for other sites.
    draft.title = h1.or(og_title).or(title).map(|t| values::title(&t, &sites));
    draft.description = draft.description.or(og_description);
    draft.authors = author.or(writer).into_iter().collect();
    (draft, site)
}

/// "Example" of "Example.com".
pub fn without_domain(site: &str) -> &str {
    match site.rsplit_once('.') {
        Some((name, end)) if (2..=3).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_lowercase()) => name,
        _ => site,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_read() {
        let page = Document::parse(
            "<html lang=de><title>Suppe | Küche</title><meta property=og:site_name content='Küche'>\
             <meta name=twitter:label1 content='Geschrieben von'><meta name=twitter:data1 content=Bob><meta name=author content=Ann><meta property='og:image' content='https://a/b.jpg'>",
        );
        let (draft, site) = read(&page, "kueche.example");
        assert_eq!(site.as_deref(), Some("Küche"));
        assert_eq!((without_domain("Example.com"), without_domain("Dr. No")), ("Example", "Dr. No"));
        assert_eq!(draft.title.as_deref(), Some("Suppe"));
        assert_eq!(draft.language.as_deref(), Some("de"));
        assert_eq!(draft.authors, ["Ann"]);
        assert_eq!(draft.image.as_deref(), Some("https://a/b.jpg"));
    }
}
