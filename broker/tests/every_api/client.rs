//! A client that asks and reads one reply at a time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wire::{Encoder, Request, frame};

/// Far more than any reply takes: a broker that does not answer fails the test instead of hanging it.
const LONGEST: Duration = Duration::from_secs(60);

/// A connection.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        Self { stream }
    }

    /// Asks, and reads the reply to its last byte.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Result<(), String> {
        self.read::<R, ()>(version, request, |_| ())
    }

    /// Asks, and takes something from the reply.
    pub fn read<R: Request, T>(
        &mut self,
        version: i16,
        request: &R,
        take: impl FnOnce(&R::Response<'_>) -> T,
    ) -> Result<T, String> {
        let mut encoder = Encoder::new();
        frame::encode_request(&mut encoder, 7, Some("every-api"), version, request)
            .map_err(|error| format!("request not encoded: {error}"))?;
        self.stream.write_all(&encoder.into_parts().0).map_err(|error| error.to_string())?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).map_err(|error| format!("no reply: {error}"))?;
        let mut content = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut content).map_err(|error| format!("half a reply: {error}"))?;
        let (correlation_id, response) = frame::decode_response::<R::Response<'_>>(&content, version)
            .map_err(|error| format!("reply not decoded: {error}"))?;
        assert_eq!(correlation_id, 7);
        Ok(take(&response))
    }
}
