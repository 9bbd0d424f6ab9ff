//! Web archives (WARC 1.0 and 1.1, ISO 28500), plain or gzipped: the HTML pages among their responses.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use time::OffsetDateTime;
use url::Url;

use super::folder::FilePage;
use super::sitemap::date;
use crate::canonical;

/// Longest header of a record or of the response in it, in bytes.
const MAX_HEAD: u64 = 64 * 1024;

/// A record that is no page for us, with the reason; or what is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The record's target, or its number.
    pub what: String,
    /// What is wrong.
    pub reason: String,
}

/// Reads an archive and hands out each HTML page with status 200, or what is wrong with it; other records are passed
/// over. Bodies are at most `limit` bytes, decompressed.
///
/// # Errors
/// The reader's, or a record that is none: nothing after it can be found.
pub fn read(
    mut from: impl BufRead,
    limit: usize,
    mut each: impl FnMut(Result<FilePage, BadRecord>) -> bool,
) -> io::Result<()> {
    let is_gzip = from.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if is_gzip {
        read_records(&mut io::BufReader::new(MultiGzDecoder::new(from)), limit, &mut each)
    } else {
        read_records(&mut from, limit, &mut each)
    }
}

fn read_records(
    from: &mut impl BufRead,
    limit: usize,
    each: &mut impl FnMut(Result<FilePage, BadRecord>) -> bool,
) -> io::Result<()> {
    let mut number = 0;
    while let Some(head) = read_head(from)? {
        number += 1;
        let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("record {number}: {what}"));
        if !head.first.starts_with("WARC/") {
            return Err(broken("does not begin with WARC/"));
        }
        let length: u64 = head
            .get("content-length")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| broken("has no Content-Length"))?;
        let mut block = from.take(length);
        let wanted = head.get("warc-type") == Some("response")
            && head.get("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/http"));
        let target = head.get("warc-target-uri").unwrap_or_default().trim_matches(['<', '>']).to_owned();
        let page = if wanted { page(&head, &target, &mut block, limit) } else { Ok(None) };
        // What is left of the block is skipped; a file that ends inside of it is broken, and so is the page.
        io::copy(&mut block, &mut io::sink())?;
        if block.limit() > 0 {
            return Err(broken("breaks off"));
        }
        let bad = |reason| BadRecord { what: format!("record {number} {target}"), reason };
        if let Some(page) = page.map_err(bad).transpose()
            && !each(page)
        {
            return Ok(());
        }
    }
    Ok(())
}

/// The page in a response record; none when the response is no HTML page with status 200.
fn page(record: &Head, target: &str, block: &mut impl BufRead, limit: usize) -> Result<Option<FilePage>, String> {
    let head = read_head(block).map_err(|error| error.to_string())?.ok_or("the response is empty")?;
    let status: Option<u16> = head.first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let kind = head.get("content-type").unwrap_or_default().to_ascii_lowercase();
    if status != Some(200) || !(kind.starts_with("text/html") || kind.starts_with("application/xhtml+xml")) {
        return Ok(None);
    }
    let url = Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or("its target is no web address")?;
    let raw = take(block, limit)?;
    let chunked = head.get("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    // Some tools keep the field and store the body put together.
    let body = if chunked { unchunked(&raw).unwrap_or(raw) } else { raw };
    let body = match head.get("content-encoding").map(str::to_ascii_lowercase).as_deref() {
        None | Some("identity" | "") => body,
        Some("gzip" | "x-gzip") if body.starts_with(&[0x1f, 0x8b]) => take(MultiGzDecoder::new(&*body), limit)?,
        Some("gzip" | "x-gzip") => body,
        Some("deflate") => take(ZlibDecoder::new(&*body), limit)?,
        Some(other) => return Err(format!("content encoding {other} is not read from archives")),
    };
    Ok(Some(FilePage {
        url: canonical::canonical(&url),
        body: Bytes::from(body),
        status,
        content_type: head.get("content-type").map(str::to_owned),
        etag: head.get("etag").map(str::to_owned),
        fetched_at: record.get("warc-date").and_then(date).unwrap_or_else(OffsetDateTime::now_utc),
    }))
}

fn take(from: impl Read, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut body).map_err(|error| error.to_string())?;
    if body.len() > limit { Err(format!("larger than {limit} bytes")) } else { Ok(body) }
}

