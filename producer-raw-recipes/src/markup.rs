//! Reads HTML as a row of tokens, straight from the bytes and without building a tree: enough to find links and the
//! main text at the speed of the network. Documents that need a real parser (list pages with a selector) get one.
//!
//! Works for every encoding that agrees with ASCII on the characters of the markup, which is every encoding of the web
//! but UTF-16.

use std::borrow::Cow;

use url::Url;

use crate::canonical;

/// Elements whose content is text to the end tag, whatever it looks like.
const RAW_TEXT: [&str; 5] = ["script", "style", "textarea", "title", "xmp"];

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    name: &'a [u8],
    attributes: &'a [u8],
}

/// One piece of a document.
#[derive(Debug, Clone, Copy)]
pub enum Token<'a> {
    /// A start tag; for raw text elements with their content, for all others with none.
    Open(Tag<'a>, &'a [u8]),
    /// The name of an end tag.
    Close(&'a [u8]),
    /// Text between tags, entities not decoded.
    Text(&'a [u8]),
}

/// The tokens of a document; comments, doctypes and processing instructions are left out.
pub struct Tokens<'a> {
    rest: &'a [u8],
}

/// Splits a document.
#[must_use]
pub fn tokens(document: &[u8]) -> Tokens<'_> {
    Tokens { rest: document }
}

impl<'a> Tag<'a> {
    /// Whether the tag has this name (in lower case).
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value of an attribute (name in lower case), entities decoded; empty when it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.attributes;
        loop {
            rest = trim(rest, |byte| byte.is_ascii_whitespace() || byte == b'/');
            if rest.is_empty() {
                return None;
            }
            // A name is at least one byte long, so the loop ends.
            let end = rest.iter().skip(1).position(|byte| byte.is_ascii_whitespace() || b"=/".contains(byte));
            let (key, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            let after = trim(after, |byte| byte.is_ascii_whitespace());
            let (value, after) = match after.strip_prefix(b"=") {
                Some(value) => attribute_value(trim(value, |byte| byte.is_ascii_whitespace())),
                None => (&b""[..], after),
            };
            if key.eq_ignore_ascii_case(name.as_bytes()) {
                return Some(match String::from_utf8_lossy(value) {
                    Cow::Borrowed(text) => htmlize::unescape_attribute(text),
                    Cow::Owned(text) => Cow::Owned(htmlize::unescape_attribute(&text).into_owned()),
                });
            }
            rest = after;
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.rest.is_empty() {
            let Some(start) = memchr::memchr(b'<', self.rest) else {
                return Some(Token::Text(std::mem::take(&mut self.rest)));
            };
            if start > 0 {
                let (text, rest) = self.rest.split_at(start);
                self.rest = rest;
                return Some(Token::Text(text));
            }
            match self.rest.get(1) {
                Some(b'!' | b'?') => self.skip_comment(),
                Some(b'/') => {
                    let end = memchr::memchr(b'>', self.rest).unwrap_or(self.rest.len() - 1);
                    let name = tag_name(&self.rest[2..=end]);
                    self.rest = &self.rest[end + 1..];
                    return Some(Token::Close(name));
                }
                Some(byte) if byte.is_ascii_alphabetic() => return Some(self.open()),
                _ => {
                    let (text, rest) = self.rest.split_at(1);
                    self.rest = rest;
                    return Some(Token::Text(text));
                }
            }
        }
        None
    }
}

impl<'a> Tokens<'a> {
    fn skip_comment(&mut self) {
        let end = if self.rest.starts_with(b"<!--") {
            memchr::memmem::find(&self.rest[4..], b"-->").map(|at| at + 7)
        } else {
            memchr::memchr(b'>', self.rest).map(|at| at + 1)
        };
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }

