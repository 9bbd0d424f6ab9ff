//! How a process ends badly: one line for people, one number for scripts.

use std::fmt;
use std::process::ExitCode;

/// Exit codes of `sysexits.h` that services use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Wrong flags, environment or settings file (64).
    Usage = 64,
    /// An input file holds something else than it should (65).
    Data = 65,
    /// An input file is missing or unreadable (66).
    NoInput = 66,
    /// Something the service needs cannot be had: a port, a broker (69).
    Unavailable = 69,
    /// A bug of ours (70).
    Software = 70,
    /// Reading or writing failed (74).
    Io = 74,
    /// The broker or the system refused for lack of rights (77).
    NoPermission = 77,
}

/// Why a service ended badly, with what to do about it, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    message: String,
    stopped: bool,
}

impl Failure {
    /// A failure with its exit code; `message` says what is wrong and what to do.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), stopped: false }
    }

    /// What was under way when the service was told to stop, and had done no work yet: to the process no failure.
    #[must_use]
    pub fn stopped(message: impl Into<String>) -> Self {
        Self { stopped: true, ..Self::unavailable(message) }
    }

    /// Whether it is the end that was asked for.
    #[must_use]
    pub const fn is_stop(&self) -> bool {
        self.stopped
    }

    /// Wrong settings, exit code 64.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something needed cannot be had, exit code 69.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// A bug of ours, exit code 70.
    #[must_use]
    pub fn software(message: impl Into<String>) -> Self {
        Self::new(Exit::Software, message)
    }

    /// Reading or writing failed, exit code 74.
    #[must_use]
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Exit::Io, message)
    }

    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
