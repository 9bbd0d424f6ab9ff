//! One client connection, from accept to close.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;
use tracing::{debug, warn};
use wire::frame::SIZE_PREFIX;

use super::ListenerIdentity;
use super::connection_counts::ConnectionPermit;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::request_queue;
use crate::api::{self, Outcome, Session};
use crate::node::Node;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The listener it came through.
    pub listener: Arc<ListenerIdentity>,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseReason {
    #[error("the client closed the connection")]
    ByPeer,
    #[error("idle for longer than connections.max.idle.ms")]
    Idle,
    #[error("the broker is stopping, or has too many connections")]
    Ended,
    #[error("a frame of {0} bytes is not between 0 and socket.request.max.bytes")]
    FrameSize(i32),
    #[error("{0}")]
    Request(#[from] api::RequestError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves requests until the client leaves, misbehaves or is idle for too long, or the permit ends.
pub(super) async fn serve(mut stream: TcpStream, peer: Peer, node: Arc<Node>, permit: ConnectionPermit) {
    let address = peer.address;
    let mut session = Session::new(peer);
    let reason = loop_requests(&mut stream, &mut session, &node, &permit).await;
    match reason {
        CloseReason::FrameSize(_) | CloseReason::Request(_) => {
            warn!(%address, client_id = session.client_id(), reason = %reason, "connection closed");
        }
        _ => debug!(%address, reason = %reason, "connection closed"),
    }
}

async fn loop_requests(
    stream: &mut TcpStream,
    session: &mut Session,
    node: &Arc<Node>,
    permit: &ConnectionPermit,
) -> CloseReason {
    let limits = node.limits();
    let mut incoming = Incoming::new(limits.max_request_bytes);
    let mut outgoing = Outgoing::default();
    let mut memory = None;
    loop {
        let mut frame = match incoming.take_frame() {
            Ok(Some(frame)) => frame,
            Ok(None) => {
                let read = async {
                    if let (None, Some(size)) = (&memory, incoming.awaited()) {
                        memory = node.request_queue.room_for(size).await;
                    }
                    incoming.read_more(stream, limits.max_idle).await
                };
                let read = tokio::select! {
                    biased;
                    () = permit.end().cancelled() => return CloseReason::Ended,
                    read = read => read,
                };
                match read {
                    Ok(()) => continue,
                    Err(reason) => return reason,
                }
            }
            Err(reason) => return reason,
        };
        permit.used();
        let (started, request_bytes) = (Instant::now(), frame.len() + SIZE_PREFIX);
        let api_key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
        if request_queue::waits_for_others(api_key) {
            memory = None;
        } else if memory.is_none() {
            memory = node.request_queue.room_for(frame.len()).await;
        }
        let working = node.request_queue.room_to_work(api_key).await;
        let handled = api::handle(node, session, &mut frame).await;
        drop((working, memory.take(), frame));
        let written = match handled {
            Ok(Outcome::Reply(reply)) => outgoing.send(reply, stream, incoming.next_is_produce()).await,
            Ok(Outcome::Silent) if incoming.next_is_produce() => Ok(0),
            Ok(Outcome::Silent) => outgoing.flush(stream).await.map(|()| 0),
            // What was answered before is not lost with the connection.
            Err(error) => return outgoing.flush(stream).await.map_or_else(CloseReason::Io, |()| error.into()),
        };
        match written {
            Ok(written) => {
                let (seconds, written) = (started.elapsed().as_secs_f64(), usize::try_from(written).unwrap_or(0));
                node.request_metrics.answered(api_key, seconds, request_bytes, written);
            }
            Err(error) => return error.into(),
        }
    }
}
