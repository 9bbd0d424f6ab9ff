//! What a handler knows besides the request itself.

use std::sync::Arc;

use commitlog::FileSlice;
use wire::{Encoder, Response, frame};

use super::{Outcome, RequestError, Session};
use crate::node::Node;
use crate::observability::metrics;
use crate::server::{Reply, Splice};

/// One request's surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The broker.
    pub node: &'a Arc<Node>,
    /// The connection.
    pub session: &'a Session,
    /// The request's version.
    pub version: i16,
    /// The request's number, which the reply repeats.
    pub correlation_id: i32,
}

impl Context<'_> {
    /// The client id of the request.
    pub fn client_id(&self) -> Option<&str> {
        self.session.client_id()
    }

    /// The client's address as Kafka prints it in group descriptions: `/127.0.0.1`.
    pub fn client_host(&self) -> String {
        format!("/{}", self.session.peer().address.ip().to_canonical())
    }

    /// Encodes a reply.
    pub fn reply<R: Response>(&self, response: &R) -> Result<Outcome, RequestError> {
        self.reply_with_files(response, Vec::new())
    }

    /// Encodes a reply whose external records are these slices, known by their index.
    pub fn reply_with_files<R: Response>(&self, response: &R, slices: Vec<FileSlice>) -> Result<Outcome, RequestError> {
        response.each_error(&mut |code| {
            if code != 0 {
                metrics::request_failed(R::API_KEY, code);
            }
        });
        let mut encoder = Encoder::new();
        frame::encode_response(&mut encoder, self.correlation_id, self.version, response)?;
        let (bytes, places) = encoder.into_parts();
        let splices = places.iter().zip(slices).map(|(place, slice)| Splice { at: place.position, slice });
        Ok(Outcome::Reply(Reply { bytes, splices: splices.collect() }))
    }
}
