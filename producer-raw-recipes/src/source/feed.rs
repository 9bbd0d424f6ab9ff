//! RSS 0.9x to 2.0, RDF (RSS 1.0), Atom and JSON Feed: the links of their items.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use crate::canonical;
use crate::fetch_error::FetchError;
use crate::source::{Link, Role, sitemap, unreadable, xml_text};

/// Items of one feed that are read.
const MAX_ITEMS: usize = 10_000;

/// The pages that a feed's items lead to.
pub(super) fn links(url: &Url, body: &[u8]) -> Result<Vec<Link>, FetchError> {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    if text.starts_with(b"{") { read_json(url, text) } else { read_xml(url, &xml_text(text)) }
}

#[derive(Deserialize)]
struct JsonFeed {
    version: String,
    #[serde(default)]
    items: Vec<JsonItem>,
}

#[derive(Deserialize)]
struct JsonItem {
    url: Option<String>,
    external_url: Option<String>,
    date_modified: Option<String>,
    date_published: Option<String>,
}

fn read_json(url: &Url, text: &[u8]) -> Result<Vec<Link>, FetchError> {
    let feed: JsonFeed = serde_json::from_slice(text).map_err(|error| unreadable("the JSON feed", error))?;
    if !feed.version.contains("jsonfeed.org") {
        return Err(FetchError::Unreadable(format!("no JSON feed: its version is {:?}", feed.version)));
    }
    let link = |item: JsonItem| {
        let changed = item.date_modified.or(item.date_published).and_then(|text| sitemap::date(&text));
        let url = canonical::resolve(url, &item.url.or(item.external_url)?)?;
        Some(Link { url, role: Role::Page, changed })
    };
    Ok(feed.items.into_iter().take(MAX_ITEMS).filter_map(link).collect())
}

