//! What the user says of a source: one table of the sources file, or one `--source` flag.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use regex::RegexSet;
use scraper::Selector;
use serde::Deserialize;
use service_kit::settings::Value;
use url::Url;

use crate::source::{Link, Role};

/// The kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A web address whose content tells: sitemap, feed or list page.
    Auto,
    /// A list page with a link selector, and the pages after it.
    List,
    /// A sitemap or sitemap index.
    Sitemap,
    /// RSS, Atom or JSON Feed.
    Feed,
    /// A file with one URL a line; `-` is standard input.
    Urls,
    /// A folder of HTML files.
    Folder,
    /// A web archive, plain or gzipped.
    Warc,
    /// A whole site within bounds.
    Site,
}

impl Kind {
    const NAMES: [(&'static str, Self); 8] = [
        ("auto", Self::Auto),
        ("list", Self::List),
        ("sitemap", Self::Sitemap),
        ("feed", Self::Feed),
        ("urls", Self::Urls),
        ("folder", Self::Folder),
        ("warc", Self::Warc),
        ("site", Self::Site),
    ];

    /// The kind's name, as it stands in the sources file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("auto", |(name, _)| name)
    }

    fn is_local(self) -> bool {
        matches!(self, Self::Urls | Self::Folder | Self::Warc)
    }
}

/// What is wrong with sources; each line names the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SpecError(pub Vec<String>);

/// One source, checked.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Its name in logs, metrics and on `/sources`; unique.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Web address, or path for the kinds that read files.
    pub address: String,
    /// CSS selector of the links on list pages.
    pub links: String,
    /// CSS selector of the link to the next list page; by default `rel=next`.
    pub next: Option<String>,
    /// List pages that are followed, the first included.
    pub max_pages: u32,
    /// Links that a whole-site crawl follows from its start.
    pub depth: u32,
    /// Most pages it may add to the frontier.
    pub budget: usize,
    /// Time between two visits of a page; the service's own setting when not given.
    pub interval: Option<Duration>,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Patterns of which a page must match one; all pages where there is none.
    pub include: RegexSet,
    /// Patterns of which a page must match none.
    pub exclude: RegexSet,
}

/// A table `[[source]]` of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    kind: Option<Kind>,
    url: Option<String>,
    path: Option<String>,
    links: Option<String>,
    next: Option<String>,
    max_pages: Option<u32>,
    depth: Option<u32>,
    budget: Option<usize>,
    interval: Option<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    source: Vec<Table>,
}

impl PartialEq for SourceSpec {
    fn eq(&self, other: &Self) -> bool {
        let plain = |spec: &Self| {
            let Self { name, kind, address, links, next, max_pages, depth, budget, interval, headers, .. } =
                spec.clone();
            (name, kind, address, links, next, (max_pages, depth, budget, interval), headers)
        };
        let patterns = |spec: &Self| (spec.include.patterns().to_vec(), spec.exclude.patterns().to_vec());
        plain(self) == plain(other) && patterns(self) == patterns(other)
    }
}

