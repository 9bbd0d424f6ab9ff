//! Text as it should have been written: no markup, no character references, no invisible characters.

use std::borrow::Cow;

use crate::html::{self, collapse};

/// Longer texts are cut: no recipe's description or steps come near.
const MAX_TEXT: usize = 256 * 1024;

/// One line of clean text: tags and character references resolved (however often they were escaped), zero-width
/// characters dropped, white space collapsed.
pub fn clean(text: &str) -> String {
    if is_clean(text) {
        return text.to_owned();
    }
    if is_plain(text) { collapse(text) } else { collapse(&resolve(text)) }
}

/// [`clean`] of a text that need not be kept.
pub fn cleaned(text: Cow<'_, str>) -> String {
    if is_clean(&text) { text.into_owned() } else { clean(&text) }
}

/// Clean text, one entry for each line, paragraph, list item or `<br>`; empty ones left out.
pub fn clean_lines(text: &str) -> Vec<String> {
    let text = resolve(text);
    text.split(['\n', '\r']).map(collapse).filter(|line| !line.is_empty()).collect()
}

/// Most text needs no work: no markup, no control characters, single spaces, nothing invisible.
fn is_clean(text: &str) -> bool {
    const CHUNK: usize = 32;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // A loop without branches, which the compiler makes wide, settles plain ASCII; most text is that.
        if let Some(chunk) = bytes[at..].first_chunk::<{ CHUNK + 1 }>() {
            let special = |b: u8| (b < b' ') | (b == b'&') | (b == b'<') | (b == b'\\') | (b >= 0x7F);
            let doubled = |a: u8, b: u8| (a == b' ') & (b == b' ');
            let odd = (0..CHUNK).fold(false, |odd, n| odd | special(chunk[n]) | doubled(chunk[n], chunk[n + 1]));
            if !odd {
                at += CHUNK;
                continue;
            }
        }
        let end = bytes.len().min(at + CHUNK);
        while at < end {
            match bytes[at] {
                b' ' if bytes.get(at + 1).is_none_or(|b| *b == b' ') => return false,
                b'&' | b'<' | b'\\' | 0..=0x1F | 0x7F => return false,
                0xC2 | 0xC3 | 0xE1..=0xE3 | 0xEF if is_suspect(bytes, at) => return false,
                _ => at += 1,
            }
        }
    }
    !text.starts_with(' ')
}

/// Whether only white space may need work.
fn is_plain(text: &str) -> bool {
    let special = |b: u8| ((b < b' ') & (b != b'\n') & (b != b'\r') & (b != b'\t')) | (b == b'&') | (b == b'<');
    let special = |b: u8| special(b) | (b == b'\\') | (b >= 0x7F);
    text.len() <= MAX_TEXT && !text.bytes().fold(false, |any, b| any | special(b))
}

/// Whether the character at `at` is a space of another width, invisible, or the start of doubly encoded text.
fn is_suspect(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..).unwrap_or_default() {
        [0xC2, next, ..] => *next <= 0xA0 || *next == 0xAD,
        [0xC3, next, ..] => matches!(next, 0x82 | 0x83),
        [0xE2, 0x80, last, ..] => matches!(last, 0x80..=0x8F | 0xA8..=0xAF),
        [0xE2, 0x81, ..] | [0xE1, 0x9A, ..] | [0xE3, 0x80, 0x80, ..] | [0xEF, 0xBB, ..] => true,
        _ => false,
    }
}

/// Character references and tags resolved until nothing changes (at most four rounds: `&amp;amp;lt;p&amp;gt;`).
fn resolve(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let mut current = Cow::Borrowed(text);
    for _ in 0..4 {
        let stripped = strip_tags(&current);
        let decoded = html::decode(&stripped);
        // Nothing was taken out, nothing decoded.
        if matches!((&stripped, &decoded), (Cow::Borrowed(_), Cow::Borrowed(_))) || *decoded == *current {
            break;
        }
        current = Cow::Owned(decoded.into_owned());
    }
    let current = mended(current);
    let mut out = String::with_capacity(current.len());
    let mut rest: &str = &current;
    // "\n" and "\/" left over from double escaping in JSON.
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        push_visible(&mut out, &rest[..at]);
        let after = &rest[at + 1..];
        match after.bytes().next() {
            Some(b'n' | b'r' | b't') if !after[1..].starts_with(|c: char| c.is_lowercase()) => {
                out.push('\n');
                rest = &after[1..];
            }
            Some(b'/' | b'"' | b'\'') => rest = after,
            _ => {
                out.push('\\');
                rest = after;
            }
        }
    }
    push_visible(&mut out, rest);
    out
}

