//! What the page shows: the newest of each list, and counts.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use recipes::{Alert, DeadLetter, ParsedRecipe, Per, topics};
use serde::{Deserialize, Serialize};
use service_kit::kafka::Record;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::page::histogram::{Bar, Histogram};
use crate::page::sites::{self, SiteEntry};
use crate::page::sources::{Reports, SourceEntry};
use crate::stats::Sites;
use crate::text;

/// Entries kept of each list.
pub const KEPT: usize = 500;
/// Characters kept of a title or reason.
const LONGEST_TEXT: usize = 200;
/// Longest URL that becomes a link.
const LONGEST_URL: usize = 2000;
/// Largest record of a recipe that is kept for its page, in bytes.
const LONGEST_RECIPE: usize = 32 * 1024;
/// Seconds over which rates are taken.
const RATE_SECONDS: i64 = 60;

/// An alert as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertEntry {
    /// Place in the order of arrival; grows.
    pub seq: u64,
    /// [`Alert::alert_id`].
    pub alert_id: String,
    /// What the recipe is known by: its URL, or its title.
    pub key: String,
    /// Name of the rule.
    pub rule: String,
    /// Whether it is about a site.
    pub per_site: bool,
    /// `info`, `warning` or `critical`.
    pub severity: &'static str,
    /// Name of the dish.
    pub title: String,
    /// Link to the page, if a browser may follow it.
    pub url: Option<String>,
    /// Host name.
    pub site: String,
    /// kcal a serving.
    pub calories: Option<f64>,
    /// The same, as people write it.
    pub calories_text: String,
    /// The line of the log channel.
    pub message: String,
    /// Whether it was raised in quiet hours.
    pub quiet: bool,
    /// RFC 3339.
    pub at: String,
    /// `13:30:05`, UTC.
    pub clock: String,
    /// As feeds write it, RFC 2822.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rfc2822: String,
}

/// A recipe as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecipeEntry {
    /// Place in the order of arrival; grows.
    pub seq: u64,
    /// What it is known by: its URL, or its title.
    pub key: String,
    /// Name of the dish.
    pub title: String,
    /// Link to the page, if a browser may follow it.
    pub url: Option<String>,
    /// Host name.
    pub site: String,
    /// kcal a serving.
    pub calories: Option<f64>,
    /// The same, as people write it; empty when unknown.
    pub calories_text: String,
    /// Whether it is above the threshold.
    pub above: bool,
    /// Minutes.
    pub total_time: Option<u32>,
    /// How it was found in its page.
    pub extractor: &'static str,
    /// RFC 3339.
    pub at: String,
    /// `13:30:05`, UTC.
    pub clock: String,
}

/// A dead letter as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadEntry {
    /// Place in the order of arrival; grows.
    pub seq: u64,
    /// Why.
    pub reason: String,
    /// The record's key.
    pub key: String,
    /// `raw_recipes-0 @ 41`.
    pub place: String,
    /// The dead-letter topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The letter's offset there.
    pub offset: i64,
    /// Whether it was replayed from this page.
    pub replayed: bool,
    /// RFC 3339.
    pub at: String,
    /// `13:30:05`, UTC.
    pub clock: String,
}

/// The numbers on the page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Records on `parsed_recipes`.
    pub recipes: u64,
    /// Records on `recipe_alerts`.
    pub alerts: u64,
    /// Those of the recipes read since the page began (its newest history included) that do not say their calories.
    pub no_calories: u64,
    /// Records on the dead-letter topics.
    pub dead_letters: u64,
    /// Recipes in the last minute.
    pub recipes_per_minute: u64,
    /// Alerts in the last minute.
    pub alerts_per_minute: u64,
    /// Calories of the recipes read.
    pub histogram: Vec<Bar>,
}

/// The page's content, filled by one reader of the topics.
#[derive(Debug)]
pub struct Feed {
    threshold: f64,
    sites: Arc<Sites>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    recipes: VecDeque<RecipeEntry>,
    /// The recipes behind the entries of [`State::recipes`]; none where one is too large.
    whole: VecDeque<Option<Arc<ParsedRecipe>>>,
    alerts: VecDeque<AlertEntry>,
    dead: VecDeque<DeadEntry>,
    recipe_count: u64,
    alert_count: u64,
    dead_count: u64,
    no_calories: u64,
    histogram: Histogram,
    reports: Reports,
    recipe_rate: Rate,
    alert_rate: Rate,
}

/// Lists newest first, and the numbers, of one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Newest first.
    pub alerts: Vec<AlertEntry>,
    /// Newest first.
    pub recipes: Vec<RecipeEntry>,
    /// Newest first.
    pub dead: Vec<DeadEntry>,
    /// Sites with most alerts first.
    pub sites: Vec<SiteEntry>,
    /// Sources by name.
    pub sources: Vec<SourceEntry>,
    /// The numbers.
    pub stats: Stats,
    /// The newest entry's `seq`.
    pub seq: u64,
}

