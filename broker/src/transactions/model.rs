//! Random schedules against the shard: producers that begin, write, end, go on after errors, fence each other and come
//! too late, transactions that time out, a coordinator that crashes between a decision and its markers, and the
//! invariants of transactions after every step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use wire::ErrorCode;

use super::codec::{self, EncodedRecord};
use super::log::Marker;
use super::metadata::{LAST_EPOCH, Name, Partition, Transaction};
use super::request::{EndRequest, InitRequest, Outcome, PartitionsRequest, ProducerIdentity};
use super::shard::{Change, Decision, MarkerJob, Now, Shard};
use super::state::TransactionState;

const PARTITIONS: usize = 2;
const CLIENTS: usize = 3;
const IDS: usize = 2;
const TIMEOUT_MS: i32 = 1000;

#[derive(Debug, Clone)]
enum Step {
    /// Takes a transactional id, as a new producer.
    Init {
        client: usize,
    },
    /// Goes on after an error, under the identity it has.
    Continue {
        client: usize,
    },
    /// Verifies or adds a partition, and has a write on its way to it.
    Begin {
        client: usize,
        partition: usize,
    },
    /// The oldest write on its way arrives.
    Arrive {
        client: usize,
    },
    End {
        client: usize,
        commit: bool,
    },
    Advance(i64),
    /// The coordinator crashes and comes back.
    Restart,
    /// The coordinator will crash when it next decides a transaction, after so many markers.
    CrashAfter {
        markers: usize,
    },
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        2 => client.clone().prop_map(|client| Step::Init { client }),
        1 => client.clone().prop_map(|client| Step::Continue { client }),
        6 => (client.clone(), 0..PARTITIONS).prop_map(|(client, partition)| Step::Begin { client, partition }),
        6 => client.clone().prop_map(|client| Step::Arrive { client }),
        4 => (client, any::<bool>()).prop_map(|(client, commit)| Step::End { client, commit }),
        1 => (1i64..1500).prop_map(Step::Advance),
        1 => Just(Step::Restart),
        1 => (0..=PARTITIONS).prop_map(|markers| Step::CrashAfter { markers }),
        1 => Just(Step::Expire),
    ]
}

/// What stands in a partition.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Write { producer: i64, write: u32 },
    Marker { producer: i64, commit: bool },
}

/// What a partition knows of a producer: its epoch, whether it has a transaction open, and how many markers have
/// come, which is what makes an older verification void.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    epoch: i16,
    open: bool,
    ended: u32,
}

/// A partition with the rules of the log for epochs and verifications.
#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    known: HashMap<i64, Known>,
    last_stable: usize,
}

impl Log {
    fn write(&mut self, producer: ProducerIdentity, verified: u32, write: u32) -> bool {
        let known = self.known.entry(producer.id).or_default();
        if producer.epoch < known.epoch || (!known.open && verified != known.ended) {
            return false;
        }
        // A transaction that is open under another epoch has not been verified for this one.
        if known.open && producer.epoch != known.epoch {
            return false;
        }
        (known.epoch, known.open) = (producer.epoch, true);
        self.entries.push(Entry::Write { producer: producer.id, write });
        true
    }

    fn end(&mut self, marker: &Marker) {
        let known = self.known.entry(marker.producer.id).or_default();
        let epoch = marker.producer.epoch;
        let bumped = marker.transaction_version >= 2 && known.open;
        let stale = if bumped { epoch <= known.epoch } else { epoch < known.epoch };
        if stale {
            return;
        }
        (known.epoch, known.open, known.ended) = (epoch, false, known.ended + 1);
        self.entries.push(Entry::Marker { producer: marker.producer.id, commit: marker.commit });
    }

    /// What read_committed sees, and where it has to stop.
    fn read_committed(&self) -> (BTreeSet<u32>, usize) {
        let mut open: BTreeMap<i64, (usize, Vec<u32>)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (offset, entry) in self.entries.iter().enumerate() {
            match *entry {
                Entry::Write { producer, write } => {
                    open.entry(producer).or_insert((offset, Vec::new())).1.push(write);
                }
                Entry::Marker { producer, commit } => {
                    let writes = open.remove(&producer).map(|(_, writes)| writes);
                    seen.extend(writes.into_iter().flatten().filter(|_| commit));
                }
            }
        }
        let stable = open.values().map(|(first, _)| *first).min().unwrap_or(self.entries.len());
        (seen, stable)
    }
}

/// A write that was verified and has not arrived.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    producer: ProducerIdentity,
    partition: usize,
    verified: u32,
}

#[derive(Debug, Default)]
struct Client {
    producer: Option<ProducerIdentity>,
    in_flight: Vec<InFlight>,
    /// Writes of the transaction that arrived.
    written: Vec<u32>,
    /// How it wished to end its transaction, while it has no answer: until then it only asks again.
    ending: Option<bool>,
}

