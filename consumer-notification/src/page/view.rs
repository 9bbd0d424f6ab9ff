//! HTML from templates. What comes from recipes is escaped by the engine: every template ends in `.html`.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde_json::json;

use crate::page::feed::{Filter, Snapshot};

/// The compiled templates.
pub(crate) struct Views {
    templates: Environment<'static>,
}

const TEMPLATES: [(&str, &str); 11] = [
    ("head.html", include_str!("../../templates/head.html")),
    ("page.html", include_str!("../../templates/page.html")),
    ("alerts.html", include_str!("../../templates/alerts.html")),
    ("recipes.html", include_str!("../../templates/recipes.html")),
    ("dead.html", include_str!("../../templates/dead.html")),
    ("sites.html", include_str!("../../templates/sites.html")),
    ("sources.html", include_str!("../../templates/sources.html")),
    ("groups.html", include_str!("../../templates/groups.html")),
    ("recipe.html", include_str!("../../templates/recipe.html")),
    ("letter.html", include_str!("../../templates/letter.html")),
    ("alerts.xml", include_str!("../../templates/alerts.xml")),
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
    pub(crate) fn page(&self, snapshot: &Snapshot, filter: &Filter, lags: &Lags) -> String {
        let values = context! {
            q => &filter.q, severity => &filter.severity, groups => groups(lags), ..Serde(snapshot)
        };
        self.page_of("page.html", values)
    }

    /// A page of its own.
    pub(crate) fn page_of(&self, name: &str, values: minijinja::Value) -> String {
        self.rendered(name, self.templates.get_template(name).and_then(|template| template.render(values)))
    }

    /// An update for the script: new entries as HTML, and the numbers.
    pub(crate) fn update(&self, news: &Snapshot, lags: &Lags) -> String {
        let update = json!({
            "alerts": self.render("alerts.html", news),
            "recipes": self.render("recipes.html", news),
            "dead": self.render("dead.html", news),
            "sites": self.render("sites.html", news),
            "sources": self.render("sources.html", news),
            "groups": self.page_of("groups.html", context! { groups => groups(lags) }),
            "stats": news.stats,
        });
        update.to_string()
    }

    fn render(&self, name: &str, snapshot: &Snapshot) -> String {
        self.rendered(name, self.templates.get_template(name).and_then(|template| template.render(Serde(snapshot))))
    }

    fn rendered(&self, name: &str, rendered: Result<String, minijinja::Error>) -> String {
        rendered.unwrap_or_else(|error| {
            tracing::error!(name, %error, "page not rendered");
            String::new()
        })
    }
}

/// Each group's lag.
pub(crate) type Lags = BTreeMap<String, Option<u64>>;

fn groups(lags: &Lags) -> Vec<minijinja::Value> {
    lags.iter().map(|(name, lag)| context! { name, lag }).collect()
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
        let failure = recipes::SourceFailure { url: title.to_owned(), reason: title.to_owned() };
        let report = recipes::SourceReport {
            source: title.to_owned(),
            address: title.to_owned(),
            failures: [(title.to_owned(), 1)].into(),
            last_failure: Some(failure),
            ..recipes::SourceReport::default()
        };
        feed.take(&record(topics::CRAWL_SOURCES, report.to_json().unwrap()));
        let stats = recipes::SiteStats::new(title, time::OffsetDateTime::now_utc());
        feed.take(&record(topics::RECIPE_STATS, stats.to_json().unwrap()));
        feed.since(0, 10)
    }

    fn lags() -> Lags {
        BTreeMap::from([("consumer-notification".to_owned(), Some(3)), ("alerts-log".to_owned(), None)])
    }

    fn page(views: &Views, snapshot: &Snapshot) -> String {
        views.page(snapshot, &Filter { q: HOSTILE.to_owned(), severity: HOSTILE.to_owned() }, &lags())
    }

    #[test]
    fn pages_of_their_own_escape_too() {
        let views = Views::new();
        let recipe = ParsedRecipe {
            title: HOSTILE.to_owned(),
            description: Some(HOSTILE.to_owned()),
            ingredients: vec![HOSTILE.to_owned()],
            category: vec![HOSTILE.to_owned()],
            ..ParsedRecipe::default()
        };
        let history = [context! { at => HOSTILE, what => HOSTILE }];
        let pages = [
            views.page_of("recipe.html", context! { recipe => Serde(&recipe), history, link => "https://a.example/" }),
            views.page_of(
                "letter.html",
                context! {
                    letter => context! { topic => HOSTILE, partition => 0, offset => 1 }, reason => HOSTILE, key => HOSTILE,
                    headers => [(HOSTILE, HOSTILE)], value => HOSTILE, bytes => 1, group => HOSTILE, origin => HOSTILE,
                    admin => true,
                },
            ),
            views.page_of(
                "alerts.xml",
                context! { base => "http://x", alerts => Serde(&feed(HOSTILE, "https://a.example/").alerts) },
            ),
        ];
        for page in pages {
            assert!(
                page.contains("&lt;script&gt;") && !page.contains("<script>") && !page.contains("<img src=x"),
                "{page}"
            );
        }
    }

    #[test]
    fn a_hostile_recipe_is_text_and_nothing_else() {
        let (views, snapshot) = (Views::new(), feed(HOSTILE, "https://a.example/\"onmouseover=alert(1)"));
        let update: serde_json::Value = serde_json::from_str(&views.update(&snapshot, &lags())).unwrap();
        let parts =
            ["alerts", "recipes", "dead", "sites", "sources"].map(|list| update[list].as_str().unwrap().to_owned());
        for html in parts.iter().chain([&page(&views, &snapshot)]) {
            assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"), "{html}");
            assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{html}");
            assert!(!html.contains("\"onmouseover") && html.contains("{{ 7*7 }}"), "{html}");
        }
    }

    #[test]
    fn every_entry_is_on_the_page_without_a_script() {
        let html = page(&Views::new(), &feed("Plum pie", "https://a.example/pie"));
        assert!(html.matches("Plum pie").count() >= 3, "{html}");
        assert!(html.contains("href=\"/recipe?key=https%3A"), "{html}");
        assert!(!html.contains("style=") && !html.contains(" onclick"), "nothing inline: the policy forbids it");
    }

    #[test]
    fn an_alert_about_a_site_is_its_message_and_leads_to_no_recipe() {
        let feed = Feed::new(200.0);
        let rule = Rule::calories_above(200.0).unwrap();
        let numbers = crate::stats::window::SiteNumbers::PROBE;
        let alert = rule.site_alert(uuid::Uuid::nil(), HOSTILE, &numbers, time::OffsetDateTime::now_utc());
        let place = Place::new(topics::RECIPE_ALERTS, 0);
        let value = Some(alert.to_json().unwrap());
        feed.take(&Record { place, offset: 0, timestamp_ms: 0, key: None, value, headers: Vec::new() });
        let html = page(&Views::new(), &feed.since(0, 10));
        assert!(html.contains("calories (1 alerts, 1 recipes, 1 failures in the last hour)"), "{html}");
        assert!(!html.contains("/recipe?key=") && !html.contains("<script>alert"), "{html}");
    }

    #[test]
    fn a_page_without_content_is_whole() {
        let html = page(&Views::new(), &Feed::new(200.0).since(0, 10));
        assert!(html.contains("</html>") && html.contains("No alerts yet"), "{html}");
    }
}