    /// Takes a start tag off the front, which begins with `<` and a letter.
    fn open(&mut self) -> Token<'a> {
        let inner = &self.rest[1..];
        let name = tag_name(inner);
        let end = tag_end(&inner[name.len()..]) + name.len();
        let tag = Tag { name, attributes: &inner[name.len()..end] };
        self.rest = inner.get(end + 1..).unwrap_or_default();
        let Some(raw) = RAW_TEXT.iter().find(|raw| tag.is(raw)) else { return Token::Open(tag, b"") };
        let end = raw_end(self.rest, raw.as_bytes());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Open(tag, text)
    }
}

/// Where the tag's `>` stands, past quoted values; the length where there is none.
fn tag_end(attributes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', &attributes[at..]) {
        at += found;
        let byte = attributes[at];
        if byte == b'>' {
            return at;
        }
        // A quote opens a value only after an equals sign.
        let opens = attributes[..at].trim_ascii_end().ends_with(b"=");
        at += 1;
        if opens {
            match memchr::memchr(byte, &attributes[at..]) {
                Some(close) => at += close + 1,
                None => return attributes.len(),
            }
        }
    }
    attributes.len()
}

/// Where the end tag of a raw text element stands.
fn raw_end(text: &[u8], name: &[u8]) -> usize {
    let ends_here = |at: &usize| {
        let rest = &text[at + 2..];
        rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    memchr::memmem::find_iter(text, b"</").find(ends_here).unwrap_or(text.len())
}

fn tag_name(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte));
    &text[..end.unwrap_or(text.len())]
}

fn attribute_value(text: &[u8]) -> (&[u8], &[u8]) {
    match text.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let value = &text[1..];
            let end = memchr::memchr(*quote, value).unwrap_or(value.len());
            (&value[..end], value.get(end + 1..).unwrap_or_default())
        }
        _ => text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len())),
    }
}

fn trim(text: &[u8], skip: impl Fn(u8) -> bool) -> &[u8] {
    &text[text.iter().position(|byte| !skip(*byte)).unwrap_or(text.len())..]
}

/// What a page's head says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `<link rel=canonical>`.
    pub canonical: Option<String>,
    /// `<meta property=og:url>`.
    pub og_url: Option<String>,
    /// `<base href>`.
    pub base: Option<String>,
}

impl Head {
    /// Reads the tags up to the body.
    #[must_use]
    pub fn read(document: &[u8]) -> Self {
        let mut head = Self::default();
        for token in tokens(document) {
            let Token::Open(tag, _) = token else { continue };
            if tag.is("body") {
                break;
            } else if tag.is("link") && has_word(&tag, "rel", "canonical") {
                head.canonical = head.canonical.or_else(|| filled(&tag, "href"));
            } else if tag.is("meta") && has_word(&tag, "property", "og:url") {
                head.og_url = head.og_url.or_else(|| filled(&tag, "content"));
            } else if tag.is("base") {
                head.base = head.base.or_else(|| filled(&tag, "href"));
            }
        }
        head
    }

    /// The page's own address: the first of canonical link and `og:url` that is a full web address and more than
    /// somebody's front page.
    #[must_use]
    pub fn address(&self) -> Option<Url> {
        let named = [&self.canonical, &self.og_url].into_iter().flatten();
        let mut urls = named.filter_map(|text| Url::parse(text.trim()).ok());
        let url =
            urls.find(|url| matches!(url.scheme(), "http" | "https") && (url.path() != "/" || url.query().is_some()))?;
        Some(canonical::canonical(&url))
    }

    /// The key of a page fetched from `url`: its canonical link where that stays on the site and is not a front page
    /// that a careless template names on every page; a page cannot speak for another site.
    #[must_use]
    pub fn key(&self, url: &Url) -> Url {
        let named = self.canonical.as_deref().and_then(|link| canonical::resolve(&self.base_of(url), link));
        let trusted =
            named.filter(|named| canonical::same_site(named, url) && (named.path() != "/" || url.path() == "/"));
        trusted.unwrap_or_else(|| canonical::canonical(url))
    }

