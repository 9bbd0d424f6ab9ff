//! Random schedules against the shard: clients that join, sync, commit, crash and come back, a coordinator that
//! restarts, a log that fails, and the invariants of the protocol after every step.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use proptest::prelude::*;

use crate::groups::record::Name;
use crate::groups::request::{HeartbeatRequest, LeaveRequest, LeavingMember, Producer};
use crate::groups::shard::{Answer, AppendError, Waiter};
use crate::groups::testing::{Machine, commit, join, subscription, sync};
use crate::groups::{GroupConfig, GroupError};

const GROUP: &str = "g";
const PARTITIONS: i32 = 4;
const CLIENTS: usize = 4;
const PRODUCERS: i64 = 2;

#[derive(Debug, Clone)]
enum Step {
    /// Joins or rejoins, with metadata of this flavour.
    Join {
        client: usize,
        flavour: u8,
    },
    Heartbeat(usize),
    Leave(usize),
    /// Forgets everything without a word; a static member keeps its instance id.
    Crash(usize),
    Commit {
        client: usize,
        partition: i32,
    },
    /// Commits what the client owns in the transaction of a producer.
    TransactionalCommit {
        client: usize,
        partition: i32,
        producer: i64,
    },
    EndTransaction {
        producer: i64,
        commit: bool,
    },
    SimpleCommit {
        partition: i32,
    },
    /// A commit that was on its way while the group rebalanced: of the generation before.
    LateCommit {
        client: usize,
        partition: i32,
    },
    Advance(u64),
    Restart,
    /// The next writes fail, until the next step of this kind.
    ToggleFailure,
    DeleteGroup,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let partition = 0..PARTITIONS;
    let producer = 0..PRODUCERS;
    prop_oneof![
        8 => (client.clone(), 0u8..3).prop_map(|(client, flavour)| Step::Join { client, flavour }),
        4 => client.clone().prop_map(Step::Heartbeat),
        2 => client.clone().prop_map(Step::Leave),
        2 => client.clone().prop_map(Step::Crash),
        4 => (client.clone(), partition.clone()).prop_map(|(client, partition)| Step::Commit { client, partition }),
        2 => (client.clone(), partition.clone()).prop_map(|(client, partition)| Step::LateCommit { client, partition }),
        3 => (client, partition.clone(), producer.clone())
            .prop_map(|(client, partition, producer)| Step::TransactionalCommit { client, partition, producer }),
        2 => (producer, any::<bool>()).prop_map(|(producer, commit)| Step::EndTransaction { producer, commit }),
        1 => partition.prop_map(|partition| Step::SimpleCommit { partition }),
        6 => prop_oneof![Just(0u64), 1u64..4_000, 4_000u64..25_000].prop_map(Step::Advance),
        1 => Just(Step::Restart),
        1 => Just(Step::ToggleFailure),
        1 => Just(Step::DeleteGroup),
    ]
}

/// A consumer as a client library plays it.
#[derive(Debug, Default, Clone)]
struct Consumer {
    member_id: String,
    generation: i32,
    /// Partitions of the generation, once synced.
    owned: Option<Vec<i32>>,
    joining: Option<Waiter>,
    syncing: Option<Waiter>,
    version: i16,
    instance: Option<&'static str>,
    flavour: u8,
}

struct World {
    machine: Machine,
    consumers: Vec<Consumer>,
    next_waiter: u64,
    /// Who waits, other than consumers that have forgotten they asked.
    outstanding: BTreeMap<Waiter, &'static str>,
    /// By generation: who owns each partition.
    owners: HashMap<i32, BTreeMap<i32, usize>>,
    leaders: HashMap<i32, Name>,
    highest_generation: i32,
    /// What OffsetFetch must say, with the place in the log.
    offsets: BTreeMap<i32, (usize, i64)>,
    pending: BTreeMap<(i64, i32), (usize, i64)>,
    next_offset: i64,
}

impl World {
    fn new(initial_rebalance_delay_ms: i32, max_size: i32) -> Self {
        let config = GroupConfig { initial_rebalance_delay_ms, max_size, ..GroupConfig::default() };
        let consumer = |index: usize| Consumer {
            version: [3, 5, 9, 9][index % 4],
            instance: [None, None, Some("i2"), Some("i3")][index % 4],
            ..Consumer::default()
        };
        Self {
            machine: Machine::new(config),
            consumers: (0..CLIENTS).map(consumer).collect(),
            next_waiter: 0,
            outstanding: BTreeMap::new(),
            owners: HashMap::new(),
            leaders: HashMap::new(),
            highest_generation: 0,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_offset: 0,
        }
    }

