//! What Apache Kafka 4.3.1 was seen to answer, step by step, and the ways between the two protocols.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::groups::record::{GroupRecord, Name, Partitions};
use crate::groups::request::{
    ConsumerHeartbeatReply, ConsumerHeartbeatRequest, HeartbeatRequest, JoinReply, JoinRequest, Rejected, SyncReply,
};
use crate::groups::shard::{Answer, Waiter};
use crate::groups::testing::{self, Machine, join, sync};
use crate::groups::topics::{TopicInfo, TopicsImage};
use crate::groups::{GroupConfig, GroupError};

const TOPIC: Uuid = Uuid::from_u128(42);

fn machine() -> Machine {
    let mut machine = Machine::new(GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::default() });
    publish(&mut machine);
    machine
}

fn publish(machine: &mut Machine) {
    let image = TopicsImage::new(1, [("t".into(), TopicInfo { id: TOPIC, partitions: 4 })]);
    machine.shard.topics_changed(Arc::new(image), &["t".into()], true);
}

fn partitions(numbers: &[i32]) -> Partitions {
    if numbers.is_empty() { Partitions::new() } else { Partitions::from([(TOPIC, numbers.iter().copied().collect())]) }
}

fn request(member: &str, epoch: i32) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        version: 1,
        client: testing::client(),
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: -1,
        topic_names: None,
        topic_regex: None,
        server_assignor: None,
        owned: None,
    }
}

fn joining(member: &str) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        rebalance_timeout_ms: 5_000,
        topic_names: Some(vec!["t".into()]),
        owned: Some(Partitions::new()),
        ..request(member, 0)
    }
}

fn send(machine: &mut Machine, request: ConsumerHeartbeatRequest) -> Result<ConsumerHeartbeatReply, Rejected> {
    request.check(&machine.shard.config)?;
    machine.step(|shard, now, fx| shard.consumer_heartbeat(now, request, fx)).0
}

fn error(machine: &mut Machine, request: ConsumerHeartbeatRequest) -> (GroupError, String) {
    let rejected = send(machine, request).unwrap_err();
    (rejected.error, rejected.message)
}

fn state(machine: &Machine) -> (&'static str, i32, i32) {
    let group = machine.shard.describe_consumer_group(&"g".into()).unwrap();
    (group.state, group.epoch, group.assignment_epoch)
}

#[test]
fn the_first_member_has_everything_at_once() {
    let mut machine = machine();
    let reply = send(&mut machine, joining("m1")).unwrap();
    assert_eq!((reply.member_epoch, reply.heartbeat_interval_ms), (2, 5_000));
    assert_eq!(reply.assignment, Some(partitions(&[0, 1, 2, 3])));
    assert_eq!(state(&machine), ("Stable", 2, 2));
    let kinds: Vec<&str> = machine.records_since(0).iter().map(kind).collect();
    assert_eq!(kinds, ["member", "epoch", "target", "target epoch", "current"]);
    assert_eq!(send(&mut machine, request("m1", 2)).unwrap().assignment, None);
}

fn kind(record: &GroupRecord) -> &'static str {
    use crate::groups::record::ConsumerPart::{
        Current, Member, Metadata, PartitionMetadata, Regex, Target, TargetMetadata,
    };
    let GroupRecord::Consumer { part, .. } = record else { return "other" };
    match part {
        Metadata(_) => "epoch",
        PartitionMetadata => "partition metadata",
        Member(..) => "member",
        TargetMetadata(_) => "target epoch",
        Target(..) => "target",
        Current(..) => "current",
        Regex(..) => "regex",
    }
}

#[test]
fn a_second_member_takes_over_what_the_first_gives_back() {
    let mut machine = machine();
    send(&mut machine, joining("m1")).unwrap();
    // Within a second of the last assignment there is no new one: the member joins with nothing.
    let second = send(&mut machine, joining("m2")).unwrap();
    assert_eq!((second.member_epoch, second.assignment), (2, Some(Partitions::new())));
    assert_eq!(state(&machine), ("Assigning", 3, 2));
    machine.advance(1_000);
    let first = send(&mut machine, request("m1", 2)).unwrap();
    assert_eq!((first.member_epoch, first.assignment), (2, Some(partitions(&[0, 1]))));
    // Until the first has given them back, the second gets none.
    let second = send(&mut machine, request("m2", 2)).unwrap();
    assert_eq!((second.member_epoch, second.assignment), (3, None));
    let acknowledged = ConsumerHeartbeatRequest { owned: Some(partitions(&[0, 1])), ..request("m1", 2) };
    assert_eq!(send(&mut machine, acknowledged).unwrap().member_epoch, 3);
    let second = send(&mut machine, request("m2", 3)).unwrap();
    assert_eq!(second.assignment, Some(partitions(&[2, 3])));
    assert_eq!(state(&machine), ("Stable", 3, 3));
    let left = send(&mut machine, request("m1", -1)).unwrap();
    assert_eq!((left.member_epoch, left.heartbeat_interval_ms, left.assignment), (-1, 0, None));
    assert_eq!(state(&machine), ("Assigning", 4, 3));
}

