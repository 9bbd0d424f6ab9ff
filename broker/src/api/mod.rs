//! One file for each Kafka API, and the one `match` that dispatches to them.
//!
//! A handler is `handle(&Context, Request) -> Response`; decoding, the reply's header and encoding stand here. Produce
//! and Fetch differ: the first writes to the frame it was read into, the second splices files into its reply.

mod acl_filter;
mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_user_scram_credentials;
mod api_versions;
mod authorized_operations;
mod broker_logger;
mod config_resource;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod context;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delegation_tokens;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod fetch;
mod fetch_session;
mod find_coordinator;
mod group;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod old_format;
mod produce;
mod produce_transaction;
mod raft_voters;
mod sasl_authenticate;
mod sasl_handshake;
mod session;
mod sync_group;
mod transaction;
mod txn_offset_commit;
mod unregister_broker;
mod update_features;
mod write_txn_markers;

use std::io;
use std::sync::Arc;

use wire::{ApiKey, Decode, DecodeError, Decoder, EncodeError, ErrorCode, RequestHeader};

pub use api_versions::served;
pub use context::Context;
pub use fetch_session::FetchSessions;
pub use session::Session;

use crate::node::Node;
use crate::server::Reply;

/// What a request led to.
#[derive(Debug)]
pub enum Outcome {
    /// Write this and go on.
    Reply(Reply),
    /// Go on without a reply: Produce with `acks=0`.
    Silent,
}

