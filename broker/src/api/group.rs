//! What the group APIs share.

use crate::groups::GroupError;
use crate::groups::request::Client;

use super::Context;

/// The error code of a result, 0 for success.
pub fn code(error: Option<GroupError>) -> i16 {
    error.map_or(0, |error| error.code().code())
}

/// Who asks.
pub fn client(context: &Context<'_>) -> Client {
    Client::new(context.client_id().unwrap_or_default(), context.session.peer().address.ip())
}
