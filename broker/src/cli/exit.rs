//! How the process ends: a line for the user, and a code of `sysexits.h`.

use std::process::ExitCode;

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Wrong flags or settings.
    Usage = 64,
    /// A port is taken, or a broker does not answer.
    Unavailable = 69,
    /// A bug of ours, or a limit of the machine.
    Software = 70,
    /// A directory or file cannot be read or written.
    Io = 74,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed: the message says what is wrong and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code the process ends with.
    pub exit: Exit,
    message: String,
}

impl Failure {
    /// A failure to report as it is.
    pub fn new(exit: Exit, message: impl ToString) -> Self {
        Self { exit, message: message.to_string() }
    }
}
