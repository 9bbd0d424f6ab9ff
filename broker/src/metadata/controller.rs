//! The controller: one thread that checks, logs and applies, and the handle everybody else has.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use commitlog::Env;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;
use wire::metadata::{MetadataRecord, ProducerIdsRecord};

use super::error::{ControllerError, MetadataError};
use super::image::{Acl, Endpoint, Image};
use super::log::{MetadataLog, MetadataLogSettings};
use super::request::{
    Committed, ConfigAlteration, ConfigReplacement, ConfigResult, ConfigRules, CreatePartitionsResult,
    CreateTopicResult, DeleteTopicResult, NewPartitions, NewTopic, ProducerIdBlock, TopicDefaults, TopicSelector,
};
use super::start;
use super::version::DIRECTORY_ASSIGNMENT;
use super::worker::{Command, Worker};
use super::{
    ApiError, Delta, Directory, DirectoryAssignment, assignments, configs, features, quotas, reassignments, scram,
    topics,
};

/// Producer ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const PRODUCER_ID_BLOCK: i32 = 1000;

/// What the controller needs to know to start.
pub struct Options {
    /// The directory whose metadata it is (`metadata.log.dir`, or the first of `log.dirs`).
    pub directory: Directory,
    /// Disk and budget of open files, as the logs of topics have.
    pub env: Arc<Env>,
    /// Ids of all log directories, this one among them if it holds topics.
    pub log_dirs: Vec<Uuid>,
    /// The broker's advertised listeners, without the controller's.
    pub endpoints: Vec<Endpoint>,
    /// The controller's listeners; may be empty.
    pub controller_endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// The broker epoch in `.kafka_cleanshutdown`; `None` if the last run did not stop cleanly.
    pub previous_broker_epoch: Option<i64>,
    /// `num.partitions`, `default.replication.factor`.
    pub defaults: TopicDefaults,
    /// `min.insync.replicas` of the configuration, which the first start makes the cluster's.
    pub min_insync_replicas: i32,
    /// How the metadata log is kept.
    pub log: MetadataLogSettings,
    /// Types, defaults and rules of configs.
    pub rules: Arc<dyn ConfigRules>,
}

/// What the checks of operations need besides the image.
pub(super) struct Context {
    pub(super) node_id: i32,
    pub(super) broker_epoch: i64,
    pub(super) log_dirs: Vec<Uuid>,
    pub(super) defaults: TopicDefaults,
    pub(super) rules: Arc<dyn ConfigRules>,
    pub(super) metadata_version: i16,
    pub(super) kraft_version: i16,
}

impl Context {
    /// Whether partitions name the directory they are in.
    pub(super) fn names_directories(&self) -> bool {
        self.metadata_version >= DIRECTORY_ASSIGNMENT
    }
}

/// Told of every change, in order, on the controller's thread, before whoever made the change hears of it: a topic
/// whose creation was answered is there. Must not wait for an operation of the controller.
pub trait Listener: Send + Sync {
    /// `image` is the metadata now, `delta` what is new in it.
    fn changed(&self, delta: &Delta, image: &Arc<Image>);
}

/// What the thread shares with the handles.
pub(super) struct Shared {
    pub(super) image: watch::Sender<Arc<Image>>,
    pub(super) listeners: RwLock<Vec<Arc<dyn Listener>>>,
}

/// A handle of the controller; clones are of the same. When the last one goes without [`Controller::close`], the
/// thread ends and leaves things as a kill would.
#[derive(Clone)]
pub struct Controller {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    identity: Arc<Identity>,
}

struct Identity {
    cluster_id: String,
    node_id: i32,
    broker_epoch: i64,
    kraft_version: i16,
    directory: PathBuf,
    directory_id: Uuid,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("node_id", &self.identity.node_id).finish_non_exhaustive()
    }
}

impl Controller {
    /// Replays the metadata, takes the next epoch, registers the broker and makes it leader of all partitions. Blocks
    /// until that is on disk.
    ///
    /// # Errors
    /// [`MetadataError`]: the metadata can't be read or written, or is that of a larger cluster.
    pub fn start(options: Options) -> Result<Self, MetadataError> {
        let now_ms = super::now_ms();
        let (mut log, replayed) = MetadataLog::open(&options.env, &options.directory.path, options.log, now_ms)?;
        let started = start::start(&mut log, replayed, &options, now_ms)?;
        let image = Arc::new(started.image);
        let shared =
            Arc::new(Shared { image: watch::Sender::new(Arc::clone(&image)), listeners: RwLock::new(Vec::new()) });
        let context = Context {
            node_id: options.directory.node_id,
            broker_epoch: started.broker_epoch,
            log_dirs: options.log_dirs,
            defaults: options.defaults,
            rules: options.rules,
            metadata_version: super::log::metadata_version(&image),
            kraft_version: started.kraft_version,
        };
        let (commands, queue) = mpsc::channel();
        let worker = Worker::new(log, image, started.epoch, context, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("controller".to_owned())
            .spawn(move || worker.run(&queue))
            .map_err(MetadataError::Thread)?;
        let identity = Identity {
            cluster_id: options.directory.cluster_id,
            node_id: options.directory.node_id,
            broker_epoch: started.broker_epoch,
            kraft_version: started.kraft_version,
            directory: options.directory.path,
            directory_id: options.directory.directory_id,
        };
        Ok(Self { commands, shared, thread: Arc::new(Mutex::new(Some(thread))), identity: Arc::new(identity) })
    }

    /// The metadata now.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.shared.image.borrow())
    }

