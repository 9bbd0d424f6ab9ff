//! CSS selectors on a [`Document`]: the part of <https://www.w3.org/TR/selectors-4/> that scrapers use.
//!
//! Names, `*`, `#id`, `.class`, `[attr]` with `= ~= ^= $= *= |=` and the `i` flag, the combinators space, `>`, `+`, `~`,
//! lists with commas, `:first-child`, `:last-child`, `:nth-child(an+b)`, `:first-of-type`, `:nth-of-type(an+b)`, `:not()`,
//! `:has()`, and `:contains("text")` (not CSS, but known to every scraper).

use memchr::memmem;

use crate::html::{Document, NodeId};

/// A parsed selector list.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    alternatives: Vec<Complex>,
}

/// A selector that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("selector `{selector}`: {problem} at `{near}`")]
pub struct SelectorError {
    selector: String,
    problem: &'static str,
    near: String,
}

/// The rightmost compound and what must stand to its left, nearest first.
#[derive(Debug, Clone, PartialEq)]
struct Complex {
    subject: Compound,
    left: Vec<(Combinator, Compound)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combinator {
    Descendant,
    Child,
    Next,
    Subsequent,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Compound {
    name: Option<String>,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Class(String),
    Attr { name: String, op: Op, value: String, any_case: bool },
    NthChild { a: i64, b: i64, from_end: bool, of_type: bool },
    Not(Selector),
    Has(Selector),
    Contains(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Exists,
    Is,
    Word,
    Start,
    End,
    Inside,
    Dash,
}

impl Selector {
    /// Parses a selector list.
    ///
    /// # Errors
    /// Says what cannot be read, and where.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        let mut parser = Parser { text, rest: text.trim(), depth: 0 };
        let selector = parser.list()?;
        if parser.rest.is_empty() { Ok(selector) } else { Err(parser.error("unexpected character")) }
    }

    /// Whether the node matches.
    pub fn matches(&self, page: &Document<'_>, node: NodeId) -> bool {
        self.alternatives.iter().any(|c| c.matches(page, node))
    }

    /// The first match on the page.
    pub fn first(&self, page: &Document<'_>) -> Option<NodeId> {
        let first = |complex: &Complex| {
            let matches = |node: &NodeId| complex.matches(page, *node);
            // A class stands in few tags, and its text is found faster than they are tested.
            match complex.subject.class() {
                Some(class) => page.nodes_at(memmem::find_iter(page.source().as_bytes(), class)).find(matches),
                None => page.all().find(matches),
            }
        };
        self.alternatives.iter().filter_map(first).min()
    }

    /// Matching nodes among `range`, in document order.
    pub fn find<'s, 'd>(
        &'s self,
        page: &'s Document<'d>,
        range: std::ops::Range<NodeId>,
    ) -> impl Iterator<Item = NodeId> + use<'s, 'd> {
        range.filter(|&node| self.matches(page, node))
    }

    /// Texts of which each alternative needs one in the page's source: a page with none of them cannot match. Empty
    /// where an alternative names nothing distinctive.
    pub fn needles(&self) -> Vec<&str> {
        let mut needles = Vec::new();
        for complex in &self.alternatives {
            let compounds = std::iter::once(&complex.subject).chain(complex.left.iter().map(|(_, c)| c));
            let longest = compounds.flat_map(|c| &c.tests).filter_map(|t| match t {
                Test::Class(class) => Some(class.as_str()),
                Test::Attr { value, any_case: false, .. } if value.len() > 3 => Some(value.as_str()),
                _ => None,
            });
            let Some(longest) = longest.max_by_key(|n| n.len()) else { return Vec::new() };
            needles.push(longest);
        }
        needles
    }
}

fn left_matches(page: &Document<'_>, node: NodeId, left: &[(Combinator, Compound)]) -> bool {
    let Some(((combinator, compound), rest)) = left.split_first() else { return true };
    let here = |n: NodeId| compound.matches(page, n) && left_matches(page, n, rest);
    match combinator {
        Combinator::Child => page.parent(node).is_some_and(here),
        Combinator::Descendant => page.ancestors(node).any(here),
        Combinator::Next => siblings_before(page, node).last().is_some_and(here),
        Combinator::Subsequent => siblings_before(page, node).any(here),
    }
}

/// The element's siblings before it, in document order.
fn siblings_before<'p>(page: &'p Document<'_>, node: NodeId) -> impl Iterator<Item = NodeId> + 'p {
    siblings(page, node).take_while(move |&n| n < node)
}

fn siblings<'p>(page: &'p Document<'_>, node: NodeId) -> impl Iterator<Item = NodeId> + 'p {
    let parent = page.parent(node);
    let range = parent.map_or(0..page.len(), |p| page.descendants(p));
    let mut at = range.start;
    std::iter::from_fn(move || {
        (at < range.end).then(|| {
            let sibling = at;
            at = page.end(sibling);
            sibling
        })
    })
    .filter(|&n| page.is_element(n))
}

impl Complex {
    fn matches(&self, page: &Document<'_>, node: NodeId) -> bool {
        page.is_element(node) && self.subject.matches(page, node) && left_matches(page, node, &self.left)
    }
}

impl Compound {
    /// A class that the element must have.
    fn class(&self) -> Option<&str> {
        self.tests.iter().find_map(|test| if let Test::Class(class) = test { Some(class.as_str()) } else { None })
    }

    fn matches(&self, page: &Document<'_>, node: NodeId) -> bool {
        self.name.as_ref().is_none_or(|name| page.name(node).eq_ignore_ascii_case(name))
            && self.tests.iter().all(|test| test.holds(page, node))
    }
}

impl Test {
    fn holds(&self, page: &Document<'_>, node: NodeId) -> bool {
        match self {
            Test::Class(class) => page.has_class(node, class),
            Test::Attr { name, op, value, any_case } => page.attr(node, name).is_some_and(|got| {
                if *any_case { op.holds(&got.to_lowercase(), &value.to_lowercase()) } else { op.holds(&got, value) }
            }),
            Test::NthChild { a, b, from_end, of_type } => {
                let name = page.name(node);
                let counted = siblings(page, node).filter(|&n| !of_type || page.name(n).eq_ignore_ascii_case(name));
                let position = if *from_end {
                    counted.filter(|&n| n >= node).count()
                } else {
                    counted.take_while(|&n| n <= node).count()
                };
                let past = i64::try_from(position).unwrap_or(i64::MAX) - b;
                if *a == 0 { past == 0 } else { past % a == 0 && past / a >= 0 }
            }
            Test::Not(inner) => !inner.matches(page, node),
            Test::Has(inner) => inner.find(page, page.descendants(node)).next().is_some(),
            Test::Contains(text) => page.text(node).contains(text),
        }
    }
}

impl Op {
    fn holds(self, got: &str, want: &str) -> bool {
        match self {
            Op::Exists => true,
            Op::Is => got == want,
            Op::Word => got.split_ascii_whitespace().any(|w| w == want),
            Op::Start => !want.is_empty() && got.starts_with(want),
            Op::End => !want.is_empty() && got.ends_with(want),
            Op::Inside => !want.is_empty() && got.contains(want),
            Op::Dash => got.strip_prefix(want).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, problem: &'static str) -> SelectorError {
        let near: String = self.rest.chars().take(20).collect();
        let near = if near.is_empty() { "its end".to_owned() } else { near };
        SelectorError { selector: self.text.to_owned(), problem, near }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self) -> Result<Selector, SelectorError> {
        self.depth += 1;
        if self.depth > 4 {
            return Err(self.error("nested too deep"));
        }
        let mut alternatives = vec![self.complex()?];
        while self.take(",") {
            alternatives.push(self.complex()?);
        }
        self.depth -= 1;
        Ok(Selector { alternatives })
    }

    fn complex(&mut self) -> Result<Complex, SelectorError> {
        self.skip_space();
        let mut subject = self.compound()?;
        let mut left = Vec::new();
        loop {
            let spaced = self.rest.starts_with(|c: char| c.is_ascii_whitespace());
            self.skip_space();
            let combinator = match self.rest.bytes().next() {
                Some(b'>') => Combinator::Child,
                Some(b'+') => Combinator::Next,
                Some(b'~') => Combinator::Subsequent,
                None | Some(b',' | b')') => break,
                Some(_) if spaced => Combinator::Descendant,
                Some(_) => return Err(self.error("unexpected character")),
            };
            if combinator != Combinator::Descendant {
                self.rest = &self.rest[1..];
                self.skip_space();
            }
            let next = self.compound()?;
            left.insert(0, (combinator, std::mem::replace(&mut subject, next)));
        }
        Ok(Complex { subject, left })
    }

    fn compound(&mut self) -> Result<Compound, SelectorError> {
        let mut compound = Compound::default();
        let any = self.take("*");
        if !any && self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            compound.name = Some(self.name()?);
        }
        loop {
            let test = if self.take(".") {
                Test::Class(self.name()?)
            } else if self.take("#") {
                Test::Attr { name: "id".to_owned(), op: Op::Is, value: self.name()?, any_case: false }
            } else if self.take("[") {
                self.attribute()?
            } else if self.take(":") {
                self.pseudo()?
            } else {
                break;
            };
            compound.tests.push(test);
        }
        if !any && compound.name.is_none() && compound.tests.is_empty() {
            return Err(self.error("expected a name, `.class`, `#id`, `[attribute]` or `:test`"));
        }
        Ok(compound)
    }

    fn name(&mut self) -> Result<String, SelectorError> {
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                name.extend(chars.next().map(|(_, c)| c));
            } else if c.is_alphanumeric() || matches!(c, '-' | '_') {
                name.push(c);
            } else {
                end = at;
                break;
            }
        }
        if name.is_empty() {
            return Err(self.error("expected a name"));
        }
        self.rest = &self.rest[end..];
        Ok(name)
    }