/// What is asked for of the lists.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Filter {
    /// Words that all must be in an entry; upper and lower case are one.
    #[serde(default)]
    pub q: String,
    /// Severity of alerts; any where empty.
    #[serde(default)]
    pub severity: String,
}

impl Filter {
    fn words(&self) -> Vec<String> {
        self.q.split_whitespace().map(str::to_lowercase).collect()
    }

    fn is_severity(&self, severity: &str) -> bool {
        self.severity.is_empty() || self.severity == severity
    }
}

fn has(words: &[String], texts: &[&str]) -> bool {
    words.iter().all(|word| texts.iter().any(|text| text.to_lowercase().contains(word)))
}

/// A moment in a recipe's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339.
    pub at: String,
    /// What happened.
    pub what: String,
}

impl Feed {
    /// An empty feed; recipes above the threshold in kcal are marked.
    #[must_use]
    pub fn new(threshold: f64) -> Self {
        Self { threshold, sites: Arc::default(), state: Mutex::default() }
    }

    /// The newest statistics of all sites.
    #[must_use]
    pub fn sites(&self) -> Arc<Sites> {
        Arc::clone(&self.sites)
    }

    /// Counts records that were not read.
    pub fn skipped(&self, topic: &str, records: u64) {
        let mut state = self.state.lock();
        match topic {
            topics::PARSED_RECIPES => state.recipe_count += records,
            topics::RECIPE_ALERTS => state.alert_count += records,
            topics::RECIPE_STATS | topics::CRAWL_SOURCES => {}
            _ => state.dead_count += records,
        }
    }

    /// Takes a record of any of the topics. What cannot be read is left out: the engine says why it died.
    pub fn take(&self, record: &Record) {
        let value = record.value.as_deref().unwrap_or_default();
        match &*record.place.topic {
            topics::PARSED_RECIPES => {
                if let Ok(recipe) = ParsedRecipe::from_json(value) {
                    self.recipe(&recipe, record);
                }
            }
            topics::RECIPE_ALERTS => {
                if let Ok(alert) = Alert::from_json(value) {
                    self.alert(&alert, record);
                }
            }
            topics::RECIPE_STATS => self.sites.take(record),
            topics::CRAWL_SOURCES => self.state.lock().reports.take(record),
            _ => self.dead(record),
        }
    }

    /// Entries newer than `seq`, at most `most` of each list, newest first, with the numbers.
    #[must_use]
    pub fn since(&self, seq: u64, most: usize) -> Snapshot {
        let now = OffsetDateTime::now_utc();
        let sites = sites::entries(&self.sites, now);
        let mut state = self.state.lock();
        let stats = state.stats(self.threshold, now.unix_timestamp());
        Snapshot {
            sites,
            sources: state.reports.entries(),
            alerts: newest(&state.alerts, most, |entry| entry.seq > seq),
            recipes: newest(&state.recipes, most, |entry| entry.seq > seq),
            dead: newest(&state.dead, most, |entry| entry.seq > seq),
            stats,
            seq: state.seq,
        }
    }

    /// The newest entries that match, at most `most` of each list, with the numbers of all.
    #[must_use]
    pub fn search(&self, filter: &Filter, most: usize) -> Snapshot {
        let mut found = self.since(0, KEPT);
        let words = filter.words();
        found.alerts.retain(|alert| {
            let texts = [&*alert.title, &alert.site, &alert.rule, &alert.message, &alert.key];
            filter.is_severity(alert.severity) && has(&words, &texts)
        });
        found.recipes.retain(|recipe| has(&words, &[&recipe.title, &recipe.site, &recipe.key, recipe.extractor]));
        found.dead.retain(|letter| has(&words, &[&letter.reason, &letter.key, &letter.place]));
        found.alerts.truncate(most);
        found.recipes.truncate(most);
        found.dead.truncate(most);
        found
    }

    /// The newest record of a recipe that is still remembered, with what happened to it, newest first.
    #[must_use]
    pub fn one(&self, key: &str) -> Option<(Arc<ParsedRecipe>, Vec<Moment>)> {
        let state = self.state.lock();
        let mine = || state.recipes.iter().zip(&state.whole).filter(|(entry, _)| entry.key == key);
        let recipe = mine().find_map(|(_, whole)| whole.clone())?;
        let read = mine().map(|(entry, _)| {
            let calories = if entry.calories_text.is_empty() { "unknown" } else { &entry.calories_text };
            (entry.seq, Moment { at: entry.at.clone(), what: format!("read; calories {calories}") })
        });
        let alerts = state.alerts.iter().filter(|alert| alert.key == key);
        let alerts = alerts.map(|alert| {
            (
                alert.seq,
                Moment { at: alert.at.clone(), what: format!("alert of rule {}: {}", alert.rule, alert.message) },
            )
        });
        let mut history: Vec<(u64, Moment)> = read.chain(alerts).collect();
        history.sort_by(|a, b| (&b.1.at, b.0).cmp(&(&a.1.at, a.0)));
        Some((recipe, history.into_iter().map(|(_, moment)| moment).collect()))
    }

