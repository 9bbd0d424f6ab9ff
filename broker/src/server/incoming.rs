//! Requests as they come in: a buffer that takes what the socket has, and gives whole frames.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wire::frame::SIZE_PREFIX;

use super::connection::CloseReason;

/// The buffer's size at first, and the step in which it is made larger for a frame, whatever the frame's size claims.
const FIRST_RESERVE: usize = 16 * 1024;
/// The buffer's size beyond the frame at hand when a client sends without waiting for replies: a system call then
/// brings several requests. More is not kept, so that idle connections hold little memory.
const READ_AHEAD: usize = 256 * 1024;
const PRODUCE: [u8; 2] = 0i16.to_be_bytes();

/// What a connection has sent and nobody has worked on yet.
#[derive(Debug)]
pub(super) struct Incoming {
    buffer: BytesMut,
    max_frame: usize,
    /// The last read left no room: there is more to come.
    filled: bool,
}

impl Incoming {
    /// Nothing yet; frames of more than `max_frame` bytes are refused.
    pub(super) fn new(max_frame: usize) -> Self {
        Self { buffer: BytesMut::new(), max_frame, filled: false }
    }

    /// The next frame without its size prefix, if all of it is here.
    ///
    /// # Errors
    /// [`CloseReason::FrameSize`].
    pub(super) fn take_frame(&mut self) -> Result<Option<BytesMut>, CloseReason> {
        let Some(size) = self.next_size()? else { return Ok(None) };
        if self.buffer.len() - SIZE_PREFIX < size {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(SIZE_PREFIX + size);
        Ok(Some(frame.split_off(SIZE_PREFIX)))
    }

    /// Whether the next frame is all here, and a Produce: work that waits for nobody.
    pub(super) fn next_is_produce(&self) -> bool {
        matches!(self.next_size(), Ok(Some(size)) if self.buffer.len() - SIZE_PREFIX >= size)
            && self.buffer[SIZE_PREFIX..].starts_with(&PRODUCE)
    }

    /// The size of a frame that is here in part.
    pub(super) fn awaited(&self) -> Option<usize> {
        self.next_size().ok().flatten()
    }

    /// The claimed size of the frame that begins the buffer, if so much of it is here.
    fn next_size(&self) -> Result<Option<usize>, CloseReason> {
        let Some(prefix) = self.buffer.first_chunk() else { return Ok(None) };
        let claimed = i32::from_be_bytes(*prefix);
        let size = usize::try_from(claimed).ok().filter(|size| *size <= self.max_frame);
        size.map(Some).ok_or(CloseReason::FrameSize(claimed))
    }

    /// Reads what is there; waits no longer than `idle` for it.
    ///
    /// # Errors
    /// Why the connection ends.
    pub(super) async fn read_more(
        &mut self,
        stream: &mut TcpStream,
        idle: Option<Duration>,
    ) -> Result<(), CloseReason> {
        self.make_room()?;
        let room = self.buffer.capacity() - self.buffer.len();
        // Without the limit the buffer would be made larger than is asked for here.
        let mut limited = (&mut self.buffer).limit(room);
        let read = stream.read_buf(&mut limited);
        let read = match idle {
            Some(idle) => tokio::time::timeout(idle, read).await.map_err(|_| CloseReason::Idle)??,
            None => read.await?,
        };
        self.filled = read == room;
        if read == 0 { Err(CloseReason::ByPeer) } else { Ok(()) }
    }

    /// Room for more: as much again as has arrived, up to the end of the frame, and what is read ahead.
    fn make_room(&mut self) -> Result<(), CloseReason> {
        let here = self.buffer.len();
        let missing = self.next_size()?.map_or(0, |size| (SIZE_PREFIX + size).saturating_sub(here));
        let ahead = if self.filled { READ_AHEAD } else { FIRST_RESERVE };
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * READ_AHEAD {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(missing.min(here.max(FIRST_RESERVE)).max(ahead.saturating_sub(here)).max(1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &[u8]) -> Incoming {
        Incoming { buffer: BytesMut::from(bytes), ..Incoming::new(100) }
    }

    #[test]
    fn frames_come_whole_and_in_order() {
        let mut incoming = holding(&[0, 0, 0, 2, 0, 3, 0, 0, 0, 3, 0, 0, 7, 0, 0]);
        assert!(!incoming.next_is_produce());
        assert_eq!(incoming.take_frame().unwrap().unwrap(), [0, 3][..]);
        assert!(incoming.next_is_produce());
        assert_eq!(incoming.take_frame().unwrap().unwrap(), [0, 0, 7][..]);
        assert!(!incoming.next_is_produce());
        assert!(incoming.take_frame().unwrap().is_none());
        incoming.buffer.extend_from_slice(&[0, 2, 0]);
        assert!(!incoming.next_is_produce() && incoming.take_frame().unwrap().is_none(), "a byte is missing");
    }

    #[test]
    fn a_size_out_of_range_ends_the_connection() {
        for prefix in [101i32, -1, i32::MAX, i32::MIN] {
            let refused = holding(&prefix.to_be_bytes()).take_frame();
            assert!(matches!(refused, Err(CloseReason::FrameSize(claimed)) if claimed == prefix));
        }
    }

    #[test]
    fn room_is_made_for_what_arrives_and_not_for_what_is_claimed() {
        let mut incoming = Incoming::new(usize::MAX);
        incoming.buffer.extend_from_slice(&i32::MAX.to_be_bytes());
        incoming.make_room().unwrap();
        assert!(incoming.buffer.capacity() <= 2 * FIRST_RESERVE);
        incoming.buffer.resize(100 * 1024, 0);
        incoming.make_room().unwrap();
        assert!(incoming.buffer.capacity() <= 2 * READ_AHEAD);
    }
}
