//! All scenarios against one release and its counterpart.

use std::any::Any;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Instant;

use wire::ApiKey;

use super::kafka::{Kafka, SETTINGS, launcher_settings};
use super::report::Report;
use super::session::Session;
use super::side::Side;
use super::{generated, scenarios};
use crate::Broker;
use crate::ports::free_port;

/// The release whose versions are the broker's promise, and the one that serves the older ones.
const NEWER: &str = "4.3.1";
const OLDER: &str = "3.9.1";

/// A sequence of requests about one API, run once in every version of it.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What it is called in the report.
    pub name: &'static str,
    /// The API it is about.
    pub api: ApiKey,
    /// What it does.
    pub run: fn(&mut Session),
}

type Versions = HashMap<ApiKey, RangeInclusive<i16>>;

/// Compares with both releases, and gives both reports. `only` limits the scenarios to those whose names contain it.
///
/// # Panics
/// When a broker does not start.
#[must_use]
pub fn compare_with_kafka(launcher: &Path, folder: &Path, only: Option<&str>) -> Vec<Report> {
    let start = |version: &'static str| {
        let (launcher, data) = (launcher.to_owned(), folder.join(version));
        thread::spawn(move || Kafka::start(&launcher, version, &data))
    };
    let starting = [start(NEWER), start(OLDER)];
    let [newer, older] = starting.map(|thread| thread.join().expect("Apache Kafka starts"));
    let mut served = newer.side().versions();
    // It says that it serves these, for the sake of a client that expects it, and refuses them (KIP-896).
    served.insert(ApiKey::Produce, 3..=*served.get(&ApiKey::Produce).map_or(&3, RangeInclusive::end));
    let before: Versions = served.iter().map(|(api, range)| (*api, 0..=range.start() - 1)).collect();
    let run = |kafka: Kafka, version: &'static str, judged: Versions| {
        let (data, only) = (folder.join(format!("ours-{version}")), only.map(str::to_owned));
        thread::spawn(move || {
            let port = free_port();
            let launcher = launcher_settings(port);
            let settings: Vec<&str> = SETTINGS.iter().copied().chain(launcher.iter().map(String::as_str)).collect();
            let broker = Broker::start_at(port, &data, &settings);
            let ours = Side::new(port, &data.display().to_string());
            let mut session = Session::new(ours, kafka.side(), judged, Report::new(version));
            run_all(&mut session, only.as_deref());
            broker.stop();
            session.report
        })
    };
    let running = [run(newer, NEWER, served), run(older, OLDER, before)];
    running.map(|thread| thread.join().expect("a comparison ends")).into()
}

fn run_all(session: &mut Session, only: Option<&str>) {
    scenarios::prepare(session);
    let wanted = |name: &str| only.is_none_or(|only| only.split(",").any(|one| name.contains(one)));
    for scenario in scenarios::all().filter(|scenario| wanted(scenario.name)) {
        for version in session.judged(scenario.api).into_iter().flatten() {
            session.begin(scenario.name, scenario.api, version, &format!("{}-v{version}", scenario.name));
            session.report.scenarios += 1;
            let started = Instant::now();
            // A scenario that cannot go on says so in the report; the others still run.
            let result = catch_unwind(AssertUnwindSafe(|| (scenario.run)(session)));
            session.report.took(scenario.name, started.elapsed());
            if let Err(panic) = result {
                session.report.fail(format!("{} version {version}: {}", scenario.name, words(panic.as_ref())));
            }
        }
    }
    generated::run_all(session, generated::Plan::from_env(), wanted);
    if only.is_some() {
        return;
    }
    for &api in ApiKey::ALL {
        for version in session.judged(api).into_iter().flatten() {
            if !session.report.has(api, version) {
                session.report.fail(format!("{api} version {version} is served and was not compared"));
            }
        }
    }
}

/// What a panic said.
pub fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked")
}
