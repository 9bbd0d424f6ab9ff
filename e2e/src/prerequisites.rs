//! Programs of others that some tests need.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::Process;
use crate::programs::{root, shared};

/// Prerequisites that must be there: their names, with commas between them.
pub const REQUIRE: &str = "E2E_REQUIRE";
/// The Python interpreter that has kafka-python, aiosmtpd and trustme.
pub const PYTHON: &str = "E2E_PYTHON";
/// A folder with kafka-python's sdist in `suite`, and clients of years ago in folders of their names and versions.
pub const PYTHON_CLIENTS: &str = "E2E_PYTHON_CLIENTS";
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
    /// confluent-kafka, in the Python of the tests.
    Confluent,
    /// pytest in the Python of the tests, and kafka-python's sdist.
    KafkaPythonSuite,
    /// kafka-python 1.4.7 and 2.0.2 and PyKafka 2.8, which no Python after 3.11 imports.
    OldPython,
    /// A Go that builds the program in `clients/go`, and the modules for it.
    Go,
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
            Self::Confluent => "confluent",
            Self::KafkaPythonSuite => "kafka-python-suite",
            Self::OldPython => "old-python",
            Self::Go => "go",
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
            Self::Confluent => "pip install confluent-kafka, and name that interpreter in E2E_PYTHON",
            Self::KafkaPythonSuite => {
                "pip install pytest pytest-mock pytest-timeout, unpack kafka-python's sdist as suite into E2E_PYTHON_CLIENTS"
            }
            Self::OldPython => "pip install --target E2E_PYTHON_CLIENTS/NAME-VERSION NAME==VERSION, with Python 3.11",
            Self::Go => "install the Go that e2e/clients/go/go.mod names, and run `go mod download` there",
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
    Prerequisite::Python.or_skip(python_with("kafka, aiosmtpd, trustme", None), test)
}

/// A Python with confluent-kafka.
#[must_use]
pub fn confluent(test: &str) -> Option<PathBuf> {
    Prerequisite::Confluent.or_skip(python_with("confluent_kafka", None), test)
}

/// A Python with pytest, and the folder of kafka-python's sdist.
#[must_use]
pub fn kafka_python_suite(test: &str) -> Option<(PathBuf, PathBuf)> {
    let suite = python_client("suite").filter(|suite| suite.join("test/integration").is_dir());
    let found = python_with("pytest, pytest_mock, pytest_timeout", None).zip(suite);
    Prerequisite::KafkaPythonSuite.or_skip(found, test)
}

/// A Python that can import that module of years ago, and the folder it has it from: `NAME-VERSION`.
#[must_use]
pub fn old_python(folder: &str, module: &str, test: &str) -> Option<(PathBuf, PathBuf)> {
    let found = python_client(folder).and_then(|folder| Some((python_with(module, Some(&folder))?, folder)));
    Prerequisite::OldPython.or_skip(found, test)
}

fn python_client(folder: &str) -> Option<PathBuf> {
    std::env::var_os(PYTHON_CLIENTS).map(|clients| Path::new(&clients).join(folder)).filter(|folder| folder.is_dir())
}

fn python_with(modules: &str, path: Option<&Path>) -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let mut command = Command::new(&python);
    command.args(["-c", &format!("import {modules}")]).envs(path.map(|path| ("PYTHONPATH", path)));
    runs(&mut command).then_some(python)
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

/// The program in `clients/go`, built into that folder.
///
/// # Panics
/// When it cannot be built though Go and the modules are there.
#[must_use]
pub fn go_clients(into: &Path, test: &str) -> Option<PathBuf> {
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command.current_dir(root().join("e2e/clients/go")).env("GOFLAGS", "-mod=readonly").args(arguments);
        command
    };
    Prerequisite::Go.or_skip(runs(&mut go(&["mod", "download"])).then_some(()), test)?;
    let program = into.join("clients");
    let _ = Process::run_within(go(&["build", "-o"]).arg(&program).arg("."), Duration::from_secs(600)).ok();
    Some(program)
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
