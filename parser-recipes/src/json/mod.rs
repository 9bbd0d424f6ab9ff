//! JSON as it is found in recipe pages.
//!
//! The parser makes a tape: one vector of nodes in document order, each knowing where its value ends. Strings stay in
//! the source until they are asked for. It does not recurse, and takes what pages get wrong: comments, HTML comment and
//! CDATA wrappers, trailing and missing commas, raw line breaks in strings, unknown escapes, several values in a row, a
//! text cut off anywhere. A first pass takes quotes at their word; where the result makes no sense, a second pass lets
//! a quote end a string only before a delimiter, for pages that do not escape quotes.

mod builder;

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

pub use builder::Builder;

/// Deeper values are dropped.
const MAX_DEPTH: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `null`, `true`, `false`, and numbers: told apart by their text.
    Bare,
    /// A string without a backslash.
    Plain,
    /// A string with escapes.
    Escaped,
    /// A string that stands in [`Json::added`], from a builder.
    Added,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Source range of a scalar, without quotes.
    start: u32,
    stop: u32,
    /// One past the last node of this value.
    next: u32,
    kind: Kind,
}

/// A parsed text. The root is an array of the values that stand in it.
#[derive(Debug)]
pub struct Json<'a> {
    source: &'a str,
    added: String,
    nodes: Vec<Node>,
}

/// A value of a [`Json`].
#[derive(Debug, Clone, Copy)]
pub struct Value<'j> {
    json: &'j Json<'j>,
    at: u32,
}

impl<'a> Json<'a> {
    /// Parses `source`, as tolerantly as needed. Memory is at most ten times the source.
    pub fn parse(source: &'a str) -> Json<'a> {
        match Parser::new(source, false).run() {
            Ok(json) => json,
            // The second pass never fails: what it cannot read it skips.
            Err(Unexpected) => Parser::new(source, true).run().unwrap_or(Json::empty()),
        }
    }

    fn empty() -> Json<'a> {
        Json { source: "", added: String::new(), nodes: vec![Node { start: 0, stop: 0, next: 1, kind: Kind::Array }] }
    }

    /// The array of the values in the text.
    pub fn root(&self) -> Value<'_> {
        Value { json: self, at: 0 }
    }

    /// Every object, outer ones before inner ones, in document order.
    pub fn objects(&self) -> impl Iterator<Item = Value<'_>> {
        (0..).zip(&self.nodes).filter(|(_, n)| n.kind == Kind::Object).map(|(at, _)| Value { json: self, at })
    }
}

