//! A recipe as CEL sees it: each field a variable under the name it has in the recipe's JSON, and `stats`, the last hour of
//! its site.

use std::collections::HashMap;

use cel::common::types::{CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use recipes::{Group, ParsedRecipe, Quantity};

use crate::stats::window::SiteNumbers;

type Boxed<'r> = Box<dyn Val + 'r>;

/// The variables, in the order of [`ParsedRecipe`]'s fields.
pub const FIELDS: [&str; 25] = [
    "title",
    "submitter",
    "description",
    "calories",
    "ingredients",
    "url",
    "site",
    "language",
    "image",
    "yields",
    "servings",
    "prep_time",
    "cook_time",
    "total_time",
    "instructions",
    "ingredient_groups",
    "instruction_sections",
    "nutrition",
    "rating",
    "category",
    "cuisine",
    "published_at",
    "parsed_at",
    "extractor",
    "extractors",
];

/// The variable that is none of the recipe's: [`SiteNumbers`].
pub const STATS: &str = "stats";

/// [`STATS`] among [`Fields`].
const STATS_BIT: u32 = 1 << FIELDS.len();

/// Some of [`FIELDS`] and [`STATS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields(u32);

impl Fields {
    /// Adds a field; whether there is one of that name.
    pub fn add(&mut self, name: &str) -> bool {
        let index = FIELDS.iter().position(|field| *field == name);
        let bit = index.map_or(if name == STATS { STATS_BIT } else { 0 }, |index| 1 << index);
        self.0 |= bit;
        bit != 0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether [`STATS`] is among them.
    #[must_use]
    pub const fn stats(self) -> bool {
        self.0 & STATS_BIT != 0
    }

    /// The names, without [`STATS`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FIELDS.into_iter().enumerate().filter(move |(index, _)| self.0 & (1 << index) != 0).map(|(_, name)| name)
    }
}

/// The fields of one recipe that rules ask for, made once for all rules.
pub struct Facts<'r> {
    values: [Option<Boxed<'r>>; FIELDS.len()],
    stats: Option<Boxed<'r>>,
}

impl<'r> Facts<'r> {
    /// The values of these fields; texts are borrowed from the recipe.
    #[must_use]
    pub fn of(recipe: &'r ParsedRecipe, fields: Fields) -> Self {
        let wanted = |index: usize| fields.0 & (1 << index) != 0;
        Self { values: std::array::from_fn(|index| wanted(index).then(|| value(recipe, index))), stats: None }
    }

    /// What there is to know of a site: `site`, and [`STATS`].
    #[must_use]
    pub fn of_site(site: &'r str, numbers: &SiteNumbers) -> Self {
        let values = std::array::from_fn(|index| (FIELDS[index] == "site").then(|| text(site)));
        Self { values, stats: None }.with_stats(numbers)
    }

    /// With the last hour of the recipe's site.
    #[must_use]
    pub fn with_stats(mut self, numbers: &SiteNumbers) -> Self {
        let SiteNumbers { alerts_last_hour, recipes_last_hour, failures_last_hour, mean_calories } = *numbers;
        let [alerts, recipes, failures, calories] = SiteNumbers::NAMES;
        let count = |count: u64| -> Boxed<'r> { Box::new(CelInt::from(i64::try_from(count).unwrap_or(i64::MAX))) };
        self.stats = Some(map([
            (alerts, count(alerts_last_hour)),
            (recipes, count(recipes_last_hour)),
            (failures, count(failures_last_hour)),
            (calories, maybe_number(mean_calories)),
        ]));
        self
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value = match FIELDS.iter().position(|field| *field == variable) {
            Some(index) => &self.values[index],
            None if variable == STATS => &self.stats,
            None => return None,
        };
        Some(CowVal::Borrowed(value.as_deref()?))
    }
}

fn value(recipe: &ParsedRecipe, field: usize) -> Boxed<'_> {
    match FIELDS[field] {
        "title" => text(&recipe.title),
        "submitter" => maybe_text(recipe.submitter.as_deref()),
        "description" => maybe_text(recipe.description.as_deref()),
        "calories" => maybe_number(recipe.calories),
        "ingredients" => list(&recipe.ingredients),
        "url" => text(&recipe.url),
        "site" => text(&recipe.site),
        "language" => maybe_text(recipe.language.as_deref()),
        "image" => maybe_text(recipe.image.as_deref()),
        "yields" => maybe_text(recipe.yields.as_deref()),
        "servings" => maybe_number(recipe.servings),
        "prep_time" => minutes(recipe.prep_time),
        "cook_time" => minutes(recipe.cook_time),
        "total_time" => minutes(recipe.total_time),
        "instructions" => list(&recipe.instructions),
        "ingredient_groups" => groups(&recipe.ingredient_groups),
        "instruction_sections" => groups(&recipe.instruction_sections),
        "nutrition" => nutrition(recipe),
        "rating" => rating(recipe),
        "category" => list(&recipe.category),
        "cuisine" => list(&recipe.cuisine),
        "published_at" => date(recipe.published_at),
        "parsed_at" => date(recipe.parsed_at),
        "extractor" => maybe_text(recipe.extractor.map(recipes::Extractor::as_str)),
        _ => map(recipe.extractors.iter().map(|(field, from)| (field.as_str(), text(from.as_str())))),
    }
}

