//! Listeners: where the broker accepts connections, and under which addresses clients are told to come.

use std::collections::BTreeMap;
use std::fmt;

/// How a listener protects its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecurityProtocol {
    /// Nothing.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL inside TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// One entry of `listeners`: a socket to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name, upper case.
    pub name: String,
    /// The address to bind, without brackets; empty for all of the machine's.
    pub host: String,
    /// The port to bind; 0 lets the system choose.
    pub port: u16,
    /// From `listener.security.protocol.map`.
    pub protocol: SecurityProtocol,
}

impl Listener {
    /// Whether it binds every address, so that its own is no address for a client.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_endpoint(f, &self.name, &self.host, self.port)
    }
}

/// One entry of `advertised.listeners`: what Metadata tells clients of that listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisedListener {
    /// The listener's name.
    pub name: String,
    /// The host, without brackets; never empty, never a wildcard.
    pub host: String,
    /// The port; 0 for the one that was bound.
    pub port: u16,
}

impl fmt::Display for AdvertisedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_endpoint(f, &self.name, &self.host, self.port)
    }
}

fn write_endpoint(f: &mut fmt::Formatter<'_>, name: &str, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(f, "{name}://[{host}]:{port}") } else { write!(f, "{name}://{host}:{port}") }
}

/// `listeners` where nobody sets it.
const DEFAULT: &str = "PLAINTEXT://:9092";

/// All that the listener properties say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// Those that clients use.
    pub clients: Vec<Listener>,
    /// Those of `controller.listener.names`: accepted in the settings, and not opened, because the controller of a
    /// single node is reached by function calls.
    pub controllers: Vec<Listener>,
    /// What is told of each client listener that is advertised.
    pub advertised: Vec<AdvertisedListener>,
    /// The listener brokers would use among themselves (`inter.broker.listener.name`).
    pub inter_broker: String,
}

/// The texts of the listener properties, `None` where unset.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ListenerSettings<'a> {
    pub listeners: Option<&'a str>,
    pub advertised: Option<&'a str>,
    pub protocol_map: Option<&'a str>,
    pub controller_names: Option<&'a str>,
    pub inter_broker: Option<&'a str>,
    pub inter_broker_protocol: Option<&'a str>,
    /// `advertised.host.name` and `advertised.port`, which Kafka dropped with 3.0 and tutorials still set.
    pub old_host: Option<&'a str>,
    pub old_port: Option<&'a str>,
}

