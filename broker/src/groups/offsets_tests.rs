//! Committed offsets: what is fetched, how long it is kept, and what transactions do to it.

use uuid::Uuid;

use super::request::{CommitRequest, FetchRequest, FetchedOffset, Producer, TopicPartitions};
use super::testing::{Machine, commit, join, sync};
use super::{GroupConfig, GroupError};
use crate::groups::shard::Waiter;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn machine() -> Machine {
    Machine::new(GroupConfig { initial_rebalance_delay_ms: 0, ..GroupConfig::default() })
}

fn commit_simple(machine: &mut Machine, partition: i32, offset: i64) {
    let request = commit("g", -1, "", partition, offset);
    let results = machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    assert_eq!(results[0].partitions[0].error, None);
}

fn fetch_of(machine: &Machine, topic_id: Uuid, partition: i32, require_stable: bool) -> FetchedOffset {
    let topics = Some(vec![TopicPartitions { topic: "t".into(), topic_id, partitions: vec![partition] }]);
    let request = FetchRequest { group_id: "g".into(), member_id: None, member_epoch: -1, topics, require_stable };
    machine.shard.fetch_offsets(&request).unwrap()[0].partitions[0].clone()
}

fn fetch(machine: &Machine, partition: i32) -> i64 {
    fetch_of(machine, Uuid::nil(), partition, false).offset
}

fn groups(machine: &Machine) -> usize {
    machine.shard.group_count()
}

#[test]
fn what_is_too_long_is_refused_and_the_rest_is_kept() {
    let mut machine = machine();
    let mut request = commit("g", -1, "", 0, 5);
    let mut long = request.topics[0].partitions[0].clone();
    request.topics[0].partitions[0].metadata = Some("ü".repeat(4_096));
    long.partition = 1;
    long.metadata = Some("x".repeat(4_097));
    request.topics[0].partitions.push(long);
    let results = machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    let errors: Vec<_> = results[0].partitions.iter().map(|result| result.error).collect();
    assert_eq!(errors, [None, Some(GroupError::OffsetMetadataTooLarge)]);
    assert_eq!((fetch(&machine, 0), fetch(&machine, 1)), (5, -1));
}

#[test]
fn a_simple_group_goes_with_its_last_offset() {
    let mut machine = machine();
    commit_simple(&mut machine, 0, 1);
    machine.advance(5 * DAY_MS);
    commit_simple(&mut machine, 1, 2);
    machine.advance(3 * DAY_MS);
    assert_eq!((fetch(&machine, 0), fetch(&machine, 1), groups(&machine)), (-1, 2, 1));
    machine.advance(5 * DAY_MS);
    assert_eq!(groups(&machine), 0);
    machine.restart();
    assert_eq!(groups(&machine), 0);
}

#[test]
fn a_retention_the_client_asked_for_overrules_the_brokers() {
    let mut machine = machine();
    let request = CommitRequest { version: 2, retention_ms: Some(5_000), ..commit("g", -1, "", 0, 1) };
    machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    machine.restart();
    assert_eq!(fetch(&machine, 0), 1);
    // The next look is after ten minutes.
    machine.advance(600_000);
    assert_eq!(fetch(&machine, 0), -1);
}

#[test]
fn the_offsets_of_a_group_with_members_stay_and_count_from_when_it_is_empty() {
    let mut machine = machine();
    let request = join("g", "", None, 3);
    let _ = machine.step(|shard, now, fx| shard.join(now, request, Waiter(1), fx));
    let request = sync("g", 1, "c-1", None, Vec::new());
    let _ = machine.step(|shard, now, fx| shard.sync(now, request, Waiter(2), fx));
    for _ in 0..10 * DAY_MS / 9_000 {
        machine.now.ticks += 9_000;
        machine.now.unix_ms += 9_000;
        let request = commit("g", 1, "c-1", 0, 7);
        machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    }
    machine.advance(6 * DAY_MS);
    assert_eq!((fetch(&machine, 0), machine.shard.describe(&"g".into()).state), (7, "Empty"));
    machine.advance(2 * DAY_MS);
    assert_eq!((fetch(&machine, 0), groups(&machine)), (-1, 0));
}

#[test]
fn a_transactional_commit_counts_from_its_marker_on_but_keeps_its_place() {
    let mut machine = machine();
    let in_transaction = |machine: &mut Machine, id: i64, partition: i32, offset: i64| {
        let request = commit("g", -1, "", partition, offset);
        machine
            .step(|shard, now, fx| {
                shard.commit_in_transaction(now, Producer { id, epoch: 0, verified: None }, request, fx)
            })
            .0
            .unwrap();
    };
    commit_simple(&mut machine, 0, 1);
    in_transaction(&mut machine, 7, 0, 2);
    assert_eq!(fetch(&machine, 0), 1);
    let unstable = fetch_of(&machine, Uuid::nil(), 0, true);
    assert_eq!((unstable.offset, unstable.error), (-1, Some(GroupError::UnstableOffsetCommit)));
    machine.restart();
    machine.end_transaction(7, true);
    assert_eq!(fetch_of(&machine, Uuid::nil(), 0, true).offset, 2);
    // One that was written before a plain commit and is decided after it does not bring the offset back.
    in_transaction(&mut machine, 8, 0, 3);
    commit_simple(&mut machine, 0, 4);
    machine.end_transaction(8, true);
    assert_eq!(fetch(&machine, 0), 4);
    in_transaction(&mut machine, 9, 0, 5);
    machine.end_transaction(9, false);
    assert_eq!(fetch(&machine, 0), 4);
    machine.restart();
    assert_eq!(fetch(&machine, 0), 4);
}

#[test]
fn a_group_with_an_open_transaction_is_not_cleaned_up() {
    let mut machine = machine();
    let request = commit("g", -1, "", 0, 5);
    let producer = Producer { id: 7, epoch: 0, verified: None };
    machine.step(|shard, now, fx| shard.commit_in_transaction(now, producer, request, fx)).0.unwrap();
    machine.advance(20 * DAY_MS);
    machine.end_transaction(7, true);
    assert_eq!(fetch(&machine, 0), 5);
}

#[test]
fn a_topic_made_anew_under_the_same_name_has_no_offsets() {
    let mut machine = machine();
    let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut request = commit("g", -1, "", 0, 5);
    request.topics[0].topic_id = old;
    machine.step(|shard, now, fx| shard.commit(now, request, fx)).0.unwrap();
    assert_eq!(fetch_of(&machine, old, 0, false).offset, 5);
    assert_eq!(fetch_of(&machine, new, 0, false).offset, -1);
    let _ = machine.step(|shard, _, fx| shard.topic_deleted("t", new, fx));
    assert_eq!(fetch_of(&machine, old, 0, false).offset, 5);
    let _ = machine.step(|shard, _, fx| shard.topic_deleted("t", old, fx));
    assert_eq!(fetch_of(&machine, Uuid::nil(), 0, false).offset, -1);
}
