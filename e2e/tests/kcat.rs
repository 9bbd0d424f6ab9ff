//! kcat as Debian ships it, with its default settings.

use std::fs;
use std::process::Command;

use e2e::{Broker, Process, prerequisites};

const RECORDS: usize = 1000;

#[test]
fn kcat_produces_consumes_lists_and_joins_groups() {
    let Some(kcat) = prerequisites::kcat("kcat_produces_consumes_lists_and_joins_groups") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let broker = Broker::start(&data, &["num.partitions=3"]);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(kcat);
        command.args(["-b", &broker.address(), "-q"]).args(arguments);
        Process::run(&mut command).ok()
    };
    let records: Vec<String> = (0..RECORDS).map(|number| format!("key{number}:value {number}")).collect();
    let file = folder.path().join("records");
    fs::write(&file, records.join("\n")).expect("a file");
    let file = file.to_str().expect("a plain name");

    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        run(&["-P", "-t", codec, "-K:", "-z", codec, "-l", file]);
        let mut got: Vec<String> =
            run(&["-C", "-t", codec, "-e", "-o", "beginning", "-f", "%k:%s\n"]).lines().map(str::to_owned).collect();
        let mut expected = records.clone();
        got.sort();
        expected.sort();
        assert_eq!(got, expected, "with {codec}");
    }

    let listing = run(&["-L"]);
    assert!(listing.contains("topic \"gzip\" with 3 partitions"), "{listing}");

    // A second member of the same group starts where the first one's commits ended.
    let first = run(&["-G", "readers", "-X", "auto.offset.reset=earliest", "-e", "-f", "%s\n", "zstd"]);
    assert_eq!(first.lines().count(), RECORDS);
    run(&["-P", "-t", "zstd", "-K:", "-l", file]);
    let second = run(&["-G", "readers", "-X", "auto.offset.reset=earliest", "-e", "-f", "%s\n", "zstd"]);
    assert_eq!(second.lines().count(), RECORDS);

    let ends: usize = (0..3)
        .map(|partition| {
            let answer = run(&["-Q", "-t", &format!("zstd:{partition}:-1")]);
            let offset = answer.trim().rsplit(' ').next().unwrap_or_default();
            offset.parse::<usize>().unwrap_or_else(|_| panic!("no offset in {answer:?}"))
        })
        .sum();
    assert_eq!(ends, 2 * RECORDS);
    broker.stop();
}
