//! JSON-LD: `<script type="application/ld+json">`, found without building a tree.
//!
//! The page's bytes are searched for `ld+json`; around each hit stands a start tag, and behind it the data up to
//! `</script>`. Only scripts that speak of a recipe are parsed.

use memchr::memmem;

use crate::html::raw_text_end;

/// Byte range of the data of a script.
pub type Range = std::ops::Range<usize>;

/// The JSON-LD scripts of a page, in order.
#[derive(Debug)]
pub struct Scripts<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scripts<'a> {
    /// Searches `bytes`, which are in an encoding that keeps ASCII as it is.
    pub fn of(bytes: &'a [u8]) -> Scripts<'a> {
        Scripts { bytes, at: 0 }
    }
}

impl Iterator for Scripts<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        loop {
            let hit = self.at + memmem::find(&self.bytes[self.at..], b"ld+json")?;
            self.at = hit + 7;
            // The tag it stands in starts at the last "<" before it, which must be near and a script's.
            let near = &self.bytes[hit.saturating_sub(1024)..hit];
            let Some(lt) = memchr::memrchr(b'<', near) else { continue };
            let tag = &near[lt + 1..];
            let is_script = tag.get(..6).is_some_and(|name| name.eq_ignore_ascii_case(b"script"));
            if !is_script || memchr::memchr(b'>', tag).is_some() || is_commented_out(&near[..lt]) {
                continue;
            }
            let gt = memchr::memchr(b'>', &self.bytes[hit..]).map(|n| hit + n)?;
            let stop = raw_text_end(self.bytes, gt + 1, b"script");
            self.at = stop;
            return Some(gt + 1..stop);
        }
    }
}

/// Whether the text ends inside a comment that began in it: pages disable a script by the mark right before it.
fn is_commented_out(before: &[u8]) -> bool {
    memmem::rfind(before, b"<!--").is_some_and(|open| memmem::find(&before[open..], b"-->").is_none())
}

/// Whether the data can hold a recipe: it names the type, escaped or not.
pub fn speaks_of_recipe(data: &[u8]) -> bool {
    memmem::find_iter(data, b"ecipe").any(|at| at > 0 && matches!(data[at - 1], b'R' | b'r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_however_their_tag_is_written() {
        let page = "<p>ld+json</p><!-- a --><!-- <script type=application/ld+json>0</script> --><script type=application/ld+json>1</script><SCRIPT id='a' type='application/ld+json' \
                    class=x>2</SCRIPT><script>'application/ld+json'</script><script type=\"application/ld+json\">3";
        let found: Vec<&str> = Scripts::of(page.as_bytes()).map(|r| &page[r]).collect();
        assert_eq!(found, ["1", "2", "3"]);
    }
}