    fn attribute(&mut self) -> Result<Test, SelectorError> {
        self.skip_space();
        let name = self.name()?;
        self.skip_space();
        let ops =
            [("~=", Op::Word), ("^=", Op::Start), ("$=", Op::End), ("*=", Op::Inside), ("|=", Op::Dash), ("=", Op::Is)];
        let Some((_, op)) = ops.into_iter().find(|(sign, _)| self.take(sign)) else {
            return if self.take("]") {
                Ok(Test::Attr { name, op: Op::Exists, value: String::new(), any_case: false })
            } else {
                Err(self.error("expected `]`"))
            };
        };
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        let any_case = self.take("i") || self.take("I");
        self.skip_space();
        if self.take("]") { Ok(Test::Attr { name, op, value, any_case }) } else { Err(self.error("expected `]`")) }
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        for quote in ['"', '\''] {
            if let Some(body) = self.rest.strip_prefix(quote) {
                let Some(end) = body.find(quote) else { return Err(self.error("the quote does not close")) };
                self.rest = &body[end + 1..];
                return Ok(body[..end].to_owned());
            }
        }
        self.name()
    }

    fn pseudo(&mut self) -> Result<Test, SelectorError> {
        let name = self.name()?;
        let nth = |a, b, from_end, of_type| Test::NthChild { a, b, from_end, of_type };
        match &*name {
            "first-child" => return Ok(nth(0, 1, false, false)),
            "last-child" => return Ok(nth(0, 1, true, false)),
            "first-of-type" => return Ok(nth(0, 1, false, true)),
            "last-of-type" => return Ok(nth(0, 1, true, true)),
            _ => {}
        }
        if !self.take("(") {
            return Err(self.error("no such test, or it needs `(…)`"));
        }
        self.skip_space();
        let test = match &*name {
            "not" => Test::Not(self.list()?),
            "has" => Test::Has(self.list()?),
            "contains" => Test::Contains(self.value()?),
            "nth-child" | "nth-of-type" => {
                let end = self.rest.find(')').unwrap_or(self.rest.len());
                let (a, b) = an_plus_b(&self.rest[..end]).ok_or_else(|| self.error("expected `2`, `odd` or `2n+1`"))?;
                self.rest = &self.rest[end..];
                nth(a, b, false, name == "nth-of-type")
            }
            _ => return Err(self.error("no such test")),
        };
        self.skip_space();
        if self.take(")") { Ok(test) } else { Err(self.error("expected `)`")) }
    }
}

