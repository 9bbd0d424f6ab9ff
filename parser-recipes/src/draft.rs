//! What one source says about a recipe, before sources are merged.

use recipes::{Nutrition, Rating};
use time::OffsetDateTime;

use crate::values::Yield;

/// Ingredients or steps under a common heading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The heading, where there is one.
    pub name: Option<String>,
    /// The lines below it, in the page's order.
    pub items: Vec<String>,
}

/// What one source says. Empty and absent mean that it does not say.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of recipes::ParsedRecipe")]
pub struct Draft {
    pub title: Option<String>,
    pub authors: Vec<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub ingredients: Vec<Section>,
    /// Whether items of the list held several lines each: a plugin cut the list in the wrong places.
    pub ingredients_spoilt: bool,
    pub instructions: Vec<Section>,
    /// Whether the steps came as one text, which a program or a person cut: a list of one step is one step.
    pub instructions_as_text: bool,
    pub yields: Option<Yield>,
    /// Minutes.
    pub prep_time: Option<u32>,
    /// Minutes.
    pub cook_time: Option<u32>,
    /// Minutes.
    pub total_time: Option<u32>,
    /// kcal a serving.
    pub calories: Option<f64>,
    pub nutrition: Nutrition,
    pub rating: Option<Rating>,
    pub category: Vec<String>,
    pub cuisine: Vec<String>,
    pub language: Option<String>,
    pub published_at: Option<OffsetDateTime>,
    /// Where the source says the recipe lives; tells several recipes of a page apart.
    pub url: Option<String>,
}

impl Draft {
    /// Whether it could stand as a recipe by itself.
    pub fn is_recipe(&self) -> bool {
        self.title.is_some() && (has_items(&self.ingredients) || has_items(&self.instructions))
    }

    /// Ingredients without their headings, in order.
    pub fn ingredient_lines(&self) -> impl Iterator<Item = &str> {
        self.ingredients.iter().flat_map(|s| &s.items).map(String::as_str)
    }

    /// Steps in order, each section's heading as a line of its own before them.
    pub fn instruction_lines(&self) -> impl Iterator<Item = &str> {
        self.instructions.iter().flat_map(|s| s.name.iter().chain(&s.items)).map(String::as_str)
    }

    /// How many of the fields that readers ask for are there; to choose between recipes of one page.
    pub fn weight(&self) -> usize {
        let lists = [has_items(&self.ingredients), has_items(&self.instructions)];
        let rest = [
            self.title.is_some(),
            !self.authors.is_empty(),
            self.yields.is_some(),
            self.total_time.is_some(),
            self.calories.is_some(),
            self.description.is_some(),
        ];
        lists.iter().filter(|b| **b).count() * 10 + rest.iter().filter(|b| **b).count()
    }
}

/// Whether any section has an item.
pub fn has_items(sections: &[Section]) -> bool {
    sections.iter().any(|s| !s.items.is_empty())
}

/// The items as one section without a heading.
pub fn one_section(items: Vec<String>) -> Vec<Section> {
    if items.is_empty() { Vec::new() } else { vec![Section { name: None, items }] }
}
