//! One page to one recipe, or the reason why not.
//!
//! ```text
//! bytes -> JSON-LD scripts, found by byte search -> complete? --yes--> recipe
//!              | no
//!              v
//!          decode, build the tree -> JSON-LD, microdata, RDFa, rules, head, guesses -> merge -> recipe or reason
//! ```

use memchr::memmem;
use url::Url;

use crate::draft::{Draft, has_items};
use crate::html::{Document, NodeId, Tag};
use crate::json::Json;
use crate::jsonld::{self, Scripts};
use crate::merge::Merged;
use crate::microdata::{self, Syntax};
use crate::selectors::Rules;
use crate::source::Source;
use crate::{doubt, encoding, heuristics, meta, schema, values};

/// Larger pages are refused. The largest of the test corpus has 2.4 MB.
pub const MAX_PAGE: usize = 32 * 1024 * 1024;

/// More JSON-LD scripts of a page are not read: pages have a handful.
const MAX_SCRIPTS: usize = 256;

/// Bytes of JSON-LD that are read without a tree. The pages of the test corpus have 30 KB at most.
const MAX_FAST: usize = 4 * 1024 * 1024;

/// A page as it was fetched.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The body.
    pub bytes: &'a [u8],
    /// Where it came from: picks the rules for its host, and the right one of several recipes.
    pub url: Option<&'a Url>,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
}

/// Why a page gave no recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRecipe {
    /// Nothing in it.
    #[error("the page is empty")]
    Empty,
    /// More than [`MAX_PAGE`].
    #[error("the page has {0} bytes, more than the {MAX_PAGE} that are read")]
    TooLarge(usize),
    /// A picture, a PDF, JSON: not HTML.
    #[error("the page is no HTML but {0}")]
    NotHtml(String),
    /// HTML without a recipe that could be found.
    #[error("no recipe found: {0}")]
    NotFound(&'static str),
}

/// Finds the recipe of a page.
///
/// # Errors
/// The reason why the page gives none.
pub fn extract(page: Page<'_>, rules: &Rules) -> Result<Merged, NoRecipe> {
    check(page)?;
    if let Some(merged) = fast(page, rules) {
        return Ok(merged);
    }
    full(page, rules)
}

fn check(page: Page<'_>) -> Result<(), NoRecipe> {
    if page.bytes.len() > MAX_PAGE {
        return Err(NoRecipe::TooLarge(page.bytes.len()));
    }
    let start = page.bytes.trim_ascii_start();
    if start.is_empty() {
        return Err(NoRecipe::Empty);
    }
    if let Some(kind) = page.content_type.and_then(other_media) {
        return Err(NoRecipe::NotHtml(kind));
    }
    let magic: [(&[u8], &str); 8] = [
        (b"%PDF-", "PDF"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xFF\xD8\xFF", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"RIFF", "a RIFF file"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1F\x8B", "gzip data: the fetcher should have unpacked it"),
        (b"\x28\xB5\x2F\xFD", "zstd data: the fetcher should have unpacked it"),
    ];
    match magic.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, name)) => Err(NoRecipe::NotHtml((*name).to_owned())),
        None => Ok(()),
    }
}

/// The media type, where it is one that no page has. Text of any kind is tried: servers are careless with it.
fn other_media(content_type: &str) -> Option<String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let other = ["image/", "video/", "audio/", "font/"].iter().any(|prefix| kind.starts_with(prefix))
        || matches!(&*kind, "application/pdf" | "application/zip" | "application/gzip" | "application/javascript");
    other.then_some(kind)
}

fn host(page: Page<'_>) -> &str {
    page.url.and_then(Url::host_str).unwrap_or("")
}

