//! The records of a start (`ActivationRecordsGenerator`, `BrokerLifecycleManager` in Kafka), all flushed at once.

use tracing::info;
use wire::metadata::{
    AbortTransactionRecord, BeginTransactionRecord, BrokerRegistrationChangeRecord, ConfigRecord, EndTransactionRecord,
    FeatureLevelRecord, MetadataRecord,
};

use super::controller::Options;
use super::delta::Delta;
use super::directory::DEFAULT_FEATURES;
use super::error::MetadataError;
use super::features::SUPPORTED;
use super::ids::random_id;
use super::image::{BrokerRegistration, ConfigResourceKind, ControllerRegistration, FeatureRange, Image};
use super::leadership;
use super::log::{MetadataLog, NewBatch, Replayed, metadata_version};
use super::version::{
    CONTROLLER_REGISTRATION, CORDONED_LOG_DIRS, LATEST_METADATA_VERSION, METADATA_TRANSACTIONS, OLDEST_METADATA_VERSION,
};
use super::{quorum_state, snapshot, voters};

type Records = Vec<MetadataRecord<'static>>;

/// What a start leads to.
pub(super) struct Started {
    pub(super) image: Image,
    pub(super) epoch: i32,
    pub(super) broker_epoch: i64,
    pub(super) kraft_version: i16,
}

/// An image, and the batches that lead to it.
struct Draft<'a> {
    image: Image,
    epoch: i32,
    batches: Vec<NewBatch>,
    options: &'a Options,
}

pub(super) fn start(
    log: &mut MetadataLog,
    replayed: Replayed,
    options: &Options,
    now_ms: i64,
) -> Result<Started, MetadataError> {
    let node = options.directory.node_id;
    voters::kraft_version(log.controls(), node)?;
    let stored = quorum_state::read_epoch(log.folder())?.unwrap_or(0);
    let epoch = replayed.epoch.max(stored) + 1;
    let mut draft = Draft { image: replayed.image, epoch, batches: Vec::new(), options };
    draft.image.offset = log.next_offset() - 1;
    draft.lead(log)?;
    let kraft_version = voters::kraft_version(log.controls(), node)?;
    if replayed.open_transaction {
        let reason = Some("Aborting metadata transaction at start".into());
        draft.add(&[AbortTransactionRecord { reason, ..Default::default() }.into()])?;
    }
    if draft.image.features.is_empty() {
        draft.bootstrap()?;
    }
    check_metadata_version(&draft.image)?;
    check_single_node(&draft.image, node)?;
    draft.fence_if_killed()?;
    draft.register_controller()?;
    let broker_epoch = draft.register_broker()?;
    draft.unfence(broker_epoch)?;
    // The epoch is noted before its first record: it is never taken twice.
    quorum_state::write(log.folder(), node, epoch, kraft_version > 0)?;
    log.append(&draft.batches, epoch, now_ms)?;
    info!(epoch, broker_epoch, topics = draft.image.topics.len(), "controller active");
    Ok(Started { image: draft.image, epoch, broker_epoch, kraft_version })
}

fn check_metadata_version(image: &Image) -> Result<(), MetadataError> {
    let level = metadata_version(image);
    if (OLDEST_METADATA_VERSION..=LATEST_METADATA_VERSION).contains(&level) {
        Ok(())
    } else {
        Err(MetadataError::MetadataVersion { level })
    }
}

fn check_single_node(image: &Image, node: i32) -> Result<(), MetadataError> {
    for topic in image.topics.iter() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            if partition.replicas != [node] {
                let replicas = format!("replicas of {}-{index}: {:?}", topic.name, partition.replicas);
                return Err(MetadataError::SeveralNodes(replicas));
            }
        }
    }
    Ok(())
}

