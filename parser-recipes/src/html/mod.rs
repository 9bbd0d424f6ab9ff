//! A small HTML tree for reading, not for rendering.
//!
//! The nodes of a page stand in one vector in document order. A node knows its parent and where its subtree ends, so
//! that walking a subtree is a loop over a range and nothing recurses:
//!
//! ```text
//! index    0      1     2      3       4     5
//! node   <ul>   <li>  "salt"  <li>  <b>    "egg"
//! end      6      3     3      6     6      6        descendants of n = n+1 .. end(n)
//! ```
//!
//! A node is 20 bytes, holds no text (only where it stands in the source), and attributes are read when asked for: the
//! tree of a page made of nothing but `<a>` tags is seven times its size, a usual page's a tenth of it.

mod build;
pub(crate) use build::raw_text_end;
mod tag;
mod text;

pub use tag::Tag;
pub use text::{collapse, decode};

/// The index of a node in its [`Document`].
pub type NodeId = u32;

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: NodeId,
    /// One past the last node of the subtree.
    end: NodeId,
    /// Source range: of a text node its text, of an element its name and attributes without the angle brackets.
    start: u32,
    stop: u32,
    tag: Tag,
}

/// A parsed page that borrows its source.
#[derive(Debug)]
pub struct Document<'a> {
    source: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Document<'a> {
    /// Builds the tree in one pass over `source`. Any input makes a tree; memory is at most ten times the source.
    pub fn parse(source: &'a str) -> Document<'a> {
        Document { source, nodes: build::build(source) }
    }

    /// The number of nodes.
    pub fn len(&self) -> NodeId {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Whether the page has no node at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The page's text.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// Every node in document order.
    pub fn all(&self) -> std::ops::Range<NodeId> {
        0..self.len()
    }

    /// The nodes below `node`, in document order.
    pub fn descendants(&self, node: NodeId) -> std::ops::Range<NodeId> {
        node + 1..self.end(node)
    }

    /// One past the last node of the subtree of `node`.
    pub fn end(&self, node: NodeId) -> NodeId {
        self.nodes[node as usize].end
    }

    /// The children of `node`, text included.
    pub fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let stop = self.end(node);
        let mut next = node + 1;
        std::iter::from_fn(move || {
            (next < stop).then(|| {
                let child = next;
                next = self.end(child);
                child
            })
        })
    }

    /// The element around `node`.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        let parent = self.nodes[node as usize].parent;
        (parent != NodeId::MAX).then_some(parent)
    }

    /// The elements around `node`, the nearest first.
    pub fn ancestors(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.parent(node), |&n| self.parent(n))
    }

    /// The element's name, [`Tag::Text`] for text.
    pub fn tag(&self, node: NodeId) -> Tag {
        self.nodes[node as usize].tag
    }

    /// Whether the node is an element.
    pub fn is_element(&self, node: NodeId) -> bool {
        self.tag(node) != Tag::Text
    }

    /// The source of a text node, or the name and attributes of an element.
    pub fn raw(&self, node: NodeId) -> &'a str {
        let node = &self.nodes[node as usize];
        self.source.get(node.start as usize..node.stop as usize).unwrap_or("")
    }

    /// Where the node starts in the source, in bytes.
    pub fn offset(&self, node: NodeId) -> usize {
        self.nodes[node as usize].start as usize
    }

    /// The nodes, tags and texts, whose source holds the bytes at the offsets, which must ascend; each once, what is in
    /// no node left out.
    pub fn nodes_at(&self, offsets: impl Iterator<Item = usize>) -> impl Iterator<Item = NodeId> {
        // All nodes before this one start at or before the offset.
        let (mut next, mut last) = (0, None);
        offsets.filter_map(move |offset| {
            while self.nodes.get(next).is_some_and(|n| n.start as usize <= offset) {
                next += 1;
            }
            let node = next.checked_sub(1).filter(|&n| offset < self.nodes[n].stop as usize && last != Some(n))?;
            last = Some(node);
            NodeId::try_from(node).ok()
        })
    }

    /// The element's name as written.
    pub fn name(&self, node: NodeId) -> &'a str {
        let raw = self.raw(node);
        let stop = raw.as_bytes().iter().position(|b| b.is_ascii_whitespace() || *b == b'/').unwrap_or(raw.len());
        &raw[..stop]
    }

    /// The attributes of an element as written: names in the page's case, values not yet decoded.
    pub fn attributes(&self, node: NodeId) -> Attributes<'a> {
        let raw = if self.is_element(node) { self.raw(node) } else { "" };
        let skip = if raw.is_empty() { 0 } else { self.name(node).len() };
        Attributes { rest: &raw[skip..] }
    }

    /// The value of an attribute as written; an empty string where it has none.
    pub fn attr_raw(&self, node: NodeId, name: &str) -> Option<&'a str> {
        self.attributes(node).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of an attribute with its character references decoded.
    pub fn attr(&self, node: NodeId, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.attr_raw(node, name).map(decode)
    }

    /// The values of the element's `class` and `id`, in the order written.
    pub fn names(&self, node: NodeId) -> impl Iterator<Item = &'a str> {
        let is_name = |name: &str| name.eq_ignore_ascii_case("class") || name.eq_ignore_ascii_case("id");
        self.attributes(node).filter(move |(name, _)| is_name(name)).map(|(_, value)| value)
    }

    /// Whether the element has the class.
    pub fn has_class(&self, node: NodeId, class: &str) -> bool {
        self.attr_raw(node, "class").is_some_and(|v| v.split_ascii_whitespace().any(|c| c == class))
    }

    /// Whether `inner` stands inside the subtree of `outer`, or is it.
    pub fn contains(&self, outer: NodeId, inner: NodeId) -> bool {
        outer <= inner && inner < self.end(outer)
    }
}