/// The recipe from JSON-LD and the page's head, where these tell all that the page is going to.
///
/// Fields that the recipe's JSON-LD leaves out are not searched for in the page's markup: what prints the one prints the
/// other from the same data. Only rules made for the site, and lists that look spoilt, are worth a tree.
pub fn fast(page: Page<'_>, rules: &Rules) -> Option<Merged> {
    if rules.has_rule_for(host(page)) || !encoding::is_utf8(page.bytes, page.content_type) {
        return None;
    }
    let mut silent: Vec<&str> = Vec::new();
    let mut scripts: Vec<Json<'_>> = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut length = 0;
    for range in Scripts::of(page.bytes).take(MAX_SCRIPTS) {
        // What costs much to read is read once, by the path that always answers.
        length += range.len();
        if length > MAX_FAST {
            return None;
        }
        // A script that is no UTF-8 is for the path that knows the page's encoding.
        let text = encoding::utf8(&page.bytes[range])?;
        if !jsonld::speaks_of_recipe(text.as_bytes()) {
            silent.push(text);
            continue;
        }
        scripts.push(Json::parse(text));
        drafts.extend(scripts.last().into_iter().flat_map(|json| schema::recipes(json, &scripts)));
        if matches!(&*drafts, [only] if is_whole(only, page.url)) {
            break;
        }
    }
    // What an earlier recipe refers to may have come after it.
    let mut merged = if scripts.len() > 1 && drafts.iter().any(|d| d.authors.is_empty() || d.rating.is_none()) {
        from_scripts(&scripts, page)?
    } else {
        drafts.truncate(schema::MAX_RECIPES);
        choose(Source::JsonLd, drafts, page.url)?
    };
    if !is_complete(&merged.draft) {
        return None;
    }
    let draft = &merged.draft;
    if draft.authors.is_empty() || draft.description.is_none() || draft.image.is_none() {
        scripts.extend(silent.into_iter().map(Json::parse));
        let tags = head_tags(page.bytes)?;
        fill_from_head(&mut merged, &scripts, &Document::parse(&tags), host(page));
    }
    let language = html_language(page.bytes);
    merged.fill(Source::Meta, Draft { language, ..Draft::default() });
    Some(finish(merged, page))
}

/// Whether a page's first recipe says all that readers ask for and is the page's own: what stands behind it is not
/// searched for more, which saves reading half of the page on average.
fn is_whole(draft: &Draft, url: Option<&Url>) -> bool {
    let own = |url: &Url| {
        let said = draft.url.as_ref().and_then(|u| Url::parse(u).ok());
        said.is_some_and(|said| recipes::canonical_url(&said) == recipes::canonical_url(url))
    };
    is_complete(draft)
        && !draft.authors.is_empty()
        && draft.description.is_some()
        && draft.image.is_some()
        && draft.yields.is_some()
        && draft.total_time.or(draft.prep_time).or(draft.cook_time).is_some()
        && draft.calories.is_some()
        && url.is_none_or(own)
}

/// Whether the recipe can stand without the rest of the page.
fn is_complete(draft: &Draft) -> bool {
    draft.title.is_some()
        && has_items(&draft.ingredients)
        && has_items(&draft.instructions)
        && !doubt::ingredients(draft)
        && !doubt::instructions(draft)
}

/// The tags of the page's head that say something of it, one behind the other; a head is mostly styles and scripts.
fn head_tags(bytes: &[u8]) -> Option<String> {
    let end = memmem::find(bytes, b"</head").or_else(|| memmem::find(bytes, b"<body"));
    let head = &bytes[..end.unwrap_or(bytes.len())];
    let mut tags = String::new();
    let mut at = 0;
    while let Some(start) = memchr::memchr(b'<', &head[at..]).map(|n| at + n) {
        let rest = &head[start..];
        at = start + 1;
        let closing: &[u8] = match rest.get(1) {
            Some(b'm' | b'M') if rest.get(..5).is_some_and(|t| t.eq_ignore_ascii_case(b"<meta")) => b">",
            Some(b'l' | b'L') if rest.get(..5).is_some_and(|t| t.eq_ignore_ascii_case(b"<link")) => b">",
            Some(b't' | b'T') if rest.get(..6).is_some_and(|t| t.eq_ignore_ascii_case(b"<title")) => b"</",
            _ => continue,
        };
        let stop = memmem::find(rest, closing).map_or(rest.len(), |n| n + closing.len());
        tags.push_str(std::str::from_utf8(&rest[..stop]).ok()?);
        at = start + stop;
        if closing == b"</" {
            tags.push_str("title>");
        }
    }
    Some(tags)
}

/// The language that the `<html>` tag names.
fn html_language(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(4096)];
    let tag = &start[memmem::find(start, b"<html")?..];
    let tag = std::str::from_utf8(&tag[..=memchr::memchr(b'>', tag)?]).ok()?;
    Document::parse(tag).attr(0, "lang").map(|l| values::clean(&l)).filter(|l| !l.is_empty())
}

