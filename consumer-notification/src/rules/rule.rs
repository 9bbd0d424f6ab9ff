//! One rule, and the set of them.

use std::fmt;
use std::time::Duration;

use cel::Context;
use recipes::{Alert, ParsedRecipe, Per, SCHEMA_VERSION, Severity, Verdict};
use time::OffsetDateTime;
use tracing::warn;
use uuid::Uuid;

use crate::rules::condition::Condition;
use crate::rules::facts::Fields;
use crate::rules::message::{Message, default_line, default_site_line};
use crate::rules::quiet::QuietHours;
use crate::stats::window::SiteNumbers;
use crate::text;

/// Namespace of rule versions (a random UUID, fixed for ever).
const VERSIONS: Uuid = Uuid::from_u128(0x0d3a_6b0e_51c4_4c1b_8f57_92e4_a1d0_6c35);

/// A condition on recipes, with what is said when it begins to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, which keys its state; letters, digits, `-` and `_`.
    pub name: String,
    /// What it is asked about.
    pub per: Per,
    /// How much an alert matters.
    pub severity: Severity,
    /// When it begins to hold.
    pub when: Condition,
    /// When it ends to hold, if that is more than the contrary of `when`: between the two nothing changes.
    pub clear: Option<Condition>,
    /// Least time between two alerts for the same recipe or site.
    pub cooldown: Duration,
    /// The line, if it is not the tutorial's.
    pub message: Option<Message>,
    /// Names of the channels; empty for all of them.
    pub channels: Vec<String>,
    /// When alerts wake nobody.
    pub quiet: Option<QuietHours>,
}

/// Tells a rule's conditions from others it had under the same name. Message, severity and the rest make no other
/// version: they change no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleVersion(u64);

impl RuleVersion {
    /// Reads what [`fmt::Display`] wrote; none for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for RuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Rule {
    /// A rule with nothing but a condition.
    #[must_use]
    pub fn new(name: impl Into<String>, when: Condition) -> Self {
        Self {
            name: name.into(),
            per: Per::Recipe,
            severity: Severity::default(),
            when,
            clear: None,
            cooldown: Duration::ZERO,
            message: None,
            channels: Vec::new(),
            quiet: None,
        }
    }

    /// The rule that needs no file: calories above a threshold in kcal a serving.
    ///
    /// # Errors
    /// A threshold that is no number.
    pub fn calories_above(threshold: f64) -> Result<Self, String> {
        Ok(Self::new("calories", Condition::compile(&format!("calories > {}", text::number(threshold)))?))
    }

    /// What the rule says of a recipe for which it said `before`; none when the recipe does not say what it asks for.
    #[must_use]
    pub fn verdict(&self, context: &Context<'_, '_>, before: Option<Verdict>) -> Option<Verdict> {
        let holds = match (&self.clear, before) {
            (Some(clear), Some(Verdict::Above)) => !clear.holds(context)?,
            _ => self.when.holds(context)?,
        };
        Some(if holds { Verdict::Above } else { Verdict::Below })
    }

    /// The version of its conditions.
    #[must_use]
    pub fn version(&self) -> RuleVersion {
        let clear = self.clear.as_ref().map_or("", Condition::source);
        let name = format!("{}\0{clear}", self.when.source());
        RuleVersion(Uuid::new_v5(&VERSIONS, name.as_bytes()).as_u64_pair().0)
    }

    /// The fields its conditions ask for.
    #[must_use]
    pub fn fields(&self) -> Fields {
        self.clear.as_ref().map_or(self.when.fields(), |clear| self.when.fields().with(clear.fields()))
    }

    /// The alert for a recipe whose URL or title is `identity`.
    #[must_use]
    pub fn alert(
        &self,
        alert_id: Uuid,
        recipe: &ParsedRecipe,
        identity: &str,
        previous: Option<f64>,
        now: OffsetDateTime,
    ) -> Alert {
        let rendered = self.message.as_ref().map(|message| message.render(recipe, &self.name, self.severity, previous));
        Alert {
            alert_id,
            rule: self.name.clone(),
            per: Per::Recipe,
            severity: self.severity,
            message: self.line(rendered, || default_line(recipe)),
            url: identity.to_owned(),
            title: recipe.title.clone(),
            site: recipe.site.clone(),
            image: recipe.image.clone(),
            calories: recipe.calories,
            previous_calories: previous,
            raised_at: now,
            channels: self.channels.clone(),
            quiet: self.quiet.as_ref().is_some_and(|hours| hours.contains(now)),
            schema_version: SCHEMA_VERSION,
        }
    }

