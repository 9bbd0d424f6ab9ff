//! The shell around a log in memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::codec::EncodedRecord;
use super::log::Durability;
use super::record::Name;
use super::request::{FetchRequest, JoinReply, LeaveRequest, LeavingMember, Producer, SyncReply, TopicPartitions};
use super::shard::AppendError;
use super::testing::{commit, join, sync};
use super::{GroupConfig, GroupCoordinator, GroupError, ListFilter, LogEntry, OffsetsLog};

#[derive(Debug, Default)]
struct MemoryLog {
    entries: Mutex<Vec<(i32, LogEntry)>>,
    failing: Mutex<Option<AppendError>>,
    /// Nothing that is appended ever becomes safe.
    stuck: AtomicBool,
}

impl OffsetsLog for MemoryLog {
    fn append(
        &self,
        partition: i32,
        producer: Option<Producer>,
        records: Vec<EncodedRecord>,
    ) -> Result<i64, AppendError> {
        if let Some(error) = self.failing.lock().clone() {
            return Err(error);
        }
        let mut entries = self.entries.lock();
        let base = i64::try_from(entries.len()).unwrap();
        for (EncodedRecord { key, value }, offset) in records.into_iter().zip(base..) {
            let producer_id = producer.map(|producer| producer.id);
            entries.push((partition, LogEntry::Record { offset, producer_id, key, value }));
        }
        Ok(base)
    }

    fn durability(&self, _: i32, _: i64) -> Option<Durability> {
        self.stuck.load(Ordering::Relaxed).then(|| Box::pin(std::future::pending()) as Durability)
    }
}

impl MemoryLog {
    fn of(&self, partition: i32) -> Vec<Result<LogEntry, Infallible>> {
        let entries = self.entries.lock();
        entries.iter().filter(|(own, _)| *own == partition).map(|(_, entry)| Ok(entry.clone())).collect()
    }
}

struct Running {
    coordinator: GroupCoordinator,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn start(log: &Arc<MemoryLog>, delay_ms: i32) -> Running {
    let config = GroupConfig { initial_rebalance_delay_ms: delay_ms, ..GroupConfig::default() };
    let coordinator = GroupCoordinator::new(config, 3, Arc::<MemoryLog>::clone(log));
    let stop = CancellationToken::new();
    tokio::spawn(coordinator.clone().run(stop.clone()));
    for partition in 0..3 {
        coordinator.load(partition, log.of(partition)).unwrap();
    }
    Running { coordinator, stop }
}

/// Joins as an old client does, without being given a member id first.
async fn join_as(coordinator: &GroupCoordinator, member: &str) -> JoinReply {
    coordinator.join_group(join("g", member, None, 3)).await
}

async fn sync_as(
    coordinator: &GroupCoordinator,
    reply: &JoinReply,
    assignments: &[(&Name, &'static str)],
) -> SyncReply {
    let assignments = assignments
        .iter()
        .map(|(member, assignment)| ((*member).clone(), Bytes::from_static(assignment.as_bytes())))
        .collect();
    coordinator.sync_group(sync("g", reply.generation, &reply.member_id, None, assignments)).await
}

fn fetch(coordinator: &GroupCoordinator, partition: i32) -> i64 {
    let topics =
        Some(vec![TopicPartitions { topic: "t".into(), topic_id: uuid::Uuid::nil(), partitions: vec![partition] }]);
    let request =
        FetchRequest { group_id: "g".into(), member_id: None, member_epoch: -1, topics, require_stable: false };
    coordinator.fetch_offsets(&request).unwrap()[0].partitions[0].offset
}

#[tokio::test]
async fn two_members_share_a_generation_and_their_offsets_survive_a_restart() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 0);
    let coordinator = &running.coordinator;
    let first = join_as(coordinator, "").await;
    assert_eq!((first.error, first.generation), (None, 1));
    // The second join waits until the first member has rejoined.
    let (second, first) = tokio::join!(join_as(coordinator, ""), async {
        while coordinator.describe_group(&"g".into()).unwrap().state != "PreparingRebalance" {
            tokio::task::yield_now().await;
        }
        join_as(coordinator, &first.member_id).await
    });
    assert_eq!((first.generation, second.generation), (2, 2));
    assert_eq!(first.leader, first.member_id);
    assert_eq!(first.members.len(), 2);
    let deal = [(&first.member_id, "a"), (&second.member_id, "b")];
    let (follower, leader) = tokio::join!(sync_as(coordinator, &second, &[]), sync_as(coordinator, &first, &deal));
    assert_eq!((leader.assignment.as_ref(), follower.assignment.as_ref()), (&b"a"[..], &b"b"[..]));
    let committed = coordinator.commit_offsets(commit("g", 2, &second.member_id, 0, 42)).await.unwrap();
    assert_eq!(committed[0].partitions[0].error, None);

    let again = start(&log, 0);
    assert_eq!(fetch(&again.coordinator, 0), 42);
    let group = again.coordinator.describe_group(&"g".into()).unwrap();
    assert_eq!((group.state, group.members.len()), ("Stable", 2));
    assert_eq!(sync_as(&again.coordinator, &second, &[]).await.assignment.as_ref(), b"b");
}

#[tokio::test(start_paused = true)]
async fn a_silent_member_is_forgotten_after_its_session_timeout() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 3_000);
    let coordinator = &running.coordinator;
    let joined = join_as(coordinator, "").await;
    sync_as(coordinator, &joined, &[]).await;
    tokio::time::sleep(Duration::from_millis(9_900)).await;
    assert_eq!(coordinator.describe_group(&"g".into()).unwrap().state, "Stable");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(coordinator.describe_group(&"g".into()).unwrap().state, "Empty");
}

