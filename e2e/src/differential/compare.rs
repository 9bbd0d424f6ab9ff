//! Two replies side by side.

use serde_json::Value as Json;

/// A place where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field, with the names of all it is in: `responses.partitionResponses.errorCode`.
    pub field: String,
    /// Where it stands, with positions in arrays.
    pub place: String,
    /// What our broker says.
    pub ours: String,
    /// What the reference says.
    pub theirs: String,
}

/// All places where two replies differ.
#[must_use]
pub fn differences(ours: &Json, theirs: &Json) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", "", ours, theirs, &mut found);
    found
}

fn walk(field: &str, place: &str, ours: &Json, theirs: &Json, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Json::Object(left), Json::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            for name in names {
                let absent = &Json::String("<absent>".to_owned());
                let (one, other) = (left.get(name).unwrap_or(absent), right.get(name).unwrap_or(absent));
                walk(&join(field, name), &join(place, name), one, other, found);
            }
        }
        (Json::Array(left), Json::Array(right)) if is_message_set(left) && is_message_set(right) => {
            message_sets(field, place, left, right, found);
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            for (index, (one, other)) in left.iter().zip(right).enumerate() {
                walk(field, &format!("{place}[{index}]"), one, other, found);
            }
        }
        (one, other) if one == other => {}
        (one, other) => found.push(Difference {
            field: field.to_owned(),
            place: place.to_owned(),
            ours: one.to_string(),
            theirs: other.to_string(),
        }),
    }
}

/// Records of a format before v2.
fn is_message_set(records: &[Json]) -> bool {
    records.first().is_some_and(|first| first["magic"].as_i64().is_some_and(|magic| magic < 2))
}

/// Message sets are made for the reply. Kafka sends as many bytes as the batches take on its disk, whatever they become:
/// it cuts what is more, and fills up what is less. Behind a control batch it sends the first message twice. All that is
/// a difference of one kind, as long as every whole message is the same.
fn message_sets(field: &str, place: &str, ours: &[Json], theirs: &[Json], found: &mut Vec<Difference>) {
    let whole = |set: &[Json]| -> Vec<Json> {
        let mut whole: Vec<Json> = set.iter().filter(|one| one.get("magic").is_some()).cloned().collect();
        whole.dedup();
        whole
    };
    let (left, right) = (whole(ours), whole(theirs));
    for (index, (one, other)) in left.iter().zip(&right).enumerate() {
        walk(field, &format!("{place}[{index}]"), one, other, found);
    }
    if ours != theirs {
        let told = |whole: &[Json], set: &[Json]| {
            let rest = if whole.len() == set.len() { "" } else { " and more" };
            format!("{} whole messages{rest}", whole.len())
        };
        let (ours, theirs) = (told(&left, ours), told(&right, theirs));
        found.push(Difference { field: field.to_owned(), place: place.to_owned(), ours, theirs });
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
