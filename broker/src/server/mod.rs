//! Listeners and connections: accept, read frames, hand each to [`crate::api`], write replies in the order of the
//! requests.
//!
//! A connection works on one request at a time, as Apache Kafka's does (it mutes the channel until the reply is
//! out), so replies need no reordering and a slow reader holds back only itself.

mod connection;
mod connection_counts;
mod connection_rate;
mod incoming;
mod listener;
mod outgoing;
mod reply;
mod request_queue;

pub use connection::Peer;
pub use connection_counts::ConnectionCounts;
pub use listener::{BindError, Listener, ListenerIdentity};
pub use reply::{Reply, Splice};
pub use request_queue::RequestQueue;
