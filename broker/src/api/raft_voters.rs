//! AddRaftVoter and RemoveRaftVoter (keys 80, 81): this node is the only voter, and stays it. Source: `KafkaRaftClient`,
//! `AddVoterHandler`, `RemoveVoterHandler`, KIP-853.

use uuid::Uuid;
use wire::ErrorCode;
use wire::messages::add_raft_voter_request::{AddRaftVoterRequest, Listener};
use wire::messages::add_raft_voter_response::AddRaftVoterResponse;
use wire::messages::remove_raft_voter_request::RemoveRaftVoterRequest;
use wire::messages::remove_raft_voter_response::RemoveRaftVoterResponse;

use super::Context;
use crate::metadata::ApiError;

/// Answers an AddRaftVoter request.
pub fn add(context: &Context<'_>, request: AddRaftVoterRequest<'_>) -> AddRaftVoterResponse<'static> {
    let error = refuse_new(context, &request);
    AddRaftVoterResponse {
        error_code: error.code.code(),
        error_message: error.message.map(Into::into),
        ..AddRaftVoterResponse::default()
    }
}

/// Answers a RemoveRaftVoter request.
pub fn remove(context: &Context<'_>, request: RemoveRaftVoterRequest<'_>) -> RemoveRaftVoterResponse<'static> {
    let error = refuse_removal(context, &request);
    RemoveRaftVoterResponse {
        error_code: error.code.code(),
        error_message: error.message.map(Into::into),
        ..RemoveRaftVoterResponse::default()
    }
}

/// A voter as Java prints it.
fn key(id: i32, directory: Uuid) -> String {
    format!("ReplicaKey(id={id}, directoryId={})", commitlog::format_id(directory))
}

fn voters(context: &Context<'_>) -> String {
    let controller = &context.node.controller;
    format!("[{}]", key(controller.node_id(), controller.voter_directory_id()))
}

/// What is wrong with a request for either: another cluster's, or one that names no voter.
fn check(
    context: &Context<'_>,
    cluster: Option<&str>,
    (id, directory): (i32, Uuid),
    verb: &str,
) -> Result<(), ApiError> {
    let ours = context.node.cluster_id();
    if let Some(cluster) = cluster.filter(|cluster| *cluster != ours) {
        let message = format!("The given id \"{cluster}\" doesn't match the cluster id \"{ours}\"");
        return Err(ApiError::new(ErrorCode::InconsistentClusterId, message));
    }
    if id < 0 || directory.is_nil() {
        let message = format!("{verb} voter request didn't include a valid voter");
        return Err(ApiError::new(ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// Whether the voters stand in the log, where they could be changed.
fn check_kraft_version(context: &Context<'_>, doing: &str) -> Result<(), ApiError> {
    if context.node.controller.kraft_version() > 0 {
        return Ok(());
    }
    let message = format!("Cluster doesn't support {doing} voter because the kraft.version feature is 0");
    Err(ApiError::new(ErrorCode::UnsupportedVersion, message))
}

/// Why a voter is not added.
fn refuse_new(context: &Context<'_>, request: &AddRaftVoterRequest<'_>) -> ApiError {
    let (id, directory) = (request.voter_id, request.voter_directory_id);
    if let Err(error) = check(context, request.cluster_id.as_deref(), (id, directory), "Add") {
        return error;
    }
    let config = context.node.config();
    let default = config.listeners.controllers.first().map_or("CONTROLLER", |listener| &listener.name);
    if !request.listeners.iter().any(|listener| listener.name == default) {
        let message = format!(
            "Add voter request didn't include the endpoint ({}) for the default listener ListenerName({default})",
            endpoints(&request.listeners)
        );
        return ApiError::new(ErrorCode::InvalidRequest, message);
    }
    if let Err(error) = check_kraft_version(context, "adding") {
        return error;
    }
    if id == context.node.controller.node_id() {
        let (key, voters) = (key(id, directory), voters(context));
        let message = format!("The voter id for {key} is already part of the set of voters {voters}.");
        return ApiError::new(ErrorCode::DuplicateVoter, message);
    }
    let message = "This broker is a cluster of one node; run Apache Kafka on its data directory to add voters";
    ApiError::new(ErrorCode::UnsupportedVersion, message)
}

/// Why a voter is not removed: it is none, or the only one.
fn refuse_removal(context: &Context<'_>, request: &RemoveRaftVoterRequest<'_>) -> ApiError {
    let (id, directory) = (request.voter_id, request.voter_directory_id);
    if let Err(error) = check(context, request.cluster_id.as_deref(), (id, directory), "Remove") {
        return error;
    }
    if let Err(error) = check_kraft_version(context, "removing") {
        return error;
    }
    let message = format!("Cannot remove voter {} from the set of voters {}", key(id, directory), voters(context));
    ApiError::new(ErrorCode::VoterNotFound, message)
}

/// Endpoints as Java prints them.
fn endpoints(listeners: &[Listener<'_>]) -> String {
    let endpoint = |it: &Listener<'_>| format!("ListenerName({})={}/<unresolved>:{}", it.name, it.host, it.port);
    let endpoints: Vec<_> = listeners.iter().map(endpoint).collect();
    format!("Endpoints(endpoints={{{}}})", endpoints.join(", "))
}
