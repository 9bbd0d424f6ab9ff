//! What writers may rely on, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use recipes::{Alert, AlertState, CrawlState, Extractor, ParsedRecipe, SCHEMA_VERSION, SiteEvent, Verdict, schema};
use serde_json::{Value, json};
use time::macros::datetime;

fn soup() -> ParsedRecipe {
    serde_json::from_value(json!({
        "title": "Soup", "submitter": "Ann", "description": "Hot.", "calories": 200, "ingredients": ["water"],
        "url": "https://a.example/soup", "site": "a.example", "language": "en", "image": null, "yields": "4 servings",
        "servings": 4, "prep_time": 5, "cook_time": 10, "total_time": 15, "instructions": ["Boil."],
        "nutrition": {"fat": {"value": 1.5, "unit": "g"}}, "rating": {"value": 4.5, "count": 2},
        "category": ["soup"], "cuisine": [], "published_at": "2020-01-02", "parsed_at": "2026-11-20T13:30:00Z",
        "extractor": "json-ld", "extractors": {"title": "json-ld"}, "schema_version": 1,
        "ingredient_groups": [{"name": "Soup", "items": ["water"]}], "instruction_sections": []
    }))
    .unwrap()
}

fn refusal(json: &str) -> String {
    ParsedRecipe::from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn fields_have_exactly_the_names_of_the_contract() {
    let value = serde_json::to_value(soup()).unwrap();
    let names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "title",
        "submitter",
        "description",
        "calories",
        "ingredients",
        "url",
        "site",
        "language",
        "image",
        "yields",
        "servings",
        "prep_time",
        "cook_time",
        "total_time",
        "instructions",
        "ingredient_groups",
        "instruction_sections",
        "nutrition",
        "rating",
        "category",
        "cuisine",
        "published_at",
        "parsed_at",
        "extractor",
        "extractors",
        "schema_version",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(value["extractor"], "json-ld");
    assert_eq!(value["published_at"], "2020-01-02T00:00:00.000Z");
}

#[test]
fn unknown_calories_are_written_as_null_and_whole_ones_without_a_fraction() {
    let mut recipe = soup();
    assert!(String::from_utf8(recipe.to_json().unwrap()).unwrap().contains(r#""calories":200,"#));
    recipe.calories = None;
    assert!(String::from_utf8(recipe.to_json().unwrap()).unwrap().contains(r#""calories":null,"#));
}

#[test]
fn a_record_of_the_tutorials_parser_can_be_read() {
    let recipe = ParsedRecipe::from_json(
        br#"{"title": "Pie", "submitter": "-", "description": "x", "calories": 310, "ingredients": [{"step": "2 eggs"}]}"#,
    )
    .unwrap();
    assert_eq!(recipe.ingredients, ["2 eggs"]);
    assert_eq!((recipe.calories, recipe.identity(), recipe.schema_version), (Some(310.0), "Pie", 0));
}

#[test]
fn unknown_fields_and_nulls_are_no_error() {
    let recipe = ParsedRecipe::from_json(
        br#"{"title":"Pie","ingredients":null,"category":"cake","nutrition":null,"rating":null,"total_time":30.0,"new":{}}"#,
    )
    .unwrap();
    assert_eq!((recipe.calories, recipe.category, recipe.total_time), (None, vec!["cake".to_owned()], Some(30)));
}

#[test]
fn numbers_that_cannot_be_true_are_refused_with_the_fields_name() {
    assert_eq!(
        refusal(r#"{"title":"Pie","calories":"250"}"#),
        r#"calories: invalid type: string "250", expected a number"#
    );
    assert_eq!(refusal(r#"{"title": "Pie", "calories": NaN}"#), "calories: NaN is no JSON number");
    assert_eq!(refusal(r#"{"title":"Pie","calories":NaN,"url":"x"}"#), "calories: NaN is no JSON number");
    assert_eq!(refusal(r#"{"title": "Pie", "calories": -Infinity}"#), "calories: -Infinity is no JSON number");
    assert_eq!(refusal(r#"{"title":"Pie","calories":-5}"#), "calories is -5; expected 0 to 100000 kcal a serving");
    assert_eq!(
        refusal(r#"{"title":"Pie","calories":1e308}"#),
        "calories is 1e308; expected 0 to 100000 kcal a serving"
    );
    assert!(refusal(r#"{"title":"Pie","calories":1e999}"#).contains("number out of range"));
    assert!(refusal(r#"{"title":"Pie","calories":true}"#).starts_with("calories: invalid type: boolean"));
    assert!(refusal(r#"{"title":"Pie","total_time":-1}"#).starts_with("total_time: invalid value"));
    assert!(refusal(r#"{"title":"Pie","nutrition":{"fat":{"value":-1}}}"#).starts_with("nutrition.fat is -1;"));
    assert!(refusal(r#"{"title":"Pie","nutrition":{"fat":{"value":"1 g"}}}"#).starts_with("nutrition.fat.value: "));
}

#[test]
fn what_is_no_recipe_is_refused_in_plain_words() {
    assert_eq!(refusal(""), "the value is no JSON: it is empty");
    assert!(refusal("<html>").starts_with("the value is no JSON: expected value"));
    assert!(refusal(r#"{"title":"Pie""#).starts_with("the value is no JSON: EOF"));
    assert_eq!(refusal("{}"), "the value: missing field `title`");
    assert_eq!(refusal(r#"{"title":" "}"#), "title is empty");
    assert!(refusal(r#"{"title":null}"#).starts_with("title: invalid type: null"));
    assert!(refusal("[]").starts_with("the value: "));
    assert!(refusal(r#"{"title":"Pie","ingredients":[{"a":"b","c":"d"}]}"#).starts_with("ingredients[0]: "));
}

#[test]
fn nothing_is_written_that_would_be_refused() {
    for calories in [f64::NAN, -1.0, f64::INFINITY, 1e308] {
        assert!(ParsedRecipe { calories: Some(calories), ..soup() }.to_json().is_err());
    }
}

#[test]
fn deeply_nested_json_does_not_take_the_stack_to_its_end() {
    let json = format!(r#"{{"title":"Pie","x":{}}}"#, "[".repeat(100_000));
    let refusal = refusal(&json);
    assert!(refusal.starts_with("the value is no JSON: "), "{refusal}");
}

#[test]
fn an_alerts_id_depends_on_the_record_and_nothing_else() {
    let id = Alert::id("calories", "https://a.example/soup", 0, 7, 1000);
    assert_eq!(id, Alert::id("calories", "https://a.example/soup", 0, 7, 1000));
    for other in [
        Alert::id("other", "https://a.example/soup", 0, 7, 1000),
        Alert::id("calories", "https://a.example/stew", 0, 7, 1000),
        Alert::id("calories", "https://a.example/soup", 1, 7, 1000),
        Alert::id("calories", "https://a.example/soup", 0, 8, 1000),
        Alert::id("calories", "https://a.example/soup", 0, 7, 1001),
    ] {
        assert_ne!(id, other);
    }
}

#[test]
fn states_read_back_as_written() {
    let alert = AlertState {
        rule: "calories".to_owned(),
        url: "https://a.example/soup".to_owned(),
        verdict: Verdict::Above,
        value: Some(250.5),
        alerted_at: Some(datetime!(2026-11-20 13:30:00 UTC)),
        rule_version: "0a1b".to_owned(),
    };
    assert_eq!(AlertState::from_json(&alert.to_json().unwrap()), Ok(alert));
    let crawl =
        CrawlState { next_fetch_at: Some(datetime!(2026-11-20 13:30:00 UTC)), failures: 2, ..CrawlState::default() };
    assert_eq!(CrawlState::from_json(&crawl.to_json().unwrap()), Ok(crawl));
}

/// Names in the type's JSON and names in its schema.
fn property_names(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn schema_and_type_name_the_same_fields() {
    let schemas = schema::all();
    let (_, schema) = schemas.iter().find(|(name, _)| *name == "ParsedRecipe").unwrap();
    let recipe = serde_json::to_value(soup()).unwrap();
    let fields: Vec<&str> = recipe.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(property_names(schema.as_value()), fields);
    assert_eq!(schema.as_value()["properties"]["calories"]["type"], json!(["number", "null"]));
    assert_eq!(schema.as_value()["required"], json!(["title"]));
}

/// `recipes/schemas/*.json` are what readers in other languages take. Written anew with `UPDATE_SCHEMAS=1 cargo test`.
#[test]
fn the_schema_files_are_those_of_the_types() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, schema) in schema::all() {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(file, text, "{} is not the schema of the type; run the test with UPDATE_SCHEMAS=1", path.display());
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), schema::all().len(), "a schema file without a type");
}

fn recipe() -> impl Strategy<Value = ParsedRecipe> {
    (
        "\\PC*[a-z]\\PC*",
        proptest::option::of("\\PC*"),
        proptest::option::of(0.0..100_000.0f64),
        proptest::collection::vec("\\PC*", 0..4),
        proptest::option::of(any::<u32>()),
        proptest::option::of(0i64..4_102_444_800_000),
    )
        .prop_map(|(title, submitter, calories, ingredients, total_time, at)| ParsedRecipe {
            title,
            submitter,
            calories,
            ingredients,
            total_time,
            parsed_at: at
                .map(|ms| time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap()),
            extractor: Some(Extractor::Microdata),
            schema_version: SCHEMA_VERSION,
            ..soup()
        })
}

proptest! {
    #[test]
    fn recipes_read_back_as_written(recipe in recipe()) {
        prop_assert_eq!(ParsedRecipe::from_json(&recipe.to_json().unwrap()), Ok(recipe));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ParsedRecipe::from_json(&bytes);
    }
}

#[test]
fn a_state_is_the_same_from_owned_and_from_borrowed_parts() {
    let (rule, url) = ("rich".to_owned(), "https://a.example/\"soup\"".to_owned());
    for (value, alerted_at, version) in
        [(None, None, None), (Some(200.5), Some(datetime!(2026-11-21 12:00 UTC)), Some("00c0ffee"))]
    {
        let (rule, url, verdict) = (rule.clone(), url.clone(), Verdict::Above);
        let borrowed = AlertState::json_of(&rule, &url, verdict, value, alerted_at, version).unwrap();
        let rule_version = version.unwrap_or_default().to_owned();
        let owned = AlertState { rule, url, verdict, value, alerted_at, rule_version };
        assert_eq!(borrowed, owned.to_json().unwrap());
    }
}

#[test]
fn an_event_with_calories_that_cannot_be_is_refused() {
    let event = |calories: &str| {
        SiteEvent::from_json(
            format!(r#"{{"kind":"recipe","at":"2026-11-21T12:00:00Z","calories":{calories}}}"#).as_bytes(),
        )
    };
    assert_eq!(event("310").unwrap().calories, Some(310.0));
    for wrong in ["1e308", "-1"] {
        assert!(event(wrong).unwrap_err().to_string().starts_with("calories is "), "{wrong}");
    }
}