    /// The alert for a site.
    #[must_use]
    pub fn site_alert(&self, alert_id: Uuid, site: &str, numbers: &SiteNumbers, now: OffsetDateTime) -> Alert {
        let rendered =
            self.message.as_ref().map(|message| message.render_site(site, numbers, &self.name, self.severity));
        let plain = || default_site_line(site, numbers, &self.name);
        Alert {
            alert_id,
            rule: self.name.clone(),
            per: Per::Site,
            severity: self.severity,
            message: self.line(rendered, plain),
            url: String::new(),
            title: site.to_owned(),
            site: site.to_owned(),
            image: None,
            calories: None,
            previous_calories: None,
            raised_at: now,
            channels: self.channels.clone(),
            quiet: self.quiet.as_ref().is_some_and(|hours| hours.contains(now)),
            schema_version: SCHEMA_VERSION,
        }
    }

    /// An alert matters more than its wording: a template that this recipe breaks gives the plain line.
    fn line(&self, rendered: Option<Result<String, String>>, plain: impl FnOnce() -> String) -> String {
        match rendered {
            Some(Ok(line)) => line,
            Some(Err(error)) => {
                warn!(rule = self.name, error, "the message's template failed; the alert has the plain line");
                plain()
            }
            None => plain(),
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
    fields: Fields,
}

impl RuleSet {
    /// A set of rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let fields = rules.iter().fold(Fields::default(), |fields, rule| fields.with(rule.fields()));
        Self { rules, fields }
    }

    /// Those of the rules that are asked about one or the other.
    #[must_use]
    pub fn per(&self, per: Per) -> Self {
        Self::new(self.rules.iter().filter(|rule| rule.per == per).cloned().collect())
    }

    /// The rules in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.rules.iter()
    }

    /// The fields that any of them asks for.
    #[must_use]
    pub const fn fields(&self) -> Fields {
        self.fields
    }

    /// The rule of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::condition::context;
    use crate::rules::facts::Facts;

    fn verdict(rule: &Rule, calories: Option<f64>, before: Option<Verdict>) -> Option<Verdict> {
        let recipe = ParsedRecipe { title: "Pie".to_owned(), calories, ..ParsedRecipe::default() };
        let facts = Facts::of(&recipe, rule.fields());
        rule.verdict(&context(&facts), before)
    }

    #[test]
    fn above_is_more_than_the_threshold() {
        let rule = Rule::calories_above(200.0).unwrap();
        assert_eq!(verdict(&rule, Some(200.0), None), Some(Verdict::Below));
        assert_eq!(verdict(&rule, Some(200.01), None), Some(Verdict::Above));
        assert_eq!(verdict(&rule, Some(0.0), None), Some(Verdict::Below));
        assert_eq!(verdict(&rule, None, None), None, "null is unknown, never 0");
    }

    #[test]
    fn between_when_and_clear_nothing_changes() {
        let mut rule = Rule::calories_above(200.0).unwrap();
        rule.clear = Some(Condition::compile("calories < 150").unwrap());
        let between = |before| verdict(&rule, Some(180.0), before);
        assert_eq!(between(Some(Verdict::Above)), Some(Verdict::Above));
        assert_eq!((between(Some(Verdict::Below)), between(None)), (Some(Verdict::Below), Some(Verdict::Below)));
        assert_eq!(verdict(&rule, Some(149.0), Some(Verdict::Above)), Some(Verdict::Below));
    }

    #[test]
    fn a_version_is_that_of_the_conditions() {
        let (low, high) = (Rule::calories_above(200.0).unwrap(), Rule::calories_above(300.0).unwrap());
        assert_ne!(low.version(), high.version());
        let louder = Rule { severity: Severity::Critical, ..low.clone() };
        assert_eq!(louder.version(), low.version());
        assert_eq!(RuleVersion::parse(&low.version().to_string()), Some(low.version()));
        assert_eq!(RuleVersion::parse(""), None);
    }
}
