//! How fast the broker is ready, and how much memory it takes: printed, since a busy machine is no judge of speed.

use std::fs;

use e2e::{Broker, Process, free_port};

/// Kilobytes of a field of `/proc/<pid>/status`.
fn kilobytes(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_else(|| panic!("no {field}"));
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number: {line}"))
}

/// The number after `ms=` in the line the broker says when it is ready.
fn milliseconds(line: &str) -> u64 {
    let number = line.split("ms=").nth(1).and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no ms in {line:?}"))
}

#[test]
fn ready_time_and_idle_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    for start in ["first", "second", "third"] {
        let mut process = Process::start(&mut Broker::command(free_port(), folder.path(), &[]));
        let ready = milliseconds(&process.wait_for("broker is ready"));
        let memory = kilobytes(process.id(), "VmRSS:");
        println!("{start} start: ready in {ready} ms, {:.1} MB resident", memory as f64 / 1024.0);
        // Twenty times what is promised: a leak or a wait, not a busy machine.
        assert!(memory < 400 * 1024, "{memory} kB resident");
        let (code, lines) = process.terminate();
        assert_eq!(code, Some(0), "{}", lines.join("\n"));
    }
}
