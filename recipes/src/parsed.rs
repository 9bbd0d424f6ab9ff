//! A recipe as the parser writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use crate::read::{self, ReadError};
use crate::{number, stamp};

/// Version that writers put into [`ParsedRecipe::schema_version`]. Fields are only ever added within a version.
pub const SCHEMA_VERSION: u32 = 1;

/// Most kcal a serving that is believed: more is a broken page or a broken writer, never food.
pub const MAX_KCAL: f64 = 100_000.0;

/// A recipe, the value of `parsed_recipes`.
///
/// The first five fields keep the names of the tutorial this pipeline grew from. Every field is always written; what
/// is unknown is null, an empty list, or an empty text. [`ParsedRecipe::from_json`] reads what others wrote too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParsedRecipe {
    /// Name of the dish.
    pub title: String,
    /// Who wrote or sent in the recipe.
    #[serde(default)]
    pub submitter: Option<String>,
    /// What the page says of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Energy in kcal a serving, 0 to [`MAX_KCAL`]; null when the page does not say, and null is never 0.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<f64>", range(min = 0.0, max = MAX_KCAL))]
    pub calories: Option<f64>,
    /// Ingredients, a line each, in the page's order. Read too: the tutorial's `{"step": "2 eggs"}`.
    #[serde(default, deserialize_with = "read::lines")]
    pub ingredients: Vec<String>,
    /// Canonical URL of the page; empty only in records of other writers.
    #[serde(default)]
    pub url: String,
    /// Host name of the page without `www.`.
    #[serde(default)]
    pub site: String,
    /// BCP 47 tag, `en` or `pt-BR`.
    #[serde(default)]
    pub language: Option<String>,
    /// URL of the picture.
    #[serde(default)]
    pub image: Option<String>,
    /// Yield as the page writes it, `4 servings`.
    #[serde(default)]
    pub yields: Option<String>,
    /// Number of servings.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<f64>", range(min = 0.0))]
    pub servings: Option<f64>,
    /// Minutes of preparation.
    #[serde(default, with = "number::minutes")]
    #[schemars(with = "Option<u32>")]
    pub prep_time: Option<u32>,
    /// Minutes of cooking.
    #[serde(default, with = "number::minutes")]
    #[schemars(with = "Option<u32>")]
    pub cook_time: Option<u32>,
    /// Minutes from start to end.
    #[serde(default, with = "number::minutes")]
    #[schemars(with = "Option<u32>")]
    pub total_time: Option<u32>,
    /// Steps, one each, in order.
    #[serde(default, deserialize_with = "read::lines")]
    pub instructions: Vec<String>,
    /// The ingredients once more, in the groups that the page makes of them ("For the dough"), in its order; empty where
    /// it makes none.
    #[serde(default, deserialize_with = "null_is_default")]
    pub ingredient_groups: Vec<Group>,
    /// The steps once more, in the page's sections and order; empty where it has none.
    #[serde(default, deserialize_with = "null_is_default")]
    pub instruction_sections: Vec<Group>,
    /// Nutrition facts a serving.
    #[serde(default, deserialize_with = "null_is_default")]
    pub nutrition: Nutrition,
    /// What visitors think of it.
    #[serde(default)]
    pub rating: Option<Rating>,
    /// Kinds of dish, `["dessert"]`. A text alone is read as a list of one.
    #[serde(default, deserialize_with = "read::lines")]
    pub category: Vec<String>,
    /// Cuisines, `["Italian"]`. A text alone is read as a list of one.
    #[serde(default, deserialize_with = "read::lines")]
    pub cuisine: Vec<String>,
    /// When the page was first published, RFC 3339.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub published_at: Option<OffsetDateTime>,
    /// When it was parsed, RFC 3339; null only in records of other writers.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub parsed_at: Option<OffsetDateTime>,
    /// How most of the recipe was found in the page; null only in records of other writers.
    #[serde(default)]
    pub extractor: Option<Extractor>,
    /// How each field that is known was found, by the field's name; `total_time` stands for all times.
    #[serde(default, deserialize_with = "null_is_default")]
    pub extractors: BTreeMap<String, Extractor>,
    /// [`SCHEMA_VERSION`] of the writer; 0 in records that name none.
    #[serde(default)]
    pub schema_version: u32,
}