/// Undoes UTF-8 that was taken for Latin-1 and encoded again: `Ã¤` is ä, and `Â` before a no-break space is nothing.
fn mended(text: Cow<'_, str>) -> Cow<'_, str> {
    let spoilt = |a: char, b: char| matches!(a, 'Â' | 'Ã') && ('\u{80}'..='\u{bf}').contains(&b);
    // Both characters are 0xC3 and one of two bytes in UTF-8.
    let bytes = text.as_bytes();
    if !memchr::memchr_iter(0xC3, bytes).any(|at| matches!(bytes.get(at + 1), Some(0x82 | 0x83))) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if spoilt(c, next) => {
                chars.next();
                let high = if c == 'Ã' { 0x40 } else { 0 };
                out.extend(char::from_u32(next as u32 + high));
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn push_visible(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        // What may be no visible character: controls, and what starts like U+0080, U+00AD, U+200B or U+FEFF.
        if !matches!(byte, 0..=0x1F | 0x7F | 0xC2 | 0xE2 | 0xEF) {
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let instead = match c {
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{202a}'..='\u{202e}' => "",
            '\u{2028}' | '\u{2029}' => "\n",
            '\n' | '\r' => {
                at += 1;
                continue;
            }
            c if c.is_control() => " ",
            c => {
                at += c.len_utf8();
                continue;
            }
        };
        out.push_str(&text[start..at]);
        out.push_str(instead);
        at += c.len_utf8();
        start = at;
    }
    out.push_str(&text[start..]);
}

/// Takes tags out; those that break a line leave a line break.
pub fn strip_tags(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'<', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let tag = &rest[at + 1..];
        let name = tag.strip_prefix('/').unwrap_or(tag);
        let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic()) || tag.starts_with("!--");
        // Only so far is the end of a tag looked for: a page of nothing but "<" must not cost its square.
        let end = if is_tag { memchr::memchr(b'>', &tag.as_bytes()[..tag.len().min(4096)]) } else { None };
        match (is_tag, end) {
            (true, Some(end)) => {
                let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
                let tag_name = html::Tag::of(&name.as_bytes()[..length]);
                if !tag_name.is_inline() {
                    out.push('\n');
                }
                rest = &tag[end + 1..];
            }
            // A tag cut off at the end of the text.
            (true, None) if name.len() < 200 => rest = "",
            _ => {
                out.push('<');
                rest = tag;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A recipe's title without the site's name: `Lentil Soup | Some Site` and `Lentil Soup - Some Site` lose their end
/// when it names the site.
///
/// `site` is the host or the site's name; it is compared without spaces, case and punctuation.
pub fn title(text: &str, sites: &[&str]) -> String {
    let text = without_site(clean(text), sites);
    if !has_separator(&text) {
        return text;
    }
    for separator in [" – ", " - ", " | ", ": "] {
        if let Some((head, tail)) = text.rsplit_once(separator)
            && RECIPE.contains(&&*tail.to_lowercase())
            && !head.trim().is_empty()
        {
            return head.trim().to_owned();
        }
    }
    text
}

/// "Recipe", which titles end in after a dash.
const RECIPE: &[&str] = &[
    "recipe",
    "recept",
    "rezept",
    "recette",
    "receta",
    "ricetta",
    "receita",
    "przepis",
    "opskrift",
    "oppskrift",
    "resepti",
    "συνταγή",
    "tarifi",
    "рецепт",
];

/// What separates a title from the site's name.
const SEPARATORS: [&str; 9] = [" | ", " – ", " — ", " - ", " • ", " · ", " :: ", " » ", " @ "];

/// Whether one of the separators may stand in the text; most titles have none.
fn has_separator(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'|' | b'-' | b':' | b'@') || !b.is_ascii())
}

fn fold(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The site's name as a title ends in it, where it is the host's: "Some Site" of `Soup | Some Site` on somesite.com.
pub fn site_in_title(title: &str, host: &str) -> Option<String> {
    let tail = SEPARATORS.iter().find_map(|separator| title.rsplit_once(separator)).map(|(_, tail)| clean(tail))?;
    (!host.is_empty() && fold(&tail) == fold(host)).then_some(tail)
}

fn without_site(text: String, sites: &[&str]) -> String {
    if !has_separator(&text) {
        return text;
    }
    for separator in SEPARATORS {
        if let Some((head, tail)) = text.rsplit_once(separator) {
            let tail = fold(tail);
            let names_site = tail.len() >= 3
                && sites
                    .iter()
                    .map(|s| fold(s))
                    .any(|s| s.len() >= 3 && (s.starts_with(&tail) || tail.starts_with(&s)));
            if names_site && !head.trim().is_empty() {
                return head.trim().to_owned();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cleaned_to_the_bottom() {
        assert_eq!(clean("Mac &amp;amp; cheese&#8217;s &lt;b&gt;best&lt;/b&gt;"), "Mac & cheese’s best");
        assert_eq!(clean("  1\u{a0}cup \u{200b}milk\n"), "1 cup milk");
        assert_eq!(clean("a<br>b"), "a b");
        assert_eq!(clean("bake at < 200"), "bake at < 200");
        assert_eq!(clean("plain text"), "plain text");
        assert_eq!(clean("½ cup Käse – für’s Brot"), "½ cup Käse – für’s Brot");
        assert_eq!(clean("a\u{2009}b\u{3000}c\u{2060}d\u{feff}"), "a b cd");
        assert_eq!(clean("2/3 cup\u{c2}\u{a0} orange, Ã¤"), "2/3 cup orange, ä");
    }

    #[test]
    fn lines_follow_the_markup() {
        assert_eq!(clean_lines("<p>Mix.</p><p>Bake <b>well</b>.<br/>Eat."), ["Mix.", "Bake well.", "Eat."]);
        assert_eq!(clean_lines("Mix.\\nBake."), ["Mix.", "Bake."]);
    }

    #[test]
    fn the_sites_name_leaves_the_title() {
        assert_eq!(title("Lentil Soup | Some Site", &["somesite.com"]), "Lentil Soup");
        assert_eq!(title("Lentil Soup - Some Site", &["somesite.com", "Some Site"]), "Lentil Soup");
        assert_eq!(site_in_title("Lentil Soup | Some Site", "somesite").as_deref(), Some("Some Site"));
        assert_eq!(site_in_title("Lentil Soup | Other", "somesite"), None);
        assert_eq!(title("Lentil Soup - the best", &["somesite.com"]), "Lentil Soup - the best");
    }
}
