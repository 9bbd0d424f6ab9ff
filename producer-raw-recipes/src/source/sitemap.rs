//! Sitemaps and sitemap indexes (sitemaps.org), plain or gzipped, or as a text file with one URL a line.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::events::Event;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use url::Url;

use crate::canonical;
use crate::fetch_error::FetchError;
use crate::source::{Link, MAX_DOCUMENT_BYTES, Role, unreadable, xml_text};

/// Entries of one sitemap that are read: what the protocol allows.
const MAX_ENTRIES: usize = 50_000;

/// The document, decompressed where it is a gzip file.
pub(super) fn unpacked(body: &[u8]) -> Result<Cow<'_, [u8]>, FetchError> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(body));
    }
    let mut plain = Vec::new();
    let decoder = MultiGzDecoder::new(body);
    let mut decoder = decoder.take(MAX_DOCUMENT_BYTES as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|error| unreadable("the gzip file", error))?;
    if plain.len() > MAX_DOCUMENT_BYTES {
        return Err(FetchError::TooLarge { limit: MAX_DOCUMENT_BYTES });
    }
    Ok(Cow::Owned(plain))
}

/// The pages a sitemap names, or the sitemaps an index names.
pub(super) fn links(url: &Url, body: &[u8], depth: u32) -> Result<Vec<Link>, FetchError> {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    if text.starts_with(b"http://") || text.starts_with(b"https://") {
        let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        let urls = lines.filter_map(|line| canonical::resolve(url, line)).take(MAX_ENTRIES);
        return Ok(urls.map(|url| Link::new(url, Role::Page)).collect());
    }
    read_xml(url, &xml_text(text), depth)
}

/// What the reader is inside of.
#[derive(Default)]
struct Entry {
    location: String,
    changed: String,
}

fn read_xml(url: &Url, text: &str, depth: u32) -> Result<Vec<Link>, FetchError> {
    let mut reader = Reader::from_str(text);
    let (mut links, mut role, mut entry, mut field) = (Vec::new(), None, None::<Entry>, None);
    let mut prefix = None;
    loop {
        match reader.read_event().map_err(|error| unreadable("the sitemap", error))? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                root @ ("urlset" | "sitemapindex") => {
                    role = Some(if root == "urlset" { Role::Page } else { Role::Sitemap(depth + 1) });
                    prefix = tag.name().prefix().map(|prefix| prefix.as_ref().to_owned());
                }
                "url" | "sitemap" if role.is_some() => entry = Some(Entry::default()),
                // Only fields of the sitemap's own namespace: `image:loc` is a picture.
                "loc" if tag.name().prefix().map(|prefix| prefix.as_ref().to_owned()) == prefix => {
                    field = Some(Field::Location);
                }
                "lastmod" => field = Some(Field::Changed),
                _ => field = None,
            },
            Event::End(tag) => {
                field = None;
                if matches!(tag.local_name().as_ref(), "url" | "sitemap")
                    && let (Some(done), Some(role)) = (entry.take(), role)
                    && let Some(url) = canonical::resolve(url, &done.location)
                {
                    links.push(Link { url, role, changed: date(done.changed.trim()) });
                }
            }
            Event::Text(text) => add(&mut entry, field, &text),
            Event::CData(text) => add(&mut entry, field, &text),
            Event::GeneralRef(name) => add(&mut entry, field, &entity(&name)?),
            Event::Eof => break,
            _ => {}
        }
        if links.len() >= MAX_ENTRIES {
            break;
        }
    }
    if role.is_none() {
        return Err(FetchError::Unreadable("no sitemap: neither <urlset> nor <sitemapindex>".to_owned()));
    }
    Ok(links)
}

#[derive(Clone, Copy)]
enum Field {
    Location,
    Changed,
}

fn add(entry: &mut Option<Entry>, field: Option<Field>, text: &str) {
    match (entry, field) {
        (Some(entry), Some(Field::Location)) => entry.location.push_str(text),
        (Some(entry), Some(Field::Changed)) => entry.changed.push_str(text),
        _ => {}
    }
}

/// A reference to a character or one of XML's five entities. Entities that a document declares itself are not
/// expanded, so none can blow up.
pub(super) fn entity(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, FetchError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| unreadable("a character", error))? {
        return Ok(character.to_string());
    }
    let name: &str = reference;
    let known = quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned);
    known.ok_or_else(|| FetchError::Unreadable(format!("entity &{name}; is not expanded")))
}

/// A W3C date: a day, or a time with its zone. Years and months alone say too little to be used.
pub(super) fn date(text: &str) -> Option<OffsetDateTime> {
    let time = || OffsetDateTime::parse(text, &Rfc3339).ok();
    let minute = || {
        OffsetDateTime::parse(
            text,
            format_description!("[year]-[month]-[day]T[hour]:[minute][offset_hour sign:mandatory]:[offset_minute]"),
        )
        .ok()
    };
    let day =
        || Date::parse(text, format_description!("[year]-[month]-[day]")).ok().map(|day| day.midnight().assume_utc());
    time().or_else(day).or_else(minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn of(text: &str) -> Result<Vec<Link>, FetchError> {
        links(&Url::parse("http://a.example/sitemap.xml").unwrap(), text.as_bytes(), 0)
    }

    fn shown(text: &str) -> Vec<String> {
        of(text).unwrap().into_iter().map(|link| format!("{:?} {}", link.role, link.url)).collect()
    }

    #[test]
    fn pages_and_indexes_in_any_prefix() {
        let text = r#"<?xml version="1.0"?><s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9">
            <s:url><s:loc>http://a.example/1</s:loc></s:url></s:urlset>"#;
        assert_eq!(shown(text), ["Page http://a.example/1"]);
        let text = "<urlset><url><loc> http://a.example/r?a=1&amp;b=2&#x23;top </loc><lastmod>2026-01-02</lastmod>\
                    <image:image><image:loc>http://a.example/i.jpg</image:loc></image:image></url>\
                    <url><loc><![CDATA[http://a.example/q?x=1&y=2]]></loc></url><url/><url><loc>mailto:x</loc></url></urlset>";
        assert_eq!(shown(text), ["Page http://a.example/r?a=1&b=2", "Page http://a.example/q?x=1&y=2"]);
        assert_eq!(of(text).unwrap()[0].changed, date("2026-01-02T00:00:00Z"));
        let index = "<sitemapindex><sitemap><loc>http://a.example/1.xml.gz</loc></sitemap></sitemapindex>";
        assert_eq!(shown(index), ["Sitemap(1) http://a.example/1.xml.gz"]);
        assert_eq!(shown("http://a.example/1\nhttp://a.example/2\n").len(), 2);
    }

    #[test]
    fn what_is_no_sitemap_says_so() {
        for text in ["", "<html><body>404</body></html>", "<urlset><url></wrong></urlset>"] {
            assert!(matches!(of(text), Err(FetchError::Unreadable(_))), "{text}");
        }
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><urlset><url><loc>http://a.example/&b;</loc></url></urlset>";
        assert!(of(bomb).unwrap_err().to_string().contains("&b;"));
    }

    #[test]
    fn dates_as_the_web_writes_them() {
        for text in ["2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+01:00", "2026-01-02T03:04+01:00"] {
            assert!(date(text).is_some(), "{text}");
        }
        assert_eq!(date("2026"), None);
    }

    #[test]
    fn a_gzip_bomb_ends_at_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..=MAX_DOCUMENT_BYTES >> 20 {
            encoder.write_all(&[b' '; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        assert_eq!(unpacked(&bomb), Err(FetchError::TooLarge { limit: MAX_DOCUMENT_BYTES }));
    }
}
