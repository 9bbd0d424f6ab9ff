//! An alert is a crossing, over any history and any restart.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::HashMap;

use consumer_notification::rules::{Rule, RuleSet};
use consumer_notification::{Engine, OnRuleChange};
use proptest::prelude::*;
use recipes::{Alert, ParsedRecipe, topics};
use service_kit::kafka::{Outcome, Output, Place, Record};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

fn engine() -> Engine {
    Engine::new(&RuleSet::new(vec![Rule::calories_above(200.0).unwrap()]), OnRuleChange::Silent)
}

fn record(offset: i64, value: impl Into<Vec<u8>>) -> Record {
    let place = Place::new(topics::PARSED_RECIPES, 0);
    Record {
        place,
        offset,
        timestamp_ms: 1000,
        key: Some(b"k".to_vec()),
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

fn recipe(offset: i64, url: &str, calories: Option<f64>) -> Record {
    let recipe = ParsedRecipe { title: "Pie".to_owned(), url: url.to_owned(), calories, ..ParsedRecipe::default() };
    record(offset, recipe.to_json().unwrap())
}

/// What an outcome writes: alerts first, then states.
fn written(outcome: Outcome) -> (Vec<Output>, Vec<Output>, Vec<&'static str>) {
    match outcome {
        Outcome::Done { outputs, after, counts } => (outputs, after, counts),
        other => panic!("{other:?}"),
    }
}

/// A record of `alert_state` as it would be read back. (Outputs are opaque: their debug text is not relied on.)
fn restored(engine: &mut Engine, url: &str, calories: Option<f64>, above: bool) {
    let verdict = if above { "above" } else { "below" };
    let version = Rule::calories_above(200.0).unwrap().version().to_string();
    let value = serde_json::json!({"rule": "calories", "url": url, "verdict": verdict, "value": calories, "rule_version": version});
    let place = Place::new(topics::ALERT_STATE, 0);
    let key = recipes::AlertState::key("calories", url).into_bytes();
    let value = Some(value.to_string().into_bytes());
    engine.states().restore(&Record { place, offset: 0, timestamp_ms: 0, key: Some(key), value, headers: Vec::new() });
}

#[test]
fn only_crossings_raise_alerts() {
    let mut engine = engine();
    let history = [
        (Some(150.0), 0, "below_threshold"),
        (Some(250.0), 1, "alerted_recipes"),
        (Some(250.0), 0, "repeated"),
        (Some(300.0), 0, "repeated"),
        (None, 0, "no_calories"),
        (Some(260.0), 0, "repeated"),
        (Some(200.0), 0, "below_threshold"),
        (Some(200.5), 1, "alerted_recipes"),
    ];
    for (offset, (calories, alerts, counted)) in (0..).zip(history) {
        let (outputs, _, counts) = written(engine.decide(&recipe(offset, "https://a.example/pie", calories), NOW));
        assert_eq!(outputs.len(), alerts, "at {offset}");
        assert_eq!(counts[..2], ["recipes", counted], "at {offset}");
    }
}

#[test]
fn what_was_alerted_before_a_restart_is_not_alerted_again() {
    let mut engine = engine();
    restored(&mut engine, "https://a.example/pie", Some(250.0), true);
    restored(&mut engine, "https://a.example/soup", Some(150.0), false);
    let (outputs, states, counts) = written(engine.decide(&recipe(0, "https://a.example/pie", Some(250.0)), NOW));
    assert_eq!((outputs.len(), states.len(), counts), (0, 0, vec!["recipes", "repeated"]));
    let (outputs, states, _) = written(engine.decide(&recipe(1, "https://a.example/soup", Some(250.0)), NOW));
    assert_eq!((outputs.len(), states.len()), (1, 1));
}

/// Rules of a file.
fn rules(text: &str) -> RuleSet {
    consumer_notification::rules::file::parse("rules.toml", text).unwrap().rules
}

/// Alerts that a recipe raises.
fn alerts(engine: &mut Engine, calories: f64, now: OffsetDateTime) -> usize {
    written(engine.decide(&recipe(0, "https://a.example/pie", Some(calories)), now)).0.len()
}

#[test]
fn a_cooldown_keeps_alerts_for_one_recipe_apart() {
    let rule = "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\ncooldown = \"1h\"\n";
    let mut engine = Engine::new(&rules(rule), OnRuleChange::Silent);
    let at = |minutes| NOW + time::Duration::minutes(minutes);
    let mut raised = |calories, minutes| alerts(&mut engine, calories, at(minutes));
    assert_eq!([raised(250.0, 0), raised(150.0, 10), raised(250.0, 20)], [1, 0, 0]);
    assert_eq!([raised(150.0, 30), raised(250.0, 61)], [0, 1]);
}

#[test]
fn a_burst_from_one_site_is_held_back_by_its_own_alerts() {
    let rule = "[[rule]]\nname = \"rich\"\nwhen = \"calories > 200 && stats.alerts_last_hour <= 20\"\n\
                clear = \"calories <= 200\"\n";
    let mut engine = Engine::new(&rules(rule), OnRuleChange::Silent);
    let mut raised = |site: &str, recipes: std::ops::Range<i64>, minutes| {
        let each = recipes.map(|index| {
            let recipe = ParsedRecipe {
                title: "Pie".to_owned(),
                url: format!("https://{site}/{index}"),
                site: site.to_owned(),
                calories: Some(310.0),
                ..ParsedRecipe::default()
            };
            let at = NOW + time::Duration::minutes(minutes);
            written(engine.decide(&record(index, recipe.to_json().unwrap()), at)).0.len()
        });
        each.sum::<usize>()
    };
    assert_eq!([raised("a.example", 0..100, 0), raised("b.example", 0..10, 1)], [21, 10]);
    assert_eq!(raised("a.example", 0..21, 30), 0, "what was alerted is not cleared by the noise");
    assert_eq!(
        raised("a.example", 0..30, 61),
        9,
        "an hour later it is quiet: the held ones come when they are read again"
    );
}

#[test]
fn a_changed_rule_is_no_storm_unless_it_shall_be() {
    let rule = |threshold| rules(&format!("[[rule]]\nname = \"calories\"\nwhen = \"calories > {threshold}\"\n"));
    for (on_change, raised) in [(OnRuleChange::Silent, 0), (OnRuleChange::Alert, 1)] {
        let mut engine = Engine::new(&rule(300), on_change);
        assert_eq!(alerts(&mut engine, 250.0, NOW), 0);
        engine.set_rules(&rule(200));
        assert_eq!(alerts(&mut engine, 250.0, NOW), raised, "{on_change:?}");
        assert_eq!([alerts(&mut engine, 150.0, NOW), alerts(&mut engine, 250.0, NOW)], [0, 1], "{on_change:?}");
    }
}

#[test]
fn a_rule_that_is_new_is_silent_about_recipes_that_are_known() {
    let two = "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n[[rule]]\nname = \"rich\"\nwhen = \"calories > 240\"\n";
    let mut engine = engine();
    assert_eq!(alerts(&mut engine, 250.0, NOW), 1);
    engine.set_rules(&rules(two));
    assert_eq!(alerts(&mut engine, 250.0, NOW), 0, "rich holds, and the recipe is known");
    assert_eq!([alerts(&mut engine, 100.0, NOW), alerts(&mut engine, 250.0, NOW)], [0, 2]);
    let fresh = recipe(1, "https://a.example/cake", Some(250.0));
    assert_eq!(written(engine.decide(&fresh, NOW)).0.len(), 2, "a recipe that nobody knew");
}

#[test]
fn what_was_unknown_and_is_now_above_is_a_crossing_for_every_rule() {
    let two = "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n[[rule]]\nname = \"pie\"\nwhen = \"title == 'Pie'\"\n";
    let mut engine = Engine::new(&rules(two), OnRuleChange::Silent);
    assert_eq!(written(engine.decide(&recipe(0, "https://a.example/pie", None), NOW)).0.len(), 1);
    assert_eq!(alerts(&mut engine, 250.0, NOW), 1);
}

#[test]
fn a_partition_that_left_is_forgotten() {
    let mut engine = engine();
    restored(&mut engine, "https://a.example/pie", Some(250.0), true);
    assert_eq!(engine.states().len(), 1);
    engine.states().forget(0);
    assert!(engine.states().is_empty());
}

#[test]
fn a_recipe_without_url_is_known_by_its_key_or_its_title() {
    let mut engine = engine();
    let tutorial = br#"{"title": "Pie", "submitter": "-", "description": "", "calories": 310, "ingredients": [{"step": "2 eggs"}]}"#;
    assert_eq!(written(engine.decide(&record(0, *tutorial), NOW)).0.len(), 1);
    assert_eq!(written(engine.decide(&record(1, *tutorial), NOW)).0.len(), 0, "the same title again");
    let mut keyed = record(2, *tutorial);
    keyed.key = Some(b"https://a.example/pie".to_vec());
    assert_eq!(written(engine.decide(&keyed, NOW)).0.len(), 1, "another recipe of the same name");
}

#[test]
fn what_cannot_be_a_recipe_is_dead_with_a_reason() {
    let cases: [(&[u8], &str); 6] = [
        (br#"{"title":"Pie","calories":NaN}"#, "NaN is no JSON number"),
        (br#"{"title":"Pie","calories":-5}"#, "calories is -5"),
        (br#"{"title":"Pie","calories":1e308}"#, "calories is 1e308"),
        (br#"{"title":"Pie","calories":"250"}"#, "calories: invalid type"),
        (b"<html>", "the value is no JSON"),
        (b"", "the value is no JSON: it is empty"),
    ];
    for (value, reason) in cases {
        match engine().decide(&record(0, value), NOW) {
            Outcome::Dead(said) => assert!(said.contains(reason), "{said}"),
            other => panic!("{other:?}"),
        }
    }
    let tombstone = Record { value: None, ..record(0, *b"") };
    assert!(matches!(engine().decide(&tombstone, NOW), Outcome::Dead(_)));
}

/// The simplest thing that could be right: the last known verdict of each URL.
fn model(history: &[(u8, Option<f64>)]) -> Vec<bool> {
    let mut above: HashMap<u8, bool> = HashMap::new();
    let crossing = |(url, calories): &(u8, Option<f64>)| {
        let Some(kcal) = calories else { return false };
        let before = above.insert(*url, *kcal > 200.0).unwrap_or(false);
        *kcal > 200.0 && !before
    };
    history.iter().map(crossing).collect()
}

fn history() -> impl Strategy<Value = Vec<(u8, Option<f64>)>> {
    let calories = prop_oneof![Just(None), Just(Some(200.0)), (0.0..400.0f64).prop_map(Some)];
    proptest::collection::vec((0..4u8, calories), 0..40)
}

proptest! {
    #[test]
    fn alerts_are_the_models_crossings_whenever_the_engine_is_restarted(history in history(), cut in 0..40usize) {
        let mut engine = engine();
        let mut raised = Vec::new();
        let mut last: HashMap<u8, f64> = HashMap::new();
        for (index, (url, calories)) in history.iter().enumerate() {
            if index == cut {
                engine = self::engine();
                for (url, kcal) in &last {
                    restored(&mut engine, &format!("https://a.example/{url}"), Some(*kcal), *kcal > 200.0);
                }
            }
            let record = recipe(index as i64, &format!("https://a.example/{url}"), *calories);
            raised.push(!written(engine.decide(&record, NOW)).0.is_empty());
            if let Some(kcal) = calories {
                last.insert(*url, *kcal);
            }
        }
        prop_assert_eq!(raised, model(&history));
    }

    #[test]
    fn no_record_makes_the_engine_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        engine().decide(&record(0, value), NOW);
    }
}

#[test]
fn an_alert_tells_what_channels_need() {
    let rule = Rule::calories_above(200.0).unwrap();
    let pie = ParsedRecipe {
        title: "Pie".to_owned(),
        calories: Some(310.5),
        site: "a.example".to_owned(),
        ..ParsedRecipe::default()
    };
    let alert = rule.alert(Alert::id("calories", "u", 0, 0, 0), &pie, "u", Some(150.0), NOW);
    let back = Alert::from_json(&alert.to_json().unwrap()).unwrap();
    assert_eq!(back.message, "Alert: Pie calories count is 310.5");
    assert_eq!((back.calories, back.previous_calories, &*back.rule), (Some(310.5), Some(150.0), "calories"));
}
