//! DeleteTopics (key 20). Source: `ControllerApis.deleteTopics`.

use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::delete_topics_request::DeleteTopicsRequest;
use wire::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

use super::Context;
use crate::metadata::{ApiError, DeleteTopicResult, TopicSelector};

/// The first version that may name topics by id.
const FIRST_BY_ID_VERSION: i16 = 6;
/// The first version that knows `TOPIC_DELETION_DISABLED`.
const FIRST_DISABLED_VERSION: i16 = 3;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: DeleteTopicsRequest<'_>) -> DeleteTopicsResponse<'static> {
    let selectors: Vec<_> = if context.version < FIRST_BY_ID_VERSION {
        request
            .topic_names
            .iter()
            .map(|name| TopicSelector { name: Some(name.clone().into_owned()), id: Uuid::nil() })
            .collect()
    } else {
        let selector =
            |name: &Option<std::borrow::Cow<'_, str>>, id| TopicSelector { name: name.clone().map(Into::into), id };
        request.topics.iter().map(|topic| selector(&topic.name, topic.topic_id)).collect()
    };
    if !context.node.config().topics.delete_topic_enable {
        return disabled(context.version, selectors);
    }
    let results = match context.node.controller.delete_topics(selectors.clone()).await {
        Ok(results) => results,
        Err(error) => {
            let failed = |it: TopicSelector| DeleteTopicResult {
                name: it.name,
                id: it.id,
                outcome: Err(ApiError::from(&error)),
            };
            selectors.into_iter().map(failed).collect()
        }
    };
    let responses = results.into_iter().map(|DeleteTopicResult { name, id, outcome }| {
        let error = outcome.err();
        DeletableTopicResult {
            name: name.map(Into::into),
            topic_id: id,
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.and_then(|error| error.message).map(Into::into),
            ..DeletableTopicResult::default()
        }
    });
    DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
}

/// The answer with `delete.topic.enable=false`.
fn disabled(version: i16, selectors: Vec<TopicSelector>) -> DeleteTopicsResponse<'static> {
    let code =
        if version < FIRST_DISABLED_VERSION { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
    let responses = selectors.into_iter().map(|TopicSelector { name, id }| DeletableTopicResult {
        name: name.map(Into::into),
        topic_id: id,
        error_code: code.code(),
        error_message: None,
        ..DeletableTopicResult::default()
    });
    DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
}
