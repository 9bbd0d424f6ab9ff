//! What the group APIs share.

use crate::groups::GroupError;
use crate::groups::request::Client;

use super::Context;

/// The error code of a result, 0 for success.
pub fn code(error: Option<GroupError>) -> i16 {
    error.map_or(0, |error| error.code().code())
}

/// Whether groups of the consumer protocol are served: the setting and the cluster's feature say so. Source:
/// `KafkaApis.isConsumerGroupProtocolEnabled`.
pub fn serves_consumer_protocol(context: &Context<'_>) -> bool {
    let config = context.node.config();
    config.groups.group_coordinator_rebalance_protocols.iter().any(|protocol| protocol == "consumer")
        && context.node.controller.image().feature("group.version") > 0
}

/// Who asks.
pub fn client(context: &Context<'_>) -> Client {
    Client::new(context.client_id().unwrap_or_default(), context.session.peer().address.ip())
}
