//! How many connections there are, and how many come, against the settings that limit them. Source: `ConnectionQuotas`.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use crate::config::NetworkSettings;

/// Samples that a rate is measured over (`quota.window.num`), of a second each.
const WINDOWS: u64 = 11;
const WINDOW: Duration = Duration::from_secs(1);

/// Connections, in all and by address.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    limits: Mutex<Limits>,
    rate: Mutex<Rate>,
    open: Mutex<HashMap<IpAddr, usize>>,
    pub(super) closed: Notify,
}

#[derive(Debug, Default)]
struct Limits {
    max: usize,
    max_per_ip: usize,
    overrides: HashMap<IpAddr, usize>,
    /// Connections a second, of the whole broker.
    creation_rate: i32,
}

impl ConnectionCounts {
    /// Takes over the settings. Host names among the exceptions are looked up now.
    pub async fn obey(&self, settings: &NetworkSettings) {
        let count = |value: i32| usize::try_from(value).unwrap_or(0);
        let mut overrides = HashMap::new();
        for entry in settings.max_connections_per_ip_overrides.split(',') {
            let Some((host, max)) = entry.trim().rsplit_once(':') else { continue };
            let Ok(max) = max.trim().parse::<usize>() else { continue };
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => overrides.extend(found.map(|address| (address.ip(), max))),
                Err(error) => warn!(host, %error, "max.connections.per.ip.overrides: no such host"),
            }
        }
        *self.limits.lock() = Limits {
            max: count(settings.max_connections),
            max_per_ip: count(settings.max_connections_per_ip),
            overrides,
            creation_rate: settings.max_connection_creation_rate,
        };
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.lock().values().sum()
    }

    /// Counts a connection that has come, and says how long it has to wait for `max.connection.creation.rate`.
    pub(super) fn arrived(&self) -> Duration {
        let limit = self.limits.lock().creation_rate;
        if limit == i32::MAX { Duration::ZERO } else { self.rate.lock().record(Instant::now(), limit) }
    }

    /// Counts a connection as open, or names the setting that has no room for it.
    pub(super) fn admit(counts: &Arc<Self>, ip: IpAddr) -> Result<ConnectionPermit, &'static str> {
        let ip = ip.to_canonical();
        let limits = counts.limits.lock();
        let mut open = counts.open.lock();
        if open.values().sum::<usize>() >= limits.max {
            return Err("max.connections");
        }
        let max = limits.overrides.get(&ip).copied();
        if open.get(&ip).copied().unwrap_or(0) >= max.unwrap_or(limits.max_per_ip) {
            return Err(if max.is_some() { "max.connections.per.ip.overrides" } else { "max.connections.per.ip" });
        }
        *open.entry(ip).or_default() += 1;
        Ok(ConnectionPermit { counts: Arc::clone(counts), ip })
    }
}

/// One counted connection; given back when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    counts: Arc<ConnectionCounts>,
    ip: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.counts.closed.notify_one();
        let mut open = self.counts.open.lock();
        if let Some(count) = open.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.ip);
            }
        }
    }
}

/// Connections by the second they came in (Kafka's `Rate`): the first seconds count as if a whole measurement had
/// passed, so that a burst after silence goes through.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u32)>);

impl Rate {
    /// Counts one, and says how long until the rate is down to `limit` a second; a second at most.
    fn record(&mut self, now: Instant, limit: i32) -> Duration {
        while self.0.front().is_some_and(|(begun, _)| now - *begun >= WINDOW * WINDOWS as u32) {
            self.0.pop_front();
        }
        match self.0.back_mut().filter(|(begun, _)| now - *begun < WINDOW) {
            Some((_, count)) => *count += 1,
            None => self.0.push_back((now, 1)),
        }
        let since = self.0.front().map_or(Duration::ZERO, |(begun, _)| now - *begun);
        let seconds = since.max(WINDOW * (WINDOWS - 1) as u32).as_secs_f64();
        let total: u32 = self.0.iter().map(|(_, count)| count).sum();
        let (rate, limit) = (f64::from(total) / seconds, f64::from(limit.max(0)));
        if rate <= limit {
            return Duration::ZERO;
        }
        WINDOW.min(Duration::try_from_secs_f64((rate - limit) / limit * seconds).unwrap_or(WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BrokerConfig, Sources};

    async fn obeying(settings: &[(&str, &str)]) -> Arc<ConnectionCounts> {
        let overrides = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = BrokerConfig::load(&Sources { overrides, ..Sources::default() }).unwrap().config;
        let counts = Arc::new(ConnectionCounts::default());
        counts.obey(&config.network).await;
        counts
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_override_holds_for_its_address_alone() {
        let settings = [("max.connections.per.ip", "1"), ("max.connections.per.ip.overrides", "127.0.0.2:2,::1:0")];
        let counts = obeying(&settings).await;
        let first = ConnectionCounts::admit(&counts, ip("127.0.0.1")).unwrap();
        assert_eq!(ConnectionCounts::admit(&counts, ip("127.0.0.1")).unwrap_err(), "max.connections.per.ip");
        // An address of IPv4 that came through a socket of IPv6 is the same address.
        let _two = ConnectionCounts::admit(&counts, ip("::ffff:127.0.0.2")).unwrap();
        let _three = ConnectionCounts::admit(&counts, ip("127.0.0.2")).unwrap();
        for refused in ["127.0.0.2", "::1"] {
            let limit = ConnectionCounts::admit(&counts, ip(refused)).unwrap_err();
            assert_eq!(limit, "max.connections.per.ip.overrides");
        }
        drop(first);
        assert!(ConnectionCounts::admit(&counts, ip("127.0.0.1")).is_ok());
    }

    #[test]
    fn a_burst_goes_through_and_what_is_above_the_rate_waits() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        for at in 0..50 {
            assert_eq!(rate.record(start, 5), Duration::ZERO, "connection {at} of the burst");
        }
        let wait = rate.record(start, 5);
        assert!(wait > Duration::from_millis(100) && wait <= WINDOW, "{wait:?}");
        assert_eq!(rate.record(start + Duration::from_secs(30), 5), Duration::ZERO, "it is forgotten in time");
        assert_eq!(rate.record(start + Duration::from_secs(30), 0), WINDOW, "none at all");
    }
}
