//! The metadata that consumer groups live by: topics, and the settings of single groups.

use std::sync::Arc;

use uuid::Uuid;

use crate::groups::record::Name;
use crate::groups::topics::{TopicInfo, Topics};
use crate::groups::{GroupCoordinator, GroupOverrides};
use crate::metadata::{ConfigResource, ConfigResourceKind, Delta, Image};

impl Topics for Image {
    fn version(&self) -> i64 {
        self.offset
    }

    fn topic(&self, name: &str) -> Option<TopicInfo> {
        let topic = self.topics.by_name(name)?;
        Some(TopicInfo { id: topic.id, partitions: i32::try_from(topic.partitions.len()).ok()? })
    }

    fn name_of(&self, id: Uuid) -> Option<Name> {
        self.topics.by_id(id).map(|topic| Arc::clone(&topic.name))
    }

    fn for_each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.topics.iter().for_each(|topic| visit(&topic.name));
    }

    fn rack(&self) -> Option<&str> {
        self.brokers.values().next()?.rack.as_deref()
    }
}

/// Tells the coordinator everything, at the start.
pub fn tell_all(groups: &GroupCoordinator, image: &Arc<Image>) {
    let topics: Arc<dyn Topics> = Arc::<Image>::clone(image);
    groups.topics_changed(&topics, &[], true);
    image.configs().for_each(|(resource, _)| tell_config(groups, image, resource));
}

/// Tells the coordinator what has changed.
pub fn tell_changes(groups: &GroupCoordinator, delta: &Delta, image: &Arc<Image>) {
    let mut changed: Vec<Name> = delta.deleted().map(|topic| Arc::clone(&topic.name)).collect();
    changed.extend(delta.changed(image).map(|(topic, _)| Arc::clone(&topic.name)));
    let before = changed.len();
    changed.extend(delta.created(image).map(|topic| Arc::clone(&topic.name)));
    if !changed.is_empty() {
        let topics: Arc<dyn Topics> = Arc::<Image>::clone(image);
        groups.topics_changed(&topics, &changed, changed.len() > before);
    }
    delta.configs.iter().for_each(|resource| tell_config(groups, image, resource));
}

fn tell_config(groups: &GroupCoordinator, image: &Image, resource: &ConfigResource) {
    if resource.kind != ConfigResourceKind::Group {
        return;
    }
    let configs = image.config(resource);
    // Values were checked when they were set.
    let ms = |name: &str| configs.get(name).and_then(|value| value.trim().parse().ok());
    let overrides = GroupOverrides {
        session_timeout_ms: ms("consumer.session.timeout.ms"),
        heartbeat_interval_ms: ms("consumer.heartbeat.interval.ms"),
        assignment_interval_ms: ms("consumer.assignment.interval.ms"),
    };
    groups.group_config_changed(&resource.name.as_ref().into(), overrides);
}
