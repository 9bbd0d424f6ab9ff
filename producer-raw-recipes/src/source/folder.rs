//! A folder of HTML files, with all folders inside of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use time::OffsetDateTime;
use url::Url;

use crate::markup::Head;

/// Endings of the files that are read, in any case.
const ENDINGS: [&str; 4] = ["html", "htm", "xhtml", "testhtml"];

/// A page from a file.
#[derive(Debug)]
pub struct FilePage {
    /// The page's own address, or the file's.
    pub url: Url,
    /// The bytes.
    pub body: Bytes,
    /// HTTP status, where the file says one.
    pub status: Option<u16>,
    /// Content-Type, where the file says one.
    pub content_type: Option<String>,
    /// ETag, where the file says one.
    pub etag: Option<String>,
    /// When it was fetched; for a file that does not say, when it was read.
    pub fetched_at: OffsetDateTime,
}

/// The HTML files under a folder, in the order of their names. Links to folders are not followed, so nothing is read
/// twice and no circle is walked.
///
/// # Errors
/// A folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if is_html(&path) && fs::metadata(&path)?.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_html(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.iter().any(|html| ending.eq_ignore_ascii_case(html)))
}

/// Reads a file of at most `limit` bytes. Its URL is the one it gives as its own (`<link rel=canonical>`, `og:url`), or
/// else `file://` and its path.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read(path: &Path, limit: usize) -> io::Result<FilePage> {
    let mut body = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut body)?;
    if body.len() > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    let url = match Head::read(&body).address() {
        Some(url) => url,
        None => {
            let path = fs::canonicalize(path)?;
            Url::from_file_path(&path).map_err(|()| io::Error::other("the path is no URL"))?
        }
    };
    let fetched_at = OffsetDateTime::now_utc();
    Ok(FilePage { url, body: body.into(), status: None, content_type: None, etag: None, fetched_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_html_files_of_all_folders_are_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        for name in ["a.html", "b/x.HTM", "b/c/y.testhtml", "b/c/z.xhtml", "b/no.json", "no"] {
            fs::write(root.join(name), "<html>").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
        let found = files(root).unwrap();
        let names: Vec<&str> = found.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.html", "b/c/y.testhtml", "b/c/z.xhtml", "b/x.HTM"]);
    }

    #[test]
    fn a_file_knows_its_address_or_has_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ü 1.html");
        let url_of = |text: &str| {
            fs::write(&path, text).unwrap();
            read(&path, 1000).unwrap().url.to_string()
        };
        assert_eq!(url_of("<link rel=canonical href='https://a.example/soup?utm_source=x'>"), "https://a.example/soup");
        assert_eq!(url_of("<meta property='og:url' content='https://a.example/og'>"), "https://a.example/og");
        // A front page or a part of an address says nothing about which page this is.
        for text in ["<link rel=canonical href='https://a.example/'>", "<link rel=canonical href='/soup'>", "<p>"] {
            let url = url_of(text);
            assert!(url.starts_with("file:///") && url.ends_with("/%C3%BC%201.html"), "{url}");
        }
        fs::write(&path, "x".repeat(1001)).unwrap();
        assert!(read(&path, 1000).unwrap_err().to_string().contains("1000"));
    }
}
