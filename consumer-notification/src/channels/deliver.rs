//! A channel's loop: alerts in, notices out, in order, each at least once.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use recipes::{Alert, headers};
use service_kit::kafka::{Batch, Outcome, Place, Processor, Record};
use tokio::runtime::Handle as Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::channels::digest::Schedule;
use crate::channels::notice::Notice;
use crate::channels::pace::Pace;
use crate::channels::sender::{Sender, Undelivered};
use crate::channels::spec::ChannelSpec;

/// Alerts that a digest holds at most; with more it is sent early.
const MOST_HELD: usize = 5000;
/// Wait after a digest that was not delivered.
const DIGEST_AGAIN: Duration = Duration::from_secs(30);

/// Delivers the alerts of one channel.
pub struct Deliver {
    spec: ChannelSpec,
    sender: Sender,
    pace: Option<Pace>,
    runtime: Runtime,
    shutdown: CancellationToken,
    held: Vec<(Place, Alert)>,
    due: Instant,
}

impl Deliver {
    /// A channel that is about to start.
    #[must_use]
    pub fn new(spec: ChannelSpec, sender: Sender, runtime: Runtime, shutdown: CancellationToken) -> Self {
        let pace = spec.rate.map(Pace::new);
        let due = Instant::now() + spec.digest.as_ref().map_or(Duration::ZERO, until_next);
        Self { spec, sender, pace, runtime, shutdown, held: Vec::new(), due }
    }

    /// The group of a channel of that name.
    #[must_use]
    pub fn group(name: &str) -> String {
        format!("alerts-{name}")
    }

    fn one(&mut self, record: &Record) -> Outcome {
        let Some(value) = &record.value else { return Outcome::dead("the record has no value") };
        let alert = match Alert::from_json(value) {
            Ok(alert) => alert,
            Err(error) => return Outcome::dead(error.to_string()),
        };
        if !self.wants(&alert) {
            return Outcome::nothing();
        }
        if self.spec.digest.is_some() {
            self.held.push((record.place.clone(), alert));
            return Outcome::Held;
        }
        match self.send(&Notice::one(alert)) {
            Ok(()) => Outcome::nothing(),
            Err(Undelivered { reason, again: true, .. }) => Outcome::retry(format!("{}: {reason}", self.spec.name)),
            Err(Undelivered { reason, again: false, .. }) => {
                warn!(
                    channel = self.spec.name,
                    reason,
                    alert = record.header(headers::ALERT_ID).map_or("", |id| std::str::from_utf8(id).unwrap_or("")),
                    "alert given up"
                );
                Outcome::dead(format!("{}: {reason}", self.spec.name))
            }
        }
    }

    fn wants(&self, alert: &Alert) -> bool {
        let named = alert.channels.is_empty() || alert.channels.contains(&self.spec.name);
        // A digest comes when people want it.
        let awake = !alert.quiet || self.spec.digest.is_some();
        named && awake && alert.severity >= self.spec.min_severity
    }

    /// Sends within the channel's rate.
    fn send(&mut self, notice: &Notice) -> Result<(), Undelivered> {
        while let Some(wait) = self.pace.as_mut().and_then(|pace| pace.next(Instant::now())) {
            self.wait(wait)?;
        }
        let sent = self.runtime.block_on(self.sender.send(notice));
        if let Err(Undelivered { again: true, after: Some(after), .. }) = &sent {
            // The receiver knows better than our backoff, within reason.
            self.wait((*after).min(Duration::from_secs(60)))?;
        }
        sent
    }

    fn wait(&self, wait: Duration) -> Result<(), Undelivered> {
        let stopped = self.shutdown.cancelled();
        let waited = self.runtime.block_on(async { tokio::time::timeout(wait, stopped).await });
        waited.map_or(Ok(()), |()| Err(Undelivered::later("the service is stopping")))
    }
}

impl Processor for Deliver {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let mut stuck: Vec<Place> = Vec::new();
        let each = batch.iter().map(|record| {
            if stuck.contains(&record.place) {
                return Outcome::retry("waits for the alert before it");
            }
            let outcome = self.one(record);
            if matches!(outcome, Outcome::Retry(_)) {
                stuck.push(record.place.clone());
            }
            outcome
        });
        each.collect()
    }

    fn release(&mut self) -> bool {
        let Some(schedule) = &self.spec.digest else { return false };
        if Instant::now() < self.due && self.held.len() < MOST_HELD {
            return false;
        }
        let next = until_next(schedule);
        if self.held.is_empty() {
            self.due = Instant::now() + next;
            return false;
        }
        let mut alerts: Vec<Alert> = self.held.iter().map(|(_, alert)| alert.clone()).collect();
        alerts.sort_by_key(|alert| alert.raised_at);
        match self.send(&Notice { alerts, digest: true }) {
            Ok(()) => {
                info!(channel = self.spec.name, alerts = self.held.len(), "digest sent");
                self.held.clear();
                self.due = Instant::now() + next;
                true
            }
            Err(Undelivered { reason, .. }) => {
                warn!(channel = self.spec.name, reason, "digest not delivered; trying again");
                self.due = Instant::now() + DIGEST_AGAIN;
                false
            }
        }
    }

    fn revoked(&mut self, places: &[Place]) {
        self.held.retain(|(place, _)| !places.contains(place));
    }
}

fn until_next(schedule: &Schedule) -> Duration {
    schedule.until_next(Timestamp::now())
}
