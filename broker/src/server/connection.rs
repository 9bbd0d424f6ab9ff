//! One client connection, from accept to close.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use wire::frame::SIZE_PREFIX;

use super::ListenerIdentity;
use crate::api::{self, Outcome, Session};
use crate::node::Node;

/// A frame's buffer starts at most this large, whatever its size prefix claims, and doubles as bytes arrive.
const FIRST_RESERVE: usize = 64 * 1024;
/// A buffer larger than this is not kept between requests, so that idle connections hold little memory.
const KEEP: usize = 1024 * 1024;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// The listener it came through.
    pub listener: Arc<ListenerIdentity>,
}

#[derive(Debug, thiserror::Error)]
enum CloseReason {
    #[error("the client closed the connection")]
    ByPeer,
    #[error("idle for longer than connections.max.idle.ms")]
    Idle,
    #[error("the broker is stopping")]
    Stopping,
    #[error("a frame of {0} bytes is not between 0 and socket.request.max.bytes")]
    FrameSize(i32),
    #[error("{0}")]
    Request(#[from] api::RequestError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves requests until the client leaves, misbehaves or is idle for too long, or the broker stops.
pub async fn serve(mut stream: TcpStream, peer: Peer, node: Arc<Node>, stop: CancellationToken) {
    let address = peer.address;
    let mut session = Session::new(peer);
    let reason = loop_requests(&mut stream, &mut session, &node, &stop).await;
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
    stop: &CancellationToken,
) -> CloseReason {
    let limits = node.limits();
    let mut frame = BytesMut::new();
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => return CloseReason::Stopping,
            read = read_frame(stream, &mut frame, limits.max_request_bytes, limits.max_idle) => read,
        };
        if let Err(reason) = read {
            return reason;
        }
        let (started, request_bytes) = (Instant::now(), frame.len() + SIZE_PREFIX);
        let api_key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
        let written = match api::handle(node, session, &mut frame).await {
            Ok(Outcome::Reply(reply)) => reply.write_to(stream).await,
            Ok(Outcome::Silent) => Ok(0),
            Err(error) => return error.into(),
        };
        match written {
            Ok(written) => {
                let (seconds, written) = (started.elapsed().as_secs_f64(), usize::try_from(written).unwrap_or(0));
                node.request_metrics.answered(api_key, seconds, request_bytes, written);
            }
            Err(error) => return error.into(),
        }
        if frame.capacity() > KEEP {
            frame = BytesMut::new();
        }
    }
}

/// Reads one frame, without its size prefix, into `frame`.
async fn read_frame(
    stream: &mut TcpStream,
    frame: &mut BytesMut,
    max: usize,
    idle: Option<Duration>,
) -> Result<(), CloseReason> {
    frame.clear();
    frame.reserve(FIRST_RESERVE);
    while frame.len() < 4 {
        read_some(stream, frame, 4, idle).await?;
    }
    let claimed = i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
    let size = usize::try_from(claimed).ok().filter(|size| *size <= max).ok_or(CloseReason::FrameSize(claimed))?;
    frame.clear();
    while frame.len() < size {
        if frame.len() == frame.capacity() {
            frame.reserve((size - frame.len()).min(frame.len().max(FIRST_RESERVE)));
        }
        read_some(stream, frame, size, idle).await?;
    }
    Ok(())
}

/// Reads what is there, up to a length of `to`; waits no longer than `idle` for it.
async fn read_some(
    stream: &mut TcpStream,
    frame: &mut BytesMut,
    to: usize,
    idle: Option<Duration>,
) -> Result<(), CloseReason> {
    let mut limited = limited(frame, to);
    let read = stream.read_buf(&mut limited);
    let read = match idle {
        Some(idle) => tokio::time::timeout(idle, read).await.map_err(|_| CloseReason::Idle)??,
        None => read.await?,
    };
    if read == 0 { Err(CloseReason::ByPeer) } else { Ok(()) }
}

/// `frame` as a buffer that takes bytes up to a length of `to` and no further: what follows is the next request.
fn limited(frame: &mut BytesMut, to: usize) -> bytes::buf::Limit<&mut BytesMut> {
    let room = to - frame.len();
    bytes::BufMut::limit(frame, room)
}
