//! Pages a second on one core, by kind of page and by stage: `extract FOLDER [SECONDS [ROW]]`; with a row's name,
//! only rows that contain it.
//!
//! The pages are read into memory first. Each measurement goes over its pages again and again for the given time (2 s),
//! so that most pages come from main memory, not from the cache: as they would from a socket.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use parser_recipes::html::Document;
use parser_recipes::json::Json;
use parser_recipes::jsonld::{Scripts, speaks_of_recipe};
use parser_recipes::microdata::{self, Syntax};
use parser_recipes::{Page, Rules, encoding, extract, heuristics, schema};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().context("usage: extract FOLDER [SECONDS]")?);
    let seconds: f64 = args.next().map_or(Ok(2.0), |s| s.parse()).context("SECONDS must be a number")?;
    let only = args.next().unwrap_or_default();
    let time = Duration::from_secs_f64(seconds);
    let pages = bench::pages(&folder)?;
    ensure!(!pages.is_empty(), "no .html, .htm, .xhtml or .testhtml file below {}", folder.display());
    let rules = Rules::built_in()?;
    let all: Vec<&[u8]> = pages.iter().map(Vec::as_slice).collect();
    let json_ld: Vec<&[u8]> = all.iter().copied().filter(|p| has_json_ld(p)).collect();
    let others: Vec<&[u8]> = all.iter().copied().filter(|p| !has_json_ld(p)).collect();
    let fast: Vec<&[u8]> = all.iter().copied().filter(|p| extract::fast(page(p), &rules).is_some()).collect();

    println!("{:32} {:>6} {:>9} {:>11} {:>9}", "pages", "count", "mean KB", "pages/s", "MB/s");
    for (name, pages) in [
        ("all", &all),
        ("with a recipe in JSON-LD", &json_ld),
        ("  of these, JSON-LD alone", &fast),
        ("without", &others),
    ] {
        if !name.contains(&only) {
            continue;
        }
        report(name, pages, time, |p| {
            black_box(extract::extract(page(p), &rules).is_ok());
        });
    }
    if !only.is_empty() {
        return Ok(());
    }
    println!("\n{:32} {:>6} {:>9} {:>11} {:>9}", "stage, each page alone", "count", "mean KB", "pages/s", "MB/s");
    stages(&all, &json_ld, &rules, time);
    Ok(())
}

fn stages(all: &[&[u8]], json_ld: &[&[u8]], rules: &Rules, time: Duration) {
    report("find scripts", json_ld, time, |p| {
        black_box(Scripts::of(p).count());
    });
    let scripts: Vec<&[u8]> =
        json_ld.iter().flat_map(|p| Scripts::of(p).map(|r| &p[r])).filter(|d| speaks_of_recipe(d)).collect();
    report("parse a script", &scripts, time, |p| {
        black_box(Json::parse(text(p)).objects().count());
    });
    report("parse a script, read its recipes", &scripts, time, |p| {
        black_box(schema::recipes(&Json::parse(text(p)), &[]).len());
    });
    report("decode", all, time, |p| {
        black_box(encoding::decode(p, None).len());
    });
    report("decode, build the tree", all, time, |p| {
        black_box(Document::parse(&encoding::decode(p, None)).len());
    });
    let texts: Vec<_> = all.iter().map(|p| encoding::decode(p, None)).collect();
    let trees: Vec<_> = texts.iter().map(|t| Document::parse(t)).collect();
    report_trees("microdata and RDFa", &trees, time, |tree| {
        black_box(microdata::read(tree, Syntax::Microdata).objects().count());
        black_box(microdata::read(tree, Syntax::Rdfa).objects().count());
    });
    report_trees("selectors", &trees, time, |tree| {
        black_box(rules.for_page("", tree.source()).iter().filter_map(|r| r.read(tree)).count());
    });
    report_trees("guesses", &trees, time, |tree| {
        black_box(heuristics::read(tree, &Default::default()).weight());
    });
}

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

fn page(bytes: &[u8]) -> Page<'_> {
    Page { bytes, url: None, content_type: None }
}

fn has_json_ld(bytes: &[u8]) -> bool {
    Scripts::of(bytes).any(|range| text(&bytes[range]).contains("\"Recipe\""))
}

fn report(name: &str, pages: &[&[u8]], time: Duration, mut work: impl FnMut(&[u8])) {
    let bytes: usize = pages.iter().map(|p| p.len()).sum();
    measure(name, pages.len(), bytes, time, |n| work(pages[n]));
}

fn report_trees(name: &str, trees: &[Document<'_>], time: Duration, mut work: impl FnMut(&Document<'_>)) {
    let bytes: usize = trees.iter().map(|t| t.source().len()).sum();
    measure(name, trees.len(), bytes, time, |n| work(&trees[n]));
}

/// Time that this thread has had a core: what else runs on the machine does not count.
fn core_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The fastest of the rounds that fit into the time: what else runs on the machine only ever adds to a round.
fn measure(name: &str, count: usize, bytes: usize, time: Duration, mut work: impl FnMut(usize)) {
    if count == 0 {
        return;
    }
    let start = Instant::now();
    let mut best = Duration::MAX;
    while best == Duration::MAX || start.elapsed() < time {
        let round = core_time();
        (0..count).for_each(&mut work);
        best = best.min(core_time().saturating_sub(round));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of pages and bytes")]
    let (count_f, bytes_f, seconds) = (count as f64, bytes as f64, best.as_secs_f64());
    println!(
        "{name:32} {count:>6} {:>9.0} {:>11.0} {:>9.0}",
        bytes_f / count_f / 1e3,
        count_f / seconds,
        bytes_f / seconds / 1e6
    );
}
