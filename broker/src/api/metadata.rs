//! Metadata (key 3): brokers, topics and leaders; makes topics that are asked for where `auto.create.topics.enable`
//! says so. Source: `KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache`.
//!
//! A topic that is made on demand is there when the reply goes out, but as on Kafka the reply does not have it yet:
//! clients ask again, and who has just deleted a topic sees that it is gone.

use std::sync::Arc;

use indexmap::IndexSet;
use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use super::{Context, authorized_operations};
use crate::internal_topics::is_internal;
use crate::metadata::{NO_LEADER, Topic, check_topic_name};
use crate::node::Node;
use crate::replica::Lookup;

type Topics = Vec<MetadataResponseTopic<'static>>;

/// The first version that may name topics by id alone.
const FIRST_BY_ID_VERSION: i16 = 12;
/// The first version that says whether a topic may be made; before it, it may.
const FIRST_AUTO_CREATE_VERSION: i16 = 4;

/// Answers a request.
pub async fn handle(context: &Context<'_>, request: MetadataRequest<'_>) -> MetadataResponse<'static> {
    let node = context.node;
    let asked = request.topics.as_deref().filter(|topics| context.version > 0 || !topics.is_empty());
    let Some(asked) = asked else {
        let topics = node.controller.image().topics.iter().map(|topic| describe(node, topic)).collect();
        return respond(context, &request, Vec::new(), topics);
    };
    if context.version < FIRST_BY_ID_VERSION && asked.iter().any(needs_ids) {
        return refused(asked, ErrorCode::InvalidRequest);
    }
    if asked.iter().any(|topic| !topic.topic_id.is_nil()) {
        // Ids stand above names: what has none is not answered.
        let (unknown, found) = by_id(node, asked);
        return respond(context, &request, unknown, found);
    }
    if asked.iter().any(|topic| topic.name.is_none()) {
        return refused(asked, ErrorCode::UnknownServerError);
    }
    let mut topics = by_name(node, asked);
    create_missing(context, &request, asked).await;
    if context.version < FIRST_AUTO_CREATE_VERSION {
        tell_what_was_made(node, &mut topics);
    }
    respond(context, &request, Vec::new(), topics)
}

fn needs_ids(topic: &MetadataRequestTopic<'_>) -> bool {
    topic.name.is_none() || !topic.topic_id.is_nil()
}

