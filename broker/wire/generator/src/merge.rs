//! One definition from two releases: the newer one, plus the versions and fields that it dropped.

use crate::definition::{Definition, Field, Versions};

/// Merges the definitions of one message. Where both have a field, the newer one says what it is.
pub fn merge(newer: Option<Definition>, older: Option<Definition>) -> Option<Definition> {
    let (mut merged, older) = match (newer, older) {
        (Some(newer), Some(older)) => (newer, older),
        (one, other) => return one.or(other).map(without_unstable),
    };
    let older = without_unstable(older);
    if older.valid_versions.is_empty() || is_renumbered(&merged, &older) {
        return Some(merged);
    }
    merged.valid_versions = merged.valid_versions.span(older.valid_versions);
    merge_fields(&mut merged.fields, older.fields, older.valid_versions);
    for common in older.common_structs {
        match merged.common_structs.iter_mut().find(|ours| ours.name == common.name) {
            Some(ours) => merge_fields(&mut ours.fields, common.fields, older.valid_versions),
            None => merged.common_structs.push(common),
        }
    }
    Some(merged)
}

/// Versions that the older release did not serve unless told to are no promise to keep.
fn without_unstable(mut definition: Definition) -> Definition {
    if definition.latest_version_unstable {
        definition.valid_versions.max -= 1;
    }
    definition
}

/// The keys of coordinator records had their type as version before they got types.
fn is_renumbered(newer: &Definition, older: &Definition) -> bool {
    newer.kind == "coordinator-key" && older.kind == "data"
}

fn merge_fields(newer: &mut Vec<Field>, older: Vec<Field>, served: Versions) {
    let mut place = 0;
    for mut field in older {
        match newer.iter().position(|ours| ours.name == field.name) {
            Some(index) => {
                place = index + 1;
                merge_fields(&mut newer[index].fields, field.fields, served);
            }
            None => {
                field.set_versions(field.versions().intersect(served));
                newer.insert(place, field);
                place += 1;
            }
        }
    }
}
