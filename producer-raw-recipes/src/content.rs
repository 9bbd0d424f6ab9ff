//! The identity of a page's content: a hash of what readers see and of its structured data, without the parts that
//! change on every visit (scripts, tokens in forms, navigation, advertising, footers).

use sha2::{Digest, Sha256};

use crate::markup::{Token, tokens};

/// Elements whose text is not the page's own. Not `header` and `form`: some sites put the title into the one and the
/// whole page into the other, and to miss a change is worse than to see one too many.
const AROUND: [&str; 6] = ["nav", "footer", "aside", "iframe", "noscript", "template"];

/// SHA-256 of the content.
pub type ContentHash = [u8; 32];

/// Hashes the main content: text outside of navigation and the like, attributes that carry values in microdata, and
/// JSON-LD blocks. White space is one space, however long.
#[must_use]
pub fn content_hash(document: &[u8]) -> ContentHash {
    let mut hash = Words::default();
    let mut around: Vec<&str> = Vec::new();
    for token in tokens(document) {
        match token {
            Token::Open(tag, raw) => {
                if let Some(name) = AROUND.iter().find(|name| tag.is(name)) {
                    around.push(name);
                } else if tag.is("script") {
                    let kind = tag.attribute("type").unwrap_or_default();
                    if kind.trim().eq_ignore_ascii_case("application/ld+json") {
                        hash.add(raw);
                    }
                } else if tag.is("title") {
                    hash.add(raw);
                } else if around.is_empty() && (tag.is("meta") || tag.is("time")) && tag.attribute("itemprop").is_some()
                {
                    let value = tag.attribute("content").or_else(|| tag.attribute("datetime"));
                    hash.add(value.unwrap_or_default().as_bytes());
                }
            }
            Token::Close(name) => {
                // An end tag closes the innermost of its name, and what was left open inside.
                if let Some(at) = around.iter().rposition(|open| name.eq_ignore_ascii_case(open.as_bytes())) {
                    around.truncate(at);
                }
            }
            Token::Text(text) if around.is_empty() => hash.add(text),
            Token::Text(_) => {}
        }
    }
    hash.0.finalize().into()
}

#[derive(Default)]
struct Words(Sha256);

impl Words {
    fn add(&mut self, text: &[u8]) {
        for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            self.0.update(word);
            self.0.update(b" ");
        }
    }
}

/// The hash in hex, as it stands in messages.
#[must_use]
pub fn hex(hash: &ContentHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(calories: &str, noise: &str) -> Vec<u8> {
        format!(
            "<html><head><title>Soup</title><script>var token='{noise}'</script></head><body><nav>{noise}</nav>\
             <form><input name=csrf value={noise}></form><h1>Soup</h1>\n  <p>{calories}</p>\
             <footer>{noise}</footer></body></html>"
        )
        .into_bytes()
    }

    #[test]
    fn noise_does_not_change_the_hash() {
        assert_eq!(content_hash(&page("100", "a")), content_hash(&page("100", "b")));
    }

    #[test]
    fn content_changes_the_hash() {
        assert_ne!(content_hash(&page("100", "a")), content_hash(&page("201", "a")));
        let block = |kcal: u32| format!("<script type='application/ld+json'>{{\"calories\":{kcal}}}</script>");
        assert_ne!(content_hash(block(100).as_bytes()), content_hash(block(201).as_bytes()));
        let micro = |kcal: u32| format!("<meta itemprop=calories content={kcal}>");
        assert_ne!(content_hash(micro(100).as_bytes()), content_hash(micro(201).as_bytes()));
    }
}