impl<'j> Value<'j> {
    fn node(self) -> &'j Node {
        &self.json.nodes[self.at as usize]
    }

    fn source(self) -> &'j str {
        let node = self.node();
        let text = if node.kind == Kind::Added { self.json.added.as_str() } else { self.json.source };
        text.get(node.start as usize..node.stop as usize).unwrap_or("")
    }

    /// Whether this is an object.
    pub fn is_object(self) -> bool {
        self.node().kind == Kind::Object
    }

    /// Whether this is an array.
    pub fn is_array(self) -> bool {
        self.node().kind == Kind::Array
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.node().kind == Kind::Bare && self.source() == "null"
    }

    /// A string's text, or a number's; nothing for other kinds.
    pub fn text(self) -> Option<Cow<'j, str>> {
        match self.node().kind {
            Kind::Plain | Kind::Added => Some(Cow::Borrowed(self.source())),
            Kind::Escaped => Some(Cow::Owned(unescape(self.source()))),
            Kind::Bare if !matches!(self.source(), "null" | "true" | "false") => Some(Cow::Borrowed(self.source())),
            _ => None,
        }
    }

    /// The string without unescaping it, for comparisons with names that need no escapes.
    pub fn raw_text(self) -> Option<&'j str> {
        matches!(self.node().kind, Kind::Plain | Kind::Escaped | Kind::Added).then(|| self.source())
    }

    /// The items of an array; any other value is taken as a list of itself, `null` as an empty one.
    pub fn items(self) -> impl Iterator<Item = Value<'j>> {
        let node = *self.node();
        let (mut at, stop) = match node.kind {
            Kind::Array => (self.at + 1, node.next),
            _ if self.is_null() => (0, 0),
            _ => (self.at, node.next),
        };
        std::iter::from_fn(move || {
            (at < stop).then(|| {
                let item = Value { json: self.json, at };
                at = item.node().next;
                item
            })
        })
    }

    /// The members of an object.
    pub fn entries(self) -> impl Iterator<Item = (&'j str, Value<'j>)> {
        let node = *self.node();
        let (mut at, stop) = if node.kind == Kind::Object { (self.at + 1, node.next) } else { (0, 0) };
        std::iter::from_fn(move || {
            (at + 1 < stop).then(|| {
                let key = Value { json: self.json, at };
                let value = Value { json: self.json, at: at + 1 };
                at = value.node().next;
                (key.source(), value)
            })
        })
    }

    /// The member of that name; of several the last, as in JavaScript. `null` counts as absent.
    pub fn get(self, name: &str) -> Option<Value<'j>> {
        let object = self.node();
        let (mut at, stop) = if object.kind == Kind::Object { (self.at + 1, object.next) } else { (0, 0) };
        let mut found = None;
        while at + 1 < stop {
            let (key, value) = (&self.json.nodes[at as usize], Value { json: self.json, at: at + 1 });
            // Lengths are compared before texts: few keys are equally long.
            let long = (key.stop - key.start) as usize == name.len();
            if long && (Value { json: self.json, at }).source() == name && !value.is_null() {
                found = Some(value);
            }
            at = value.node().next;
        }
        found
    }

    /// The member `@type`, or `type` where there is none.
    pub fn types(self) -> Option<Value<'j>> {
        let (mut plain, mut marked) = (None, None);
        for (key, value) in self.entries() {
            match key {
                "@type" if !value.is_null() => marked = Some(value),
                "type" if !value.is_null() => plain = Some(value),
                _ => {}
            }
        }
        marked.or(plain)
    }

    /// The node's number, for keeping track of visited values.
    pub fn id(self) -> u32 {
        self.at
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { break };
        rest = &rest[escape.len_utf8()..];
        match escape {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' | 'f' => out.push(' '),
            'u' => match unicode_escape(rest) {
                Some((c, used)) => {
                    out.push(c);
                    rest = &rest[used..];
                }
                None => out.push('u'),
            },
            // \" \\ \/ and whatever is no escape at all.
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// The character of `XXXX` or of a surrogate pair `XXXX\uXXXX`, and how many bytes it takes.
fn unicode_escape(rest: &str) -> Option<(char, usize)> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok())?;
    let high = hex(rest.get(..4)?)?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, 4));
    }
    let low = rest.get(4..).and_then(|r| r.strip_prefix("\\u")).and_then(|r| hex(r.get(..4)?));
    match low {
        Some(low @ 0xDC00..=0xDFFF) if (0xD800..0xDC00).contains(&high) => {
            char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|c| (c, 10))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 4)),
    }
}

/// The text is no JSON by the letter of its quotes.
struct Unexpected;

