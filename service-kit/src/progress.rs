//! One line on a terminal that says how far a service is; log lines appear above it.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Draws on stderr, and nothing where that is no terminal.
static LINES: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static ALONE: AtomicBool = AtomicBool::new(false);

/// The process is one service, whose line may be shown.
pub(crate) fn allow() {
    ALONE.store(true, Ordering::Relaxed);
}

/// A line that is shown until it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// An empty line; none where nobody would see it: stderr is no terminal, or the process runs more than this service
    /// and the terminal is not ours.
    #[must_use]
    pub fn open() -> Option<Self> {
        if !ALONE.load(Ordering::Relaxed) || LINES.is_hidden() {
            return None;
        }
        let bar = LINES.add(ProgressBar::new_spinner());
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").ok()?);
        Some(Self(bar))
    }

    /// Shows this text, cut to the terminal's width.
    pub fn say(&self, text: String) {
        self.0.set_message(text);
        self.0.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Stderr for log lines, which appear above a progress line.
pub(crate) struct AboveProgress;

impl Write for AboveProgress {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_line_without_a_terminal_of_our_own() {
        assert!(Progress::open().is_none());
    }
}
