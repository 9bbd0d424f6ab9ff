//! Text from pages, made fit for a line.

use std::borrow::Cow;

/// The text in one line without control characters, which on a terminal could move the cursor or colour what follows,
/// and without marks that turn the direction of the text around.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() && !turns(c);
    if text.chars().all(|c| harmless(c) && (c == ' ' || !c.is_whitespace())) && !text.contains("  ") {
        return Cow::Borrowed(text.trim());
    }
    let clean: String = text.chars().map(|c| if harmless(c) && !c.is_whitespace() { c } else { ' ' }).collect();
    Cow::Owned(clean.split_whitespace().collect::<Vec<_>>().join(" "))
}

const fn turns(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{061C}')
}

/// At most `longest` characters, the last an ellipsis where more were cut.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A number as people write it: no `.0` for whole ones, two digits after the point at most.
#[must_use]
pub fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    rounded.to_string()
}

/// The URL if a browser may follow it; a page may claim any, `javascript:` too.
#[must_use]
pub fn web_url(url: &str) -> Option<&str> {
    let scheme = url.split_once("://")?.0;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_page_reaches_the_terminal_as_a_command() {
        assert_eq!(one_line("Pie\u{1b}[2J\n\u{7}of\tfun"), "Pie [2J of fun");
        assert_eq!(one_line("a\u{202e}b\u{9b}c"), "a b c");
        assert_eq!(one_line(" Crème brûlée 🍮 "), "Crème brûlée 🍮");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }

    #[test]
    fn numbers_have_no_needless_digits() {
        assert_eq!((&*number(250.0), &*number(250.5), &*number(0.1 + 0.2)), ("250", "250.5", "0.3"));
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(web_url("HTTPS://a.example/"), Some("HTTPS://a.example/"));
        for url in
            ["javascript:alert(1)", "javascript://x/%0aalert(1)", "data:text/html,x", "file:///etc/passwd", "", "//x"]
        {
            assert_eq!(web_url(url), None, "{url}");
        }
    }
}
