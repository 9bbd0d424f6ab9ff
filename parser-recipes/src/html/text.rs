//! Text of a subtree, as a reader would see it.

use std::borrow::Cow;

use super::{Document, NodeId, Tag};

/// Decodes character references (`&amp;`, `&#8217;`, `&frac12;`).
pub fn decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', text.as_bytes()).is_none() { Cow::Borrowed(text) } else { htmlize::unescape(text) }
}

/// White space runs made one space, none at the ends.
pub fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut push = |word: &str| {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    };
    // Most text has only spaces of one byte, and telling them needs no characters.
    if text.is_ascii() {
        text.split(|c: char| matches!(c, ' ' | '\t'..='\r')).for_each(&mut push);
    } else {
        text.split_whitespace().for_each(&mut push);
    }
    out
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
                out.extend(text.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }));
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
    fn hidden_text_is_left_out() {
        let document = Document::parse("<p>a<span style='display:none'>b</span><span hidden>c</span>d</p>");
        assert_eq!(document.text(0), "ad");
    }

    #[test]
    fn references_are_decoded() {
        assert_eq!(decode("1&frac12; cups &amp; Bob&#8217;s"), "1½ cups & Bob’s");
    }
}