impl Draft<'_> {
    fn node(&self) -> i32 {
        self.options.directory.node_id
    }

    /// Adds records as one batch.
    fn add(&mut self, records: &[MetadataRecord<'static>]) -> Result<(), MetadataError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut version = metadata_version(&self.image);
        for record in records {
            self.image.apply(record, &mut Delta::default())?;
            version = version.max(metadata_version(&self.image));
        }
        let batch = NewBatch::metadata(records, version)?;
        self.advance(batch);
        Ok(())
    }

    fn advance(&mut self, batch: NewBatch) {
        self.image.offset += batch.len();
        self.image.epoch = self.epoch;
        self.batches.push(batch);
    }

    /// The control batch that begins the epoch; the first epoch of a log also names the voters.
    fn lead(&mut self, log: &mut MetadataLog) -> Result<(), MetadataError> {
        let node = self.node();
        let mut controls = Vec::new();
        if log.next_offset() == 0 {
            controls = log.controls().to_vec();
            if controls.is_empty() {
                let directory = self.options.directory.directory_id;
                controls = voters::only(node, directory, &self.options.controller_endpoints)?;
            }
            log.keep_controls(&controls);
        }
        controls.insert(0, voters::leader_change(node)?);
        self.advance(NewBatch::control(&controls));
        Ok(())
    }

    /// The first records of a cluster: what `bootstrap.checkpoint` says.
    fn bootstrap(&mut self) -> Result<(), MetadataError> {
        let path = self.options.directory.bootstrap_checkpoint();
        let mut given = Image::default();
        let mut nobody = Delta::default();
        if path.exists() {
            snapshot::read(&path, |record| given.apply(record, &mut nobody))?;
        }
        let mut records = Records::new();
        if given.features.is_empty() {
            records.extend(DEFAULT_FEATURES.map(|(name, feature_level)| {
                FeatureLevelRecord { name: name.into(), feature_level, ..Default::default() }.into()
            }));
        }
        given.write_records(|record| {
            records.push(owned(&record)?);
            Ok::<_, MetadataError>(())
        })?;
        let mut level = Image::default();
        for record in &records {
            level.apply(record, &mut nobody)?;
        }
        if level.elr_enabled() {
            records.push(self.min_insync_replicas());
        }
        if metadata_version(&level) >= METADATA_TRANSACTIONS {
            let name = Some("Bootstrap records".into());
            records.insert(0, BeginTransactionRecord { name, ..Default::default() }.into());
            records.push(EndTransactionRecord::default().into());
        }
        self.add(&records)
    }

    /// With eligible leader replicas the cluster's `min.insync.replicas` is always set.
    fn min_insync_replicas(&self) -> MetadataRecord<'static> {
        ConfigRecord {
            resource_type: ConfigResourceKind::Broker as i8,
            resource_name: "".into(),
            name: "min.insync.replicas".into(),
            value: Some(self.options.min_insync_replicas.to_string().into()),
            ..Default::default()
        }
        .into()
    }

    /// What Kafka's controller does when a broker's session ends, if the last run had no time for it.
    fn fence_if_killed(&mut self) -> Result<(), MetadataError> {
        let node = self.node();
        let Some(registration) = self.image.broker(node).filter(|registration| !registration.fenced) else {
            return Ok(());
        };
        let change = BrokerRegistrationChangeRecord {
            broker_id: node,
            broker_epoch: registration.epoch,
            fenced: 1,
            ..Default::default()
        };
        let mut records = leadership::resign(&self.image, node);
        records.push(change.into());
        self.add(&records)
    }

    fn register_controller(&mut self) -> Result<(), MetadataError> {
        if metadata_version(&self.image) < CONTROLLER_REGISTRATION {
            return Ok(());
        }
        let registration = ControllerRegistration {
            id: self.node(),
            incarnation: random_id(),
            zk_migration_ready: false,
            endpoints: self.options.controller_endpoints.clone(),
            features: supported(),
        };
        self.add(&[registration.to_record().into()])
    }

    /// Registers the broker, fenced, and returns its epoch: the offset of the first record of the batch.
    fn register_broker(&mut self) -> Result<i64, MetadataError> {
        let node = self.node();
        let previous = self.image.broker(node).map(|registration| registration.epoch);
        let clean = previous.is_none() || previous == self.options.previous_broker_epoch;
        let mut records = Records::new();
        if !clean && self.image.elr_enabled() {
            records.extend(leadership::forget_eligible(&self.image, node));
        }
        let epoch = self.image.offset + 1;
        let registration = BrokerRegistration {
            id: node,
            epoch,
            incarnation: random_id(),
            endpoints: self.options.endpoints.clone(),
            features: supported(),
            rack: self.options.rack.clone(),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: self.options.log_dirs.clone(),
            cordoned_log_dirs: None,
        };
        records.push(registration.to_record().into());
        self.add(&records)?;
        Ok(epoch)
    }

    fn unfence(&mut self, broker_epoch: i64) -> Result<(), MetadataError> {
        let broker_id = self.node();
        let change = BrokerRegistrationChangeRecord { broker_id, broker_epoch, ..Default::default() };
        let mut records: Records = vec![BrokerRegistrationChangeRecord { fenced: -1, ..change.clone() }.into()];
        records.extend(leadership::elect(&self.image, broker_id));
        if metadata_version(&self.image) >= CORDONED_LOG_DIRS {
            let cordoned_log_dirs = Some(Vec::new());
            records.push(BrokerRegistrationChangeRecord { cordoned_log_dirs, ..change }.into());
        }
        self.add(&records)
    }
}

/// What this broker can work with, as registrations say it.
fn supported() -> Vec<(String, FeatureRange)> {
    SUPPORTED.iter().map(|(name, range)| ((*name).to_owned(), *range)).collect()
}

/// A record that borrows nothing, by way of its bytes.
fn owned(record: &MetadataRecord<'_>) -> Result<MetadataRecord<'static>, MetadataError> {
    Ok(match record {
        MetadataRecord::FeatureLevel(record) => FeatureLevelRecord {
            name: record.name.to_string().into(),
            feature_level: record.feature_level,
            ..Default::default()
        }
        .into(),
        MetadataRecord::Config(record) => ConfigRecord {
            resource_type: record.resource_type,
            resource_name: record.resource_name.to_string().into(),
            name: record.name.to_string().into(),
            value: record.value.as_ref().map(|value| value.to_string().into()),
            ..Default::default()
        }
        .into(),
        // Besides features `kafka-storage format` only writes SCRAM credentials.
        MetadataRecord::UserScramCredential(record) => wire::metadata::UserScramCredentialRecord {
            name: record.name.to_string().into(),
            mechanism: record.mechanism,
            salt: record.salt.to_vec().into(),
            stored_key: record.stored_key.to_vec().into(),
            server_key: record.server_key.to_vec().into(),
            iterations: record.iterations,
            ..Default::default()
        }
        .into(),
        other => {
            let number = other.type_number();
            return Err(MetadataError::Log(format!("bootstrap.checkpoint has a record of type {number}")));
        }
    })
}
