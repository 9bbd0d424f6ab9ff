//! One dead letter: what it says, and back with it to where it was given up.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Form, Json};
use minijinja::context;
use recipes::{DeadLetter, topics};
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_kit::kafka::{Output, Place, Record};
use tracing::info;

use crate::page::Inner;
use crate::text;

/// Characters of a value that are shown.
const SHOWN: usize = 4000;

/// Where a dead letter is.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Letter {
    topic: String,
    partition: i32,
    offset: i64,
}

/// What the form sends. (Not a flattened [`Letter`], in which a form's numbers stay texts.)
#[derive(Deserialize)]
pub(crate) struct Replay {
    topic: String,
    partition: i32,
    offset: i64,
    token: String,
}

/// Why nothing was replayed.
enum Refusal {
    ReadOnly,
    WrongToken,
    Unknown,
    Unreadable(String),
}

impl Refusal {
    fn answer(&self) -> (StatusCode, String) {
        match self {
            Self::ReadOnly => {
                (StatusCode::FORBIDDEN, "this page is read-only; start the notifier with ADMIN_TOKEN set".to_owned())
            }
            Self::WrongToken => (StatusCode::UNAUTHORIZED, "the token is wrong".to_owned()),
            Self::Unknown => (StatusCode::NOT_FOUND, "there is no such dead letter (any more)".to_owned()),
            Self::Unreadable(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.clone()),
        }
    }
}

/// `GET /dead`: the letter with its headers and the beginning of its value.
pub(crate) async fn show(State(page): State<Arc<Inner>>, Query(letter): Query<Letter>) -> Response {
    match read(&page, &letter).await {
        Ok((record, dead)) => {
            let value = record.value.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let headers: Vec<(String, String)> = record
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), text::one_line(&String::from_utf8_lossy(value)).into_owned()))
                .collect();
            let html = page.views.page_of(
                "letter.html",
                context! {
                    letter => minijinja::value::Serde(&letter), reason => dead.reason, key => record.key_text(), headers,
                    value => text::shortened(&value, SHOWN), bytes => record.value.as_ref().map_or(0, Vec::len),
                    group => dead.group, origin => dead.topic, admin => page.admin.is_some(),
                },
            );
            ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
        }
        Err(refusal) => refusal.answer().into_response(),
    }
}

/// `POST /dead/replay`, from the form.
pub(crate) async fn replay_form(State(page): State<Arc<Inner>>, Form(form): Form<Replay>) -> Response {
    let Replay { topic, partition, offset, token } = form;
    match replay(&page, &Letter { topic, partition, offset }, &token).await {
        Ok(()) => Redirect::to("/#dead-title").into_response(),
        Err(refusal) => refusal.answer().into_response(),
    }
}

/// `POST /api/dead/replay`.
pub(crate) async fn replay_api(
    State(page): State<Arc<Inner>>,
    headers: HeaderMap,
    Json(letter): Json<Letter>,
) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match replay(&page, &letter, token.unwrap_or_default()).await {
        Ok(()) => Json(json!({ "replayed": letter })).into_response(),
        Err(refusal) => {
            let (status, error) = refusal.answer();
            (status, Json(json!({ "error": error }))).into_response()
        }
    }
}

async fn replay(page: &Arc<Inner>, letter: &Letter, token: &str) -> Result<(), Refusal> {
    let admin = page.admin.as_ref().ok_or(Refusal::ReadOnly)?;
    if !admin.is(token) {
        return Err(Refusal::WrongToken);
    }
    let (record, dead) = read(page, letter).await?;
    let (_, producer) = page.kafka.get().ok_or_else(not_yet)?;
    let sent = producer.send(Output::replay(record, &dead)).await;
    sent.map_err(|error| Refusal::Unreadable(error.to_string()))?;
    info!(
        topic = letter.topic,
        partition = letter.partition,
        offset = letter.offset,
        to = dead.topic,
        "dead letter replayed"
    );
    page.feed.replayed(&letter.topic, letter.partition, letter.offset);
    page.updates.wake();
    Ok(())
}

/// Only letters of the pipeline's own topics, whatever is asked for.
async fn read(page: &Arc<Inner>, letter: &Letter) -> Result<(Record, DeadLetter), Refusal> {
    let ours = [topics::RAW_RECIPES, topics::PARSED_RECIPES, topics::RECIPE_ALERTS].map(topics::dead);
    if !ours.contains(&letter.topic) {
        return Err(Refusal::Unknown);
    }
    let (kafka, _) = page.kafka.get().cloned().ok_or_else(not_yet)?;
    let (place, offset) = (Place::new(&letter.topic, letter.partition), letter.offset);
    let found = tokio::task::spawn_blocking(move || kafka.read_one(&place, offset)).await;
    let found = found.map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let record = found.map_err(|error| Refusal::Unreadable(error.to_string()))?.ok_or(Refusal::Unknown)?;
    let dead = DeadLetter::from_headers(&record.header_pairs()).map_err(|_| Refusal::Unknown)?;
    // The letter says where it goes: nowhere but where its topic's letters come from.
    if topics::dead(&dead.topic) == letter.topic { Ok((record, dead)) } else { Err(Refusal::Unknown) }
}

fn not_yet() -> Refusal {
    Refusal::Unreadable("not connected to the broker yet".to_owned())
}
