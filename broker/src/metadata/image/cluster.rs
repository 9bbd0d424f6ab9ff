//! Who is in the cluster.

use uuid::Uuid;
use wire::metadata::{BrokerRegistrationChangeRecord, RegisterBrokerRecord, RegisterControllerRecord};
use wire::metadata::{register_broker_record, register_controller_record};

/// Where a broker or controller listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub listener: String,
    /// Host to connect to.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of a feature that a node can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureRange {
    /// Lowest.
    pub min: i16,
    /// Highest.
    pub max: i16,
}

/// A broker that has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// Its id.
    pub id: i32,
    /// The offset of its registration, as a rule: grows with each start.
    pub epoch: i64,
    /// New with each start.
    pub incarnation: Uuid,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// What it can work with, in the order it said so.
    pub features: Vec<(String, FeatureRange)>,
    /// Its rack.
    pub rack: Option<String>,
    /// Whether it may not lead.
    pub fenced: bool,
    /// Whether it is stopping.
    pub in_controlled_shutdown: bool,
    /// Ids of its log directories that are usable.
    pub log_dirs: Vec<Uuid>,
    /// Ids of log directories that take no new partitions (KIP-1066).
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
}

impl BrokerRegistration {
    pub(super) fn from_record(record: &RegisterBrokerRecord<'_>) -> Self {
        Self {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: record
                .end_points
                .iter()
                .map(|end| Endpoint {
                    listener: end.name.to_string(),
                    host: end.host.to_string(),
                    port: end.port,
                    security_protocol: end.security_protocol,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|feature| {
                    let range = FeatureRange { min: feature.min_supported_version, max: feature.max_supported_version };
                    (feature.name.to_string(), range)
                })
                .collect(),
            rack: record.rack.as_ref().map(ToString::to_string),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
            cordoned_log_dirs: record.cordoned_log_dirs.clone(),
        }
    }

    pub(super) fn change(&mut self, record: &BrokerRegistrationChangeRecord) {
        match record.fenced {
            -1 => self.fenced = false,
            1 => self.fenced = true,
            _ => {}
        }
        if record.in_controlled_shutdown == 1 {
            self.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            self.log_dirs.clone_from(&record.log_dirs);
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            self.cordoned_log_dirs = Some(cordoned.clone());
        }
    }

    /// As a record; in full, as registrations and snapshots have it.
    pub fn to_record(&self) -> RegisterBrokerRecord<'static> {
        RegisterBrokerRecord {
            broker_id: self.id,
            incarnation_id: self.incarnation,
            broker_epoch: self.epoch,
            end_points: self
                .endpoints
                .iter()
                .map(|end| register_broker_record::BrokerEndpoint {
                    name: end.listener.clone().into(),
                    host: end.host.clone().into(),
                    port: end.port,
                    security_protocol: end.security_protocol,
                    ..Default::default()
                })
                .collect(),
            features: self
                .features
                .iter()
                .map(|(name, range)| register_broker_record::BrokerFeature {
                    name: name.clone().into(),
                    min_supported_version: range.min,
                    max_supported_version: range.max,
                    ..Default::default()
                })
                .collect(),
            rack: self.rack.clone().map(Into::into),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.log_dirs.clone(),
            cordoned_log_dirs: self.cordoned_log_dirs.clone(),
            ..Default::default()
        }
    }
}

/// A controller that has registered (KIP-919).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// Its id.
    pub id: i32,
    /// New with each start.
    pub incarnation: Uuid,
    /// Left over from the move away from ZooKeeper.
    pub zk_migration_ready: bool,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// What it can work with, in the order it said so.
    pub features: Vec<(String, FeatureRange)>,
}

impl ControllerRegistration {
    pub(super) fn from_record(record: &RegisterControllerRecord<'_>) -> Self {
        Self {
            id: record.controller_id,
            incarnation: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            endpoints: record
                .end_points
                .iter()
                .map(|end| Endpoint {
                    listener: end.name.to_string(),
                    host: end.host.to_string(),
                    port: end.port,
                    security_protocol: end.security_protocol,
                })
                .collect(),
            features: record
                .features
                .iter()
                .map(|feature| {
                    let range = FeatureRange { min: feature.min_supported_version, max: feature.max_supported_version };
                    (feature.name.to_string(), range)
                })
                .collect(),
        }
    }

    /// As a record.
    pub fn to_record(&self) -> RegisterControllerRecord<'static> {
        RegisterControllerRecord {
            controller_id: self.id,
            incarnation_id: self.incarnation,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self
                .endpoints
                .iter()
                .map(|end| register_controller_record::ControllerEndpoint {
                    name: end.listener.clone().into(),
                    host: end.host.clone().into(),
                    port: end.port,
                    security_protocol: end.security_protocol,
                    ..Default::default()
                })
                .collect(),
            features: self
                .features
                .iter()
                .map(|(name, range)| register_controller_record::ControllerFeature {
                    name: name.clone().into(),
                    min_supported_version: range.min,
                    max_supported_version: range.max,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }
    }
}
