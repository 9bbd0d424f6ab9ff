//! A program under test: its lines, its signals, its exit code.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything a program should say or do: many times what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running program, killed when it is dropped.
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Asserts that it ended well, and gives its stdout.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    #[must_use]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}\n{}{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts the exit code and that stderr is one line, and gives that line.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    #[must_use]
    pub fn one_line(&self, code: i32) -> &str {
        assert_eq!(self.status.code(), Some(code), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "one line was to be expected:\n{}", self.stderr);
        self.stderr.trim_end()
    }
}

impl Process {
    /// Starts a program. Lines of stdout and stderr are kept for [`Process::wait_for`].
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let name = name(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (send, lines) = channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|err| Box::new(err) as _)];
        for output in outputs.into_iter().flatten() {
            let send = send.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    // Nobody listens any more once the test has dropped the process.
                    let _ = send.send(String::from_utf8_lossy(&line).into_owned());
                }
            });
        }
        Self { name, child, lines, seen: Vec::new() }
    }

    /// Runs a program to its end.
    ///
    /// # Panics
    /// When it cannot be started, or does not end within two minutes.
    #[track_caller]
    #[must_use]
    pub fn run(command: &mut Command) -> Finished {
        Self::run_within(command, PATIENCE)
    }

    /// Runs a program to its end, which must come within that time.
    ///
    /// # Panics
    /// When it cannot be started or does not end in time.
    #[track_caller]
    #[must_use]
    pub fn run_within(command: &mut Command, patience: Duration) -> Finished {
        let name = name(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let pid = pid(&child);
        let (done, ended) = channel::<()>();
        let watchdog = thread::spawn(move || {
            let late = ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
            if late {
                // The process may have ended by itself in this very moment.
                let _ = kill_process(pid, Signal::KILL);
            }
            late
        });
        let mut err = child.stderr.take();
        let stderr = thread::spawn(move || text(err.as_mut()));
        let stdout = text(child.stdout.take().as_mut());
        let status = child.wait().expect("a child can be waited for");
        drop(done);
        let stderr = stderr.join().expect("reading does not panic");
        let late = watchdog.join().expect("watching does not panic");
        assert!(!late, "{name} did not end within {patience:?}:\n{stdout}{stderr}");
        Finished { status, stdout, stderr }
    }

    /// Waits for a line that holds `words`, and gives it. Lines before it are done with.
    ///
    /// # Panics
    /// When the program ends without it, or two minutes pass.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(problem) => panic!("{} did not say {words:?} ({problem}):\n{}", self.name, self.seen.join("\n")),
            }
        }
    }

    /// The lines that were said since the start and are not taken by [`Process::wait_for`] included.
    pub fn lines_so_far(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as `kill -9`, and gives all that it said.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child can be waited for");
        self.rest()
    }

    /// Asks it to end (SIGTERM), and gives its exit code and all that it said.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn terminate(mut self) -> (Option<i32>, Vec<String>) {
        kill_process(pid(&self.child), Signal::TERM).expect("a child of ours can be signalled");
        let status = self.child.wait().expect("a child can be waited for");
        (status.code(), self.rest())
    }

    /// Waits for its end, and gives its exit code and all that it said.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = self.child.wait().expect("a child can be waited for");
        (status.code(), self.rest())
    }

    /// The pipes are closed: what is still in them is all there is.
    fn rest(&mut self) -> Vec<String> {
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, as most tests ask it to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn name(command: &Command) -> String {
    let program = command.get_program();
    let arguments = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    format!("{} {arguments}", program.to_string_lossy())
}

fn text(from: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.read_to_end(&mut bytes).expect("a pipe can be read");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
