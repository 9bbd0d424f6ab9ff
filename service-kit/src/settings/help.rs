//! `--help`, and the nearest name to a wrong one.

use crate::settings::source::Source;

/// What is known of a setting without its value.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) aliases: Vec<&'static str>,
    doc: &'static str,
    kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) range: String,
    pub(crate) default: Option<String>,
    pub(crate) required: bool,
}

impl Declared {
    pub(crate) fn new(name: &'static str, doc: &'static str, kind: &'static str) -> Self {
        Self { name, doc, kind, aliases: Vec::new(), unit: "", range: String::new(), default: None, required: false }
    }

    pub(crate) fn config_file() -> Self {
        Self::new("config", "TOML file with settings under the same names", "<PATH>")
    }

    fn describe(&self) -> String {
        let flags: Vec<String> = std::iter::once(&self.name)
            .chain(&self.aliases)
            .map(|name| format!("--{}", name.replace('_', "-")))
            .collect();
        let mut notes = Vec::new();
        match &self.default {
            Some(default) if default.is_empty() => notes.push("default: none".to_owned()),
            Some(default) if default == "true" => {
                notes.push(format!("default: true; {}=false switches it off", flags[0]));
            }
            Some(default) => {
                notes.push(format!("default: {default}{}{}", if self.unit.is_empty() { "" } else { " " }, self.unit));
            }
            None if self.required => notes.push("required".to_owned()),
            None if !self.unit.is_empty() => notes.push(self.unit.to_owned()),
            None => {}
        }
        if !self.range.is_empty() {
            notes.push(self.range.clone());
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" [{}]", notes.join("; ")) };
        let kind = if self.kind.is_empty() { String::new() } else { format!(" {}", self.kind) };
        format!("  {}{kind}  ({})\n      {}{notes}\n", flags.join(", "), self.name.to_uppercase(), self.doc)
    }
}

impl Source {
    /// The settings read so far, each with what it does, its default, unit and range.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = String::from(
            "\nSettings (a flag wins over the variable in brackets, that over the same name in the --config file):\n",
        );
        for declared in &self.declared {
            text.push_str(&declared.describe());
        }
        text
    }
}

/// The declared name most like `name`, if any is near.
pub(crate) fn nearest(name: &str, declared: &[Declared]) -> Option<&'static str> {
    let names =
        declared.iter().flat_map(|declared| std::iter::once(declared.name).chain(declared.aliases.iter().copied()));
    names
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .map(|(_, known)| known)
}

/// Levenshtein distance in bytes; names are short.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("treshold", "threshold"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
