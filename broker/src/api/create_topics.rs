//! CreateTopics (key 19). Source: `ReplicationControlManager.createTopics`, `ControllerApis.createTopics`.

use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse};

use super::Context;
use crate::config::{Properties, describe};
use crate::metadata::{ApiError, CreateTopicResult, CreatedTopic, NewTopic};

/// The first version whose reply tells what was made (KIP-525).
const FIRST_DETAILED_VERSION: i16 = 5;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: CreateTopicsRequest<'_>) -> CreateTopicsResponse<'static> {
    let topics = request.topics.iter().map(new_topic).collect::<Vec<_>>();
    let overrides = topics.iter().map(|topic| (topic.name.clone(), topic.configs.clone())).collect::<Vec<_>>();
    let results = match context.node.controller.create_topics(topics, request.validate_only).await {
        Ok(results) => results,
        Err(error) => {
            let failed = |name: String| CreateTopicResult { name, outcome: Err(ApiError::from(&error)) };
            overrides.iter().map(|(name, _)| failed(name.clone())).collect()
        }
    };
    let topics = results.into_iter().map(|CreateTopicResult { name, outcome }| match outcome {
        Ok(created) => {
            let configs = overrides.iter().find(|(known, _)| *known == name).map(|(_, configs)| configs.as_slice());
            made(context, name, &created, configs.unwrap_or_default())
        }
        Err(error) => refused(name, error),
    });
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}

fn new_topic(topic: &CreatableTopic<'_>) -> NewTopic {
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.clone().into_owned(),
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignments.iter().map(|it| (it.partition_index, it.broker_ids.clone())).collect(),
        configs: configs.map(|it| (it.name.clone().into_owned(), it.value.clone().map(Into::into))).collect(),
    }
}

fn made(
    context: &Context<'_>,
    name: String,
    created: &CreatedTopic,
    overrides: &[(String, Option<String>)],
) -> CreatableTopicResult<'static> {
    let mut result = CreatableTopicResult {
        name: name.into(),
        topic_id: created.id,
        error_message: None,
        ..CreatableTopicResult::default()
    };
    if context.version >= FIRST_DETAILED_VERSION {
        let node = context.node;
        let overrides: Properties =
            overrides.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        let image = node.controller.image();
        let mut entries = describe::topic(&node.config(), &node.dynamic_configs(&image), &overrides);
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        let configs = entries.into_iter().map(|entry| CreatableTopicConfigs {
            // What was asked for is repeated to the letter.
            value: overrides.get(&*entry.name).cloned().or(entry.value).map(Into::into),
            name: entry.name.into(),
            read_only: entry.is_read_only,
            config_source: entry.source.code(),
            is_sensitive: entry.is_sensitive,
            ..CreatableTopicConfigs::default()
        });
        result.num_partitions = created.num_partitions;
        result.replication_factor = created.replication_factor;
        result.configs = Some(configs.collect());
    }
    result
}

fn refused(name: String, error: ApiError) -> CreatableTopicResult<'static> {
    CreatableTopicResult {
        name: name.into(),
        topic_id: Uuid::nil(),
        error_code: error.code.code(),
        error_message: error.message.map(Into::into),
        topic_config_error_code: ErrorCode::None.code(),
        ..CreatableTopicResult::default()
    }
}
