//! OffsetCommit, TxnOffsetCommit, OffsetFetch and OffsetDelete.

use super::GroupError;
use super::classic::{ClassicGroup, State};
use super::consumer::validate_commit;
use super::offsets::{is_same_topic, is_subscribed, tombstone};
use super::record::{GroupRecord, Name, OffsetValue};
use super::request::{
    CommitPartition, CommitRequest, DeleteOffsetsRequest, FetchRequest, FetchedOffset, PartitionResult, Producer,
    TopicPartitions,
};
use super::shard::{Effects, Group, Shard, Then};
use super::time::Now;

/// First OffsetCommit version of the consumer protocol, which tells a missing group from an old generation.
const CONSUMER_PROTOCOL_FROM: i16 = 9;

/// Results by topic and partition, in the order of the request.
pub type CommitResults = Vec<TopicPartitions<PartitionResult>>;

impl Shard {
    /// OffsetCommit. An error is for every partition.
    pub fn commit(&mut self, now: Now, request: CommitRequest, fx: &mut Effects) -> Result<CommitResults, GroupError> {
        match self.groups.get(&request.group_id) {
            Some(Group::Classic(group)) => validate_classic(group, &request, false)?,
            Some(Group::Consumer(group)) => validate_commit(group, &request, false, &*self.topics)?,
            None if request.generation < 0 => {}
            None if request.version >= CONSUMER_PROTOCOL_FROM => return Err(GroupError::GroupIdNotFound),
            None => return Err(GroupError::IllegalGeneration),
        }
        // A commit shows that the member lives.
        let keeps_alive = |group: &mut ClassicGroup| matches!(group.state(), State::Stable | State::PreparingRebalance);
        if self.classic(&request.group_id).is_some_and(keeps_alive) {
            self.schedule_heartbeat(now, &request.group_id, &request.member_id);
        }
        Ok(self.write_offsets(now, request, fx))
    }

    /// TxnOffsetCommit: counts once the transaction commits. An error is for every partition.
    pub fn commit_in_transaction(
        &mut self,
        now: Now,
        producer: Producer,
        request: CommitRequest,
        fx: &mut Effects,
    ) -> Result<CommitResults, GroupError> {
        match self.groups.get(&request.group_id) {
            Some(Group::Classic(group)) => validate_classic(group, &request, true)?,
            Some(Group::Consumer(group)) => {
                // The reply of TxnOffsetCommit knows no epochs.
                let validated = validate_commit(group, &request, true, &*self.topics);
                validated.map_err(|error| {
                    if error == GroupError::StaleMemberEpoch { GroupError::IllegalGeneration } else { error }
                })?;
            }
            None if request.generation < 0 => {}
            None => return Err(GroupError::IllegalGeneration),
        }
        fx.producer = Some(producer);
        Ok(self.write_offsets(now, request, fx))
    }

    fn write_offsets(&mut self, now: Now, request: CommitRequest, fx: &mut Effects) -> CommitResults {
        let group = request.group_id;
        let expire_timestamp = request.retention_ms.map(|ms| now.unix_ms.saturating_add(ms));
        let max_metadata = usize::try_from(self.config.offset_metadata_max_bytes).unwrap_or(0);
        let mut results = Vec::with_capacity(request.topics.len());
        for TopicPartitions { topic, topic_id, partitions } in request.topics {
            let commit_one = |commit: CommitPartition| {
                let partition = commit.partition;
                let metadata = commit.metadata.unwrap_or_default();
                // Java counts the UTF-16 units of a text.
                if metadata.len() > max_metadata && metadata.encode_utf16().count() > max_metadata {
                    return PartitionResult { partition, error: Some(GroupError::OffsetMetadataTooLarge) };
                }
                let value = OffsetValue {
                    offset: commit.offset,
                    leader_epoch: Some(commit.leader_epoch).filter(|epoch| *epoch >= 0),
                    metadata: metadata.into(),
                    commit_timestamp: commit.timestamp.unwrap_or(now.unix_ms),
                    expire_timestamp,
                    topic_id,
                };
                fx.records.push(GroupRecord::Offset {
                    group: group.clone(),
                    topic: topic.clone(),
                    partition,
                    value: Some(value),
                });
                PartitionResult { partition, error: None }
            };
            let partitions = partitions.into_iter().map(commit_one).collect();
            results.push(TopicPartitions { topic, topic_id, partitions });
        }
        fx.then = Then::Replay;
        results
    }

