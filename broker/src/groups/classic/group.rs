//! A group of the classic protocol: its members and where it stands.
//!
//! ```text
//!            first join                all joined, or timeout           leader's sync
//!   Empty ---------------> Preparing --------------------> Completing --------------> Stable
//!     ^                     |  ^  ^                            |                        |
//!     |   nobody rejoined   |  |  +----- member changed -------+                        |
//!     +---------------------+  +--------------------- member changed -------------------+
//! ```
//!
//! A deleted group is gone from the coordinator at once, so there is no `Dead` state here.
//!
//! What always holds:
//! - `awaiting_join` is the number of members with a parked JoinGroup, and outside of `PreparingRebalance` it is 0;
//! - parked SyncGroups exist only in `CompletingRebalance`;
//! - `supported` counts, for each protocol, the members that offer it;
//! - the leader is a member, and there is one exactly when there are members;
//! - `generation` grows by one whenever a rebalance completes, and never otherwise changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::member::Member;
use super::subscription;
use crate::groups::GroupError;
use crate::groups::record::{ClassicMemberValue, ClassicValue, Name};
use crate::groups::request::{Client, JoinedMember};
use crate::groups::shard::Waiter;
use crate::groups::time::Now;

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// Where a classic group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No members.
    Empty,
    /// Waiting for members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Assigned.
    Stable,
}

impl State {
    /// The name in ListGroups and DescribeGroups.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// How long a group that was empty goes on waiting for more members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    /// The wait that is under way, in milliseconds.
    pub delay_ms: i32,
    /// How much it may still be extended, in milliseconds.
    pub remaining_ms: i32,
}

/// A group of the classic protocol.
#[derive(Debug, Clone)]
pub(crate) struct ClassicGroup {
    pub id: Name,
    state: State,
    /// The state before; an initial delay is under way while this is `Empty` and `state` is `PreparingRebalance`.
    previous: State,
    /// When the state was entered, in milliseconds since 1970.
    state_timestamp: Option<i64>,
    pub generation: i32,
    pub protocol_type: Option<Name>,
    pub protocol: Option<Name>,
    leader: Option<Name>,
    members: BTreeMap<Name, Member>,
    /// Instance id to member id.
    statics: HashMap<Name, Name>,
    /// Ids that were handed out and have not joined yet (KIP-394).
    pending_joins: BTreeSet<Name>,
    /// Members of the generation that have not synced yet.
    pending_syncs: BTreeSet<Name>,
    awaiting_join: usize,
    supported: HashMap<Name, usize>,
    /// Topics the members subscribe to; `None` when they cannot be told.
    subscribed: Option<BTreeSet<String>>,
    pub initial_delay: Option<InitialDelay>,
    /// A member joined since the last look, so the initial delay may be extended.
    pub new_member_added: bool,
}

impl ClassicGroup {
    /// An empty group.
    pub fn new(id: Name, now: Now) -> Self {
        Self {
            id,
            state: State::Empty,
            previous: State::Empty,
            state_timestamp: Some(now.unix_ms),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: HashMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            awaiting_join: 0,
            supported: HashMap::new(),
            subscribed: None,
            initial_delay: None,
            new_member_added: false,
        }
    }

    /// A group in a generation that everybody is assigned in, to be filled with [`Self::add`] and
    /// [`Self::assign_all`].
    pub fn stable(id: Name, generation: i32, now: Now) -> Self {
        Self { state: State::Stable, previous: State::Stable, generation, ..Self::new(id, now) }
    }

    /// Chooses the protocol and gives every member the assignment that `assign` makes of its metadata and id.
    pub fn assign_all(&mut self, assign: impl Fn(&Bytes, &Name) -> Bytes) -> HashMap<Name, Bytes> {
        self.protocol = self.select_protocol();
        self.subscribed = self.compute_subscribed();
        let protocol = self.protocol.clone().unwrap_or_else(|| Name::from(""));
        let nothing = Bytes::new();
        for member in self.members.values_mut() {
            member.assignment = assign(member.metadata(&protocol).unwrap_or(&nothing), &member.id);
        }
        self.members.values().map(|member| (member.id.clone(), member.assignment.clone())).collect()
    }

    /// A group as it was stored.
    pub fn from_record(id: Name, value: ClassicValue) -> Self {
        let state = if value.members.is_empty() { State::Empty } else { State::Stable };
        let protocol_type = Some(value.protocol_type).filter(|name| !name.is_empty());
        let mut group = Self {
            state,
            previous: state,
            state_timestamp: value.state_timestamp,
            generation: value.generation,
            protocol_type,
            protocol: value.protocol,
            ..Self::new(id, Now { ticks: 0, unix_ms: 0 })
        };
        for member in value.members {
            group.add_stored(member);
        }
        // A leader that is no member can only come from a damaged record; any member will do then.
        group.leader = value
            .leader
            .filter(|leader| group.members.contains_key(leader))
            .or_else(|| group.members.keys().next().cloned());
        group.subscribed = group.compute_subscribed();
        group
    }

