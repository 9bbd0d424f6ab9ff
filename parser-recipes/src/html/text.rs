//! Text of a subtree, as a reader would see it.

use std::borrow::Cow;

use super::{Document, NodeId, Tag};

/// Decodes character references (`&amp;`, `&#8217;`, `&frac12;`).
pub fn decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() { Cow::Borrowed(text) } else { htmlize::unescape(text) }
}

/// White space runs made one space, none at the ends.
pub fn collapse(text: &str) -> String {
    let text = text.trim();
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    // Runs whose white space is single spaces are taken whole.
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let length = match bytes[at] {
            b'!'..=0x7F => 0,
            byte => space_length(byte, &bytes[at..]),
        };
        if length == 0 {
            at += 1;
            continue;
        }
        let first = at;
        at += length;
        while at < bytes.len() {
            match space_length(bytes[at], &bytes[at..]) {
                0 => break,
                more => at += more,
            }
        }
        if at - first > 1 || bytes[first] != b' ' {
            out.push_str(&text[start..first]);
            out.push(' ');
            start = at;
        }
    }
    out.push_str(&text[start..]);
    out
}

/// The length of the white space character at the start, 0 where there is none. `byte` is the first of `rest`.
fn space_length(byte: u8, rest: &[u8]) -> usize {
    match byte {
        b' ' | b'\t'..=b'\r' => 1,
        0xC2 if matches!(rest.get(1), Some(0x85 | 0xA0)) => 2,
        0xE1 if rest.starts_with(&[0xE1, 0x9A, 0x80]) => 3,
        0xE2 => match rest.get(1..3) {
            Some([0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF] | [0x81, 0x9F]) => 3,
            _ => 0,
        },
        0xE3 if rest.starts_with(&[0xE3, 0x80, 0x80]) => 3,
        _ => 0,
    }
}

/// What is read of one element: more is a page, not a text.
const MAX_NODES: NodeId = 20_000;
const MAX_TEXT: usize = 256 * 1024;

impl Document<'_> {
    /// The text of the subtree in one line: blocks and line breaks become spaces.
    pub fn text(&self, node: NodeId) -> String {
        collapse(&self.flow(node))
    }

    /// The text of the subtree, one entry for each block or line; empty ones left out.
    pub fn lines(&self, node: NodeId) -> Vec<String> {
        self.flow(node).split('\n').map(collapse).filter(|line| !line.is_empty()).collect()
    }

    /// Text with `\n` at each block boundary; line breaks of the source are spaces.
    fn flow(&self, node: NodeId) -> String {
        let mut out = String::new();
        let mut blocks: Vec<NodeId> = Vec::new();
        let mut at = node;
        let stop = self.end(node).min(node.saturating_add(MAX_NODES));
        while at < stop && out.len() < MAX_TEXT {
            while blocks.last().is_some_and(|&end| end <= at) {
                blocks.pop();
                out.push('\n');
            }
            let tag = self.tag(at);
            if tag == Tag::Text {
                let text = decode(self.raw(at));
                let mut lines = text.split(['\n', '\r']);
                out.push_str(lines.next().unwrap_or_default());
                for line in lines {
                    out.push(' ');
                    out.push_str(line);
                }
            } else if at != node && (tag.is_hidden() || self.is_hidden_by_attribute(at)) {
                at = self.end(at);
                continue;
            } else if tag == Tag::Br {
                out.push('\n');
            } else if matches!(tag, Tag::Td | Tag::Th) {
                out.push(' ');
            } else if !tag.is_inline() && !matches!(tag, Tag::Tbody | Tag::Thead) {
                out.push('\n');
                blocks.push(self.end(at));
            }
            at += 1;
        }
        out
    }

    /// `hidden` and `style="display:none"`; not `aria-hidden`, which themes put on visible text too.
    fn is_hidden_by_attribute(&self, node: NodeId) -> bool {
        self.attributes(node).any(|(name, value)| {
            name.eq_ignore_ascii_case("hidden")
                || (name.eq_ignore_ascii_case("style")
                    && (value.contains("display:none") || value.contains("display: none")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_part_lines_and_inline_elements_do_not() {
        let document = Document::parse("<div>1 <b>cup</b>\n milk<p>2 eggs<br>beaten</p><script>x</script>salt</div>");
        assert_eq!(document.lines(0), ["1 cup milk", "2 eggs", "beaten", "salt"]);
        assert_eq!(document.text(0), "1 cup milk 2 eggs beaten salt");
    }

    #[test]
    fn white_space_of_every_width_collapses() {
        let spaces: Vec<char> = (0..=0x3001).filter_map(char::from_u32).filter(|c| c.is_whitespace()).collect();
        for space in spaces {
            assert_eq!(collapse(&format!("{space}a{space}{space} b{space}ä é{space}")), "a b ä é", "{space:?}");
        }
        assert_eq!((&*collapse(" "), &*collapse("ā\u{200b} \u{2026}Â ")), ("", "ā\u{200b} \u{2026}Â"));
    }

    #[test]
    fn hidden_text_is_left_out() {
        let document = Document::parse("<p>a<span style='display:none'>b</span><span hidden>c</span>d</p>");
        assert_eq!(document.text(0), "ad");
    }

    #[test]
    fn references_are_decoded() {
        assert_eq!(decode("1&frac12; cups &amp; Bob&#8217;s"), "1½ cups & Bob’s");
    }
}
