//! The coordinator's methods, one for each Kafka API.

use metrics::counter;
use uuid::Uuid;

use super::GroupError;
use super::commit::CommitResults;
use super::record::Name;
use super::request::{
    CommitRequest, ConsumerHeartbeatReply, ConsumerHeartbeatRequest, DeleteOffsetsRequest, DescribedConsumerGroup,
    DescribedGroup, FetchRequest, FetchedOffset, HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest, LeftMember,
    ListedGroup, Producer, Rejected, SyncReply, SyncRequest, TopicPartitions,
};
use super::service::{GroupCoordinator, Parked};
use crate::observability::metrics::OFFSET_COMMITS;

/// Which groups ListGroups wants. Empty lists want all; letters of either case mean the same.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Version 4 and later.
    pub states: Vec<String>,
    /// Version 5 and later.
    pub types: Vec<String>,
}

impl ListFilter {
    fn wants(&self, group: &ListedGroup) -> bool {
        let among = |wanted: &[String], own: &str| {
            wanted.is_empty() || wanted.iter().any(|name| name.eq_ignore_ascii_case(own))
        };
        among(&self.states, group.state) && among(&self.types, group.group_type)
    }
}

impl GroupCoordinator {
    /// JoinGroup. Waits for the rest of the group; errors are in the reply.
    pub async fn join_group(&self, request: JoinRequest) -> JoinReply {
        let failed = |error| JoinReply::failed(request.member_id.clone(), error);
        if request.group_id.is_empty() {
            return failed(GroupError::InvalidGroupId);
        }
        let config = self.config();
        if !(config.min_session_timeout_ms..=config.max_session_timeout_ms).contains(&request.session_timeout_ms) {
            return failed(GroupError::InvalidSessionTimeout);
        }
        let id = request.group_id.clone();
        let unavailable = |error| JoinReply::failed(Name::from(""), error);
        match self.park(&id, Parked::Join, |shard, now, waiter, fx| shard.join(now, request, waiter, fx)) {
            Ok(receiver) => receiver.await.unwrap_or_else(|_| unavailable(GroupError::CoordinatorNotAvailable)),
            Err(error) => unavailable(error),
        }
    }

