//! What a connection's requests have in common.

use crate::server::Peer;

/// The state of one connection across its requests.
#[derive(Debug)]
pub struct Session {
    peer: Peer,
    client_id: Option<String>,
    software: Option<(String, String)>,
}

impl Session {
    /// A connection that has sent nothing yet.
    pub fn new(peer: Peer) -> Self {
        Self { peer, client_id: None, software: None }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The client id of the latest request.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Name and version of the client's library, from ApiVersions (KIP-511).
    pub fn software(&self) -> Option<&(String, String)> {
        self.software.as_ref()
    }

    pub(super) fn set_client_id(&mut self, client_id: Option<&str>) {
        if self.client_id.as_deref() != client_id {
            self.client_id = client_id.map(str::to_owned);
        }
    }

    pub(super) fn set_software(&mut self, name: &str, version: &str) {
        self.software = Some((name.to_owned(), version.to_owned()));
    }
}
