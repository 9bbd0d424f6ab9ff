//! The line an alert says.

use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use recipes::{ParsedRecipe, Per, Severity};

use crate::rules::facts::probe;
use crate::stats::window::SiteNumbers;
use crate::text;

/// A template of minijinja over the recipe's fields, `rule`, `severity` and `previous_calories`; of a rule per site over
/// `site`, `stats`, `rule` and `severity`.
#[derive(Clone)]
pub struct Message {
    source: String,
    templates: Arc<Environment<'static>>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Message").field(&self.source).finish()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

const NAME: &str = "message";

impl Message {
    /// Compiles a template and tries it on a recipe that says everything.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn compile(source: &str, per: Per) -> Result<Self, String> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_template_owned(NAME, source.to_owned()).map_err(|error| problem(&error))?;
        let mut message = Self { source: source.to_owned(), templates: Arc::new(templates.clone()) };
        match per {
            Per::Recipe => message.render(&probe(), "rule", Severity::Info, Some(1.0))?,
            Per::Site => message.render_site("a.example", &SiteNumbers::PROBE, "rule", Severity::Info)?,
        };
        // What a recipe does not say is left out, as in `{{ rating.value }}` of one without a rating.
        templates.set_undefined_behavior(UndefinedBehavior::Chainable);
        message.templates = Arc::new(templates);
        Ok(message)
    }

    /// The line for a recipe.
    ///
    /// # Errors
    /// The template does something that this recipe does not allow, such as arithmetic with an unknown number.
    pub fn render(
        &self,
        recipe: &ParsedRecipe,
        rule: &str,
        severity: Severity,
        previous_calories: Option<f64>,
    ) -> Result<String, String> {
        let values = context! {
            rule, severity => severity.as_str(), previous_calories => previous_calories.map(text::number),
            ..Serde(recipe)
        };
        self.line(values)
    }

    /// The line for a site.
    ///
    /// # Errors
    /// As [`Message::render`].
    pub fn render_site(
        &self,
        site: &str,
        numbers: &SiteNumbers,
        rule: &str,
        severity: Severity,
    ) -> Result<String, String> {
        self.line(context! { site, stats => Serde(numbers), rule, severity => severity.as_str() })
    }

    fn line(&self, values: minijinja::Value) -> Result<String, String> {
        let rendered = self.templates.get_template(NAME).and_then(|template| template.render(values));
        rendered.map(|line| text::one_line(&line).into_owned()).map_err(|error| problem(&error))
    }
}

fn problem(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) if line > 1 => format!("line {line} of the template: {detail}"),
        _ => detail,
    }
}

/// The line without a template, which is the tutorial's.
#[must_use]
pub fn default_line(recipe: &ParsedRecipe) -> String {
    let calories = recipe.calories.map_or_else(|| "unknown".to_owned(), text::number);
    format!("Alert: {} calories count is {calories}", text::one_line(&recipe.title))
}

/// The line for a site without a template.
#[must_use]
pub fn default_site_line(site: &str, numbers: &SiteNumbers, rule: &str) -> String {
    let SiteNumbers { alerts_last_hour, recipes_last_hour, failures_last_hour, .. } = numbers;
    let site = text::one_line(site);
    format!(
        "Alert: {site}: {rule} ({alerts_last_hour} alerts, {recipes_last_hour} recipes, {failures_last_hour} failures in \
         the last hour)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_the_recipes_fields() {
        let message =
            Message::compile("{{ severity }}: {{ title }}, {{ calories }} kcal {{ rating.value }}", Per::Recipe);
        let message = message.unwrap();
        let recipe =
            ParsedRecipe { title: "Pie\nof <fun>".to_owned(), calories: Some(310.0), ..ParsedRecipe::default() };
        let line = message.render(&recipe, "calories", Severity::Critical, None).unwrap();
        assert_eq!(line, "critical: Pie of <fun>, 310 kcal");
    }

    #[test]
    fn wrong_templates_are_refused() {
        for (source, said) in [("{{ title", "unexpected"), ("{{ name }}", "undefined"), ("{% include 'x' %}", "x")] {
            let error = Message::compile(source, Per::Recipe).unwrap_err();
            assert!(error.contains(said) && !error.contains('\n'), "{source}: {error}");
        }
    }

    #[test]
    fn a_message_about_a_site_knows_its_last_hour() {
        let message = Message::compile("{{ site }} {{ stats.alerts_last_hour }} {{ rule }}", Per::Site).unwrap();
        let line = message.render_site("a.example", &SiteNumbers::PROBE, "noisy", Severity::Info).unwrap();
        assert_eq!(line, "a.example 1 noisy");
        assert!(Message::compile("{{ title }}", Per::Site).is_err());
        assert!(Message::compile("{{ stats.alerts }}", Per::Site).is_err());
    }

    #[test]
    fn the_default_line_is_the_tutorials() {
        let recipe = ParsedRecipe { title: "Pie\nof fun".to_owned(), calories: Some(310.0), ..ParsedRecipe::default() };
        assert_eq!(default_line(&recipe), "Alert: Pie of fun calories count is 310");
    }
}
