//! robots.txt as RFC 9309 has it, in agreement with the test cases Google publishes for its own matcher
//! (github.com/google/robotstxt, robots_test.cc): `robots_google_tests.rs` restates them as facts.
//!
//! Kept here rather than taken from a crate, so that it follows those cases to the letter (misspelt fields, lines without
//! a colon, agent names with trailing words, index pages) and can compare percent-encodings both ways.

use std::time::Duration;

use url::{Position, Url};

use crate::canonical::normalise;

/// Bytes of a robots.txt that are read; RFC 9309 section 2.5 asks for at least 500 KiB.
pub const MAX_BYTES: usize = 500 * 1024;
/// Longest line that is read; the rest of it is cut off, as in Google's parser.
const MAX_LINE: usize = 2083 * 8 - 1;
/// The longest Crawl-delay that is believed: one page a day.
const MAX_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a robots.txt says to one crawler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Robots {
    rules: Vec<Rule>,
    /// Seconds the site asks crawlers to wait between requests.
    pub crawl_delay: Option<Duration>,
    /// Addresses of sitemaps, as they stand there.
    pub sitemaps: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    allow: bool,
    pattern: String,
    /// The pattern as RFC 9309 compares it, where that is different; see [`comparable`].
    normal: Option<String>,
}

impl Robots {
    /// A site without robots.txt (4xx): everything may be fetched.
    #[must_use]
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// A site whose robots.txt cannot be read (5xx, no connection): nothing may be fetched, RFC 9309 section 2.3.1.4.
    #[must_use]
    pub fn disallow_all() -> Self {
        let rule = Rule { allow: false, pattern: "/".into(), normal: None };
        Self { rules: vec![rule], ..Self::default() }
    }

    /// Reads a robots.txt for the crawler whose product token is `agent`. Any bytes are a valid robots.txt: what cannot
    /// be understood is skipped.
    #[must_use]
    pub fn parse(body: &[u8], agent: &str) -> Self {
        let mut reader = Reader::new(agent);
        for (field, value) in directives(body) {
            reader.read(field, value);
        }
        reader.finish()
    }

    /// Whether the path and query of a URL may be fetched, as Google's matcher answers: the longest matching pattern
    /// counts, and of two that are equally long the one that allows.
    #[must_use]
    pub fn allows_path(&self, path: &str) -> bool {
        self.decide(path, |rule| &rule.pattern)
    }

    /// Whether a URL may be fetched. Percent-encodings are compared both as they stand (Google's matcher) and in the
    /// normal form (RFC 9309); the URL must pass both, so that neither reading of a rule is broken.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let path = path_and_query(url);
        let normal = comparable(path, &['*', '$']);
        self.allows_path(path) && self.decide(&normal, |rule| rule.normal.as_ref().unwrap_or(&rule.pattern))
    }

    fn decide<'a>(&'a self, path: &str, pattern: impl Fn(&'a Rule) -> &'a String) -> bool {
        let (mut allowed, mut forbidden) = (None, None);
        for rule in &self.rules {
            let best = if rule.allow { &mut allowed } else { &mut forbidden };
            *best = (*best).max(match_length(path, pattern(rule), rule.allow));
        }
        match (allowed, forbidden) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(allowed), Some(forbidden)) => allowed >= forbidden,
        }
    }
}

