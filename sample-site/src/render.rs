//! Turns content into HTML, XML and JSON-LD.

use encoding_rs::Encoding;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;
use serde_json::json;

use crate::catalog::{Markup, Page, Private, Recipe, Shape, path};

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../templates/base.html")),
    ("list.html", include_str!("../templates/list.html")),
    ("page.html", include_str!("../templates/page.html")),
    ("recipe_json_ld.html", include_str!("../templates/recipe_json_ld.html")),
    ("recipe_microdata.html", include_str!("../templates/recipe_microdata.html")),
    ("recipe_plain.html", include_str!("../templates/recipe_plain.html")),
    ("sitemap_index.xml", include_str!("../templates/sitemap_index.xml")),
    ("sitemap.xml", include_str!("../templates/sitemap.xml")),
    ("feed.xml", include_str!("../templates/feed.xml")),
    ("robots.txt", include_str!("../templates/robots.txt")),
];

/// One entry of a list page, sitemap or feed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// Path of the page.
    pub path: String,
    /// Title of the page.
    pub title: String,
    /// A sentence about it.
    pub description: String,
    /// Who sent it in; empty for pages that are no recipes.
    pub submitter: String,
    /// Date of the last change, `YYYY-MM-DD`.
    pub lastmod: Option<String>,
    /// Date of publication as RFC 2822 writes it.
    pub date: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct List<'a> {
    /// Heading and title.
    pub heading: &'a str,
    /// The entries of this page.
    pub cards: &'a [Entry],
    /// Number of this page, from 1.
    pub page: usize,
    /// Number of pages.
    pub pages: usize,
    /// Path of the next page.
    pub next: Option<String>,
    /// Path of the previous page.
    pub previous: Option<String>,
}

/// The templates, ready to use.
pub(crate) struct Renderer {
    templates: Environment<'static>,
    categories: Vec<String>,
}

impl Renderer {
    /// Compiles the templates.
    pub fn new(categories: Vec<String>) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        Ok(Self { templates, categories })
    }

    /// A recipe's page in its own encoding; `later` is the page of the second visit and after.
    pub fn recipe(&self, base: &str, recipe: &Recipe, later: bool) -> Result<Vec<u8>, minijinja::Error> {
        let mut recipe = recipe.clone();
        if let Some(change) = recipe.later.take().filter(|_| later) {
            recipe.calories = Some(change.calories);
            recipe.description = change.description;
            recipe.modified = Some(change.modified);
        }
        let canonical = format!("{base}{}", path(&recipe.slug));
        let template = match recipe.markup {
            Markup::JsonLd => "recipe_json_ld.html",
            Markup::Microdata => "recipe_microdata.html",
            Markup::Plain => "recipe_plain.html",
        };
        let text = self.templates.get_template(template)?.render(context! {
            title => &recipe.title,
            language => &recipe.language,
            charset => &recipe.charset,
            categories => &self.categories,
            calories => &recipe.calories,
            json_ld => json_ld(&recipe, &canonical),
            recipe => Serde(Fields::of(&recipe)),
            canonical,
        })?;
        let encoding = Encoding::for_label(recipe.charset.as_bytes()).unwrap_or(encoding_rs::UTF_8);
        Ok(encoding.encode(&text).0.into_owned())
    }

    /// A page that is no recipe.
    pub fn page(&self, base: &str, page: &Page) -> Result<String, minijinja::Error> {
        if page.bare {
            return Ok(page.body.clone());
        }
        let canonical = format!("{base}{}", path(&page.slug));
        let frame = context! { title => &page.title, head => &page.head, body => &page.body, categories => &self.categories, canonical };
        self.templates.get_template("page.html")?.render(frame)
    }

    /// A page crawlers are asked to stay away from.
    pub fn private(&self, private: &Private) -> Result<String, minijinja::Error> {
        let body = format!("<h1>{}</h1><p>If a crawler sent you here, it did not read robots.txt.</p>", private.title);
        let frame = context! { title => &private.title, head => "", body, categories => &self.categories };
        self.templates.get_template("page.html")?.render(frame)
    }

    /// A list page.
    pub fn list(&self, list: &List<'_>) -> Result<String, minijinja::Error> {
        let frame = context! { title => list.heading, categories => &self.categories, ..Value::from(Serde(list)) };
        self.templates.get_template("list.html")?.render(frame)
    }

    /// One of the files for crawlers: `robots.txt`, `sitemap_index.xml`, `sitemap.xml`, `feed.xml`.
    pub fn crawler_file(&self, name: &str, base: &str, entries: &[Entry]) -> Result<String, minijinja::Error> {
        let lastmod = entries.iter().filter_map(|entry| entry.lastmod.as_deref()).max();
        self.templates.get_template(name)?.render(context! { base, lastmod, entries => Value::from(Serde(entries)) })
    }
}

