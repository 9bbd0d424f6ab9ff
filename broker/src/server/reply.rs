//! A reply on its way to a socket: bytes in memory with file ranges spliced in between.

use commitlog::FileSlice;
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;

/// A range of a file that stands at `at` in the reply's bytes and is sent from the page cache without being read.
#[derive(Debug)]
pub struct Splice {
    /// Offset into [`Reply::bytes`] before which the file's range goes.
    pub at: usize,
    /// What to send there.
    pub slice: FileSlice,
}

/// One whole frame: size prefix, response header and body.
#[derive(Debug, Default)]
pub struct Reply {
    /// Everything but the spliced ranges; the size prefix counts those too.
    pub bytes: Vec<u8>,
    /// In order of `at`.
    pub splices: Vec<Splice>,
}

impl Reply {
    /// Writes the frame. An error leaves the connection unusable: a part of the frame may be out.
    pub async fn write_to(&self, stream: &mut TcpStream) -> io::Result<u64> {
        let mut written = 0;
        for splice in &self.splices {
            send_more(stream, &self.bytes[written..splice.at]).await?;
            written = splice.at;
            send_file(stream, &splice.slice).await?;
        }
        stream.write_all(&self.bytes[written..]).await?;
        Ok(self.bytes.len() as u64 + self.splices.iter().map(|s| s.slice.len as u64).sum::<u64>())
    }
}

/// Writes bytes that more will follow, so that they share a segment with what comes next (`MSG_MORE`).
async fn send_more(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    use rustix::net::{SendFlags, send};
    while !bytes.is_empty() {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                Ok(send(stream.as_fd(), bytes, SendFlags::MORE | SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
            })
            .await?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

async fn send_file(stream: &TcpStream, slice: &FileSlice) -> io::Result<()> {
    let mut position = slice.position;
    let mut left = slice.len;
    while left > 0 {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                match rustix::fs::sendfile(stream.as_fd(), slice.file.as_fd(), Some(&mut position), left) {
                    Err(Errno::AGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                    other => Ok(other?),
                }
            })
            .await?;
        if sent == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a log segment became shorter while it was being sent",
            ));
        }
        left -= sent;
    }
    Ok(())
}