    fn waiter(&mut self, what: &'static str) -> Waiter {
        self.next_waiter += 1;
        let waiter = Waiter(self.next_waiter);
        self.outstanding.insert(waiter, what);
        waiter
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Join { client, flavour } => {
                self.consumers[client].flavour = flavour;
                self.join(client);
            }
            Step::Heartbeat(client) => self.heartbeat(client),
            Step::Leave(client) => self.leave(client),
            Step::Crash(client) => self.forget(client),
            Step::Commit { client, partition } => self.commit(client, partition, None),
            Step::TransactionalCommit { client, partition, producer } => self.commit(client, partition, Some(producer)),
            Step::EndTransaction { producer, commit } => self.end_transaction(producer, commit),
            Step::SimpleCommit { partition } => self.simple_commit(partition),
            Step::LateCommit { client, partition } => self.late_commit(client, partition),
            Step::Advance(ms) => self.machine.advance(ms),
            Step::Restart => self.restart(),
            Step::ToggleFailure => {
                let failing = &mut self.machine.failing;
                *failing = if failing.is_some() { None } else { Some(AppendError::Offline("test".into())) };
            }
            Step::DeleteGroup => self.delete_group(),
        }
        self.settle();
        self.check();
    }

    fn join(&mut self, client: usize) {
        let consumer = self.consumers[client].clone();
        // A client library sends one request at a time.
        if consumer.joining.is_some() || consumer.syncing.is_some() {
            return;
        }
        let waiter = self.waiter("join");
        let mut request = join(GROUP, &consumer.member_id, consumer.instance, consumer.version);
        request.protocols = match consumer.flavour {
            0 => vec![("range".into(), subscription("t"))],
            1 => vec![("sticky".into(), subscription("u")), ("range".into(), subscription("t"))],
            _ => {
                vec![("range".into(), subscription("t")), ("sticky".into(), Bytes::from_static(b"not a subscription"))]
            }
        };
        self.consumers[client].joining = Some(waiter);
        self.consumers[client].owned = None;
        let _ = self.machine.step(|shard, now, fx| shard.join(now, request, waiter, fx));
    }

    fn sync(&mut self, client: usize, members: &[Name]) {
        let consumer = self.consumers[client].clone();
        let waiter = self.waiter("sync");
        // The leader deals the partitions out in turn.
        let deal = |(index, member): (usize, &Name)| {
            let owned =
                (0..PARTITIONS).filter(|partition| usize::try_from(*partition).unwrap() % members.len() == index);
            (member.clone(), owned.map(|partition| u8::try_from(partition).unwrap()).collect::<Vec<u8>>().into())
        };
        let assignments = members.iter().enumerate().map(deal).collect();
        let request = sync(GROUP, consumer.generation, &consumer.member_id, consumer.instance, assignments);
        self.consumers[client].syncing = Some(waiter);
        let _ = self.machine.step(|shard, now, fx| shard.sync(now, request, waiter, fx));
    }

    fn heartbeat(&mut self, client: usize) {
        let consumer = &self.consumers[client];
        if consumer.joining.is_some() || consumer.syncing.is_some() {
            return;
        }
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation: consumer.generation,
            member_id: consumer.member_id.as_str().into(),
            instance_id: consumer.instance.map(Name::from),
        };
        let (result, _) = self.machine.step(|shard, now, _| shard.heartbeat(now, &request));
        match result {
            Ok(()) => {}
            Err(GroupError::RebalanceInProgress) => self.join(client),
            Err(GroupError::UnknownMemberId | GroupError::FencedInstanceId) => self.forget(client),
            Err(GroupError::IllegalGeneration) => self.consumers[client].owned = None,
            Err(other) => panic!("heartbeat answered {other:?}"),
        }
    }

    fn leave(&mut self, client: usize) {
        let consumer = self.consumers[client].clone();
        let member = LeavingMember {
            member_id: consumer.member_id.as_str().into(),
            instance_id: consumer.instance.map(Name::from),
            reason: None,
        };
        let request = LeaveRequest { group_id: GROUP.into(), members: vec![member] };
        let _ = self.machine.step(|shard, now, fx| shard.leave(now, request, fx));
        self.forget(client);
    }

    fn forget(&mut self, client: usize) {
        let Consumer { version, instance, flavour, .. } = self.consumers[client];
        self.consumers[client] = Consumer { version, instance, flavour, ..Consumer::default() };
    }

    fn commit(&mut self, client: usize, partition: i32, producer: Option<i64>) {
        let consumer = self.consumers[client].clone();
        self.next_offset += 1;
        let offset = self.next_offset;
        let mut request = commit(GROUP, consumer.generation, &consumer.member_id, partition, offset);
        request.instance_id = consumer.instance.map(Name::from);
        let place = self.machine.log.len();
        let (result, written) = self.machine.step(|shard, now, fx| match producer {
            None => shard.commit(now, request, fx),
            Some(id) => shard.commit_in_transaction(now, Producer { id, epoch: 0, verified: None }, request, fx),
        });
        let owns = consumer.owned.as_ref().is_some_and(|owned| owned.contains(&partition));
        if result.is_err() || written.is_err() {
            return;
        }
        // A group nobody is in takes commits from anybody without a generation.
        if consumer.generation > 0 && owns {
            let owner = self.owners.get(&consumer.generation).and_then(|owners| owners.get(&partition));
            assert_eq!(owner, Some(&client), "a commit was accepted from somebody who does not own {partition}");
            assert_eq!(consumer.generation, self.highest_generation, "a commit of an old generation was accepted");
        }
        match producer {
            None => drop(self.offsets.insert(partition, (place, offset))),
            Some(id) => drop(self.pending.insert((id, partition), (place, offset))),
        }
    }

    fn late_commit(&mut self, client: usize, partition: i32) {
        let consumer = self.consumers[client].clone();
        if consumer.generation < 2 {
            return;
        }
        let mut request = commit(GROUP, consumer.generation - 1, &consumer.member_id, partition, 0);
        request.instance_id = consumer.instance.map(Name::from);
        let late = request.generation;
        let (result, written) = self.machine.step(|shard, now, fx| shard.commit(now, request, fx));
        // A coordinator that was restarted knows nothing of a generation that was never stored.
        let current = self.machine.shard.classic(GROUP).map(|group| group.generation);
        assert!(result.is_err() || current == Some(late), "a commit of the generation before was accepted");
        if result.is_ok() && written.is_ok() {
            self.offsets.insert(partition, (self.machine.log.len() - 1, 0));
        }
    }

    fn end_transaction(&mut self, producer: i64, commit: bool) {
        self.machine.end_transaction(producer, commit);
        let ended: Vec<_> = self.pending.extract_if(.., |(id, _), _| *id == producer).collect();
        for ((_, partition), (place, offset)) in ended {
            let later = self.offsets.get(&partition).is_some_and(|(known, _)| *known > place);
            if commit && !later {
                self.offsets.insert(partition, (place, offset));
            }
        }
    }

    fn simple_commit(&mut self, partition: i32) {
        self.next_offset += 1;
        let (offset, place) = (self.next_offset, self.machine.log.len());
        let request = commit(GROUP, -1, "", partition, offset);
        let (result, written) = self.machine.step(|shard, now, fx| shard.commit(now, request, fx));
        let members = self.machine.shard.classic(GROUP).map_or(0, |group| group.len());
        match result {
            Ok(_) if written.is_ok() => {
                assert_eq!(members, 0, "a commit from outside was accepted while the group has members");
                self.offsets.insert(partition, (place, offset));
            }
            Ok(_) => {}
            Err(error) => assert_eq!(error, GroupError::UnknownMemberId),
        }
    }

    fn delete_group(&mut self) {
        let (result, written) = self.machine.step(|shard, _, fx| shard.delete_group(&GROUP.into(), fx));
        if result.is_ok() && written.is_ok() {
            self.offsets.clear();
            self.pending.clear();
            self.generations_begin_anew();
        }
    }

    fn generations_begin_anew(&mut self) {
        self.highest_generation = self.machine.shard.classic(GROUP).map_or(0, |group| group.generation);
        self.owners.retain(|generation, _| *generation <= self.highest_generation);
        self.leaders.retain(|generation, _| *generation <= self.highest_generation);
    }

    fn restart(&mut self) {
        self.machine.restart();
        self.outstanding.clear();
        for consumer in &mut self.consumers {
            consumer.joining = None;
            consumer.syncing = None;
        }
        // A generation that nobody was assigned in was not stored: the group goes on from the last that was.
        self.generations_begin_anew();
    }

    /// Hands answers to the consumers, which act on them at once, until nothing more happens.
    fn settle(&mut self) {
        while !self.machine.answers.is_empty() {
            for answer in std::mem::take(&mut self.machine.answers) {
                let (Answer::Join(waiter, _) | Answer::Sync(waiter, _)) = &answer;
                assert!(self.outstanding.remove(waiter).is_some(), "{waiter:?} was answered twice: {answer:?}");
                self.answered(answer);
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Join(waiter, reply) => {
                let Some(client) = self.consumers.iter().position(|consumer| consumer.joining == Some(waiter)) else {
                    return;
                };
                self.consumers[client].joining = None;
                match reply.error {
                    None => {
                        self.generation_begun(reply.generation, &reply.leader);
                        let consumer = &mut self.consumers[client];
                        consumer.member_id = reply.member_id.to_string();
                        consumer.generation = reply.generation;
                        let members: Vec<Name> = reply.members.into_iter().map(|member| member.member_id).collect();
                        // A leader that is told to skip the assignment syncs like the others.
                        let members = if reply.skip_assignment { Vec::new() } else { members };
                        self.sync(client, &members);
                    }
                    Some(GroupError::MemberIdRequired) => {
                        self.consumers[client].member_id = reply.member_id.to_string();
                        self.join(client);
                    }
                    Some(GroupError::RebalanceInProgress) => {}
                    Some(_) => self.forget(client),
                }
            }
            Answer::Sync(waiter, reply) => {
                let Some(client) = self.consumers.iter().position(|consumer| consumer.syncing == Some(waiter)) else {
                    return;
                };
                self.consumers[client].syncing = None;
                match reply.error {
                    None => self.assigned(client, &reply.assignment),
                    Some(GroupError::RebalanceInProgress) => {}
                    Some(_) => self.forget(client),
                }
            }
        }
    }

    fn generation_begun(&mut self, generation: i32, leader: &Name) {
        assert!(generation >= self.highest_generation, "generation went back to {generation}");
        self.highest_generation = generation;
        // The leader of a generation changes only when a static member takes over its place under a new id.
        let known = self.leaders.entry(generation).or_insert_with(|| leader.clone());
        let instance = |id: &Name| id.split('-').next().map(str::to_owned);
        assert_eq!(instance(known), instance(leader), "two leaders in generation {generation}");
    }

    fn assigned(&mut self, client: usize, assignment: &Bytes) {
        let generation = self.consumers[client].generation;
        let instance = self.consumers[client].instance;
        let owned: Vec<i32> = assignment.iter().copied().map(i32::from).collect();
        let owners = self.owners.entry(generation).or_default();
        for partition in &owned {
            let before = owners.insert(*partition, client);
            let same = before.is_none_or(|other| {
                other == client || (instance.is_some() && self.consumers[other].instance == instance)
            });
            assert!(same, "partition {partition} has two owners in generation {generation}");
        }
        self.consumers[client].owned = Some(owned);
    }

    fn check(&self) {
        let shard = &self.machine.shard;
        for partition in 0..PARTITIONS {
            let known = shard.offsets.get(GROUP, "t", partition).map(|committed| committed.value.offset);
            let expected = self.offsets.get(&partition).map(|(_, offset)| *offset);
            assert_eq!(known, expected, "the committed offset of {partition} is not what was committed last");
            let open = self.pending.keys().any(|(_, pending)| *pending == partition);
            assert_eq!(shard.offsets.is_unstable(GROUP, "t", partition), open);
        }
    }

    /// With everybody silent, every request that waits is answered by the timeouts alone.
    fn finish(&mut self) {
        self.machine.failing = None;
        for _ in 0..6 {
            self.machine.advance(400_000);
            for answer in std::mem::take(&mut self.machine.answers) {
                let (Answer::Join(waiter, _) | Answer::Sync(waiter, _)) = &answer;
                assert!(self.outstanding.remove(waiter).is_some());
            }
        }
        assert!(self.outstanding.is_empty(), "never answered: {:?}", self.outstanding);
        let members = self.machine.shard.classic(GROUP).map_or(0, |group| group.len());
        assert_eq!(members, 0, "silent members are still in the group");
        self.check();
        let before = self.offsets.clone();
        self.restart();
        assert_eq!(before, self.offsets);
        self.check();
    }
}

proptest! {
    /// `PROPTEST_CASES` says how many schedules: 100,000 take less than a minute in a release build.
    #[test]
    fn random_schedules_keep_the_protocol(
        delay in prop_oneof![Just(0), Just(3_000)],
        max_size in prop_oneof![4 => Just(i32::MAX), 1 => Just(2)],
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(delay, max_size);
        for step in steps {
            world.run(step);
        }
        world.finish();
    }
}
