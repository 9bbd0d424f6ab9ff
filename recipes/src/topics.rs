//! Topic names, and the settings a topic is made with when it is missing.

/// URLs to visit and what is known of each; compacted.
pub const CRAWL_URLS: &str = "crawl_urls";
/// What each producer tells of each source; compacted, and forgotten after a day.
pub const CRAWL_SOURCES: &str = "crawl_sources";
/// Pages as fetched.
pub const RAW_RECIPES: &str = "raw_recipes";
/// [`dead`]`(`[`RAW_RECIPES`]`)`: pages that are no recipes, and URLs that cannot be fetched.
pub const RAW_RECIPES_DEAD: &str = "raw_recipes.dead";
/// Recipes as JSON.
pub const PARSED_RECIPES: &str = "parsed_recipes";
/// Last verdict of each rule on each recipe; compacted, and partitioned as [`PARSED_RECIPES`].
pub const ALERT_STATE: &str = "alert_state";
/// Last verdict of each rule per site on each site; compacted, and partitioned as [`SITE_EVENTS`].
pub const SITE_ALERT_STATE: &str = "site_alert_state";
/// Alerts, one a crossing.
pub const RECIPE_ALERTS: &str = "recipe_alerts";
/// What happens on each site, keyed by site; kept for a day.
pub const SITE_EVENTS: &str = "site_events";
/// Statistics of each site and hour; compacted, kept for a week, and partitioned as [`SITE_EVENTS`].
pub const RECIPE_STATS: &str = "recipe_stats";
/// What a dead-letter topic's name ends with.
pub const DEAD_SUFFIX: &str = ".dead";

/// Largest record of [`RAW_RECIPES`], in bytes: a page of 10 MB with its headers.
pub const MAX_PAGE_RECORD_BYTES: usize = 10 * 1024 * 1024 + 64 * 1024;
/// Largest page body that goes into [`RAW_RECIPES`], in bytes.
pub const MAX_PAGE_BYTES: usize = 10 * 1024 * 1024;

const DAY_MS: u64 = 86_400_000;

/// Name of the topic that takes what could not be processed from `topic`.
#[must_use]
pub fn dead(topic: &str) -> String {
    format!("{topic}{DEAD_SUFFIX}")
}

/// A topic as it is made when it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic's name.
    pub name: String,
    /// Topic settings under Kafka's names.
    pub config: Vec<(&'static str, String)>,
}

impl TopicSpec {
    /// The spec of one of the pipeline's topics, of its dead-letter topic, or of any other (Kafka's defaults).
    #[must_use]
    pub fn of(name: &str) -> Self {
        let original = name.strip_suffix(DEAD_SUFFIX).unwrap_or(name);
        let mut config = Vec::new();
        if original == RAW_RECIPES {
            config.push(("max.message.bytes", MAX_PAGE_RECORD_BYTES.to_string()));
        }
        if matches!(name, CRAWL_URLS | ALERT_STATE | SITE_ALERT_STATE) {
            config.push(("cleanup.policy", "compact".to_owned()));
        }
        match name {
            SITE_EVENTS => config.push(("retention.ms", DAY_MS.to_string())),
            RECIPE_STATS | CRAWL_SOURCES => {
                let days = if name == RECIPE_STATS { 7 } else { 1 };
                config.push(("cleanup.policy", "compact,delete".to_owned()));
                config.push(("retention.ms", (days * DAY_MS).to_string()));
            }
            _ => {}
        }
        Self { name: name.to_owned(), config }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_pages_and_their_dead_letters_may_have_ten_megabytes() {
        for topic in [RAW_RECIPES.to_owned(), dead(RAW_RECIPES)] {
            let spec = TopicSpec::of(&topic);
            assert_eq!(spec.config, [("max.message.bytes", MAX_PAGE_RECORD_BYTES.to_string())]);
        }
    }

    #[test]
    fn statistics_are_kept_for_a_time() {
        let kept = |name: &str| {
            TopicSpec::of(name).config.iter().find(|(key, _)| *key == "retention.ms").map(|(_, value)| value.clone())
        };
        assert_eq!(kept(SITE_EVENTS).as_deref(), Some("86400000"));
        assert_eq!(kept(RECIPE_STATS).as_deref(), Some("604800000"));
        assert_eq!(kept(CRAWL_SOURCES).as_deref(), Some("86400000"));
        assert_eq!(dead(RAW_RECIPES), RAW_RECIPES_DEAD);
    }

    #[test]
    fn tables_are_compacted_and_streams_are_not() {
        let compacted =
            |name: &str| TopicSpec::of(name).config.iter().any(|(k, v)| (*k, &**v) == ("cleanup.policy", "compact"));
        assert!(compacted(CRAWL_URLS) && compacted(ALERT_STATE) && compacted(SITE_ALERT_STATE));
        assert!(!compacted(PARSED_RECIPES) && !compacted(RECIPE_ALERTS) && !compacted(&dead(CRAWL_URLS)));
    }
}
