//! The same as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::page::Inner;
use crate::page::feed::KEPT;

/// How much of a list is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    /// Entries, newest first; 50 unless told, 200 at most.
    limit: Option<usize>,
}

impl Window {
    fn most(&self) -> usize {
        self.limit.unwrap_or(50).min(KEPT)
    }
}

pub(crate) async fn alerts(State(page): State<Arc<Inner>>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "alerts": page.feed.since(0, window.most()).alerts }))
}

pub(crate) async fn recipes(State(page): State<Arc<Inner>>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "recipes": page.feed.since(0, window.most()).recipes }))
}

pub(crate) async fn stats(State(page): State<Arc<Inner>>) -> Json<Value> {
    let stats = page.feed.since(0, 0).stats;
    Json(json!({ "stats": stats, "lag": page.handle.lag(), "health": page.handle.health().report() }))
}
