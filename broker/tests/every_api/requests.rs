//! What is asked of each API.

use uuid::Uuid;
use wire::ApiKey;
use wire::messages as m;
use wire::record_batch::{BatchBuilder, BatchOptions, NewRecord};

use m::delete_topics_request::DeleteTopicsRequest;
use m::describe_groups_request::DescribeGroupsRequest;
use m::describe_log_dirs_request::DescribeLogDirsRequest;
use m::find_coordinator_request::FindCoordinatorRequest;
use m::init_producer_id_request::InitProducerIdRequest;

use crate::client::Client;

/// A request with nothing in it but what it needs to be one.
pub fn empty(client: &mut Client, api: ApiKey, version: i16) -> Result<(), String> {
    macro_rules! ask {
        ($module:ident::$request:ident) => {
            client.ask(version, &m::$module::$request::default())
        };
        ($module:ident::$request:ident { $($field:ident: $value:expr),* }) => {
            client.ask(version, &m::$module::$request { $($field: $value,)* ..Default::default() })
        };
    }
    match api {
        ApiKey::Produce => ask!(produce_request::ProduceRequest { acks: 1 }),
        ApiKey::Fetch => ask!(fetch_request::FetchRequest),
        ApiKey::ListOffsets => ask!(list_offsets_request::ListOffsetsRequest),
        ApiKey::Metadata => ask!(metadata_request::MetadataRequest),
        ApiKey::OffsetCommit => ask!(offset_commit_request::OffsetCommitRequest),
        ApiKey::OffsetFetch => ask!(offset_fetch_request::OffsetFetchRequest),
        ApiKey::FindCoordinator => ask!(find_coordinator_request::FindCoordinatorRequest),
        ApiKey::JoinGroup => ask!(join_group_request::JoinGroupRequest),
        ApiKey::Heartbeat => ask!(heartbeat_request::HeartbeatRequest),
        ApiKey::LeaveGroup => ask!(leave_group_request::LeaveGroupRequest),
        ApiKey::SyncGroup => ask!(sync_group_request::SyncGroupRequest),
        ApiKey::DescribeGroups => ask!(describe_groups_request::DescribeGroupsRequest),
        ApiKey::ListGroups => ask!(list_groups_request::ListGroupsRequest),
        ApiKey::SaslHandshake => ask!(sasl_handshake_request::SaslHandshakeRequest),
        ApiKey::ApiVersions => ask!(api_versions_request::ApiVersionsRequest),
        ApiKey::CreateTopics => ask!(create_topics_request::CreateTopicsRequest),
        ApiKey::DeleteTopics => ask!(delete_topics_request::DeleteTopicsRequest),
        ApiKey::DeleteRecords => ask!(delete_records_request::DeleteRecordsRequest),
        ApiKey::InitProducerId => ask!(init_producer_id_request::InitProducerIdRequest { transactional_id: None }),
        ApiKey::OffsetForLeaderEpoch => ask!(offset_for_leader_epoch_request::OffsetForLeaderEpochRequest),
        ApiKey::AddPartitionsToTxn => ask!(add_partitions_to_txn_request::AddPartitionsToTxnRequest),
        ApiKey::AddOffsetsToTxn => ask!(add_offsets_to_txn_request::AddOffsetsToTxnRequest),
        ApiKey::EndTxn => ask!(end_txn_request::EndTxnRequest),
        ApiKey::WriteTxnMarkers => ask!(write_txn_markers_request::WriteTxnMarkersRequest),
        ApiKey::TxnOffsetCommit => ask!(txn_offset_commit_request::TxnOffsetCommitRequest),
        ApiKey::DescribeAcls => ask!(describe_acls_request::DescribeAclsRequest {
            resource_type_filter: 1,
            pattern_type_filter: 3,
            operation: 1,
            permission_type: 1
        }),
        ApiKey::CreateAcls => ask!(create_acls_request::CreateAclsRequest),
        ApiKey::DeleteAcls => ask!(delete_acls_request::DeleteAclsRequest),
        ApiKey::DescribeConfigs => ask!(describe_configs_request::DescribeConfigsRequest),
        ApiKey::AlterConfigs => ask!(alter_configs_request::AlterConfigsRequest),
        ApiKey::AlterReplicaLogDirs => ask!(alter_replica_log_dirs_request::AlterReplicaLogDirsRequest),
        ApiKey::DescribeLogDirs => ask!(describe_log_dirs_request::DescribeLogDirsRequest),
        ApiKey::SaslAuthenticate => ask!(sasl_authenticate_request::SaslAuthenticateRequest),
        ApiKey::CreatePartitions => ask!(create_partitions_request::CreatePartitionsRequest),
        ApiKey::CreateDelegationToken => ask!(create_delegation_token_request::CreateDelegationTokenRequest),
        ApiKey::RenewDelegationToken => ask!(renew_delegation_token_request::RenewDelegationTokenRequest),
        ApiKey::ExpireDelegationToken => ask!(expire_delegation_token_request::ExpireDelegationTokenRequest),
        ApiKey::DescribeDelegationToken => ask!(describe_delegation_token_request::DescribeDelegationTokenRequest),
        ApiKey::DeleteGroups => ask!(delete_groups_request::DeleteGroupsRequest),
        ApiKey::ElectLeaders => ask!(elect_leaders_request::ElectLeadersRequest),
        ApiKey::IncrementalAlterConfigs => ask!(incremental_alter_configs_request::IncrementalAlterConfigsRequest),
        ApiKey::AlterPartitionReassignments => {
            ask!(alter_partition_reassignments_request::AlterPartitionReassignmentsRequest)
        }
        ApiKey::ListPartitionReassignments => {
            ask!(list_partition_reassignments_request::ListPartitionReassignmentsRequest)
        }
        ApiKey::OffsetDelete => ask!(offset_delete_request::OffsetDeleteRequest),
        ApiKey::DescribeClientQuotas => ask!(describe_client_quotas_request::DescribeClientQuotasRequest),
        ApiKey::AlterClientQuotas => ask!(alter_client_quotas_request::AlterClientQuotasRequest),
        ApiKey::DescribeUserScramCredentials => {
            ask!(describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest)
        }
        ApiKey::AlterUserScramCredentials => {
            ask!(alter_user_scram_credentials_request::AlterUserScramCredentialsRequest)
        }
        ApiKey::DescribeQuorum => ask!(describe_quorum_request::DescribeQuorumRequest),
        ApiKey::UpdateFeatures => ask!(update_features_request::UpdateFeaturesRequest),
        ApiKey::DescribeCluster => ask!(describe_cluster_request::DescribeClusterRequest),
        ApiKey::DescribeProducers => ask!(describe_producers_request::DescribeProducersRequest),
        ApiKey::UnregisterBroker => ask!(unregister_broker_request::UnregisterBrokerRequest),
        ApiKey::DescribeTransactions => ask!(describe_transactions_request::DescribeTransactionsRequest),
        ApiKey::ListTransactions => ask!(list_transactions_request::ListTransactionsRequest),
        ApiKey::ConsumerGroupHeartbeat => ask!(consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest),
        ApiKey::ConsumerGroupDescribe => ask!(consumer_group_describe_request::ConsumerGroupDescribeRequest),
        ApiKey::ListConfigResources => ask!(list_config_resources_request::ListConfigResourcesRequest),
        ApiKey::DescribeTopicPartitions => ask!(describe_topic_partitions_request::DescribeTopicPartitionsRequest),
        ApiKey::AddRaftVoter => ask!(add_raft_voter_request::AddRaftVoterRequest),
        ApiKey::RemoveRaftVoter => ask!(remove_raft_voter_request::RemoveRaftVoterRequest),
        other => Err(format!("{other} is served and not asked for here")),
    }
}

