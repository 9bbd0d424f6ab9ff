//! `healthcheck`: asks the service's own `/health/ready`, so that images need no curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::failure::Failure;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks `/health/ready` at a listen address (a wildcard address is asked on loopback).
///
/// # Errors
/// Nobody listens there, or the service is not ready; the text holds its answer. Exit code 69.
pub fn healthcheck(listen: &str) -> Result<(), Failure> {
    let unavailable = |error: std::io::Error| {
        Failure::unavailable(format!("no answer from {listen}: {error}; is the service running with this --listen?"))
    };
    let address = reachable(listen).map_err(unavailable)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(unavailable)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(unavailable)?;
    write!(stream, "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .map_err(unavailable)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).map_err(unavailable)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        Some("503") => Err(Failure::unavailable(format!("not ready: {body}"))),
        _ => Err(Failure::unavailable(format!("{address} gave no health answer; is another program listening there?"))),
    }
}

fn reachable(listen: &str) -> std::io::Result<SocketAddr> {
    let mut address = listen.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok(address)
}
