//! The site's content: recipes and the pages that are none, read from the TOML files embedded in the binary.
//!
//! Each page records what the pipeline should make of it, so that tests can check the accounting:
//! `alert + below + no-calories + dead-letter = pages`.

use serde::Deserialize;

/// The content files, one for each markup. Editing a page means editing one of these.
const JSON_LD: &str = include_str!("../data/json-ld.toml");
const MICRODATA: &str = include_str!("../data/microdata.toml");
const PLAIN: &str = include_str!("../data/plain.toml");
const BROKEN: &str = include_str!("../data/broken.toml");

/// What the pipeline should do with a page at the default threshold of 200 kcal a serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// More than 200 kcal: one alert.
    Alert,
    /// A recipe with 200 kcal or less.
    Below,
    /// A recipe that does not say its calories. It never alerts.
    NoCalories,
    /// No recipe at all: a dead letter with a reason.
    DeadLetter,
}

/// How a recipe is marked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// schema.org JSON-LD in a script element.
    JsonLd,
    /// schema.org microdata attributes.
    Microdata,
    /// The class names of recipe sites of 2018, without structured data.
    Plain,
}

/// Where in its JSON-LD block a recipe stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The block is the recipe.
    #[default]
    Object,
    /// The recipe is one node of an `@graph`, its author another one, by `@id`.
    Graph,
    /// The block is an array, and the recipe's `@type` is an array too.
    List,
}

/// What changes on a page that changes between visits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Later {
    /// The calories as the later page says them.
    pub calories: String,
    /// The number of kcal a reader should make of it.
    pub kcal: u32,
    /// What the pipeline should do with the later page.
    pub outcome: Outcome,
    /// The description of the later page.
    pub description: String,
    /// Date of the change, `YYYY-MM-DD`.
    pub modified: String,
}

/// One recipe page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Last part of the page's path.
    pub slug: String,
    /// Name of the dish.
    pub title: String,
    /// Who sent the recipe in.
    pub submitter: String,
    /// A sentence or two about it.
    pub description: String,
    /// The calories as the page says them; absent where the page says nothing.
    pub calories: Option<String>,
    /// The number of kcal a serving that a reader should make of it.
    pub kcal: Option<u32>,
    /// What the pipeline should do with the page on the first visit.
    pub outcome: Outcome,
    /// BCP 47 language of the text.
    #[serde(default = "english")]
    pub language: String,
    /// Character encoding the page is served in.
    #[serde(default = "utf_8")]
    pub charset: String,
    /// Where in the JSON-LD block the recipe stands.
    #[serde(default)]
    pub shape: Shape,
    /// One of the site's categories.
    pub category: String,
    /// The cuisine.
    pub cuisine: String,
    /// Servings.
    pub servings: u32,
    /// Preparation, minutes.
    pub prep: u32,
    /// Cooking, minutes.
    pub cook: u32,
    /// Date of publication, `YYYY-MM-DD`.
    pub published: String,
    /// Date of the last change before the first visit, `YYYY-MM-DD`.
    pub modified: Option<String>,
    /// Ingredient lines.
    pub ingredients: Vec<String>,
    /// Steps.
    pub steps: Vec<String>,
    /// What the page says from the second visit on.
    pub later: Option<Later>,
    /// The markup, by the file the recipe stands in.
    #[serde(skip, default = "json_ld")]
    pub markup: Markup,
}

impl Recipe {
    /// Date of the last change, `YYYY-MM-DD`, on the first visit or (`later`) after it.
    pub fn changed_on(&self, later: bool) -> &str {
        match &self.later {
            Some(change) if later => &change.modified,
            _ => self.modified.as_deref().unwrap_or(&self.published),
        }
    }
}

/// A page that is no recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Last part of the page's path.
    pub slug: String,
    /// Title of the page.
    pub title: String,
    /// Markup for the head element.
    #[serde(default)]
    pub head: String,
    /// Markup for the main element, or with `bare` the whole document.
    pub body: String,
    /// Whether the list pages link to it; the sitemap names it in either case.
    #[serde(default)]
    pub listed: bool,
    /// Served as it is, without the site's frame.
    #[serde(default)]
    pub bare: bool,
}

