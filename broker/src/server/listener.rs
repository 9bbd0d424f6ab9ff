//! A listening socket and its accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::connection::{self, Peer};
use super::connection_counts::{ConnectionCounts, Refusal};
use crate::config::BrokerConfig;
use crate::node::Node;
use crate::observability::metrics::ListenerMetrics;

/// After a failed accept the next one waits for a connection to end, or this long.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error("{name}://{address} is taken: stop what listens there, or set another port in `listeners`")]
    InUse {
        /// Listener name.
        name: String,
        /// `host:port` as it stands in the settings.
        address: String,
    },
    /// The host part is no address of this machine, or does not resolve.
    #[error("cannot listen on {name}://{address}: {source}; correct `listeners`")]
    Other {
        /// Listener name.
        name: String,
        /// `host:port` as it stands in the settings.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What a request needs to know of the listener it came through.
#[derive(Debug)]
pub struct ListenerIdentity {
    /// The listener's name, upper case, e.g. `PLAINTEXT`.
    pub name: String,
    /// Where it listens; the port is the real one when 0 was asked for.
    pub local_addr: SocketAddr,
}

/// An open listening socket that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    identity: Arc<ListenerIdentity>,
    socket: TcpListener,
}

impl Listener {
    /// Opens `host:port`; an empty host means every address of the machine, IPv6 included where there is IPv6.
    pub async fn bind(name: &str, host: &str, port: u16, backlog: i32) -> Result<Self, BindError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { name: name.into(), address: format!("{host}:{port}") },
            _ => BindError::Other { name: name.into(), address: format!("{host}:{port}"), source },
        };
        let socket = open(host, port, backlog).await.map_err(failed)?;
        let local_addr = socket.local_addr().map_err(failed)?;
        Ok(Self { identity: Arc::new(ListenerIdentity { name: name.to_owned(), local_addr }), socket })
    }

    /// The listener's name and address.
    pub fn identity(&self) -> &Arc<ListenerIdentity> {
        &self.identity
    }

    /// Accepts until `stop`; every connection is a task of `tasks` and ends soon after `stop` too.
    pub async fn run(
        self,
        node: Arc<Node>,
        counts: Arc<ConnectionCounts>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        let metrics = ListenerMetrics::new(&self.identity.name);
        let name = &*self.identity.name;
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors or memory, or a peer that gave up. A connection that ends frees what is missing.
                    warn!(listener = self.identity.name, %error, "connection not accepted");
                    let _ = tokio::time::timeout(ACCEPT_RETRY, counts.changed.notified()).await;
                    continue;
                }
            };
            counts.keep_up(&node).await;
            let wait = counts.arrived(name);
            if !wait.is_zero() {
                // The others wait in the socket's queue meanwhile, as with Kafka's acceptor.
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return,
                }
            }
            let admission = tokio::select! {
                admission = ConnectionCounts::place(&counts, name, address.ip(), &stop) => admission,
                () = stop.cancelled() => return,
            };
            let permit = match admission {
                Ok(permit) => permit,
                Err(Refusal { limit, wait }) => {
                    debug!(listener = name, %address, limit, "connection closed: over a limit");
                    metrics.refused(limit);
                    if !wait.is_zero() {
                        let stop = stop.clone();
                        tasks.spawn(async move {
                            let _ = tokio::time::timeout(wait, stop.cancelled()).await;
                            drop(stream);
                        });
                    }
                    continue;
                }
            };
            let open = metrics.opened();
            let socket = SockRef::from(&stream);
            if let Err(error) = socket
                .set_tcp_nodelay(true)
                .and_then(|()| socket.set_keepalive(true))
                .and_then(|()| set_buffers(&socket, &node.config()))
            {
                debug!(%address, %error, "socket options not set");
            }
            let peer = Peer { address, listener: Arc::clone(&self.identity) };
            let node = Arc::clone(&node);
            tasks.spawn(async move {
                connection::serve(stream, peer, node, permit).await;
                drop(open);
            });
        }
    }
}

/// Sizes of a connection's buffers where the settings give them; the system finds better ones by itself otherwise.
fn set_buffers(socket: &SockRef<'_>, config: &BrokerConfig) -> io::Result<()> {
    let set = |name: &str, bytes: i32| usize::try_from(bytes).ok().filter(|bytes| *bytes > 0 && config.is_set(name));
    if let Some(bytes) = set("socket.send.buffer.bytes", config.network.socket_send_buffer_bytes) {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = set("socket.receive.buffer.bytes", config.network.socket_receive_buffer_bytes) {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

async fn open(host: &str, port: u16, backlog: i32) -> io::Result<TcpListener> {
    if host.is_empty() {
        // One dual-stack socket, as the JVM opens it; plain IPv4 where the machine has no IPv6.
        let any6 = SocketAddr::from(([0u16; 8], port));
        return match listen(any6, backlog) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                listen(SocketAddr::from(([0u8; 4], port)), backlog)
            }
            other => other,
        };
    }
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in tokio::net::lookup_host((host.trim_start_matches('[').trim_end_matches(']'), port)).await? {
        match listen(address, backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}