fn null<'r>() -> Boxed<'r> {
    Box::new(CelNull)
}

fn text(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

fn maybe_text(value: Option<&str>) -> Boxed<'_> {
    value.map_or_else(null, text)
}

fn number<'r>(value: f64) -> Boxed<'r> {
    Box::new(CelDouble::from(value))
}

fn maybe_number<'r>(value: Option<f64>) -> Boxed<'r> {
    value.map_or_else(null, number)
}

fn minutes<'r>(value: Option<u32>) -> Boxed<'r> {
    value.map_or_else(null, |minutes| Box::new(CelInt::from(i64::from(minutes))))
}

fn list(lines: &[String]) -> Boxed<'_> {
    Box::new(CelList::from(lines.iter().map(|line| text(line)).collect::<Vec<_>>()))
}

fn date<'r>(at: Option<time::OffsetDateTime>) -> Boxed<'r> {
    let at = at.and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
    at.map_or_else(null, |at| Box::new(CelString::from(at)))
}

fn map<'r>(entries: impl IntoIterator<Item = (&'r str, Boxed<'r>)>) -> Boxed<'r> {
    let entries = entries.into_iter().map(|(name, value)| (CelMapKey::String(CelString::from(name)), value));
    Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
}

fn groups(groups: &[Group]) -> Boxed<'_> {
    let groups =
        groups.iter().map(|group| map([("name", maybe_text(group.name.as_deref())), ("items", list(&group.items))]));
    Box::new(CelList::from(groups.collect::<Vec<_>>()))
}

fn quantity(quantity: &Quantity) -> Boxed<'_> {
    map([("value", number(quantity.value)), ("unit", text(&quantity.unit))])
}

fn nutrition(recipe: &ParsedRecipe) -> Boxed<'_> {
    let size = recipe.nutrition.serving_size.as_deref().map(|size| ("serving_size", text(size)));
    map(recipe.nutrition.quantities().map(|(name, one)| (name, quantity(one))).chain(size))
}

fn rating(recipe: &ParsedRecipe) -> Boxed<'_> {
    let Some(rating) = &recipe.rating else { return null() };
    let count = rating.count.and_then(|count| i64::try_from(count).ok());
    map([("value", number(rating.value)), ("count", count.map_or_else(null, |count| Box::new(CelInt::from(count))))])
}

/// A recipe that says everything, to try rules on.
#[must_use]
pub fn probe() -> ParsedRecipe {
    let nutrients = [
        "calories",
        "carbohydrates",
        "cholesterol",
        "fat",
        "fiber",
        "protein",
        "saturated_fat",
        "sodium",
        "sugar",
        "trans_fat",
        "unsaturated_fat",
    ];
    let nutrition = nutrients.iter().map(|name| ((*name).to_owned(), serde_json::json!({"value": 1, "unit": "g"})));
    let mut nutrition: serde_json::Map<String, serde_json::Value> = nutrition.collect();
    nutrition.insert("serving_size".to_owned(), "1 cup".into());
    let groups = serde_json::json!([{"name": "Probe", "items": ["salt"]}]);
    let recipe = serde_json::json!({
        "title": "Probe", "submitter": "someone", "description": "", "calories": 1, "ingredients": ["salt"],
        "url": "https://a.example/", "site": "a.example", "language": "en", "image": "https://a.example/a.jpg",
        "yields": "1 serving", "servings": 1, "prep_time": 1, "cook_time": 1, "total_time": 1,
        "instructions": ["Eat."], "nutrition": nutrition, "rating": {"value": 1, "count": 1}, "category": ["dish"],
        "cuisine": ["any"], "published_at": "2026-01-01", "parsed_at": "2026-01-01", "extractor": "json-ld",
        "extractors": {"title": "json-ld"}, "ingredient_groups": groups, "instruction_sections": groups,
    });
    serde_json::from_value(recipe).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_recipe_is_a_variable() {
        let json = serde_json::to_value(probe()).unwrap();
        let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        names.retain(|name| *name != "schema_version");
        let mut fields = FIELDS.to_vec();
        fields.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, fields);
        assert!(json.as_object().unwrap().values().all(|value| !value.is_null()), "the probe says everything");
        assert_eq!(probe().nutrition.quantities().count(), 11);
    }
}
