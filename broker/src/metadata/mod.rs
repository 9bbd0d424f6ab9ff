//! The controller and its metadata: what KRaft is in Apache Kafka, for a broker that is its own quorum of one.
//!
//! Topics, partitions, configs, features, producer id blocks, quotas, SCRAM credentials, ACLs and delegation tokens
//! are Kafka's metadata records in `__cluster_metadata-0`. One thread writes them; everybody else reads an [`Image`].
//!
//! ```text
//! create_topics(…) ─┐                      ┌─ fsync ─┐
//! alter_configs(…) ─┼─> queue ─> checks ─> append ─> apply ─> listeners ─> watch ─> replies
//! commit(…)        ─┘          (against the image so far)
//! ```
//!
//! All operations that wait when the thread comes round are checked one after the other, each against the outcome of
//! those before, appended, and flushed by one fsync: as in Kafka, nothing is answered before it is on disk, and a
//! hundred topics made at once cost one fsync.
//!
//! # What to call
//!
//! ```text
//! // At start, in this order. Blocking.
//! Directory::open(path, node_id, cluster_id: Option<&str>) -> Result<Directory, DirectoryError>
//!     // reads meta.properties, or formats an empty directory; Directory { path, node_id, cluster_id, directory_id, … }
//! Controller::start(Options) -> Result<Controller, MetadataError>
//!     // replays snapshot and log, takes the next epoch, registers and unfences the broker, elects leaders
//!
//! // Reading: nothing blocks.
//! controller.image() -> Arc<Image>            controller.watch() -> watch::Receiver<Arc<Image>>
//! image.topic("name") -> Option<&Arc<Topic>>  image.topic_by_id(id)   image.topics.iter() (sorted by name), .from(name)
//! topic.partitions: Vec<Partition { leader, leader_epoch, partition_epoch, isr, replicas, directories, … }>
//! image.topic_config("name") -> &Arc<Configs>                  image.config(&ConfigResource)
//! image.features, image.broker(id), image.next_producer_id, image.quotas, image.scram, image.acls, image.tokens
//! image.offset, image.epoch                   // last committed record: finalized_features_epoch, controller epoch
//! controller.cluster_id(), node_id(), broker_epoch(), kraft_version(), voter_directory_id()
//!
//! // Following: called on the controller's thread in order of commit, before the reply to whoever made the change.
//! controller.subscribe(Arc<dyn Listener>)     // Listener::changed(&self, &Delta, &Arc<Image>)
//!
//! // Writing. Cancellation-safe: an operation that is queued happens, whether or not somebody waits for it.
//! create_topics(Vec<NewTopic>, validate_only)            -> Vec<CreateTopicResult>
//! delete_topics(Vec<TopicSelector>)                      -> Vec<DeleteTopicResult>
//! create_partitions(Vec<NewPartitions>, validate_only)   -> Vec<CreatePartitionsResult>
//! incremental_alter_configs(Vec<ConfigAlteration>, …), alter_configs(Vec<ConfigReplacement>, …) -> Vec<ConfigResult>
//! allocate_producer_ids()                                -> ProducerIdBlock { first, len: 1000 }
//! assign_directories(Vec<DirectoryAssignment>), directory_failed(Uuid)
//! alter_reassignments, update_features, alter_client_quotas, alter_scram_credentials, create_acls, delete_acls
//! commit(Vec<MetadataRecord>)                            -> Committed { offset, epoch }, for what has no call above
//! close()                                                // fences the broker, snapshot where due
//! ```
//!
//! All of the writing calls are `async` and answer `Err(ControllerError)` only where the log failed or the controller
//! is closed; what is wrong with one item is in that item's result, with Kafka's error code and words.
//!
//! # On disk
//!
//! `meta.properties` and `bootstrap.checkpoint` as `kafka-storage format` writes them; `__cluster_metadata-0` is a log
//! of record batches (v2) with one control batch (`LeaderChange`) per epoch, of which the first also names the voters;
//! `quorum-state`; and snapshots named `<end offset>-<epoch>.checkpoint`. A batch is the unit of atomicity: recovery
//! cuts the log at the first torn batch, and a batch that was not flushed was not answered.

mod acls;
mod assignments;
mod batch;
mod configs;
mod controller;
mod delta;
mod directory;
mod error;
mod features;
mod files;
mod ids;
mod image;
mod leadership;
mod log;
mod quorum_state;
mod quotas;
mod reassignments;
mod request;
mod scram;
mod snapshot;
mod start;
mod time;
mod topic_name;
mod topics;
mod version;
mod voters;
mod worker;

pub use assignments::DirectoryAssignment;
pub use batch::BatchError;
pub use controller::{Controller, Listener, Options};
pub use delta::{Delta, TopicChange};
pub use directory::{DEFAULT_FEATURES, Directory, DirectoryError};
pub use error::{ControllerError, MetadataError};
pub use features::{FeatureUpdate, SUPPORTED as SUPPORTED_FEATURES};
pub use ids::{METADATA_TOPIC_ID, random_id};
pub use image::*;
pub use log::{METADATA_LOG, MetadataLogSettings};
pub use quorum_state::QuorumStateError;
pub use quotas::{QuotaAlteration, QuotaOperation, QuotaResult};
pub use reassignments::Reassignment;
pub use request::{
    ApiError, Committed, ConfigAlteration, ConfigChange, ConfigReplacement, ConfigResult, ConfigRules,
    CreatePartitionsResult, CreateTopicResult, CreatedTopic, DeleteTopicResult, NewPartitions, NewTopic,
    ProducerIdBlock, ResourceName, TopicDefaults, TopicSelector,
};
pub use scram::{ScramDeletion, ScramResult, ScramUpsertion};
pub use snapshot::{RecordError, SnapshotError};
pub use topic_name::check_topic_name;
pub use version::{LATEST_METADATA_VERSION, OLDEST_METADATA_VERSION, metadata_version_name};
pub use wire::metadata::MetadataRecord;

#[cfg(test)]
mod tests;

use controller::Context;
use time::now_ms;