    /// Notes that a letter went back.
    pub fn replayed(&self, topic: &str, partition: i32, offset: i64) {
        let mut state = self.state.lock();
        let seq = state.seq + 1;
        let letter = state
            .dead
            .iter_mut()
            .find(|letter| (&*letter.topic, letter.partition, letter.offset) == (topic, partition, offset));
        if let Some(letter) = letter {
            letter.replayed = true;
            state.seq = seq;
        }
    }

    fn recipe(&self, recipe: &ParsedRecipe, record: &Record) {
        let url = if recipe.url.is_empty() { record.key_text() } else { recipe.url.as_str().into() };
        let (at, clock) = stamp(record.time());
        let mut state = self.state.lock();
        state.recipe_count += 1;
        state.recipe_rate.add(record.time());
        match recipe.calories {
            Some(kcal) => state.histogram.add(kcal),
            None => state.no_calories += 1,
        }
        let key = if url.is_empty() { recipe.title.clone() } else { url.to_string() };
        let whole = record.value.as_ref().is_some_and(|value| value.len() <= LONGEST_RECIPE);
        let whole = whole.then(|| Arc::new(recipe.clone()));
        push(&mut state.whole, whole);
        let entry = RecipeEntry {
            seq: state.next(),
            key: text::shortened(&key, LONGEST_URL),
            title: shown(&recipe.title),
            url: link(&url),
            site: shown(&recipe.site),
            calories: recipe.calories,
            calories_text: recipe.calories.map(text::number).unwrap_or_default(),
            above: recipe.calories.is_some_and(|kcal| kcal > self.threshold),
            total_time: recipe.total_time,
            extractor: recipe.extractor.map_or("", recipes::Extractor::as_str),
            at,
            clock,
        };
        push(&mut state.recipes, entry);
    }

    fn alert(&self, alert: &Alert, record: &Record) {
        let (at, clock) = stamp(alert.raised_at);
        let mut state = self.state.lock();
        state.alert_count += 1;
        state.alert_rate.add(record.time());
        let entry = AlertEntry {
            seq: state.next(),
            alert_id: alert.alert_id.to_string(),
            key: text::shortened(if alert.url.is_empty() { &alert.title } else { &alert.url }, LONGEST_URL),
            rule: shown(&alert.rule),
            per_site: alert.per == Per::Site,
            severity: alert.severity.as_str(),
            title: shown(&alert.title),
            url: link(&alert.url),
            site: shown(&alert.site),
            calories: alert.calories,
            calories_text: alert.calories.map(text::number).unwrap_or_default(),
            message: shown(&alert.message),
            quiet: alert.quiet,
            rfc2822: alert.raised_at.format(&Rfc2822).unwrap_or_default(),
            at,
            clock,
        };
        push(&mut state.alerts, entry);
    }

    fn dead(&self, record: &Record) {
        let letter = DeadLetter::from_headers(&record.header_pairs());
        let (at, clock) = stamp(record.time());
        let mut state = self.state.lock();
        state.dead_count += 1;
        let entry = DeadEntry {
            seq: state.next(),
            reason: letter.as_ref().map_or_else(|_| "no reason given".to_owned(), |letter| shown(&letter.reason)),
            key: shown(&record.key_text()),
            topic: record.place.topic.to_string(),
            partition: record.place.partition,
            offset: record.offset,
            replayed: false,
            place: letter.map_or_else(
                |_| record.place.to_string(),
                |letter| format!("{}-{} @ {}", letter.topic, letter.partition, letter.offset),
            ),
            at,
            clock,
        };
        push(&mut state.dead, entry);
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn stats(&mut self, threshold: f64, now: i64) -> Stats {
        Stats {
            recipes: self.recipe_count,
            alerts: self.alert_count,
            no_calories: self.no_calories,
            dead_letters: self.dead_count,
            recipes_per_minute: self.recipe_rate.last_minute(now),
            alerts_per_minute: self.alert_rate.last_minute(now),
            histogram: self.histogram.bars(threshold),
        }
    }
}

/// Events of the last minute, a count for each second.
#[derive(Debug, Default)]
struct Rate {
    seconds: VecDeque<(i64, u64)>,
}

impl Rate {
    fn add(&mut self, at: OffsetDateTime) {
        let second = at.unix_timestamp();
        match self.seconds.back_mut() {
            // Partitions are read one after the other: a record may be older than the one before it.
            Some((last, count)) if second <= *last => *count += 1,
            _ => self.seconds.push_back((second, 1)),
        }
        self.forget(second);
    }

