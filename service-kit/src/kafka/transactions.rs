//! Writing groups of records, each as a whole or not at all, outside a consumer's loop.
//!
//! Groups that are given while a transaction is under way go together into the next one, so that many writers share the
//! cost of a commit.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::Failure;
use crate::handle::Counter;
use crate::kafka::connection::Kafka;
use crate::kafka::fence::{Fence, Standing};
use crate::kafka::producer::SendError;
use crate::kafka::record::{Output, Place};
use crate::kafka::session::{Ended, STEP, Session, Stop};

/// Most records and bytes of a transaction; one group always fits.
const MOST_RECORDS: usize = 4_000;
const MOST_BYTES: usize = 16 << 20;

/// Writes groups of records with transactions. Cheap to clone; the transactions end when the last clone is dropped.
#[derive(Clone)]
pub struct Transactions {
    to: mpsc::UnboundedSender<Group>,
    produced: Counter,
}

/// Records that become visible together.
struct Group {
    place: Place,
    outputs: Vec<Output>,
    done: oneshot::Sender<Result<Vec<i64>, SendError>>,
}

impl Kafka {
    /// Transactions for what is written on behalf of a consumer's partitions. `id` is the transactional id, of which
    /// only one process may be alive; what a killed process has left open is rolled back after ten seconds, or when the
    /// id is used again.
    ///
    /// # Errors
    /// Settings that contradict each other (exit code 64), or a coordinator that refuses us (77) or is not there before
    /// the token is cancelled (69).
    pub async fn transactions(
        &self,
        id: &str,
        fence: Fence,
        shutdown: &CancellationToken,
    ) -> Result<Transactions, Failure> {
        let (to, from) = mpsc::unbounded_channel();
        let (begun, ready) = oneshot::channel();
        let (kafka, id, shutdown) = (self.clone(), id.to_owned(), shutdown.clone());
        let runtime = Runtime::current();
        let work = move || {
            let opened = Session::open(&kafka, &id, Some(id.clone()), runtime.clone(), &shutdown);
            let (session, result) = match opened {
                Ok(session) => (Some(session), Ok(())),
                Err(failure) => (None, Err(failure)),
            };
            // The caller may have stopped waiting.
            let _ = begun.send(result);
            if let Some(session) = session {
                Worker { session, id, fence, runtime, from }.run();
            }
        };
        std::thread::Builder::new()
            .name("transactions".to_owned())
            .spawn(work)
            .map_err(|error| Failure::unavailable(format!("no thread for transactions: {error}")))?;
        ready.await.unwrap_or_else(|_| Err(Failure::software("the thread of the transactions panicked")))?;
        Ok(Transactions { to, produced: self.handle().counter("produced") })
    }
}

impl Transactions {
    /// Writes records, all of them or none, behind those of earlier calls; the future waits until they are committed and
    /// gives their offsets, in their order. Calls made meanwhile are held in memory. A rebalance on the way is waited
    /// out. `place` is the partition the records are written on behalf of.
    ///
    /// # Errors
    /// [`SendError::Lost`] when the partition is another instance's by now, [`SendError::Rejected`] when one of the
    /// records will never be taken: nothing of the group was written then, and others can still be.
    /// [`SendError::Unwritable`] when it is not known whether the group was written and no other will be.
    pub fn write(
        &self,
        place: Place,
        outputs: Vec<Output>,
    ) -> impl Future<Output = Result<Vec<i64>, SendError>> + Send + 'static {
        let (topic, count, produced) = (place.topic.to_string(), outputs.len() as u64, self.produced.clone());
        let (done, result) = oneshot::channel();
        // Where nobody takes it, `done` is dropped.
        let _ = self.to.send(Group { place, outputs, done });
        async move {
            let reason = || "the transactions have ended".to_owned();
            let ended = |_| SendError::Unwritable { topic, reason: reason(), forbidden: false };
            let offsets = result.await.map_err(ended)??;
            produced.add(count);
            Ok(offsets)
        }
    }
}

struct Worker {
    session: Session,
    id: String,
    fence: Fence,
    runtime: Runtime,
    from: mpsc::UnboundedReceiver<Group>,
}