impl SourceSpec {
    /// A source with the defaults of its kind.
    #[must_use]
    pub fn new(name: &str, kind: Kind, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            address: address.to_owned(),
            links: "article a[href], h2 a[href], h3 a[href]".to_owned(),
            next: None,
            max_pages: 100,
            depth: 3,
            budget: 100_000,
            interval: None,
            headers: Vec::new(),
            include: RegexSet::empty(),
            exclude: RegexSet::empty(),
        }
    }

    /// Reads a `--source` value: a folder, a web archive, a file of URLs (`-` for standard input), a web address, or any of these
    /// after its kind, `sitemap=https://…`. A list page's selector may follow after a blank.
    ///
    /// # Errors
    /// Neither a web address nor a path that exists.
    pub fn from_flag(text: &str) -> Result<Self, SpecError> {
        let named = text
            .split_once('=')
            .and_then(|(kind, rest)| Kind::NAMES.iter().find(|(name, _)| *name == kind).map(|(_, kind)| (*kind, rest)));
        let (kind, rest) = match named {
            Some((kind, rest)) => (kind, rest),
            None => (guess(text), text),
        };
        let (address, selector) = match rest.split_once(' ') {
            Some((address, selector)) if !kind.is_local() => (address, Some(selector.trim())),
            _ => (rest, None),
        };
        let mut spec = Self::new(address, kind, address);
        if let Some(selector) = selector {
            spec.links = selector.to_owned();
        }
        let problems = spec.problems();
        if problems.is_empty() { Ok(spec) } else { Err(SpecError(problems)) }
    }

    /// Reads a sources file; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// All that is wrong with it at once.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Vec<Self>, SpecError> {
        let file: File =
            toml::from_str(text).map_err(|error| SpecError(vec![error.to_string().trim_end().to_owned()]))?;
        let (mut specs, mut problems, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for (index, table) in file.source.into_iter().enumerate() {
            match Self::from_table(table, folder) {
                Ok(spec) if names.insert(spec.name.clone()) => specs.push(spec),
                Ok(spec) => problems.push(format!("source {}: there are two of this name", spec.name)),
                Err(SpecError(lines)) => {
                    problems.extend(lines.into_iter().map(|line| format!("source number {}: {line}", index + 1)));
                }
            }
        }
        if problems.is_empty() { Ok(specs) } else { Err(SpecError(problems)) }
    }

    fn from_table(table: Table, folder: &Path) -> Result<Self, SpecError> {
        let (address, is_path) = match (table.url, table.path) {
            (Some(url), None) => (url, false),
            (None, Some(path)) if path == "-" => (path, true),
            (None, Some(path)) => (folder.join(path).to_string_lossy().into_owned(), true),
            _ => return Err(SpecError(vec!["give either url or path".to_owned()])),
        };
        let kind = table.kind.unwrap_or_else(|| if is_path { guess(&address) } else { Kind::Auto });
        let mut spec = Self::new(table.name.as_deref().unwrap_or(&address), kind, &address);
        let mut problems = Vec::new();
        if kind.is_local() != is_path {
            let field = if kind.is_local() { "path" } else { "url" };
            problems.push(format!("kind {:?} takes {field}", kind.name()));
        }
        spec.links = table.links.unwrap_or(spec.links);
        spec.next = table.next;
        spec.max_pages = table.max_pages.unwrap_or(spec.max_pages);
        spec.depth = table.depth.unwrap_or(spec.depth);
        spec.budget = table.budget.unwrap_or(spec.budget);
        spec.headers = table.headers.into_iter().collect();
        if let Some(text) = table.interval {
            match Duration::parse(&text) {
                Ok(interval) => spec.interval = Some(interval),
                Err(expected) => problems.push(format!("interval {text:?}: {expected}")),
            }
        }
        for (field, patterns, set) in
            [("include", table.include, &mut spec.include), ("exclude", table.exclude, &mut spec.exclude)]
        {
            match RegexSet::new(&patterns) {
                Ok(compiled) => *set = compiled,
                Err(error) => problems.push(format!("{field}: {error}")),
            }
        }
        problems.extend(spec.problems());
        if problems.is_empty() { Ok(spec) } else { Err(SpecError(problems)) }
    }

    /// All that is wrong with it.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (address, path) = (&self.address, Path::new(&self.address));
        match self.kind {
            Kind::Folder if !path.is_dir() => problems.push(format!("{address}: there is no such folder")),
            Kind::Urls | Kind::Warc if address != "-" && !path.is_file() => {
                problems.push(format!("{address}: there is no such file"));
            }
            Kind::Folder | Kind::Urls | Kind::Warc => {}
            Kind::Auto | Kind::List | Kind::Sitemap | Kind::Feed | Kind::Site => {
                let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                if url.is_none_or(|url| !url.has_host()) {
                    problems.push(format!(
                        "{address}: neither a web address (http:// or https://) nor a folder or file that exists"
                    ));
                }
            }
        }
        for selector in std::iter::once(&self.links).chain(&self.next) {
            if let Err(error) = Selector::parse(selector) {
                problems.push(format!("{address}: {selector:?} is no CSS selector: {error}"));
            }
        }
        for (name, value) in &self.headers {
            let is_name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !is_name || reqwest::header::HeaderValue::from_str(value).is_err() {
                problems.push(format!("{address}: {name:?} with {value:?} is no request header"));
            }
        }
        problems
    }

    /// Whether the source's patterns let a page through.
    #[must_use]
    pub fn takes(&self, url: &Url) -> bool {
        (self.include.is_empty() || self.include.is_match(url.as_str())) && !self.exclude.is_match(url.as_str())
    }

    /// Where the source begins; none for the kinds that read files.
    #[must_use]
    pub fn seed(&self) -> Option<Link> {
        let role = match self.kind {
            Kind::Auto => Role::Auto,
            Kind::List => Role::List(0),
            Kind::Sitemap => Role::Sitemap(0),
            Kind::Feed => Role::Feed,
            Kind::Site => Role::Site(0),
            Kind::Urls | Kind::Folder | Kind::Warc => return None,
        };
        // The address was checked; it is fetched as it was given, but for its fragment.
        Url::parse(&self.address).ok().map(|url| Link::new(crate::canonical::canonical(&url), role))
    }
}

