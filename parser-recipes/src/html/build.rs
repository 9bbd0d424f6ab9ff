//! The tree builder: one pass, no recursion, end tags implied where the HTML standard implies them.
//!
//! It follows the standard's tree construction (<https://html.spec.whatwg.org/multipage/parsing.html>) where recipe
//! pages need it: void elements, raw text, `p`, `li`, `dt`/`dd`, `option` and table parts closing by themselves, end
//! tags that match nothing ignored. It makes no `html`, `head` or `tbody` that the page does not have, and does not
//! rebuild misnested formatting.

use memchr::{memchr, memchr3, memmem};

use super::{Node, NodeId, Tag};

/// Elements deeper than this become siblings of each other, so that no walk up the tree is long.
const MAX_DEPTH: usize = 256;

/// Builds the nodes of a page.
pub(super) fn build(source: &str) -> Vec<Node> {
    // Offsets are 32 bits wide; the extractor refuses pages far smaller than that.
    let source = source.get(..u32::MAX as usize).unwrap_or(source);
    let mut builder = Builder {
        bytes: source.as_bytes(),
        nodes: Vec::with_capacity(source.len() / 64 + 16),
        open: Vec::with_capacity(64),
        too_deep: 0,
        max_nodes: source.len() / 8 + 4096,
    };
    builder.run();
    builder.finish()
}

struct Builder<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    open: Vec<(NodeId, Tag)>,
    /// Elements not pushed because of [`MAX_DEPTH`], whose end tags must not close others.
    too_deep: usize,
    /// Most nodes that a page of this size may have; what comes after them is not read.
    max_nodes: usize,
}