impl ListenerSettings<'_> {
    /// Reads them all. Each error is a line of its own; `warnings` gets what was done differently from Kafka.
    pub fn read(&self, warnings: &mut Vec<String>) -> Result<Listeners, Vec<String>> {
        let protocols = protocol_map(self.protocol_map).map_err(|error| vec![error])?;
        let controller_names: Vec<String> = match self.controller_names {
            Some(names) => names.split(',').map(|name| name.trim().to_uppercase()).collect(),
            None => vec!["CONTROLLER".to_owned()],
        };
        let mut errors = Vec::new();
        let derived = self.listeners_by_advertised(warnings);
        let listeners = self.listeners.or(derived.as_deref()).unwrap_or(DEFAULT);
        let (controllers, clients): (Vec<_>, Vec<_>) = endpoints(listeners, &protocols, &controller_names, &mut errors)
            .into_iter()
            .partition(|listener| controller_names.contains(&listener.name));
        if clients.is_empty() && errors.is_empty() {
            errors.push(
                "listeners names no listener for clients (all stand in controller.listener.names); add one, \
                 for example PLAINTEXT://:9092"
                    .to_owned(),
            );
        }
        let advertised = self.advertised(&clients, &controllers, warnings, &mut errors);
        let inter_broker = self.inter_broker_name(&clients, &protocols, &mut errors);
        if errors.is_empty() { Ok(Listeners { clients, controllers, advertised, inter_broker }) } else { Err(errors) }
    }

    /// Without `listeners`, but with names in `advertised.listeners` that the default does not have, each advertised
    /// port is listened on, as a widespread image does it: many tutorials rely on that.
    fn listeners_by_advertised(&self, warnings: &mut Vec<String>) -> Option<String> {
        let advertised: Vec<_> = entries(self.advertised?).filter_map(split_endpoint).collect();
        if self.listeners.is_some() || advertised.iter().all(|(name, _, _)| name == "PLAINTEXT") {
            return None;
        }
        let listeners: Vec<_> = advertised.iter().map(|(name, _, port)| format!("{name}://:{port}")).collect();
        let listeners = listeners.join(",");
        warnings.push(format!("listeners is not set: listening where advertised.listeners says, on {listeners}"));
        Some(listeners)
    }

    fn advertised(
        &self,
        clients: &[Listener],
        controllers: &[Listener],
        warnings: &mut Vec<String>,
        errors: &mut Vec<String>,
    ) -> Vec<AdvertisedListener> {
        let Some(text) = self.advertised else { return self.advertised_by_default(clients, warnings, errors) };
        let mut advertised: Vec<AdvertisedListener> = Vec::new();
        for entry in entries(text) {
            let Some((name, host, port)) = split_endpoint(entry) else {
                errors.push(format!(
                    "advertised.listeners: {entry} is no listener; write name://host:port, for example PLAINTEXT://localhost:9092"
                ));
                continue;
            };
            if controllers.iter().any(|listener| listener.name == name) {
                continue;
            }
            if host.is_empty() || matches!(host.as_str(), "0.0.0.0" | "::") {
                errors.push(format!(
                    "advertised.listeners cannot use the nonroutable meta-address {}: name the host clients reach this \
                     broker by, for example {name}://localhost:{port}",
                    if host.is_empty() { "of an empty host" } else { &host }
                ));
            } else if !clients.iter().any(|listener| listener.name == name) {
                errors.push(format!("advertised.listeners: {name} is advertised and does not stand in listeners"));
            } else if advertised.iter().any(|other| other.name == name) {
                errors.push(format!("advertised.listeners: {name} stands twice"));
            } else {
                advertised.push(AdvertisedListener { name, host, port });
            }
        }
        if advertised.is_empty() && errors.is_empty() {
            errors.push("advertised.listeners names no listener for clients".to_owned());
        }
        advertised
    }

    /// Without `advertised.listeners`: each listener's own address, and localhost for one that binds all addresses.
    /// (Kafka advertises the machine's host name there, which containers and laptops often cannot resolve.)
    fn advertised_by_default(
        &self,
        clients: &[Listener],
        warnings: &mut Vec<String>,
        errors: &mut Vec<String>,
    ) -> Vec<AdvertisedListener> {
        let old_port = match self.old_port.map(|text| (text, text.trim().parse::<u16>())) {
            Some((_, Ok(port))) => Some(port),
            Some((text, Err(_))) => {
                errors.push(format!("advertised.port: {text} is no port; write a number from 1 to 65535"));
                None
            }
            None => None,
        };
        let old_host = self.old_host.map(str::trim).filter(|host| !host.is_empty());
        let advertise = |listener: &Listener| AdvertisedListener {
            name: listener.name.clone(),
            host: match old_host {
                Some(host) => host.to_owned(),
                None if listener.is_wildcard() => "localhost".to_owned(),
                None => listener.host.clone(),
            },
            port: old_port.unwrap_or(listener.port),
        };
        let wildcard = clients.iter().any(Listener::is_wildcard);
        if wildcard && old_host.is_none() && self.listeners.is_some() {
            warnings.push(
                "advertised.listeners is not set: clients are told localhost, and only those on this machine will \
                 find the broker there"
                    .to_owned(),
            );
        }
        clients.iter().map(advertise).collect()
    }

    fn inter_broker_name(
        &self,
        clients: &[Listener],
        protocols: &BTreeMap<String, SecurityProtocol>,
        errors: &mut Vec<String>,
    ) -> String {
        let first = || clients.first().map(|listener| listener.name.clone()).unwrap_or_default();
        match (self.inter_broker, self.inter_broker_protocol) {
            (Some(_), Some(_)) => {
                errors.push(
                    "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."
                        .to_owned(),
                );
                first()
            }
            (Some(name), None) => {
                let name = name.trim().to_uppercase();
                if clients.iter().any(|listener| listener.name == name) {
                    return name;
                }
                let known: Vec<_> = clients.iter().map(|listener| listener.name.as_str()).collect();
                let options = known.join(", ");
                let mapped = if protocols.contains_key(&name) { "" } else { " nor in listener.security.protocol.map" };
                errors.push(format!(
                    "inter.broker.listener.name: {name} does not stand in listeners{mapped}; it can be {options}"
                ));
                first()
            }
            (None, Some(protocol)) => SecurityProtocol::from_name(protocol.trim())
                .and_then(|protocol| clients.iter().find(|listener| listener.protocol == protocol))
                .map_or_else(first, |listener| listener.name.clone()),
            (None, None) => first(),
        }
    }
}