fn guess(text: &str) -> Kind {
    if text.starts_with("http://") || text.starts_with("https://") {
        Kind::Auto
    } else if (text.ends_with(".warc") || text.ends_with(".warc.gz")) && Path::new(text).is_file() {
        Kind::Warc
    } else if text == "-" || Path::new(text).is_file() {
        Kind::Urls
    } else if Path::new(text).is_dir() {
        Kind::Folder
    } else {
        Kind::Auto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_their_kind_or_show_it() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |text: &str| SourceSpec::from_flag(text).map(|spec| spec.kind);
        assert_eq!(kind(folder.path().to_str().unwrap()), Ok(Kind::Folder));
        assert_eq!(kind("https://a.example/x"), Ok(Kind::Auto));
        assert_eq!(kind("site=https://a.example/x"), Ok(Kind::Site));
        assert_eq!(kind("https://a.example/?kind=list=2"), Ok(Kind::Auto));
        assert_eq!(kind("-"), Ok(Kind::Urls));
        let archive = folder.path().join("a.warc.gz");
        std::fs::write(&archive, "").unwrap();
        assert_eq!(kind(archive.to_str().unwrap()), Ok(Kind::Warc));
        let list = SourceSpec::from_flag("list=https://a.example/x .card > a").unwrap();
        assert_eq!((&*list.address, &*list.links), ("https://a.example/x", ".card > a"));
        let error = SourceSpec::from_flag("/no/such/folder").unwrap_err().to_string();
        assert!(error.contains("/no/such/folder"), "{error}");
        assert!(SourceSpec::from_flag("list=https://a.example/x !!").is_err());
    }

    #[test]
    fn a_file_is_read_whole_or_everything_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pages")).unwrap();
        let good = r#"
            [[source]]
            name = "salads"
            kind = "list"
            url = "https://a.example/salads/"
            links = ".card a"
            interval = "6h"
            include = ["/recipe/"]
            exclude = ['print=1$']
            headers = { Accept-Language = "en" }
            [[source]]
            path = "pages"
        "#;
        let specs = SourceSpec::from_toml(good, folder.path()).unwrap();
        assert_eq!((specs[0].kind, specs[1].kind), (Kind::List, Kind::Folder));
        assert_eq!(specs[0].interval, Some(Duration::from_secs(6 * 3600)));
        let takes = |url: &str| specs[0].takes(&Url::parse(url).unwrap());
        assert!(
            takes("https://a.example/recipe/1")
                && !takes("https://a.example/recipe/1?print=1")
                && !takes("https://a.example/x")
        );

        let bad = r#"
            [[source]]
            url = "ftp://a.example/"
            interval = "often"
            include = ["("]
            [[source]]
            path = "missing"
            kind = "sitemap"
            [[source]]
            url = "http://a.example/"
            [[source]]
            url = "http://a.example/"
        "#;
        let SpecError(problems) = SourceSpec::from_toml(bad, folder.path()).unwrap_err();
        for word in ["ftp://a.example/", "often", "include", "takes url", "two of this name"] {
            assert!(problems.iter().any(|line| line.contains(word)), "{word}: {problems:?}");
        }
        assert!(SourceSpec::from_toml("[[sauce]]", folder.path()).unwrap_err().to_string().contains("sauce"));
    }
}
