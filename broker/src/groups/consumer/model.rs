//! Random schedules of members of both protocols in one consumer group, with topics that come and grow, a coordinator
//! that restarts and a log that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use super::group::State;
use crate::groups::record::{Name, Partitions};
use crate::groups::request::{ConsumerHeartbeatRequest, TopicPartitions};
use crate::groups::shard::{AppendError, Group};
use crate::groups::testing::{self, Machine, commit};
use crate::groups::topics::{TopicInfo, TopicsImage};
use crate::groups::{Assignor, ConsumerConfig, GroupConfig, GroupError};

const GROUP: &str = "g";
const CLIENTS: usize = 5;
const TOPICS: [&str; 3] = ["apples", "pears", "plums"];

#[derive(Debug, Clone)]
enum Step {
    /// Joins, or tells of a new subscription: a bit for each topic, or an expression.
    Subscribe {
        client: usize,
        wants: u8,
    },
    /// A heartbeat; a member that was told to give something back does so before it.
    Heartbeat(usize),
    /// A heartbeat that says nothing of what the member owns.
    BareHeartbeat(usize),
    Leave(usize),
    /// A static member goes away for a while.
    GoAway(usize),
    Crash(usize),
    /// The reply to the next heartbeat of this client is lost.
    LoseReply(usize),
    Commit {
        client: usize,
        topic: usize,
        partition: i32,
    },
    Grow(usize),
    Delete(usize),
    Advance(u64),
    Restart,
    ToggleFailure,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        6 => (client.clone(), 0u8..10).prop_map(|(client, wants)| Step::Subscribe { client, wants }),
        14 => client.clone().prop_map(Step::Heartbeat),
        3 => client.clone().prop_map(Step::BareHeartbeat),
        2 => client.clone().prop_map(Step::Leave),
        1 => client.clone().prop_map(Step::GoAway),
        1 => client.clone().prop_map(Step::Crash),
        2 => client.clone().prop_map(Step::LoseReply),
        3 => (client, 0..TOPICS.len(), 0i32..4).prop_map(|(client, topic, partition)| Step::Commit { client, topic, partition }),
        1 => (0..TOPICS.len()).prop_map(Step::Grow),
        1 => (0..TOPICS.len()).prop_map(Step::Delete),
        5 => prop_oneof![0u64..1_500, 5_000u64..50_000].prop_map(Step::Advance),
        1 => Just(Step::Restart),
        1 => Just(Step::ToggleFailure),
    ]
}

/// A consumer as a client library plays it.
#[derive(Debug, Clone, Default)]
struct Consumer {
    life: usize,
    joined: bool,
    epoch: i32,
    instance: Option<&'static str>,
    wants: u8,
    /// What it uses.
    owned: Partitions,
    /// What it was told to use.
    assigned: Partitions,
    loses_next: bool,
    /// The last reply did not come: the next heartbeat says everything again, as client libraries do.
    tells_all: bool,
}

struct World {
    machine: Machine,
    consumers: Vec<Consumer>,
    topics: BTreeMap<usize, TopicInfo>,
    version: i64,
    highest_epoch: i32,
}

impl World {
    fn new(assignor: Assignor, assignment_interval_ms: i32) -> Self {
        let consumer =
            ConsumerConfig { assignors: vec![assignor], assignment_interval_ms, ..ConsumerConfig::default() };
        let config = GroupConfig { consumer, ..GroupConfig::default() };
        let consumer = |index: usize| Consumer {
            instance: [None, None, None, Some("i3"), Some("i4")][index],
            ..Consumer::default()
        };
        let mut world = Self {
            machine: Machine::new(config),
            consumers: (0..CLIENTS).map(consumer).collect(),
            topics: BTreeMap::new(),
            version: 0,
            highest_epoch: 0,
        };
        world.grow(0);
        world.grow(1);
        world
    }

    fn publish(&mut self, changed: usize, created: bool) {
        self.version += 1;
        let named = self.topics.iter().map(|(topic, info)| (Name::from(TOPICS[*topic]), *info));
        let image = Arc::new(TopicsImage::new(self.version, named));
        self.machine.shard.topics_changed(image, &[TOPICS[changed].into()], created);
    }

    fn grow(&mut self, topic: usize) {
        let created = !self.topics.contains_key(&topic);
        let id = Uuid::from_u128(u128::try_from(self.version).unwrap() * 10 + 1);
        let info = self.topics.entry(topic).or_insert(TopicInfo { id, partitions: 1 });
        info.partitions = (info.partitions + 1).min(6);
        self.publish(topic, created);
    }

