//! A small recipe website to run and test against: recipes in three markups, some without calories, some pages broken
//! on purpose, robots.txt, sitemaps, a feed, validators (ETag, Last-Modified) and gzip.
//!
//! ```no_run
//! # async fn start() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8088").await?;
//! sample_site::serve(listener, std::future::pending()).await
//! # }
//! ```

pub mod catalog;
mod document;
mod render;
mod site;

pub use catalog::{Catalog, Outcome};
pub use site::{router, serve};
