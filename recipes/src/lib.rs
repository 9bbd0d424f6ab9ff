//! The message types of the pipeline and their JSON Schemas: the one place where a topic, a header or a field is named.
//!
//! | Topic | Key | Value | Headers |
//! |---|---|---|---|
//! | [`topics::CRAWL_URLS`] | URL | [`CrawlState`] | |
//! | [`topics::CRAWL_SOURCES`] | [`SourceReport::key`] | [`SourceReport`] | |
//! | [`topics::RAW_RECIPES`] | canonical URL | the page's bytes | [`RawPage`] |
//! | [`topics::PARSED_RECIPES`] | canonical URL | [`ParsedRecipe`] | [`headers::TRACEPARENT`], [`headers::SCHEMA`] |
//! | [`topics::ALERT_STATE`] | [`AlertState::key`] | [`AlertState`] | |
//! | [`topics::SITE_ALERT_STATE`] | [`AlertState::key`] | [`AlertState`] | |
//! | [`topics::RECIPE_ALERTS`] | canonical URL, or site | [`Alert`] | [`headers::TRACEPARENT`], [`headers::ALERT_ID`] |
//! | [`topics::SITE_EVENTS`] | site | [`SiteEvent`] | |
//! | [`topics::RECIPE_STATS`] | [`SiteStats::key`] | [`SiteStats`] | |
//! | [`topics::dead`]`(topic)` | as the original | as the original | [`DeadLetter`] |
//!
//! The crate knows nothing of Kafka's clients: headers are pairs of a name and bytes.

mod alert;
mod canonical;
mod crawl;
mod dead_letter;
pub mod headers;
mod number;
mod parsed;
mod raw_page;
mod read;
pub mod schema;
mod site_stats;
mod source_report;
mod stamp;
pub mod topics;

pub use alert::{Alert, AlertState, Per, Severity, Verdict};
pub use canonical::canonical_url;
pub use crawl::CrawlState;
pub use dead_letter::DeadLetter;
pub use headers::HeaderError;
pub use parsed::{Extractor, Group, MAX_KCAL, Nutrition, ParsedRecipe, Quantity, Rating, SCHEMA_VERSION};
pub use raw_page::RawPage;
pub use read::ReadError;
pub use site_stats::{BAR_KCAL, BARS, MINUTES, SiteEvent, SiteEventKind, SiteStats};
pub use source_report::{SourceFailure, SourceReport};
