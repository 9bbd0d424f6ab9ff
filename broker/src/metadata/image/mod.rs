//! What the metadata log says, up to one of its records: immutable once published, and cheap to clone.
//!
//! The maps are persistent: a new image shares all that a change left alone with the one before it, so a change to one
//! topic among ten thousand copies a handful of nodes.

mod apply;
mod cluster;
mod security;
mod topics;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use rpds::HashTrieMapSync;
use uuid::Uuid;

pub use apply::ReplayError;
pub use cluster::{BrokerRegistration, ControllerRegistration, Endpoint, FeatureRange};
pub use security::{Acl, DelegationToken, QuotaEntity, ScramCredential};
pub use topics::{NO_LEADER, Partition, Topic, Topics};

/// What a config belongs to: the numbers are those of `ConfigResource.Type` in Kafka, as in `ConfigRecord`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    /// Which kind.
    pub kind: ConfigResourceKind,
    /// Its name; empty is the default of all brokers.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// The resource `name` of a kind.
    pub fn new(kind: ConfigResourceKind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }

    /// The config overrides of a topic.
    pub fn topic(name: &str) -> Self {
        Self::new(ConfigResourceKind::Topic, name)
    }

    /// The dynamic config of one broker.
    pub fn broker(id: i32) -> Self {
        Self::new(ConfigResourceKind::Broker, &id.to_string())
    }

    /// The dynamic config of all brokers.
    pub fn cluster() -> Self {
        Self::new(ConfigResourceKind::Broker, "")
    }
}

/// The kinds of resource whose configs stand in the metadata log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i8)]
pub enum ConfigResourceKind {
    /// A topic.
    Topic = 2,
    /// A broker, or with an empty name all of them.
    Broker = 4,
    /// A client telemetry subscription (KIP-714).
    ClientMetrics = 16,
    /// A group (KIP-848).
    Group = 32,
}

impl ConfigResourceKind {
    /// The kind with this number.
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }
}

/// The config overrides of one resource.
pub type Configs = BTreeMap<String, String>;

/// The metadata, up to and including the record at [`Image::offset`].
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Offset of the last record that is in it; -1 if there is none. Kafka's `finalized_features_epoch`.
    pub offset: i64,
    /// Epoch of that record: the controller's epoch.
    pub epoch: i32,
    /// Topics by name and id.
    pub topics: Topics,
    /// Finalized levels of features, `metadata.version` among them. A level of 0 is not kept.
    pub features: Arc<BTreeMap<String, i16>>,
    /// Brokers by id: here only ever one that matters, but a log may name others that were unregistered later.
    pub brokers: Arc<BTreeMap<i32, BrokerRegistration>>,
    /// Controllers by id.
    pub controllers: Arc<BTreeMap<i32, ControllerRegistration>>,
    /// The first producer id that is in no block yet; `None` before the first block.
    pub next_producer_id: Option<i64>,
    /// Config overrides; see [`Image::config`].
    configs: HashTrieMapSync<ConfigResource, Arc<Configs>>,
    /// Client quotas by whom they apply to: quota name to value.
    pub quotas: HashTrieMapSync<QuotaEntity, Arc<BTreeMap<String, f64>>>,
    /// SCRAM credentials by user and mechanism (1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512).
    pub scram: HashTrieMapSync<(Arc<str>, i8), Arc<ScramCredential>>,
    /// ACLs by their id.
    pub acls: HashTrieMapSync<Uuid, Arc<Acl>>,
    /// Delegation tokens by token id.
    pub tokens: HashTrieMapSync<Arc<str>, Arc<DelegationToken>>,
    no_configs: Arc<Configs>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            offset: -1,
            epoch: -1,
            topics: Topics::default(),
            features: Arc::default(),
            brokers: Arc::default(),
            controllers: Arc::default(),
            next_producer_id: None,
            configs: HashTrieMapSync::new_sync(),
            quotas: HashTrieMapSync::new_sync(),
            scram: HashTrieMapSync::new_sync(),
            acls: HashTrieMapSync::new_sync(),
            tokens: HashTrieMapSync::new_sync(),
            no_configs: Arc::default(),
        }
    }
}

/// Name of the feature that says which records and record versions may be written.
pub const METADATA_VERSION: &str = "metadata.version";
/// Name of the feature that keeps eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

impl Image {
    /// The topic called `name`.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.by_name(name)
    }

    /// The topic with this id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.by_id(id)
    }

    /// The config overrides of a resource; empty if it has none.
    pub fn config(&self, resource: &ConfigResource) -> &Arc<Configs> {
        self.configs.get(resource).unwrap_or(&self.no_configs)
    }

    /// The config overrides of a topic.
    pub fn topic_config(&self, name: &str) -> &Arc<Configs> {
        self.config(&ConfigResource::topic(name))
    }

    /// Every resource with config overrides, in no order.
    pub fn configs(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<Configs>)> {
        self.configs.iter()
    }

    /// The registration of a broker.
    pub fn broker(&self, id: i32) -> Option<&BrokerRegistration> {
        self.brokers.get(&id)
    }

    /// The finalized level of a feature; 0 if it is not finalized.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// Whether eligible leader replicas are kept (KIP-966).
    pub fn elr_enabled(&self) -> bool {
        self.feature(ELIGIBLE_LEADER_REPLICAS) > 0
    }
}
