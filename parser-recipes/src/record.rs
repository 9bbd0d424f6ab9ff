//! From a merged recipe to the message on `parsed_recipes`.

use recipes::{Group, ParsedRecipe, SCHEMA_VERSION};
use time::OffsetDateTime;
use url::Url;

use crate::draft::Section;
use crate::merge::Merged;

/// The message. `url` is the page's, `parsed_at` the time it was parsed.
pub fn record(merged: Merged, url: Option<&Url>, parsed_at: Option<OffsetDateTime>) -> ParsedRecipe {
    let extractor = merged.main_source().map(|s| s.extractor());
    let extractors = merged.sources.iter().map(|(field, source)| ((*field).to_owned(), source.extractor())).collect();
    let draft = merged.draft;
    let address = url.map(recipes::canonical_url).or_else(|| draft.url.clone()).unwrap_or_default();
    let host = url.and_then(Url::host_str).unwrap_or_default();
    ParsedRecipe {
        submitter: (!draft.authors.is_empty()).then(|| draft.authors.join(", ")),
        ingredients: draft.ingredient_lines().map(str::to_owned).collect(),
        instructions: draft.instructions.iter().flat_map(|s| &s.items).cloned().collect(),
        ingredient_groups: groups(draft.ingredients),
        instruction_sections: groups(draft.instructions),
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
        extractors,
        schema_version: SCHEMA_VERSION,
    }
}

/// Sections that say more than the list itself.
fn groups(sections: Vec<Section>) -> Vec<Group> {
    if sections.iter().all(|s| s.name.is_none()) {
        return Vec::new();
    }
    sections.into_iter().map(|Section { name, items }| Group { name, items }).collect()
}

#[cfg(test)]
mod tests {
    use recipes::Extractor;

    use crate::{Page, Rules, extract, record};

    #[test]
    fn the_message_keeps_groups_and_says_where_each_field_came_from() {
        let page = br#"<html lang=en><script type=application/ld+json>{"@type":"Recipe","name":"Pie",
            "recipeIngredient":["1 egg","For the filling:","2 apples"],"recipeInstructions":[
            {"@type":"HowToSection","name":"Dough","itemListElement":[{"@type":"HowToStep","text":"Knead."}]},
            {"@type":"HowToSection","name":"Filling","itemListElement":[{"@type":"HowToStep","text":"Cut."},
            {"@type":"HowToStep","text":"Bake."}]}]}</script>"#;
        let page = Page { bytes: page, url: None, content_type: None };
        let recipe = record(extract(page, &Rules::built_in().unwrap()).unwrap(), None, None);
        assert_eq!(recipe.ingredients, ["1 egg", "2 apples"]);
        assert_eq!(recipe.instructions, ["Knead.", "Cut.", "Bake."]);
        let groups = |groups: &[recipes::Group]| -> Vec<(Option<String>, usize)> {
            groups.iter().map(|g| (g.name.clone(), g.items.len())).collect()
        };
        assert_eq!(groups(&recipe.ingredient_groups), [(None, 1), (Some("For the filling".to_owned()), 1)]);
        let sections = [(Some("Dough".to_owned()), 1), (Some("Filling".to_owned()), 2)];
        assert_eq!(groups(&recipe.instruction_sections), sections);
        assert_eq!(recipe.extractors["ingredients"], Extractor::JsonLd);
        assert_eq!(recipe.extractors["language"], Extractor::Heuristics);
    }
}
