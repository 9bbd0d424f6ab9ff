//! Replies on their way out. Those to a client that sends without waiting go together, in one system call.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Reply;

/// Replies that wait for others are sent when they are this many bytes.
const MOST: usize = 16 * 1024;

/// Replies that are not sent yet.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
}

impl Outgoing {
    /// Sends a reply with all that wait. With `more_follows` it may wait itself; its bytes are counted as written.
    ///
    /// # Errors
    /// The socket's: the connection is unusable then.
    pub(super) async fn send(&mut self, reply: Reply, stream: &mut TcpStream, more_follows: bool) -> io::Result<u64> {
        if reply.splices.is_empty() && (more_follows || !self.bytes.is_empty()) {
            let written = reply.bytes.len() as u64;
            self.bytes.extend_from_slice(&reply.bytes);
            if !more_follows || self.bytes.len() >= MOST {
                self.flush(stream).await?;
            }
            return Ok(written);
        }
        self.flush(stream).await?;
        reply.write_to(stream).await
    }

    /// Sends all that wait.
    ///
    /// # Errors
    /// The socket's.
    pub(super) async fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        if !self.bytes.is_empty() {
            stream.write_all(&self.bytes).await?;
            self.bytes.clear();
        }
        Ok(())
    }
}
