//! Ports to listen on.

use std::net::TcpListener;

/// A port of 127.0.0.1 that nobody listens on.
///
/// # Panics
/// When the system has none left.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