/// Why a connection is closed without a reply, as Apache Kafka does for these.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The API is not served, or not in this version.
    #[error("{api} version {version} is not served")]
    UnsupportedVersion {
        /// The API's name.
        api: &'static str,
        /// What was asked for.
        version: i16,
    },
    /// The frame is not what its header says.
    #[error("malformed request: {0}")]
    Malformed(#[from] DecodeError),
    /// A request that Kafka's own classes refuse to take.
    #[error("invalid request: {0}")]
    Invalid(&'static str),
    /// A reply that its version cannot express: a mistake of this broker.
    #[error("reply not encoded: {0}")]
    Encode(#[from] EncodeError),
    /// A Produce with `acks=0` failed: closing is the only way to tell the client.
    #[error("produce with acks=0 failed: {}", .0.message())]
    UnacknowledgedProduce(ErrorCode),
    /// Records for the reply could not be read.
    #[error("log not read: {0}")]
    Io(#[from] io::Error),
}

/// Handles one frame, whose size prefix is taken off.
///
/// # Errors
/// Any [`RequestError`]: the connection is to be closed.
pub async fn handle(node: &Arc<Node>, session: &mut Session, frame: &mut [u8]) -> Result<Outcome, RequestError> {
    let mut decoder = Decoder::new(frame);
    let header = RequestHeader::decode(&mut decoder)?;
    session.set_client_id(header.client_id.as_deref());
    let api = ApiKey::try_from(header.api_key)?;
    let version = header.api_version;
    let (correlation_id, body) = (header.correlation_id, decoder.position());
    if api == ApiKey::ApiVersions {
        return api_versions::answer(node, session, version, correlation_id, &frame[body..]);
    }
    if !api_versions::served(api).is_some_and(|versions| versions.contains(&version)) {
        return Err(RequestError::UnsupportedVersion { api: api.name(), version });
    }
    let context = Context { node, session, version, correlation_id };
    dispatch(&context, api, frame, body).await
}

/// Decodes the request, awaits the handler's response, encodes it.
macro_rules! serve {
    ($context:ident, $body:expr, now $handler:path) => {{
        let mut decoder = Decoder::new($body);
        let request = Decode::decode(&mut decoder, $context.version)?;
        $context.reply(&$handler($context, request))
    }};
    ($context:ident, $body:expr, await $handler:path) => {{
        let mut decoder = Decoder::new($body);
        let request = Decode::decode(&mut decoder, $context.version)?;
        $context.reply(&Box::pin($handler($context, request)).await)
    }};
    ($context:ident, $body:expr, try await $handler:path) => {{
        let mut decoder = Decoder::new($body);
        let request = Decode::decode(&mut decoder, $context.version)?;
        $context.reply(&Box::pin($handler($context, request)).await?)
    }};
    ($context:ident, $body:expr, try $handler:path) => {{
        let mut decoder = Decoder::new($body);
        let request = Decode::decode(&mut decoder, $context.version)?;
        $context.reply(&$handler($context, request)?)
    }};
}

async fn dispatch(context: &Context<'_>, api: ApiKey, frame: &mut [u8], body: usize) -> Result<Outcome, RequestError> {
    match api {
        ApiKey::Produce => produce::handle(context, frame, body).await,
        ApiKey::Fetch => {
            let request = Decode::decode(&mut Decoder::new(&frame[body..]), context.version)?;
            fetch::handle(context, request).await
        }
        ApiKey::ListOffsets => serve!(context, &frame[body..], now list_offsets::handle),
        ApiKey::Metadata => serve!(context, &frame[body..], await metadata::handle),
        ApiKey::OffsetCommit => serve!(context, &frame[body..], await offset_commit::handle),
        ApiKey::OffsetFetch => serve!(context, &frame[body..], now offset_fetch::handle),
        ApiKey::FindCoordinator => serve!(context, &frame[body..], await find_coordinator::handle),
        ApiKey::JoinGroup => serve!(context, &frame[body..], await join_group::handle),
        ApiKey::Heartbeat => serve!(context, &frame[body..], await heartbeat::handle),
        ApiKey::LeaveGroup => serve!(context, &frame[body..], await leave_group::handle),
        ApiKey::SyncGroup => serve!(context, &frame[body..], await sync_group::handle),
        ApiKey::DescribeGroups => serve!(context, &frame[body..], now describe_groups::handle),
        ApiKey::ListGroups => serve!(context, &frame[body..], now list_groups::handle),
        ApiKey::CreateTopics => serve!(context, &frame[body..], await create_topics::handle),
        ApiKey::DeleteTopics => serve!(context, &frame[body..], await delete_topics::handle),
        ApiKey::InitProducerId => serve!(context, &frame[body..], await init_producer_id::handle),
        ApiKey::DescribeConfigs => serve!(context, &frame[body..], now describe_configs::handle),
        ApiKey::CreatePartitions => serve!(context, &frame[body..], await create_partitions::handle),
        ApiKey::DeleteGroups => serve!(context, &frame[body..], await delete_groups::handle),
        ApiKey::OffsetDelete => serve!(context, &frame[body..], await offset_delete::handle),
        ApiKey::AddPartitionsToTxn => serve!(context, &frame[body..], await add_partitions_to_txn::handle),
        ApiKey::AddOffsetsToTxn => serve!(context, &frame[body..], await add_offsets_to_txn::handle),
        ApiKey::EndTxn => serve!(context, &frame[body..], await end_txn::handle),
        ApiKey::WriteTxnMarkers => serve!(context, &frame[body..], now write_txn_markers::handle),
        ApiKey::TxnOffsetCommit => serve!(context, &frame[body..], await txn_offset_commit::handle),
        ApiKey::DescribeProducers => serve!(context, &frame[body..], now describe_producers::handle),
        ApiKey::DescribeTransactions => serve!(context, &frame[body..], now describe_transactions::handle),
        ApiKey::ListTransactions => serve!(context, &frame[body..], now list_transactions::handle),
        ApiKey::DescribeCluster => serve!(context, &frame[body..], now describe_cluster::handle),
        ApiKey::ConsumerGroupHeartbeat => serve!(context, &frame[body..], await consumer_group_heartbeat::handle),
        ApiKey::ConsumerGroupDescribe => serve!(context, &frame[body..], now consumer_group_describe::handle),
        ApiKey::DeleteRecords => serve!(context, &frame[body..], await delete_records::handle),
        ApiKey::OffsetForLeaderEpoch => serve!(context, &frame[body..], now offset_for_leader_epoch::handle),
        ApiKey::AlterConfigs => serve!(context, &frame[body..], await alter_configs::handle),
        ApiKey::DescribeLogDirs => serve!(context, &frame[body..], now describe_log_dirs::handle),
        ApiKey::ElectLeaders => serve!(context, &frame[body..], now elect_leaders::handle),
        ApiKey::IncrementalAlterConfigs => serve!(context, &frame[body..], await incremental_alter_configs::handle),
        ApiKey::AlterPartitionReassignments => {
            serve!(context, &frame[body..], await alter_partition_reassignments::handle)
        }
        ApiKey::ListPartitionReassignments => serve!(context, &frame[body..], now list_partition_reassignments::handle),
        ApiKey::DescribeQuorum => serve!(context, &frame[body..], now describe_quorum::handle),
        ApiKey::UpdateFeatures => serve!(context, &frame[body..], await update_features::handle),
        ApiKey::ListConfigResources => serve!(context, &frame[body..], now list_config_resources::handle),
        ApiKey::DescribeTopicPartitions => serve!(context, &frame[body..], now describe_topic_partitions::handle),
        ApiKey::SaslHandshake => serve!(context, &frame[body..], now sasl_handshake::handle),
        ApiKey::DescribeAcls => serve!(context, &frame[body..], try describe_acls::handle),
        ApiKey::CreateAcls => serve!(context, &frame[body..], try await create_acls::handle),
        ApiKey::DeleteAcls => serve!(context, &frame[body..], try await delete_acls::handle),
        ApiKey::AlterReplicaLogDirs => serve!(context, &frame[body..], now alter_replica_log_dirs::handle),
        ApiKey::SaslAuthenticate => serve!(context, &frame[body..], now sasl_authenticate::handle),
        ApiKey::CreateDelegationToken => serve!(context, &frame[body..], now delegation_tokens::create),
        ApiKey::RenewDelegationToken => serve!(context, &frame[body..], now delegation_tokens::renew),
        ApiKey::ExpireDelegationToken => serve!(context, &frame[body..], now delegation_tokens::expire),
        ApiKey::DescribeDelegationToken => serve!(context, &frame[body..], now delegation_tokens::describe),
        ApiKey::DescribeClientQuotas => serve!(context, &frame[body..], now describe_client_quotas::handle),
        ApiKey::AlterClientQuotas => serve!(context, &frame[body..], await alter_client_quotas::handle),
        ApiKey::DescribeUserScramCredentials => {
            serve!(context, &frame[body..], now describe_user_scram_credentials::handle)
        }
        ApiKey::AlterUserScramCredentials => {
            serve!(context, &frame[body..], await alter_user_scram_credentials::handle)
        }
        ApiKey::UnregisterBroker => serve!(context, &frame[body..], await unregister_broker::handle),
        ApiKey::AddRaftVoter => serve!(context, &frame[body..], now raft_voters::add),
        ApiKey::RemoveRaftVoter => serve!(context, &frame[body..], now raft_voters::remove),
        other => Err(RequestError::UnsupportedVersion { api: other.name(), version: context.version }),
    }
}
