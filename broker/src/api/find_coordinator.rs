//! FindCoordinator (key 10): which broker looks after a group or a transactional id. On a single node that is this one,
//! once the internal topic is there. Source: `KafkaApis.handleFindCoordinatorRequest`, KIP-699.

use std::borrow::Cow;

use wire::ErrorCode;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};

use super::Context;
use crate::internal_topics::InternalTopic;

/// The first version that asks for several keys.
const FIRST_BATCH_VERSION: i16 = 4;

/// The key type of share groups, whose coordinator this broker has not.
const SHARE: i8 = 2;

/// Answers a request. Where the internal topic is missing it is made, and the client is told to ask again, as Kafka does:
/// there are tests that wait for just that.
pub async fn handle<'a>(context: &Context<'_>, request: FindCoordinatorRequest<'a>) -> FindCoordinatorResponse<'a> {
    let topic = match request.key_type {
        0 => Ok(InternalTopic::ConsumerOffsets),
        1 => Ok(InternalTopic::TransactionState),
        _ => Err(ErrorCode::InvalidRequest),
    };
    let found = match topic {
        Ok(topic) => context.node.await_internal_topic(topic).await,
        Err(code) => Err(code),
    };
    let keys = if context.version < FIRST_BATCH_VERSION { vec![request.key] } else { request.coordinator_keys };
    let is_kind = (0..=SHARE).contains(&request.key_type);
    let mut coordinators = keys.into_iter().map(|key| coordinator(context, key, found)).collect::<Vec<_>>();
    if context.version >= FIRST_BATCH_VERSION {
        if !is_kind {
            // A kind that there is not fails the request as a whole.
            coordinators
                .iter_mut()
                .for_each(|one| one.error_message = Some(ErrorCode::InvalidRequest.message().into()));
        }
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let only = coordinators.swap_remove(0);
    FindCoordinatorResponse {
        error_code: only.error_code,
        error_message: only.error_message,
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..FindCoordinatorResponse::default()
    }
}

fn coordinator<'a>(context: &Context<'_>, key: Cow<'a, str>, found: Result<(), ErrorCode>) -> Coordinator<'a> {
    match found {
        Ok(()) => {
            let (host, port) = context.node.advertised(&context.session.peer().listener);
            Coordinator {
                key,
                node_id: context.node.config().node_id,
                host: host.into(),
                port: port.into(),
                error_message: Some(message(context, ErrorCode::None)),
                ..Coordinator::default()
            }
        }
        Err(code) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: code.code(),
            error_message: Some(message(context, code)),
            ..Coordinator::default()
        },
    }
}

/// Since several keys are asked for at once Kafka says nothing besides the codes.
fn message(context: &Context<'_>, code: ErrorCode) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        _ if context.version >= FIRST_BATCH_VERSION => "",
        ErrorCode::None => code.name(),
        _ => code.message(),
    })
}
