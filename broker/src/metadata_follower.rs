//! Does what a change of metadata asks of this broker: logs made and deleted, settings taken over. Source:
//! `BrokerMetadataPublisher`, `DynamicConfigPublisher`.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use crate::config::{BrokerConfig, DynamicConfigs, TopicConfig};
use crate::group_metadata;
use crate::internal_topics::InternalTopic;
use crate::metadata::{ConfigResource, ConfigResourceKind, Delta, Image, Listener, Topic};
use crate::node::{Node, now_ms};

/// Follows the controller on behalf of a node. It is called on the controller's thread before whoever made the change
/// gets the reply, so a topic's partitions are there when its creation is answered.
#[derive(Debug)]
pub struct MetadataFollower {
    node: Weak<Node>,
    started_with: Arc<BrokerConfig>,
    runtime: Handle,
}

impl MetadataFollower {
    /// For a node; call it within the runtime that the broker runs on.
    pub fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::downgrade(node), started_with: node.config(), runtime: Handle::current() }
    }
}

impl Listener for MetadataFollower {
    fn changed(&self, delta: &Delta, image: &Arc<Image>) {
        // Between the node's end and the controller's nothing needs to be followed.
        let Some(node) = self.node.upgrade() else { return };
        group_metadata::tell_changes(&node.groups, delta, image);
        for topic in delta.deleted() {
            node.replicas.topic_deleted(&topic.name, topic.id, now_ms());
            let (node, topic) = (Arc::clone(&node), Arc::clone(topic));
            self.runtime.spawn(async move { node.groups.topic_deleted(&topic.name, topic.id).await });
        }
        let is_broker = |resource: &&ConfigResource| resource.kind == ConfigResourceKind::Broker;
        if delta.configs.iter().any(|resource| is_broker(&resource)) {
            let dynamic = dynamic_configs(image, self.started_with.node_id);
            node.set_config(Arc::new(self.started_with.with_dynamic(&dynamic)));
            image.topics.iter().for_each(|topic| follow(&node, image, topic));
        } else {
            delta.created(image).for_each(|topic| follow(&node, image, topic));
            delta.changed(image).for_each(|(topic, _)| follow(&node, image, topic));
            let topics = delta.configs.iter().filter(|resource| resource.kind == ConfigResourceKind::Topic);
            topics.filter_map(|resource| image.topic(&resource.name)).for_each(|topic| follow(&node, image, topic));
        }
        // Clients make these topics too. The coordinators start tasks.
        let _runtime = self.runtime.enter();
        for topic in delta.created(image) {
            if let Some(internal) = InternalTopic::named(&topic.name) {
                node.internal_topic_created(internal, topic.partitions.len());
            }
        }
    }
}

fn follow(node: &Node, image: &Image, topic: &Topic) {
    node.replicas.topic_changed(topic, &topic_config(&node.config(), image, &topic.name), now_ms());
}

/// What a topic obeys.
pub fn topic_config(config: &BrokerConfig, image: &Image, topic: &str) -> TopicConfig {
    config.topic_defaults.with_overrides(image.topic_config(topic))
}

/// The settings that were changed while the broker ran.
pub fn dynamic_configs(image: &Image, node_id: i32) -> DynamicConfigs {
    DynamicConfigs {
        broker: image.config(&ConfigResource::broker(node_id)).as_ref().clone(),
        cluster: image.config(&ConfigResource::cluster()).as_ref().clone(),
    }
}