/// What the templates read of a recipe.
#[derive(Serialize)]
struct Fields<'a> {
    title: &'a str,
    submitter: &'a str,
    description: &'a str,
    cuisine: &'a str,
    category: &'a str,
    servings: u32,
    prep: u32,
    cook: u32,
    published: &'a str,
    ingredients: &'a [String],
    steps: &'a [String],
}

impl<'a> Fields<'a> {
    fn of(recipe: &'a Recipe) -> Self {
        Self {
            title: &recipe.title,
            submitter: &recipe.submitter,
            description: &recipe.description,
            cuisine: &recipe.cuisine,
            category: &recipe.category,
            servings: recipe.servings,
            prep: recipe.prep,
            cook: recipe.cook,
            published: &recipe.published,
            ingredients: &recipe.ingredients,
            steps: &recipe.steps,
        }
    }
}

/// The recipe as schema.org JSON-LD in its shape, with `</` escaped so that no text can close the script element.
fn json_ld(recipe: &Recipe, canonical: &str) -> String {
    let person = json!({ "@type": "Person", "name": recipe.submitter });
    let steps: Vec<serde_json::Value> =
        recipe.steps.iter().map(|step| json!({ "@type": "HowToStep", "text": step })).collect();
    let mut node = json!({
        "@type": "Recipe",
        "name": recipe.title,
        "author": person,
        "description": recipe.description,
        "inLanguage": recipe.language,
        "url": canonical,
        "datePublished": recipe.published,
        "dateModified": recipe.changed_on(false),
        "recipeCategory": recipe.category,
        "recipeCuisine": recipe.cuisine,
        "recipeYield": format!("{} servings", recipe.servings),
        "prepTime": format!("PT{}M", recipe.prep),
        "cookTime": format!("PT{}M", recipe.cook),
        "totalTime": format!("PT{}M", recipe.prep + recipe.cook),
        "recipeIngredient": recipe.ingredients,
        "recipeInstructions": steps,
    });
    if let Some(calories) = &recipe.calories {
        node["nutrition"] = json!({ "@type": "NutritionInformation", "calories": calories });
    }
    let block = match recipe.shape {
        Shape::Object => {
            node["@context"] = "https://schema.org".into();
            node
        }
        Shape::Graph => {
            let author = format!("{canonical}#author");
            node["author"] = json!({ "@id": author });
            let site = json!({ "@type": "WebSite", "name": "The Sample Spoon" });
            let page = json!({ "@type": "WebPage", "@id": canonical, "name": recipe.title });
            let person = json!({ "@type": "Person", "@id": author, "name": recipe.submitter });
            json!({ "@context": "https://schema.org", "@graph": [site, page, person, node] })
        }
        Shape::List => {
            node["@context"] = "http://schema.org/".into();
            node["@type"] = json!(["Recipe", "NewsArticle"]);
            node["recipeInstructions"] = recipe.steps.join("\n").into();
            let trail = json!({ "@context": "http://schema.org/", "@type": "BreadcrumbList", "itemListElement": [] });
            json!([trail, node])
        }
    };
    block.to_string().replace("</", "<\\/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    #[test]
    fn every_page_renders_and_keeps_its_title() {
        let catalog = Catalog::embedded().unwrap();
        let renderer = Renderer::new(Vec::new()).unwrap();
        for recipe in &catalog.recipes {
            let bytes = renderer.recipe("http://site", recipe, false).unwrap();
            let encoding = Encoding::for_label(recipe.charset.as_bytes()).unwrap();
            let text = encoding.decode(&bytes).0;
            let word = recipe.title.split(' ').next().unwrap();
            assert!(text.contains(word), "{}", recipe.slug);
            assert!(text.contains(&format!("http://site/recipe/{}/", recipe.slug)));
        }
    }

    #[test]
    fn json_ld_parses_in_every_shape_and_cannot_close_its_script() {
        let catalog = Catalog::embedded().unwrap();
        let mut recipe = catalog.recipes.iter().find(|recipe| recipe.markup == Markup::JsonLd).unwrap().clone();
        recipe.description = "</script><script>alert(1)</script>".into();
        for shape in [Shape::Object, Shape::Graph, Shape::List] {
            recipe.shape = shape;
            let text = json_ld(&recipe, "http://site/recipe/x/");
            assert!(!text.contains("</script"), "{text}");
            assert!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string().contains("HowToStep")
                    || shape == Shape::List
            );
        }
    }

    #[test]
    fn a_page_changes_after_the_first_visit() {
        let catalog = Catalog::embedded().unwrap();
        let renderer = Renderer::new(Vec::new()).unwrap();
        let recipe = catalog.recipes.iter().find(|recipe| recipe.later.is_some()).unwrap();
        let text = |later| String::from_utf8(renderer.recipe("", recipe, later).unwrap()).unwrap();
        assert!(text(false).contains(recipe.calories.as_deref().unwrap()));
        assert!(text(true).contains(&recipe.later.as_ref().unwrap().calories));
        assert!(!text(true).contains(recipe.calories.as_deref().unwrap()));
    }
}
