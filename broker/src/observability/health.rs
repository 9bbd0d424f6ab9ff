//! Whether the broker is alive, and whether it is ready to serve.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

/// Where a broker stands between its start and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Logs are being recovered; no listener accepts yet.
    Starting,
    /// Requests are served.
    Ready,
    /// It serves, but something is broken that an operator must mend: a log directory is offline.
    Degraded(String),
    /// It is draining.
    Stopping,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Starting => f.write_str("starting"),
            State::Ready => f.write_str("ready"),
            State::Degraded(reason) => write!(f, "degraded: {reason}"),
            State::Stopping => f.write_str("stopping"),
        }
    }
}

/// A cheap handle on the state: the broker's parts set it, the health server reads it.
#[derive(Debug, Clone)]
pub struct Health(Arc<RwLock<State>>);

impl Health {
    /// A broker that is starting.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(State::Starting)))
    }

    /// Says where the broker stands now.
    pub fn set(&self, state: State) {
        *self.0.write() = state;
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.read().clone()
    }

    /// Whether requests are served and nothing is broken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(*self.0.read(), State::Ready)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}
