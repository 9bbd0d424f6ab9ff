//! Alerts, and what is remembered so that none is raised twice.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::read::{self, ReadError};
use crate::{number, stamp};

/// Namespace of alert ids (a random UUID, fixed for ever).
const ALERT_IDS: Uuid = Uuid::from_u128(0x6f1d_7c52_8f0e_4b7a_9a43_5d0c_2b1e_77c4);

/// An alert: a rule's condition became true for a recipe, or for a site. Value of `recipe_alerts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Identity of the crossing: a record that tells of it again has the same one. See [`Alert::id`].
    pub alert_id: Uuid,
    /// Name of the rule.
    pub rule: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Per::is_recipe")]
    pub per: Per,
    /// How much it matters.
    #[serde(default)]
    pub severity: Severity,
    /// The line for people, `Alert: {title} calories count is {calories}` unless the rule says otherwise.
    pub message: String,
    /// Canonical URL of the recipe; empty when it is about a site.
    pub url: String,
    /// Name of the dish, or of the site.
    pub title: String,
    /// Host name of the page.
    #[serde(default)]
    pub site: String,
    /// URL of the picture.
    #[serde(default)]
    pub image: Option<String>,
    /// Energy in kcal a serving.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<f64>")]
    pub calories: Option<f64>,
    /// Energy in kcal a serving at the verdict before; null when it was unknown.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<f64>")]
    pub previous_calories: Option<f64>,
    /// When the alert was raised, RFC 3339.
    #[serde(with = "stamp")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub raised_at: OffsetDateTime,
    /// Names of the channels the rule asks for; empty for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Raised in the rule's quiet hours: it is recorded, shown, logged and part of digests, and no channel that
    /// delivers at once passes it on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
    /// Version of this message's shape.
    #[serde(default)]
    pub schema_version: u32,
}

impl Alert {
    /// The id of the crossing that `rule` saw for `url` in the record at this place: the same however often that
    /// record is read, another for every other record (its time tells a topic from one of the same name made later).
    #[must_use]
    pub fn id(rule: &str, url: &str, partition: i32, offset: i64, record_time_ms: i64) -> Uuid {
        Uuid::new_v5(&ALERT_IDS, format!("{rule}\0{url}\0{partition}\0{offset}\0{record_time_ms}").as_bytes())
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
    /// A number or time that has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }
}

/// What a rule is asked about, and its alerts are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Each recipe; the default.
    #[default]
    Recipe,
    /// Each site: one alert for all of its recipes.
    Site,
}

impl Per {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
    const fn is_recipe(&self) -> bool {
        matches!(self, Self::Recipe)
    }
}

/// How much an alert matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look; the default.
    #[default]
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// The name used in messages, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a rule last said of a recipe or site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The rule's condition held: an alert was raised when it began to.
    Above,
    /// The rule's condition did not hold: the next time it does is a crossing.
    Below,
}

/// Last verdict of one rule on one recipe or site. Value of `alert_state` and `site_alert_state`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertState {
    /// Name of the rule.
    pub rule: String,
    /// Canonical URL of the recipe, or host name of the site.
    pub url: String,
    /// What the rule last said.
    pub verdict: Verdict,
    /// Energy in kcal a serving that it said it of.
    #[serde(default, with = "number::option")]
    #[schemars(with = "Option<f64>")]
    pub value: Option<f64>,
    /// When this rule last raised an alert for it, RFC 3339; null when it never did.
    #[serde(default, with = "stamp::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub alerted_at: Option<OffsetDateTime>,
    /// Tells the rule's conditions from earlier ones under the same name; empty in records that name none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule_version: String,
}

/// [`AlertState`] from borrowed parts: notifiers write one for each rule and recipe.
#[derive(Serialize)]
struct Borrowed<'a, V: Display> {
    rule: &'a str,
    url: &'a str,
    verdict: Verdict,
    #[serde(with = "number::option")]
    value: Option<f64>,
    #[serde(with = "stamp::option")]
    alerted_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    rule_version: Option<V>,
}

fn shown<V: Display, S: Serializer>(value: &Option<V>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

impl AlertState {
    /// The JSON of a state with these parts, which need not be owned.
    ///
    /// # Errors
    /// A number or time that has no JSON form.
    pub fn json_of(
        rule: &str,
        url: &str,
        verdict: Verdict,
        value: Option<f64>,
        alerted_at: Option<OffsetDateTime>,
        rule_version: Option<impl Display>,
    ) -> Result<Vec<u8>, ReadError> {
        // One allocation: names and the rest take some 130 bytes.
        let mut json = Vec::with_capacity(rule.len() + url.len() + 192);
        let state = Borrowed { rule, url, verdict, value, alerted_at, rule_version };
        serde_json::to_writer(&mut json, &state).map_err(|error| ReadError::Unwritable(error.to_string()))?;
        Ok(json)
    }

    /// The record's key: rule, a space, URL. A rule's name has no space, so that the key can be taken apart.
    #[must_use]
    pub fn key(rule: &str, url: &str) -> String {
        format!("{rule} {url}")
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
    /// A number or time that has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>, ReadError> {
        serde_json::to_vec(self).map_err(|error| ReadError::Unwritable(error.to_string()))
    }
}
