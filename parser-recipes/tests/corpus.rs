//! The recipe pages of `../shared/recipes`, where they are: every page ends as a recipe or a reason, both paths agree,
//! and the values match those of site-specific scrapers as often as promised.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by a panic"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use parser_recipes::extract::{fast, full};
use parser_recipes::{Page, Rules, extract};

/// Says why a test proves nothing here; shown with `--nocapture`, and by test runners that keep output.
fn skipped(why: &str) {
    println!("SKIPPED: {why}");
}

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/recipes");
    folder.join("pages.tar.zst").exists().then_some(folder)
}

/// The corpus unpacked into a folder that goes away with the returned guard.
fn corpus() -> Option<(tempfile::TempDir, PathBuf)> {
    let Some(shared) = shared() else {
        skipped("there is no ../shared/recipes/pages.tar.zst");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let packed = std::fs::File::open(shared.join("pages.tar.zst")).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-x", "-C"]).arg(folder.path()).stdin(std::process::Stdio::piped());
    let mut tar = match tar.spawn() {
        Ok(tar) => tar,
        Err(error) => {
            skipped(&format!("tar cannot be run: {error}"));
            return None;
        }
    };
    zstd::stream::copy_decode(packed, tar.stdin.take().unwrap()).unwrap();
    assert!(tar.wait().unwrap().success());
    // The archive may hold the sites' folders or one folder around them.
    let inner = folder.path().join("pages");
    let root = if inner.is_dir() { inner } else { folder.path().to_owned() };
    Some((folder, root))
}

fn pages(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    for site in std::fs::read_dir(root).unwrap().map(|s| s.unwrap().path()).filter(|p| p.is_dir()) {
        for file in std::fs::read_dir(&site).unwrap().map(|f| f.unwrap().path()) {
            if file.extension().is_some_and(|e| e == "testhtml") {
                pages.push((file.strip_prefix(root).unwrap().display().to_string(), std::fs::read(&file).unwrap()));
            }
        }
    }
    pages.sort();
    pages
}

fn page(bytes: &[u8]) -> Page<'_> {
    Page { bytes, url: None, content_type: None }
}

#[test]
fn every_page_ends_as_a_recipe_or_a_reason_and_both_paths_agree() {
    let Some((_guard, root)) = corpus() else { return };
    let rules = Rules::built_in().unwrap();
    let pages = pages(&root);
    assert!(pages.len() >= 277, "{} pages", pages.len());
    let (mut recipes, mut fast_answers) = (0, 0);
    for (name, bytes) in &pages {
        match extract(page(bytes), &rules) {
            Ok(recipe) => {
                recipes += 1;
                assert!(recipe.draft.title.is_some(), "{name} has no title");
                let url = url::Url::parse("http://a.example/r").unwrap();
                let json = parser_recipes::record(recipe, Some(&url), None).to_json();
                assert!(json.is_ok(), "{name}: {json:?}");
            }
            Err(reason) => assert!(!reason.to_string().is_empty()),
        }
        if let (Some(fast), Ok(full)) = (fast(page(bytes), &rules), full(page(bytes), &rules)) {
            fast_answers += 1;
            agree(name, &fast, &full);
        }
    }
    assert!(recipes >= 270, "only {recipes} recipes");
    assert!(fast_answers >= 200, "the fast path answered only {fast_answers} pages");
}

/// Whatever the fast path says, the tree says too; the tree may know more.
fn agree(name: &str, fast: &parser_recipes::Merged, full: &parser_recipes::Merged) {
    let (a, b) = (&fast.draft, &full.draft);
    assert_eq!(a.title, b.title, "{name}");
    assert_eq!(a.ingredients, b.ingredients, "{name}");
    assert_eq!(a.instructions, b.instructions, "{name}");
    assert_eq!(a.nutrition, b.nutrition, "{name}");
    for (field, source) in &fast.sources {
        assert_eq!(Some(source), full.sources.get(field), "{name}: {field}");
    }
    let same = |known: bool, equal: bool, field: &str| assert!(!known || equal, "{name}: {field}");
    same(!a.authors.is_empty(), a.authors == b.authors, "authors");
    same(a.description.is_some(), a.description == b.description, "description");
    same(a.image.is_some(), a.image == b.image, "image");
    same(a.yields.is_some(), a.yields == b.yields, "yields");
    same(a.calories.is_some(), a.calories == b.calories, "calories");
    same(
        a.total_time.is_some(),
        (a.prep_time, a.cook_time, a.total_time) == (b.prep_time, b.cook_time, b.total_time),
        "times",
    );
    same(a.rating.is_some(), a.rating == b.rating, "rating");
    same(a.language.is_some(), a.language == b.language, "language");
    same(a.published_at.is_some(), a.published_at == b.published_at, "published_at");
}

/// Field, counter in the scorer's output, and the least share of the pages that have the field, in percent.
const PROMISED: [(&str, &str, f64); 7] = [
    ("title", "norm", 97.0),
    ("author", "norm", 92.0),
    ("ingredients", "norm", 90.0),
    ("calories", "norm", 99.0),
    ("total_time", "norm", 95.0),
    ("yields", "count", 95.0),
    ("instructions", "norm", 88.0),
];

#[test]
fn values_match_site_specific_scrapers_as_often_as_promised() {
    let Some((guard, root)) = corpus() else { return };
    let shared = shared().unwrap();
    let out = guard.path().join("out.jsonl");
    let extracted =
        Command::new(env!("CARGO_BIN_EXE_parser-recipes")).args(["extract", "--jsonl"]).arg(&root).output().unwrap();
    assert!(extracted.status.success(), "{}", String::from_utf8_lossy(&extracted.stderr));
    std::fs::write(&out, extracted.stdout).unwrap();
    let scorer = Command::new("python3")
        .arg(shared.join("score.py"))
        .arg(&out)
        .arg("--corpus")
        .arg(&root)
        .arg("--json")
        .output();
    let scored = match scorer {
        Ok(scored) => scored,
        Err(error) => return skipped(&format!("python3 cannot be run: {error}")),
    };
    assert!(scored.status.success(), "{}", String::from_utf8_lossy(&scored.stderr));
    let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap();
    for (field, counter, least) in PROMISED {
        let count = |name: &str| scores[field][name].as_f64().unwrap_or(0.0);
        let share = 100.0 * count(counter) / count("n");
        assert!(share >= least, "{field}: {share:.2} % match, promised are {least} %");
    }
}