/// Fills what the page says of itself in its head and in what its scripts say of the article around the recipe.
fn fill_from_head(merged: &mut Merged, scripts: &[Json<'_>], head: &Document<'_>, host: &str) {
    let structured = merged.main_source().is_some();
    let (authors, publisher) = schema::people(scripts);
    merged.fill(Source::Meta, Draft { authors, ..Draft::default() });
    let (head, site) = meta::read(head, host);
    merged.fill(Source::Meta, head);
    // Who publishes a recipe stands in for who wrote it only where nobody is named.
    let site = site.filter(|_| structured).map(|s| meta::without_domain(&s).to_owned());
    merged.publisher = publisher.or(site);
}

/// The recipe of the JSON-LD scripts.
fn from_scripts(scripts: &[Json<'_>], page: Page<'_>) -> Option<Merged> {
    let drafts = scripts.iter().flat_map(|json| schema::recipes(json, scripts)).take(schema::MAX_RECIPES);
    choose(Source::JsonLd, drafts.collect(), page.url)
}

/// The page's own recipe among several: the one whose address is the page's, else the first that is complete in
/// itself, else the fullest. Others of the same title fill its gaps.
fn choose(source: Source, drafts: Vec<Draft>, url: Option<&Url>) -> Option<Merged> {
    let here = url.map(recipes::canonical_url);
    let is_here = |d: &Draft| {
        d.is_recipe()
            && here.is_some()
            && d.url.as_ref().and_then(|u| Url::parse(u).ok()).map(|u| recipes::canonical_url(&u)) == here
    };
    let several = drafts.iter().filter(|d| d.is_recipe()).count() > 1;
    let best = drafts
        .iter()
        .position(|d| several && is_here(d))
        .or_else(|| drafts.iter().position(|d| has_items(&d.ingredients) && has_items(&d.instructions)))
        .or_else(|| {
            let fullest = drafts.iter().map(Draft::weight).max()?;
            drafts.iter().position(|d| d.weight() == fullest)
        })?;
    let title = drafts[best].title.clone();
    let mut merged = Merged::default();
    let mut rest = Vec::new();
    for (nth, draft) in drafts.into_iter().enumerate() {
        if nth == best {
            merged.fill(source, draft);
        } else if title.is_some() && draft.title == title {
            rest.push(draft);
        }
    }
    rest.into_iter().for_each(|draft| merged.fill(source, draft));
    Some(merged)
}

/// The recipe from all that the page has.
///
/// # Errors
/// As [`extract`].
pub fn full(page: Page<'_>, rules: &Rules) -> Result<Merged, NoRecipe> {
    check(page)?;
    let text = encoding::decode(page.bytes, page.content_type);
    let tree = Document::parse(&text);
    let host = host(page);
    let mut merged = Merged::default();
    let rules = rules.for_page(host, &text);
    let preferred = rules.iter().filter(|r| r.prefer).filter_map(|r| r.read(&tree));
    preferred.for_each(|draft| merged.fill(Source::Preferred, draft));

    let all: Vec<&str> = tree_scripts(&tree).take(MAX_SCRIPTS).collect();
    let (speaking, silent): (Vec<&str>, Vec<&str>) =
        all.into_iter().partition(|d| jsonld::speaks_of_recipe(d.as_bytes()));
    let mut scripts: Vec<Json<'_>> = speaking.into_iter().map(Json::parse).collect();
    fill(&mut merged, from_scripts(&scripts, page));
    for (syntax, source) in [(Syntax::Microdata, Source::Microdata), (Syntax::Rdfa, Source::Rdfa)] {
        if memmem::find(text.as_bytes(), syntax.marker()).is_none() {
            continue;
        }
        let json = microdata::read(&tree, syntax);
        fill(&mut merged, choose(source, schema::recipes(&json, &[]), page.url));
    }
    for draft in rules.iter().filter(|r| !r.prefer).filter_map(|r| r.read(&tree)) {
        merged.mend(Source::Selectors, &draft);
        merged.fill(Source::Selectors, draft);
    }
    // A record without lists is a shell that the site's program filled; what the page shows of times is then better.
    let shell = merged.main_source().is_some()
        && !has_items(&merged.draft.ingredients)
        && !has_items(&merged.draft.instructions);
    let mut known = merged.draft.clone();
    if shell {
        (known.prep_time, known.cook_time, known.total_time) = (None, None, None);
    }
    let guessed = heuristics::read(&tree, &known);
    if shell {
        merged.retime(Source::Heuristics, &guessed);
    }
    merged.mend(Source::Heuristics, &guessed);
    let found = [&merged.draft, &guessed].iter().any(|d| has_items(&d.ingredients) || has_items(&d.instructions));
    scripts.extend(silent.into_iter().map(Json::parse));
    fill_from_head(&mut merged, &scripts, &tree, host);
    merged.fill(Source::Heuristics, guessed);
    if !found {
        return Err(NoRecipe::NotFound(
            "no structured data, no known markup, and nothing that looks like a list of ingredients",
        ));
    }
    if merged.draft.title.is_none() {
        return Err(NoRecipe::NotFound("there are ingredients or steps, but no title"));
    }
    Ok(finish(merged, page))
}

/// The data of the JSON-LD scripts in the tree.
fn tree_scripts<'p>(tree: &'p Document<'p>) -> impl Iterator<Item = &'p str> + 'p {
    tree.all().filter_map(move |node: NodeId| {
        let is_json_ld = tree.tag(node) == Tag::Script
            && tree.attr_raw(node, "type").is_some_and(|t| t.to_ascii_lowercase().contains("ld+json"));
        let data = is_json_ld.then(|| tree.children(node).next())??;
        Some(tree.raw(data))
    })
}

fn fill(into: &mut Merged, from: Option<Merged>) {
    if let Some(Merged { draft, sources, .. }) = from
        && let Some(source) = sources.into_values().next()
    {
        into.fill(source, draft);
    }
}

/// What holds for the recipe as a whole: a title without the site's name.
fn finish(mut merged: Merged, page: Page<'_>) -> Merged {
    let publisher = merged.publisher.take();
    merged.fill(Source::Meta, Draft { authors: publisher.into_iter().collect(), ..Draft::default() });
    let host = host(page);
    let name = host.strip_prefix("www.").unwrap_or(host);
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    merged.draft.title = merged.draft.title.map(|t| values::title(&t, &[name]));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(url: &str, title: &str, rest: &str) -> String {
        format!(
            r#"<script type="application/ld+json">{{"@type":"Recipe","url":"{url}","name":"{title}","author":"Ann",
            "description":"Good.","image":"https://a.example/i.jpg","recipeIngredient":["1 egg","salt"],
            "recipeInstructions":["Mix.","Boil."],"recipeYield":"4","totalTime":"PT1H"{rest}}}</script>"#
        )
    }

    #[test]
    fn the_pages_own_recipe_is_found_behind_one_that_is_whole() {
        let calories = r#","nutrition":{"calories":"250 kcal"}"#;
        let soup = script("https://a.example/soup", "Soup", calories);
        let pie = script("https://a.example/pie", "Pie", calories);
        let page = format!("<html>{soup}{pie}</html>");
        let rules = Rules::built_in().unwrap();
        for (url, want) in [(None, "Soup"), (Some("soup"), "Soup"), (Some("pie"), "Pie"), (Some("cake"), "Soup")] {
            let url = url.map(|u| Url::parse(&format!("https://a.example/{u}")).unwrap());
            let page = Page { bytes: page.as_bytes(), url: url.as_ref(), content_type: None };
            let (fast, full) = (fast(page, &rules).unwrap(), full(page, &rules).unwrap());
            assert_eq!((fast.draft.title.as_deref(), &fast.draft), (Some(want), &full.draft));
        }
    }

    #[test]
    fn a_later_record_of_the_same_recipe_fills_the_gaps_of_one_that_is_not_whole() {
        let second = script("https://a.example/soup", "Soup", r#","nutrition":{"calories":"250 kcal"}"#);
        let page = format!("<html>{}{second}</html>", script("https://a.example/soup", "Soup", ""));
        let page = Page { bytes: page.as_bytes(), url: None, content_type: None };
        assert_eq!(fast(page, &Rules::built_in().unwrap()).unwrap().draft.calories, Some(250.0));
    }
}
