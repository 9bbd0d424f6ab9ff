//! From a page's bytes to text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memmem;

/// How far into a page its `<meta charset>` is searched for; the HTML standard asks for 1024 bytes, pages need more.
const PRESCAN: usize = 8 * 1024;

/// The encoding that a page declares: by byte order mark, then `Content-Type`, then `<meta>` or XML declaration.
pub fn declared(bytes: &[u8], content_type: Option<&str>) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some(encoding);
    }
    content_type.and_then(|t| label(t.as_bytes())).or_else(|| {
        let head = &bytes[..bytes.len().min(PRESCAN)];
        let mut at = 0;
        while let Some(hit) = memmem::find(&head[at..], b"<meta") {
            let tag = &head[at + hit..];
            let tag = &tag[..memchr::memchr(b'>', tag).unwrap_or(tag.len())];
            // A page that could be searched for "<meta" is not in UTF-16, whatever it says.
            let found = label(tag).map(|e| if e == UTF_16LE || e == UTF_16BE { UTF_8 } else { e });
            if found.is_some() {
                return found;
            }
            at += hit + 5;
        }
        let xml = head.strip_prefix(b"<?xml").map(|h| &h[..memchr::memchr(b'>', h).unwrap_or(h.len())]);
        xml.and_then(|tag| value_of(tag, b"encoding")).and_then(Encoding::for_label)
    })
}

/// The encoding named by `charset=…` in a header or tag.
fn label(text: &[u8]) -> Option<&'static Encoding> {
    value_of(text, b"charset").and_then(Encoding::for_label)
}

fn value_of<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let (low, high) = (name[0], name[0].to_ascii_uppercase());
    let starts = memchr::memchr2_iter(low, high, text);
    let mut hits = starts.filter(|&at| text.get(at..at + name.len()).is_some_and(|w| w.eq_ignore_ascii_case(name)));
    let at = hits.next()?;
    let rest = text[at + name.len()..].trim_ascii_start().strip_prefix(b"=")?;
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let stop = rest.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b';' | b'>' | b'/'));
    Some(&rest[..stop.unwrap_or(rest.len())])
}

/// The bytes as text, where they are valid UTF-8: [`std::str::from_utf8`] several times as fast.
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    match UTF_8.decode_without_bom_handling_and_without_replacement(bytes)? {
        Cow::Borrowed(text) => Some(text),
        Cow::Owned(_) => None,
    }
}

/// Whether [`decode`] reads the page as UTF-8, so that a part of it that is valid UTF-8 can be read alone.
pub fn is_utf8(bytes: &[u8], content_type: Option<&str>) -> bool {
    match declared(bytes, content_type) {
        Some(encoding) => encoding == UTF_8,
        None => utf8(bytes).is_some() || mostly_utf8(bytes),
    }
}

/// Decodes a page. Never fails: what is no text in its encoding becomes U+FFFD.
///
/// Bytes that are valid UTF-8 and not only ASCII are UTF-8 whatever the page declares: other encodings practically
/// never look like it by chance, while wrong declarations are common. Without a declaration, a page whose UTF-8 is
/// broken in a few places is still UTF-8 (cut off, or two sources glued together); else the encoding is guessed.
pub fn decode<'p>(bytes: &'p [u8], content_type: Option<&str>) -> Cow<'p, str> {
    let encoding = declared(bytes, content_type);
    let utf16 = encoding.is_some_and(|e| e == UTF_16LE || e == UTF_16BE);
    let body = Encoding::for_bom(bytes).map_or(bytes, |(_, length)| &bytes[length..]);
    if !utf16 && let Some(text) = utf8(body) {
        // Only ISO-2022-JP writes other text in ASCII bytes alone.
        if encoding.is_none_or(Encoding::is_ascii_compatible) {
            return Cow::Borrowed(text);
        }
    }
    match encoding {
        Some(encoding) => encoding.decode_without_bom_handling(body).0,
        None if mostly_utf8(body) => String::from_utf8_lossy(body),
        None => {
            let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
            detector.feed(telling(body), true);
            detector.guess(None, chardetng::Utf8Detection::Allow).decode_without_bom_handling(body).0
        }
    }
}

/// The part of a page that its encoding is guessed from: all of it, or so much of a long one behind its first letter
/// outside ASCII.
fn telling(body: &[u8]) -> &[u8] {
    const LENGTH: usize = 1024 * 1024;
    if body.len() <= LENGTH {
        return body;
    }
    let start = body.iter().position(|b| !b.is_ascii()).unwrap_or(0);
    &body[start..body.len().min(start + LENGTH)]
}

/// More than four of five sequences outside ASCII are valid UTF-8.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    valid > broken * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_header_and_meta_win_in_this_order() {
        assert_eq!(decode(b"\xEF\xBB\xBFp\xC3\xA4", Some("text/html; charset=latin1")), "pä");
        assert_eq!(decode(b"\xFF\xFEp\0", None), "p");
        assert_eq!(decode(b"p\xE4", Some("text/html; charset=ISO-8859-1")), "pä");
        assert_eq!(decode(b"<meta charset='windows-1250'>\xB9", None), "<meta charset='windows-1250'>ą");
        let http_equiv = b"<meta http-equiv=Content-Type content=\"text/html; charset=Shift_JIS\">\x83\x49";
        assert!(decode(http_equiv, None).ends_with('オ'));
        assert_eq!(
            decode(b"<?xml version='1.0' encoding='iso-8859-2'?>\xB1", None),
            "<?xml version='1.0' encoding='iso-8859-2'?>ą"
        );
    }

    #[test]
    fn undeclared_encodings_are_guessed() {
        let german = b"<p>Gem\xFCse mit K\xE4se und So\xDFe, f\xFCr vier Personen \xFCberbacken</p>";
        assert!(decode(german, None).contains("Gemüse mit Käse und Soße"));
        let long = [&b"<br>".repeat(1 << 19), &german[..]].concat();
        assert!(decode(&long, None).contains("Gemüse mit Käse und Soße"));
    }

    #[test]
    fn valid_utf8_is_utf8_whatever_is_declared() {
        assert_eq!(decode("Käse".as_bytes(), Some("text/html; charset=iso-8859-1")), "Käse");
    }

    #[test]
    fn a_page_is_utf8_where_it_is_decoded_as_such() {
        let broken = [&b"\xE4"[..]; 9].join(&b" "[..]);
        for (rest, declaration, want) in [
            (&b""[..], None, true),
            (b"\xE4", None, true),
            (&broken, None, false),
            (&broken, Some("text/html; charset=utf-8"), true),
            (b"", Some("text/html; charset=utf-16"), false),
        ] {
            let page = [b"1 \xC2\xBD cups, 1 \xC2\xBD eggs, K\xC3\xA4se, So\xC3\x9Fe, Gem\xC3\xBCse ".as_slice(), rest]
                .concat();
            assert_eq!(is_utf8(&page, declaration), want, "{rest:?} {declaration:?}");
            assert_eq!(decode(&page, declaration).contains("1 ½ cups"), want, "{rest:?} {declaration:?}");
        }
    }

    #[test]
    fn utf8_cut_off_in_a_character_stays_utf8() {
        let bytes = "für Käse, Soße, Gemüse und Brötchen ä".as_bytes();
        assert_eq!(decode(&bytes[..bytes.len() - 1], None), "für Käse, Soße, Gemüse und Brötchen \u{fffd}");
    }
}
