//! What one image has that the one before it had not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::image::{ConfigResource, Image, QuotaEntity, Topic};

/// What happened to a topic between two images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    /// It is new.
    Created,
    /// Some of its partitions are new, or have another leader, epoch or replica set.
    Changed {
        /// Their numbers.
        partitions: BTreeSet<i32>,
    },
    /// It is gone; this is what it was.
    Deleted(Arc<Topic>),
}

/// The parts of an image that changed. A topic that was made again under its name appears twice, under both its ids:
/// whoever keys by name handles [`Delta::deleted`] first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// Topics by id.
    pub topics: BTreeMap<Uuid, TopicChange>,
    /// Resources with a config that was set or removed.
    pub configs: BTreeSet<ConfigResource>,
    /// Whether a finalized feature changed.
    pub features: bool,
    /// Whether a broker or controller registered or changed.
    pub cluster: bool,
    /// Whether a block of producer ids was given out.
    pub producer_ids: bool,
    /// Entities with a quota that was set or removed.
    pub quotas: BTreeSet<QuotaEntity>,
    /// Users and mechanisms with a credential that was set or removed.
    pub scram: BTreeSet<(Arc<str>, i8)>,
    /// ACLs that were added or removed.
    pub acls: BTreeSet<Uuid>,
    /// Delegation tokens that were made, renewed or removed.
    pub tokens: BTreeSet<Arc<str>>,
}

impl Delta {
    /// Topics that are gone.
    pub fn deleted(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values().filter_map(|change| match change {
            TopicChange::Deleted(topic) => Some(topic),
            TopicChange::Created | TopicChange::Changed { .. } => None,
        })
    }

    /// Topics that are new, as they are in `image`, the image after this delta.
    pub fn created<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a Arc<Topic>> {
        self.topics
            .iter()
            .filter(|(_, change)| **change == TopicChange::Created)
            .filter_map(|(id, _)| image.topic_by_id(*id))
    }

    /// Topics that were there before and have new or changed partitions, with the numbers of these.
    pub fn changed<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = (&'a Arc<Topic>, &'a BTreeSet<i32>)> {
        self.topics.iter().filter_map(|(id, change)| match change {
            TopicChange::Changed { partitions } => image.topic_by_id(*id).map(|topic| (topic, partitions)),
            TopicChange::Created | TopicChange::Deleted(_) => None,
        })
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what changed after this.
    pub(super) fn merge(&mut self, later: Self) {
        for (id, change) in later.topics {
            match change {
                TopicChange::Created => self.topic_created(id),
                TopicChange::Deleted(topic) => self.topic_deleted(topic),
                TopicChange::Changed { partitions } => {
                    partitions.into_iter().for_each(|partition| self.partition_changed(id, partition));
                }
            }
        }
        self.configs.extend(later.configs);
        self.features |= later.features;
        self.cluster |= later.cluster;
        self.producer_ids |= later.producer_ids;
        self.quotas.extend(later.quotas);
        self.scram.extend(later.scram);
        self.acls.extend(later.acls);
        self.tokens.extend(later.tokens);
    }

    pub(super) fn topic_created(&mut self, id: Uuid) {
        self.topics.insert(id, TopicChange::Created);
    }

    pub(super) fn topic_deleted(&mut self, topic: Arc<Topic>) {
        let id = topic.id;
        // Made and deleted within this delta: nobody saw it.
        if self.topics.remove(&id) != Some(TopicChange::Created) {
            self.topics.insert(id, TopicChange::Deleted(topic));
        }
    }

    pub(super) fn partition_changed(&mut self, id: Uuid, partition: i32) {
        match self.topics.entry(id).or_insert_with(|| TopicChange::Changed { partitions: BTreeSet::new() }) {
            TopicChange::Changed { partitions } => {
                partitions.insert(partition);
            }
            TopicChange::Created | TopicChange::Deleted(_) => {}
        }
    }
}
