//! Our broker answers as Apache Kafka does: the same requests to both, and their replies compared field by field.
//!
//! - `DIFFERENTIAL_REPORT` names a file for the table of API x version x verdict, which is printed too.
//! - `DIFFERENTIAL_ONLY` limits the scenarios to those whose names contain it, or one of several with commas between them.
//! - `DIFFERENTIAL_CASES` is the number of generated sequences of each kind; default 12.
//! - `DIFFERENTIAL_SEED` is the seed of the generated sequences: a number, or `random`. A failure names its seed.

use std::io::Write;

use e2e::{differential, prerequisites};

#[test]
fn replies_are_those_of_apache_kafka() {
    let Some(kafka) = prerequisites::apache_kafka("replies_are_those_of_apache_kafka") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let only = std::env::var("DIFFERENTIAL_ONLY").ok();
    let reports = differential::compare_with_kafka(&kafka, folder.path(), only.as_deref());
    let tables: Vec<String> = reports.iter().map(differential::Report::table).collect();
    let tables = tables.join("\n");
    let found: Vec<&str> = reports.iter().flat_map(differential::Report::found).map(String::as_str).collect();
    // Not `println!`, which the test harness keeps to itself while a test passes.
    let _ = writeln!(std::io::stderr(), "{tables}");
    if let Some(file) = std::env::var_os("DIFFERENTIAL_REPORT") {
        std::fs::write(file, format!("{tables}\n{}\n", found.join("\n"))).expect("the report can be written");
    }
    let stale = reports.iter().map(differential::Report::unused).reduce(|one, other| &one & &other).unwrap_or_default();
    assert!(
        only.is_some() || stale.is_empty(),
        "broker/differences.tsv tells of differences that are none: {stale:#?}"
    );
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
