//! Who votes: this node alone.
//!
//! A new log says so itself (`kraft.version` 1, KIP-853), as after `kafka-storage format --standalone`: Apache Kafka
//! then starts on the directory with `controller.quorum.bootstrap.servers` as well as with `controller.quorum.voters`,
//! whatever the port of its controller. A log without voters (`kraft.version` 0) stays as it is.

use uuid::Uuid;
use wire::data::{KRaftVersionRecord, LeaderChangeMessage, VotersRecord, leader_change_message, voters_record};
use wire::{Decode, Decoder};

use super::batch::ControlType;
use super::error::MetadataError;
use super::image::Endpoint;
use super::snapshot::{self, Control};

/// Where a voter is said to be that has no controller listener: where Kafka's own `server.properties` has it.
const DEFAULT_CONTROLLER: (&str, &str, u16) = ("CONTROLLER", "localhost", 9093);

/// `kraft.version` according to control records; an error if somebody else votes.
pub(super) fn kraft_version(controls: &[Control], node: i32) -> Result<i16, MetadataError> {
    let unreadable = |error| MetadataError::Log(format!("kraft.version or the voters can't be read: {error}"));
    let mut version = 0;
    for (kind, value) in controls {
        match kind {
            ControlType::KraftVersion => {
                let record = KRaftVersionRecord::decode(&mut Decoder::new(value), 0).map_err(unreadable)?;
                version = record.kraft_version;
            }
            ControlType::KraftVoters => {
                let record = VotersRecord::decode(&mut Decoder::new(value), 0).map_err(unreadable)?;
                let others = record.voters.iter().map(|voter| voter.voter_id).filter(|voter| *voter != node);
                let others: Vec<String> = others.map(|voter| voter.to_string()).collect();
                if !others.is_empty() {
                    return Err(MetadataError::SeveralNodes(format!("voters {}", others.join(", "))));
                }
            }
            _ => {}
        }
    }
    Ok(version)
}

/// The control records that make `node` the only voter of a new log.
pub(super) fn only(node: i32, directory: Uuid, endpoints: &[Endpoint]) -> Result<Vec<Control>, MetadataError> {
    let endpoint = |name: &str, host: &str, port| voters_record::Endpoint {
        name: name.to_owned().into(),
        host: host.to_owned().into(),
        port,
        ..Default::default()
    };
    let endpoints = if endpoints.is_empty() {
        let (name, host, port) = DEFAULT_CONTROLLER;
        vec![endpoint(name, host, port)]
    } else {
        endpoints.iter().map(|end| endpoint(&end.listener, &end.host, end.port)).collect()
    };
    let voter = voters_record::Voter {
        voter_id: node,
        voter_directory_id: directory,
        endpoints,
        kraft_version_feature: voters_record::KRaftVersionFeature { max_supported_version: 1, ..Default::default() },
        ..Default::default()
    };
    let version = KRaftVersionRecord { kraft_version: 1, ..Default::default() };
    let voters = VotersRecord { voters: vec![voter], ..Default::default() };
    Ok(vec![
        (ControlType::KraftVersion, snapshot::encode(&version, 0)?),
        (ControlType::KraftVoters, snapshot::encode(&voters, 0)?),
    ])
}

/// The control record that begins an epoch. In version 0 also where voters have directories: Kafka writes no other, and
/// its tools read no other.
pub(super) fn leader_change(node: i32) -> Result<Control, MetadataError> {
    let voter = leader_change_message::Voter { voter_id: node, ..Default::default() };
    let message = LeaderChangeMessage {
        leader_id: node,
        voters: vec![voter.clone()],
        granting_voters: vec![voter],
        ..Default::default()
    };
    Ok((ControlType::LeaderChange, snapshot::encode(&message, 0)?))
}