    fn add_stored(&mut self, stored: ClassicMemberValue) {
        // Version 0 of the record knows no rebalance timeout.
        let rebalance_timeout_ms =
            Some(stored.rebalance_timeout_ms).filter(|ms| *ms != -1).unwrap_or(stored.session_timeout_ms);
        let protocol = self.protocol.clone().unwrap_or_else(|| Name::from(""));
        self.add(Member {
            id: stored.member_id,
            instance_id: stored.instance_id,
            client: Client { id: stored.client_id, host: stored.client_host },
            rebalance_timeout_ms,
            session_timeout_ms: stored.session_timeout_ms,
            protocols: vec![(protocol, stored.subscription)],
            assignment: stored.assignment,
            joining: None,
            syncing: None,
            is_new: false,
        });
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn is_in(&self, state: State) -> bool {
        self.state == state
    }

    /// An initial delay is under way: only its end completes the join.
    pub fn was_empty(&self) -> bool {
        self.previous == State::Empty
    }

    pub fn transition(&mut self, to: State, now: Now) {
        self.previous = self.state;
        self.state = to;
        self.state_timestamp = Some(now.unix_ms);
    }

    /// When the state was entered, in milliseconds since 1970; `None` for a group stored by a Kafka before 2.1.
    pub fn state_timestamp(&self) -> Option<i64> {
        self.state_timestamp
    }

    /// A group without a record of its own has no state timestamp.
    pub fn forget_timestamp(&mut self) {
        self.state_timestamp = None;
    }

    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn member_ids(&self) -> Vec<Name> {
        self.members.keys().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub fn leader(&self) -> Option<&Name> {
        self.leader.as_ref()
    }

    pub fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub fn static_member(&self, instance_id: &str) -> Option<&Name> {
        self.statics.get(instance_id)
    }

    pub fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    /// The longest rebalance timeout of the members, in milliseconds.
    pub fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    pub fn is_consumer_type(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Hands out an id that will be used to join (KIP-394).
    pub fn add_pending_join(&mut self, member_id: Name) {
        self.pending_joins.insert(member_id);
    }

    pub fn is_pending_join(&self, member_id: &str) -> bool {
        self.pending_joins.contains(member_id)
    }

    pub fn pending_syncs(&self) -> Vec<Name> {
        self.pending_syncs.iter().cloned().collect()
    }

    pub fn all_synced(&self) -> bool {
        self.pending_syncs.is_empty()
    }

    pub fn synced(&mut self, member_id: &str) {
        self.pending_syncs.remove(member_id);
    }

    pub fn expect_sync(&mut self, member_id: Name) {
        self.pending_syncs.insert(member_id);
    }

    /// Adds a member whose id is not in the group. The first one decides the protocol type and leads.
    pub fn add(&mut self, member: Member) {
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(instance_id.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.awaiting_join += usize::from(member.joining.is_some());
        self.count_protocols(&member.protocols, true);
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Removes a member or a handed-out id. The caller answers the requests that were parked in the member.
    pub fn remove(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        if let Some(member) = &removed {
            self.count_protocols(&member.protocols, false);
            self.awaiting_join -= usize::from(member.joining.is_some());
            if let Some(instance_id) = &member.instance_id {
                self.statics.remove(instance_id);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    /// Puts a static member's place under a new member id; returns the requests that were parked in the old one, to be
    /// fenced. The old id must be a member.
    pub fn replace_static(&mut self, old_id: &str, new_id: Name) -> Option<(Option<Waiter>, Option<Waiter>)> {
        let was_leader = self.is_leader(old_id);
        let mut member = self.remove(old_id)?;
        let parked = (member.joining.take(), member.syncing.take());
        member.id = new_id.clone();
        member.is_new = false;
        self.add(member);
        if was_leader {
            self.leader = Some(new_id);
        }
        Some(parked)
    }

    /// A rejoin: takes over what the member now offers and parks its request. Returns the join that was parked before.
    pub fn update(
        &mut self,
        member_id: &str,
        protocols: Vec<(Name, Bytes)>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
        joining: Option<Waiter>,
    ) -> Option<Waiter> {
        let member = self.members.get_mut(member_id)?;
        let old = std::mem::replace(&mut member.protocols, protocols);
        let new = member.protocols.clone();
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        let before = std::mem::replace(&mut member.joining, joining);
        self.awaiting_join += usize::from(joining.is_some());
        self.awaiting_join -= usize::from(before.is_some());
        self.count_protocols(&old, false);
        self.count_protocols(&new, true);
        before
    }

    /// Takes the parked JoinGroup of a member, to be answered.
    pub fn take_join(&mut self, member_id: &str) -> Option<Waiter> {
        let waiter = self.members.get_mut(member_id)?.joining.take()?;
        self.awaiting_join -= 1;
        Some(waiter)
    }

    fn count_protocols(&mut self, protocols: &[(Name, Bytes)], more: bool) {
        // A protocol listed twice counts once.
        let names: BTreeSet<&Name> = protocols.iter().map(|(name, _)| name).collect();
        for name in names {
            let count = self.supported.entry(name.clone()).or_default();
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.supported.remove(name);
            }
        }
    }

    /// Whether somebody with these protocols may join.
    pub fn supports(&self, protocol_type: &str, protocols: &[(Name, Bytes)]) -> bool {
        if self.is_in(State::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|(name, _)| self.is_common(name))
    }

    fn is_common(&self, protocol: &str) -> bool {
        self.supported.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// The protocol most members prefer among those that all of them support; ties go to the first in the alphabet.
    pub fn select_protocol(&self) -> Option<Name> {
        let mut votes: BTreeMap<&Name, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().map(|(name, _)| name).find(|name| self.is_common(name))?;
            *votes.entry(choice).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    pub fn all_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_joins.is_empty()
    }

    /// Whether a rebalance may begin from here.
    pub fn can_rebalance(&self) -> bool {
        !self.is_in(State::PreparingRebalance)
    }

    /// Makes sure the leader is a member that has joined the coming generation; `false` if nobody has.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.joining.is_some()) {
            return true;
        }
        match self.members.values().find(|member| member.joining.is_some()) {
            Some(joined) => {
                self.leader = Some(joined.id.clone());
                true
            }
            None => false,
        }
    }

    /// Dynamic members that have not joined the coming generation.
    pub fn missing_dynamic_members(&self) -> Vec<Name> {
        let missing = |member: &&Member| member.joining.is_none() && member.instance_id.is_none();
        self.members.values().filter(missing).map(|member| member.id.clone()).collect()
    }

    /// Begins the next generation: `CompletingRebalance`, or `Empty` if nobody is left.
    pub fn next_generation(&mut self, now: Now) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = self.select_protocol();
        self.subscribed = self.compute_subscribed();
        self.initial_delay = None;
        let to = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
        self.transition(to, now);
        self.pending_syncs.clear();
    }

    fn compute_subscribed(&self) -> Option<BTreeSet<String>> {
        if !self.is_consumer_type() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            all.extend(subscription::topics(member.metadata(protocol)?)?);
        }
        Some(all)
    }

    /// The topics the members subscribe to, if they can be told.
    pub fn subscribed(&self) -> Option<&BTreeSet<String>> {
        self.subscribed.as_ref()
    }

    /// Whether offsets of the topic are in use; consumers whose subscription cannot be read may use any.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.is_consumer_type(), |topics| topics.contains(topic))
    }

    /// The members with their metadata for the chosen protocol, for the leader.
    pub fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol).cloned().unwrap_or_default(),
        };
        self.members.values().map(joined).collect()
    }