#[tokio::test]
async fn a_log_that_fails_answers_everybody() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 0);
    let coordinator = &running.coordinator;
    let joined = join_as(coordinator, "").await;
    *log.failing.lock() = Some(AppendError::TooLarge);
    assert_eq!(sync_as(coordinator, &joined, &[]).await.error, Some(GroupError::UnknownServerError));
    *log.failing.lock() = Some(AppendError::Offline("disk".into()));
    let refused = coordinator.commit_offsets(commit("other", -1, "", 0, 1)).await;
    assert_eq!(refused, Err(GroupError::NotCoordinator));
    // Joining writes nothing while the group exists; its generation is only stored with the assignment.
    assert_eq!(coordinator.describe_group(&"g".into()).unwrap().state, "PreparingRebalance");
}

#[tokio::test]
async fn a_parked_request_is_answered_when_the_partition_goes() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 60_000);
    let coordinator = &running.coordinator;
    let (reply, ()) = tokio::join!(join_as(coordinator, ""), async {
        while coordinator.describe_group(&"g".into()).unwrap().state != "PreparingRebalance" {
            tokio::task::yield_now().await;
        }
        coordinator.unload(coordinator.partition_of("g"));
    });
    assert_eq!(reply.error, Some(GroupError::NotCoordinator));
}

#[tokio::test]
async fn requests_before_and_during_loading_are_told_so() {
    let log = Arc::new(MemoryLog::default());
    let coordinator = GroupCoordinator::new(GroupConfig::default(), 1, Arc::<MemoryLog>::clone(&log));
    let request = || LeaveRequest {
        group_id: "g".into(),
        members: vec![LeavingMember { member_id: "m".into(), instance_id: None, reason: None }],
    };
    assert_eq!(coordinator.leave_group(request()).await, Err(GroupError::NotCoordinator));
    assert_eq!(coordinator.list_groups(&ListFilter::default()), Ok(vec![]));
    let during = coordinator.clone();
    let entries = std::iter::once_with(|| {
        assert_eq!(during.describe_group(&"g".into()), Err(GroupError::CoordinatorLoadInProgress));
        // A marker written while the log is read is not lost.
        during.transaction_ended(0, 7, true);
        let encoded = super::codec::encode(&super::record::GroupRecord::Offset {
            group: "g".into(),
            topic: "t".into(),
            partition: 3,
            value: Some(super::record::OffsetValue {
                offset: 11,
                leader_epoch: None,
                metadata: "".into(),
                commit_timestamp: 0,
                expire_timestamp: None,
                topic_id: uuid::Uuid::nil(),
            }),
        });
        let EncodedRecord { key, value } = encoded.unwrap();
        Ok::<_, Infallible>(LogEntry::Record { offset: 0, producer_id: Some(7), key, value })
    });
    coordinator.load(0, entries).unwrap();
    assert_eq!(fetch(&coordinator, 3), 11);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_does_not_become_safe_in_time_is_refused_and_may_be_sent_again() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 0);
    log.stuck.store(true, Ordering::Relaxed);
    let begun = tokio::time::Instant::now();
    let refused = running.coordinator.commit_offsets(commit("g", -1, "", 0, 1)).await;
    assert_eq!(refused, Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(begun.elapsed().as_secs(), 5, "offsets.commit.timeout.ms is 5 s");
    log.stuck.store(false, Ordering::Relaxed);
    assert!(running.coordinator.commit_offsets(commit("g", -1, "", 0, 1)).await.is_ok());
}

#[tokio::test]
async fn ten_thousand_groups_are_listed_and_filtered() {
    let log = Arc::new(MemoryLog::default());
    let running = start(&log, 0);
    for index in 0..10_000 {
        running.coordinator.commit_offsets(commit(&format!("g{index}"), -1, "", 0, 1)).await.unwrap();
    }
    let list = |states: &[&str], types: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        running.coordinator.list_groups(&ListFilter { states: owned(states), types: owned(types) }).unwrap().len()
    };
    assert_eq!(list(&[], &[]), 10_000);
    assert_eq!(list(&["empty"], &["Classic"]), 10_000);
    assert_eq!(list(&["Stable"], &[]), 0);
    assert_eq!(list(&[], &["consumer"]), 0);
}