struct World {
    shard: Shard,
    records: Vec<EncodedRecord>,
    logs: Vec<Log>,
    clients: Vec<Client>,
    /// Writes whose transaction is not decided, by transactional id.
    undecided: HashMap<Name, Vec<u32>>,
    committed: BTreeSet<u32>,
    aborted: BTreeSet<u32>,
    crash_after: Option<usize>,
    epochs: HashMap<i64, i16>,
    now: Now,
    next_id: i64,
    next_write: u32,
    coordinator_epoch: i32,
}

impl World {
    fn new(feature_level: i16, first_epoch: i16) -> Self {
        let mut world = Self {
            shard: Shard::new(0),
            records: Vec::new(),
            logs: (0..PARTITIONS).map(|_| Log::default()).collect(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            undecided: HashMap::new(),
            committed: BTreeSet::new(),
            aborted: BTreeSet::new(),
            crash_after: None,
            epochs: HashMap::new(),
            now: Now { ms: 1_700_000_000_000, feature_level },
            next_id: 100,
            next_write: 0,
            coordinator_epoch: 0,
        };
        for index in 0..IDS {
            let start = Transaction { producer_epoch: first_epoch, ..Transaction::new(index as i64, TIMEOUT_MS, 0) };
            world.append(Change { id: id_of(index), value: Some(start) });
        }
        world
    }

    /// Writes a record and what comes of it; `None` if the coordinator crashed over it.
    fn append(&mut self, change: Change) -> Option<()> {
        let record = codec::encode(&change.id, change.value.as_ref(), self.now.feature_level).unwrap();
        self.records.push(record);
        if let Some(next) = &change.value {
            self.check_epochs(next);
            if next.state.is_prepared() {
                self.decided(&change.id, next.state == TransactionState::PrepareCommit);
            }
        }
        let job = self.shard.written(change);
        job.map_or(Some(()), |job| self.finish(&job))
    }

    fn check_epochs(&mut self, next: &Transaction) {
        let latest = self.epochs.entry(next.producer_id).or_insert(next.producer_epoch);
        assert!(next.producer_epoch >= *latest, "the epoch of producer {} went back", next.producer_id);
        *latest = next.producer_epoch;
    }

    fn decided(&mut self, id: &Name, commit: bool) {
        for write in self.undecided.remove(id).unwrap_or_default() {
            let (into, other) = match commit {
                true => (&mut self.committed, &self.aborted),
                false => (&mut self.aborted, &self.committed),
            };
            assert!(!other.contains(&write) && into.insert(write), "write {write} was decided twice");
        }
    }

    fn finish(&mut self, job: &MarkerJob) -> Option<()> {
        let crash = self.crash_after.take();
        for (written, (_, partition)) in job.partitions.iter().enumerate() {
            if crash == Some(written) {
                break;
            }
            self.logs[usize::try_from(*partition).unwrap()].end(&job.marker);
        }
        if crash.is_some() {
            self.restart();
            return None;
        }
        let change = self.shard.markers_written(self.now, job).expect("the transaction waits for its markers");
        self.append(change)
    }

    fn restart(&mut self) {
        self.coordinator_epoch += 1;
        self.shard = Shard::new(self.coordinator_epoch);
        for record in &self.records {
            let (id, value) = codec::decode(&record.key, record.value.as_deref()).unwrap();
            self.shard.replay(id, value);
        }
        for job in self.shard.unfinished() {
            self.finish(&job);
        }
    }

    /// One request; a crash loses the answer.
    fn ask<T>(&mut self, decide: impl Fn(&Shard, Now, Option<i64>) -> Decision<T>) -> Outcome<T> {
        let mut drawn = None;
        loop {
            match decide(&self.shard, self.now, drawn) {
                Decision::Answer(answer) => return answer,
                Decision::NeedsProducerId => {
                    assert_eq!(drawn, None, "an id was drawn for nothing");
                    drawn = Some(self.next_id);
                    self.next_id += 1;
                }
                Decision::Write(change, answer) => {
                    return self.append(change).ok_or(ErrorCode::NotCoordinator).and(answer);
                }
            }
        }
    }

    fn init(&mut self, client: usize, known: Option<ProducerIdentity>) {
        let request = InitRequest { id: id_of(client % IDS), timeout_ms: TIMEOUT_MS, known };
        let answer = self.ask(|shard, now, fresh_id| shard.init_producer_id(now, &request, fresh_id));
        if let Ok(producer) = answer {
            self.clients[client].producer = Some(producer);
            self.clients[client].written.clear();
            self.clients[client].ending = None;
        }
    }

    fn begin(&mut self, client: usize, index: usize) {
        let Some(producer) = self.clients[client].producer.filter(|_| self.clients[client].ending.is_none()) else {
            return;
        };
        let verified = self.logs[index].known.get(&producer.id).map_or(0, |known| known.ended);
        let request = PartitionsRequest {
            id: id_of(client % IDS),
            producer,
            partitions: vec![partition(index)],
            client_version: version_of(client),
        };
        if self.ask(|shard, now, _| shard.add_partitions(now, &request)).is_ok() {
            assert_eq!(self.shard.verify_partitions(&request), Ok(vec![Ok(())]));
            self.clients[client].in_flight.push(InFlight { producer, partition: index, verified });
        }
    }

    fn arrive(&mut self, client: usize) {
        if self.clients[client].in_flight.is_empty() {
            return;
        }
        let InFlight { producer, partition: index, verified } = self.clients[client].in_flight.remove(0);
        let write = self.next_write;
        self.next_write += 1;
        if !self.logs[index].write(producer, verified, write) {
            return;
        }
        let id = id_of(client % IDS);
        let transaction = self.shard.describe(&id).expect("a producer that writes has an id");
        assert_eq!(transaction.state, TransactionState::Ongoing, "a write came in after the end");
        assert_eq!(transaction.producer(), producer, "a zombie's write was taken");
        assert!(transaction.partitions.contains(&partition(index)), "a write to a partition that gets no marker");
        self.undecided.entry(id).or_default().push(write);
        self.clients[client].written.push(write);
    }

    fn end(&mut self, client: usize, commit: bool) {
        let Some(producer) = self.clients[client].producer else { return };
        let commit = *self.clients[client].ending.get_or_insert(commit);
        let request = EndRequest { id: id_of(client % IDS), producer, commit, client_version: version_of(client) };
        let answer = self.ask(|shard, now, fresh_id| shard.end_transaction(now, &request, fresh_id));
        let next = match answer {
            Ok(next) => next,
            // No answer, or one to ask again.
            Err(ErrorCode::NotCoordinator | ErrorCode::ConcurrentTransactions) => return,
            Err(_) => {
                self.clients[client].ending = None;
                return;
            }
        };
        self.clients[client].ending = None;
        let all = if commit { &self.committed } else { &self.aborted };
        for write in self.clients[client].written.drain(..) {
            assert!(all.contains(&write), "the answer to the end of write {write} is not what happened");
        }
        self.clients[client].producer = Some(next);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Init { client } => self.init(client, None),
            Step::Continue { client } => {
                let known = self.clients[client].producer;
                self.init(client, known);
            }
            Step::Begin { client, partition } => self.begin(client, partition),
            Step::Arrive { client } => self.arrive(client),
            Step::End { client, commit } => self.end(client, commit),
            Step::Advance(ms) => {
                self.now.ms += ms;
                for id in self.shard.late(self.now) {
                    // The answer is lost where the coordinator crashes.
                    let _ = self.ask(|shard, now, fresh_id| shard.abort_late(now, &id, fresh_id));
                }
            }
            Step::Restart => self.restart(),
            Step::CrashAfter { markers } => self.crash_after = Some(markers),
            Step::Expire => {
                for change in self.shard.expire(self.now, 5_000) {
                    self.append(change);
                }
            }
        }
        self.check();
    }

