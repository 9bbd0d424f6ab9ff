//! Where our own programs are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use parking_lot::Mutex;

/// The folder with the programs to test. Without it they are built.
pub const BINARIES: &str = "E2E_BINARIES";

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.parent().unwrap_or(crate_root).to_owned()
}

/// A file or folder beside the repository, in `../shared`, where it is there.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared").join(path);
    found.exists().then_some(found)
}

/// The program of that name, which is the name of its package too.
///
/// # Panics
/// When it is neither in the folder named by [`BINARIES`] nor can be built.
#[must_use]
pub fn program(name: &'static str) -> PathBuf {
    if let Some(folder) = std::env::var_os(BINARIES) {
        let path = PathBuf::from(folder).join(name);
        assert!(
            path.is_file(),
            "{BINARIES} is set, and {} is not there: build it, or unset {BINARIES}",
            path.display()
        );
        return path;
    }
    static BUILT: Mutex<Option<HashMap<&'static str, PathBuf>>> = Mutex::new(None);
    // The lock is held while cargo runs: the other tests of this process wait for the same build.
    let mut built = BUILT.lock();
    built.get_or_insert_default().entry(name).or_insert_with(|| build(name)).clone()
}

/// Builds a package into the target folder that this very test was built into, with its profile.
fn build(package: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a process has a program");
    let profile = this.parent().and_then(Path::parent).expect("tests are in <target>/<profile>/deps");
    let target = profile.parent().expect("tests are in <target>/<profile>/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--package", package, "--target-dir"]).arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "cargo build --package {package} failed");
    profile.join(package)
}
