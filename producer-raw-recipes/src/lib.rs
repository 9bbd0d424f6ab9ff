//! Fetches recipe pages and publishes them to `raw_recipes`.
//!
//! ```text
//!  sources ---links---> frontier ---jobs---> fetcher ---pages---> publisher ---> raw_recipes
//!     ^                 (hosts, turns,          |
//!     |                  robots.txt)            |
//!     +--------------- documents ---------------+
//! ```
//! [`frontier`], [`politeness`], [`robots`], [`recrawl`] and the modules of [`source`] are pure; [`crawl`] is the loop
//! that connects them with [`fetcher`] and [`publisher`]. Where there are more URLs than the memory has room for, the
//! [`shelf`] knows all of them, and [`scan`] brings those that are due from `crawl_urls`.

pub mod address;
pub mod canonical;
pub mod clock;
mod commands;
pub mod content;
pub mod crawl;
pub mod fetch_error;
pub mod fetcher;
pub mod frontier;
pub mod job;
pub mod ledger;
pub mod local;
pub mod markup;
pub mod membership;
pub mod politeness;
mod progress;
pub mod publisher;
mod recent;
pub mod recrawl;
pub mod robots;
pub mod scan;
mod service;
pub mod settings;
pub mod shelf;
pub mod source;
mod sources_report;
mod sources_watch;
pub mod status;

pub use service::ProducerRawRecipes;
pub use settings::Settings;
