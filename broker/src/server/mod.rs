//! Listeners and connections: accept, read frames, hand each to [`crate::api`], write replies in the order of the
//! requests.
//!
//! A connection works on one request at a time, as Apache Kafka's does (it mutes the channel until the reply is
//! out), so replies need no reordering and a slow reader holds back only itself.

mod connection;
mod incoming;
mod listener;
mod outgoing;
mod reply;

pub use connection::Peer;
pub use listener::{BindError, ConnectionCounts, Listener, ListenerIdentity};
pub use reply::{Reply, Splice};
