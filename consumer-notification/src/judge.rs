//! What a rule's verdict comes to, given what the rule said before.

use recipes::Verdict;
use time::OffsetDateTime;

use crate::engine::{OnRuleChange, counters};
use crate::rules::{Rule, RuleVersion};
use crate::state::State;

/// A rule that is asked about a recipe or a site.
pub(crate) struct Asked<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) version: RuleVersion,
    /// Its last word.
    pub(crate) before: Option<State>,
    /// Whether any rule was ever asked about it.
    pub(crate) known: bool,
    pub(crate) on_change: OnRuleChange,
}

/// What it came to.
pub(crate) struct Judged {
    /// Its word from now on.
    pub(crate) state: State,
    /// Whether an alert is raised.
    pub(crate) raise: bool,
    /// Why a crossing raised none.
    pub(crate) counted: Option<&'static str>,
}

impl Asked<'_> {
    /// None where nothing changes: what is unknown says nothing, and the rule's last word stands.
    pub(crate) fn judge(&self, verdict: Option<Verdict>, value: Option<f64>, now: OffsetDateTime) -> Option<Judged> {
        let Self { rule, version, before, known, on_change } = *self;
        let version = Some(version);
        let Some(verdict) = verdict else {
            // That it was seen is worth knowing when the rule changes.
            let state = State { verdict: Verdict::Below, value: None, alerted_at: None, version };
            return before.is_none().then_some(Judged { state, raise: false, counted: None });
        };
        let crossing = verdict == Verdict::Above && before.is_none_or(|state| state.verdict == Verdict::Below);
        let new_rule = match before {
            Some(state) => state.version.is_some_and(|before| Some(before) != version),
            None => known,
        };
        let last_alert = before.and_then(|state| state.alerted_at);
        let counted = if crossing && new_rule && on_change == OnRuleChange::Silent {
            Some(counters::TAKEN_OVER)
        } else if crossing && last_alert.is_some_and(|at| now - at < rule.cooldown) {
            Some(counters::COOLING_DOWN)
        } else {
            None
        };
        let raise = crossing && counted.is_none();
        let alerted_at = if raise { Some(now) } else { last_alert };
        let state = State { verdict, value, alerted_at, version };
        (before != Some(state)).then_some(Judged { state, raise, counted })
    }
}