    /// SyncGroup. Waits for the leader's assignment; errors are in the reply. That versions from 5 on name the
    /// protocol's type and name (`INCONSISTENT_GROUP_PROTOCOL` otherwise) is checked by the API layer.
    pub async fn sync_group(&self, request: SyncRequest) -> SyncReply {
        if request.group_id.is_empty() {
            return SyncReply::failed(GroupError::InvalidGroupId);
        }
        let id = request.group_id.clone();
        match self.park(&id, Parked::Sync, |shard, now, waiter, fx| shard.sync(now, request, waiter, fx)) {
            Ok(receiver) => receiver.await.unwrap_or_else(|_| SyncReply::failed(GroupError::CoordinatorNotAvailable)),
            Err(error) => SyncReply::failed(error),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// The reply's error.
    pub async fn heartbeat(&self, request: HeartbeatRequest) -> Result<(), GroupError> {
        let partition = self.required(&request.group_id)?;
        self.act(partition, |shard, now, _| shard.heartbeat(now, &request)).await?
    }

    /// LeaveGroup: one result for each member, in the order of the request. Before version 3 there is one member, whose
    /// error is the reply's.
    ///
    /// # Errors
    /// The reply's error.
    pub async fn leave_group(&self, request: LeaveRequest) -> Result<Vec<LeftMember>, GroupError> {
        let partition = self.required(&request.group_id)?;
        self.act(partition, |shard, now, fx| shard.leave(now, request, fx)).await
    }

    /// OffsetCommit: one result for each partition, in the order of the request.
    ///
    /// # Errors
    /// The error of every partition.
    pub async fn commit_offsets(&self, request: CommitRequest) -> Result<CommitResults, GroupError> {
        let partition = self.partition_of(&request.group_id);
        let results = self.act(partition, |shard, now, fx| shard.commit(now, request, fx)).await??;
        count_commits(&results);
        Ok(results)
    }

    /// TxnOffsetCommit: one result for each partition. The API layer has made sure that the group's partition is part
    /// of the transaction.
    ///
    /// # Errors
    /// The error of every partition.
    pub async fn commit_offsets_in_transaction(
        &self,
        producer: Producer,
        request: CommitRequest,
    ) -> Result<CommitResults, GroupError> {
        if request.group_id.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let partition = self.partition_of(&request.group_id);
        let results =
            self.act(partition, |shard, now, fx| shard.commit_in_transaction(now, producer, request, fx)).await??;
        count_commits(&results);
        Ok(results)
    }

    /// OffsetFetch, for one group.
    ///
    /// # Errors
    /// The group's error: the reply's before version 8, and before version 2 the error of every partition.
    pub fn fetch_offsets(&self, request: &FetchRequest) -> Result<Vec<TopicPartitions<FetchedOffset>>, GroupError> {
        self.look(self.partition_of(&request.group_id), |shard| shard.fetch_offsets(request))?
    }

    /// OffsetDelete: one result for each partition, in the order of the request.
    ///
    /// # Errors
    /// The reply's error.
    pub async fn delete_offsets(&self, request: DeleteOffsetsRequest) -> Result<CommitResults, GroupError> {
        let partition = self.required(&request.group_id)?;
        self.act(partition, |shard, _, fx| shard.delete_offsets(request, fx)).await?
    }

    /// ListGroups.
    ///
    /// # Errors
    /// A partition is still loading.
    pub fn list_groups(&self, filter: &ListFilter) -> Result<Vec<ListedGroup>, GroupError> {
        let mut all = Vec::new();
        for partition in self.every_partition() {
            match self.look(partition, |shard| shard.list()) {
                Ok(groups) => all.extend(groups.into_iter().filter(|group| filter.wants(group))),
                Err(GroupError::NotCoordinator) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// DescribeGroups, for one group.
    ///
    /// # Errors
    /// The group's error. That a group does not exist is none.
    pub fn describe_group(&self, group_id: &Name) -> Result<DescribedGroup, GroupError> {
        self.look(self.partition_of(group_id), |shard| shard.describe(group_id))
    }

    /// DeleteGroups, for one group.
    ///
    /// # Errors
    /// The group's error.
    pub async fn delete_group(&self, group_id: &Name) -> Result<(), GroupError> {
        self.act(self.partition_of(group_id), |shard, _, fx| shard.delete_group(group_id, fx)).await?
    }

    /// ConsumerGroupHeartbeat (KIP-848). The API layer has checked that the member may describe the topics it names.
    ///
    /// # Errors
    /// The reply's error and message.
    pub async fn consumer_group_heartbeat(
        &self,
        request: ConsumerHeartbeatRequest,
    ) -> Result<ConsumerHeartbeatReply, Rejected> {
        // Before it is known whether the group's coordinator is there, as in Kafka.
        request.check(self.config())?;
        let partition = self.partition_of(&request.group_id);
        self.act(partition, |shard, now, fx| shard.consumer_heartbeat(now, request, fx)).await?
    }

    /// ConsumerGroupDescribe (KIP-848), for one group.
    ///
    /// # Errors
    /// The group's error and message; an empty group id has no message.
    pub fn describe_consumer_group(&self, group_id: &Name) -> Result<DescribedConsumerGroup, Rejected> {
        if group_id.is_empty() {
            return Err(Rejected::new(GroupError::InvalidGroupId, ""));
        }
        self.look(self.partition_of(group_id), |shard| shard.describe_consumer_group(group_id))?
    }

    /// A topic was deleted: its offsets go, in all groups.
    pub async fn topic_deleted(&self, topic: &str, topic_id: Uuid) {
        for partition in self.every_partition() {
            // A partition that is not in service expires the offsets by itself later; failures are logged.
            let _ = self.act(partition, |shard, _, fx| shard.topic_deleted(topic, topic_id, fx)).await;
        }
    }

    fn required(&self, group_id: &str) -> Result<i32, GroupError> {
        if group_id.is_empty() { Err(GroupError::InvalidGroupId) } else { Ok(self.partition_of(group_id)) }
    }
}

fn count_commits(results: &CommitResults) {
    let partitions = results.iter().flat_map(|topic| &topic.partitions);
    let committed = partitions.filter(|partition| partition.error.is_none()).count();
    counter!(OFFSET_COMMITS).increment(committed as u64);
}
