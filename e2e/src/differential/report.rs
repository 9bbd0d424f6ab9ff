//! What was compared, and what came out: a table of API x version x verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use wire::ApiKey;

use super::compare::Difference;
use super::explained::Explained;

/// Set, it has every scenario and every difference told on stderr at once.
const TRACE: &str = "DIFFERENTIAL_TRACE";

/// What came out for one version of one API.
#[derive(Debug, Default)]
struct Verdict {
    compared: usize,
    explained: usize,
    unexplained: usize,
}

/// What was compared with one release.
#[derive(Debug)]
pub struct Report {
    release: &'static str,
    explained: Explained,
    verdicts: BTreeMap<(ApiKey, i16), Verdict>,
    found: Vec<String>,
    seen: BTreeSet<String>,
    times: BTreeMap<&'static str, Duration>,
    is_hushed: bool,
    /// Scenarios that were run, each in one version of its API.
    pub scenarios: usize,
    /// Sequences that were generated.
    pub generated: usize,
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(release: &'static str) -> Self {
        Self {
            release,
            explained: Explained::read(),
            verdicts: BTreeMap::new(),
            found: Vec::new(),
            seen: BTreeSet::new(),
            times: BTreeMap::new(),
            is_hushed: false,
            scenarios: 0,
            generated: 0,
        }
    }

    /// Takes down what one comparison found. Gives how many differences nothing explains.
    pub fn compared(
        &mut self,
        scenario: &str,
        api: ApiKey,
        version: i16,
        request: &str,
        differences: &[Difference],
    ) -> usize {
        let (mut explained, mut unexplained) = (0, 0);
        for one in differences {
            if self.explained.covers(api.name(), version, one) {
                explained += 1;
                continue;
            }
            unexplained += 1;
            if self.is_hushed {
                continue;
            }
            let Difference { field, place, ours, theirs } = one;
            // One difference shows in many versions and places: it is told once.
            if self.seen.insert(format!("{scenario} {api} {field} {ours} {theirs}")) {
                self.fail(format!(
                    "{scenario}: {api} version {version}: {place}\n    ours   {ours}\n    theirs {theirs}\n    asked  {request}"
                ));
            }
        }
        let verdict = self.verdicts.entry((api, version)).or_default();
        verdict.compared += 1;
        verdict.explained += explained;
        verdict.unexplained += unexplained;
        unexplained
    }

    /// Has it tell nothing of differences, or tell of them again: a generated sequence that differs is first made shorter.
    pub fn hush(&mut self, is_hushed: bool) {
        self.is_hushed = is_hushed;
        self.seen.clear();
    }

    /// Whether all of it is explained.
    #[must_use]
    pub fn explains(&self, api: ApiKey, version: i16, differences: &[Difference]) -> bool {
        differences.iter().all(|one| self.explained.covers(api.name(), version, one))
    }

    /// What differs and is not explained.
    #[must_use]
    pub fn found(&self) -> &[String] {
        &self.found
    }

    /// Says at once what happens, where that is wished for.
    fn trace(&self, what: &str) {
        if std::env::var_os(TRACE).is_some() {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{} {what}", self.release);
        }
    }

    /// Adds something that went wrong, unless it is to tell nothing of differences.
    pub fn difference(&mut self, what: String) {
        if !self.is_hushed {
            self.fail(what);
        }
    }

    /// Adds something that went wrong otherwise.
    pub fn fail(&mut self, what: String) {
        self.trace(&what);
        self.found.push(what);
    }

    /// Takes down how long a scenario took in one version.
    pub fn took(&mut self, scenario: &'static str, time: Duration) {
        *self.times.entry(scenario).or_default() += time;
        self.trace(&format!("{scenario} {:.1} s", time.as_secs_f64()));
    }

    /// Rows of the table of differences that were not needed here.
    #[must_use]
    pub fn unused(&self) -> BTreeSet<String> {
        self.explained.unused().collect()
    }

    /// Whether that version was compared.
    #[must_use]
    pub fn has(&self, api: ApiKey, version: i16) -> bool {
        self.verdicts.contains_key(&(api, version))
    }

    /// How many requests were compared.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.verdicts.values().map(|verdict| verdict.compared).sum()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!(
            "Compared with Apache Kafka {}: {} scenarios, {} generated sequences, {} requests\n\n{:>3}  {:<30} {:>7} {:>9}  verdict\n",
            self.release,
            self.scenarios,
            self.generated,
            self.requests(),
            "key",
            "API",
            "version",
            "requests"
        );
        for ((api, version), verdict) in &self.verdicts {
            let words = match verdict {
                Verdict { unexplained: 0, explained: 0, .. } => "same".to_owned(),
                Verdict { unexplained: 0, explained, .. } => format!("explained ({explained})"),
                Verdict { unexplained, .. } => format!("DIFFERENT ({unexplained})"),
            };
            let _ =
                writeln!(table, "{:>3}  {:<30} {version:>7} {:>9}  {words}", api.key(), api.name(), verdict.compared);
        }
        let mut times: Vec<_> = self.times.iter().collect();
        times.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
        let slowest: Vec<String> =
            times.iter().take(5).map(|(name, time)| format!("{name} {:.1} s", time.as_secs_f64())).collect();
        let _ = writeln!(table, "\nSlowest: {}", slowest.join(", "));
        table
    }
}