#[test]
fn who_does_not_give_back_in_time_is_out() {
    let mut machine = machine();
    send(&mut machine, joining("m1")).unwrap();
    send(&mut machine, joining("m2")).unwrap();
    machine.advance(1_000);
    send(&mut machine, request("m1", 2)).unwrap();
    machine.advance(4_999);
    assert!(send(&mut machine, request("m1", 2)).is_ok());
    machine.advance(1);
    let (error, message) = error(&mut machine, request("m1", 2));
    assert_eq!((error, &*message), (GroupError::UnknownMemberId, "Member m1 is not a member of group g."));
}

#[test]
fn requests_that_break_a_rule_are_told_which() {
    let mut machine = machine();
    let invalid = |machine: &mut Machine, request: ConsumerHeartbeatRequest, expected: &str| {
        assert_eq!(error(machine, request), (GroupError::InvalidRequest, expected.to_owned()));
    };
    invalid(&mut machine, ConsumerHeartbeatRequest { group_id: "".into(), ..joining("m") }, "GroupId can't be empty.");
    invalid(&mut machine, joining(""), "MemberId can't be empty.");
    invalid(&mut machine, request("", 5), "MemberId can't be empty.");
    let instance = ConsumerHeartbeatRequest { instance_id: Some("".into()), ..joining("m") };
    invalid(&mut machine, instance, "InstanceId can't be empty.");
    let rack = ConsumerHeartbeatRequest { rack_id: Some("".into()), ..joining("m") };
    invalid(&mut machine, rack, "RackId can't be empty.");
    let timeout = ConsumerHeartbeatRequest { rebalance_timeout_ms: -1, ..joining("m") };
    invalid(&mut machine, timeout, "RebalanceTimeoutMs must be provided in first request.");
    let owned = ConsumerHeartbeatRequest { owned: Some(partitions(&[0])), ..joining("m") };
    invalid(&mut machine, owned, "TopicPartitions must be empty when (re-)joining.");
    let topics = ConsumerHeartbeatRequest { topic_names: None, ..joining("m") };
    invalid(
        &mut machine,
        topics,
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
    );
    invalid(&mut machine, request("m", -2), "InstanceId can't be null.");
    invalid(&mut machine, request("m", -3), "MemberEpoch is invalid.");
    let assignor = ConsumerHeartbeatRequest { server_assignor: Some("zz".into()), ..joining("m") };
    let expected = "ServerAssignor zz is not supported. Supported assignors: uniform, range.".to_owned();
    assert_eq!(error(&mut machine, assignor), (GroupError::UnsupportedAssignor, expected));
    let expected = (GroupError::GroupIdNotFound, "Consumer group g not found.".to_owned());
    assert_eq!(error(&mut machine, request("m", 5)), expected);
    let expected = (GroupError::GroupIdNotFound, "Group g not found.".to_owned());
    assert_eq!(error(&mut machine, request("m", -1)), expected);
    let regex = ConsumerHeartbeatRequest { topic_names: None, topic_regex: Some("[".into()), ..joining("m") };
    assert_eq!(error(&mut machine, regex).0, GroupError::InvalidRegularExpression);
    assert_eq!(machine.shard.group_count(), 0);
}