impl Builder<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.bytes.len() && self.nodes.len() < self.max_nodes {
            let lt = memchr(b'<', &self.bytes[at..]).map_or(self.bytes.len(), |n| at + n);
            if lt > at {
                self.text(at, lt);
            }
            if lt == self.bytes.len() {
                return;
            }
            at = match self.bytes.get(lt + 1) {
                Some(b'!') => self.declaration(lt),
                Some(b'?') => self.after_gt(lt + 1),
                Some(b'/') if self.bytes.get(lt + 2).is_some_and(u8::is_ascii_alphabetic) => self.end_tag(lt + 2),
                Some(b'/') => self.after_gt(lt + 1),
                Some(b) if b.is_ascii_alphabetic() => self.start_tag(lt + 1),
                _ => {
                    self.text(lt, lt + 1);
                    lt + 1
                }
            };
        }
    }

    fn after_gt(&self, from: usize) -> usize {
        memchr(b'>', &self.bytes[from..]).map_or(self.bytes.len(), |n| from + n + 1)
    }

    /// Skips a comment, doctype or CDATA section that starts at `lt`; returns where the page goes on.
    fn declaration(&self, lt: usize) -> usize {
        let rest = &self.bytes[lt..];
        if rest.starts_with(b"<!-->") || rest.starts_with(b"<!--->") {
            return self.after_gt(lt);
        }
        if rest.starts_with(b"<!--") {
            return memmem::find(&rest[4..], b"-->").map_or(self.bytes.len(), |n| lt + 4 + n + 3);
        }
        self.after_gt(lt)
    }

    fn text(&mut self, start: usize, stop: usize) {
        // Adjacent pieces (a lone "<" between two runs) become one node.
        if let Some(last) = self.nodes.last_mut()
            && last.tag == Tag::Text
            && last.stop as usize == start
        {
            last.stop = offset(stop);
            return;
        }
        self.push_leaf(Tag::Text, start, stop);
    }

    fn push_leaf(&mut self, tag: Tag, start: usize, stop: usize) -> NodeId {
        let id = offset(self.nodes.len());
        let parent = self.open.last().map_or(NodeId::MAX, |&(id, _)| id);
        self.nodes.push(Node { parent, end: id + 1, start: offset(start), stop: offset(stop), tag });
        id
    }

    fn start_tag(&mut self, start: usize) -> usize {
        let name_end = name_end(self.bytes, start);
        let tag = Tag::of(&self.bytes[start..name_end]);
        let stop = self.tag_end(name_end);
        let self_closing = stop > name_end && self.bytes[stop - 1] == b'/';
        self.close_implied(tag);
        let id = self.push_leaf(tag, start, stop);
        let next = (stop + 1).min(self.bytes.len());
        if tag.is_void() {
            return next;
        }
        if tag.is_raw_text() {
            return self.raw_text(id, tag, next);
        }
        if self_closing && tag == Tag::Other {
            // <path/> and the like: only foreign elements really close themselves, and those are not in our list.
            return next;
        }
        if self.open.len() < MAX_DEPTH {
            self.open.push((id, tag));
        } else {
            self.too_deep += 1;
        }
        next
    }

    /// Where the tag ends (its `>`), quotes respected; the page's end where it never does.
    fn tag_end(&mut self, from: usize) -> usize {
        let mut at = from;
        loop {
            let Some(found) = memchr3(b'>', b'"', b'\'', &self.bytes[at..]).map(|n| at + n) else {
                return self.bytes.len();
            };
            let byte = self.bytes[found];
            if byte == b'>' {
                return found;
            }
            let before = self.bytes[from..found].iter().rev().find(|b| !b.is_ascii_whitespace());
            // Only behind "=" does a quote open a value; anywhere else it is a slip of the page's author.
            if before != Some(&b'=') {
                at = found + 1;
                continue;
            }
            match memchr(byte, &self.bytes[found + 1..]) {
                Some(n) => at = found + 1 + n + 1,
                None => {
                    // The value never closes (a page cut off, or a stray quote): read on as if it were not there.
                    at = found + 1;
                }
            }
        }
    }

    /// The content of `<script>` and its like as one text node; returns the place behind the end tag.
    fn raw_text(&mut self, id: NodeId, tag: Tag, start: usize) -> usize {
        let name = &self.bytes[self.nodes[id as usize].start as usize..];
        let name = &name[..name_end(name, 0)];
        let stop = raw_text_end(self.bytes, start, name);
        if stop > start {
            let text = offset(self.nodes.len());
            self.nodes.push(Node {
                parent: id,
                end: text + 1,
                start: offset(start),
                stop: offset(stop),
                tag: Tag::Text,
            });
            self.nodes[id as usize].end = text + 1;
        }
        debug_assert!(tag.is_raw_text());
        if stop == self.bytes.len() { stop } else { self.after_gt(stop) }
    }

    /// Closes what the standard closes before an element of this kind.
    fn close_implied(&mut self, tag: Tag) {
        match tag {
            Tag::Li => self.close_until(&[Tag::Li], &[Tag::Ul, Tag::Ol]),
            Tag::Dt | Tag::Dd => self.close_until(&[Tag::Dt, Tag::Dd], &[Tag::Dl]),
            Tag::Option => self.close_until(&[Tag::Option], &[Tag::Select]),
            Tag::Td | Tag::Th => self.close_until(&[Tag::Td, Tag::Th], &[Tag::Tr, Tag::Table]),
            Tag::Tr => self.close_until(&[Tag::Tr], &[Tag::Table, Tag::Tbody, Tag::Thead, Tag::Tfoot]),
            Tag::Tbody | Tag::Thead | Tag::Tfoot => {
                self.close_until(&[Tag::Tbody, Tag::Thead, Tag::Tfoot], &[Tag::Table]);
            }
            _ => {}
        }
        if tag.closes_p() {
            self.close_until(&[Tag::P], &[]);
        }
    }

    /// Closes the nearest open element of `tags`, unless one of `barriers` or a table cell stands between.
    fn close_until(&mut self, tags: &[Tag], barriers: &[Tag]) {
        let cell_is_barrier = !tags.iter().any(|t| matches!(t, Tag::Td | Tag::Tr | Tag::Tbody));
        for depth in (0..self.open.len()).rev() {
            let tag = self.open[depth].1;
            if tags.contains(&tag) {
                self.truncate(depth);
                return;
            }
            let scope = matches!(tag, Tag::Table | Tag::Template | Tag::Button | Tag::Svg)
                || (cell_is_barrier && matches!(tag, Tag::Td | Tag::Th | Tag::Caption));
            if scope || barriers.contains(&tag) {
                return;
            }
            // An open <p> is only closed across inline elements: inside a <div> inside it, it is already closed.
            if tags == [Tag::P] && !tag.is_inline() {
                return;
            }
            // <li> and <dt> look past inline elements, div and p only (the standard's "special" elements stop them).
            if !tag.is_inline() && tags.contains(&Tag::Li) && !matches!(tag, Tag::Div | Tag::P | Tag::Address) {
                return;
            }
        }
    }

    fn end_tag(&mut self, start: usize) -> usize {
        let name_end = name_end(self.bytes, start);
        let name = &self.bytes[start..name_end];
        let tag = Tag::of(name);
        let next = self.after_gt(name_end);
        if tag == Tag::Br {
            self.push_leaf(Tag::Br, start, name_end);
            return next;
        }
        if self.too_deep > 0 && !tag.is_void() {
            self.too_deep -= 1;
            return next;
        }
        let table_part = matches!(
            tag,
            Tag::Table | Tag::Tr | Tag::Td | Tag::Th | Tag::Tbody | Tag::Thead | Tag::Tfoot | Tag::Caption
        );
        for depth in (0..self.open.len()).rev() {
            let (id, open) = self.open[depth];
            if open == tag && (tag != Tag::Other || self.same_name(id, name)) {
                self.truncate(depth);
                return next;
            }
            let blocked = if tag.is_inline() {
                // "Any other end tag": ignored once a special element stands between.
                !open.is_inline()
            } else if table_part {
                open == Tag::Table
            } else {
                let list = tag == Tag::Li && matches!(open, Tag::Ul | Tag::Ol);
                list || matches!(open, Tag::Td | Tag::Th | Tag::Table | Tag::Template | Tag::Caption)
            };
            if blocked {
                return next;
            }
        }
        next
    }

    fn same_name(&self, id: NodeId, name: &[u8]) -> bool {
        let start = self.nodes[id as usize].start as usize;
        self.bytes[start..name_end(self.bytes, start)].eq_ignore_ascii_case(name)
    }

    fn truncate(&mut self, depth: usize) {
        let end = offset(self.nodes.len());
        for &(id, _) in &self.open[depth..] {
            self.nodes[id as usize].end = end;
        }
        self.open.truncate(depth);
    }

    fn finish(mut self) -> Vec<Node> {
        self.truncate(0);
        self.nodes
    }
}

fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn name_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    start + rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/')).unwrap_or(rest.len())
}

/// Where the raw text that starts at `start` ends: the `<` of `</name`, or the page's end.
pub(crate) fn raw_text_end(bytes: &[u8], start: usize, name: &[u8]) -> usize {
    let mut at = start;
    while let Some(n) = memchr(b'<', &bytes[at..]) {
        let lt = at + n;
        if let Some(rest) = bytes.get(lt + 1..)
            && rest.first() == Some(&b'/')
            && rest.get(1..=name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name))
            && rest.get(1 + name.len()).is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))
        {
            return lt;
        }
        at = lt + 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use proptest::prelude::*;

    /// The tree as nested brackets, to compare shapes.
    fn shape(source: &str) -> String {
        let document = Document::parse(source);
        let mut out = String::new();
        let mut ends = Vec::new();
        for node in document.all() {
            while ends.last() == Some(&node) {
                ends.pop();
                out.push(')');
            }
            if document.is_element(node) {
                out.push_str(document.name(node));
                out.push('(');
                ends.push(document.end(node));
            } else {
                out.push_str(document.raw(node).trim());
            }
        }
        out.extend(ends.iter().map(|_| ')'));
        out
    }

    #[test]
    fn end_tags_are_implied() {
        assert_eq!(shape("<ul><li>a<li>b</ul>c"), "ul(li(a)li(b))c");
        assert_eq!(shape("<p>a<p>b<div>c</div>"), "p(a)p(b)div(c)");
        assert_eq!(shape("<table><tr><td>a<td>b<tr><td>c</table>d"), "table(tr(td(a)td(b))tr(td(c)))d");
        assert_eq!(shape("<dl><dt>a<dd>b<dt>c</dl>"), "dl(dt(a)dd(b)dt(c))");
        assert_eq!(shape("<ul><li>a<ul><li>b</ul><li>c</ul>"), "ul(li(aul(li(b)))li(c))");
    }

    #[test]
    fn stray_end_tags_close_nothing() {
        assert_eq!(shape("<div><b><div>x</b>y</div>z</div>w"), "div(b(div(xy)z))w");
        assert_eq!(shape("<div><td></div></p>x"), "div(td(x))");
        assert_eq!(shape("<div>a</section>b</div>"), "div(ab)");
    }

    #[test]
    fn raw_text_and_comments_hold_no_markup() {
        assert_eq!(shape("<script>if (a<b) '<p>'</script>x"), "script(if (a<b) '<p>')x");
        assert_eq!(shape("<!-- <p> --><b>x</b><!-->y"), "b(x)y");
        assert_eq!(shape("<title>a < b</title>"), "title(a < b)");
    }

    #[test]
    fn quotes_guard_angle_brackets_only_behind_an_equals_sign() {
        assert_eq!(shape("<a title=\"1 > 0\">x</a>"), "a(x)");
        assert_eq!(shape("<p it's>x</p>"), "p(x)");
        assert_eq!(shape("<p a=\"b>x</p>y"), "p(x)y");
    }

    #[test]
    fn ten_thousand_nested_tags_neither_overflow_nor_lose_text() {
        let source = format!("{}x{}y", "<div>".repeat(10_000), "</div>".repeat(10_000));
        let document = Document::parse(&source);
        assert_eq!(document.len(), 10_002);
        let last = document.len() - 1;
        assert_eq!(document.raw(last), "y");
        assert_eq!(document.parent(last), None);
    }

    proptest! {
        #[test]
        fn any_input_makes_a_well_formed_tree(source in "(<[a-z/!]{0,4}[ a-z=\"'-]{0,8}>?|[a-z ]{0,4}|<li>|<p>|</p>|</ul>|<ul>|<td>|<table>|<script>){0,40}") {
            let document = Document::parse(&source);
            for node in document.all() {
                let end = document.end(node);
                prop_assert!(end > node && end <= document.len());
                if let Some(parent) = document.parent(node) {
                    prop_assert!(parent < node && end <= document.end(parent));
                }
                let _ = document.attributes(node).count();
            }
        }
    }
}
