//! How many connections there are, and how many come, against the settings and quotas that limit them. Source:
//! `ConnectionQuotas` (KIP-308, KIP-402, KIP-612).
//!
//! Over a limit of the broker or of a listener a connection waits, and all behind it; over one of its address it is
//! closed, for a quota of the address (`connection_creation_rate`) only after some time, so that it does not come again
//! at once. The listener of brokers among themselves, where there are others, is not held up by the limits of the whole
//! broker: others give way to it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::connection_rate::Rate;
use crate::config::{BrokerConfig, ListenerLimits};
use crate::metadata::Image;
use crate::node::Node;

/// Addresses whose rates are remembered before those that are quiet are forgotten.
const QUIET_ADDRESSES: usize = 1_000;

/// Connections, in all, by listener and by address.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    state: Mutex<State>,
    /// A connection has ended, or limits have changed.
    pub(super) changed: Notify,
    obeyed: tokio::sync::Mutex<Option<(Arc<BrokerConfig>, Arc<Image>)>>,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    by_ip: HashMap<IpAddr, usize>,
    by_listener: HashMap<String, usize>,
    rate: Rate,
    listener_rates: HashMap<String, Rate>,
    ip_rates: HashMap<IpAddr, Rate>,
    open: HashMap<u64, Arc<OpenConnection>>,
    next: u64,
}

#[derive(Debug, Default)]
struct Limits {
    max: usize,
    max_per_ip: usize,
    overrides: HashMap<IpAddr, usize>,
    /// Connections a second, of the whole broker.
    creation_rate: i32,
    listeners: BTreeMap<String, ListenerLimits>,
    /// The listener that the limits of the whole broker do not hold up.
    protected: Option<String>,
    ip_rates: HashMap<IpAddr, i32>,
    default_ip_rate: Option<i32>,
}

/// Why a connection is closed that has just come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The setting or quota that leaves its address no room.
    pub(super) limit: &'static str,
    /// It is closed after so long.
    pub(super) wait: Duration,
}

impl ConnectionCounts {
    /// Takes over settings and quotas that have changed.
    pub async fn keep_up(&self, node: &Node) {
        let (config, image) = (node.config(), node.controller.image());
        let mut obeyed = self.obeyed.lock().await;
        let is_known = |(known_config, known_image): &(Arc<BrokerConfig>, Arc<Image>)| {
            Arc::ptr_eq(known_config, &config) && Arc::ptr_eq(known_image, &image)
        };
        if !obeyed.as_ref().is_some_and(is_known) {
            self.obey(&config, &image).await;
            *obeyed = Some((config, image));
        }
    }