    /// A receiver that always has the newest image, and can wait for the next.
    pub fn watch(&self) -> watch::Receiver<Arc<Image>> {
        self.shared.image.subscribe()
    }

    /// Tells `listener` of every change from now on. Changes made before are in [`Controller::image`]: subscribe
    /// before others can make changes, or take the image afterwards.
    pub fn subscribe(&self, listener: Arc<dyn Listener>) {
        self.shared.listeners.write().push(listener);
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.identity.cluster_id
    }

    /// This node's id, as broker and as controller.
    pub fn node_id(&self) -> i32 {
        self.identity.node_id
    }

    /// The epoch of the broker's registration, for `.kafka_cleanshutdown`.
    pub fn broker_epoch(&self) -> i64 {
        self.identity.broker_epoch
    }

    /// The level of `kraft.version` (KIP-853): with 1, as in all logs begun here, the voters stand in the log, and
    /// ApiVersions lists the feature among the finalized; 0 is not listed.
    pub fn kraft_version(&self) -> i16 {
        self.identity.kraft_version
    }

    /// The id of this node's directory as a voter has it (DescribeQuorum): nil with `kraft.version` 0.
    pub fn voter_directory_id(&self) -> Uuid {
        if self.identity.kraft_version > 0 { self.identity.directory_id } else { Uuid::nil() }
    }

    /// Where the metadata is.
    pub fn directory(&self) -> &std::path::Path {
        &self.identity.directory
    }