const TOPIC: &str = "topic";

/// A request about a topic with a record in it, so that the fields of the reply are not their defaults.
pub fn filled(client: &mut Client, api: ApiKey, version: i16) -> Result<(), String> {
    let id = prepare(client)?;
    let (name, topic_id) = if version >= 13 { ("", id) } else { (TOPIC, Uuid::nil()) };
    macro_rules! filled {
        ($kind:ident { $($field:ident: $value:expr),* }) => {
            $kind { $($field: $value,)* ..Default::default() }
        };
    }
    match api {
        ApiKey::Produce if version >= 3 => {
            use m::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
            let good = filled!(PartitionProduceData { index: 0, records: Some(batch().into()) });
            let bad = filled!(PartitionProduceData { index: 1, records: Some(vec![0; 3].into()) });
            let partition_data =
                vec![good, bad, filled!(PartitionProduceData { index: 9, records: Some(batch().into()) })];
            let topic =
                filled!(TopicProduceData { name: name.into(), topic_id: topic_id, partition_data: partition_data });
            client.ask(version, &filled!(ProduceRequest { acks: 1, topic_data: vec![topic] }))
        }
        ApiKey::Fetch => {
            use m::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
            let partition = |partition, fetch_offset| {
                filled!(FetchPartition { partition: partition, fetch_offset: fetch_offset, partition_max_bytes: 1000 })
            };
            let partitions = vec![partition(0, 0), partition(1, 99), partition(9, 0)];
            let topic = filled!(FetchTopic { topic: name.into(), topic_id: topic_id, partitions: partitions });
            let isolation_level = i8::from(version >= 4);
            client.ask(version, &filled!(FetchRequest { isolation_level: isolation_level, topics: vec![topic] }))
        }
        ApiKey::ListOffsets => {
            use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
            let partition = |index, timestamp| {
                filled!(ListOffsetsPartition { partition_index: index, timestamp: timestamp, max_num_offsets: 1 })
            };
            let partitions = vec![partition(0, -1), partition(1, -2), partition(9, 5)];
            let topic = filled!(ListOffsetsTopic { name: TOPIC.into(), partitions: partitions });
            client.ask(version, &filled!(ListOffsetsRequest { topics: vec![topic] }))
        }
        ApiKey::OffsetForLeaderEpoch => {
            use m::offset_for_leader_epoch_request::{
                OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
            };
            let partition = |partition| filled!(OffsetForLeaderPartition { partition: partition, leader_epoch: 0 });
            let topic =
                filled!(OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![partition(0), partition(9)] });
            client.ask(version, &filled!(OffsetForLeaderEpochRequest { topics: vec![topic] }))
        }
        ApiKey::Metadata => {
            use m::metadata_request::{MetadataRequest, MetadataRequestTopic};
            let topic = |name: &'static str| filled!(MetadataRequestTopic { name: Some(name.into()) });
            let topics = Some(vec![topic(TOPIC), topic("not a name")]);
            client.ask(version, &filled!(MetadataRequest { topics: topics }))
        }
        ApiKey::CreateTopics => {
            use m::create_topics_request::{CreatableTopic, CreateTopicsRequest};
            let topic = |name| filled!(CreatableTopic { name: name, num_partitions: 1, replication_factor: 1 });
            let new = format!("made-by-version-{version}");
            client.ask(version, &filled!(CreateTopicsRequest { topics: vec![topic(new.into()), topic("".into())] }))
        }
        ApiKey::DeleteTopics if version < 6 => {
            let topic_names = vec!["missing".into()];
            client.ask(version, &filled!(DeleteTopicsRequest { topic_names: topic_names }))
        }
        ApiKey::CreatePartitions => {
            use m::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
            let topic = filled!(CreatePartitionsTopic { name: TOPIC.into(), count: 1, assignments: None });
            client.ask(version, &filled!(CreatePartitionsRequest { topics: vec![topic] }))
        }
        ApiKey::DeleteRecords => {
            use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
            let partition = |index| filled!(DeleteRecordsPartition { partition_index: index, offset: 0 });
            let topic =
                filled!(DeleteRecordsTopic { name: TOPIC.into(), partitions: vec![partition(0), partition(9)] });
            client.ask(version, &filled!(DeleteRecordsRequest { topics: vec![topic] }))
        }
        ApiKey::DescribeConfigs => {
            use m::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
            let resource = |resource_type, name: &'static str| {
                let resource_name = name.into();
                filled!(DescribeConfigsResource {
                    resource_type: resource_type,
                    resource_name: resource_name,
                    configuration_keys: None
                })
            };
            let resources = vec![resource(2, TOPIC), resource(4, "1"), resource(2, "missing"), resource(16, "s")];
            client.ask(version, &filled!(DescribeConfigsRequest { resources: resources }))
        }
        ApiKey::DescribeLogDirs => client.ask(version, &filled!(DescribeLogDirsRequest { topics: None })),
        ApiKey::DescribeQuorum => {
            use m::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
            let partitions = vec![PartitionData::default()];
            let topic = filled!(TopicData { topic_name: "__cluster_metadata".into(), partitions: partitions });
            client.ask(version, &filled!(DescribeQuorumRequest { topics: vec![topic] }))
        }
        ApiKey::ElectLeaders => {
            use m::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
            let topics = vec![filled!(TopicPartitions { topic: TOPIC.into(), partitions: vec![0, 9] })];
            client.ask(version, &filled!(ElectLeadersRequest { topic_partitions: Some(topics) }))
        }
        ApiKey::UpdateFeatures => {
            use m::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
            let update = filled!(FeatureUpdateKey { feature: "group.version".into(), max_version_level: 1 });
            client.ask(version, &filled!(UpdateFeaturesRequest { feature_updates: vec![update] }))
        }
        ApiKey::ListConfigResources if version == 0 => empty(client, api, version),
        ApiKey::AlterPartitionReassignments => {
            use m::alter_partition_reassignments_request::{
                AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
            };
            let partition = filled!(ReassignablePartition { partition_index: 0, replicas: Some(vec![7]) });
            let topic = filled!(ReassignableTopic { name: TOPIC.into(), partitions: vec![partition] });
            client.ask(version, &filled!(AlterPartitionReassignmentsRequest { topics: vec![topic] }))
        }
        ApiKey::FindCoordinator if version < 4 => {
            client.ask(version, &filled!(FindCoordinatorRequest { key: "group".into() }))
        }
        ApiKey::FindCoordinator => {
            client.ask(version, &filled!(FindCoordinatorRequest { coordinator_keys: vec!["group".into()] }))
        }
        ApiKey::DescribeGroups => {
            client.ask(version, &filled!(DescribeGroupsRequest { groups: vec!["missing".into()] }))
        }
        ApiKey::DescribeProducers => {
            use m::describe_producers_request::{DescribeProducersRequest, TopicRequest};
            let topic = filled!(TopicRequest { name: TOPIC.into(), partition_indexes: vec![0, 9] });
            client.ask(version, &filled!(DescribeProducersRequest { topics: vec![topic] }))
        }
        ApiKey::DescribeTopicPartitions => {
            use m::describe_topic_partitions_request::{DescribeTopicPartitionsRequest, TopicRequest};
            let topic = filled!(TopicRequest { name: TOPIC.into() });
            let request = filled!(DescribeTopicPartitionsRequest { topics: vec![topic], response_partition_limit: 1 });
            client.ask(version, &request)
        }
        ApiKey::InitProducerId => {
            client.ask(version, &filled!(InitProducerIdRequest { transactional_id: Some("".into()) }))
        }
        ApiKey::JoinGroup => {
            use m::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
            let protocols = vec![filled!(JoinGroupRequestProtocol { name: "range".into() })];
            let request = filled!(JoinGroupRequest {
                group_id: "unjoined".into(),
                member_id: "stranger".into(),
                protocol_type: "consumer".into(),
                session_timeout_ms: 10_000,
                protocols: protocols
            });
            client.ask(version, &request)
        }
        ApiKey::IncrementalAlterConfigs => {
            use m::incremental_alter_configs_request::{AlterConfigsResource, IncrementalAlterConfigsRequest};
            let resource = filled!(AlterConfigsResource { resource_type: 2, resource_name: "missing".into() });
            client.ask(version, &filled!(IncrementalAlterConfigsRequest { resources: vec![resource] }))
        }
        ApiKey::AlterConfigs => {
            use m::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
            let resource = filled!(AlterConfigsResource { resource_type: 2, resource_name: "missing".into() });
            client.ask(version, &filled!(AlterConfigsRequest { resources: vec![resource] }))
        }
        other => empty(client, other, version),
    }
}

/// Makes the topic, if it is not there, and gives its id.
fn prepare(client: &mut Client) -> Result<Uuid, String> {
    use m::create_topics_request::{CreatableTopic, CreateTopicsRequest};
    use m::metadata_request::{MetadataRequest, MetadataRequestTopic};
    let topic =
        CreatableTopic { name: TOPIC.into(), num_partitions: 2, replication_factor: 1, ..CreatableTopic::default() };
    client.ask(7, &CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() })?;
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    client
        .read(13, &request, |reply| reply.topics.first().map(|topic| topic.topic_id))?
        .ok_or_else(|| "no topic".into())
}

fn batch() -> Vec<u8> {
    let mut batch = BatchBuilder::new(BatchOptions::default());
    batch.append(NewRecord { timestamp: 1, key: Some(b"k"), value: Some(b"v"), headers: &[] }).unwrap();
    batch.build().unwrap()
}