    fn check(&mut self) {
        for log in &mut self.logs {
            let (seen, last_stable) = log.read_committed();
            assert!(last_stable >= log.last_stable, "the last stable offset went back");
            log.last_stable = last_stable;
            assert!(seen.is_disjoint(&self.aborted), "read_committed sees an aborted write");
            assert!(seen.is_subset(&self.committed), "read_committed sees what nobody has committed");
        }
        let mut replayed = Shard::new(self.coordinator_epoch);
        for record in &self.records {
            let (id, value) = codec::decode(&record.key, record.value.as_deref()).unwrap();
            replayed.replay(id, value);
        }
        let stored = |shard: &Shard| {
            let without = |transaction: &Transaction| Transaction { last_producer_epoch: -1, ..transaction.clone() };
            shard.transactions.iter().map(|(id, transaction)| (id.clone(), without(transaction))).collect::<Vec<_>>()
        };
        assert_eq!(stored(&replayed), stored(&self.shard), "a restart would change the state");
    }

    /// Every write of a decided transaction is seen, or never will be.
    fn check_end(&mut self) {
        let mut seen = BTreeSet::new();
        self.logs.iter().for_each(|log| seen.extend(log.read_committed().0));
        assert_eq!(seen, self.committed, "a committed write is missing");
    }
}

fn id_of(index: usize) -> Name {
    format!("id {index}").into()
}

fn partition(index: usize) -> Partition {
    ("t".into(), i32::try_from(index).unwrap())
}

/// Clients of both versions meet under one transactional id: 0 and 2 share it.
fn version_of(client: usize) -> i16 {
    if client == 0 { 0 } else { 2 }
}

proptest! {
    /// `PROPTEST_CASES` says how many schedules.
    #[test]
    fn random_schedules_keep_transactions_whole(
        first_epoch in prop_oneof![Just(0), (LAST_EPOCH - 4)..=LAST_EPOCH],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(2, first_epoch);
        for step in steps {
            world.take(step);
        }
        world.check_end();
    }
}
