//! A whole site within bounds: links are followed to a depth, within patterns and a budget, and away from traps.

use std::collections::HashMap;

use url::Url;

use crate::canonical::same_site;
use crate::markup;
use crate::source::{Link, Role, SourceSpec};

/// Longest URL that is followed.
const MAX_URL: usize = 2000;
/// Most parts of a path.
const MAX_SEGMENTS: usize = 12;
/// Most times that one part may be in a path: relative links gone wrong repeat it for ever.
const MAX_REPEATS: usize = 2;
/// Most parameters of a query: filters that combine with one another have no end.
const MAX_PARAMETERS: usize = 4;
/// Files that are no pages.
const NO_PAGES: [&str; 24] = [
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".css", ".js", ".json", ".xml", ".pdf", ".zip",
    ".gz", ".mp3", ".mp4", ".webm", ".mov", ".woff", ".woff2", ".ttf", ".doc", ".ics",
];

/// The links of a page that stay on the site.
pub(super) fn links(spec: &SourceSpec, depth: u32, url: &Url, body: &[u8]) -> Vec<Link> {
    if depth >= spec.depth {
        return Vec::new();
    }
    let start = Url::parse(&spec.address);
    let on_site = |link: &Url| start.as_ref().is_ok_and(|start| same_site(start, link));
    let found = markup::links(body, url).into_iter().filter(|link| on_site(link) && !is_trap(link));
    found.map(|link| Link::new(link, Role::Site(depth + 1))).collect()
}

/// Whether a URL looks like one of endlessly many: calendars, sessions, relative links gone wrong.
#[must_use]
pub fn is_trap(url: &Url) -> bool {
    if url.as_str().len() > MAX_URL {
        return true;
    }
    let path = url.path().to_ascii_lowercase();
    if NO_PAGES.iter().any(|ending| path.ends_with(ending)) {
        return true;
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let repeats = segments.iter().map(|segment| {
        let times = seen.entry(segment).or_default();
        *times += 1;
        *times
    });
    if repeats.max() > Some(MAX_REPEATS) || segments.len() > MAX_SEGMENTS {
        return true;
    }
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.len() > MAX_PARAMETERS || is_calendar(&segments, &names)
}

/// A day, month or year to page through without end.
fn is_calendar(segments: &[&str], parameters: &[String]) -> bool {
    let date = ["year", "month", "day", "week", "date", "tribe-bar-date", "ical"];
    let asks = parameters.iter().any(|name| date.contains(&&**name));
    let named = segments.iter().any(|segment| matches!(*segment, "calendar" | "events"));
    let number =
        |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    asks || (named && segments.iter().any(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Kind;

    #[test]
    fn traps_are_told_from_recipes() {
        for url in [
            "http://a.example/recipe/123/red-lentil-soup/",
            "http://a.example/2026/01/05/soup/",
            "http://a.example/?p=123",
            "http://a.example/soups/?page=3",
        ] {
            assert!(!is_trap(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://a.example/calendar/2026-01/",
            "http://a.example/events/2031/05",
            "http://a.example/x?year=2031&month=5",
            "http://a.example/a/b/a/b/a/b/",
            "http://a.example/1/2/3/4/5/6/7/8/9/10/11/12/13",
            "http://a.example/l?a=1&b=2&c=3&d=4&e=5",
            "http://a.example/soup.JPG",
        ] {
            assert!(is_trap(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(is_trap(&Url::parse(&format!("http://a.example/{}", "x".repeat(MAX_URL))).unwrap()));
    }

    #[test]
    fn links_stay_on_the_site_and_within_the_depth() {
        let spec = SourceSpec { depth: 2, ..SourceSpec::new("s", Kind::Site, "http://www.a.example/") };
        let url = Url::parse("http://a.example/list").unwrap();
        let page = b"<a href=/1>1</a><a href=http://b.example/2>2</a><a href=/x.pdf>p</a>";
        let of = |depth| links(&spec, depth, &url, page).into_iter().map(|link| (link.role, String::from(link.url)));
        assert_eq!(of(1).collect::<Vec<_>>(), [(Role::Site(2), "http://a.example/1".to_owned())]);
        assert_eq!(of(2).count(), 0);
    }
}
