//! A member of a classic group.

use bytes::Bytes;

use crate::groups::record::Name;
use crate::groups::request::Client;
use crate::groups::shard::Waiter;

/// A member that has joined at least once.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub id: Name,
    pub instance_id: Option<Name>,
    pub client: Client,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Most preferred first.
    pub protocols: Vec<(Name, Bytes)>,
    pub assignment: Bytes,
    /// The JoinGroup that waits for the next generation.
    pub joining: Option<Waiter>,
    /// The SyncGroup that waits for the leader's assignment.
    pub syncing: Option<Waiter>,
    /// Has never been given a join reply: it knows no member id to send heartbeats with.
    pub is_new: bool,
}

impl Member {
    /// The member's metadata for a protocol.
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|(name, _)| **name == *protocol).map(|(_, metadata)| metadata)
    }

    /// Whether a rejoin brings nothing new.
    pub fn matches(&self, protocols: &[(Name, Bytes)]) -> bool {
        self.protocols == protocols
    }

    /// Whether the member may be silent: its request is parked here, so it cannot send heartbeats. A new member is
    /// not excused, or those whose client went away would never be forgotten.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}
