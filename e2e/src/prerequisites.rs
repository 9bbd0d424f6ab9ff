//! Programs of others that some tests need.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::programs::shared;

/// Prerequisites that must be there: their names, with commas between them.
pub const REQUIRE: &str = "E2E_REQUIRE";
/// The Python interpreter that has kafka-python, aiosmtpd and trustme.
pub const PYTHON: &str = "E2E_PYTHON";
/// The path of axe-core's `axe.min.js`.
pub const AXE: &str = "E2E_AXE";
/// The `node_modules` with what `e2e/clients/node/package.json` names.
pub const NODE: &str = "E2E_NODE";

/// What a test needs besides our own programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prerequisite {
    /// kcat, or kafkacat as Debian named it once.
    Kcat,
    /// Python with kafka-python, aiosmtpd and trustme.
    Python,
    /// Chromium with its driver, and axe-core.
    Browser,
    /// A JDK, and a real Apache Kafka in `../shared`.
    Java,
    /// Node.js with kafkajs, kafka-node and node-rdkafka.
    Node,
    /// The real recipe pages in `../shared`, and tar with zstd.
    Pages,
    /// The right to mount file systems.
    Root,
}

impl Prerequisite {
    const fn name(self) -> &'static str {
        match self {
            Self::Kcat => "kcat",
            Self::Python => "python",
            Self::Browser => "browser",
            Self::Java => "java",
            Self::Node => "node",
            Self::Pages => "pages",
            Self::Root => "root",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Kcat => "apt-get install kafkacat",
            Self::Python => "pip install kafka-python aiosmtpd trustme, and name that interpreter in E2E_PYTHON",
            Self::Browser => {
                "apt-get install chromium chromium-driver, npm install axe-core, and name its axe.min.js in E2E_AXE"
            }
            Self::Java => "install a JDK and Maven, with Apache Kafka's launcher in ../shared/tools/apache-kafka",
            Self::Node => {
                "install Node.js and librdkafka-dev, run BUILD_LIBRDKAFKA=0 npm ci in e2e/clients/node, and name its \
                 node_modules in E2E_NODE"
            }
            Self::Pages => "put pages.tar.zst into ../shared/recipes, and install tar and zstd",
            Self::Root => "run as root, where file systems may be mounted",
        }
    }

    /// Gives what was found. Where nothing was, says aloud that the test is skipped.
    ///
    /// # Panics
    /// When [`REQUIRE`] names this prerequisite and it is missing.
    #[must_use]
    pub fn or_skip<T>(self, found: Option<T>, test: &str) -> Option<T> {
        if found.is_none() {
            let name = self.name();
            let required = std::env::var(REQUIRE).unwrap_or_default();
            let advice = self.advice();
            assert!(
                !required.split(',').any(|one| one == name),
                "{test} needs {name}, which {REQUIRE} names: {advice}"
            );
            // Not `eprintln!`, which the test harness keeps to itself while a test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no {name}; to run it: {advice}");
        }
        found
    }
}

/// kcat.
#[must_use]
pub fn kcat(test: &str) -> Option<&'static str> {
    let found = ["kcat", "kafkacat"].into_iter().find(|name| runs(Command::new(name).arg("-V")));
    Prerequisite::Kcat.or_skip(found, test)
}

/// A Python with kafka-python, aiosmtpd and trustme.
#[must_use]
pub fn python(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let found = runs(Command::new(&python).args(["-c", "import kafka, aiosmtpd, trustme"])).then_some(python);
    Prerequisite::Python.or_skip(found, test)
}

/// The path of `axe.min.js`, the accessibility checks that run in Chromium, where that and its driver are there too.
#[must_use]
pub fn browser(test: &str) -> Option<PathBuf> {
    let axe = std::env::var_os(AXE).map(PathBuf::from).filter(|axe| axe.is_file());
    let programs = || ["chromium", "chromedriver"].iter().all(|name| runs(Command::new(name).arg("--version")));
    Prerequisite::Browser.or_skip(axe.filter(|_| programs()), test)
}

/// The launcher of a real Apache Kafka and of its tools.
#[must_use]
pub fn apache_kafka(test: &str) -> Option<PathBuf> {
    let launcher = shared("tools/apache-kafka/kafka");
    let found =
        launcher.filter(|path| runs(Command::new("javac").arg("-version")) && runs(Command::new(path).arg("install")));
    Prerequisite::Java.or_skip(found, test)
}

/// The `node_modules` with kafkajs, kafka-node and node-rdkafka, for `NODE_PATH`.
#[must_use]
pub fn node(test: &str) -> Option<PathBuf> {
    let load = |modules: &PathBuf| {
        let clients = "['kafkajs', 'kafka-node', 'node-rdkafka'].forEach(name => require(name))";
        runs(Command::new("node").args(["-e", clients]).env("NODE_PATH", modules))
    };
    let modules = std::env::var_os(NODE).map(PathBuf::from).filter(load);
    Prerequisite::Node.or_skip(modules, test)
}

/// Unpacks the real recipe pages into a folder; gives how many there are.
///
/// # Panics
/// When the archive cannot be unpacked though it and the programs are there.
#[must_use]
pub fn recipe_pages(into: &Path, test: &str) -> Option<usize> {
    let archive = shared("recipes/pages.tar.zst").filter(|_| runs(Command::new("zstd").arg("--version")));
    let archive = Prerequisite::Pages.or_skip(archive, test)?;
    let done = Command::new("tar").arg("--zstd").arg("-xf").arg(archive).arg("-C").arg(into).status();
    assert!(done.is_ok_and(|status| status.success()), "tar cannot unpack the pages");
    Some(pages_under(into))
}

fn pages_under(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder of ours can be read").flatten();
    let count = |path: PathBuf| match path.is_dir() {
        true => pages_under(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "testhtml")),
    };
    entries.map(|entry| count(entry.path())).sum()
}

fn runs(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