    /// Keeps up with settings and quotas until `stop`.
    pub async fn follow(&self, node: Arc<Node>, stop: CancellationToken) {
        let (mut config, mut image) = (node.config_changes(), node.controller.watch());
        loop {
            self.keep_up(&node).await;
            tokio::select! {
                changed = config.changed() => if changed.is_err() { return },
                changed = image.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes over settings and quotas. Host names among the addresses are looked up now.
    async fn obey(&self, config: &BrokerConfig, image: &Image) {
        let count = |value: i32| usize::try_from(value).unwrap_or(0);
        let mut overrides = HashMap::new();
        for entry in config.network.max_connections_per_ip_overrides.split(',') {
            let Some((host, max)) = entry.trim().rsplit_once(':') else { continue };
            let Ok(max) = max.trim().parse::<usize>() else { continue };
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            overrides.extend(addresses(host).await.into_iter().map(|ip| (ip, max)));
        }
        let (mut ip_rates, mut default_ip_rate) = (HashMap::new(), None);
        for (ip, rate) in image.connection_creation_rates() {
            match ip {
                Some(ip) => ip_rates.extend(addresses(&ip).await.into_iter().map(|ip| (ip, rate))),
                None => default_ip_rate = Some(rate),
            }
        }
        let listeners = &config.listeners;
        let limits = Limits {
            max: count(config.network.max_connections),
            max_per_ip: count(config.network.max_connections_per_ip),
            overrides,
            creation_rate: config.network.max_connection_creation_rate,
            listeners: config.listener_limits.clone(),
            protected: (listeners.clients.len() > 1).then(|| listeners.inter_broker.clone()),
            ip_rates,
            default_ip_rate,
        };
        {
            let mut state = self.state.lock();
            state.limits = limits;
            state.end_excess();
        }
        self.changed.notify_waiters();
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.state.lock().open.len()
    }

    /// Counts a connection that has come, and says how long it has to wait for `max.connection.creation.rate`.
    pub(super) fn arrived(&self, listener: &str) -> Duration {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let broker_limit = state.limits.creation_rate;
        let broker = if state.is_protected(listener) { Duration::ZERO } else { state.rate.record(now, broker_limit) };
        let limit = state.limits.listeners.get(listener).map_or(i32::MAX, |own| own.max_connection_creation_rate);
        broker.max(state.listener_rates.entry(listener.to_owned()).or_default().record(now, limit))
    }

    /// Counts a connection as open where it may be, and waits where others have to end first. `stop` ends it, and so does
    /// a limit that is passed later. Cancellation-safe.
    pub(super) async fn place(
        counts: &Arc<Self>,
        listener: &str,
        ip: IpAddr,
        stop: &CancellationToken,
    ) -> Result<ConnectionPermit, Refusal> {
        loop {
            let mut changed = std::pin::pin!(counts.changed.notified());
            changed.as_mut().enable();
            match Self::admit(counts, listener, ip, stop) {
                Some(admission) => return admission,
                None => changed.await,
            }
        }
    }

    /// As [`Self::place`]; `None` where others have to end first.
    fn admit(
        counts: &Arc<Self>,
        listener: &str,
        ip: IpAddr,
        stop: &CancellationToken,
    ) -> Option<Result<ConnectionPermit, Refusal>> {
        let ip = ip.to_canonical();
        let mut state = counts.state.lock();
        if !state.has_slot(listener) {
            return None;
        }
        if let Some(wait) = state.throttle(listener, ip) {
            return Some(Err(Refusal { limit: "connection_creation_rate", wait }));
        }
        let max = state.limits.overrides.get(&ip).copied();
        if state.by_ip.get(&ip).copied().unwrap_or(0) >= max.unwrap_or(state.limits.max_per_ip) {
            let limit = if max.is_some() { "max.connections.per.ip.overrides" } else { "max.connections.per.ip" };
            return Some(Err(Refusal { limit, wait: Duration::ZERO }));
        }
        *state.by_ip.entry(ip).or_default() += 1;
        *state.by_listener.entry(listener.to_owned()).or_default() += 1;
        let id = state.next;
        state.next += 1;
        let open = OpenConnection {
            id,
            ip,
            listener: listener.to_owned(),
            begun: Instant::now(),
            used_ms: AtomicU64::new(0),
            end: stop.child_token(),
        };
        let open = Arc::new(open);
        state.open.insert(id, Arc::clone(&open));
        state.end_excess();
        drop(state);
        Some(Ok(ConnectionPermit { counts: Arc::clone(counts), open }))
    }
}

/// The addresses of a host.
async fn addresses(host: &str) -> Vec<IpAddr> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip().to_canonical()).collect(),
        Err(error) => {
            warn!(host, %error, "limit on connections without effect: no such host");
            Vec::new()
        }
    }
}

impl State {
    fn is_protected(&self, listener: &str) -> bool {
        self.limits.protected.as_deref() == Some(listener)
    }

    fn has_slot(&self, listener: &str) -> bool {
        let max = self.limits.listeners.get(listener).map_or(i32::MAX, |own| own.max_connections);
        let here = self.by_listener.get(listener).copied().unwrap_or(0);
        here < usize::try_from(max).unwrap_or(0) && (self.is_protected(listener) || self.open.len() < self.limits.max)
    }

    /// Counts a connection of an address that has a quota; over it nothing is counted, and the time to wait is returned.
    fn throttle(&mut self, listener: &str, ip: IpAddr) -> Option<Duration> {
        let limit = self.limits.ip_rates.get(&ip).copied().or(self.limits.default_ip_rate)?;
        let now = Instant::now();
        if self.ip_rates.len() >= QUIET_ADDRESSES && !self.ip_rates.contains_key(&ip) {
            self.ip_rates.retain(|_, rate| !rate.is_forgotten(now));
        }
        let rate = self.ip_rates.entry(ip).or_default();
        let wait = rate.record(now, limit);
        if wait.is_zero() {
            return None;
        }
        rate.take_back();
        if !self.is_protected(listener) {
            self.rate.take_back();
        }
        if let Some(rate) = self.listener_rates.get_mut(listener) {
            rate.take_back();
        }
        Some(wait)
    }

    /// Ends connections beyond `max.connections`, those first that were not used for longest.
    fn end_excess(&self) {
        let ending = self.open.values().filter(|open| open.end.is_cancelled()).count();
        let excess = self.open.len().saturating_sub(self.limits.max).saturating_sub(ending);
        if excess == 0 {
            return;
        }
        let may_end = |open: &&Arc<OpenConnection>| !open.end.is_cancelled() && !self.is_protected(&open.listener);
        let mut open = self.open.values().filter(may_end).collect::<Vec<_>>();
        open.sort_by_key(|open| open.last_used());
        open.iter().take(excess).for_each(|open| open.end.cancel());
    }
}

#[derive(Debug)]
struct OpenConnection {
    id: u64,
    ip: IpAddr,
    listener: String,
    begun: Instant,
    /// When the last request began, after `begun`.
    used_ms: AtomicU64,
    end: CancellationToken,
}

