//! Which addresses a crawler may connect to. A link on a page, a redirect or a DNS answer must not lead it to the
//! machine it runs on or to the network behind it (server-side request forgery), so names are resolved here, what is
//! private is dropped, and the connection goes to exactly the addresses that were looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a host was not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, a private address; allow it with --allow-private {host} if you trust it")]
pub struct PrivateAddress {
    /// The host as the URL names it.
    pub host: String,
    /// An address it has.
    pub address: IpAddr,
}

/// Hosts whose private addresses are fine: names or addresses as they stand in URLs, or `*` for every host.
#[derive(Debug, Clone, Default)]
pub struct AllowedPrivate(Arc<Vec<String>>);

impl AllowedPrivate {
    /// From the setting's values; a port after a name is ignored.
    #[must_use]
    pub fn new(hosts: &[String]) -> Self {
        let name = |host: &String| {
            let host = host.trim().to_ascii_lowercase();
            let with_port = host.rsplit_once(':').filter(|(name, port)| {
                !port.is_empty()
                    && port.bytes().all(|byte| byte.is_ascii_digit())
                    && (!name.contains(':') || name.ends_with(']'))
            });
            let host = with_port.map_or(&*host, |(name, _)| name);
            host.trim_start_matches('[').trim_end_matches(']').to_owned()
        };
        Self(Arc::new(hosts.iter().map(name).collect()))
    }

    fn allows(&self, host: &str) -> bool {
        self.0.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(host))
    }

    /// Checks a URL whose host is an address, which no resolver sees.
    ///
    /// # Errors
    /// The address is private and not allowed.
    pub fn check(&self, url: &Url) -> Result<(), PrivateAddress> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        let host = address.to_string();
        if is_public(address) || self.allows(&host) { Ok(()) } else { Err(PrivateAddress { host, address }) }
    }
}

/// Resolves names with the system's resolver and drops private addresses.
#[derive(Debug, Clone)]
pub struct PublicResolver {
    /// Hosts that may be private.
    pub allowed: AllowedPrivate,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let kept: Vec<SocketAddr> =
                found.iter().copied().filter(|address| is_public(address.ip()) || allowed.allows(host)).collect();
            match found.first() {
                Some(first) if kept.is_empty() => {
                    Err(PrivateAddress { host: host.to_owned(), address: first.ip() }.into())
                }
                _ => Ok(Box::new(kept.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address belongs to the public internet, by the IANA special-purpose registries (RFC 6890).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // shared by carriers, RFC 6598
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)); // benchmarks, RFC 2544
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low), // 6to4
        [0x2001, 0, ..] | [0x2001, 0xdb8, ..] => false, // Teredo, documentation
        [first, ..] => (first & 0xe000) == 0x2000,      // global unicast is 2000::/3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for address in ["93.184.216.34", "1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_written() {
        let none = AllowedPrivate::default();
        let check = |allowed: &AllowedPrivate, url: &str| allowed.check(&Url::parse(url).unwrap()).is_ok();
        for url in
            ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]:8088/", "http://017700000001/"]
        {
            assert!(!check(&none, url), "{url}");
        }
        assert!(check(&none, "http://1.1.1.1/"));
        let some = AllowedPrivate::new(&["127.0.0.1:8088".into(), "[::1]:80".into(), "Localhost".into()]);
        assert!(check(&some, "http://127.0.0.1:9/") && check(&some, "http://[::1]/") && some.allows("localhost"));
        assert!(!check(&some, "http://127.0.0.2/"));
        assert!(AllowedPrivate::new(&["*".into()]).allows("anything"));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused_unless_allowed() {
        let resolve = |allowed: &[String]| {
            let resolver = PublicResolver { allowed: AllowedPrivate::new(allowed) };
            resolver.resolve("localhost".parse().unwrap())
        };
        let refused = resolve(&[]).await.err().unwrap();
        assert!(refused.downcast_ref::<PrivateAddress>().is_some(), "{refused}");
        assert!(resolve(&["localhost".into()]).await.unwrap().next().is_some());
    }
}
