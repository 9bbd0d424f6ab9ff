//! Reading JSON that others wrote, with errors that name the field.

use std::fmt;

use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// Why a value could not be read or written. The text is what stands in `dead.reason`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("the value is no JSON: {0}")]
    Syntax(String),
    /// JSON, but a field is missing or has another type.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field, `nutrition.fat.value`; `the value` for the whole.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A number or text that cannot be true.
    #[error("{field} {problem}")]
    Range {
        /// Path of the field.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A value that has no JSON form.
    #[error("the value cannot be written as JSON: {0}")]
    Unwritable(String),
}

/// Parses in one quick pass; only a failure pays for a second one that finds the path of the field.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| explain::<T>(bytes, error))
}

fn explain<T: DeserializeOwned>(bytes: &[u8], error: serde_json::Error) -> ReadError {
    if bytes.is_empty() {
        return ReadError::Syntax("it is empty".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) if error.path().iter().next().is_some() => Some(error.path().to_string()),
        _ => None,
    };
    if error.is_data() {
        let field = path.unwrap_or_else(|| "the value".to_owned());
        return ReadError::Field { field, problem: without_place(&error) };
    }
    match (path, no_number(bytes, &error)) {
        (Some(field), Some(word)) => ReadError::Field { field, problem: format!("{word} is no JSON number") },
        (Some(field), None) => ReadError::Syntax(format!("{error}, in {field}")),
        (None, _) => ReadError::Syntax(error.to_string()),
    }
}

/// The message without serde_json's "at line 1 column 20": records have one line, and the path says more.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    // serde names Rust's types.
    let words = [("f64", "a number"), ("u64", "a whole number"), ("u32", "a whole number"), ("a string", "a text")];
    let plain = words.iter().find_map(|(rust, word)| {
        Some(format!("{}expected {word}", text.strip_suffix(rust)?.strip_suffix("expected ")?))
    });
    plain.unwrap_or_else(|| text.to_owned())
}

/// `NaN` and its like, which Python's `json.dumps` writes and JSON does not have.
fn no_number(bytes: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    // serde_json's column is the 1-based place of the first byte it could not take: within the word or right before it.
    let around = line.get(error.column().saturating_sub(3)..)?;
    let around = &around[..around.len().min(12)];
    ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| around.windows(word.len()).any(|at| at == word.as_bytes()))
}

/// Fails for numbers out of `min..=max`, NaN included.
pub(crate) fn within(field: &str, value: f64, min: f64, max: f64, unit: &str) -> Result<(), ReadError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let shown = if value.abs() < 1e15 { format!("{value}") } else { format!("{value:e}") };
    Err(ReadError::Range { field: field.to_owned(), problem: format!("is {shown}; expected {min} to {max} {unit}") })
}

/// A list of texts; also a text alone, null, and the tutorial's objects of one text (`{"step": "2 eggs"}`).
pub(crate) fn lines<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    from.deserialize_any(Lines)
}

struct Lines;

impl<'de> Visitor<'de> for Lines {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::new();
        while let Some(Line(line)) = seq.next_element()? {
            lines.push(line);
        }
        Ok(lines)
    }
}

struct Line(String);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneText;
        impl<'de> Visitor<'de> for OneText {
            type Value = Line;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an object with one text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Line, E> {
                Ok(Line(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Line, E> {
                Ok(Line(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let Some((_, text)) = map.next_entry::<de::IgnoredAny, String>()? else {
                    return Err(de::Error::custom("an object with no text in it"));
                };
                match map.next_key::<de::IgnoredAny>()? {
                    None => Ok(Line(text)),
                    Some(_) => Err(de::Error::custom("an object with more than one field where a text is expected")),
                }
            }
        }
        from.deserialize_any(OneText)
    }
}