    /// OffsetFetch for one group. An error is for the group; a group that does not exist has no offsets.
    pub fn fetch_offsets(&self, request: &FetchRequest) -> Result<Vec<TopicPartitions<FetchedOffset>>, GroupError> {
        let group = &*request.group_id;
        if let Some(Group::Consumer(consumers)) = self.groups.get(group) {
            consumers.validate_fetch(request.member_id.as_ref(), request.member_epoch)?;
        }
        let look_up = |topic: &str, topic_id: uuid::Uuid, partition: i32| {
            if request.require_stable && self.offsets.is_unstable(group, topic, partition) {
                return no_offset(partition, Some(GroupError::UnstableOffsetCommit));
            }
            match self.offsets.get(group, topic, partition) {
                Some(committed) if is_same_topic(committed.value.topic_id, topic_id) => FetchedOffset {
                    partition,
                    offset: committed.value.offset,
                    leader_epoch: committed.value.leader_epoch.unwrap_or(-1),
                    metadata: committed.value.metadata.to_string(),
                    error: None,
                },
                _ => no_offset(partition, None),
            }
        };
        let Some(topics) = &request.topics else {
            let all = self.offsets.of_group(group).map(|(topic, partitions)| TopicPartitions {
                topic: topic.clone(),
                topic_id: partitions.values().next().map_or(uuid::Uuid::nil(), |committed| committed.value.topic_id),
                partitions: partitions.keys().map(|partition| look_up(topic, uuid::Uuid::nil(), *partition)).collect(),
            });
            return Ok(all.collect());
        };
        let asked = topics.iter().map(|asked| TopicPartitions {
            topic: asked.topic.clone(),
            topic_id: asked.topic_id,
            partitions: asked
                .partitions
                .iter()
                .map(|partition| look_up(&asked.topic, asked.topic_id, *partition))
                .collect(),
        });
        Ok(asked.collect())
    }

    /// OffsetDelete. An error is for the whole request.
    pub fn delete_offsets(
        &mut self,
        request: DeleteOffsetsRequest,
        fx: &mut Effects,
    ) -> Result<CommitResults, GroupError> {
        let id = &request.group_id;
        let group = self.groups.get(id).ok_or(GroupError::GroupIdNotFound)?;
        if let Group::Classic(group) = group
            && !group.is_in(State::Empty)
            && !group.is_consumer_type()
        {
            return Err(GroupError::NonEmptyGroup);
        }
        let mut results = Vec::with_capacity(request.topics.len());
        for asked in &request.topics {
            let subscribed = is_subscribed(group, &asked.topic).then_some(GroupError::GroupSubscribedToTopic);
            let mut partitions = Vec::with_capacity(asked.partitions.len());
            for &partition in &asked.partitions {
                if subscribed.is_none() && self.offsets.knows(id, &asked.topic, partition) {
                    fx.records.push(tombstone(id, &asked.topic, partition));
                }
                partitions.push(PartitionResult { partition, error: subscribed });
            }
            results.push(TopicPartitions { topic: asked.topic.clone(), topic_id: asked.topic_id, partitions });
        }
        fx.then = Then::Replay;
        Ok(results)
    }

    /// DeleteGroups, for one group.
    pub fn delete_group(&mut self, id: &Name, fx: &mut Effects) -> Result<(), GroupError> {
        let group = self.groups.get(id).ok_or(GroupError::GroupIdNotFound)?;
        if !Self::is_empty_group(group) {
            return Err(GroupError::NonEmptyGroup);
        }
        self.offsets.tombstones(id, &mut fx.records);
        fx.records.extend(Self::tombstones(id, group));
        fx.then = Then::Replay;
        Ok(())
    }

    /// A topic was deleted: its offsets go.
    pub fn topic_deleted(&mut self, topic: &str, topic_id: uuid::Uuid, fx: &mut Effects) {
        self.offsets.topic_tombstones(topic, topic_id, &mut fx.records);
        fx.then = Then::Replay;
        fx.splittable = true;
    }
}

fn no_offset(partition: i32, error: Option<GroupError>) -> FetchedOffset {
    FetchedOffset { partition, offset: -1, leader_epoch: -1, metadata: String::new(), error }
}

fn validate_classic(group: &ClassicGroup, request: &CommitRequest, is_transactional: bool) -> Result<(), GroupError> {
    // A consumer without group management, or an administrator: fine while nobody is in the group.
    if request.generation < 0 && group.is_in(State::Empty) {
        return Ok(());
    }
    if request.generation >= 0 || !request.member_id.is_empty() || request.instance_id.is_some() {
        group.validate_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != group.generation {
            return Err(GroupError::IllegalGeneration);
        }
    } else if !is_transactional && !group.is_in(State::Empty) {
        // Old producers send transactional commits without saying which member they commit for.
        return Err(GroupError::UnknownMemberId);
    }
    // The member knows of the new generation but has no assignment yet: what it commits for is no longer its own.
    if !is_transactional && group.is_in(State::CompletingRebalance) {
        return Err(GroupError::RebalanceInProgress);
    }
    Ok(())
}