impl OpenConnection {
    fn last_used(&self) -> Instant {
        self.begun + Duration::from_millis(self.used_ms.load(Ordering::Relaxed))
    }
}

/// One counted connection; given back when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    counts: Arc<ConnectionCounts>,
    open: Arc<OpenConnection>,
}

impl ConnectionPermit {
    /// Cancelled when the connection has to end.
    pub(super) fn end(&self) -> &CancellationToken {
        &self.open.end
    }

    /// Notes that a request has come.
    pub(super) fn used(&self) {
        let since = u64::try_from(self.open.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.open.used_ms.store(since, Ordering::Relaxed);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        {
            let state = &mut *self.counts.state.lock();
            state.open.remove(&self.open.id);
            give_back(&mut state.by_ip, &self.open.ip);
            give_back(&mut state.by_listener, &self.open.listener);
        }
        self.counts.changed.notify_waiters();
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    const TWO: &str = "PLAINTEXT://:9092,INSIDE://:9093";

    async fn obeying(settings: &[(&str, &str)]) -> Arc<ConnectionCounts> {
        let counts = Arc::new(ConnectionCounts::default());
        obey(&counts, settings).await;
        counts
    }

    async fn obey(counts: &ConnectionCounts, settings: &[(&str, &str)]) {
        let named = [("listeners", TWO), ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT")];
        let more = [("inter.broker.listener.name", "INSIDE")];
        let all = named.iter().chain(&more).chain(settings);
        let overrides = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = BrokerConfig::load(&Sources { overrides, ..Sources::default() }).unwrap().config;
        counts.obey(&config, &Image::default()).await;
    }

    type Admission = Option<Result<ConnectionPermit, Refusal>>;

    fn admit(counts: &Arc<ConnectionCounts>, listener: &str, ip: &str) -> Admission {
        ConnectionCounts::admit(counts, listener, ip.parse().unwrap(), &CancellationToken::new())
    }

    fn granted(counts: &Arc<ConnectionCounts>, listener: &str, ip: &str) -> ConnectionPermit {
        admit(counts, listener, ip).expect("a slot").expect("room for the address")
    }

    fn refused(counts: &Arc<ConnectionCounts>, ip: &str) -> &'static str {
        admit(counts, "PLAINTEXT", ip).expect("a slot").expect_err("a refusal").limit
    }

    #[tokio::test]
    async fn an_override_holds_for_its_address_alone() {
        let settings = [("max.connections.per.ip", "1"), ("max.connections.per.ip.overrides", "127.0.0.2:2,::1:0")];
        let counts = obeying(&settings).await;
        let first = granted(&counts, "PLAINTEXT", "127.0.0.1");
        assert_eq!(refused(&counts, "127.0.0.1"), "max.connections.per.ip");
        // An address of IPv4 that came through a socket of IPv6 is the same address.
        let _two = granted(&counts, "PLAINTEXT", "::ffff:127.0.0.2");
        let _three = granted(&counts, "PLAINTEXT", "127.0.0.2");
        assert_eq!(refused(&counts, "127.0.0.2"), "max.connections.per.ip.overrides");
        assert_eq!(refused(&counts, "::1"), "max.connections.per.ip.overrides");
        drop(first);
        let _again = granted(&counts, "PLAINTEXT", "127.0.0.1");
    }

    #[tokio::test]
    async fn a_listener_has_limits_of_its_own() {
        let settings = [("listener.name.plaintext.max.connections", "1")];
        let counts = obeying(&settings).await;
        let first = granted(&counts, "PLAINTEXT", "127.0.0.1");
        assert!(admit(&counts, "PLAINTEXT", "127.0.0.1").is_none());
        let _other = granted(&counts, "INSIDE", "127.0.0.1");
        drop(first);
        let _again = granted(&counts, "PLAINTEXT", "127.0.0.1");

        let counts = obeying(&[("listener.name.plaintext.max.connection.creation.rate", "1")]).await;
        assert!((0..10).all(|_| counts.arrived("PLAINTEXT").is_zero()));
        assert!(!counts.arrived("PLAINTEXT").is_zero());
        assert!(counts.arrived("INSIDE").is_zero());
    }

    #[tokio::test]
    async fn others_give_way_to_the_listener_between_brokers() {
        let counts = obeying(&[("max.connections", "2")]).await;
        let [old, new] = [(); 2].map(|()| granted(&counts, "PLAINTEXT", "127.0.0.1"));
        new.open.used_ms.store(1_000, Ordering::Relaxed);
        assert!(admit(&counts, "PLAINTEXT", "127.0.0.1").is_none());
        let broker = granted(&counts, "INSIDE", "127.0.0.1");
        assert_eq!([&old, &new, &broker].map(|it| it.end().is_cancelled()), [true, false, false]);
        drop(old);
        obey(&counts, &[("max.connections", "1")]).await;
        assert_eq!([&new, &broker].map(|it| it.end().is_cancelled()), [true, false]);
    }
}
