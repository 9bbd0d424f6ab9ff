//! The committed modules are what the generator writes. Needs the jars of both releases.

use std::path::PathBuf;
use std::process::Command;

/// The folder with a release's jars: where `tools/apache-kafka` beside the project puts them.
fn jars(suffix: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("HOME")?).join(format!(".cache/apache-kafka{suffix}/lib"));
    folder.join(".complete").exists().then_some(folder)
}

#[test]
fn committed_modules_are_what_the_generator_writes() {
    let (Some(newer), Some(older)) = (jars(""), jars("-3.9.1")) else {
        println!("skipped: the jars of Apache Kafka 4.3.1 and 3.9.1 are not on this machine");
        return;
    };
    let output =
        Command::new(env!("CARGO_BIN_EXE_wire-generator")).arg("--check").arg(newer).arg(older).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
