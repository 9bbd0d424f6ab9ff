//! Replaying records.

use std::sync::Arc;

use uuid::Uuid;
use wire::metadata::{ClientQuotaRecord, ConfigRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord};

use super::{
    Acl, BrokerRegistration, ConfigResource, ConfigResourceKind, Configs, ControllerRegistration, DelegationToken,
    Image, Partition, QuotaEntity, ScramCredential, Topic,
};
use crate::metadata::delta::Delta;

/// A record that does not fit to those before it: the log is damaged, or written by a newer Kafka.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A record about a topic that there is not.
    #[error("a {record} names topic id {id}, which no record before it created")]
    UnknownTopic {
        /// The record's type.
        record: &'static str,
        /// The id.
        id: Uuid,
    },
    /// A record about a partition that there is not.
    #[error("a PartitionChangeRecord names partition {partition} of topic {topic}, which no record before it created")]
    UnknownPartition {
        /// The topic's name.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
    /// A partition number below zero.
    #[error("a PartitionRecord of topic id {topic} has the partition number {partition}")]
    InvalidPartition {
        /// The topic's id.
        topic: Uuid,
        /// The number.
        partition: i32,
    },
    /// Two topics of one name.
    #[error("a TopicRecord names topic {0}, which exists")]
    TopicExists(Arc<str>),
    /// A record about a broker that has not registered.
    #[error("a record names broker {0}, which has not registered")]
    UnknownBroker(i32),
    /// A config of a kind of resource that this version does not know.
    #[error("a ConfigRecord has the resource type {0}, which this version does not know")]
    UnknownResourceType(i8),
    /// Begin, end and abort that do not pair up.
    #[error("a metadata transaction {0}")]
    Transaction(&'static str),
}

impl Image {
    /// Applies one record, and notes in `delta` what it changed. Transactions are not its business: their three
    /// records change nothing here, see `Replay`.
    ///
    /// # Errors
    /// [`ReplayError`]; the image is then as before.
    pub fn apply(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::Topic(record) => self.add_topic(&record.name, record.topic_id, delta)?,
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record.topic_id, delta)?,
            MetadataRecord::Partition(record) => self.put_partition(record, delta)?,
            MetadataRecord::PartitionChange(record) => self.change_partition(record, delta)?,
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name, delta),
            MetadataRecord::Config(record) => self.set_config(record, delta)?,
            MetadataRecord::FeatureLevel(record) => {
                delta.features = true;
                let features = Arc::make_mut(&mut self.features);
                match record.feature_level {
                    0 => features.remove(&*record.name),
                    level => features.insert(record.name.to_string(), level),
                };
            }
            MetadataRecord::ProducerIds(record) => {
                delta.producer_ids = true;
                self.next_producer_id = Some(record.next_producer_id);
            }
            MetadataRecord::RegisterBroker(_)
            | MetadataRecord::UnregisterBroker(_)
            | MetadataRecord::FenceBroker(_)
            | MetadataRecord::UnfenceBroker(_)
            | MetadataRecord::BrokerRegistrationChange(_)
            | MetadataRecord::RegisterController(_) => self.apply_membership(record, delta)?,
            MetadataRecord::ClientQuota(_)
            | MetadataRecord::UserScramCredential(_)
            | MetadataRecord::RemoveUserScramCredential(_)
            | MetadataRecord::AccessControlEntry(_)
            | MetadataRecord::RemoveAccessControlEntry(_)
            | MetadataRecord::DelegationToken(_)
            | MetadataRecord::RemoveDelegationToken(_) => self.apply_security(record, delta),
            MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn add_topic(&mut self, name: &str, id: Uuid, delta: &mut Delta) -> Result<(), ReplayError> {
        let name: Arc<str> = name.into();
        if self.topics.by_name(&name).is_some() {
            return Err(ReplayError::TopicExists(name));
        }
        self.topics.insert(Topic { name, id, partitions: Vec::new() });
        delta.topic_created(id);
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid, delta: &mut Delta) -> Result<(), ReplayError> {
        let topic = self.topics.remove(id).ok_or(ReplayError::UnknownTopic { record: "RemoveTopicRecord", id })?;
        // As in Kafka, a topic's configs go with it, without records of their own.
        let resource = ConfigResource::topic(&topic.name);
        if self.configs.remove_mut(&resource) {
            delta.configs.insert(resource);
        }
        delta.topic_deleted(topic);
        Ok(())
    }

    fn put_partition(&mut self, record: &PartitionRecord, delta: &mut Delta) -> Result<(), ReplayError> {
        let (id, partition) = (record.topic_id, record.partition_id);
        let index = usize::try_from(partition).map_err(|_| ReplayError::InvalidPartition { topic: id, partition })?;
        self.topics
            .put_partition(id, index, Partition::from_record(record))
            .ok_or(ReplayError::UnknownTopic { record: "PartitionRecord", id })?;
        delta.partition_changed(id, partition);
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord, delta: &mut Delta) -> Result<(), ReplayError> {
        let (id, partition) = (record.topic_id, record.partition_id);
        let Some(place) = self.topics.partition_mut(id, partition) else {
            return Err(match self.topics.by_id(id) {
                Some(topic) => ReplayError::UnknownPartition { topic: topic.name.clone(), partition },
                None => ReplayError::UnknownTopic { record: "PartitionChangeRecord", id },
            });
        };
        place.change(record);
        delta.partition_changed(id, partition);
        Ok(())
    }

    /// An empty name is all topics.
    fn clear_elr(&mut self, name: &str, delta: &mut Delta) {
        let ids: Vec<Uuid> = match name {
            "" => self.topics.iter().map(|topic| topic.id).collect(),
            name => self.topics.by_name(name).map(|topic| topic.id).into_iter().collect(),
        };
        for id in ids {
            let count = self.topics.by_id(id).map_or(0, |topic| topic.partitions.len());
            for index in (0..count).filter_map(|index| i32::try_from(index).ok()) {
                let Some(partition) = self.topics.partition_mut(id, index) else { continue };
                if partition.eligible_leader_replicas.is_empty() && partition.last_known_elr.is_empty() {
                    continue;
                }
                partition.eligible_leader_replicas.clear();
                partition.last_known_elr.clear();
                delta.partition_changed(id, index);
            }
        }
    }

    fn set_config(&mut self, record: &ConfigRecord<'_>, delta: &mut Delta) -> Result<(), ReplayError> {
        let kind = ConfigResourceKind::from_number(record.resource_type)
            .ok_or(ReplayError::UnknownResourceType(record.resource_type))?;
        let resource = ConfigResource::new(kind, &record.resource_name);
        let mut configs: Configs = (**self.config(&resource)).clone();
        match &record.value {
            Some(value) => configs.insert(record.name.to_string(), value.to_string()),
            None => configs.remove(&*record.name),
        };
        if configs.is_empty() {
            self.configs.remove_mut(&resource);
        } else {
            self.configs.insert_mut(resource.clone(), Arc::new(configs));
        }
        delta.configs.insert(resource);
        Ok(())
    }

    fn apply_membership(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) -> Result<(), ReplayError> {
        delta.cluster = true;
        match record {
            MetadataRecord::RegisterBroker(record) => {
                let registration = BrokerRegistration::from_record(record);
                Arc::make_mut(&mut self.brokers).insert(registration.id, registration);
            }
            MetadataRecord::UnregisterBroker(record) => {
                Arc::make_mut(&mut self.brokers)
                    .remove(&record.broker_id)
                    .ok_or(ReplayError::UnknownBroker(record.broker_id))?;
            }
            MetadataRecord::FenceBroker(record) => self.broker_mut(record.id)?.fenced = true,
            MetadataRecord::UnfenceBroker(record) => self.broker_mut(record.id)?.fenced = false,
            MetadataRecord::BrokerRegistrationChange(record) => self.broker_mut(record.broker_id)?.change(record),
            MetadataRecord::RegisterController(record) => {
                let registration = ControllerRegistration::from_record(record);
                Arc::make_mut(&mut self.controllers).insert(registration.id, registration);
            }
            _ => {}
        }
        Ok(())
    }

    fn broker_mut(&mut self, id: i32) -> Result<&mut BrokerRegistration, ReplayError> {
        Arc::make_mut(&mut self.brokers).get_mut(&id).ok_or(ReplayError::UnknownBroker(id))
    }

    fn apply_security(&mut self, record: &MetadataRecord<'_>, delta: &mut Delta) {
        match record {
            MetadataRecord::ClientQuota(record) => self.set_quota(record, delta),
            MetadataRecord::UserScramCredential(record) => {
                let key = (Arc::<str>::from(&*record.name), record.mechanism);
                self.scram.insert_mut(key.clone(), Arc::new(ScramCredential::from_record(record)));
                delta.scram.insert(key);
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                let key = (Arc::<str>::from(&*record.name), record.mechanism);
                self.scram.remove_mut(&key);
                delta.scram.insert(key);
            }
            MetadataRecord::AccessControlEntry(record) => {
                self.acls.insert_mut(record.id, Arc::new(Acl::from_record(record)));
                delta.acls.insert(record.id);
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                self.acls.remove_mut(&record.id);
                delta.acls.insert(record.id);
            }
            MetadataRecord::DelegationToken(record) => {
                let id: Arc<str> = (&*record.token_id).into();
                self.tokens.insert_mut(id.clone(), Arc::new(DelegationToken::from_record(record)));
                delta.tokens.insert(id);
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                let id: Arc<str> = (&*record.token_id).into();
                self.tokens.remove_mut(&id);
                delta.tokens.insert(id);
            }
            _ => {}
        }
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord<'_>, delta: &mut Delta) {
        let entity = QuotaEntity::from_record(record);
        let mut quotas = self.quotas.get(&entity).map(|quotas| (**quotas).clone()).unwrap_or_default();
        if record.remove {
            quotas.remove(&*record.key);
        } else {
            quotas.insert(record.key.to_string(), record.value);
        }
        if quotas.is_empty() {
            self.quotas.remove_mut(&entity);
        } else {
            self.quotas.insert_mut(entity.clone(), Arc::new(quotas));
        }
        delta.quotas.insert(entity);
    }
}
