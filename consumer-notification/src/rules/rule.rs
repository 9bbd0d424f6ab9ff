//! One rule, and the set of them.

use recipes::{Alert, ParsedRecipe, SCHEMA_VERSION, Severity, Verdict};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::text;

/// A condition on recipes, with what is said when it begins to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, which keys its state; letters, digits, `-` and `_`.
    pub name: String,
    /// How much an alert matters.
    pub severity: Severity,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// More kcal a serving than this.
    CaloriesAbove(f64),
}

impl Rule {
    /// The rule that needs no file: calories above a threshold in kcal a serving.
    #[must_use]
    pub fn calories_above(threshold: f64) -> Self {
        Self {
            name: "calories".to_owned(),
            severity: Severity::Warning,
            condition: Condition::CaloriesAbove(threshold),
        }
    }

    /// What the rule says of a recipe; none when the recipe does not say what the rule asks for.
    #[must_use]
    pub fn verdict(&self, recipe: &ParsedRecipe) -> Option<Verdict> {
        match self.condition {
            Condition::CaloriesAbove(threshold) => {
                recipe.calories.map(|kcal| if kcal > threshold { Verdict::Above } else { Verdict::Below })
            }
        }
    }

    /// The condition, as people read it.
    #[must_use]
    pub fn when(&self) -> String {
        match self.condition {
            Condition::CaloriesAbove(threshold) => format!("calories > {}", text::number(threshold)),
        }
    }

    /// The alert for a recipe whose URL or title is `identity`.
    #[must_use]
    pub fn alert(&self, alert_id: Uuid, recipe: &ParsedRecipe, identity: &str, previous: Option<f64>) -> Alert {
        Alert {
            alert_id,
            rule: self.name.clone(),
            severity: self.severity,
            message: self.message(recipe),
            url: identity.to_owned(),
            title: recipe.title.clone(),
            site: recipe.site.clone(),
            image: recipe.image.clone(),
            calories: recipe.calories,
            previous_calories: previous,
            raised_at: OffsetDateTime::now_utc(),
            schema_version: SCHEMA_VERSION,
        }
    }

    fn message(&self, recipe: &ParsedRecipe) -> String {
        let calories = recipe.calories.map_or_else(|| "unknown".to_owned(), text::number);
        format!("Alert: {} calories count is {calories}", text::one_line(&recipe.title))
    }
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// A set of rules.
    #[must_use]
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The rules in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.rules.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(calories: Option<f64>) -> ParsedRecipe {
        ParsedRecipe { title: "Pie\nof fun".to_owned(), calories, ..ParsedRecipe::default() }
    }

    #[test]
    fn above_is_more_than_the_threshold() {
        let rule = Rule::calories_above(200.0);
        assert_eq!(rule.verdict(&recipe(Some(200.0))), Some(Verdict::Below));
        assert_eq!(rule.verdict(&recipe(Some(200.01))), Some(Verdict::Above));
        assert_eq!(rule.verdict(&recipe(Some(0.0))), Some(Verdict::Below));
        assert_eq!(rule.verdict(&recipe(None)), None, "null is unknown, never 0");
    }

    #[test]
    fn the_line_is_the_tutorials() {
        let line = Rule::calories_above(200.0).message(&recipe(Some(310.0)));
        assert_eq!(line, "Alert: Pie of fun calories count is 310");
    }
}
