//! ListGroups and DescribeGroups.

use super::classic::{CONSUMER, ClassicGroup, State};
use super::record::Name;
use super::request::{DescribedGroup, DescribedMember, ListedGroup};
use super::shard::{Group, Shard};

impl Shard {
    /// Every group of the shard.
    pub fn list(&self) -> Vec<ListedGroup> {
        let listed = |(id, group): (&Name, &Group)| match group {
            Group::Classic(group) => ListedGroup {
                group_id: id.clone(),
                protocol_type: group.protocol_type.clone().unwrap_or_else(|| Name::from("")),
                state: group.state().name(),
                group_type: "classic",
            },
            Group::Consumer(group) => ListedGroup {
                group_id: id.clone(),
                protocol_type: Name::from(CONSUMER),
                state: group.state().name(),
                group_type: "consumer",
            },
        };
        self.groups.iter().map(listed).collect()
    }

    /// DescribeGroups, for one group.
    pub fn describe(&self, id: &Name) -> DescribedGroup {
        match self.groups.get(id) {
            Some(Group::Classic(group)) => describe_classic(id, group),
            Some(Group::Consumer(_)) => missing(id, format!("Group {id} is not a classic group.")),
            None => missing(id, format!("Group {id} not found.")),
        }
    }
}

fn missing(id: &Name, message: String) -> DescribedGroup {
    DescribedGroup {
        group_id: id.clone(),
        missing: Some(message),
        state: "Dead",
        protocol_type: Name::from(""),
        protocol: Name::from(""),
        members: Vec::new(),
    }
}

fn describe_classic(id: &Name, group: &ClassicGroup) -> DescribedGroup {
    let stable = group.is_in(State::Stable);
    let protocol = group.protocol.clone().filter(|_| stable).unwrap_or_else(|| Name::from(""));
    let members = group.members().map(|member| DescribedMember {
        member_id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client.id.clone(),
        client_host: member.client.host.clone(),
        metadata: member.metadata(&protocol).filter(|_| stable).cloned().unwrap_or_default(),
        assignment: member.assignment.clone(),
    });
    DescribedGroup {
        group_id: id.clone(),
        missing: None,
        state: group.state().name(),
        protocol_type: group.protocol_type.clone().unwrap_or_else(|| Name::from("")),
        members: members.collect(),
        protocol,
    }
}
