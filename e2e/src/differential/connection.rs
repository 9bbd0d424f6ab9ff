//! One connection to a broker.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value as Json, json};
use wire::ApiKey;
use wire::json::Exchange;

/// Many times what any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What this client calls itself; group coordinators begin member ids with it.
const CLIENT_ID: &str = "differential";
/// Larger than any reply that is asked for.
const LARGEST: u32 = 64 << 20;

/// A connection, and the requests that wait for their replies on it.
pub struct Connection {
    stream: TcpStream,
    waiting: Vec<(ApiKey, i16, i32)>,
    next_id: i32,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("no broker at {address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        stream.set_nodelay(true).expect("a socket can be told not to delay");
        Self { stream, waiting: Vec::new(), next_id: 1 }
    }

    /// Sends a request; its reply is waited for unless there is none.
    ///
    /// # Panics
    /// When the JSON is no such request, which is a mistake of the scenario.
    pub fn send(&mut self, api: ApiKey, version: i16, request: &Json, answered: bool) {
        let exchange = Exchange::of(api).unwrap_or_else(|| panic!("{api} is not known"));
        let frame = exchange
            .encode_request(request, version, self.next_id, Some(CLIENT_ID))
            .unwrap_or_else(|error| panic!("{api} version {version}: {error} in {request}"));
        if answered {
            self.waiting.push((api, version, self.next_id));
        }
        self.next_id += 1;
        self.send_bytes(&frame);
    }

    /// Sends bytes as they are. A broker that has closed the connection shows when its reply is read.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Expects a reply to bytes that were sent as they are.
    pub fn expect(&mut self, api: ApiKey, version: i16, correlation_id: i32) {
        self.waiting.push((api, version, correlation_id));
    }

    /// The reply to the first request that waits for one. Instead of a reply it may say that there is none.
    ///
    /// # Panics
    /// When no request waits.
    pub fn receive(&mut self) -> Json {
        let (api, version, id) = self.waiting.remove(0);
        let content = match self.frame() {
            Ok(content) => content,
            Err(instead) => return json!({ "noReply": instead }),
        };
        match Exchange::of(api).map(|exchange| exchange.decode_response(&content, version)) {
            Some(Ok((got, reply))) if got == id => reply,
            Some(Ok((got, _))) => json!({ "noReply": format!("correlation id {got} instead of {id}") }),
            Some(Err(error)) => json!({ "noReply": format!("a reply that cannot be read: {error}") }),
            None => json!({ "noReply": "not known" }),
        }
    }

    fn frame(&mut self) -> Result<Vec<u8>, String> {
        let mut size = [0; 4];
        self.read(&mut size)?;
        let size = u32::from_be_bytes(size);
        if size > LARGEST {
            return Err(format!("a reply of {size} bytes"));
        }
        let mut content = vec![0; size as usize];
        self.read(&mut content)?;
        Ok(content)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        self.stream.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "closed".to_owned(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "none in a minute".to_owned(),
            _ => error.to_string(),
        })
    }
}
