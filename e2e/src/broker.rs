//! Our broker as a process of its own.

use std::path::Path;
use std::process::Command;

use crate::ports::free_port;
use crate::process::Process;
use crate::programs::program;

/// A broker that has said it is ready. It is killed when dropped; its data stays.
pub struct Broker {
    process: Process,
    port: u16,
}

impl Broker {
    /// Starts one on a free port, with these settings (`name=value`) besides.
    ///
    /// # Panics
    /// When it does not get ready.
    #[track_caller]
    #[must_use]
    pub fn start(data: &Path, settings: &[&str]) -> Self {
        Self::start_at(free_port(), data, settings)
    }

    /// Starts one on that port.
    ///
    /// # Panics
    /// When it does not get ready.
    #[track_caller]
    #[must_use]
    pub fn start_at(port: u16, data: &Path, settings: &[&str]) -> Self {
        let mut process = Process::start(&mut Self::command(port, data, settings));
        process.wait_for("broker is ready");
        Self { process, port }
    }

    /// The command that starts one. Nothing of the surroundings gets in.
    #[must_use]
    pub fn command(port: u16, data: &Path, settings: &[&str]) -> Command {
        let mut command = Command::new(program("broker"));
        command.env_clear().args(["start", "--log-format", "text"]);
        let own = [
            format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
            format!("log.dirs={}", data.display()),
            "broker.http.listener=none".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
        ];
        for setting in own.iter().map(String::as_str).chain(settings.iter().copied()) {
            command.args(["--override", setting]);
        }
        command
    }

    /// Its address for clients.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub const fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Stops it in good order.
    ///
    /// # Panics
    /// When it does not end with exit code 0.
    #[track_caller]
    pub fn stop(self) {
        let (code, lines) = self.process.terminate();
        assert_eq!(code, Some(0), "the broker did not stop well:\n{}", lines.join("\n"));
    }
}
