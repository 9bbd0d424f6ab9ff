//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::Failure;

/// Cancels the returned token at the first SIGTERM or SIGINT. A SIGINT after that ends the process at once, as users
/// expect of a second Ctrl-C; further SIGTERMs change nothing.
///
/// # Errors
/// The system has no room for another signal handler.
pub fn on_signals() -> Result<CancellationToken, Failure> {
    let problem = |error| Failure::software(format!("signals cannot be handled: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(problem)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(problem)?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "shutting down");
        cancelled.cancel();
        interrupt.recv().await;
        // Fails only for a process that is gone.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    Ok(token)
}
