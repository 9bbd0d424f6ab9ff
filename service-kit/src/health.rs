//! Whether a service is ready, and what it waits for if it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::watch;

/// The checks of one service. Ready means: at least one check, and all of them pass.
#[derive(Clone)]
pub struct Health {
    service: &'static str,
    checks: Arc<Mutex<BTreeMap<String, Result<String, String>>>>,
    changes: watch::Sender<()>,
}

impl Health {
    pub(crate) fn new(service: &'static str, changes: watch::Sender<()>) -> Self {
        Self { service, checks: Arc::default(), changes }
    }

    /// Adds a check that fails with `waiting_for` until it is told otherwise.
    #[must_use]
    pub fn check(&self, name: impl Into<String>, waiting_for: &str) -> Check {
        let check = Check { health: self.clone(), name: name.into() };
        check.fail(waiting_for);
        check
    }

    /// Whether every check passes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let checks = self.checks.lock();
        !checks.is_empty() && checks.values().all(Result::is_ok)
    }

    /// The body of `/health/ready`: `{"service": …, "ready": …, "checks": {"consumer": "assigned"}}`.
    #[must_use]
    pub fn report(&self) -> Value {
        let checks: Map<String, Value> = (self.checks.lock().iter())
            .map(|(name, state)| (name.clone(), state.as_ref().unwrap_or_else(|problem| problem).clone().into()))
            .collect();
        serde_json::json!({ "service": self.service, "ready": self.is_ready(), "checks": checks })
    }

    /// What is not ready, in one line; empty when everything is.
    #[must_use]
    pub fn problems(&self) -> String {
        let checks = self.checks.lock();
        let problems: Vec<String> =
            checks.iter().filter_map(|(name, state)| Some(format!("{name}: {}", state.as_ref().err()?))).collect();
        problems.join("; ")
    }

    fn set(&self, name: &str, state: Result<String, String>) {
        let mut checks = self.checks.lock();
        if checks.get(name) != Some(&state) {
            checks.insert(name.to_owned(), state);
            drop(checks);
            self.changes.send_replace(());
        }
    }
}

/// One thing that readiness depends on. Removed when dropped.
pub struct Check {
    health: Health,
    name: String,
}

impl Check {
    /// The check passes; `state` says how, for the report.
    pub fn pass(&self, state: &str) {
        self.health.set(&self.name, Ok(state.to_owned()));
    }

    /// The check fails for `reason`.
    pub fn fail(&self, reason: &str) {
        self.health.set(&self.name, Err(reason.to_owned()));
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.health.checks.lock().remove(&self.name);
        self.health.changes.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_check_passes_and_there_is_one() {
        let health = Health::new("test", watch::Sender::new(()));
        assert!(!health.is_ready());
        let broker = health.check("broker", "waiting for the broker");
        let consumer = health.check("consumer", "not assigned");
        broker.pass("connected");
        assert!(!health.is_ready());
        assert_eq!(health.problems(), "consumer: not assigned");
        consumer.pass("3 partitions");
        assert!(health.is_ready());
        broker.fail("down");
        assert_eq!(health.report()["checks"]["broker"], "down");
        drop(broker);
        assert!(health.is_ready());
    }
}
