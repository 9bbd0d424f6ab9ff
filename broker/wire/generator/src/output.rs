//! Writing the generated files, or comparing them with the committed ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::jars::run;

/// Folders that hold generated files only: what is in them and was not generated goes away.
const FOLDERS: [&str; 4] = ["messages", "metadata", "coordinator", "data"];

/// Formats `files` and writes them below `target`, or with `check` fails if that would change anything.
pub fn settle(target: &Path, files: &BTreeMap<PathBuf, String>, check: bool) -> anyhow::Result<()> {
    let formatted = format(target, files)?;
    let mut changed: Vec<PathBuf> = Vec::new();
    for (path, content) in &formatted {
        let path = target.join(path);
        if std::fs::read_to_string(&path).ok().as_ref() != Some(content) {
            changed.push(path.clone());
            if !check {
                let folder = path.parent().context("a generated file without a folder")?;
                std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
                std::fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
            }
        }
    }
    for path in stale(target, &formatted)? {
        changed.push(path.clone());
        if !check {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    if check && !changed.is_empty() {
        let names: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
        bail!("not as the generator writes them; run it without --check:\n{}", names.join("\n"));
    }
    println!("{} files, {} {}", formatted.len(), changed.len(), if check { "differ" } else { "written" });
    Ok(())
}

fn format(target: &Path, files: &BTreeMap<PathBuf, String>) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let scratch = std::env::temp_dir().join(format!("wire-generator-{}", std::process::id()));
    let result = format_in(&scratch, target, files);
    std::fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
    result
}

fn format_in(
    scratch: &Path,
    target: &Path,
    files: &BTreeMap<PathBuf, String>,
) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    for (path, content) in files {
        let path = scratch.join(path);
        std::fs::create_dir_all(path.parent().context("a generated file without a folder")?)?;
        std::fs::write(path, content)?;
    }
    // A mod.rs leads rustfmt to the files beside it; naming those again would only repeat the work.
    let leads = |path: &Path| path.parent() == Some(Path::new("")) || path.ends_with("mod.rs");
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.arg("--edition").arg("2024").arg("--config-path").arg(target.join("../../../rustfmt.toml"));
    rustfmt.args(files.keys().filter(|path| leads(path)).map(|path| scratch.join(path)));
    run(&mut rustfmt)?;
    let read = |path: &PathBuf| Ok((path.clone(), std::fs::read_to_string(scratch.join(path))?));
    files.keys().map(read).collect()
}

fn stale(target: &Path, files: &BTreeMap<PathBuf, String>) -> anyhow::Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(target.join(folder)) else { continue };
        for entry in entries {
            let entry = entry?;
            if !files.contains_key(&Path::new(folder).join(entry.file_name())) {
                stale.push(entry.path());
            }
        }
    }
    Ok(stale)
}
