//! The element names that matter to the tree builder and to text extraction.

/// An element name. Names outside this list are [`Tag::Other`]; their spelling stays in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is the element of that name")]
pub enum Tag {
    /// A run of text, not an element.
    Text,
    Other,
    A,
    Address,
    Area,
    Article,
    Aside,
    Audio,
    B,
    Base,
    Blockquote,
    Body,
    Br,
    Button,
    Canvas,
    Caption,
    Col,
    Dd,
    Details,
    Div,
    Dl,
    Dt,
    Em,
    Embed,
    Fieldset,
    Figcaption,
    Figure,
    Footer,
    Form,
    H1,
    H2,
    H3,
    H4,
    H5,
    H6,
    Head,
    Header,
    Hr,
    Html,
    I,
    Iframe,
    Img,
    Input,
    Label,
    Li,
    Link,
    Main,
    Meta,
    Nav,
    Noscript,
    Object,
    Ol,
    Option,
    P,
    Picture,
    Pre,
    S,
    Script,
    Section,
    Select,
    Source,
    Span,
    Strong,
    Style,
    Summary,
    Sup,
    Sub,
    Svg,
    Table,
    Tbody,
    Td,
    Template,
    Textarea,
    Tfoot,
    Th,
    Thead,
    Time,
    Title,
    Tr,
    Track,
    Ul,
    Video,
    Wbr,
}

impl Tag {
    /// The tag of a name, in any case.
    pub fn of(name: &[u8]) -> Tag {
        if name.len() > 8 {
            return [("blockquote", Tag::Blockquote), ("figcaption", Tag::Figcaption)]
                .into_iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
                .map_or(Tag::Other, |(_, tag)| tag);
        }
        let mut lower = [0; 8];
        lower[..name.len()].copy_from_slice(name);
        lower.make_ascii_lowercase();
        let name = u64::from_be_bytes(lower);
        let (known, tag) = NAMES[SLOTS[slot(name)] as usize];
        if known == name { tag } else { Tag::Other }
    }

    /// Elements that never have content ("void elements" in the HTML standard).
    pub fn is_void(self) -> bool {
        matches!(
            self,
            Tag::Area
                | Tag::Base
                | Tag::Br
                | Tag::Col
                | Tag::Embed
                | Tag::Hr
                | Tag::Img
                | Tag::Input
                | Tag::Link
                | Tag::Meta
                | Tag::Source
                | Tag::Track
                | Tag::Wbr
        )
    }

    /// Elements whose content is text up to their end tag, not markup.
    pub fn is_raw_text(self) -> bool {
        matches!(self, Tag::Script | Tag::Style | Tag::Textarea | Tag::Title | Tag::Iframe)
    }

    /// Elements whose content a reader never sees as text.
    pub fn is_hidden(self) -> bool {
        matches!(
            self,
            Tag::Script | Tag::Style | Tag::Template | Tag::Iframe | Tag::Svg | Tag::Textarea | Tag::Select | Tag::Head
        )
    }

    /// Elements that stand in a line of text; every other known element breaks the line.
    pub fn is_inline(self) -> bool {
        matches!(
            self,
            Tag::Text
                | Tag::Other
                | Tag::A
                | Tag::B
                | Tag::Em
                | Tag::I
                | Tag::Img
                | Tag::Input
                | Tag::Label
                | Tag::Link
                | Tag::Meta
                | Tag::Noscript
                | Tag::Picture
                | Tag::S
                | Tag::Source
                | Tag::Span
                | Tag::Strong
                | Tag::Sub
                | Tag::Sup
                | Tag::Time
                | Tag::Button
                | Tag::Script
                | Tag::Style
                | Tag::Svg
                | Tag::Wbr
        )
    }

    /// The level of a heading, 1 to 6.
    pub fn heading_level(self) -> Option<u8> {
        match self {
            Tag::H1 => Some(1),
            Tag::H2 => Some(2),
            Tag::H3 => Some(3),
            Tag::H4 => Some(4),
            Tag::H5 => Some(5),
            Tag::H6 => Some(6),
            _ => None,
        }
    }

    /// Whether an open `<p>` ends where this element starts.
    pub(super) fn closes_p(self) -> bool {
        !self.is_inline() && !matches!(self, Tag::Br | Tag::Area | Tag::Embed | Tag::Track | Tag::Object | Tag::Video)
    }
}

/// A name of at most eight bytes as a number.
const fn packed(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let mut at = 0;
    while at < name.len() {
        bytes[at] = name[at];
        at += 1;
    }
    u64::from_be_bytes(bytes)
}