/// What rules are matched against: what follows the host, without the fragment.
fn path_and_query(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

/// How specific a rule's match is: the length of its pattern, or none where it does not match.
fn match_length(path: &str, pattern: &str, allow: bool) -> Option<usize> {
    if matches(path.as_bytes(), pattern.as_bytes()) {
        return Some(pattern.len());
    }
    // A page that allows its index by name allows the directory: `Allow: /x/index.html` means `/x/$` too.
    let slash = pattern.rfind('/').filter(|at| allow && pattern[*at..].starts_with("/index.htm"))?;
    let directory = format!("{}$", &pattern[..=slash]);
    matches(path.as_bytes(), directory.as_bytes()).then_some(directory.len())
}

/// Whether a pattern (`*` any run of characters, `$` at its end the end of the path) matches from the path's start.
/// Time is the product of the two lengths at worst: the positions the pattern so far can end at are tracked as a range
/// start, which for `*` is enough.
fn matches(path: &[u8], pattern: &[u8]) -> bool {
    let (pattern, anchored) = match pattern.strip_suffix(b"$") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split(|byte| *byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let pieces: Vec<&[u8]> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return !anchored || rest.is_empty() };
    // The leftmost place for each piece leaves the most for those that follow.
    for piece in middle {
        match memchr::memmem::find(rest, piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    if anchored { rest.ends_with(last) } else { memchr::memmem::find(rest, last).is_some() }
}

/// The lines that say something to somebody, in their order.
fn directives(body: &[u8]) -> impl Iterator<Item = (Field, &[u8])> {
    let lines = without_bom(whole_lines(body)).split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter_map(|line| field_and_value(&line[..line.len().min(MAX_LINE)]))
}

/// The lines within the limit. One that the limit cuts is left out: `Disallow: /` says more than `Disallow: /private` does.
fn whole_lines(body: &[u8]) -> &[u8] {
    match body.get(..=MAX_BYTES) {
        None => body,
        Some(part) => &part[..memchr::memrchr2(b'\n', b'\r', part).unwrap_or_default()],
    }
}

/// A byte order mark, whole or its first bytes, is skipped as Google's parser does.
fn without_bom(body: &[u8]) -> &[u8] {
    let mut rest = body;
    for byte in [0xEF, 0xBB, 0xBF] {
        match rest.split_first() {
            Some((first, tail)) if *first == byte => rest = tail,
            _ => break,
        }
    }
    rest
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    UserAgent,
    Allow,
    Disallow,
    CrawlDelay,
    Sitemap,
}

/// A line's field and value. The colon may be missing when the line is two words, and the usual misspellings count. A zero
/// byte ends the line, as in Google's parser.
fn field_and_value(line: &[u8]) -> Option<(Field, &[u8])> {
    let end = memchr::memchr2(b'#', 0, line).unwrap_or(line.len());
    let line = line[..end].trim_ascii();
    let (key, value) = match memchr::memchr(b':', line) {
        Some(at) => (line[..at].trim_ascii_end(), line[at + 1..].trim_ascii_start()),
        None => {
            let at = memchr::memchr2(b' ', b'\t', line)?;
            let value = line[at..].trim_ascii_start();
            (!value.contains(&b' ') && !value.contains(&b'\t')).then_some((&line[..at], value))?
        }
    };
    // Google's parser takes any key that begins with the name.
    let begins = |names: &[&str]| {
        let begins = |name: &str| key.get(..name.len()).is_some_and(|key| key.eq_ignore_ascii_case(name.as_bytes()));
        names.iter().any(|name| begins(name))
    };
    let field = if begins(&["user-agent", "useragent", "user agent"]) {
        Field::UserAgent
    } else if begins(&["allow"]) {
        Field::Allow
    } else if begins(&["disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"]) {
        Field::Disallow
    } else if begins(&["crawl-delay", "crawldelay", "crawl delay"]) {
        Field::CrawlDelay
    } else if begins(&["sitemap", "site-map"]) {
        Field::Sitemap
    } else {
        return None;
    };
    Some((field, value))
}

/// Collects the rules of the groups that name the crawler, and of those for everybody.
struct Reader<'a> {
    agent: &'a str,
    /// Whether the group being read is the crawler's own, or everybody's.
    in_own: bool,
    in_global: bool,
    /// Whether a rule was read since the last user-agent line, which closes the list of agents.
    rules_begun: bool,
    own_seen: bool,
    /// The Crawl-delay of the group being read.
    group_delay: Option<Duration>,
    own: Robots,
    global: Robots,
    sitemaps: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(agent: &'a str) -> Self {
        Self {
            agent,
            in_own: false,
            in_global: false,
            rules_begun: false,
            own_seen: false,
            group_delay: None,
            own: Robots::default(),
            global: Robots::default(),
            sitemaps: Vec::new(),
        }
    }

    fn read(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::UserAgent => self.user_agent(value),
            Field::Allow | Field::Disallow => {
                self.rules_begun = true;
                if !value.is_empty() {
                    let rule = Rule::new(field == Field::Allow, value);
                    self.each(|robots| robots.rules.push(rule.clone()));
                }
            }
            Field::CrawlDelay => {
                let seconds = str::from_utf8(value).ok().and_then(|value| value.parse::<f64>().ok());
                if let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
                    let delay = Duration::from_secs_f64(seconds.min(MAX_DELAY.as_secs_f64()));
                    self.group_delay = self.group_delay.max(Some(delay));
                    self.delay();
                }
            }
            Field::Sitemap => self.sitemaps.push(String::from_utf8_lossy(value).into_owned()),
        }
    }

    fn user_agent(&mut self, value: &[u8]) {
        if std::mem::take(&mut self.rules_begun) {
            (self.in_own, self.in_global, self.group_delay) = (false, false, None);
        }
        let everybody = matches!(value, [b'*'] | [b'*', b' ' | b'\t', ..]);
        if everybody {
            self.in_global = true;
        } else if product(value).eq_ignore_ascii_case(self.agent.as_bytes()) && !self.agent.is_empty() {
            (self.in_own, self.own_seen) = (true, true);
        }
        self.delay();
    }

    /// Gives the group's delay to those who are in it so far.
    fn delay(&mut self) {
        let delay = self.group_delay;
        self.each(|robots| robots.crawl_delay = robots.crawl_delay.max(delay));
    }

    fn each(&mut self, change: impl Fn(&mut Robots)) {
        if self.in_own {
            change(&mut self.own);
        }
        if self.in_global {
            change(&mut self.global);
        }
    }

    fn finish(self) -> Robots {
        let robots = if self.own_seen { self.own } else { self.global };
        Robots { sitemaps: self.sitemaps, ..robots }
    }
}

impl Rule {
    fn new(allow: bool, value: &[u8]) -> Self {
        let pattern = encoded(value);
        let normal = match pattern.strip_suffix('$') {
            Some(start) => comparable(start, &['$']) + "$",
            None => comparable(&pattern, &['$']),
        };
        Self { allow, normal: Some(normal).filter(|normal| *normal != pattern), pattern }
    }
}

/// A pattern as Google's matcher has it: bytes beyond ASCII percent-encoded, hex digits in upper case.
fn encoded(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match tail {
            [high, low, tail @ ..] if *byte == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.extend(['%', char::from(high.to_ascii_uppercase()), char::from(low.to_ascii_uppercase())]);
                rest = tail;
            }
            _ if byte.is_ascii() => out.push(char::from(*byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A path or pattern as RFC 9309 sections 2.2.2 and 2.2.3 compare them: no percent-encoding where none is needed, one where
/// [`Url`] may have one (a rule may have a space), and one for special characters that stand for themselves.
fn comparable(text: &str, literal: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in normalise(text).chars() {
        if character.is_ascii_control() || " \"'<>\\^`{|}".contains(character) || literal.contains(&character) {
            out.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// The product token a user-agent line begins with: letters, `-` and `_`.
fn product(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| !byte.is_ascii_alphabetic() && !b"-_".contains(byte));
    &value[..end.unwrap_or(value.len())]
}

#[cfg(test)]
#[path = "robots_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "robots_google_tests.rs"]
mod google_tests;
