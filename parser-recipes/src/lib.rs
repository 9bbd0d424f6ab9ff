//! Turns recipe pages into JSON.
#[cfg(feature = "service")]
pub mod command;
pub mod doubt;
pub mod draft;
pub mod encoding;
pub mod extract;
pub mod heuristics;
pub mod html;
pub mod json;
pub mod jsonld;
pub mod merge;
pub mod meta;
pub mod microdata;
pub mod record;
pub mod schema;
pub mod selectors;
#[cfg(feature = "service")]
pub mod service;
pub mod source;
pub mod values;

pub use extract::{NoRecipe, Page, extract};
pub use merge::Merged;
pub use record::record;
pub use selectors::{Rules, RulesFile};
#[cfg(feature = "service")]
pub use service::{Parser, Settings};
