//! What Apache Kafka 4.3.1 was seen to answer, step by step.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::groups::record::{GroupRecord, Name};
use crate::groups::request::{
    HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeavingMember, LeftMember, SyncReply,
};
use crate::groups::shard::{Answer, AppendError, Waiter};
use crate::groups::testing::{Machine, commit, join, sync};
use crate::groups::{GroupConfig, GroupError};

/// A machine that keeps the answers by the number of the request.
struct Bench {
    machine: Machine,
    next: u64,
    joined: BTreeMap<u64, JoinReply>,
    synced: BTreeMap<u64, SyncReply>,
}

impl Bench {
    fn new(config: GroupConfig) -> Self {
        Self { machine: Machine::new(config), next: 0, joined: BTreeMap::new(), synced: BTreeMap::new() }
    }

    fn immediate() -> Self {
        Self::new(GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::default() })
    }

    fn collect(&mut self) {
        for answer in std::mem::take(&mut self.machine.answers) {
            match answer {
                Answer::Join(waiter, reply) => assert!(self.joined.insert(waiter.0, reply).is_none()),
                Answer::Sync(waiter, reply) => assert!(self.synced.insert(waiter.0, reply).is_none()),
            }
        }
    }

    fn send_join(&mut self, request: JoinRequest) -> u64 {
        self.next += 1;
        let waiter = Waiter(self.next);
        let _ = self.machine.step(|shard, now, fx| shard.join(now, request, waiter, fx));
        self.collect();
        self.next
    }

    fn join(&mut self, request: JoinRequest) -> JoinReply {
        let number = self.send_join(request);
        self.joined.remove(&number).expect("the join waits")
    }

    fn send_sync(&mut self, reply: &JoinReply, assignments: &[(&Name, &'static [u8])]) -> u64 {
        self.next += 1;
        let waiter = Waiter(self.next);
        let assignments =
            assignments.iter().map(|(member, bytes)| ((*member).clone(), Bytes::from_static(bytes))).collect();
        let request = sync("g", reply.generation, &reply.member_id, None, assignments);
        let _ = self.machine.step(|shard, now, fx| shard.sync(now, request, waiter, fx));
        self.collect();
        self.next
    }

    fn sync(&mut self, reply: &JoinReply, assignments: &[(&Name, &'static [u8])]) -> SyncReply {
        let number = self.send_sync(reply, assignments);
        self.synced.remove(&number).expect("the sync waits")
    }

    fn heartbeat(&mut self, reply: &JoinReply) -> Result<(), GroupError> {
        let request = HeartbeatRequest {
            group_id: "g".into(),
            generation: reply.generation,
            member_id: reply.member_id.clone(),
            instance_id: None,
        };
        self.machine.step(|shard, now, _| shard.heartbeat(now, &request)).0
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> LeftMember {
        let member =
            LeavingMember { member_id: member_id.into(), instance_id: instance_id.map(Name::from), reason: None };
        let request = LeaveRequest { group_id: "g".into(), members: vec![member] };
        let (mut left, _) = self.machine.step(|shard, now, fx| shard.leave(now, request, fx));
        self.collect();
        left.remove(0)
    }

    fn advance(&mut self, ms: u64) {
        self.machine.advance(ms);
        self.collect();
    }

    fn state(&self) -> &'static str {
        self.machine.shard.describe(&"g".into()).state
    }

    /// One member in a stable group.
    fn settled(&mut self, request: JoinRequest) -> JoinReply {
        let reply = self.join(request);
        assert_eq!(self.sync(&reply, &[(&reply.member_id, b"all")]).error, None);
        reply
    }
}

#[test]
fn a_client_of_version_4_is_given_an_id_first() {
    let mut bench = Bench::immediate();
    let first = bench.join(join("g", "", None, 4));
    assert_eq!((first.error, &*first.member_id), (Some(GroupError::MemberIdRequired), "c-1"));
    // The group is stored at once, without a generation.
    let [GroupRecord::Classic { value: Some(stored), .. }] = &bench.machine.records_since(0)[..] else { panic!() };
    assert_eq!((stored.generation, &*stored.protocol_type, stored.members.len()), (0, "", 0));
    let second = bench.join(join("g", "c-1", None, 4));
    assert_eq!((second.error, second.generation, second.members.len()), (None, 1, 1));
}

#[test]
fn an_id_that_is_not_used_holds_up_others_no_longer_than_its_session() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", None, 3));
    bench.join(join("g", "", None, 4));
    let rejoined = bench.send_join(join("g", &first.member_id, None, 3));
    assert_eq!(bench.state(), "PreparingRebalance");
    bench.advance(9_999);
    assert!(!bench.joined.contains_key(&rejoined));
    bench.advance(1);
    assert_eq!(bench.joined[&rejoined].generation, 2);
}

#[test]
fn requests_that_do_not_fit_are_told_why() {
    let mut bench = Bench::immediate();
    assert_eq!(bench.join(join("g", "stranger", None, 3)).error, Some(GroupError::UnknownMemberId));
    let typeless = JoinRequest { protocol_type: "".into(), ..join("g", "", None, 3) };
    assert_eq!(bench.join(typeless).error, Some(GroupError::InconsistentGroupProtocol));
    let member = bench.settled(join("g", "", None, 3));
    let connect = JoinRequest { protocol_type: "connect".into(), ..join("g", "", None, 3) };
    assert_eq!(bench.join(connect).error, Some(GroupError::InconsistentGroupProtocol));
    let stale = JoinReply { generation: 7, ..member.clone() };
    assert_eq!(bench.sync(&stale, &[]).error, Some(GroupError::IllegalGeneration));
    assert_eq!(bench.heartbeat(&stale), Err(GroupError::IllegalGeneration));
    assert_eq!(bench.heartbeat(&member), Ok(()));
}

#[test]
fn a_new_group_waits_for_more_members_as_long_as_they_come() {
    let mut bench = Bench::new(GroupConfig::default());
    let first = bench.send_join(join("g", "", None, 3));
    bench.advance(2_000);
    let second = bench.send_join(join("g", "", None, 3));
    // The first delay ends after 3 s, is extended for the second member, and ends for good after 6 s.
    bench.advance(3_999);
    assert!(bench.joined.is_empty());
    bench.advance(1);
    assert_eq!((bench.joined[&first].generation, bench.joined[&second].generation), (1, 1));
    assert_eq!(bench.joined[&first].members.len() + bench.joined[&second].members.len(), 2);
}

#[test]
fn who_does_not_rejoin_in_time_is_out() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", None, 3));
    let second = bench.send_join(join("g", "", None, 3));
    assert_eq!(bench.heartbeat(&first), Err(GroupError::RebalanceInProgress));
    // Heartbeats keep the session, not the place in the next generation.
    bench.advance(9_000);
    assert_eq!(bench.heartbeat(&first), Err(GroupError::RebalanceInProgress));
    bench.advance(9_000);
    assert_eq!(bench.heartbeat(&first), Err(GroupError::RebalanceInProgress));
    bench.advance(2_000);
    assert_eq!((bench.joined[&second].generation, bench.joined[&second].members.len()), (2, 1));
    assert_eq!(bench.heartbeat(&first), Err(GroupError::UnknownMemberId));
}

#[test]
fn who_does_not_sync_in_time_is_out_though_it_sends_heartbeats() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", None, 3));
    let second = bench.send_join(join("g", "", None, 3));
    let first = bench.join(join("g", &first.member_id, None, 3));
    let second = bench.joined.remove(&second).unwrap();
    let waiting = bench.send_sync(&second, &[]);
    bench.advance(9_000);
    assert_eq!(bench.heartbeat(&first), Ok(()));
    bench.advance(9_000);
    assert_eq!(bench.heartbeat(&first), Ok(()));
    bench.advance(2_000);
    assert_eq!(bench.synced[&waiting].error, Some(GroupError::RebalanceInProgress));
    assert_eq!(bench.heartbeat(&first), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_new_member_that_is_never_answered_is_given_up() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", Some("i"), 5));
    // A static member that does not rejoin holds the rebalance up, as long as its session lasts.
    let long = JoinRequest { rebalance_timeout_ms: Some(900_000), ..join("g", "", None, 3) };
    let second = bench.send_join(long);
    for _ in 0..60 {
        bench.advance(5_000);
        let request = HeartbeatRequest {
            group_id: "g".into(),
            generation: first.generation,
            member_id: first.member_id.clone(),
            instance_id: Some("i".into()),
        };
        let _ = bench.machine.step(|shard, now, _| shard.heartbeat(now, &request));
    }
    assert_eq!(bench.joined[&second].error, Some(GroupError::UnknownMemberId));
}

#[test]
fn a_static_member_that_comes_back_goes_on_without_a_rebalance() {
    for (version, skips) in [(8, false), (9, true)] {
        let mut bench = Bench::immediate();
        let first = bench.settled(join("g", "", Some("i"), version));
        let place = bench.machine.log.len();
        let again = bench.join(join("g", "", Some("i"), version));
        assert_eq!((again.error, again.generation, again.skip_assignment), (None, 1, skips));
        assert_ne!(again.member_id, first.member_id);
        // The leader learns the members only if it knows that it need not assign.
        assert_eq!(again.members.len(), usize::from(skips));
        assert_eq!(again.leader, if skips { again.member_id.clone() } else { first.member_id.clone() });
        let [GroupRecord::Classic { value: Some(stored), .. }] = &bench.machine.records_since(place)[..] else {
            panic!()
        };
        assert_eq!((&stored.members[0].member_id, &stored.members[0].assignment[..]), (&again.member_id, &b"all"[..]));
        assert_eq!(bench.state(), "Stable");
        // The old id is fenced.
        let fenced = bench.join(join("g", &first.member_id, Some("i"), version));
        assert_eq!(fenced.error, Some(GroupError::FencedInstanceId));
        assert_eq!(bench.leave(&first.member_id, Some("i")).error, Some(GroupError::FencedInstanceId));
    }
}

#[test]
fn a_static_member_keeps_its_old_id_when_the_new_one_cannot_be_stored() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", Some("i"), 9));
    bench.machine.failing = Some(AppendError::Offline("test".into()));
    assert_eq!(bench.join(join("g", "", Some("i"), 9)).error, Some(GroupError::NotCoordinator));
    assert_eq!(bench.sync(&first, &[]).assignment, Bytes::from_static(b"all"));
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance_id() {
    let mut bench = Bench::immediate();
    bench.settled(join("g", "", Some("i"), 9));
    assert_eq!(bench.leave("", Some("other")).error, Some(GroupError::UnknownMemberId));
    let place = bench.machine.log.len();
    assert_eq!(bench.leave("", Some("i")).error, None);
    assert_eq!(bench.state(), "Empty");
    let [GroupRecord::Classic { value: Some(stored), .. }] = &bench.machine.records_since(place)[..] else { panic!() };
    assert_eq!(
        (stored.generation, &*stored.protocol_type, &stored.protocol, stored.members.len()),
        (2, "consumer", &None, 0)
    );
}

#[test]
fn a_group_takes_no_more_than_its_maximum() {
    let mut bench = Bench::new(GroupConfig { initial_rebalance_delay_ms: 0, max_size: 1, ..GroupConfig::default() });
    let first = bench.settled(join("g", "", None, 3));
    assert_eq!(bench.join(join("g", "", None, 3)).error, Some(GroupError::GroupMaxSizeReached));
    assert_eq!(bench.join(join("g", &first.member_id, None, 3)).generation, 2);
}

#[test]
fn a_group_that_is_loaded_over_its_maximum_shrinks() {
    let mut bench = Bench::immediate();
    let first = bench.settled(join("g", "", None, 3));
    let second = bench.send_join(join("g", "", None, 3));
    let first = bench.join(join("g", &first.member_id, None, 3));
    let second = bench.joined.remove(&second).unwrap();
    bench.sync(&first, &[]);
    bench.machine.config = std::sync::Arc::new(GroupConfig { max_size: 1, ..GroupConfig::default() });
    bench.machine.restart();
    assert_eq!(bench.state(), "PreparingRebalance");
    let kept = bench.send_join(join("g", &second.member_id, None, 3));
    assert_eq!(bench.join(join("g", &first.member_id, None, 3)).error, Some(GroupError::GroupMaxSizeReached));
    bench.advance(20_000);
    assert_eq!(bench.joined[&kept].members.len(), 1);
}

#[test]
fn the_protocol_most_members_prefer_wins_among_those_all_support() {
    let mut bench = Bench::new(GroupConfig::default());
    let offers = |names: &[&str]| JoinRequest {
        protocols: names.iter().map(|name| (Name::from(*name), Bytes::new())).collect(),
        ..join("g", "", None, 3)
    };
    let first = bench.send_join(offers(&["a", "b", "c"]));
    bench.send_join(offers(&["b", "a"]));
    bench.send_join(offers(&["x", "b", "a"]));
    bench.advance(30_000);
    assert_eq!(bench.joined[&first].protocol_name.as_deref(), Some("b"));
}

#[test]
fn members_commit_in_their_generation_and_others_only_to_an_empty_group() {
    let mut bench = Bench::immediate();
    let commit = |bench: &mut Bench, generation: i32, member: &str| {
        let request = commit("g", generation, member, 0, 1);
        bench.machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.map(drop)
    };
    assert_eq!(commit(&mut bench, 3, "m"), Err(GroupError::IllegalGeneration));
    assert_eq!(commit(&mut bench, -1, ""), Ok(()));
    assert_eq!(commit(&mut bench, 0, "m"), Err(GroupError::UnknownMemberId));
    let member = bench.join(join("g", "", None, 3));
    assert_eq!(commit(&mut bench, 1, &member.member_id), Err(GroupError::RebalanceInProgress));
    bench.sync(&member, &[]);
    assert_eq!(commit(&mut bench, 1, &member.member_id), Ok(()));
    assert_eq!(commit(&mut bench, 2, &member.member_id), Err(GroupError::IllegalGeneration));
    assert_eq!(commit(&mut bench, -1, ""), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_subscribed_topic_keeps_its_offsets_and_a_group_with_members_cannot_be_deleted() {
    use crate::groups::request::{DeleteOffsetsRequest, TopicPartitions};
    let mut bench = Bench::immediate();
    let member = bench.settled(join("g", "", None, 3));
    let request = commit("g", 1, &member.member_id, 0, 1);
    bench.machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    let delete = |bench: &mut Bench, topic: &str| {
        let topics = vec![TopicPartitions { topic: topic.into(), topic_id: uuid::Uuid::nil(), partitions: vec![0] }];
        let request = DeleteOffsetsRequest { group_id: "g".into(), topics };
        let results = bench.machine.step(|shard, _, fx| shard.delete_offsets(request, fx)).0.unwrap();
        results[0].partitions[0].error
    };
    assert_eq!(delete(&mut bench, "t"), Some(GroupError::GroupSubscribedToTopic));
    assert_eq!(delete(&mut bench, "u"), None);
    let deleted = bench.machine.step(|shard, _, fx| shard.delete_group(&"g".into(), fx)).0;
    assert_eq!(deleted, Err(GroupError::NonEmptyGroup));
    bench.leave(&member.member_id, None);
    assert_eq!(delete(&mut bench, "t"), None);
    let deleted = bench.machine.step(|shard, _, fx| shard.delete_group(&"g".into(), fx)).0;
    assert_eq!(deleted, Ok(()));
    assert_eq!(bench.state(), "Dead");
}
