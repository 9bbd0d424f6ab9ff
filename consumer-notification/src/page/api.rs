//! The same as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::page::Inner;
use crate::page::feed::{Filter, KEPT};
use crate::page::routes::Key;

/// What the API has, in OpenAPI 3.1.
pub(crate) const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// How much of a list is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    /// Entries, newest first; 50 unless told, [`KEPT`] at most.
    limit: Option<usize>,
    /// What is asked for.
    #[serde(flatten)]
    filter: Filter,
}

impl Window {
    fn most(&self) -> usize {
        self.limit.unwrap_or(50).min(KEPT)
    }
}

pub(crate) async fn alerts(State(page): State<Arc<Inner>>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "alerts": page.feed.search(&window.filter, window.most()).alerts }))
}

pub(crate) async fn recipes(State(page): State<Arc<Inner>>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "recipes": page.feed.search(&window.filter, window.most()).recipes }))
}

pub(crate) async fn dead(State(page): State<Arc<Inner>>, Query(window): Query<Window>) -> Json<Value> {
    Json(json!({ "dead_letters": page.feed.search(&window.filter, window.most()).dead }))
}

pub(crate) async fn recipe(State(page): State<Arc<Inner>>, Query(Key { key }): Query<Key>) -> Response {
    match page.feed.one(&key) {
        Some((recipe, history)) => Json(json!({ "recipe": &*recipe, "history": history })).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({ "error": "not remembered (any more)" }))).into_response(),
    }
}

pub(crate) async fn sites(State(page): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "sites": page.feed.since(0, 0).sites }))
}

pub(crate) async fn sources(State(page): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "sources": page.feed.since(0, 0).sources }))
}

pub(crate) async fn stats(State(page): State<Arc<Inner>>) -> Json<Value> {
    let stats = page.feed.since(0, 0).stats;
    Json(
        json!({ "stats": stats, "lag": page.handle.lag(), "groups": page.handle.lags(), "health": page.handle.health().report() }),
    )
}
