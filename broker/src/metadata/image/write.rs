//! An image as records: what a snapshot holds.

use wire::metadata::{ConfigRecord, FeatureLevelRecord, MetadataRecord, ProducerIdsRecord, TopicRecord};

use super::{Image, METADATA_VERSION};

impl Image {
    /// Calls `write` with records that lead from an empty image to this one, in Kafka's order
    /// (`MetadataImage.write`): features first, `metadata.version` before all others, because it decides how the rest
    /// is read.
    ///
    /// # Errors
    /// The first that `write` returns.
    pub fn write_records<E>(&self, mut write: impl FnMut(MetadataRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        let level = |name: &str, level: i16| FeatureLevelRecord {
            name: name.to_owned().into(),
            feature_level: level,
            ..Default::default()
        };
        if let Some(version) = self.features.get(METADATA_VERSION) {
            write(level(METADATA_VERSION, *version).into())?;
        }
        for (name, number) in self.features.iter().filter(|(name, _)| *name != METADATA_VERSION) {
            write(level(name, *number).into())?;
        }
        for broker in self.brokers.values() {
            write(broker.to_record().into())?;
        }
        for controller in self.controllers.values() {
            write(controller.to_record().into())?;
        }
        for topic in self.topics.iter() {
            let name = topic.name.to_string().into();
            write(TopicRecord { name, topic_id: topic.id, ..Default::default() }.into())?;
            for (index, partition) in (0..).zip(&topic.partitions) {
                write(partition.to_record(topic.id, index).into())?;
            }
        }
        self.write_configs(&mut write)?;
        self.write_security(&mut write)?;
        if let Some(next_producer_id) = self.next_producer_id {
            write(ProducerIdsRecord { next_producer_id, ..Default::default() }.into())?;
        }
        Ok(())
    }

    fn write_configs<E>(&self, write: &mut impl FnMut(MetadataRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        for (resource, configs) in self.configs() {
            for (name, value) in configs.iter() {
                let record = ConfigRecord {
                    resource_type: resource.kind as i8,
                    resource_name: (&*resource.name).into(),
                    name: name.into(),
                    value: Some(value.into()),
                    ..Default::default()
                };
                write(record.into())?;
            }
        }
        Ok(())
    }

    fn write_security<E>(&self, write: &mut impl FnMut(MetadataRecord<'_>) -> Result<(), E>) -> Result<(), E> {
        for (entity, quotas) in self.quotas.iter() {
            for (key, value) in quotas.iter() {
                write(entity.to_record(key, Some(*value)).into())?;
            }
        }
        for (id, acl) in self.acls.iter() {
            write(acl.to_record(*id).into())?;
        }
        for ((user, mechanism), credential) in self.scram.iter() {
            write(credential.to_record(user, *mechanism).into())?;
        }
        for (id, token) in self.tokens.iter() {
            write(token.to_record(id).into())?;
        }
        Ok(())
    }
}
