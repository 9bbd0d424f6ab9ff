//! Benchmarks, side by side with Apache Kafka and with the tutorial's Python pipeline.

use std::path::Path;

use anyhow::{Context, Result};

/// The pages below a folder, read into memory.
///
/// # Errors
/// The first file or folder that cannot be read.
pub fn pages(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut pages = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            let page =
                path.extension().is_some_and(|e| ["html", "htm", "xhtml", "testhtml"].iter().any(|known| e == *known));
            if path.is_dir() {
                folders.push(path);
            } else if page {
                pages.push(std::fs::read(&path).with_context(|| format!("read {}", path.display()))?);
            }
        }
    }
    Ok(pages)
}