/// Ingredients or steps that belong together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Their heading; null for lines before the first heading.
    #[serde(default)]
    pub name: Option<String>,
    /// The lines below it.
    #[serde(default, deserialize_with = "read::lines")]
    pub items: Vec<String>,
}

/// How a recipe was found in its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Extractor {
    /// `<script type="application/ld+json">` with a schema.org `Recipe`.
    JsonLd,
    /// `itemscope`/`itemprop` or RDFa with schema.org names.
    Microdata,
    /// Selectors configured for the site.
    Selectors,
    /// Guesses from the page's text.
    Heuristics,
}

impl Extractor {
    /// The name used in messages, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonLd => "json-ld",
            Self::Microdata => "microdata",
            Self::Selectors => "selectors",
            Self::Heuristics => "heuristics",
        }
    }
}

/// Nutrition facts a serving; what the page does not say is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is the nutrient it is named after")]
pub struct Nutrition {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calories: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carbohydrates: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cholesterol: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fat: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fiber: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protein: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturated_fat: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sodium: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sugar: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trans_fat: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsaturated_fat: Option<Quantity>,
    /// What one serving is, as the page writes it: `1 cup (240 g)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving_size: Option<String>,
}

impl Nutrition {
    /// Each quantity with its field's name.
    pub fn quantities(&self) -> impl Iterator<Item = (&'static str, &Quantity)> {
        [
            ("calories", &self.calories),
            ("carbohydrates", &self.carbohydrates),
            ("cholesterol", &self.cholesterol),
            ("fat", &self.fat),
            ("fiber", &self.fiber),
            ("protein", &self.protein),
            ("saturated_fat", &self.saturated_fat),
            ("sodium", &self.sodium),
            ("sugar", &self.sugar),
            ("trans_fat", &self.trans_fat),
            ("unsaturated_fat", &self.unsaturated_fat),
        ]
        .into_iter()
        .filter_map(|(name, quantity)| Some((name, quantity.as_ref()?)))
    }
}

/// A number with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantity {
    /// How much, 0 or more.
    #[serde(with = "number")]
    #[schemars(with = "f64", range(min = 0.0))]
    pub value: f64,
    /// Of what: `kcal`, `g`, `mg`; empty when the page names none.
    #[serde(default)]
    pub unit: String,
}

/// Mean rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rating {
    /// The mean, on the site's scale (most have 1 to 5).
    #[serde(with = "number")]
    #[schemars(with = "f64")]
    pub value: f64,
    /// How many rated.
    #[serde(default)]
    pub count: Option<u64>,
}

impl ParsedRecipe {
    /// Reads a recipe written by our parser or by others.
    ///
    /// Unknown fields are ignored, missing ones are unknown; only `title` must be there. Numbers must be numbers in
    /// their range: a text, NaN, a negative number or one past [`MAX_KCAL`] is an error that names the field, since
    /// an alert raised or missed on a guess is worse than a dead letter.
    ///
    /// # Errors
    /// [`ReadError`] says which field is wrong, and how.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        let recipe: Self = read::json(bytes)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The JSON that goes onto the topic.
    ///
    /// # Errors
    /// A number that is not finite, or what [`ParsedRecipe::from_json`] would refuse: nothing unreadable is written.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        self.check()?;
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }

    /// What makes two records the same recipe: the URL, or the title where the writer gave no URL.
    #[must_use]
    pub fn identity(&self) -> &str {
        if self.url.is_empty() { &self.title } else { &self.url }
    }

    fn check(&self) -> Result<(), ReadError> {
        if self.title.trim().is_empty() {
            return Err(ReadError::Range { field: "title".to_owned(), problem: "is empty".to_owned() });
        }
        if let Some(kcal) = self.calories {
            read::within("calories", kcal, 0.0, MAX_KCAL, "kcal a serving")?;
        }
        if let Some(servings) = self.servings {
            read::within("servings", servings, 0.0, 1e6, "servings")?;
        }
        for (name, quantity) in self.nutrition.quantities() {
            read::within(&format!("nutrition.{name}"), quantity.value, 0.0, 1e9, "a serving")?;
        }
        if let Some(rating) = &self.rating {
            read::within("rating.value", rating.value, 0.0, 1e6, "on the site's scale")?;
        }
        Ok(())
    }
}

/// Null where a writer had nothing to say.
fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
