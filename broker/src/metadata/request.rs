//! What the controller is asked for, and what it answers to each item.

use uuid::Uuid;
use wire::ErrorCode;

use super::image::{ConfigResource, Image};

/// What is wrong with one item of a request: the code and text a client is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}{}{}", if message.is_some() { ": " } else { "" }, message.as_deref().unwrap_or(""))]
pub struct ApiError {
    /// Kafka's code.
    pub code: ErrorCode,
    /// Kafka's text; `None` where Kafka sends null.
    pub message: Option<String>,
}

impl ApiError {
    /// An error with a text of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// An error without text.
    pub fn bare(code: ErrorCode) -> Self {
        Self { code, message: None }
    }
}

impl From<&super::error::ControllerError> for ApiError {
    fn from(error: &super::error::ControllerError) -> Self {
        Self::new(ErrorCode::UnknownServerError, error.to_string())
    }
}

/// A topic to make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 for `num.partitions`, or with `assignments`.
    pub num_partitions: i32,
    /// Replicas of each partition; -1 for `default.replication.factor`, or with `assignments`.
    pub replication_factor: i16,
    /// Brokers for each partition, by partition number; empty to leave it to the controller.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Config overrides, in the order of the request.
    pub configs: Vec<(String, Option<String>)>,
}

/// A topic that was made, or with `validate_only` would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub num_partitions: i32,
    /// How many replicas each of them has.
    pub replication_factor: i16,
}

/// The answer to one [`NewTopic`]. As in Kafka a name that stands twice in a request gets one answer, after all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTopicResult {
    /// The topic's name.
    pub name: String,
    /// What became of it.
    pub outcome: Result<CreatedTopic, ApiError>,
}

/// A topic to delete: by name, or by id (then `name` is `None`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicSelector {
    /// Its name.
    pub name: Option<String>,
    /// Its id; nil with a name.
    pub id: Uuid,
}

/// The answer to one [`TopicSelector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteTopicResult {
    /// The topic's name, where it is known.
    pub name: Option<String>,
    /// Its id; nil where it is not known.
    pub id: Uuid,
    /// What is wrong, if anything.
    pub outcome: Result<(), ApiError>,
}

/// A topic that is to have more partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewPartitions {
    /// Its name.
    pub name: String,
    /// How many partitions it shall have in all.
    pub count: i32,
    /// Brokers for each new partition, or `None` to leave it to the controller.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// The answer to one [`NewPartitions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePartitionsResult {
    /// The topic's name.
    pub name: String,
    /// What is wrong, if anything.
    pub outcome: Result<(), ApiError>,
}

/// A resource as a request names it: a kind that Kafka may not know, and a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName {
    /// The number of the kind.
    pub kind: i8,
    /// The name.
    pub name: String,
}

/// What to do with one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The config's name.
    pub name: String,
    /// 0 set, 1 delete, 2 append to a list, 3 take from a list.
    pub operation: i8,
    /// The value; of no meaning to delete.
    pub value: Option<String>,
}

/// Configs to change one by one (IncrementalAlterConfigs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigAlteration {
    /// Whose.
    pub resource: ResourceName,
    /// What to do.
    pub changes: Vec<ConfigChange>,
}

/// Configs to replace as a whole (AlterConfigs, deprecated by Kafka).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReplacement {
    /// Whose.
    pub resource: ResourceName,
    /// All that it shall have.
    pub configs: Vec<(String, Option<String>)>,
}

/// The answer to one alteration or replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigResult {
    /// Whose.
    pub resource: ResourceName,
    /// What is wrong, if anything.
    pub outcome: Result<(), ApiError>,
}

/// Producer ids that nobody else is given, in this or any later life of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first.
    pub first: i64,
    /// How many.
    pub len: i32,
}

/// Where a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Offset of its last record.
    pub offset: i64,
    /// The controller's epoch.
    pub epoch: i32,
}

/// What a topic gets that does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
}

impl Default for TopicDefaults {
    fn default() -> Self {
        Self { num_partitions: 1, replication_factor: 1 }
    }
}

/// What the controller must be told about configs: their types, defaults and rules.
pub trait ConfigRules: Send + Sync {
    /// Checks the overrides that `resource` would have after a change, all of them, in the words of Kafka's validator.
    ///
    /// # Errors
    /// What the client is to be told: `INVALID_CONFIG` as a rule.
    fn check(
        &self,
        resource: &ConfigResource,
        before: &super::image::Configs,
        after: &super::image::Configs,
        image: &Image,
    ) -> Result<(), ApiError>;

    /// Checks changes of the configs of a broker, or of all brokers, where the rules are about single changes: some may
    /// not be made while a broker runs, and some only by steps. With `replace` the changes are all that shall be left.
    ///
    /// # Errors
    /// What the client is to be told: `INVALID_REQUEST` as a rule.
    fn check_broker(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        replace: bool,
        image: &Image,
    ) -> Result<(), ApiError>;

    /// Whether the config is a list, so that values can be appended to it and taken from it.
    fn is_list(&self, resource: &ConfigResource, name: &str) -> bool;

    /// The default of a config, as text; what a list is appended to where there is no override.
    fn default_value(&self, resource: &ConfigResource, name: &str) -> Option<String>;
}