    fn member_id(&self, client: usize) -> Name {
        format!("m{client}-{}", self.consumers[client].life).into()
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Subscribe { client, wants } => self.subscribe(client, wants),
            Step::Heartbeat(client) => self.heartbeat(client, true),
            Step::BareHeartbeat(client) => self.heartbeat(client, false),
            Step::Leave(client) => self.leave(client, -1),
            Step::GoAway(client) => self.leave(client, -2),
            Step::Crash(client) => self.forget(client),
            Step::LoseReply(client) => self.consumers[client].loses_next = true,
            Step::Commit { client, topic, partition } => self.commit(client, topic, partition),
            Step::Grow(topic) => self.grow(topic),
            Step::Delete(topic) => {
                self.topics.remove(&topic);
                self.publish(topic, false);
            }
            Step::Advance(ms) => self.machine.advance(ms),
            Step::Restart => self.restart(),
            Step::ToggleFailure => {
                let failing = &mut self.machine.failing;
                *failing = if failing.is_some() { None } else { Some(AppendError::Offline("test".into())) };
            }
        }
        self.check();
    }

    fn request(&self, client: usize) -> ConsumerHeartbeatRequest {
        let consumer = &self.consumers[client];
        ConsumerHeartbeatRequest {
            version: 1,
            client: testing::client(),
            group_id: GROUP.into(),
            member_id: self.member_id(client),
            member_epoch: consumer.epoch,
            instance_id: consumer.instance.map(Name::from),
            rack_id: None,
            rebalance_timeout_ms: -1,
            topic_names: None,
            topic_regex: None,
            server_assignor: None,
            owned: None,
        }
    }

    fn subscribe(&mut self, client: usize, wants: u8) {
        self.consumers[client].wants = wants;
        let consumer = &self.consumers[client];
        let mut request = self.request(client);
        request.rebalance_timeout_ms = 20_000;
        request.member_epoch = if consumer.joined { consumer.epoch } else { 0 };
        request.owned = Some(if consumer.joined { consumer.owned.clone() } else { Partitions::new() });
        let named = TOPICS.iter().enumerate().filter(|(topic, _)| wants < 8 && wants >> topic & 1 == 1);
        request.topic_names = Some(named.map(|(_, name)| Name::from(*name)).collect());
        request.topic_regex = Some(match wants {
            8 => "p.*".into(),
            9 => ".*l.*".into(),
            _ => "".into(),
        });
        self.send(client, request);
    }

    fn heartbeat(&mut self, client: usize, tells: bool) {
        if !self.consumers[client].joined || self.consumers[client].tells_all {
            return self.subscribe(client, self.consumers[client].wants);
        }
        if tells {
            // What was taken away is given back, what was added is used from now on.
            self.consumers[client].owned = self.consumers[client].assigned.clone();
        }
        let mut request = self.request(client);
        request.owned = tells.then(|| self.consumers[client].owned.clone());
        self.send(client, request);
    }

    fn send(&mut self, client: usize, request: ConsumerHeartbeatRequest) {
        let lost = std::mem::take(&mut self.consumers[client].loses_next);
        let (result, written) = self.machine.step(|shard, now, fx| shard.consumer_heartbeat(now, request, fx));
        self.consumers[client].tells_all = lost || written.is_err();
        if self.consumers[client].tells_all {
            return;
        }
        match result {
            Ok(reply) => {
                let consumer = &mut self.consumers[client];
                assert!(reply.member_epoch >= consumer.epoch || !consumer.joined, "the member's epoch went back");
                consumer.joined = true;
                consumer.epoch = reply.member_epoch;
                if let Some(assignment) = reply.assignment {
                    consumer.assigned = assignment;
                }
            }
            Err(rejected) => match rejected.error {
                GroupError::FencedMemberEpoch | GroupError::UnknownMemberId | GroupError::GroupIdNotFound => {
                    self.forget(client);
                }
                GroupError::FencedInstanceId | GroupError::UnreleasedInstanceId => {}
                other => panic!("heartbeat answered {other:?}: {}", rejected.message),
            },
        }
    }

    fn leave(&mut self, client: usize, epoch: i32) {
        if !self.consumers[client].joined || (epoch == -2 && self.consumers[client].instance.is_none()) {
            return;
        }
        let mut request = self.request(client);
        request.member_epoch = epoch;
        let _ = self.machine.step(|shard, now, fx| shard.consumer_heartbeat(now, request, fx));
        self.forget(client);
    }

    fn forget(&mut self, client: usize) {
        let Consumer { life, instance, wants, .. } = self.consumers[client];
        self.consumers[client] = Consumer { life: life + 1, instance, wants, ..Consumer::default() };
    }

    fn commit(&mut self, client: usize, topic: usize, partition: i32) {
        let Some(info) = self.topics.get(&topic) else { return };
        let consumer = &self.consumers[client];
        let mut request = commit(GROUP, consumer.epoch, &self.member_id(client), partition, 1);
        request.version = 9;
        let partitions = std::mem::take(&mut request.topics[0].partitions);
        request.topics[0] = TopicPartitions { topic: TOPICS[topic].into(), topic_id: info.id, partitions };
        let epoch = consumer.epoch;
        let (result, _) = self.machine.step(|shard, now, fx| shard.commit(now, request, fx));
        let Some(Group::Consumer(group)) = self.machine.shard.groups.get(GROUP) else { return };
        let Some(member) = group.member(&self.member_id(client)) else { return };
        // A member that lags behind commits only what has been its own since.
        if result.is_ok() && epoch != member.epoch() {
            let since = |partitions: &crate::groups::record::PartitionEpochs| {
                partitions.get(&info.id)?.get(&partition).copied()
            };
            let since = since(&member.current.assigned).or_else(|| since(&member.current.pending_revocation));
            assert!(since.is_some_and(|since| epoch >= since), "a late commit of {epoch} was accepted, {since:?}");
        }
    }

    fn restart(&mut self) {
        let before = self.machine.shard.groups.remove(GROUP);
        self.machine.restart();
        self.publish(0, true);
        match (before, self.machine.shard.groups.get_mut(GROUP)) {
            (Some(Group::Consumer(mut before)), Some(Group::Consumer(after))) => {
                before.refresh = true;
                after.refresh = true;
                assert_eq!(&before, after, "the records do not give the group that was there");
            }
            (None, None) => {}
            (before, after) => panic!("{before:?} became {after:?}"),
        }
    }

    fn check(&mut self) {
        let Some(Group::Consumer(group)) = self.machine.shard.groups.get(GROUP) else { return };
        assert!(group.epoch >= self.highest_epoch, "the group's epoch went back");
        self.highest_epoch = group.epoch;
        // What clients use: no partition twice among those whose epoch the coordinator would accept.
        let mut used = BTreeSet::new();
        for client in 0..CLIENTS {
            let Some(member) = group.member(&self.member_id(client)) else { continue };
            let consumer = &self.consumers[client];
            if consumer.epoch != member.epoch() || !consumer.joined {
                continue;
            }
            for (topic, numbers) in &consumer.owned {
                for number in numbers {
                    assert!(used.insert((*topic, *number)), "two members use {topic}-{number}");
                }
            }
        }
    }

    /// Members that go on sending heartbeats come to rest, with every partition assigned to somebody who wants it.
    fn finish(&mut self) {
        self.machine.failing = None;
        for _ in 0..12 {
            self.machine.advance(11_000);
            for client in 0..3 {
                self.consumers[client].loses_next = false;
                self.heartbeat(client, true);
                self.check();
            }
        }
        let Some(Group::Consumer(group)) = self.machine.shard.groups.get(GROUP) else { panic!("the group is gone") };
        assert_eq!(group.state(), State::Stable);
        assert_eq!(group.len(), 3, "members that are silent were not put out");
        let mut assigned = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        for member in group.members() {
            for (topic, numbers) in &member.current.assigned {
                assigned.extend(numbers.keys().map(|number| (*topic, *number)));
            }
            let topics = group.topics_of(member).filter_map(|name| self.machine.shard.topics.topic(name));
            wanted.extend(topics.flat_map(|topic| (0..topic.partitions).map(move |number| (topic.id, number))));
        }
        assert_eq!(assigned, wanted);
        self.restart();
    }
}

proptest! {
    /// `PROPTEST_CASES` says how many schedules.
    #[test]
    fn random_schedules_keep_the_protocol(
        assignor in prop_oneof![Just(Assignor::Uniform), Just(Assignor::Range)],
        interval_ms in prop_oneof![Just(0), Just(1_000)],
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut world = World::new(assignor, interval_ms);
        for step in steps {
            world.run(step);
        }
        world.finish();
    }
}
