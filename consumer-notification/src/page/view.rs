//! HTML from templates. What comes from recipes is escaped by the engine: every template ends in `.html`.

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::json;

use crate::page::feed::Snapshot;

/// The compiled templates.
pub(crate) struct Views {
    templates: Environment<'static>,
}

const TEMPLATES: [(&str, &str); 4] = [
    ("page.html", include_str!("../../templates/page.html")),
    ("alerts.html", include_str!("../../templates/alerts.html")),
    ("recipes.html", include_str!("../../templates/recipes.html")),
    ("dead.html", include_str!("../../templates/dead.html")),
];

impl Views {
    pub(crate) fn new() -> Self {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            if let Err(error) = templates.add_template(name, source) {
                // A test renders every template, so that this is never seen in a build that passed.
                tracing::error!(name, %error, "template refused");
            }
        }
        Self { templates }
    }

    /// The whole page.
    pub(crate) fn page(&self, snapshot: &Snapshot) -> String {
        self.render("page.html", snapshot)
    }

    /// An update for the script: new entries as HTML, and the numbers.
    pub(crate) fn update(&self, news: &Snapshot) -> String {
        let update = json!({
            "alerts": self.render("alerts.html", news),
            "recipes": self.render("recipes.html", news),
            "dead": self.render("dead.html", news),
            "stats": news.stats,
        });
        update.to_string()
    }

    fn render(&self, name: &str, snapshot: &Snapshot) -> String {
        let rendered = self.templates.get_template(name).and_then(|template| template.render(Serde(snapshot)));
        rendered.unwrap_or_else(|error| {
            tracing::error!(name, %error, "page not rendered");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use recipes::{ParsedRecipe, topics};
    use service_kit::kafka::{Place, Record};

    use super::*;
    use crate::page::feed::Feed;
    use crate::rules::Rule;

    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}";

    fn feed(title: &str, url: &str) -> Snapshot {
        let feed = Feed::new(200.0);
        let recipe = ParsedRecipe {
            title: title.to_owned(),
            site: title.to_owned(),
            url: url.to_owned(),
            calories: Some(310.0),
            ..ParsedRecipe::default()
        };
        let alert = Rule::calories_above(200.0).unwrap().alert(
            recipes::Alert::id("r", url, 0, 0, 0),
            &recipe,
            url,
            None,
            time::OffsetDateTime::now_utc(),
        );
        let record = |topic: &str, value: Vec<u8>| Record {
            place: Place::new(topic, 0),
            offset: 0,
            timestamp_ms: 0,
            key: Some(title.as_bytes().to_vec()),
            value: Some(value),
            headers: vec![("dead.reason".to_owned(), title.as_bytes().to_vec())],
        };
        feed.take(&record(topics::PARSED_RECIPES, recipe.to_json().unwrap()));
        feed.take(&record(topics::RECIPE_ALERTS, alert.to_json().unwrap()));
        feed.take(&record("raw_recipes.dead", title.as_bytes().to_vec()));
        feed.since(0, 10)
    }

    #[test]
    fn a_hostile_recipe_is_text_and_nothing_else() {
        let (views, snapshot) = (Views::new(), feed(HOSTILE, "https://a.example/\"onmouseover=alert(1)"));
        let update: serde_json::Value = serde_json::from_str(&views.update(&snapshot)).unwrap();
        let parts = ["alerts", "recipes", "dead"].map(|list| update[list].as_str().unwrap().to_owned());
        for html in parts.iter().chain([&views.page(&snapshot)]) {
            assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"), "{html}");
            assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{html}");
            assert!(!html.contains("\"onmouseover") && html.contains("{{ 7*7 }}"), "{html}");
        }
    }

    #[test]
    fn every_entry_is_on_the_page_without_a_script() {
        let html = Views::new().page(&feed("Plum pie", "https://a.example/pie"));
        assert!(html.matches("Plum pie").count() >= 3, "{html}");
        assert!(html.contains("href=\"https:&#x2f;&#x2f;a.example&#x2f;pie\""), "{html}");
        assert!(!html.contains("style=") && !html.contains(" onclick"), "nothing inline: the policy forbids it");
    }

    #[test]
    fn a_page_without_content_is_whole() {
        let html = Views::new().page(&Feed::new(200.0).since(0, 10));
        assert!(html.contains("</html>") && html.contains("No alerts yet"), "{html}");
    }
}