/// Topics asked for by id: those there are not, and those there are.
fn by_id(node: &Node, asked: &[MetadataRequestTopic<'_>]) -> (Topics, Topics) {
    let image = node.controller.image();
    let ids: IndexSet<Uuid> = asked.iter().map(|topic| topic.topic_id).filter(|id| !id.is_nil()).collect();
    let (mut unknown, mut found) = (Topics::new(), Topics::new());
    for id in ids {
        match image.topic_by_id(id) {
            Some(topic) => found.push(describe(node, topic)),
            None => unknown.push(failed(None, id, ErrorCode::UnknownTopicId)),
        }
    }
    (unknown, found)
}

/// Topics asked for by name, each once: those there are, then those there are not.
fn by_name(node: &Node, asked: &[MetadataRequestTopic<'_>]) -> Topics {
    let image = node.controller.image();
    let names: IndexSet<&str> = asked.iter().filter_map(|topic| topic.name.as_deref()).collect();
    let (mut topics, mut missing) = (Topics::new(), Topics::new());
    for name in names {
        let code = match image.topic(name) {
            Some(topic) => {
                topics.push(describe(node, topic));
                continue;
            }
            None if check_topic_name(name).is_err() => ErrorCode::InvalidTopicException,
            None => ErrorCode::UnknownTopicOrPartition,
        };
        missing.push(failed(Some(name), Uuid::nil(), code));
    }
    topics.append(&mut missing);
    topics
}

/// The answer to a request that cannot be understood: its topics with an error, and no cluster.
fn refused(asked: &[MetadataRequestTopic<'_>], code: ErrorCode) -> MetadataResponse<'static> {
    let topic = |topic: &MetadataRequestTopic<'_>| {
        failed(Some(topic.name.as_deref().unwrap_or_default()), topic.topic_id, code)
    };
    MetadataResponse {
        topics: asked.iter().map(topic).collect(),
        error_code: if code == ErrorCode::UnknownServerError { code.code() } else { 0 },
        ..MetadataResponse::default()
    }
}

async fn create_missing(context: &Context<'_>, request: &MetadataRequest<'_>, asked: &[MetadataRequestTopic<'_>]) {
    let allowed = context.version < FIRST_AUTO_CREATE_VERSION || request.allow_auto_topic_creation;
    if !allowed || !context.node.config().topics.auto_create_topics_enable {
        return;
    }
    let image = context.node.controller.image();
    let missing = asked.iter().filter_map(|topic| topic.name.as_deref()).filter(|name| image.topic(name).is_none());
    let missing = missing.filter(|name| check_topic_name(name).is_ok()).map(str::to_owned).collect::<Vec<_>>();
    if !missing.is_empty() {
        context.node.auto_create_topics(missing).await;
    }
}

/// Clients of these versions know `LEADER_NOT_AVAILABLE` from brokers of their time; for no other code do all of them ask
/// again.
fn tell_what_was_made(node: &Node, topics: &mut Topics) {
    let image = node.controller.image();
    let unknown = topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::UnknownTopicOrPartition.code());
    for topic in unknown {
        if topic.name.as_deref().is_some_and(|name| image.topic(name).is_some()) {
            topic.error_code = ErrorCode::LeaderNotAvailable.code();
        }
    }
}

fn describe(node: &Node, topic: &Arc<Topic>) -> MetadataResponseTopic<'static> {
    let partitions = (0..).zip(&topic.partitions).map(|(partition_index, partition)| {
        let mut response = MetadataResponsePartition {
            partition_index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.isr.clone(),
            ..MetadataResponsePartition::default()
        };
        if is_offline(node, &topic.name, partition_index) {
            response.error_code = ErrorCode::LeaderNotAvailable.code();
            response.leader_id = NO_LEADER;
            response.offline_replicas.clone_from(&partition.replicas);
        }
        response
    });
    MetadataResponseTopic {
        name: Some(topic.name.to_string().into()),
        topic_id: topic.id,
        is_internal: is_internal(&topic.name),
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

/// Whether a partition's log could not be opened, or has failed since.
fn is_offline(node: &Node, topic: &str, index: i32) -> bool {
    match node.replicas.by_name(topic, index) {
        Lookup::Offline => true,
        Lookup::Found(partition) => partition.log().is_offline(),
        Lookup::NoTopic | Lookup::NoPartition => false,
    }
}

fn failed(name: Option<&str>, topic_id: Uuid, error: ErrorCode) -> MetadataResponseTopic<'static> {
    MetadataResponseTopic {
        error_code: error.code(),
        name: name.map(|name| name.to_owned().into()),
        topic_id,
        is_internal: name.is_some_and(is_internal),
        ..MetadataResponseTopic::default()
    }
}

fn respond(
    context: &Context<'_>,
    request: &MetadataRequest<'_>,
    unknown_ids: Topics,
    mut topics: Topics,
) -> MetadataResponse<'static> {
    if request.include_topic_authorized_operations {
        // As Kafka also for names that are no topic's.
        topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = authorized_operations::TOPIC);
    }
    let topics = unknown_ids.into_iter().chain(topics).collect();
    let node = context.node;
    let (host, port) = node.advertised(&context.session.peer().listener);
    let broker = MetadataResponseBroker {
        node_id: node.config().node_id,
        host: host.into(),
        port: port.into(),
        rack: node.config().rack.clone().map(Into::into),
        ..MetadataResponseBroker::default()
    };
    let mut response = MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some(node.cluster_id().to_owned().into()),
        controller_id: node.config().node_id,
        topics,
        ..MetadataResponse::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    response
}
