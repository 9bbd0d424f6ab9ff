//! What happened on a site in an hour.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::read::{self, ReadError};
use crate::{MAX_KCAL, number, stamp};

/// Minutes of a window.
pub const MINUTES: usize = 60;
/// Bars of the histogram of calories; the last takes everything from there up.
pub const BARS: usize = 12;
/// Width of a bar, in kcal a serving.
pub const BAR_KCAL: f64 = 100.0;

/// One site in one hour, by the time of its records. Value of `recipe_stats`, whose key is `{site} {start}`; a later record
/// of a key is the newer state of the same hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteStats {
    /// Host name of the pages.
    pub site: String,
    /// The hour's first moment, RFC 3339; it ends an hour later.
    #[serde(with = "stamp")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub start: OffsetDateTime,
    /// Recipes read, those that do not say their calories included.
    #[serde(default)]
    pub recipes: u64,
    /// Recipes that do not say their calories.
    #[serde(default)]
    pub no_calories: u64,
    /// Sum of the others' kcal a serving.
    #[serde(default, with = "number")]
    #[schemars(with = "f64")]
    pub kcal: f64,
    /// Recipes by calories, in bars of 100 kcal a serving; the last has those of 1,100 and more.
    #[serde(default)]
    pub kcal_histogram: [u64; BARS],
    /// Pages that could not be read.
    #[serde(default)]
    pub failures: u64,
    /// Alerts raised for recipes.
    #[serde(default)]
    pub alerts: u64,
    /// `recipes` by the minute of the hour; empty when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipes_by_minute: Vec<u32>,
    /// `failures` by the minute of the hour; empty when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures_by_minute: Vec<u32>,
    /// `alerts` by the minute of the hour; empty when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts_by_minute: Vec<u32>,
}

/// Something that happened on a site. Value of `site_events`, whose key is the site.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteEvent {
    /// What it was.
    pub kind: SiteEventKind,
    /// When, RFC 3339.
    #[serde(with = "stamp")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// Of a recipe: kcal a serving, 0 to [`MAX_KCAL`]; null where it does not say.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>", range(min = 0.0, max = MAX_KCAL))]
    pub calories: Option<f64>,
}

/// What can happen on a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SiteEventKind {
    /// A recipe was read.
    Recipe,
    /// An alert was raised for a recipe.
    Alert,
    /// A page could not be read.
    Failure,
}

impl SiteEvent {
    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ReadError`] says which field is wrong, and how.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        let event: Self = read::json(bytes)?;
        if let Some(kcal) = event.calories {
            // A sum past all numbers would have no JSON form.
            read::within("calories", kcal, 0.0, MAX_KCAL, "kcal a serving")?;
        }
        Ok(event)
    }

    /// The JSON that goes onto the topic.
    ///
    /// # Errors
    /// A number or time that has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }
}

impl SiteStats {
    /// An hour in which nothing happened yet.
    #[must_use]
    pub fn new(site: &str, start: OffsetDateTime) -> Self {
        Self {
            site: site.to_owned(),
            start,
            recipes: 0,
            no_calories: 0,
            kcal: 0.0,
            kcal_histogram: [0; BARS],
            failures: 0,
            alerts: 0,
            recipes_by_minute: Vec::new(),
            failures_by_minute: Vec::new(),
            alerts_by_minute: Vec::new(),
        }
    }

    /// Key of its record.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.site, stamp::to_text(self.start).unwrap_or_default())
    }

    /// Counts what happened in that minute of the hour, 0 to 59.
    pub fn count(&mut self, event: &SiteEvent, minute: usize) {
        let (total, minutes) = match event.kind {
            SiteEventKind::Recipe => {
                self.calories(event.calories);
                (&mut self.recipes, &mut self.recipes_by_minute)
            }
            SiteEventKind::Alert => (&mut self.alerts, &mut self.alerts_by_minute),
            SiteEventKind::Failure => (&mut self.failures, &mut self.failures_by_minute),
        };
        *total += 1;
        minutes.resize(MINUTES, 0);
        minutes[minute.min(MINUTES - 1)] += 1;
    }

    fn calories(&mut self, kcal: Option<f64>) {
        let Some(kcal) = kcal else { return self.no_calories += 1 };
        self.kcal += kcal;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
        let bar = (kcal / BAR_KCAL) as usize;
        self.kcal_histogram[bar.min(BARS - 1)] += 1;
    }

    /// Mean kcal a serving of the recipes that say it.
    #[must_use]
    pub fn mean_kcal(&self) -> Option<f64> {
        let known: u64 = self.kcal_histogram.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "recipes of an hour")]
        (known > 0).then(|| self.kcal / known as f64)
    }

    /// Reads a record's value.
    ///
    /// # Errors
    /// [`ReadError`] says which field is wrong, and how.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        read::json(bytes)
    }

    /// The JSON that goes onto the topic.
    ///
    /// # Errors
    /// A number that has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }
}
