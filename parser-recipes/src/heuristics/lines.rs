//! A page as its lines of text: what a reader sees from top to bottom, with what each line is.

use super::words::{self, Topic};
use crate::html::{Document, NodeId, Tag, decode};

/// More lines are not read: a page of a million lines is no recipe.
const MAX_LINES: usize = 20_000;

/// A line of text.
#[derive(Debug, Clone)]
pub struct Line {
    /// Clean text.
    pub text: String,
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
    let mut reader = Reader { page, lines: Vec::new(), text: String::new(), start: None, bold: true };
    let mut blocks: Vec<NodeId> = Vec::new();
    let mut at = 0;
    while at < page.len() && reader.lines.len() < MAX_LINES {
        while blocks.last().is_some_and(|&end| end <= at) {
            blocks.pop();
            reader.flush();
        }
        let tag = page.tag(at);
        if tag == Tag::Text {
            reader.push(at);
        } else if tag.is_hidden() || (tag == Tag::Noscript) {
            at = page.end(at);
            continue;
        } else if tag == Tag::Br {
            reader.flush();
        } else if matches!(tag, Tag::Td | Tag::Th) {
            reader.text.push(' ');
        } else if !tag.is_inline() && !matches!(tag, Tag::Tbody | Tag::Thead) {
            reader.flush();
            blocks.push(page.end(at));
        }
        at += 1;
    }
    reader.flush();
    reader.lines
}

struct Reader<'p, 'd> {
    page: &'p Document<'d>,
    lines: Vec<Line>,
    text: String,
    /// The first text node of the line.
    start: Option<NodeId>,
    bold: bool,
}

impl Reader<'_, '_> {
    fn push(&mut self, node: NodeId) {
        let raw = self.page.raw(node);
        if raw.trim().is_empty() {
            self.text.push(' ');
            return;
        }
        self.start.get_or_insert(node);
        let bold = self
            .page
            .ancestors(node)
            .take_while(|&n| self.page.tag(n).is_inline())
            .take(8)
            .any(|n| matches!(self.page.tag(n), Tag::B | Tag::Strong));
        self.bold &= bold || raw.trim() == ":";
        self.text.push_str(&decode(raw));
    }

    fn flush(&mut self) {
        let text = crate::values::clean(&std::mem::take(&mut self.text));
        let bold = std::mem::replace(&mut self.bold, true);
        let Some(node) = self.start.take() else { return };
        if text.is_empty() {
            return;
        }
        let page = self.page;
        let block = page.ancestors(node).find(|&n| !page.tag(n).is_inline()).unwrap_or(node);
        let mut item = None;
        let mut heading = None;
        let mut aside = false;
        for n in page.ancestors(node) {
            let tag = page.tag(n);
            if item.is_none() && matches!(tag, Tag::Li | Tag::Tr) {
                item = Some(n);
            }
            heading = heading.or_else(|| tag.heading_level());
            aside |= matches!(tag, Tag::Nav | Tag::Footer | Tag::Form | Tag::Button | Tag::Option);
        }
        if bold && heading.is_none() && text.len() < 100 {
            heading = Some(7);
        }
        let topic = words::topic(&text);
        let exact = topic.is_some_and(|(_, exact)| exact);
        self.lines.push(Line { text, block, heading, item, aside, topic: topic.map(|(topic, _)| topic), exact });
    }
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
