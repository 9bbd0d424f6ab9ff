//! `fetch URL` shows what would be published and why; `check-sources` tries each source once.

use std::fmt::Write as _;
use std::io::Write as _;

use service_kit::settings::Source;
use service_kit::{Failure, Verb};
use url::Url;

use crate::canonical;
use crate::content::hex;
use crate::fetch_error::FetchError;
use crate::fetcher::Fetcher;
use crate::frontier::{RobotsAnswer, RobotsJob, Visit};
use crate::job::{self, Fetched};
use crate::settings::Settings;
use crate::source::{Kind, Link, Role, SourceSpec, folder};

/// The service's commands.
#[must_use]
pub fn verbs() -> Vec<Verb> {
    vec![
        Verb { name: "fetch", about: "URL: fetch a page and show what would be published, and why", run: fetch },
        Verb { name: "check-sources", about: "Check the sources and try each one once", run: check_sources },
    ]
}

fn fetch(source: &mut Source, arguments: &[String]) -> Result<(), Failure> {
    let [address] = arguments else {
        return Err(Failure::usage("give one URL: producer-raw-recipes fetch https://example.com/soup"));
    };
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| Failure::usage(format!("{address} is no web address (http:// or https://)")))?;
    let settings = Settings::read_without_sources(source);
    source.problems_only()?;
    let fetcher = fetcher(&settings)?;
    let spec = SourceSpec::new("fetch", Kind::Auto, address);
    let redirects = settings.crawl.bounds.redirects;
    let link = Link::new(canonical::canonical(&url), Role::Page);
    let (report, result) = block_on(visit(&fetcher, &spec, &link, redirects))?;
    print(&report)?;
    match result {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::unavailable(format!("nothing would be published: {error}"))),
    }
}

fn check_sources(source: &mut Source, _: &[String]) -> Result<(), Failure> {
    let settings = Settings::read(source);
    source.problems_only()?;
    let fetcher = fetcher(&settings)?;
    let mut bad = 0;
    for spec in &settings.sources {
        let line = match spec.seed() {
            None => check_files(spec),
            Some(seed) => {
                let (_, result) = block_on(visit(&fetcher, spec, &seed, settings.crawl.bounds.redirects))?;
                result.map(|links| format!("{links} links")).map_err(|error| error.to_string())
            }
        };
        bad += usize::from(line.is_err());
        let line = match line {
            Ok(found) => format!("ok    {} ({}): {found}\n", spec.name, spec.kind.name()),
            Err(problem) => format!("FAIL  {} ({}): {problem}\n", spec.name, spec.kind.name()),
        };
        print(&line)?;
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::unavailable(format!("{bad} of {} sources failed", settings.sources.len()))),
    }
}

fn check_files(spec: &SourceSpec) -> Result<String, String> {
    match spec.kind {
        Kind::Folder => folder::files(spec.address.as_ref()).map(|files| format!("{} files", files.len())),
        // Reading standard input would take it from the run itself.
        _ if spec.address == "-" => Ok("standard input".to_owned()),
        _ => std::fs::File::open(&spec.address).map(|_| "can be read".to_owned()),
    }
    .map_err(|error| error.to_string())
}

/// Goes the whole way of one page: robots.txt, redirects, the request; tells of each step. Gives the number of links.
async fn visit(
    fetcher: &Fetcher,
    spec: &SourceSpec,
    link: &Link,
    redirects: u32,
) -> (String, Result<usize, FetchError>) {
    let mut report = String::new();
    let result = follow(fetcher, spec, link, redirects, &mut report).await;
    (report, result)
}

async fn follow(
    fetcher: &Fetcher,
    spec: &SourceSpec,
    link: &Link,
    redirects: u32,
    report: &mut String,
) -> Result<usize, FetchError> {
    let mut at = link.url.clone();
    for _ in 0..=redirects {
        check_robots(fetcher, &at, report).await?;
        let visit = Visit {
            id: 0,
            url: link.url.clone().into(),
            at: at.clone().into(),
            role: link.role,
            source: 0,
            conditions: crate::fetcher::Conditions { headers: spec.headers.clone(), ..Default::default() },
        };
        match job::fetch(fetcher, &visit, spec).await? {
            Fetched::Redirect(to) => {
                // Writing to a string cannot fail.
                let _ = writeln!(report, "redirect      {at} -> {to}");
                at = to;
            }
            Fetched::NotModified => return Err(FetchError::Broken("304 to a request without conditions".to_owned())),
            Fetched::Directory { links, .. } => return Ok(links.len()),
            Fetched::Page(page) => {
                let raw = job::raw_page(&link.url, &at, &page.document);
                let _ = writeln!(report, "topic         {}\nkey           {}", recipes::topics::RAW_RECIPES, page.key);
                for (name, value) in raw.headers() {
                    let _ = writeln!(report, "{name:<13} {value}");
                }
                let _ = writeln!(report, "bytes         {}", page.document.body.len());
                let _ = writeln!(report, "content hash  {}", hex(&page.content));
                return Ok(page.links.len());
            }
        }
    }
    Err(FetchError::TooManyRedirects(redirects))
}

async fn check_robots(fetcher: &Fetcher, url: &Url, report: &mut String) -> Result<(), FetchError> {
    let mut job = RobotsJob::of(url);
    for _ in 0..=5 {
        let (answer, _) = job::fetch_robots(fetcher, &job).await;
        match answer {
            RobotsAnswer::Redirect(to) => job.url = to,
            RobotsAnswer::Unreachable(reason) => return Err(FetchError::RobotsUnreachable(reason)),
            RobotsAnswer::Rules(robots) => {
                let allowed = robots.allows(url);
                let verdict = if allowed { "allows" } else { "forbids" };
                let _ = writeln!(report, "robots.txt    {} {verdict} {url}", job.url);
                return if allowed { Ok(()) } else { Err(FetchError::Disallowed) };
            }
        }
    }
    Ok(())
}

fn fetcher(settings: &Settings) -> Result<Fetcher, Failure> {
    Fetcher::new(&settings.user_agent(), settings.fetch.clone(), settings.allowed_private())
        .map_err(|error| Failure::software(format!("the HTTP client cannot be set up: {error}")))
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::unavailable(format!("the system gives no event loop: {error}")))?;
    Ok(runtime.block_on(work))
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::io(format!("cannot write to stdout: {error}")))
}