    /// Makes topics. With `validate_only` nothing is made, and the answers are those that making them would get, with
    /// ids that mean nothing.
    ///
    /// # Errors
    /// [`ControllerError`]: whether topics were made is not known.
    pub async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        validate_only: bool,
    ) -> Result<Vec<CreateTopicResult>, ControllerError> {
        self.run(validate_only, move |context, image| topics::create(context, image, &topics)).await
    }

    /// Deletes topics.
    ///
    /// # Errors
    /// [`ControllerError`]: whether topics were deleted is not known.
    pub async fn delete_topics(&self, topics: Vec<TopicSelector>) -> Result<Vec<DeleteTopicResult>, ControllerError> {
        self.run(false, move |_, image| topics::delete(image, &topics)).await
    }

    /// Adds partitions to topics.
    ///
    /// # Errors
    /// [`ControllerError`]: whether partitions were added is not known.
    pub async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        validate_only: bool,
    ) -> Result<Vec<CreatePartitionsResult>, ControllerError> {
        self.run(validate_only, move |context, image| topics::create_partitions(context, image, &topics)).await
    }

    /// Changes configs one by one (IncrementalAlterConfigs). What the broker itself must check of its own resource
    /// (which configs are dynamic, which values it can take) is in [`ConfigRules`].
    ///
    /// # Errors
    /// [`ControllerError`]: whether configs were changed is not known.
    pub async fn incremental_alter_configs(
        &self,
        alterations: Vec<ConfigAlteration>,
        validate_only: bool,
    ) -> Result<Vec<ConfigResult>, ControllerError> {
        self.run(validate_only, move |context, image| configs::alter(context, image, &alterations)).await
    }

    /// Replaces all configs of resources (AlterConfigs).
    ///
    /// # Errors
    /// [`ControllerError`]: whether configs were changed is not known.
    pub async fn alter_configs(
        &self,
        replacements: Vec<ConfigReplacement>,
        validate_only: bool,
    ) -> Result<Vec<ConfigResult>, ControllerError> {
        self.run(validate_only, move |context, image| configs::replace(context, image, &replacements)).await
    }

    /// Moves partitions to other brokers (AlterPartitionReassignments): answers in the order asked for. There is one
    /// broker, so a reassignment either asks for what is, or is refused.
    ///
    /// # Errors
    /// [`ControllerError`]: nothing was checked.
    pub async fn alter_reassignments(
        &self,
        reassignments: Vec<reassignments::Reassignment>,
    ) -> Result<Vec<Result<(), ApiError>>, ControllerError> {
        self.run(false, move |context, image| {
            let answers = reassignments.iter().map(|asked| reassignments::check(context, image, asked));
            (Vec::new(), answers.collect())
        })
        .await
    }

    /// Notes which log directories partitions are in (AssignReplicasToDirs).
    ///
    /// # Errors
    /// [`ControllerError`]: whether it was noted is not known.
    pub async fn assign_directories(&self, assignments: Vec<DirectoryAssignment>) -> Result<(), ControllerError> {
        self.run(false, move |context, image| (assignments::assign(context, image, &assignments), ())).await
    }

    /// Takes the leadership of all partitions in a directory that has failed, and notes that it is not usable.
    ///
    /// # Errors
    /// [`ControllerError`]: whether it was noted is not known.
    pub async fn directory_failed(&self, directory: Uuid) -> Result<(), ControllerError> {
        self.run(false, move |context, image| (assignments::directory_failed(context, image, directory), ())).await
    }

    /// Takes the next block of producer ids.
    ///
    /// # Errors
    /// [`ControllerError`]: no ids were given.
    pub async fn allocate_producer_ids(&self) -> Result<ProducerIdBlock, ControllerError> {
        self.run(false, |context, image| {
            let first = image.next_producer_id.unwrap_or(0);
            let record = ProducerIdsRecord {
                broker_id: context.node_id,
                broker_epoch: context.broker_epoch,
                next_producer_id: first + i64::from(PRODUCER_ID_BLOCK),
                ..Default::default()
            };
            (vec![record.into()], ProducerIdBlock { first, len: PRODUCER_ID_BLOCK })
        })
        .await
    }

    /// Changes the finalized levels of features (UpdateFeatures): all of them, or none and the error of the first that
    /// can't be.
    ///
    /// # Errors
    /// [`ControllerError`]: whether features were changed is not known.
    pub async fn update_features(
        &self,
        updates: Vec<features::FeatureUpdate>,
        validate_only: bool,
    ) -> Result<Result<(), ApiError>, ControllerError> {
        self.run(validate_only, move |context, image| features::update(context, image, &updates)).await
    }

    /// Sets and removes client quotas (AlterClientQuotas).
    ///
    /// # Errors
    /// [`ControllerError`]: whether quotas were changed is not known.
    pub async fn alter_client_quotas(
        &self,
        alterations: Vec<quotas::QuotaAlteration>,
        validate_only: bool,
    ) -> Result<Vec<quotas::QuotaResult>, ControllerError> {
        self.run(validate_only, move |_, image| quotas::alter(image, &alterations)).await
    }

    /// Sets and removes SCRAM credentials (AlterUserScramCredentials).
    ///
    /// # Errors
    /// [`ControllerError`]: whether credentials were changed is not known.
    pub async fn alter_scram_credentials(
        &self,
        deletions: Vec<scram::ScramDeletion>,
        upsertions: Vec<scram::ScramUpsertion>,
    ) -> Result<Vec<scram::ScramResult>, ControllerError> {
        self.run(false, move |_, image| scram::alter(image, &deletions, &upsertions)).await
    }

    /// Adds ACLs that the caller has checked; those that exist are left as they are.
    ///
    /// # Errors
    /// [`ControllerError`]: whether ACLs were added is not known.
    pub async fn create_acls(&self, acls: Vec<Acl>) -> Result<(), ControllerError> {
        self.run(false, move |_, image| (super::acls::create(image, acls), ())).await
    }

    /// Deletes all ACLs that `matches`, and returns them.
    ///
    /// # Errors
    /// [`ControllerError`]: whether ACLs were deleted is not known.
    pub async fn delete_acls(
        &self,
        matches: impl Fn(&Acl) -> bool + Send + 'static,
    ) -> Result<Vec<Acl>, ControllerError> {
        self.run(false, move |_, image| super::acls::delete(image, matches)).await
    }

    /// Commits records as they are, as one batch. For what has no call of its own; the caller has checked them.
    ///
    /// # Errors
    /// [`ControllerError::Failed`] also if a record does not fit to the image; nothing was changed then.
    pub async fn commit(&self, records: Vec<MetadataRecord<'static>>) -> Result<Committed, ControllerError> {
        self.submit(false, move |_, _| (records, ())).await.map(|((), committed)| committed)
    }

    /// Fences the broker: partitions have no leader from now on. Writes a snapshot where one is worth it, and closes
    /// the log. For a stop, after the logs of topics were closed; then `.kafka_cleanshutdown` may be written, with
    /// [`Controller::broker_epoch`].
    ///
    /// # Errors
    /// [`ControllerError`]: the stop is not a clean one.
    pub async fn close(&self) -> Result<(), ControllerError> {
        let (reply, closed) = oneshot::channel();
        self.commands.send(Command::Close(reply)).map_err(|_| ControllerError::Closed)?;
        let outcome = closed.await.map_err(|_| ControllerError::Closed)?;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It has answered and does nothing more.
            let _ = thread.join();
        }
        outcome
    }

    async fn run<R: Send + 'static>(
        &self,
        validate_only: bool,
        operation: impl FnOnce(&Context, &Image) -> (Vec<MetadataRecord<'static>>, R) + Send + 'static,
    ) -> Result<R, ControllerError> {
        self.submit(validate_only, operation).await.map(|(result, _)| result)
    }

    async fn submit<R: Send + 'static>(
        &self,
        validate_only: bool,
        operation: impl FnOnce(&Context, &Image) -> (Vec<MetadataRecord<'static>>, R) + Send + 'static,
    ) -> Result<(R, Committed), ControllerError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::operation(validate_only, operation, reply);
        self.commands.send(command).map_err(|_| ControllerError::Closed)?;
        answer.await.map_err(|_| ControllerError::Closed)?
    }
}
