//! The program as a user meets it: its lines, its exit codes, its signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn broker(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ends(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("the broker runs");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A broker that has said it is ready. Killed when a test gives it up.
struct Running {
    process: Child,
    log: BufReader<ChildStderr>,
    port: u16,
    http: u16,
}

impl Running {
    fn start(data: &Path) -> Self {
        let (port, http) = (free_port(), free_port());
        let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{port}");
        let http_listener = format!("broker.http.listener=127.0.0.1:{http}");
        let log_dirs = format!("log.dirs={}", data.display());
        let args = ["start", "--override", &listeners, "--override", &http_listener, "--override", &log_dirs];
        let mut process = broker(&args).spawn().expect("the broker runs");
        let log = BufReader::new(process.stderr.take().expect("piped"));
        let mut running = Self { process, log, port, http };
        running.wait_for("broker is ready");
        running
    }

    fn wait_for(&mut self, words: &str) {
        let mut seen = String::new();
        loop {
            let from = seen.len();
            let read = self.log.read_line(&mut seen).expect("a log");
            assert_ne!(read, 0, "the log ended without {words:?}:\n{seen}");
            if seen[from..].contains(words) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid")).expect("not zero");
        kill_process(pid, signal).expect("the process is ours");
    }

    fn code(&mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, as most tests ask it to.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port()
}

fn data() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn help_and_version_are_no_failures() {
    let (code, text) = ends(broker(&["--version"]));
    assert_eq!((code, text.trim()), (Some(0), concat!("broker ", env!("CARGO_PKG_VERSION"))));
    let (code, text) = ends(broker(&["start", "--help"]));
    assert_eq!(code, Some(0));
    assert!(text.contains("--override <NAME=VALUE>") && text.contains("Exit codes:"), "{text}");
}

#[test]
fn wrong_flags_and_settings_end_with_64_and_a_line_each() {
    for args in [&["start", "--no-such-flag"][..], &["frobnicate"], &[], &["start", "--override", "novalue"]] {
        assert_eq!(ends(broker(args)).0, Some(64), "{args:?}");
    }
    let overrides = ["start", "--override", "num.partitons=3", "--override", "log.retention.ms=abc"];
    let (code, text) = ends(broker(&overrides));
    assert_eq!(code, Some(64));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "broker: --override: num.partitons is no setting of Kafka's; did you mean num.partitions?",
            "broker: --override: Invalid value abc for configuration log.retention.ms: Not a number of type LONG",
        ]
    );
    let (code, text) = ends(broker(&["start", "/no/such/server.properties"]));
    assert_eq!(code, Some(64));
    assert!(text.starts_with("broker: cannot read /no/such/server.properties"), "{text}");
}

#[test]
fn a_port_that_is_taken_ends_with_69() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let data = data();
    let log_dirs = format!("log.dirs={}", data.path().display());
    for setting in [format!("listeners=PLAINTEXT://{address}"), format!("broker.http.listener={address}")] {
        let mut args = vec!["start", "--override", &setting, "--override", &log_dirs];
        if !setting.starts_with("broker.http") {
            args.extend(["--override", "broker.http.listener=none"]);
        }
        let (code, text) = ends(broker(&args));
        assert_eq!(code, Some(69), "{text}");
        let line = text.lines().find(|line| line.starts_with("broker: ")).expect("a line for the user");
        assert!(line.contains(&address), "{line}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_ends_with_74() {
    let data = data();
    let file = data.path().join("file");
    std::fs::write(&file, "no directory").expect("a file");
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{}", free_port());
    let log_dirs = format!("log.dirs={}", file.join("logs").display());
    let args = ["start", "--override", &listeners, "--override", &log_dirs, "--override", "broker.http.listener=none"];
    let (code, text) = ends(broker(&args));
    assert_eq!(code, Some(74), "{text}");
    let line = text.lines().find(|line| line.starts_with("broker: ")).expect("a line for the user");
    assert!(line.contains(&*file.to_string_lossy()), "{line}");
}

#[test]
fn a_directory_that_another_broker_has_ends_with_74() {
    let data = data();
    let _first = Running::start(data.path());
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{}", free_port());
    let log_dirs = format!("log.dirs={}", data.path().display());
    let args = ["start", "--override", &listeners, "--override", &log_dirs, "--override", "broker.http.listener=none"];
    let (code, text) = ends(broker(&args));
    assert_eq!(code, Some(74), "{text}");
}

#[test]
fn a_running_broker_is_healthy_and_stops_at_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let data = data();
        let mut running = Running::start(data.path());
        let bootstrap = format!("127.0.0.1:{}", running.port);
        let (code, text) = ends(broker(&["healthcheck", "--bootstrap-server", &bootstrap]));
        assert_eq!((code, text.as_str()), (Some(0), ""));
        assert!(get(running.http, "/health/ready").starts_with("HTTP/1.1 200"));
        assert!(get(running.http, "/metrics").contains("broker_start_seconds"));

        running.signal(signal);
        assert_eq!(running.code(), Some(0));
        assert!(data.path().join(".kafka_cleanshutdown").exists(), "the stop was clean");
        assert_eq!(ends(broker(&["healthcheck", "--bootstrap-server", &bootstrap])).0, Some(69));
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: broker\r\nconnection: close\r\n\r\n").expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    answer
}