    /// What the page's links are relative to.
    #[must_use]
    pub fn base_of(&self, url: &Url) -> Url {
        self.base.as_deref().and_then(|base| url.join(base.trim()).ok()).unwrap_or_else(|| url.clone())
    }
}

fn filled(tag: &Tag<'_>, attribute: &str) -> Option<String> {
    tag.attribute(attribute).map(Cow::into_owned).filter(|value| !value.trim().is_empty())
}

fn has_word(tag: &Tag<'_>, attribute: &str, word: &str) -> bool {
    tag.attribute(attribute)
        .is_some_and(|value| value.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(word)))
}

/// Every `<a href>` a crawler may follow: not `rel=nofollow`, and none where the page's robots meta says nofollow.
#[must_use]
pub fn links(document: &[u8], url: &Url) -> Vec<Url> {
    let base = Head::read(document).base_of(url);
    let mut found = Vec::new();
    for token in tokens(document) {
        let Token::Open(tag, _) = token else { continue };
        if tag.is("meta") && has_word(&tag, "name", "robots") && names_nofollow(&tag) {
            return Vec::new();
        }
        if tag.is("a") && !has_word(&tag, "rel", "nofollow") {
            found.extend(tag.attribute("href").and_then(|href| canonical::resolve(&base, &href)));
        }
    }
    found
}

fn names_nofollow(tag: &Tag<'_>) -> bool {
    let content = tag.attribute("content").unwrap_or_default().to_ascii_lowercase();
    content.split(',').map(str::trim).any(|word| word == "nofollow" || word == "none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn head_is_read_past_scripts_comments_and_quotes() {
        let page = br#"<!doctype html><!-- <link rel=canonical href=/no> --><head>
            <script>if (a</b/.test(c)) document.write("<link rel='canonical' href='/no'>")</script>
            <title>a > b <link rel=canonical href=/no></title>
            <LINK data-x='a>b' HREF="/r?a=1&amp;b=2" Rel="nofollow Canonical"><meta property=og:url content=http://a.example/og>
            <body><link rel=canonical href=/no>"#;
        let head = Head::read(page);
        assert_eq!(head.canonical.as_deref(), Some("/r?a=1&b=2"));
        assert_eq!(head.og_url.as_deref(), Some("http://a.example/og"));
    }

    #[test]
    fn a_page_speaks_for_its_own_site_only() {
        let key = |canonical: &str| {
            let head = Head { canonical: Some(canonical.to_owned()), ..Head::default() };
            head.key(&url("https://www.a.example/r?id=1&utm_source=x")).to_string()
        };
        let own = "https://www.a.example/r?id=1";
        assert_eq!(key("https://a.example/soup"), "https://a.example/soup");
        assert_eq!(key("/soup#x"), "https://www.a.example/soup");
        assert_eq!(key("https://evil.example/soup"), own);
        assert_eq!(key("/"), own);
        assert_eq!(key("javascript:alert(1)"), own);
    }

    #[test]
    fn links_follow_the_base_and_obey_nofollow() {
        let page = br##"<base href="/x/"><a href=1>1</a><a rel="nofollow" href=2>2</a><a href="#top">t</a><a name=n>"##;
        let found: Vec<String> = links(page, &url("http://a.example/l")).into_iter().map(String::from).collect();
        assert_eq!(found, ["http://a.example/x/1", "http://a.example/x/"]);
        assert!(
            links(b"<meta name=robots content='noindex, nofollow'><a href=1>", &url("http://a.example/")).is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::read(&bytes);
            prop_assert!(tokens(&bytes).count() <= bytes.len());
        }

        #[test]
        fn markup_like_bytes_are_read_to_their_end(text in "[<>a/=\"' !-]{0,80}") {
            prop_assert!(tokens(text.as_bytes()).count() <= text.len());
            let _ = links(text.as_bytes(), &url("http://a.example/"));
        }
    }
}