fn endpoints(
    text: &str,
    protocols: &BTreeMap<String, SecurityProtocol>,
    controller_names: &[String],
    errors: &mut Vec<String>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in entries(text) {
        let Some((name, host, port)) = split_endpoint(entry) else {
            errors.push(format!(
                "listeners: {entry} is no listener; write name://host:port, for example PLAINTEXT://:9092"
            ));
            continue;
        };
        let known = protocols.get(&name).copied().or_else(|| SecurityProtocol::from_name(&name));
        // Kafka serves a controller listener in plain text where the map is silent (KAFKA-15189).
        let known = known.or_else(|| controller_names.contains(&name).then_some(SecurityProtocol::Plaintext));
        let Some(protocol) = known else {
            errors.push(format!(
                "listeners: {name} has no security protocol; add {name}:PLAINTEXT to listener.security.protocol.map"
            ));
            continue;
        };
        if listeners.iter().any(|other| other.name == name) {
            errors.push(format!("listeners: each listener must have a different name, and {name} stands twice"));
        } else if listeners.iter().any(|other| other.port == port && port != 0 && clashes(&other.host, &host)) {
            errors.push(format!("listeners: each listener must have a different port, and {port} stands twice"));
        } else {
            listeners.push(Listener { name, host, port, protocol });
        }
    }
    listeners
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Two listeners may share a port where one binds an IPv4 and the other an IPv6 address (KIP-797).
fn clashes(one: &str, other: &str) -> bool {
    let family = |host: &str| host.parse::<std::net::IpAddr>().ok().map(|address| address.is_ipv4());
    !matches!((family(one), family(other)), (Some(one), Some(other)) if one != other)
}

/// `name://host:port`, `name://[v6]:port`; the name comes back in upper case.
fn split_endpoint(entry: &str) -> Option<(String, String, u16)> {
    let (name, address) = entry.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '%' | '.' | '_' | ':');
    if name.is_empty() || !host.chars().all(plain) {
        return None;
    }
    Some((name.to_uppercase(), host.to_owned(), port.parse().ok()?))
}

