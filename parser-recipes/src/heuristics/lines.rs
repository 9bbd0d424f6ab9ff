//! A page as its lines of text: what a reader sees from top to bottom, with what each line is.

use super::words::{self, Topic};
use crate::html::{Document, NodeId, Tag, decode};

/// More lines are not read: a page of a million lines is no recipe.
const MAX_LINES: usize = 20_000;

/// Longer lines, in bytes, are read as prose only: they are no label, no heading and no noise.
const SHORT: usize = 160;

/// A line of text.
#[derive(Debug, Clone)]
pub struct Line {
    /// Clean text.
    pub text: String,
    /// The text in lower case; of a line longer than [`SHORT`] nothing.
    pub lower: String,
    /// The block that holds it.
    pub block: NodeId,
    /// 1 to 6 for headings, 7 for a line that is all bold, 8 for other short labels.
    pub heading: Option<u8>,
    /// The list item or table row around it, within the innermost list.
    pub item: Option<NodeId>,
    /// Whether it stands in navigation, a footer or a form.
    pub aside: bool,
    /// What it announces, if anything.
    pub topic: Option<Topic>,
    /// Whether the topic's name is all it says.
    pub exact: bool,
}

/// The lines of the page's body.
pub fn lines(page: &Document<'_>) -> Vec<Line> {
    let mut reader = Reader {
        page,
        lines: Vec::new(),
        text: String::new(),
        start: None,
        bold: true,
        last: 0,
        piece: 0,
        around: Vec::new(),
    };
    let mut at = 0;
    while at < page.len() && reader.lines.len() < MAX_LINES {
        while let Some(inner) = reader.around.pop_if(|inner| inner.end <= at) {
            if inner.breaks {
                reader.flush();
            }
        }
        let tag = page.tag(at);
        if tag == Tag::Text {
            reader.push(at);
            at += 1;
            continue;
        }
        if tag.is_hidden() || (tag == Tag::Noscript) {
            at = page.end(at);
            continue;
        }
        let cell = matches!(tag, Tag::Td | Tag::Th);
        let breaks = !cell && !tag.is_inline() && !matches!(tag, Tag::Br | Tag::Tbody | Tag::Thead);
        if breaks || tag == Tag::Br {
            reader.flush();
        } else if cell {
            reader.text.push(' ');
        }
        reader.enter(at, tag, breaks);
        at += 1;
    }
    reader.flush();
    reader.lines
}

/// What holds inside an element that stands around a text.
#[derive(Clone, Copy, Default)]
struct Around {
    end: NodeId,
    /// Whether a line ends where it ends.
    breaks: bool,
    block: Option<NodeId>,
    item: Option<NodeId>,
    heading: Option<u8>,
    aside: bool,
}

struct Reader<'p, 'd> {
    page: &'p Document<'d>,
    lines: Vec<Line>,
    text: String,
    /// The first text node of the line, and what is around it.
    start: Option<(NodeId, Around)>,
    bold: bool,
    /// The element of the text before, and where that starts in the line.
    last: NodeId,
    piece: usize,
    /// Elements around the current node, the innermost last; inline ones only where they say something.
    around: Vec<Around>,
}

impl Reader<'_, '_> {
    fn enter(&mut self, node: NodeId, tag: Tag, breaks: bool) {
        let inline = tag.is_inline();
        let end = self.page.end(node);
        if end == node + 1 || (inline && tag != Tag::Button) {
            return;
        }
        let mut inner = Around { end, breaks, ..self.around.last().copied().unwrap_or_default() };
        if !inline {
            inner.block = Some(node);
        }
        if matches!(tag, Tag::Li | Tag::Tr) {
            inner.item = Some(node);
        }
        inner.heading = tag.heading_level().or(inner.heading);
        inner.aside |= matches!(tag, Tag::Nav | Tag::Footer | Tag::Form | Tag::Button | Tag::Option);
        self.around.push(inner);
    }

    fn push(&mut self, node: NodeId) {
        let raw = self.page.raw(node);
        let raw = if raw.bytes().all(|b| b.is_ascii_whitespace()) { "" } else { raw.trim() };
        if raw.is_empty() {
            self.text.push(' ');
            return;
        }
        if self.start.is_none() {
            self.start = Some((node, self.around.last().copied().unwrap_or_default()));
        }
        self.bold = self.bold && (raw == ":" || self.is_bold(node));
        // White space at the ends parts words, however much it is.
        let whole = self.page.raw(node);
        if !whole.starts_with(raw) || (self.page.end(self.last) <= node && is_parted(&self.text[self.piece..], raw)) {
            self.text.push(' ');
        }
        (self.last, self.piece) = (self.page.parent(node).unwrap_or(node), self.text.len());
        self.text.push_str(&decode(raw));
        if !whole.ends_with(raw) {
            self.text.push(' ');
        }
    }

    fn is_bold(&self, node: NodeId) -> bool {
        let inline = self.page.ancestors(node).take_while(|&n| self.page.tag(n).is_inline());
        inline.take(8).any(|n| matches!(self.page.tag(n), Tag::B | Tag::Strong))
    }

    fn flush(&mut self) {
        let bold = std::mem::replace(&mut self.bold, true);
        let Some((node, around)) = self.start.take() else {
            self.text.clear();
            self.piece = 0;
            return;
        };
        let text = crate::values::clean(&self.text);
        self.text.clear();
        self.piece = 0;
        if text.is_empty() {
            return;
        }
        let label = (bold && text.len() < 100).then_some(7);
        let lower = if text.len() <= SHORT { text.to_lowercase() } else { String::new() };
        let topic = words::topic(&lower);
        self.lines.push(Line {
            block: around.block.unwrap_or(node),
            heading: around.heading.or(label),
            item: around.item,
            aside: around.aside,
            topic: topic.map(|(topic, _)| topic),
            exact: topic.is_some_and(|(_, exact)| exact),
            text,
            lower,
        });
    }
}

/// Whether a reader sees a space between an amount and what follows it, in elements of their own, that the page's source
/// does not have: `<b>650 g</b><b>flour</b>`.
fn is_parted(amount: &str, next: &str) -> bool {
    amount.starts_with(char::is_numeric)
        && amount.ends_with(char::is_alphanumeric)
        && next.starts_with(char::is_alphabetic)
        && next.len() > 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_what_they_are() {
        let page = Document::parse(
            "<nav><a>Home</a></nav><h2>Soup</h2><p><b>Serves:</b></p><ul><li>1 <b>egg</b><li>salt</ul>a<br>b",
        );
        let lines = lines(&page);
        let seen: Vec<_> = lines.iter().map(|l| (&*l.text, l.heading, l.item.is_some(), l.aside)).collect();
        assert_eq!(
            seen,
            [
                ("Home", None, false, true),
                ("Soup", Some(2), false, false),
                ("Serves:", Some(7), false, false),
                ("1 egg", None, true, false),
                ("salt", None, true, false),
                ("a", None, false, false),
                ("b", None, false, false),
            ]
        );
    }
}