#[test]
fn epochs_that_do_not_fit_are_fenced() {
    let mut machine = machine();
    send(&mut machine, joining("m1")).unwrap();
    let expected = "The consumer group member has a greater member epoch (99) than the one known by the group coordinator (2). \
                    The member must abandon all its partitions and rejoin.";
    assert_eq!(error(&mut machine, request("m1", 99)), (GroupError::FencedMemberEpoch, expected.to_owned()));
    assert_eq!(error(&mut machine, request("m1", 1)).0, GroupError::FencedMemberEpoch);
    // The epoch before is good for a member that owns nothing it should not, whose last reply was lost.
    machine.advance(1_000);
    send(
        &mut machine,
        ConsumerHeartbeatRequest { topic_names: Some(vec!["t".into(), "u".into()]), ..request("m1", 2) },
    )
    .unwrap();
    let lost = ConsumerHeartbeatRequest { owned: Some(partitions(&[1])), ..request("m1", 2) };
    assert_eq!(send(&mut machine, lost).unwrap().member_epoch, 3);
    let foreign = ConsumerHeartbeatRequest { owned: Some(partitions(&[9])), ..request("m1", 2) };
    assert_eq!(error(&mut machine, foreign).0, GroupError::FencedMemberEpoch);
    // A member that begins anew keeps its place.
    assert_eq!(send(&mut machine, joining("m1")).unwrap().assignment, Some(partitions(&[0, 1, 2, 3])));
}

#[test]
fn a_static_member_that_is_away_has_its_place_kept() {
    let mut machine = machine();
    let stat =
        |request: ConsumerHeartbeatRequest| ConsumerHeartbeatRequest { instance_id: Some("i1".into()), ..request };
    send(&mut machine, stat(joining("s1"))).unwrap();
    let (unreleased, message) = error(&mut machine, stat(joining("s2")));
    assert_eq!(unreleased, GroupError::UnreleasedInstanceId);
    assert_eq!(
        message,
        "Static member s2 with instance id i1 cannot join the group because the instance id is owned by s1 member."
    );
    let fenced = "Static member s2 with instance id i1 was fenced by member s1.".to_owned();
    assert_eq!(error(&mut machine, stat(request("s2", 2))), (GroupError::FencedInstanceId, fenced));
    assert_eq!(send(&mut machine, stat(request("s1", -2))).unwrap().member_epoch, -2);
    assert_eq!(state(&machine), ("Reconciling", 2, 2));
    let back = send(&mut machine, stat(joining("s3"))).unwrap();
    assert_eq!((back.member_epoch, back.assignment), (2, Some(partitions(&[0, 1, 2, 3]))));
    assert_eq!(state(&machine), ("Stable", 2, 2));
    let before = machine.shard.describe_consumer_group(&"g".into());
    machine.restart();
    publish(&mut machine);
    assert_eq!(machine.shard.describe_consumer_group(&"g".into()), before);
    send(&mut machine, stat(request("s3", -2))).unwrap();
    machine.advance(45_000);
    assert_eq!(state(&machine).0, "Empty");
}

#[test]
fn a_regular_expression_is_resolved_after_the_heartbeat_that_brings_it() {
    let mut machine = machine();
    let regex = ConsumerHeartbeatRequest { topic_names: None, topic_regex: Some("t.*".into()), ..joining("m1") };
    let reply = send(&mut machine, regex).unwrap();
    assert_eq!((reply.member_epoch, reply.assignment), (1, Some(Partitions::new())));
    let reply = send(&mut machine, request("m1", 1)).unwrap();
    assert_eq!((reply.member_epoch, reply.assignment), (2, Some(partitions(&[0, 1, 2, 3]))));
    // A topic that comes later is found with the first heartbeat after ten seconds.
    let id = Uuid::from_u128(43);
    let topics = [("t".into(), TopicInfo { id: TOPIC, partitions: 4 }), ("t2".into(), TopicInfo { id, partitions: 1 })];
    machine.shard.topics_changed(Arc::new(TopicsImage::new(2, topics)), &["t2".into()], true);
    send(&mut machine, request("m1", 2)).unwrap();
    assert_eq!(state(&machine).1, 2);
    machine.advance(10_001);
    send(&mut machine, request("m1", 2)).unwrap();
    let reply = send(&mut machine, request("m1", 2)).unwrap();
    assert_eq!(reply.assignment.map(|assignment| assignment[&id].clone()), Some(BTreeSet::from([0])));
}

#[test]
fn a_group_whose_topic_grows_is_assigned_anew() {
    let mut machine = machine();
    send(&mut machine, joining("m1")).unwrap();
    machine.advance(1_000);
    let image = TopicsImage::new(2, [("t".into(), TopicInfo { id: TOPIC, partitions: 5 })]);
    machine.shard.topics_changed(Arc::new(image), &["t".into()], false);
    let reply = send(&mut machine, request("m1", 2)).unwrap();
    assert_eq!((reply.member_epoch, reply.assignment), (3, Some(partitions(&[0, 1, 2, 3, 4]))));
}

