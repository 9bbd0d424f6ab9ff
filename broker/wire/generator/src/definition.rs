//! Message definitions as Kafka keeps them in its jars: JSON with `//` comments.

use anyhow::{Context, bail};
use serde::Deserialize;

/// A message as its JSON file defines it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// For requests and replies their API, for records their type.
    pub api_key: Option<i16>,
    /// `request`, `response`, `header`, `data`, `metadata`, `coordinator-key` or `coordinator-value`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub listeners: Vec<String>,
    pub name: String,
    pub valid_versions: Versions,
    #[serde(default)]
    pub flexible_versions: Versions,
    #[serde(default)]
    pub latest_version_unstable: bool,
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Name of the jar it comes from, without its version.
    #[serde(skip)]
    pub jar: String,
    #[serde(default)]
    pub common_structs: Vec<CommonStruct>,
}

/// A struct that several fields of a message share.
#[derive(Debug, Clone, Deserialize)]
pub struct CommonStruct {
    pub name: String,
    pub fields: Vec<Field>,
}

/// A field as defined.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    versions: Option<Versions>,
    #[serde(default)]
    pub nullable_versions: Versions,
    #[serde(default)]
    pub tagged_versions: Versions,
    #[serde(default, deserialize_with = "number")]
    pub tag: Option<u32>,
    #[serde(default)]
    pub ignorable: bool,
    default: Option<serde_json::Value>,
    #[serde(default)]
    pub fields: Vec<Field>,
}

impl Field {
    /// The versions that have the field; a tagged field may leave them out.
    pub fn versions(&self) -> Versions {
        self.versions.unwrap_or(self.tagged_versions)
    }

    pub fn set_versions(&mut self, versions: Versions) {
        self.versions = Some(versions);
    }

    /// The default as text, if one is given. A null literal gives none, as in Kafka, where null is the text `"null"`.
    pub fn default_text(&self) -> Option<String> {
        match self.default.as_ref()? {
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Default for Versions {
    fn default() -> Self {
        Self { min: 0, max: -1 }
    }
}

impl Versions {
    pub fn is_empty(self) -> bool {
        self.min > self.max
    }

    pub fn contains(self, other: Self) -> bool {
        other.is_empty() || (self.min <= other.min && self.max >= other.max)
    }

    pub fn intersect(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    /// The smallest range that has both.
    pub fn span(self, other: Self) -> Self {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() { self } else { Self { min: self.min.min(other.min), max: self.max.max(other.max) } }
    }
}

impl TryFrom<String> for Versions {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = |text: &str| text.parse::<i16>().with_context(|| format!("version {text:?}"));
        Ok(match text.split_once('-') {
            _ if text == "none" => Self::default(),
            Some((min, max)) => Self { min: number(min)?, max: number(max)? },
            None => match text.strip_suffix('+') {
                Some(min) => Self { min: number(min)?, max: i16::MAX },
                None => Self { min: number(&text)?, max: number(&text)? },
            },
        })
    }
}

/// A tag is a number, or the same as text.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
        other => serde_json::from_value(other).map(Some).map_err(serde::de::Error::custom),
    }
}

/// Parses a definition file.
pub fn parse(text: &str) -> anyhow::Result<Definition> {
    let json: String = text.lines().flat_map(|line| [without_comment(line), "\n"]).collect();
    // By way of a value, because one definition names a key twice; the last one counts.
    let value: serde_json::Value = serde_json::from_str(&json)?;
    let definition: Definition = serde_json::from_value(value)?;
    if definition.name.is_empty() {
        bail!("a definition without a name");
    }
    Ok(definition)
}

fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let mut escaped = false;
    for (index, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'/' if !in_string && line[index..].starts_with("//") => return &line[..index],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_a_line_and_strings_keep_their_slashes() {
        assert_eq!(without_comment(r#"{ "a": "x//y\"//" } // "tail""#), r#"{ "a": "x//y\"//" } "#);
        assert_eq!(without_comment("  // all"), "  ");
    }

    #[test]
    fn versions_are_read_as_written() {
        let versions = |text: &str| Versions::try_from(text.to_owned()).unwrap();
        assert_eq!(versions("3+"), Versions { min: 3, max: i16::MAX });
        assert_eq!(versions("2-7"), Versions { min: 2, max: 7 });
        assert_eq!(versions("4"), Versions { min: 4, max: 4 });
        assert!(versions("none").is_empty());
        assert!(Versions::try_from("x".to_owned()).is_err());
    }
}