impl Worker {
    fn run(mut self) {
        while let Some(first) = self.from.blocking_recv() {
            let groups = self.gather(first);
            if let Err(stop) = self.carry_out(groups) {
                // The groups that were under way are dropped, which tells their writers.
                if let Stop::Failed(failure) = stop {
                    tracing::error!(id = self.id, %failure, "transactions ended");
                }
                return;
            }
        }
    }

    /// The groups that wait now.
    fn gather(&mut self, first: Group) -> Vec<Group> {
        let mut groups = vec![first];
        let mut records = groups[0].outputs.len();
        let mut bytes: usize = groups[0].outputs.iter().map(Output::size).sum();
        while records < MOST_RECORDS && bytes < MOST_BYTES {
            let Ok(group) = self.from.try_recv() else { break };
            records += group.outputs.len();
            bytes += group.outputs.iter().map(Output::size).sum::<usize>();
            groups.push(group);
        }
        groups
    }

    fn carry_out(&mut self, mut groups: Vec<Group>) -> Result<(), Stop> {
        loop {
            let standing = self.fence.standing();
            groups = Self::still_ours(groups, standing.as_deref());
            let Some(standing) = standing.filter(|_| !groups.is_empty()) else { return Ok(()) };
            match self.attempt(&groups, &standing) {
                Ok(offsets) => {
                    for (group, offsets) in groups.into_iter().zip(offsets) {
                        // The writer may have stopped waiting.
                        let _ = group.done.send(Ok(offsets));
                    }
                    return Ok(());
                }
                Err(Ended::Rejected(index, error)) => {
                    let _ = groups.remove(index).done.send(Err(error));
                    self.session.abort()?;
                }
                Err(Ended::Stop(Stop::Outdated(reason))) => {
                    info!(id = self.id, reason, "transaction rolled back; it is tried again after the rebalance");
                    self.session.abort()?;
                    self.after(&standing)?;
                }
                Err(Ended::Stop(Stop::Abort(reason))) => {
                    info!(id = self.id, reason, "transaction rolled back; it is tried again");
                    self.session.abort()?;
                    self.session.patience()?;
                }
                Err(Ended::Stop(Stop::Reopen(reason))) => self.session.reopen(&reason)?,
                Err(Ended::Stop(stop)) => return Err(stop),
            }
        }
    }

    /// Turns away the groups whose partition is another instance's.
    fn still_ours(groups: Vec<Group>, standing: Option<&Standing>) -> Vec<Group> {
        let ours = |group: &Group| standing.is_some_and(|standing| standing.has(&group.place));
        let (ours, lost): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(ours);
        for group in lost {
            let error = SendError::Lost { place: group.place.to_string() };
            let _ = group.done.send(Err(error));
        }
        ours
    }

    /// One transaction; gives the offsets of each group's records.
    fn attempt(&mut self, groups: &[Group], standing: &Standing) -> Result<Vec<Vec<i64>>, Ended> {
        let places: BTreeSet<&Place> = groups.iter().map(|group| &group.place).collect();
        let positions = self.fence.offsets(places);
        let mut offsets: Vec<Vec<i64>> = groups.iter().map(|group| Vec::with_capacity(group.outputs.len())).collect();
        for (index, offset) in self.session.transaction(outputs(groups), &positions, Some(&standing.member))? {
            offsets[index].push(offset);
        }
        Ok(offsets)
    }

    /// Waits until the standing is another one.
    fn after(&mut self, old: &Arc<Standing>) -> Result<(), Stop> {
        let mut rebalances = self.fence.watch();
        while rebalances.borrow_and_update().as_ref().is_some_and(|now| Arc::ptr_eq(now, old)) {
            self.session.patience()?;
            // Time and again, since the service may be told to stop meanwhile.
            let _ = self.runtime.block_on(async { timeout(STEP, rebalances.changed()).await });
        }
        Ok(())
    }
}

fn outputs(groups: &[Group]) -> impl Iterator<Item = (usize, &Output)> {
    groups.iter().enumerate().flat_map(|(index, group)| group.outputs.iter().map(move |output| (index, output)))
}