/// Iterator over the attributes of a tag.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        let bytes = rest.as_bytes();
        // Cuts stand before or behind ASCII bytes, or at the end: always between characters.
        let past = |from: usize, until: fn(u8) -> bool| {
            bytes[from..].iter().position(|&b| until(b)).map_or(bytes.len(), |n| from + n)
        };
        let start = past(0, |b| !b.is_ascii_whitespace() && b != b'/');
        if start == bytes.len() {
            return None;
        }
        // A name may start with "=" (the standard's "unexpected-equals-sign-before-attribute-name"), hence the 1.
        let stop = past(start + 1, |b| b.is_ascii_whitespace() || matches!(b, b'=' | b'/'));
        let name = &rest[start..stop];
        let equals = past(stop, |b| !b.is_ascii_whitespace());
        if bytes.get(equals) != Some(&b'=') {
            self.rest = &rest[equals..];
            return Some((name, ""));
        }
        let value = past(equals + 1, |b| !b.is_ascii_whitespace());
        let (value, after) = match bytes.get(value) {
            Some(&quote @ (b'"' | b'\'')) => {
                let end = memchr::memchr(quote, &bytes[value + 1..]).map_or(bytes.len(), |n| value + 1 + n);
                (value + 1..end, (end + 1).min(bytes.len()))
            }
            _ => {
                let end = past(value, |b| b.is_ascii_whitespace());
                (value..end, end)
            }
        };
        self.rest = &rest[after..];
        Some((name, &rest[value]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(tag: &str) -> Vec<(String, String)> {
        let document = Document::parse(tag);
        document.attributes(0).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn attributes_are_read_in_every_quoting() {
        let got = attributes("<a b=1 C='2 x' d = \"3>4\" e f=>");
        let want = [("b", "1"), ("C", "2 x"), ("d", "3>4"), ("e", ""), ("f", "")];
        assert_eq!(got, want.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn an_attribute_is_found_in_any_case_and_decoded() {
        let document = Document::parse("<p DATA-x='a &amp; b'>");
        assert_eq!(document.attr(0, "data-x").as_deref(), Some("a & b"));
        assert_eq!(document.attr(0, "data-y"), None);
    }

    #[test]
    fn nodes_are_found_by_what_stands_in_them() {
        let source = "<p>a<i class=x>b</i>c</p>";
        let document = Document::parse(source);
        let found: Vec<_> = document.nodes_at(0..source.len()).map(|n| document.raw(n)).collect();
        assert_eq!(found, ["p", "a", "i class=x", "b", "c"]);
    }

    #[test]
    fn children_skip_grandchildren() {
        let document = Document::parse("<ul><li>salt<li><b>egg</b></ul>");
        let names: Vec<_> = document.children(0).map(|n| document.name(n)).collect();
        assert_eq!(names, ["li", "li"]);
        assert_eq!(document.descendants(0).count(), 5);
    }
}
