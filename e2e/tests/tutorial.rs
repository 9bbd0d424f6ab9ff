//! The tutorial's three scripts, with kafka-python, between our broker and our sample site.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use e2e::{Broker, Process, prerequisites, programs};
use sample_site::catalog::{Catalog, Markup, Outcome};

/// What the scripts should print: they read the markup of the tutorial's time alone.
fn expected_alerts() -> BTreeSet<String> {
    let catalog = Catalog::embedded().expect("the content is in order");
    let plain = catalog.recipes.iter().filter(|recipe| recipe.markup == Markup::Plain);
    let loud = plain.filter(|recipe| recipe.outcome == Outcome::Alert);
    loud.map(|recipe| format!("Alert: {} calories count is {}", recipe.title, recipe.kcal.unwrap_or_default()))
        .collect()
}

struct Scripts<'a> {
    python: &'a Path,
    broker: String,
    site: String,
    api_version: Option<&'a str>,
}

impl Scripts<'_> {
    fn run(&self, script: &str, count: Option<u64>) -> String {
        let mut command = Command::new(self.python);
        command.arg(programs::root().join("e2e/clients/tutorial").join(script));
        command.env("BOOTSTRAP", &self.broker).env("SITE", &self.site).env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(count.map(|count| ("COUNT", count.to_string())));
        command.envs(self.api_version.map(|version| ("API_VERSION", version)));
        Process::run(&mut command).ok()
    }
}

/// "N things done" -> N
fn number(line: &str) -> u64 {
    let word = line.split_whitespace().next().unwrap_or_default();
    word.parse().unwrap_or_else(|_| panic!("no number in {line:?}"))
}

fn alerts_of_the_scripts(test: &str, api_version: Option<&str>) {
    let Some(python) = prerequisites::python(test) else { return };
    let data = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(data.path(), &[]);
    let mut site = Process::start(Command::new(programs::program("sample-site")).args(["--listen", "127.0.0.1:0"]));
    let site = site.wait_for("http://").replace("sample site on ", "");
    let scripts = Scripts { python: &python, broker: broker.address(), site, api_version };
    let published = number(&scripts.run("producer_raw_recipes.py", None));
    let parsed = number(&scripts.run("parser_recipes.py", Some(published)));
    let said = scripts.run("consumer_notification.py", Some(parsed));
    assert_eq!(said.lines().map(str::to_owned).collect::<BTreeSet<_>>(), expected_alerts());
    broker.stop();
}

#[test]
fn the_three_scripts_raise_the_alerts_of_the_pages_they_can_read() {
    alerts_of_the_scripts("the_three_scripts_raise_the_alerts_of_the_pages_they_can_read", None);
}

#[test]
fn the_three_scripts_work_as_clients_of_the_time_of_kafka_0_10() {
    alerts_of_the_scripts("the_three_scripts_work_as_clients_of_the_time_of_kafka_0_10", Some("0.10"));
}
