//! `parser-recipes extract`: pages from files to recipes on standard output.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser as _;
use serde::Serialize;
use service_kit::{Exit, Failure};
use url::Url;

use crate::extract::{MAX_PAGE, NoRecipe, Page, extract};
use crate::merge::Merged;
use crate::selectors::RulesFile;

/// Endings of the files that are read from a folder.
const ENDINGS: [&str; 4] = ["html", "htm", "xhtml", "testhtml"];

/// Arguments of `parser-recipes extract`.
#[derive(Debug, clap::Args)]
pub struct ExtractArgs {
    /// Files, `-` for standard input, or folders, whose .html, .htm, .xhtml and .testhtml files are read.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Where the page came from: rules for its host apply, and it picks the right one of several recipes.
    #[arg(long)]
    url: Option<Url>,
    /// The Content-Type that the page came with, for its character set.
    #[arg(long)]
    content_type: Option<String>,
    /// A selectors file that adds to the built-in rules.
    #[arg(long, value_name = "FILE")]
    selectors: Option<PathBuf>,
    /// One line for each page: {"file":…, "title":…, …} or {"file":…, "error":…}.
    #[arg(long)]
    jsonl: bool,
}

/// A line of `--jsonl`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: &'a str,
    title: Option<&'a str>,
    /// The first of the authors, as one name is compared.
    author: Option<&'a str>,
    ingredients: Vec<&'a str>,
    calories: Option<f64>,
    total_time: Option<u32>,
    yields: Option<&'a str>,
    instructions: Vec<&'a str>,
    description: Option<&'a str>,
    extractor: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct ErrorLine<'a> {
    file: &'a str,
    error: String,
}

/// `parser-recipes extract …` as a whole `main`, which reads this process's arguments: it has its own flags, not the
/// service's settings.
///
/// # Errors
/// Wrong arguments (exit code 64), what cannot be read (66), a page without a recipe where no `--jsonl` tells (65).
pub fn main() -> Result<(), Failure> {
    let args = std::env::args_os().skip(1);
    let args = match Extract::try_parse_from(args) {
        Ok(Extract { args }) => args,
        Err(help) if !help.use_stderr() => {
            return help.print().map_err(|error| Failure::io(format!("cannot write to stdout: {error}")));
        }
        Err(error) => return Err(Failure::usage(error.to_string().trim().trim_start_matches("error: "))),
    };
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match run(&args, &mut out) {
        Ok(true) => Ok(()),
        Ok(false) if args.jsonl => Ok(()),
        Ok(false) => Err(Failure::new(Exit::Data, "there are pages without a recipe")),
        Err(error) => Err(Failure::new(Exit::NoInput, format!("{error:#}"))),
    }
}

#[derive(Debug, clap::Parser)]
#[command(name = "parser-recipes extract", about = "Reads pages from files and prints their recipes")]
struct Extract {
    #[command(flatten)]
    args: ExtractArgs,
}

/// Runs the command; returns whether every page gave a recipe.
///
/// # Errors
/// A path that cannot be read, a selectors file that cannot be used, standard output that is gone.
pub fn run(args: &ExtractArgs, out: &mut impl Write) -> Result<bool> {
    let rules = RulesFile::open(args.selectors.as_deref())?.rules();
    let mut all = true;
    let mut bytes = Vec::new();
    for root in &args.paths {
        for (name, path) in files(root)? {
            bytes.clear();
            read(&path, &mut bytes)?;
            let page = Page { bytes: &bytes, url: args.url.as_ref(), content_type: args.content_type.as_deref() };
            let result = extract(page, &rules);
            all &= result.is_ok();
            if args.jsonl { line(&name, &result, out)? } else { show(&name, result, args.url.as_ref(), out)? }
        }
    }
    out.flush().context("write to standard output")?;
    Ok(all)
}

/// The files of a path with the names they are reported by, in the order of these names.
fn files(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    if !root.is_dir() {
        return Ok(vec![(root.display().to_string(), root.to_owned())]);
    }
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("read the folder {}", folder.display()))? {
            let path = entry.with_context(|| format!("read the folder {}", folder.display()))?.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known))) {
                let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a page; a byte more than the limit is enough to know that it is too large.
fn read(path: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    let limit = MAX_PAGE as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(bytes).context("read standard input")?;
        return Ok(());
    }
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    file.take(limit).read_to_end(bytes).with_context(|| format!("read {}", path.display()))?;
    Ok(())
}

fn line(name: &str, result: &Result<Merged, NoRecipe>, out: &mut impl Write) -> Result<()> {
    match result {
        Ok(merged @ Merged { draft, .. }) => {
            let line = Line {
                file: name,
                title: draft.title.as_deref(),
                author: draft.authors.first().map(String::as_str),
                ingredients: draft.ingredient_lines().collect(),
                calories: draft.calories,
                total_time: draft.total_time,
                yields: draft.yields.as_ref().map(|y| &*y.text),
                instructions: draft.instruction_lines().collect(),
                description: draft.description.as_deref(),
                extractor: merged.main_source().map(|s| s.extractor().as_str()),
            };
            serde_json::to_writer(&mut *out, &line)?;
        }
        Err(reason) => serde_json::to_writer(&mut *out, &ErrorLine { file: name, error: reason.to_string() })?,
    }
    out.write_all(b"\n").context("write to standard output")
}

fn show(name: &str, result: Result<Merged, NoRecipe>, url: Option<&Url>, out: &mut impl Write) -> Result<()> {
    match result {
        Ok(merged) => {
            let recipe = crate::record::record(merged, url, None);
            serde_json::to_writer_pretty(&mut *out, &recipe)?;
            writeln!(out).context("write to standard output")
        }
        Err(reason) => writeln!(out, "{name}: {reason}").context("write to standard output"),
    }
}