/// A page that robots.txt keeps crawlers out of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Private {
    /// Last part of the page's path.
    pub slug: String,
    /// Title of the page.
    pub title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeFile {
    recipe: Vec<Recipe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokenFile {
    page: Vec<Page>,
    private: Vec<Private>,
}

/// Everything the site serves.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Recipes, in the order of the files.
    pub recipes: Vec<Recipe>,
    /// Pages that are no recipes.
    pub pages: Vec<Page>,
    /// Pages robots.txt forbids.
    pub private: Vec<Private>,
}

impl Catalog {
    /// Reads the embedded content.
    ///
    /// # Errors
    /// When an embedded file is not what it should be, which the crate's tests rule out.
    pub fn embedded() -> Result<Self, toml::de::Error> {
        let mut recipes = Vec::new();
        for (text, markup) in [(PLAIN, Markup::Plain), (JSON_LD, Markup::JsonLd), (MICRODATA, Markup::Microdata)] {
            let file: RecipeFile = toml::from_str(text)?;
            recipes.extend(file.recipe.into_iter().map(|recipe| Recipe { markup, ..recipe }));
        }
        let BrokenFile { page, private } = toml::from_str(BROKEN)?;
        Ok(Self { recipes, pages: page, private })
    }

    /// Every page a crawler may fetch and publish: its path and what should come of it on the first visit.
    pub fn expected(&self) -> impl Iterator<Item = (String, Outcome)> + '_ {
        let recipes = self.recipes.iter().map(|recipe| (path(&recipe.slug), recipe.outcome));
        recipes.chain(self.pages.iter().map(|page| (path(&page.slug), Outcome::DeadLetter)))
    }

    /// The categories in use, each once, in order of appearance.
    pub fn categories(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for recipe in &self.recipes {
            if !names.contains(&recipe.category.as_str()) {
                names.push(&recipe.category);
            }
        }
        names
    }
}

/// The path of a page.
pub fn path(slug: &str) -> String {
    format!("/recipe/{slug}/")
}

fn english() -> String {
    "en".into()
}

fn utf_8() -> String {
    "utf-8".into()
}

fn json_ld() -> Markup {
    Markup::JsonLd
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn content_is_complete_and_says_what_should_come_of_it() {
        let catalog = Catalog::embedded().unwrap();
        assert!(catalog.recipes.len() >= 40, "{} recipes", catalog.recipes.len());
        for recipe in &catalog.recipes {
            let slug = &recipe.slug;
            let expected = match recipe.kcal {
                None => Outcome::NoCalories,
                Some(kcal) if kcal > 200 => Outcome::Alert,
                Some(_) => Outcome::Below,
            };
            assert_eq!(recipe.outcome, expected, "{slug}");
            assert_eq!(recipe.kcal.is_some(), recipe.calories.is_some(), "{slug}");
            assert!(recipe.ingredients.len() >= 3 && recipe.steps.len() >= 3, "{slug}");
        }
    }

    #[test]
    fn every_page_has_its_own_path() {
        let catalog = Catalog::embedded().unwrap();
        let paths: HashSet<String> = catalog.expected().map(|(path, _)| path).collect();
        assert_eq!(paths.len(), catalog.expected().count());
    }

    #[test]
    fn all_markups_outcomes_and_a_crossing_are_there() {
        let catalog = Catalog::embedded().unwrap();
        for markup in [Markup::JsonLd, Markup::Microdata, Markup::Plain] {
            assert!(catalog.recipes.iter().filter(|recipe| recipe.markup == markup).count() > 9);
        }
        for outcome in [Outcome::Alert, Outcome::Below, Outcome::NoCalories, Outcome::DeadLetter] {
            assert!(catalog.expected().any(|(_, page)| page == outcome), "{outcome:?}");
        }
        let crossing = |recipe: &Recipe| {
            let later = recipe.later.as_ref().map(|later| later.outcome);
            recipe.outcome == Outcome::Below && later == Some(Outcome::Alert)
        };
        assert!(catalog.recipes.iter().any(crossing));
    }
}
