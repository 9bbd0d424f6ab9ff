//! A list of URLs, one a line, from a file or standard input.

use std::io::{self, BufRead};

use url::Url;

use crate::canonical;

/// Longest line that is read, in bytes.
const MAX_LINE: usize = 16 * 1024;

/// Reads a list and hands out each URL, or the line that is none. Empty lines and those with `#` are skipped.
///
/// # Errors
/// The reader's.
pub fn read(mut from: impl BufRead, mut each: impl FnMut(Result<Url, String>)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut from, MAX_LINE as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim().trim_start_matches('\u{feff}');
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        each(url.map(|url| canonical::canonical(&url)).ok_or_else(|| text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_url_a_comment_or_a_problem() {
        let text = "\u{feff}# recipes\nhttp://a.example/1#x\r\n\n  https://b.example \nnot a url\nfile:///etc/passwd";
        let mut found = Vec::new();
        read(text.as_bytes(), |line| found.push(line.map(String::from))).unwrap();
        let expected = [
            Ok("http://a.example/1".to_owned()),
            Ok("https://b.example/".to_owned()),
            Err("not a url".to_owned()),
            Err("file:///etc/passwd".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