fn an_plus_b(text: &str) -> Option<(i64, i64)> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match &*text {
        "odd" => return Some((2, 1)),
        "even" => return Some((2, 0)),
        _ => {}
    }
    let Some((a, b)) = text.split_once('n') else { return Some((0, text.parse().ok()?)) };
    let a = match a {
        "" | "+" => 1,
        "-" => -1,
        a => a.parse().ok()?,
    };
    Some((a, if b.is_empty() { 0 } else { b.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "<div id=top class='a b'><p class=x>1<p class='x y' data-k='v-1'>2<ul><li>3<li>4<li><b>5</b></ul></div>";

    fn found(selector: &str) -> Vec<String> {
        let page = Document::parse(PAGE);
        Selector::parse(selector).unwrap().find(&page, page.all()).map(|n| page.text(n)).collect()
    }

    #[test]
    fn selectors_find_what_browsers_find() {
        for (selector, want) in [
            ("p", &["1", "2"][..]),
            (".x.y", &["2"]),
            ("div > p", &["1", "2"]),
            ("div>li", &[]),
            ("div li", &["3", "4", "5"]),
            ("#top.a p.x", &["1", "2"]),
            ("p + p", &["2"]),
            ("p ~ ul > li:first-child", &["3"]),
            ("li:last-child", &["5"]),
            ("li:nth-child(odd)", &["3", "5"]),
            ("li:nth-child(2)", &["4"]),
            ("li:nth-child(n+2)", &["4", "5"]),
            ("p:nth-of-type(2)", &["2"]),
            ("[data-k]", &["2"]),
            ("[data-k='v-1'], li:has(b)", &["2", "5"]),
            ("[data-k^=v]", &["2"]),
            ("[data-k$='1']", &["2"]),
            ("[data-k*=\"-\"]", &["2"]),
            ("[data-k|=v]", &["2"]),
            ("[data-k=V-1 i]", &["2"]),
            ("li:not(:has(b)):not(:first-child)", &["4"]),
            ("p:contains('2')", &["2"]),
        ] {
            assert_eq!(found(selector), want, "{selector}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for selector in ["", "p >", "p[", "p[a=", ":nope", "p:not(", "p)", "li:nth-child(x)", "p,,p"] {
            assert!(Selector::parse(selector).is_err(), "{selector}");
        }
        let error = Selector::parse("p:nope(1)").unwrap_err().to_string();
        assert_eq!(error, "selector `p:nope(1)`: no such test at `1)`");
    }

    #[test]
    fn needles_are_what_a_page_must_contain() {
        assert_eq!(Selector::parse(".wprm-recipe div, #easyrecipe").unwrap().needles(), ["wprm-recipe", "easyrecipe"]);
        assert!(Selector::parse(".a, h1").unwrap().needles().is_empty());
    }
}
