//! From a merged recipe to the message on `parsed_recipes`.

use recipes::{ParsedRecipe, SCHEMA_VERSION};
use time::OffsetDateTime;
use url::Url;

use crate::merge::Merged;

/// The message. `url` is the page's, `parsed_at` the time it was parsed.
pub fn record(merged: Merged, url: Option<&Url>, parsed_at: Option<OffsetDateTime>) -> ParsedRecipe {
    let extractor = merged.main_source().map(|s| s.extractor());
    let draft = merged.draft;
    let address = url.map(recipes::canonical_url).or_else(|| draft.url.clone()).unwrap_or_default();
    let host = url.and_then(Url::host_str).unwrap_or_default();
    ParsedRecipe {
        submitter: (!draft.authors.is_empty()).then(|| draft.authors.join(", ")),
        ingredients: draft.ingredient_lines().map(str::to_owned).collect(),
        instructions: draft.instruction_lines().map(str::to_owned).collect(),
        title: draft.title.unwrap_or_default(),
        description: draft.description,
        calories: draft.calories,
        url: address,
        site: host.strip_prefix("www.").unwrap_or(host).to_owned(),
        language: draft.language,
        image: draft.image,
        servings: draft.yields.as_ref().and_then(|y| y.servings()),
        yields: draft.yields.map(|y| y.text),
        prep_time: draft.prep_time,
        cook_time: draft.cook_time,
        total_time: draft.total_time,
        nutrition: draft.nutrition,
        rating: draft.rating,
        category: draft.category,
        cuisine: draft.cuisine,
        published_at: draft.published_at,
        parsed_at,
        extractor,
        schema_version: SCHEMA_VERSION,
    }
}