/// The names of at most eight bytes.
const NAMES: [(u64, Tag); 79] = [
    (packed(b"a"), Tag::A),
    (packed(b"address"), Tag::Address),
    (packed(b"area"), Tag::Area),
    (packed(b"article"), Tag::Article),
    (packed(b"aside"), Tag::Aside),
    (packed(b"audio"), Tag::Audio),
    (packed(b"b"), Tag::B),
    (packed(b"base"), Tag::Base),
    (packed(b"body"), Tag::Body),
    (packed(b"br"), Tag::Br),
    (packed(b"button"), Tag::Button),
    (packed(b"canvas"), Tag::Canvas),
    (packed(b"caption"), Tag::Caption),
    (packed(b"col"), Tag::Col),
    (packed(b"dd"), Tag::Dd),
    (packed(b"details"), Tag::Details),
    (packed(b"div"), Tag::Div),
    (packed(b"dl"), Tag::Dl),
    (packed(b"dt"), Tag::Dt),
    (packed(b"em"), Tag::Em),
    (packed(b"embed"), Tag::Embed),
    (packed(b"fieldset"), Tag::Fieldset),
    (packed(b"figure"), Tag::Figure),
    (packed(b"footer"), Tag::Footer),
    (packed(b"form"), Tag::Form),
    (packed(b"h1"), Tag::H1),
    (packed(b"h2"), Tag::H2),
    (packed(b"h3"), Tag::H3),
    (packed(b"h4"), Tag::H4),
    (packed(b"h5"), Tag::H5),
    (packed(b"h6"), Tag::H6),
    (packed(b"head"), Tag::Head),
    (packed(b"header"), Tag::Header),
    (packed(b"hr"), Tag::Hr),
    (packed(b"html"), Tag::Html),
    (packed(b"i"), Tag::I),
    (packed(b"iframe"), Tag::Iframe),
    (packed(b"img"), Tag::Img),
    (packed(b"input"), Tag::Input),
    (packed(b"label"), Tag::Label),
    (packed(b"li"), Tag::Li),
    (packed(b"link"), Tag::Link),
    (packed(b"main"), Tag::Main),
    (packed(b"meta"), Tag::Meta),
    (packed(b"nav"), Tag::Nav),
    (packed(b"noscript"), Tag::Noscript),
    (packed(b"object"), Tag::Object),
    (packed(b"ol"), Tag::Ol),
    (packed(b"option"), Tag::Option),
    (packed(b"p"), Tag::P),
    (packed(b"picture"), Tag::Picture),
    (packed(b"pre"), Tag::Pre),
    (packed(b"s"), Tag::S),
    (packed(b"script"), Tag::Script),
    (packed(b"section"), Tag::Section),
    (packed(b"select"), Tag::Select),
    (packed(b"source"), Tag::Source),
    (packed(b"span"), Tag::Span),
    (packed(b"strong"), Tag::Strong),
    (packed(b"style"), Tag::Style),
    (packed(b"sub"), Tag::Sub),
    (packed(b"summary"), Tag::Summary),
    (packed(b"sup"), Tag::Sup),
    (packed(b"svg"), Tag::Svg),
    (packed(b"table"), Tag::Table),
    (packed(b"tbody"), Tag::Tbody),
    (packed(b"td"), Tag::Td),
    (packed(b"template"), Tag::Template),
    (packed(b"textarea"), Tag::Textarea),
    (packed(b"tfoot"), Tag::Tfoot),
    (packed(b"th"), Tag::Th),
    (packed(b"thead"), Tag::Thead),
    (packed(b"time"), Tag::Time),
    (packed(b"title"), Tag::Title),
    (packed(b"tr"), Tag::Tr),
    (packed(b"track"), Tag::Track),
    (packed(b"ul"), Tag::Ul),
    (packed(b"video"), Tag::Video),
    (packed(b"wbr"), Tag::Wbr),
];

/// Where a name stands in [`SLOTS`]: the factor is one that parts all names.
const fn slot(name: u64) -> usize {
    (name.wrapping_mul(FACTOR) >> 55) as usize
}

const FACTOR: u64 = 0x9309_0287_a6ea_2981;

/// The index of each name in [`NAMES`], so that a name is found by one look.
static SLOTS: [u8; 512] = {
    let mut slots = [0; 512];
    let mut nth = 0;
    while nth < NAMES.len() {
        let slot = slot(NAMES[nth].0);
        assert!(nth == 0 || slots[slot] == 0 && slot != self::slot(NAMES[0].0), "two names share a slot");
        slots[slot] = nth as u8;
        nth += 1;
    }
    slots
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_unknown_names_are_other() {
        assert_eq!(Tag::of(b"DIV"), Tag::Div);
        assert_eq!(Tag::of(b"h3"), Tag::H3);
        assert_eq!(Tag::of(b"wp-recipe"), Tag::Other);
        assert_eq!(Tag::of(b"BlockQuote"), Tag::Blockquote);
        assert_eq!(Tag::of(b"averyveryverylongname"), Tag::Other);
    }
}