fn protocol_map(text: Option<&str>) -> Result<BTreeMap<String, SecurityProtocol>, String> {
    let mut map = BTreeMap::new();
    for entry in entries(text.unwrap_or("")) {
        let Some((name, protocol)) = entry.rsplit_once(':') else {
            return Err(format!(
                "listener.security.protocol.map: {entry} is no entry; write name:protocol, for example PLAINTEXT:PLAINTEXT"
            ));
        };
        let protocol = protocol.trim();
        let Some(known) = SecurityProtocol::from_name(protocol) else {
            return Err(format!(
                "Invalid security protocol `{protocol}` defined in listener.security.protocol.map; it can be PLAINTEXT, \
                 SSL, SASL_PLAINTEXT or SASL_SSL"
            ));
        };
        map.insert(name.trim().to_uppercase(), known);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: ListenerSettings<'_>) -> Result<Listeners, Vec<String>> {
        settings.read(&mut Vec::new())
    }

    fn told(listeners: &Listeners) -> Vec<String> {
        listeners.advertised.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_settings_localhost_is_advertised() {
        let listeners = read(ListenerSettings::default()).expect("defaults");
        assert_eq!(listeners.clients.iter().map(ToString::to_string).collect::<Vec<_>>(), ["PLAINTEXT://:9092"]);
        assert_eq!(told(&listeners), ["PLAINTEXT://localhost:9092"]);
        assert_eq!(listeners.inter_broker, "PLAINTEXT");
    }

    #[test]
    fn host_and_container_listeners_of_the_docker_tutorials() {
        let listeners = read(ListenerSettings {
            listeners: Some("HOST://0.0.0.0:9092,DOCKER://0.0.0.0:29092,CONTROLLER://:9093"),
            advertised: Some("HOST://localhost:9092, DOCKER://broker:29092"),
            protocol_map: Some("CONTROLLER:PLAINTEXT,HOST:PLAINTEXT,DOCKER:PLAINTEXT"),
            controller_names: Some("CONTROLLER"),
            inter_broker: Some("DOCKER"),
            ..ListenerSettings::default()
        })
        .expect("valid");
        assert_eq!(told(&listeners), ["HOST://localhost:9092", "DOCKER://broker:29092"]);
        assert_eq!(listeners.controllers.len(), 1);
        assert_eq!(listeners.inter_broker, "DOCKER");
    }

    #[test]
    fn tutorials_that_only_advertise_are_listened_to() {
        let listeners = read(ListenerSettings {
            advertised: Some("PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092"),
            protocol_map: Some("PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"),
            ..ListenerSettings::default()
        })
        .expect("valid");
        let opened: Vec<_> = listeners.clients.iter().map(ToString::to_string).collect();
        assert_eq!(opened, ["PLAINTEXT://:29092", "PLAINTEXT_HOST://:9092"]);

        let mapped =
            ListenerSettings { advertised: Some("PLAINTEXT://localhost:19092"), ..ListenerSettings::default() };
        let listeners = read(mapped).expect("a port that a container maps");
        assert_eq!(
            (listeners.clients[0].port, told(&listeners)),
            (9092, vec!["PLAINTEXT://localhost:19092".to_owned()])
        );
    }

    #[test]
    fn a_wildcard_is_never_advertised() {
        for wildcard in ["PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://[::]:9092", "PLAINTEXT://:9092"] {
            let mut warnings = Vec::new();
            let settings = ListenerSettings { listeners: Some(wildcard), ..ListenerSettings::default() };
            assert_eq!(told(&settings.read(&mut warnings).expect(wildcard)), ["PLAINTEXT://localhost:9092"]);
            assert_eq!(warnings.len(), 1, "{wildcard}");
            let settings = ListenerSettings { advertised: Some(wildcard), ..ListenerSettings::default() };
            assert!(read(settings).is_err_and(|errors| errors[0].contains("nonroutable meta-address")), "{wildcard}");
        }
    }

    #[test]
    fn the_old_advertised_host_and_port_still_name_the_address() {
        let settings =
            ListenerSettings { old_host: Some("10.0.0.5"), old_port: Some("19092"), ..ListenerSettings::default() };
        assert_eq!(told(&read(settings).expect("valid")), ["PLAINTEXT://10.0.0.5:19092"]);
    }

    #[test]
    fn all_wrong_listeners_are_named_at_once() {
        let errors = read(ListenerSettings {
            listeners: Some("foo,BAR://:9092,PLAINTEXT://:1,PLAINTEXT://:2,SSL://:1,PLAINTEXT://:99999"),
            inter_broker: Some("NOPE"),
            ..ListenerSettings::default()
        })
        .expect_err("wrong");
        assert_eq!(errors.len(), 6, "{errors:#?}");
    }

    #[test]
    fn one_port_may_serve_both_families_of_addresses() {
        let settings = ListenerSettings {
            listeners: Some("A://127.0.0.1:9092,B://[::1]:9092"),
            protocol_map: Some("A:PLAINTEXT,B:PLAINTEXT"),
            ..ListenerSettings::default()
        };
        assert_eq!(told(&read(settings).expect("valid")), ["A://127.0.0.1:9092", "B://[::1]:9092"]);
    }

    #[test]
    fn unknown_protocols_are_named() {
        let settings = ListenerSettings { protocol_map: Some("PLAINTEXT:FOO"), ..ListenerSettings::default() };
        assert!(read(settings).is_err_and(|errors| errors[0].contains("`FOO`")));
    }
}
