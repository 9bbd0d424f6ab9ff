//! ApiVersions (key 18): what is served here. Source: KIP-35, KIP-511, `ApiVersionManager`, `KafkaApis.handleApiVersionsRequest`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use wire::messages::api_versions_request::ApiVersionsRequest;
use wire::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use wire::{ApiKey, Decode, Decoder, ErrorCode};

use super::{Context, Outcome, RequestError, Session};
use crate::metadata::SUPPORTED_FEATURES;
use crate::node::Node;

/// The APIs that are served.
const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::InitProducerId,
    ApiKey::DescribeConfigs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::OffsetDelete,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::DescribeProducers,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
    ApiKey::DescribeCluster,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::DeleteRecords,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::DescribeQuorum,
    ApiKey::UpdateFeatures,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
    ApiKey::SaslHandshake,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::AlterReplicaLogDirs,
    ApiKey::SaslAuthenticate,
    ApiKey::CreateDelegationToken,
    ApiKey::RenewDelegationToken,
    ApiKey::ExpireDelegationToken,
    ApiKey::DescribeDelegationToken,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::UnregisterBroker,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
];

/// The first version in whose replies features may have 0 as their lowest level (KAFKA-17011).
const FIRST_OPTIONAL_VERSION: i16 = 4;

/// The versions of an API that are served: all that Apache Kafka 4.3.1 or 3.9.1 serves.
pub fn served(api: ApiKey) -> Option<RangeInclusive<i16>> {
    SERVED.contains(&api).then(|| api.stable_versions())
}

/// Answers a request of any version; one that is not known here gets `UNSUPPORTED_VERSION` in the oldest reply format,
/// which every client can read.
pub fn answer(
    node: &Arc<Node>,
    session: &mut Session,
    version: i16,
    correlation_id: i32,
    body: &[u8],
) -> Result<Outcome, RequestError> {
    let known = ApiKey::ApiVersions.stable_versions().contains(&version);
    if !known {
        // What to ask again with, and no more.
        let versions = version_of(ApiKey::ApiVersions);
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            api_keys: versions.into_iter().collect(),
            ..ApiVersionsResponse::default()
        };
        return Context { node, session, version: 0, correlation_id }.reply(&response);
    }
    let request = ApiVersionsRequest::decode(&mut Decoder::new(body), version)?;
    let valid = version < 3
        || (is_software_text(&request.client_software_name) && is_software_text(&request.client_software_version));
    let response = if valid {
        if version >= 3 {
            session.set_software(&request.client_software_name, &request.client_software_version);
        }
        response(node, version)
    } else {
        ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..ApiVersionsResponse::default() }
    };
    Context { node, session, version, correlation_id }.reply(&response)
}

/// `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`: letters, digits, `-` and `.`, neither first nor last being a mark.
fn is_software_text(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

/// The row of an API in the reply.
fn version_of(api: ApiKey) -> Option<ApiVersion> {
    let versions = served(api)?;
    Some(ApiVersion {
        api_key: api.key(),
        min_version: *versions.start(),
        max_version: *versions.end(),
        ..ApiVersion::default()
    })
}

fn response(node: &Node, version: i16) -> ApiVersionsResponse<'static> {
    let api_keys = ApiKey::ALL.iter().copied().filter_map(version_of);
    let image = node.controller.image();
    // Clients of earlier versions refuse a feature that may be off.
    let shown = SUPPORTED_FEATURES.iter().filter(|(_, range)| version >= FIRST_OPTIONAL_VERSION || range.min > 0);
    let supported_features = shown.map(|(name, range)| SupportedFeatureKey {
        name: (*name).into(),
        min_version: range.min,
        max_version: range.max,
        ..SupportedFeatureKey::default()
    });
    // Not a feature of the metadata log's records, but of the log itself.
    let kraft = Some(("kraft.version", node.controller.kraft_version())).filter(|(_, level)| *level > 0);
    let levels = image.features.iter().map(|(name, level)| (name.as_str(), *level));
    let finalized_features = levels.chain(kraft).map(|(name, level)| FinalizedFeatureKey {
        name: name.to_owned().into(),
        max_version_level: level,
        min_version_level: level,
        ..FinalizedFeatureKey::default()
    });
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        supported_features: supported_features.collect(),
        finalized_features_epoch: image.offset,
        finalized_features: finalized_features.collect(),
        ..ApiVersionsResponse::default()
    }
}
