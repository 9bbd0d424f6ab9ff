//! DescribeTopicPartitions (key 75): topics page by page, sorted by name (KIP-966). Source:
//! `DescribeTopicPartitionsRequestHandler`, `KRaftMetadataCache.describeTopicResponse`.

use std::collections::BTreeSet;
use std::sync::Arc;

use wire::ErrorCode;
use wire::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};

use super::{Context, authorized_operations};
use crate::internal_topics::is_internal;
use crate::metadata::{Image, Topic, check_topic_name};

/// Answers a request.
pub fn handle(
    context: &Context<'_>,
    request: DescribeTopicPartitionsRequest<'_>,
) -> DescribeTopicPartitionsResponse<'static> {
    let image = context.node.controller.image();
    let names = match names(&image, &request) {
        Ok(names) => names,
        Err(code) => return refused(&request, code),
    };
    let most = context.node.config().requests.max_request_partition_size_limit;
    let limit = request.response_partition_limit.min(most).max(1);
    let start = request.cursor.as_ref().map(|cursor| (&*cursor.topic_name, cursor.partition_index));
    let mut page = Page { left: usize::try_from(limit).unwrap_or(1), topics: Vec::new(), next: None };
    for name in names {
        let first = start.filter(|(topic, _)| **topic == *name).map_or(0, |(_, index)| index);
        if !page.add(&image, &name, usize::try_from(first).unwrap_or(0)) {
            break;
        }
    }
    let next_cursor = page.next.map(|(topic, index)| Cursor {
        topic_name: topic.to_string().into(),
        partition_index: index as i32,
        ..Cursor::default()
    });
    DescribeTopicPartitionsResponse { topics: page.topics, next_cursor, ..DescribeTopicPartitionsResponse::default() }
}

/// The names to describe, sorted: those of the request or else all, from the cursor's on.
fn names(image: &Image, request: &DescribeTopicPartitionsRequest<'_>) -> Result<BTreeSet<Arc<str>>, ErrorCode> {
    let cursor = request.cursor.as_ref();
    if cursor.is_some_and(|cursor| cursor.partition_index < 0) {
        return Err(ErrorCode::InvalidRequest);
    }
    let from = cursor.map_or("", |cursor| &*cursor.topic_name);
    if request.topics.is_empty() {
        return Ok(image.topics.from(from).map(|topic| Arc::clone(&topic.name)).collect());
    }
    // Kafka fails on a name that it cannot even look at.
    if request.topics.iter().any(|topic| topic.name.is_empty()) {
        return Err(ErrorCode::UnknownServerError);
    }
    let asked = request.topics.iter().map(|topic| &*topic.name).filter(|name| *name >= from);
    let asked: BTreeSet<Arc<str>> = asked.map(Arc::from).collect();
    if cursor.is_some() && !asked.contains(from) {
        return Err(ErrorCode::InvalidRequest);
    }
    Ok(asked)
}

/// Every topic of the request with the same error.
fn refused(request: &DescribeTopicPartitionsRequest<'_>, code: ErrorCode) -> DescribeTopicPartitionsResponse<'static> {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(topic.name.clone().into_owned().into()),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..DescribeTopicPartitionsResponse::default() }
}

/// A reply in the making.
struct Page {
    /// How many partitions it can still take.
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'static>>,
    next: Option<(Arc<str>, usize)>,
}

impl Page {
    /// Adds a topic from its partition `first` on; false once the page is full.
    fn add(&mut self, image: &Image, name: &Arc<str>, first: usize) -> bool {
        if self.left == 0 {
            self.next = Some((Arc::clone(name), 0));
            return false;
        }
        let mut described = DescribeTopicPartitionsResponseTopic {
            name: Some(name.to_string().into()),
            is_internal: is_internal(name),
            topic_authorized_operations: authorized_operations::TOPIC,
            ..DescribeTopicPartitionsResponseTopic::default()
        };
        let Some(topic) = image.topic(name) else {
            let invalid = check_topic_name(name).is_err();
            let code = if invalid { ErrorCode::InvalidTopicException } else { ErrorCode::UnknownTopicOrPartition };
            described.error_code = code.code();
            self.topics.push(described);
            return true;
        };
        described.topic_id = topic.id;
        described.partitions = partitions(topic, first, self.left);
        self.left -= described.partitions.len();
        let end = first + described.partitions.len();
        self.topics.push(described);
        if end < topic.partitions.len() {
            self.next = Some((Arc::clone(name), end));
            return false;
        }
        true
    }
}

fn partitions(topic: &Topic, first: usize, most: usize) -> Vec<DescribeTopicPartitionsResponsePartition> {
    let partitions = topic.partitions.iter().enumerate().skip(first).take(most);
    let described = partitions.map(|(index, partition)| DescribeTopicPartitionsResponsePartition {
        partition_index: index as i32,
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        eligible_leader_replicas: Some(partition.eligible_leader_replicas.clone()),
        last_known_elr: Some(partition.last_known_elr.clone()),
        ..DescribeTopicPartitionsResponsePartition::default()
    });
    described.collect()
}
