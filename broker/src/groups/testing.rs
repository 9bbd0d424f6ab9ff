//! What the tests of this module share: counted member ids, and a shard with a log in memory that can fail.

use std::sync::Arc;

use bytes::Bytes;

use super::GroupConfig;
use super::codec::{self, EncodedRecord};
use super::record::{GroupRecord, Name};
use super::request::{Client, CommitPartition, CommitRequest, JoinRequest, Producer, SyncRequest, TopicPartitions};
use super::shard::{Answer, AppendError, Effects, MemberIds, Shard, Then};
use super::time::Now;

#[derive(Debug, Default)]
pub(crate) struct CountedIds(u64);

impl MemberIds for CountedIds {
    fn next(&mut self) -> String {
        self.0 += 1;
        self.0.to_string()
    }
}

/// An entry of the log in memory.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Record(Option<Producer>, EncodedRecord),
    Marker(i64, bool),
}

/// A shard, its log and its clock.
#[derive(Debug)]
pub(crate) struct Machine {
    pub config: Arc<GroupConfig>,
    pub shard: Shard,
    pub log: Vec<Entry>,
    pub now: Now,
    /// Appends fail while this is set.
    pub failing: Option<AppendError>,
    pub answers: Vec<Answer>,
    next_ids: u64,
}

impl Machine {
    pub fn new(config: GroupConfig) -> Self {
        let config = Arc::new(config);
        let shard = Shard::new(Arc::clone(&config), Box::new(CountedIds::default()));
        let now = Now { ticks: 0, unix_ms: 1_700_000_000_000 };
        let mut machine = Self { config, shard, log: Vec::new(), now, failing: None, answers: Vec::new(), next_ids: 0 };
        let _ = machine.step(|shard, now, fx| shard.loaded(now, fx));
        machine
    }

    /// One request, and whatever is due; the error is that of the request's append.
    pub fn step<R>(
        &mut self,
        request: impl FnOnce(&mut Shard, Now, &mut Effects) -> R,
    ) -> (R, Result<(), AppendError>) {
        let mut fx = Effects::default();
        let result = request(&mut self.shard, self.now, &mut fx);
        let written = self.write(&mut fx);
        while self.shard.fire(self.now, &mut fx) {
            let _ = self.write(&mut fx);
        }
        self.answers.append(&mut fx.answers);
        self.shard.check_invariants();
        (result, written)
    }

    fn write(&mut self, fx: &mut Effects) -> Result<(), AppendError> {
        let mut first = Ok(());
        while !fx.records.is_empty() {
            let records = std::mem::take(&mut fx.records);
            let (then, producer) = (std::mem::take(&mut fx.then), fx.producer.take());
            fx.splittable = false;
            if let Some(error) = self.failing.clone() {
                self.shard.append_failed(self.now, then, &error, fx);
                first = first.and(Err(error));
                continue;
            }
            let base = i64::try_from(self.log.len()).unwrap();
            self.log.extend(records.iter().map(|record| Entry::Record(producer, codec::encode(record).unwrap())));
            self.shard.appended(self.now, then, records, producer, base, fx);
        }
        fx.then = Then::Nothing;
        first
    }

    pub fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        self.log.push(Entry::Marker(producer_id, commit));
        self.shard.replay_marker(producer_id, commit);
    }

    /// Moves the clock, stopping at each deadline on the way.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now.ticks + ms;
        while let Some(next) = self.shard.next_deadline().filter(|next| *next <= end) {
            self.tick(next.max(self.now.ticks));
        }
        self.tick(end);
    }

    fn tick(&mut self, to: u64) {
        self.now.unix_ms += i64::try_from(to - self.now.ticks).unwrap();
        self.now.ticks = to;
        let _ = self.step(|_, _, _| {});
    }

    /// A new coordinator that reads the log. Parked requests are lost with the old one.
    pub fn restart(&mut self) {
        self.answers.clear();
        self.next_ids += 1_000_000;
        self.shard = Shard::new(Arc::clone(&self.config), Box::new(CountedIds(self.next_ids)));
        for (entry, offset) in self.log.iter().zip(0..) {
            match entry {
                Entry::Record(producer, record) => {
                    let decoded = codec::decode(&record.key, record.value.as_deref()).unwrap().unwrap();
                    self.shard.replay(offset, producer.map(|producer| producer.id), decoded);
                }
                Entry::Marker(producer_id, commit) => self.shard.replay_marker(*producer_id, *commit),
            }
        }
        let _ = self.step(|shard, now, fx| shard.loaded(now, fx));
    }

    /// The records written since `from`, decoded.
    pub fn records_since(&self, from: usize) -> Vec<GroupRecord> {
        let decoded = |entry: &Entry| match entry {
            Entry::Record(_, record) => codec::decode(&record.key, record.value.as_deref()).unwrap(),
            Entry::Marker(..) => None,
        };
        self.log[from..].iter().filter_map(decoded).collect()
    }
}

pub(crate) fn client() -> Client {
    Client { id: "c".into(), host: "/127.0.0.1".into() }
}

/// A version 1 subscription of the embedded consumer protocol to one topic.
pub(crate) fn subscription(topic: &str) -> Bytes {
    let mut bytes = vec![0, 1, 0, 0, 0, 1];
    bytes.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend([255, 255, 255, 255, 0, 0, 0, 0]);
    bytes.into()
}

pub(crate) fn join(group: &str, member: &str, instance: Option<&str>, version: i16) -> JoinRequest {
    JoinRequest {
        version,
        client: client(),
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: Some(20_000),
        member_id: member.into(),
        instance_id: instance.map(Name::from),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription("t"))],
        reason: None,
    }
}

pub(crate) fn sync(
    group: &str,
    generation: i32,
    member: &str,
    instance: Option<&str>,
    assignments: Vec<(Name, Bytes)>,
) -> SyncRequest {
    SyncRequest {
        group_id: group.into(),
        generation,
        member_id: member.into(),
        instance_id: instance.map(Name::from),
        protocol_type: None,
        protocol_name: None,
        assignments,
    }
}

pub(crate) fn commit(group: &str, generation: i32, member: &str, partition: i32, offset: i64) -> CommitRequest {
    let partition = CommitPartition { partition, offset, leader_epoch: -1, metadata: None, timestamp: None };
    CommitRequest {
        version: 8,
        group_id: group.into(),
        generation,
        member_id: member.into(),
        instance_id: None,
        retention_ms: None,
        topics: vec![TopicPartitions { topic: "t".into(), topic_id: uuid::Uuid::nil(), partitions: vec![partition] }],
    }
}
