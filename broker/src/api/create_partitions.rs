//! CreatePartitions (key 37). Source: `ControllerApis.createPartitions`, KIP-195.

use wire::messages::create_partitions_request::CreatePartitionsRequest;
use wire::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use super::Context;
use crate::metadata::{ApiError, CreatePartitionsResult, NewPartitions};

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: CreatePartitionsRequest<'_>) -> CreatePartitionsResponse<'static> {
    let topics = request.topics.iter().map(|topic| NewPartitions {
        name: topic.name.clone().into_owned(),
        count: topic.count,
        assignments: topic.assignments.as_ref().map(|all| all.iter().map(|it| it.broker_ids.clone()).collect()),
    });
    let topics = topics.collect::<Vec<_>>();
    let names = topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
    let results = match context.node.controller.create_partitions(topics, request.validate_only).await {
        Ok(results) => results,
        Err(error) => {
            let failed = |name| CreatePartitionsResult { name, outcome: Err(ApiError::from(&error)) };
            names.into_iter().map(failed).collect()
        }
    };
    let results = results.into_iter().map(|CreatePartitionsResult { name, outcome }| {
        let error = outcome.err();
        CreatePartitionsTopicResult {
            name: name.into(),
            error_code: error.as_ref().map_or(0, |error| error.code.code()),
            error_message: error.and_then(|error| error.message).map(Into::into),
            ..CreatePartitionsTopicResult::default()
        }
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
