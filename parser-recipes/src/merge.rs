//! Several sources made one recipe, field by field.
//!
//! The order of [`Source`] decides: what a person wrote for this site, then structured data (JSON-LD before microdata
//! before RDFa, because what search engines test is kept in order), then the markup of recipe plugins, then the page's
//! metadata, then guesses. A field that a better source leaves empty is taken from the next. Lists are taken whole,
//! never mixed, since two sources cut them differently.

use std::collections::BTreeMap;

use recipes::Nutrition;

use crate::doubt;
use crate::draft::{Draft, has_items};
use crate::source::Source;

/// A recipe and where each of its fields came from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// The fields.
    pub draft: Draft,
    /// The source of each field that is there, by the field's name in `parsed_recipes`.
    pub sources: BTreeMap<&'static str, Source>,
    /// Who publishes the page: the author of last resort.
    pub(crate) publisher: Option<String>,
}

impl Merged {
    /// Merges drafts by their sources' order; drafts of one source in the order given.
    pub fn of(mut drafts: Vec<(Source, Draft)>) -> Merged {
        drafts.sort_by_key(|(source, _)| *source);
        let mut merged = Merged::default();
        drafts.into_iter().for_each(|(source, draft)| merged.fill(source, draft));
        merged
    }

    /// Takes from `draft` what is not yet known.
    pub fn fill(&mut self, source: Source, draft: Draft) {
        let sources = &mut self.sources;
        let into = &mut self.draft;
        macro_rules! fill {
            ($($field:ident: $name:literal, $empty:expr;)*) => {$(
                let is_empty = $empty;
                if is_empty(&into.$field) && !is_empty(&draft.$field) {
                    into.$field = draft.$field;
                    sources.insert($name, source);
                }
            )*};
        }
        if !has_items(&into.ingredients) {
            into.ingredients_spoilt = draft.ingredients_spoilt;
        }
        if !has_items(&into.instructions) {
            into.instructions_as_text = draft.instructions_as_text;
        }
        fill! {
            title: "title", Option::is_none;
            authors: "submitter", Vec::is_empty;
            description: "description", Option::is_none;
            image: "image", Option::is_none;
            ingredients: "ingredients", |s: &Vec<_>| !has_items(s);
            instructions: "instructions", |s: &Vec<_>| !has_items(s);
            yields: "yields", Option::is_none;
            calories: "calories", Option::is_none;
            nutrition: "nutrition", |n: &Nutrition| *n == Nutrition::default();
            rating: "rating", Option::is_none;
            category: "category", Vec::is_empty;
            cuisine: "cuisine", Vec::is_empty;
            language: "language", Option::is_none;
            published_at: "published_at", Option::is_none;
            url: "url", Option::is_none;
        }
        // The times belong together: one source's total with another's parts would not add up.
        let untimed = into.prep_time.is_none() && into.cook_time.is_none() && into.total_time.is_none();
        if untimed && (draft.prep_time.is_some() || draft.cook_time.is_some() || draft.total_time.is_some()) {
            into.prep_time = draft.prep_time;
            into.cook_time = draft.cook_time;
            into.total_time = draft.total_time.or_else(|| sum(draft.prep_time, draft.cook_time));
            sources.insert("total_time", source);
        }
    }

    /// Puts the times that the page shows in the place of those known, where it shows any.
    pub fn retime(&mut self, source: Source, page: &Draft) {
        if let Some(total) = page.total_time.or_else(|| sum(page.prep_time, page.cook_time)) {
            (self.draft.prep_time, self.draft.cook_time) = (page.prep_time, page.cook_time);
            self.draft.total_time = Some(total);
            self.sources.insert("total_time", source);
        }
    }

    /// Puts the page's own lists in the place of spoilt ones; see [`crate::doubt`].
    pub fn mend(&mut self, source: Source, page: &Draft) {
        let (ingredients, instructions) = doubt::replace(&mut self.draft, page);
        if ingredients {
            self.sources.insert("ingredients", source);
        }
        if instructions {
            self.sources.insert("instructions", source);
        }
    }

    /// The source of most of the recipe: where its ingredients came from, or its steps, or its title.
    pub fn main_source(&self) -> Option<Source> {
        ["ingredients", "instructions", "title"].iter().find_map(|field| self.sources.get(field)).copied()
    }
}

/// Preparing and cooking, where at least one is known.
fn sum(prep: Option<u32>, cook: Option<u32>) -> Option<u32> {
    match (prep, cook) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_comes_from_the_best_source_that_has_it() {
        let text = |t: &str| Some(t.to_owned());
        let meta = Draft { title: text("Meta"), description: text("d"), ..Draft::default() };
        let json = Draft { title: text("Json"), prep_time: Some(5), cook_time: Some(10), ..Draft::default() };
        let rule = Draft { total_time: Some(99), calories: Some(3.0), ..Draft::default() };
        let merged = Merged::of(vec![(Source::Meta, meta), (Source::Selectors, rule), (Source::JsonLd, json)]);
        assert_eq!(merged.draft.title.as_deref(), Some("Json"));
        assert_eq!(merged.draft.description.as_deref(), Some("d"));
        assert_eq!(merged.draft.total_time, Some(15));
        assert_eq!(merged.draft.calories, Some(3.0));
        assert_eq!(merged.sources["calories"], Source::Selectors);
        assert_eq!(merged.sources["description"], Source::Meta);
    }
}