/// A classic member as its requests go.
struct Classic {
    machine: Machine,
    next: u64,
}

impl Classic {
    fn send_join(&mut self, request: JoinRequest) -> Option<JoinReply> {
        self.next += 1;
        let waiter = Waiter(self.next);
        let _ = self.machine.step(|shard, now, fx| shard.join(now, request, waiter, fx));
        self.machine.answers.drain(..).find_map(|answer| match answer {
            Answer::Join(own, reply) if own == waiter => Some(reply),
            _ => None,
        })
    }

    fn join(&mut self, member: &str) -> JoinReply {
        let owns_nothing = join("g", member, None, 3);
        self.send_join(owns_nothing).unwrap()
    }

    fn sync(&mut self, generation: i32, member: &str, assignments: Vec<(Name, Bytes)>) -> SyncReply {
        self.next += 1;
        let waiter = Waiter(self.next);
        let request = sync("g", generation, member, None, assignments);
        let _ = self.machine.step(|shard, now, fx| shard.sync(now, request, waiter, fx));
        let Some(Answer::Sync(_, reply)) = self.machine.answers.pop() else { panic!("the sync waits") };
        reply
    }

    fn heartbeat(&mut self, generation: i32, member: &str) -> Result<(), GroupError> {
        let request =
            HeartbeatRequest { group_id: "g".into(), generation, member_id: member.into(), instance_id: None };
        self.machine.step(|shard, now, _| shard.heartbeat(now, &request)).0
    }
}

/// Version 1 of an assignment of partitions of `t`.
fn assignment(numbers: &[i32]) -> Bytes {
    let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, 1, b't'];
    bytes.extend(i32::try_from(numbers.len()).unwrap().to_be_bytes());
    bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    bytes.extend([255, 255, 255, 255]);
    bytes.into()
}

#[test]
fn a_classic_group_is_upgraded_and_downgraded_while_it_works() {
    let mut classic = Classic { machine: machine(), next: 0 };
    let member = classic.join("").member_id;
    classic.sync(1, &member, vec![(member.clone(), assignment(&[0, 1, 2, 3]))]);
    // The first member of the consumer protocol makes it a consumer group: the generation becomes the epoch.
    let joined = send(&mut classic.machine, joining("m1")).unwrap();
    assert_eq!((joined.member_epoch, joined.assignment), (2, Some(Partitions::new())));
    let group = classic.machine.shard.describe_consumer_group(&"g".into()).unwrap();
    assert_eq!((group.state, group.epoch, group.members.len()), ("Reconciling", 2, 2));
    assert_eq!(classic.machine.shard.list()[0].group_type, "consumer");
    classic.machine.restart();
    publish(&mut classic.machine);
    // The classic member is told to rejoin, gives two partitions back, and gets the rest.
    assert_eq!(classic.heartbeat(1, &member), Err(GroupError::RebalanceInProgress));
    let rejoined = classic.join(&member);
    assert_eq!((rejoined.error, rejoined.generation, &*rejoined.leader), (None, 2, ""));
    assert_eq!(classic.sync(2, &member, Vec::new()).assignment, assignment(&[0, 1]));
    assert_eq!(classic.heartbeat(2, &member), Ok(()));
    let taken = send(&mut classic.machine, request("m1", 2)).unwrap();
    assert_eq!(taken.assignment, Some(partitions(&[2, 3])));
    // When the last member of the consumer protocol goes, it is a classic group again, which rebalances.
    send(&mut classic.machine, request("m1", -1)).unwrap();
    let described = classic.machine.shard.describe(&"g".into());
    assert_eq!((described.state, described.members.len()), ("PreparingRebalance", 1));
    assert_eq!(classic.heartbeat(2, &member), Err(GroupError::RebalanceInProgress));
    classic.machine.restart();
    assert_eq!(classic.machine.shard.describe(&"g".into()).state, "Stable");
    assert_eq!(classic.join(&member).generation, 3);
}

#[test]
fn an_empty_group_changes_its_protocol_with_whoever_comes() {
    let mut classic = Classic { machine: machine(), next: 0 };
    send(&mut classic.machine, joining("m1")).unwrap();
    send(&mut classic.machine, request("m1", -1)).unwrap();
    let member = classic.join("").member_id;
    assert_eq!(classic.machine.shard.list()[0].group_type, "classic");
    classic.machine.restart();
    assert_eq!(classic.machine.shard.list()[0].group_type, "classic");
    classic.machine.advance(10_000);
    assert_eq!(classic.join("").error, None);
    assert_ne!(member, Name::from(""));
}

