//! The page's paths.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use futures_util::stream::unfold;
use minijinja::context;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::page::feed::Filter;
use crate::page::{Inner, api, dead};
use crate::text;

/// Entries of each list on the page.
pub(crate) const ON_PAGE: usize = 100;

const STYLE: &str = include_str!("../../assets/page.css");
const SCRIPT: &str = include_str!("../../assets/page.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Nothing but our own files: no inline script or style, no frames, no foreign pictures.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) fn routes(page: Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/recipe", get(recipe))
        .route("/dead", get(dead::show))
        .route("/dead/replay", post(dead::replay_form))
        .route("/alerts.rss", get(rss))
        .route("/events", get(events))
        .route("/assets/page.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/assets/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/assets/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
        .route("/api/alerts", get(api::alerts))
        .route("/api/recipes", get(api::recipes))
        .route("/api/recipe", get(api::recipe))
        .route("/api/sites", get(api::sites))
        .route("/api/sources", get(api::sources))
        .route("/api/dead", get(api::dead))
        .route("/api/dead/replay", post(dead::replay_api))
        .route("/api/openapi.json", get(|| async { asset("application/json", api::OPENAPI) }))
        .route("/api/stats", get(api::stats))
        .layer(axum::middleware::map_response(guard))
        .with_state(page)
}

async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn index(State(page): State<Arc<Inner>>, Query(filter): Query<Filter>) -> Response {
    let html = page.views.page(&page.feed.search(&filter, ON_PAGE), &filter, &page.handle.lags());
    ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

/// Which recipe is wanted.
#[derive(Deserialize)]
pub(crate) struct Key {
    pub(crate) key: String,
}

async fn recipe(State(page): State<Arc<Inner>>, Query(Key { key }): Query<Key>) -> Response {
    let Some((recipe, history)) = page.feed.one(&key) else {
        return (StatusCode::NOT_FOUND, "this recipe is not remembered (any more); the topics have it\n")
            .into_response();
    };
    let link = text::web_url(&recipe.url);
    let values = context! {
        recipe => minijinja::value::Serde(&*recipe), history => minijinja::value::Serde(&history), link,
    };
    ([(header::CACHE_CONTROL, "no-store")], Html(page.views.page_of("recipe.html", values))).into_response()
}

async fn rss(State(page): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    // Feed readers want whole addresses; a host that is none leaves them out.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let base = if host.contains(['<', '>', '"', '/', ' ']) { String::new() } else { format!("http://{host}") };
    let alerts = page.feed.since(0, ON_PAGE).alerts;
    let xml = page.views.page_of("alerts.xml", context! { base, alerts => minijinja::value::Serde(&alerts) });
    ([(header::CONTENT_TYPE, "application/rss+xml; charset=utf-8")], xml).into_response()
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    // They change with the program and are small: asked for again each time, answered at once.
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

/// One `snapshot` with everything on the page, then an `update` whenever there is news.
async fn events(State(page): State<Arc<Inner>>) -> impl IntoResponse {
    let stream = Sse::new(stream(page)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    ([(HeaderName::from_static("x-accel-buffering"), "no")], stream)
}

fn stream(page: Arc<Inner>) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((page, None::<Receiver<Arc<str>>>), |(page, reader)| async move {
        let Some(mut reader) = reader else { return Some(snapshot(page)) };
        let received = tokio::select! {
            received = reader.recv() => received,
            // A reader left waiting would keep the server from ending.
            () = page.updates.over.cancelled() => Err(RecvError::Closed),
        };
        match received {
            Ok(update) => Some((Ok(Event::default().event("update").data(&*update)), (page, Some(reader)))),
            // Too slow: it starts over with what is on the page now.
            Err(RecvError::Lagged(_)) => Some(snapshot(page)),
            Err(RecvError::Closed) => None,
        }
    })
}

type Step = (Result<Event, Infallible>, (Arc<Inner>, Option<Receiver<Arc<str>>>));

fn snapshot(page: Arc<Inner>) -> Step {
    // Subscribed before the look: what comes in between is sent twice, and the script knows it by its id.
    let reader = page.updates.subscribe();
    let data = page.views.update(&page.feed.since(0, ON_PAGE), &page.handle.lags());
    (Ok(Event::default().event("snapshot").data(data)), (page, Some(reader)))
}