    fn last_minute(&mut self, now: i64) -> u64 {
        self.forget(now);
        self.seconds.iter().map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: i64) {
        while self.seconds.front().is_some_and(|(second, _)| *second <= now - RATE_SECONDS) {
            self.seconds.pop_front();
        }
    }
}

fn push<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == KEPT {
        list.pop_back();
    }
    list.push_front(entry);
}

fn newest<T: Clone>(list: &VecDeque<T>, most: usize, new: impl Fn(&T) -> bool) -> Vec<T> {
    list.iter().take(most).take_while(|entry| new(entry)).cloned().collect()
}

pub(crate) fn shown(text: &str) -> String {
    text::shortened(&text::one_line(text), LONGEST_TEXT)
}

fn link(url: &str) -> Option<String> {
    text::web_url(url).filter(|url| url.len() <= LONGEST_URL).map(str::to_owned)
}

/// As RFC 3339, and `13:30:05`.
pub(crate) fn stamp(at: OffsetDateTime) -> (String, String) {
    let clock = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    // A record's time is a number of ms since 1970; years past 9999 have no RFC 3339 form.
    (at.format(&Rfc3339).unwrap_or_default(), clock)
}

#[cfg(test)]
mod tests {
    use service_kit::kafka::Place;

    use super::*;

    fn recipe(title: &str, calories: Option<f64>, url: &str) -> Record {
        let recipe = ParsedRecipe { title: title.to_owned(), calories, url: url.to_owned(), ..ParsedRecipe::default() };
        let place = Place::new(topics::PARSED_RECIPES, 0);
        let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
        Record {
            place,
            offset: 0,
            timestamp_ms: now,
            key: None,
            value: Some(recipe.to_json().unwrap()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn the_feed_stays_bounded_and_newest_first() {
        let feed = Feed::new(200.0);
        for index in 0..KEPT + 50 {
            feed.take(&recipe(&format!("{index} {}", "x".repeat(1000)), Some(250.0), "https://a.example/"));
        }
        let snapshot = feed.since(0, usize::MAX);
        assert_eq!(snapshot.recipes.len(), KEPT);
        assert!(
            snapshot.recipes[0].title.starts_with("549 ") && snapshot.recipes[0].title.chars().count() == LONGEST_TEXT
        );
        assert_eq!((snapshot.stats.recipes, snapshot.stats.recipes_per_minute), (550, 550));
        assert_eq!(feed.since(snapshot.seq - 3, usize::MAX).recipes.len(), 3);
    }

    #[test]
    fn entries_are_found_by_words_and_a_recipe_by_its_key() {
        let feed = Feed::new(200.0);
        feed.take(&recipe("Plum Pie", Some(150.0), "https://a.example/pie"));
        feed.take(&recipe("Soup", None, "https://b.example/soup"));
        feed.take(&recipe("Plum Pie", Some(250.0), "https://a.example/pie"));
        let search = |q: &str| feed.search(&Filter { q: q.to_owned(), ..Filter::default() }, 10).recipes.len();
        assert_eq!((search("plum PIE"), search("b.example"), search("plum soup"), search("")), (2, 1, 0, 3));
        let (newest, history) = feed.one("https://a.example/pie").unwrap();
        assert_eq!((newest.calories, history.len()), (Some(250.0), 2));
        assert_eq!(feed.one("https://c.example/"), None);
    }

    #[test]
    fn unknown_calories_are_counted_and_not_drawn() {
        let feed = Feed::new(200.0);
        feed.take(&recipe("Pie", None, ""));
        feed.take(&recipe("Cake", Some(0.0), ""));
        let stats = feed.since(0, 10).stats;
        assert_eq!((stats.no_calories, stats.histogram[0].count), (1, 1));
    }

    #[test]
    fn a_page_cannot_choose_what_a_link_does() {
        let feed = Feed::new(200.0);
        feed.take(&recipe("Pie", None, "javascript:alert(1)"));
        assert_eq!(feed.since(0, 1).recipes[0].url, None);
    }

    #[test]
    fn rates_forget_what_is_older_than_a_minute() {
        let mut rate = Rate::default();
        let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        for second in [100, 100, 99, 130] {
            rate.add(at(second));
        }
        assert_eq!((rate.last_minute(130), rate.last_minute(165), rate.last_minute(200)), (4, 1, 0));
    }
}
