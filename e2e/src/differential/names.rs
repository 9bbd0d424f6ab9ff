//! Ids that every broker gives as it likes: in the comparison they have names, by the order in which they are seen.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

/// Texts shorter than this are not looked for inside other texts: a short number occurs anywhere.
const SHORTEST_IN_TEXT: usize = 8;

/// The names of one broker's ids.
#[derive(Debug, Default, Clone)]
pub struct Names {
    names: HashMap<(&'static str, String), String>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    /// The name of an id of that kind. "No id" stays what it is: empty text, the nil id, a negative number, null.
    pub fn name(&mut self, kind: &'static str, id: &Json) -> Json {
        let text = match id {
            Json::String(text) if text.is_empty() || text.trim_start_matches('A').is_empty() => return id.clone(),
            Json::String(text) => text.clone(),
            Json::Number(number) if number.as_i64().is_some_and(|number| number >= 0) => number.to_string(),
            other => return other.clone(),
        };
        let count = self.counts.entry(kind).or_default();
        let name = self.names.entry((kind, text)).or_insert_with(|| {
            *count += 1;
            format!("<{kind} {count}>")
        });
        json!(name)
    }

    /// Gives an id a name of that very text.
    pub fn call(&mut self, id: &str, name: &'static str) {
        self.names.insert((name, id.to_owned()), format!("<{name}>"));
    }

    /// Forgets all names but those that were given: what an id was called before does not count any more.
    pub fn forget(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        self.names.retain(|(kind, _), _| !counts.contains_key(kind));
    }

    /// The name that an id of that kind has already.
    #[must_use]
    pub fn known(&self, kind: &'static str, id: &str) -> Option<&str> {
        self.names.get(&(kind, id.to_owned())).map(String::as_str)
    }

    /// A text with names in the place of ids.
    #[must_use]
    pub fn in_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for ((_, id), name) in &self.names {
            if id.len() >= SHORTEST_IN_TEXT && text.contains(id.as_str()) {
                text = text.replace(id.as_str(), name);
            }
        }
        text
    }
}