/// A body in chunks (RFC 9112 section 7.1), put together; none when it is not in chunks.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = memchr::memmem::find(rest, b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// A first line and fields, as records and responses begin.
struct Head {
    first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }
}

/// Reads to the empty line; none at the end of the input. Empty lines before it are the end of the last record.
fn read_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut from = from.take(MAX_HEAD);
    let mut head: Option<Head> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return match (&head, from.limit()) {
                (None, 1..) => Ok(None),
                _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a header has no end")),
            };
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        match &mut head {
            None if text.is_empty() => {}
            None => head = Some(Head { first: text.to_owned(), fields: Vec::new() }),
            Some(_) if text.is_empty() => return Ok(head),
            Some(head) => {
                if let Some((name, value)) = text.split_once(':') {
                    head.fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn record(kind: &str, url: &str, block: &[u8]) -> Vec<u8> {
        let head = format!(
            "WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-01-05T08:00:00Z\r\n\
             Content-Type: application/http; msgtype={kind}\r\nContent-Length: {}\r\n\r\n",
            block.len()
        );
        [head.as_bytes(), block, b"\r\n\r\n"].concat()
    }

    fn response(fields: &str, body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{fields}\r\n").as_bytes(), body].concat()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn of(archive: &[u8]) -> (Vec<(String, String)>, Vec<BadRecord>, io::Result<()>) {
        let (mut pages, mut bad) = (Vec::new(), Vec::new());
        let result = read(archive, 1000, |item| {
            match item {
                Ok(page) => pages.push((page.url.to_string(), String::from_utf8_lossy(&page.body).into_owned())),
                Err(record) => bad.push(record),
            }
            true
        });
        (pages, bad, result)
    }

    fn archive() -> Vec<Vec<u8>> {
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nno";
        vec![
            record("warcinfo", "", b"software: test\r\n"),
            record("request", "http://a.example/1", b"GET /1 HTTP/1.1\r\n\r\n"),
            record("response", "http://a.example/1?utm_source=x", &response("ETag: \"1\"\r\n", b"<p>one</p>")),
            record(
                "response",
                "<http://a.example/2>",
                &response("Transfer-Encoding: chunked\r\n", b"3\r\n<p>\r\n7;x=y\r\ntwo</p>\r\n0\r\n\r\n"),
            ),
            record("response", "http://a.example/3", &response("Content-Encoding: gzip\r\n", &gzip(b"<p>three</p>"))),
            record("response", "http://a.example/4", missing),
            record("response", "http://a.example/5", &response("Content-Encoding: gzip\r\n", &gzip(&[b'x'; 5000]))),
            record("response", "urn:x", &response("", b"<p>")),
        ]
    }

    #[test]
    fn pages_are_found_in_plain_and_in_gzipped_archives() {
        let plain = archive().concat();
        let zipped: Vec<u8> = archive().iter().flat_map(|record| gzip(record)).collect();
        for bytes in [plain, zipped] {
            let (pages, bad, result) = of(&bytes);
            assert!(result.is_ok(), "{result:?}");
            let expected = [("1", "one"), ("2", "two"), ("3", "three")];
            let expected = expected.map(|(path, text)| (format!("http://a.example/{path}"), format!("<p>{text}</p>")));
            assert_eq!(pages, expected);
            let reasons: Vec<&str> = bad.iter().map(|record| &*record.reason).collect();
            assert_eq!(reasons, ["larger than 1000 bytes", "its target is no web address"]);
        }
    }

    #[test]
    fn an_archive_that_breaks_off_gives_what_is_whole() {
        let bytes = archive().concat();
        let second = memchr::memmem::find(&bytes, b"two").unwrap();
        let (pages, _, result) = of(&bytes[..second]);
        assert_eq!(pages, [("http://a.example/1".to_owned(), "<p>one</p>".to_owned())]);
        assert!(result.unwrap_err().to_string().contains("breaks off"));
        let (_, _, result) = of(b"<html>no archive</html>\r\n\r\n");
        assert!(result.unwrap_err().to_string().contains("WARC/"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..2000) {
            let _ = of(&bytes);
            let archive = archive().concat();
            let _ = of(&archive[..cut.min(archive.len())]);
        }
    }
}
