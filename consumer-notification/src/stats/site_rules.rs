//! Rules per site: asked after every event, by the instance that counts the site's events.

use recipes::{Alert, headers, topics};
use service_kit::kafka::{Outcome, Output, Record};
use time::OffsetDateTime;

use crate::engine::{OnRuleChange, counters};
use crate::judge::Asked;
use crate::rules::condition::context;
use crate::rules::facts::Facts;
use crate::rules::{Per, RuleSet, RuleVersion};
use crate::state::{RuleId, States};
use crate::stats::window::SiteNumbers;

/// The rules per site with their last words.
pub(crate) struct SiteRules {
    rules: RuleSet,
    ids: Vec<(RuleId, RuleVersion)>,
    on_change: OnRuleChange,
    pub(crate) states: States,
}

impl SiteRules {
    /// Those of the rules that are per site; nothing is remembered yet.
    pub(crate) fn new(rules: &RuleSet, on_change: OnRuleChange) -> Self {
        let states = States::in_topic(topics::SITE_ALERT_STATE);
        let mut all = Self { rules: RuleSet::default(), ids: Vec::new(), on_change, states };
        all.set_rules(rules);
        all
    }

    /// Goes on with other rules.
    pub(crate) fn set_rules(&mut self, rules: &RuleSet) {
        self.rules = rules.per(Per::Site);
        self.ids = self.rules.iter().map(|rule| (self.states.rule(&rule.name), rule.version())).collect();
    }

    /// Asks about a site after an event. `known`: whether the site was seen before it.
    pub(crate) fn ask(
        &mut self,
        record: &Record,
        site: &str,
        known: bool,
        numbers: impl FnOnce() -> SiteNumbers,
        now: OffsetDateTime,
    ) -> Outcome {
        if self.ids.is_empty() {
            return Outcome::nothing();
        }
        self.words(record, site, known, numbers(), now).unwrap_or_else(|error| Outcome::dead(error.to_string()))
    }

    fn words(
        &mut self,
        record: &Record,
        site: &str,
        known: bool,
        numbers: SiteNumbers,
        now: OffsetDateTime,
    ) -> Result<Outcome, recipes::ReadError> {
        let partition = record.place.partition;
        let facts = Facts::of_site(site, &numbers);
        let context = context(&facts);
        let words = self.states.of(partition, site);
        let known = known || words.is_some();
        let before = |id: RuleId| words.and_then(|words| words.iter().find(|(known, _)| *known == id));
        let mut judged = Vec::new();
        for (rule, (id, version)) in self.rules.iter().zip(&self.ids) {
            let before = before(*id).map(|(_, state)| *state);
            let asked = Asked { rule, version: *version, before, known, on_change: self.on_change };
            let verdict = rule.verdict(&context, before.map(|state| state.verdict));
            judged.extend(asked.judge(verdict, None, now).map(|word| (rule, *id, word)));
        }
        let (mut alerts, mut states, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (rule, id, word) in judged {
            if word.raise {
                let alert_id = Alert::id(&rule.name, site, partition, record.offset, record.timestamp_ms);
                let alert = rule.site_alert(alert_id, site, &numbers, now);
                let output = Output::to(topics::RECIPE_ALERTS).key(site).value(alert.to_json()?);
                alerts.push(output.header(headers::ALERT_ID, alert_id.to_string()));
                counts.push(counters::SITE_ALERTS);
            }
            counts.extend(word.counted);
            states.push(self.states.set(partition, site, id, word.state)?);
        }
        Ok(counts.into_iter().fold(Outcome::produce(alerts).then(states), Outcome::counting))
    }
}
