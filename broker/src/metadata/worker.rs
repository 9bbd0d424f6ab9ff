//! The controller's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, warn};
use wire::metadata::{BrokerRegistrationChangeRecord, MetadataRecord};

use super::controller::{Context, Shared};
use super::delta::Delta;
use super::error::{ControllerError, MetadataError};
use super::image::Image;
use super::leadership;
use super::log::{MetadataLog, NewBatch, metadata_version};
use super::request::Committed;

/// Operations that share one fsync at most.
const MAX_OPERATIONS_PER_FLUSH: usize = 1024;

type Records = Vec<MetadataRecord<'static>>;
type Reply = Box<dyn FnOnce(Result<Committed, ControllerError>) + Send>;
type Operation = Box<dyn FnOnce(&Context, &Image) -> (Records, Reply) + Send>;

/// Something for the thread to do.
pub(super) enum Command {
    Operation(Operation),
    Close(oneshot::Sender<Result<(), ControllerError>>),
}

impl Command {
    /// An operation that looks at the image and gives records, which are committed unless `validate_only`, and an
    /// answer, which is sent once they are.
    pub(super) fn operation<R: Send + 'static>(
        validate_only: bool,
        operation: impl FnOnce(&Context, &Image) -> (Records, R) + Send + 'static,
        reply: oneshot::Sender<Result<(R, Committed), ControllerError>>,
    ) -> Self {
        Self::Operation(Box::new(move |context, image| {
            let (records, result) = operation(context, image);
            let answer: Reply = Box::new(move |outcome| {
                // Nobody waits any more if the connection is gone.
                let _ = reply.send(outcome.map(|committed| (result, committed)));
            });
            (if validate_only { Records::new() } else { records }, answer)
        }))
    }
}

/// The one writer. Its image is ahead of the published one by the operations that are not flushed yet.
pub(super) struct Worker {
    log: MetadataLog,
    image: Image,
    published: Arc<Image>,
    epoch: i32,
    context: Context,
    shared: Arc<Shared>,
    failed: Option<Arc<str>>,
}

/// Operations that wait for their fsync.
#[derive(Default)]
struct Round {
    batches: Vec<NewBatch>,
    delta: Delta,
    replies: Vec<(Reply, Committed)>,
}

impl Worker {
    pub(super) fn new(log: MetadataLog, image: Arc<Image>, epoch: i32, context: Context, shared: Arc<Shared>) -> Self {
        Self { log, image: (*image).clone(), published: image, epoch, context, shared, failed: None }
    }

    /// Serves the queue until it is closed, or all handles are gone.
    pub(super) fn run(mut self, queue: &Receiver<Command>) {
        loop {
            let first = match self.wait(queue) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => {
                    self.maintain();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut round = Round::default();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Operation(operation) => self.execute(operation, &mut round),
                    Command::Close(reply) => {
                        self.finish(round);
                        let outcome = self.close();
                        let _ = reply.send(outcome);
                        return;
                    }
                }
                next = if round.replies.len() < MAX_OPERATIONS_PER_FLUSH { queue.try_recv().ok() } else { None };
            }
            self.finish(round);
            self.maintain();
        }
    }

    /// Waits for a command, or until a snapshot falls due.
    fn wait(&self, queue: &Receiver<Command>) -> Result<Command, RecvTimeoutError> {
        let due = if self.failed.is_some() { None } else { self.log.snapshot_due_ms() };
        match due {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let wait = u64::try_from(due.saturating_sub(super::now_ms())).unwrap_or(0);
                queue.recv_timeout(Duration::from_millis(wait))
            }
        }
    }

    /// Checks one operation against the image so far and adds its records to the round.
    fn execute(&mut self, operation: Operation, round: &mut Round) {
        let (records, reply) = operation(&self.context, &self.image);
        if let Some(reason) = &self.failed {
            reply(Err(ControllerError::Failed(Arc::clone(reason))));
            return;
        }
        match self.apply(&records, round) {
            Ok(()) => round.replies.push((reply, Committed { offset: self.image.offset, epoch: self.image.epoch })),
            Err(error) => {
                warn!(%error, "metadata operation refused");
                reply(Err(ControllerError::Failed(error.to_string().into())));
            }
        }
    }

    /// Applies records to the image and adds them to the round as one batch; or changes nothing.
    fn apply(&mut self, records: &[MetadataRecord<'static>], round: &mut Round) -> Result<(), MetadataError> {
        if records.is_empty() {
            return Ok(());
        }
        let (mut image, mut delta) = (self.image.clone(), Delta::default());
        let batch = NewBatch::metadata(records, metadata_version(&image))?;
        for record in records {
            image.apply(record, &mut delta)?;
        }
        image.offset += batch.len();
        image.epoch = self.epoch;
        round.batches.push(batch);
        round.delta.merge(delta);
        self.image = image;
        Ok(())
    }

    /// Makes a round durable, publishes it and answers.
    fn finish(&mut self, round: Round) {
        let Round { batches, delta, replies } = round;
        if !batches.is_empty() {
            if let Err(error) = self.log.append(&batches, self.epoch, super::now_ms()) {
                self.fail(&error);
                let reason: Arc<str> = error.to_string().into();
                for (reply, _) in replies {
                    reply(Err(ControllerError::Failed(Arc::clone(&reason))));
                }
                return;
            }
            self.context.metadata_version = metadata_version(&self.image);
            self.publish(&delta);
        }
        for (reply, committed) in replies {
            reply(Ok(committed));
        }
    }

    fn publish(&mut self, delta: &Delta) {
        self.published = Arc::new(self.image.clone());
        // A listener may subscribe another; it must not wait for this loop.
        let listeners = self.shared.listeners.read().clone();
        for listener in listeners {
            listener.changed(delta, &self.published);
        }
        self.shared.image.send_replace(Arc::clone(&self.published));
    }

    /// What was not flushed never was: the image goes back to what is published, and nothing more is written.
    fn fail(&mut self, error: &MetadataError) {
        error!(%error, "metadata log failed: no change to topics or configs until a restart");
        self.failed = Some(error.to_string().into());
        self.image = (*self.published).clone();
    }

    fn maintain(&mut self) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.log.maintain(&self.image, super::now_ms()) {
            self.fail(&error);
        }
    }

    fn close(&mut self) -> Result<(), ControllerError> {
        if let Some(reason) = &self.failed {
            return Err(ControllerError::Failed(Arc::clone(reason)));
        }
        self.fence().and_then(|()| self.log.close(&self.image, super::now_ms())).map_err(|error| {
            error!(%error, "metadata log not closed cleanly");
            ControllerError::Failed(error.to_string().into())
        })
    }

    /// The records of a controlled shutdown. The image with them is not published: nobody is served any more.
    fn fence(&mut self) -> Result<(), MetadataError> {
        let node = self.context.node_id;
        let change = |in_controlled_shutdown, fenced| BrokerRegistrationChangeRecord {
            broker_id: node,
            broker_epoch: self.context.broker_epoch,
            fenced,
            in_controlled_shutdown,
            ..Default::default()
        };
        let fenced: Records = vec![change(0, 1).into()];
        let mut stopping: Records = vec![change(1, 0).into()];
        stopping.extend(leadership::resign(&self.image, node));
        let mut round = Round::default();
        self.apply(&stopping, &mut round)?;
        self.apply(&fenced, &mut round)?;
        self.log.append(&round.batches, self.epoch, super::now_ms())
    }
}
