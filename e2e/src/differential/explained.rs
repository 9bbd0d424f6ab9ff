//! Differences that are deliberate: the table that `docs/compatibility.md` is written from.

use std::cell::Cell;
use std::ops::RangeInclusive;

use super::compare::Difference;

const TABLE: &str = include_str!("../../../broker/differences.tsv");

/// The field of a row that no reply shows.
const ONLY_TOLD: &str = "-";

/// One row: where the brokers may differ, and how.
#[derive(Debug, Clone, Copy)]
struct Row {
    api: &'static str,
    versions: &'static str,
    field: &'static str,
    ours: &'static str,
    theirs: &'static str,
}

/// The rows of the table.
#[derive(Debug)]
pub struct Explained {
    /// Each with whether it covered anything.
    rows: Vec<(Row, Cell<bool>)>,
}

impl Explained {
    /// Reads the table.
    ///
    /// # Panics
    /// When a line has too few columns.
    #[must_use]
    pub fn read() -> Self {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let rows = lines.map(|line| {
            let columns: Vec<&'static str> = line.split('\t').collect();
            let &[api, versions, field, ours, theirs, _text] = columns.as_slice() else {
                panic!("a line of broker/differences.tsv has no six columns: {line}")
            };
            (Row { api, versions, field, ours, theirs }, Cell::new(false))
        });
        Self { rows: rows.collect() }
    }

    /// Whether a row covers the difference.
    #[must_use]
    pub fn covers(&self, api: &str, version: i16, difference: &Difference) -> bool {
        let found = self.rows.iter().find(|(row, _)| {
            row.api == api
                && range(row.versions).contains(&version)
                && matches(row.field, &difference.field)
                && matches(row.ours, &difference.ours)
                && matches(row.theirs, &difference.theirs)
        });
        if let Some((_, used)) = found {
            used.set(true);
        }
        found.is_some()
    }

    /// Rows that covered nothing, but for those that only tell.
    pub fn unused(&self) -> impl Iterator<Item = String> {
        let unused = self.rows.iter().filter(|(row, used)| row.field != ONLY_TOLD && !used.get());
        unused.map(|(row, _)| format!("{} {} {}: {} {}", row.api, row.versions, row.field, row.ours, row.theirs))
    }
}

/// `3`, `0-2` or `*`.
fn range(text: &str) -> RangeInclusive<i16> {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no version in broker/differences.tsv: {text}"));
    match text.split_once('-') {
        _ if text == "*" => 0..=i16::MAX,
        Some((from, to)) => number(from)..=number(to),
        None => number(text)..=number(text),
    }
}

/// A pattern with `*` for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in
            [("*", "", true), ("a*c", "abc", true), ("a*c", "ab", false), ("a", "ab", false), ("*b*", "abc", true)]
        {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
