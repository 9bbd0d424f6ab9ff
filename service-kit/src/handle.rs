//! What others see of a running service: its counters, and whether it is ready.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::health::Health;

/// A cheap, cloneable view of one service while it runs.
///
/// Counters are made by name the first time someone asks for them; each is a metric too
/// (`pipeline_<name>_total{service="…"}`, gauges without `_total`). The kit keeps `consumed`, `produced`,
/// `dead_letters` and `retries`, which loops beside the service's main one put their group's name before
/// ([`crate::kafka::Consumer::aside`]), and the lag of each.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    counters: Mutex<BTreeMap<String, Counter>>,
    gauges: Mutex<BTreeMap<String, Gauge>>,
    /// Lag of each loop, by group.
    lags: Mutex<BTreeMap<String, Option<u64>>>,
    changes: watch::Sender<()>,
    health: Health,
}

impl Handle {
    /// The handle of a service that has yet to start.
    #[must_use]
    pub fn new(service: &'static str) -> Self {
        let changes = watch::Sender::new(());
        let health = Health::new(service, changes.clone());
        Self {
            inner: Arc::new(Inner {
                service,
                counters: Mutex::default(),
                gauges: Mutex::default(),
                lags: Mutex::default(),
                changes,
                health,
            }),
        }
    }

    /// The service's name, the value of the label `service`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// The counter of that name.
    #[must_use]
    pub fn counter(&self, name: &str) -> Counter {
        self.counter_in(&mut self.inner.counters.lock(), name)
    }

    /// Adds to several counters at once: [`Handle::counts`] sees all of it or nothing.
    pub fn add_all<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u64)>) {
        let mut counters = self.inner.counters.lock();
        for (name, more) in counts {
            let counter = self.counter_in(&mut counters, name);
            counter.value.fetch_add(more, Ordering::Relaxed);
            counter.metric.increment(more);
        }
        drop(counters);
        self.inner.changes.send_replace(());
    }

    fn counter_in(&self, counters: &mut BTreeMap<String, Counter>, name: &str) -> Counter {
        if let Some(counter) = counters.get(name) {
            return counter.clone();
        }
        let counter = Counter {
            value: Arc::default(),
            metric: metrics::counter!(format!("pipeline_{name}_total"), "service" => self.inner.service),
            changes: self.inner.changes.clone(),
        };
        counters.insert(name.to_owned(), counter.clone());
        counter
    }

    /// The gauge of that name; unknown until first set.
    #[must_use]
    pub fn gauge(&self, name: &str) -> Gauge {
        let make = || Gauge {
            value: Arc::new(AtomicU64::new(UNKNOWN)),
            metric: metrics::gauge!(format!("pipeline_{name}"), "service" => self.inner.service),
            changes: self.inner.changes.clone(),
        };
        self.inner.gauges.lock().entry(name.to_owned()).or_insert_with(make).clone()
    }

    /// Value of a counter; 0 when nothing has counted under that name.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.inner.counters.lock().get(name).map_or(0, Counter::get)
    }

    /// Every counter with its value, all of the same moment.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.inner.counters.lock().iter().map(|(name, counter)| (name.clone(), counter.get())).collect()
    }

    /// Records not yet processed, over all loops and their partitions; none while that of any is not known.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let lags = self.inner.lags.lock();
        if lags.is_empty() { None } else { lags.values().copied().sum() }
    }

    /// Records not yet processed by the loop of one group; none while it is not known.
    #[must_use]
    pub fn lag_of(&self, group: &str) -> Option<u64> {
        self.inner.lags.lock().get(group).copied().flatten()
    }

    /// Each group's lag.
    #[must_use]
    pub fn lags(&self) -> BTreeMap<String, Option<u64>> {
        self.inner.lags.lock().clone()
    }

    pub(crate) fn set_lag(&self, group: &str, lag: Option<u64>) {
        let before = self.inner.lags.lock().insert(group.to_owned(), lag);
        if before != Some(lag) {
            self.inner.changes.send_replace(());
        }
    }

    /// What the service waits for, if anything.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// Waits until `condition` holds. It is looked at after every change of a counter, a gauge or a health check.
    ///
    /// Cancellation-safe.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let mut changes = self.inner.changes.subscribe();
        while !condition(self) {
            // The sender lives in `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// Waits until `/health/ready` would say so.
    ///
    /// Cancellation-safe.
    pub async fn wait_ready(&self) {
        self.wait_until(|handle| handle.health().is_ready()).await;
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("service", &self.inner.service).field("counts", &self.counts()).finish()
    }
}

/// Counts something; see [`Handle::counter`].
#[derive(Clone)]
pub struct Counter {
    value: Arc<AtomicU64>,
    metric: metrics::Counter,
    changes: watch::Sender<()>,
}

impl Counter {
    /// Adds to the count and wakes whoever waits on the handle.
    pub fn add(&self, more: u64) {
        if more > 0 {
            self.value.fetch_add(more, Ordering::Relaxed);
            self.metric.increment(more);
            self.changes.send_replace(());
        }
    }

    /// The count since the service started.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// Stands for "not known": no count ever gets there.
const UNKNOWN: u64 = u64::MAX;

/// A number that goes up and down; see [`Handle::gauge`].
#[derive(Clone)]
pub struct Gauge {
    value: Arc<AtomicU64>,
    metric: metrics::Gauge,
    changes: watch::Sender<()>,
}

impl Gauge {
    /// Sets the value; none makes it unknown (the metric keeps its last value).
    pub fn set(&self, value: Option<u64>) {
        let value = value.unwrap_or(UNKNOWN);
        if self.value.swap(value, Ordering::Relaxed) == value {
            return;
        }
        if value != UNKNOWN {
            #[expect(clippy::cast_precision_loss, reason = "a metric; nobody has 2^53 records of lag")]
            self.metric.set(value as f64);
        }
        self.changes.send_replace(());
    }

    /// The value, if known.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        Some(self.value.load(Ordering::Relaxed)).filter(|value| *value != UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_with_the_change_that_satisfies_it() {
        let handle = Handle::new("test");
        let (pages, waiter) = (handle.counter("pages"), handle.clone());
        let waiting = tokio::spawn(async move { waiter.wait_until(|handle| handle.count("pages") >= 2).await });
        pages.add(1);
        pages.add(1);
        waiting.await.unwrap();
        assert_eq!(handle.counts()["pages"], 2);
    }

    #[test]
    fn a_gauge_is_unknown_until_set() {
        let handle = Handle::new("test");
        let readers = handle.gauge("readers");
        assert_eq!(readers.get(), None);
        readers.set(Some(0));
        assert_eq!(handle.gauge("readers").get(), Some(0));
        readers.set(None);
        assert_eq!(readers.get(), None);
    }

    #[test]
    fn lag_is_known_when_that_of_every_loop_is() {
        let handle = Handle::new("test");
        assert_eq!(handle.lag(), None);
        handle.set_lag("a", Some(2));
        assert_eq!(handle.lag(), Some(2));
        handle.set_lag("b", None);
        assert_eq!((handle.lag(), handle.lag_of("a")), (None, Some(2)));
        handle.set_lag("b", Some(1));
        assert_eq!(handle.lag(), Some(3));
    }
}