#[derive(Default)]
struct Item {
    link: String,
    /// RSS: a guid that is a link, used where there is no link.
    guid: String,
    guid_is_link: bool,
    changed: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Field {
    Link,
    Guid,
    Changed,
}

fn read_xml(url: &Url, text: &str) -> Result<Vec<Link>, FetchError> {
    let mut reader = Reader::from_str(text);
    let (mut links, mut item, mut field, mut is_feed) = (Vec::new(), None::<Item>, None, false);
    loop {
        match reader.read_event().map_err(|error| unreadable("the feed", error))? {
            Event::Start(tag) => {
                is_feed |= matches!(tag.local_name().as_ref(), "rss" | "RDF" | "feed");
                field = begin(&tag, &mut item);
            }
            Event::Empty(tag) => {
                begin(&tag, &mut item);
            }
            Event::End(tag) => {
                field = None;
                if matches!(tag.local_name().as_ref(), "item" | "entry") {
                    links.extend(item.take().and_then(|item| item.finish(url)));
                }
            }
            Event::Text(text) => add(&mut item, field, &text),
            Event::CData(text) => add(&mut item, field, &text),
            // Titles and texts are full of HTML's entities, which do not matter here; links have XML's only.
            Event::GeneralRef(name) if field.is_some() => add(&mut item, field, &sitemap::entity(&name)?),
            Event::Eof => break,
            _ => {}
        }
        if links.len() >= MAX_ITEMS {
            break;
        }
    }
    if !is_feed {
        return Err(FetchError::Unreadable("no feed: neither RSS nor Atom nor JSON Feed".to_owned()));
    }
    Ok(links)
}

/// Looks at a start tag: a new item, a field of one, or Atom's link with its address in an attribute.
fn begin(tag: &BytesStart<'_>, item: &mut Option<Item>) -> Option<Field> {
    let name = tag.local_name();
    if matches!(name.as_ref(), "item" | "entry") {
        *item = Some(Item::default());
        return None;
    }
    let inside = item.as_mut()?;
    match name.as_ref() {
        "link" => match attribute(tag, "href") {
            None => tag.name().prefix().is_none().then_some(Field::Link),
            Some(href) => {
                let rel = attribute(tag, "rel").unwrap_or_else(|| "alternate".to_owned());
                if rel == "alternate" && inside.link.is_empty() {
                    inside.link = href;
                }
                None
            }
        },
        "guid" => {
            inside.guid_is_link = attribute(tag, "isPermaLink").is_none_or(|value| value != "false");
            Some(Field::Guid)
        }
        "pubDate" | "updated" | "date" => {
            inside.changed.clear();
            Some(Field::Changed)
        }
        "published" if inside.changed.is_empty() => Some(Field::Changed),
        _ => None,
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == name)?;
    Some(htmlize::unescape_attribute(&*found.value).into_owned())
}

fn add(item: &mut Option<Item>, field: Option<Field>, text: &str) {
    if let (Some(item), Some(field)) = (item, field) {
        match field {
            Field::Link => item.link.push_str(text),
            Field::Guid => item.guid.push_str(text),
            Field::Changed => item.changed.push_str(text),
        }
    }
}

impl Item {
    fn finish(self, base: &Url) -> Option<Link> {
        let text = self.changed.trim();
        let changed = sitemap::date(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok());
        let link = if self.link.trim().is_empty() && self.guid_is_link { self.guid } else { self.link };
        let url = canonical::resolve(base, &link)?;
        Some(Link { url, role: Role::Page, changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, Option<OffsetDateTime>)> {
        let base = Url::parse("http://a.example/feed").unwrap();
        links(&base, text.as_bytes()).unwrap().into_iter().map(|link| (link.url.into(), link.changed)).collect()
    }

    #[test]
    fn rss_with_links_guids_and_dates() {
        let text = "<rss version='2.0'><channel><link>http://a.example/</link><atom:link href='http://a.example/feed'/>\
            <item><title>Soup &nbsp; &amp; Bread</title><link>http://a.example/1?a=1&amp;b=2</link>\
            <pubDate>Mon, 05 Jan 2026 08:00:00 +0000</pubDate></item>\
            <item><guid>http://a.example/2</guid></item><item><guid isPermaLink='false'>77</guid></item>\
            <item><link><![CDATA[ /3 ]]></link></item></channel></rss>";
        let found = of(text);
        let urls: Vec<&str> = found.iter().map(|(url, _)| &**url).collect();
        assert_eq!(urls, ["http://a.example/1?a=1&b=2", "http://a.example/2", "http://a.example/3"]);
        assert_eq!(found[0].1, sitemap::date("2026-01-05T08:00:00Z"));
    }

    #[test]
    fn atom_rdf_and_json() {
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><link href='http://a.example/'/><entry><link rel='self' href='/no'/>\
            <link href='/1?a=1&amp;b=2'/><published>2025-01-01T00:00:00Z</published><updated>2026-01-02T03:04:05Z</updated></entry></feed>";
        assert_eq!(of(atom), [("http://a.example/1?a=1&b=2".to_owned(), sitemap::date("2026-01-02T03:04:05Z"))]);
        let rdf = "<rdf:RDF><channel><link>http://a.example/</link></channel><item><link>http://a.example/1</link>\
            <dc:date>2026-01-02</dc:date></item></rdf:RDF>";
        assert_eq!(of(rdf), [("http://a.example/1".to_owned(), sitemap::date("2026-01-02"))]);
        let json = r#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","url":"/1","date_modified":"2026-01-02"},{"id":"2"}]}"#;
        assert_eq!(of(json), [("http://a.example/1".to_owned(), sitemap::date("2026-01-02"))]);
    }

    #[test]
    fn what_is_no_feed_says_so() {
        let base = Url::parse("http://a.example/feed").unwrap();
        for text in ["<html></html>", "", "{}", r#"{"version":"2"}"#, "<rss><item></rss>"] {
            assert!(matches!(links(&base, text.as_bytes()), Err(FetchError::Unreadable(_))), "{text}");
        }
        let bomb = "<!DOCTYPE r [<!ENTITY a 'aa'>]><rss><item><link>http://a.example/&a;</link></item></rss>";
        assert!(links(&base, bomb.as_bytes()).unwrap_err().to_string().contains("&a;"));
    }
}