    /// Checks that a request comes from a member, and from the one that holds its instance id.
    pub fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            match self.statics.get(instance_id) {
                None => return Err(GroupError::UnknownMemberId),
                Some(holder) if **holder != *member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// The group with these assignments, to be stored. A member that is not named gets an empty one.
    pub fn to_record(&self, assignments: &HashMap<Name, Bytes>) -> ClassicValue {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let stored = |member: &Member| ClassicMemberValue {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client.id.clone(),
            client_host: member.client.host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol).cloned().unwrap_or_default(),
            assignment: assignments.get(&member.id).cloned().unwrap_or_default(),
        };
        ClassicValue {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Name::from("")),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_timestamp: self.state_timestamp,
            members: self.members.values().map(stored).collect(),
        }
    }

    /// A group that has had no generation yet, to be stored.
    pub fn to_new_record(&self) -> ClassicValue {
        ClassicValue {
            protocol_type: Name::from(""),
            generation: 0,
            protocol: None,
            leader: None,
            state_timestamp: self.state_timestamp,
            members: Vec::new(),
        }
    }

    #[cfg(test)]
    pub fn check_invariants(&self) {
        let awaiting = self.members.values().filter(|member| member.joining.is_some()).count();
        assert_eq!(awaiting, self.awaiting_join);
        if self.state != State::PreparingRebalance {
            let parked = self.members.values().any(|member| member.joining.is_some());
            assert!(!parked, "a join is parked in {:?}", self.state);
        }
        if self.state != State::CompletingRebalance {
            let parked = self.members.values().any(|member| member.syncing.is_some());
            assert!(!parked, "a sync is parked in {:?}", self.state);
        }
        assert_eq!(self.leader.is_some(), !self.members.is_empty());
        if let Some(leader) = &self.leader {
            assert!(self.members.contains_key(leader));
        }
        if self.state == State::Empty {
            assert!(self.members.is_empty());
        }
        if let (State::Stable | State::CompletingRebalance, Some(protocol)) = (self.state, &self.protocol) {
            assert!(self.is_common(protocol), "{protocol} is not common to all members");
        }
        for (instance_id, member_id) in &self.statics {
            assert_eq!(self.members[member_id].instance_id.as_ref(), Some(instance_id));
        }
        for name in self.supported.keys() {
            let offers = |member: &&Member| member.metadata(name).is_some();
            assert_eq!(self.supported[name], self.members.values().filter(offers).count());
        }
    }
}