struct Parser<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Open arrays and objects; the first is the root.
    open: Vec<u32>,
    /// Containers not entered because of [`MAX_DEPTH`].
    too_deep: usize,
    /// A key has been read, its value not yet.
    key_pending: bool,
    max_nodes: usize,
    lenient: bool,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str, lenient: bool) -> Parser<'a> {
        let source = source.get(..u32::MAX as usize).unwrap_or(source);
        Parser {
            source,
            bytes: source.as_bytes(),
            at: 0,
            nodes: Vec::with_capacity(source.len() / 24 + 16),
            open: Vec::with_capacity(16),
            too_deep: 0,
            key_pending: false,
            max_nodes: source.len() / 4 + 1024,
            lenient,
        }
    }

    fn run(mut self) -> Result<Json<'a>, Unexpected> {
        let root = self.push(Kind::Array, 0, 0);
        self.open.push(root);
        while let Some(&byte) = self.bytes.get(self.at) {
            if self.nodes.len() >= self.max_nodes {
                break;
            }
            match byte {
                // Commas part values; none, one or two of them make no difference.
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' => self.at += 1,
                b'{' => self.enter(Kind::Object)?,
                b'[' => self.enter(Kind::Array)?,
                b']' if self.bytes[self.at..].starts_with(b"]]>") => self.at += 3,
                b'}' | b']' => self.leave(byte)?,
                b'"' => self.string(b'"')?,
                b'\'' => self.string(b'\'')?,
                b'-' if self.bytes[self.at..].starts_with(b"-->") => self.at += 3,
                b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => self.bare()?,
                _ => self.noise()?,
            }
        }
        while let Some(open) = self.open.pop() {
            self.close(open);
        }
        Ok(Json { source: self.source, added: String::new(), nodes: self.nodes })
    }

    fn push(&mut self, kind: Kind, start: usize, stop: usize) -> u32 {
        let id = offset(self.nodes.len());
        self.nodes.push(Node { start: offset(start), stop: offset(stop), next: id + 1, kind });
        id
    }

    fn in_object(&self) -> bool {
        self.open.last().is_some_and(|&id| self.nodes[id as usize].kind == Kind::Object)
    }

    /// In strict mode the text is given up; in lenient mode reading goes on.
    fn slip(&self) -> Result<(), Unexpected> {
        if self.lenient { Ok(()) } else { Err(Unexpected) }
    }

    fn enter(&mut self, kind: Kind) -> Result<(), Unexpected> {
        if self.in_object() && !self.key_pending {
            self.slip()?;
            self.push(Kind::Plain, self.at, self.at);
        }
        self.key_pending = false;
        self.at += 1;
        if self.open.len() >= MAX_DEPTH {
            self.too_deep += 1;
            return Ok(());
        }
        let id = self.push(kind, self.at, self.at);
        self.open.push(id);
        Ok(())
    }

    fn leave(&mut self, byte: u8) -> Result<(), Unexpected> {
        self.at += 1;
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return Ok(());
        }
        let kind = if byte == b'}' { Kind::Object } else { Kind::Array };
        // One bracket too many at the end is harmless; the root itself never closes.
        let Some(depth) = self.open[1..].iter().rposition(|&id| self.nodes[id as usize].kind == kind) else {
            return if self.open.len() == 1 { Ok(()) } else { self.slip() };
        };
        if depth + 2 != self.open.len() {
            self.slip()?;
        }
        while self.open.len() > depth + 1
            && let Some(open) = self.open.pop()
        {
            self.close(open);
        }
        Ok(())
    }

    fn close(&mut self, id: u32) {
        if std::mem::take(&mut self.key_pending) {
            self.push(Kind::Bare, 0, 0);
        }
        self.nodes[id as usize].next = offset(self.nodes.len());
    }

    /// A string: a key where one is due, else a value.
    fn string(&mut self, quote: u8) -> Result<(), Unexpected> {
        let start = self.at + 1;
        let is_key = self.in_object() && !self.key_pending;
        let (stop, escaped) = self.string_end(start, quote, is_key)?;
        self.at = (stop + 1).min(self.bytes.len());
        self.scalar(if escaped { Kind::Escaped } else { Kind::Plain }, start, stop, is_key)
    }

    fn scalar(&mut self, kind: Kind, start: usize, stop: usize, is_key: bool) -> Result<(), Unexpected> {
        if self.too_deep > 0 {
            return Ok(());
        }
        if is_key {
            self.skip_space();
            if self.bytes.get(self.at) != Some(&b':') {
                // A word that is neither key nor value: drop it.
                return self.slip();
            }
            self.at += 1;
        }
        self.key_pending = is_key;
        self.push(kind, start, stop);
        Ok(())
    }

    fn string_end(&self, start: usize, quote: u8, is_key: bool) -> Result<(usize, bool), Unexpected> {
        let mut at = start;
        let mut escaped = false;
        loop {
            match memchr2(quote, b'\\', &self.bytes[at..]).map(|n| at + n) {
                Some(found) if self.bytes[found] == b'\\' => {
                    escaped = true;
                    at = (found + 2).min(self.bytes.len());
                }
                Some(found) if !self.lenient || self.ends_string(found + 1, is_key) => return Ok((found, escaped)),
                Some(found) => at = found + 1,
                None => {
                    self.slip()?;
                    return Ok((self.bytes.len(), escaped));
                }
            }
        }
    }

    /// Whether a quote before `at` can end a string, by what follows it.
    fn ends_string(&self, at: usize, is_key: bool) -> bool {
        let mut rest = self.bytes[at..].iter().filter(|b| !b.is_ascii_whitespace());
        match rest.next() {
            None | Some(b'}' | b']') => true,
            Some(b':') => is_key,
            Some(b',') if !is_key => match rest.next() {
                Some(b'"' | b'\'') => true,
                Some(b'{' | b'[' | b'}' | b']' | b'-' | b'0'..=b'9') | None => !self.in_object(),
                _ => false,
            },
            // A line break stands where the comma was forgotten.
            Some(b'"') => self.bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).any(|&b| b == b'\n'),
            _ => false,
        }
    }

    fn bare(&mut self) -> Result<(), Unexpected> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = rest
            .iter()
            .position(|b| {
                matches!(b, b',' | b':' | b'}' | b']' | b'{' | b'[' | b'"' | b'\'' | b';') || b.is_ascii_whitespace()
            })
            .unwrap_or(rest.len());
        self.at += length.max(1);
        let is_key = self.in_object() && !self.key_pending;
        self.scalar(Kind::Bare, start, self.at, is_key)
    }

    fn skip_space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Comments and wrappers are skipped; anything else is a slip.
    fn noise(&mut self) -> Result<(), Unexpected> {
        let rest = &self.bytes[self.at..];
        let after = |needle: &[u8]| memmem::find(rest, needle).map_or(rest.len(), |n| n + needle.len());
        let skip = if rest.starts_with(b"<!--") {
            4
        } else if rest.starts_with(b"<![CDATA[") {
            9
        } else if rest.starts_with(b"/*") {
            after(b"*/")
        } else if rest.starts_with(b"//") {
            // "//<![CDATA[" on one line with the data: only the slashes go.
            let line = after(b"\n");
            if memmem::find(&rest[..line], b"CDATA").is_some() { 2 } else { line }
        } else if rest.starts_with("\u{feff}".as_bytes()) || rest.starts_with("\u{a0}".as_bytes()) {
            self.source[self.at..].chars().next().map_or(1, char::len_utf8)
        } else {
            if rest[0] != b'>' && rest[0] != b'*' {
                self.slip()?;
            }
            self.source[self.at..].chars().next().map_or(1, char::len_utf8)
        };
        self.at += skip;
        Ok(())
    }
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(value: Value<'_>, out: &mut String) {
        if value.is_object() {
            out.push('{');
            for (key, value) in value.entries() {
                out.push_str(key);
                out.push(':');
                show(value, out);
                out.push(' ');
            }
            out.push('}');
        } else if value.is_array() {
            out.push('[');
            for item in value.items() {
                show(item, out);
                out.push(' ');
            }
            out.push(']');
        } else {
            out.push_str(value.text().as_deref().unwrap_or("-"));
        }
    }

    fn read(source: &str) -> String {
        let mut out = String::new();
        show(Json::parse(source).root(), &mut out);
        out
    }

    #[test]
    fn plain_json_is_read() {
        assert_eq!(read(r#"{"a":[1,-2.5,true,null],"b":{"c":"d"}}"#), "[{a:[1 -2.5 - - ] b:{c:d } } ]");
    }

    #[test]
    fn slips_of_real_pages_are_read() {
        assert_eq!(read("{\"a\":\"x\ny\",}"), "[{a:x\ny } ]");
        assert_eq!(read("<!-- {\"a\":1} -->"), "[{a:1 } ]");
        assert_eq!(read("//<![CDATA[\n{\"a\":1}\n//]]>"), "[{a:1 } ]");
        assert_eq!(read("/* c */{\"a\":1 // d\n}"), "[{a:1 } ]");
        assert_eq!(read("{\"a\":1 \"b\":2}"), "[{a:1 b:2 } ]");
        assert_eq!(read("{\"a\":1}{\"b\":2};"), "[{a:1 } {b:2 } ]");
        assert_eq!(
            read("{\"a\":\"6\" pan\",\"b\":\"he said \"hi\", then left\"}"),
            "[{a:6\" pan b:he said \"hi\", then left } ]"
        );
        assert_eq!(read("{a:'x','b':1}"), "[{a:x b:1 } ]");
        assert_eq!(read("{\"a\":[1,2"), "[{a:[1 2 ] } ]");
        assert_eq!(read("{\"a\":1}}"), "[{a:1 } ]");
    }

    #[test]
    fn escapes_are_undone_and_bad_ones_kept_as_text() {
        assert_eq!(read(r#"["\u00bd \ud83c\udf55 \/ \" \q \ud800 \uzz"]"#), "[[½ 🍕 / \" q \u{fffd} uzz ] ]");
    }

    #[test]
    fn the_last_of_equal_keys_wins_and_null_is_absent() {
        let json = Json::parse(r#"{"a":1,"a":2,"b":null}"#);
        let object = json.objects().next().unwrap();
        assert_eq!(object.get("a").unwrap().text().as_deref(), Some("2"));
        assert!(object.get("b").is_none());
    }

    #[test]
    fn deep_nesting_is_cut_not_followed() {
        let source = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = Json::parse(&source);
        assert!(json.nodes.len() <= MAX_DEPTH + 1);
    }

    proptest! {
        #[test]
        fn what_serde_json_reads_we_read_alike(value in any::<Vec<(String, i32, Vec<String>)>>()) {
            let text = serde_json::to_string(&value).unwrap();
            let json = Json::parse(&text);
            let root = json.root().items().next().unwrap();
            for (item, want) in root.items().zip(&value) {
                let parts: Vec<_> = item.items().collect();
                prop_assert_eq!(parts[0].text().unwrap(), want.0.as_str());
                prop_assert_eq!(parts[1].text().unwrap(), want.1.to_string());
                let strings: Vec<_> = parts[2].items().map(|s| s.text().unwrap().into_owned()).collect();
                prop_assert_eq!(&strings, &want.2);
            }
        }

        #[test]
        fn any_text_makes_a_well_formed_tape(text in "[\\[\\]{}\",:'a1 \\\\u/*<!>-]{0,60}") {
            let json = Json::parse(&text);
            let mut out = String::new();
            show(json.root(), &mut out);
            for object in json.objects() {
                prop_assert_eq!((object.node().next - object.at) == 1, object.entries().next().is_none());
            }
        }
    }
}
