//! From the first join of a rebalance to the replies.

use std::collections::HashMap;

use metrics::counter;
use tracing::{debug, info};

use super::group::{ClassicGroup, InitialDelay, State};
use super::join::generation_reply;
use crate::groups::GroupError;
use crate::groups::record::{GroupRecord, Name};
use crate::groups::shard::{Answer, Effects, Shard, Timer};
use crate::groups::time::Now;
use crate::observability::metrics::REBALANCES;

impl Shard {
    /// Something changed: starts a rebalance, or completes the one under way if that was the last to wait for.
    pub(crate) fn rebalance_or_complete(
        &mut self,
        now: Now,
        id: &Name,
        why: &str,
        client_reason: Option<&str>,
        fx: &mut Effects,
    ) {
        let Some(group) = self.classic(id) else { return };
        if group.can_rebalance() {
            self.prepare_rebalance(now, id, why, client_reason, fx);
        } else {
            self.maybe_complete_join(now, id, fx);
        }
    }

    pub(crate) fn prepare_rebalance(
        &mut self,
        now: Now,
        id: &Name,
        why: &str,
        client_reason: Option<&str>,
        fx: &mut Effects,
    ) {
        let initial_delay_ms = self.config.initial_rebalance_delay_ms;
        if self.classic(id).is_some_and(|group| group.is_in(State::CompletingRebalance)) {
            self.reset_assignments(now, id, GroupError::RebalanceInProgress, fx);
        }
        self.timers.cancel(&Timer::Sync(id.clone()));
        let Some(group) = self.classic(id) else { return };
        let generation = group.generation;
        info!(group = &**id, generation, why, client_reason, state = group.state().name(), "preparing to rebalance");
        let is_initial = group.is_in(State::Empty);
        group.transition(State::PreparingRebalance, now);
        if is_initial {
            let remaining_ms = group.rebalance_timeout_ms().saturating_sub(initial_delay_ms).max(0);
            group.initial_delay = Some(InitialDelay { delay_ms: initial_delay_ms, remaining_ms });
            self.timers.set(Timer::Join(id.clone()), now.after(initial_delay_ms));
        } else if group.all_joined() {
            self.complete_join(now, id, fx);
        } else {
            let deadline = now.after(group.rebalance_timeout_ms());
            self.timers.set(Timer::Join(id.clone()), deadline);
        }
    }

    /// Completes the join phase if it waits for nobody any more. An initial delay always runs to its end.
    pub(crate) fn maybe_complete_join(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        if group.is_in(State::PreparingRebalance) && group.all_joined() && !group.was_empty() {
            self.complete_join(now, id, fx);
        }
    }

    /// The deadline of the join phase, or of the initial delay.
    pub(crate) fn join_phase_over(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let initial_delay_ms = self.config.initial_rebalance_delay_ms;
        let Some(group) = self.classic(id) else { return };
        match group.initial_delay {
            Some(InitialDelay { delay_ms, remaining_ms }) if group.new_member_added && remaining_ms != 0 => {
                group.new_member_added = false;
                let extended_ms = initial_delay_ms.min(remaining_ms);
                let left_ms = remaining_ms.saturating_sub(delay_ms).max(0);
                group.initial_delay = Some(InitialDelay { delay_ms: extended_ms, remaining_ms: left_ms });
                self.timers.set(Timer::Join(id.clone()), now.after(extended_ms));
            }
            _ => self.complete_join(now, id, fx),
        }
    }

    fn complete_join(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        self.timers.cancel(&Timer::Join(id.clone()));
        let Some(group) = self.classic(id) else { return };
        let missing = group.missing_dynamic_members();
        for member_id in &missing {
            let removed = self.classic(id).and_then(|group| group.remove(member_id));
            self.drop_member(id, removed, fx);
        }
        if !missing.is_empty() {
            info!(group = &**id, members = ?missing, "removed members that did not rejoin");
        }
        let Some(group) = self.classic(id) else { return };
        group.initial_delay = None;
        group.new_member_added = false;
        if !group.elect_joined_leader() && group.has_members() {
            // Only static members are left and none of them has rejoined: wait for them, or for their sessions' end.
            let deadline = now.after(group.rebalance_timeout_ms());
            self.timers.set(Timer::Join(id.clone()), deadline);
            return;
        }
        group.next_generation(now);
        let generation = group.generation;
        if group.is_in(State::Empty) {
            info!(group = &**id, generation, "group is now empty");
            let value = Some(group.to_record(&HashMap::new()));
            fx.records.push(GroupRecord::Classic { group: id.clone(), value });
        } else {
            info!(group = &**id, generation, members = group.len(), "generation has begun");
            counter!(REBALANCES, "protocol" => "classic").increment(1);
            self.answer_joins(now, id, fx);
        }
    }

    fn answer_joins(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        for member_id in group.member_ids() {
            if let Some(waiter) = group.take_join(&member_id) {
                let reply = generation_reply(group, &member_id, group.is_leader(&member_id));
                fx.answers.push(Answer::Join(waiter, reply));
            }
            if let Some(member) = group.member_mut(&member_id) {
                member.is_new = false;
            }
            group.expect_sync(member_id);
        }
        let members = group.member_ids();
        let deadline = now.after(group.rebalance_timeout_ms());
        for member_id in &members {
            self.schedule_heartbeat(now, id, member_id);
        }
        self.timers.set(Timer::Sync(id.clone()), deadline);
    }

    /// The deadline for SyncGroup: those that have not sent it are out.
    pub(crate) fn sync_phase_over(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let Some(group) = self.classic(id) else { return };
        let late = group.pending_syncs();
        if late.is_empty() || !matches!(group.state(), State::CompletingRebalance | State::Stable) {
            return;
        }
        debug!(group = &**id, members = ?late, "no sync within the rebalance timeout");
        for member_id in &late {
            let removed = self.classic(id).and_then(|group| group.remove(member_id));
            self.drop_member(id, removed, fx);
        }
        self.prepare_rebalance(now, id, "members did not sync in time", None, fx);
    }

    /// Starts the timers of a group that was loaded. A group over `group.max.size` rebalances, to shrink.
    pub(crate) fn classic_loaded(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let max_size = usize::try_from(self.config.max_size).unwrap_or(0);
        let Some(group) = self.classic(id) else { return };
        let (members, too_large) = (group.member_ids(), group.len() > max_size);
        for member_id in &members {
            self.schedule_heartbeat(now, id, member_id);
        }
        if too_large {
            self.prepare_rebalance(now, id, "the group is over group.max.size", None, fx);
        }
    }

    /// The member has its session timeout again from now on.
    pub(crate) fn schedule_heartbeat(&mut self, now: Now, id: &Name, member_id: &str) {
        let found = self.classic(id).and_then(|group| group.member(member_id));
        let Some((key, timeout)) = found.map(|member| (member.id.clone(), member.session_timeout_ms)) else { return };
        self.timers.set(Timer::Heartbeat(id.clone(), key), now.after(timeout));
    }
}

impl ClassicGroup {
    /// A group that exists because somebody commits offsets for it, with no members and no record of its own.
    pub fn simple(id: Name) -> Self {
        let mut group = Self::new(id, Now { ticks: 0, unix_ms: 0 });
        group.forget_timestamp();
        group
    }
}