#[test]
fn the_migration_policy_is_obeyed() {
    let mut config = GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::default() };
    config.consumer.migration_policy = crate::groups::MigrationPolicy::Disabled;
    let mut classic = Classic { machine: Machine::new(config.clone()), next: 0 };
    publish(&mut classic.machine);
    let member = classic.join("").member_id;
    classic.sync(1, &member, Vec::new());
    let (error, message) = error(&mut classic.machine, joining("m1"));
    assert_eq!(error, GroupError::GroupIdNotFound);
    assert_eq!(message, "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
    assert_eq!(classic.machine.shard.describe(&"g".into()).state, "Stable");
    let mut classic = Classic { machine: Machine::new(config), next: 0 };
    publish(&mut classic.machine);
    send(&mut classic.machine, joining("m1")).unwrap();
    let refused = classic.join("");
    assert_eq!((refused.error, &*refused.member_id), (Some(GroupError::InconsistentGroupProtocol), ""));
}

/// The new target comes with the next interval: until then nobody has to rejoin.
#[test]
fn a_classic_member_syncs_while_the_next_assignment_is_put_off() {
    let mut classic = Classic { machine: machine(), next: 0 };
    send(&mut classic.machine, joining("m1")).unwrap();
    let joined = classic.join("");
    assert_eq!((joined.error, joined.generation), (None, 2));
    assert_eq!(state(&classic.machine), ("Assigning", 3, 2));
    assert_eq!(classic.sync(2, &joined.member_id, Vec::new()).error, None);
    assert_eq!(classic.heartbeat(2, &joined.member_id), Ok(()));
}

/// Found by the model: only another member reads what the old expression matched.
#[test]
fn what_a_new_expression_that_matches_nothing_gives_up_is_taken_with_the_next_epoch() {
    let mut machine = machine();
    let expression = |epoch, expression: &str| ConsumerHeartbeatRequest {
        topic_names: Some(Vec::new()),
        topic_regex: Some(expression.into()),
        owned: Some(Partitions::new()),
        ..ConsumerHeartbeatRequest { rebalance_timeout_ms: 5_000, ..request("m2", epoch) }
    };
    let settle = |machine: &mut Machine| {
        for _ in 0..10 {
            machine.advance(4_000);
            let group = machine.shard.describe_consumer_group(&"g".into()).unwrap();
            for own in group.members {
                let owned = own.target.iter().map(|it| (it.topic_id, it.partitions.iter().copied().collect()));
                let beat =
                    ConsumerHeartbeatRequest { owned: Some(owned.collect()), ..request(&own.member_id, own.epoch) };
                send(machine, beat).unwrap();
            }
        }
        let group = machine.shard.describe_consumer_group(&"g".into()).unwrap();
        group.members.iter().map(|it| it.assignment.iter().map(|it| it.partitions.len()).sum()).collect::<Vec<usize>>()
    };
    send(&mut machine, joining("m1")).unwrap();
    send(&mut machine, expression(0, "t.*")).unwrap();
    assert_eq!(settle(&mut machine), [2, 2]);
    let epoch = state(&machine).1;
    send(&mut machine, expression(epoch, "none.*")).unwrap();
    // As in Kafka: the group reads the same topics as before, so its epoch stays.
    assert_eq!(settle(&mut machine), [2, 0]);
    send(&mut machine, request("m2", -1)).unwrap();
    assert_eq!(settle(&mut machine), [4]);
}

#[test]
fn a_static_member_of_the_consumer_protocol_that_comes_back_as_classic_makes_the_group_classic() {
    let mut classic = Classic { machine: machine(), next: 0 };
    let stat = ConsumerHeartbeatRequest { instance_id: Some("i1".into()), ..joining("s1") };
    send(&mut classic.machine, stat).unwrap();
    classic.machine.advance(1_000);
    let reply = classic.send_join(join("g", "", Some("i1"), 5)).unwrap();
    assert_eq!((reply.error, reply.generation), (None, 2));
    let described = classic.machine.shard.describe(&"g".into());
    assert_eq!((described.state, described.members.len()), ("Stable", 1));
    classic.machine.restart();
    let described = classic.machine.shard.describe(&"g".into());
    assert_eq!((described.state, &described.members[0].member_id), ("Stable", &reply.member_id));
    assert_eq!(described.members[0].assignment, assignment(&[0, 1, 2, 3]));
}
