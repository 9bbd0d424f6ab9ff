//! Recipes a second through the notifier's rules, on one core: `cargo run --release -p bench --bin rules`.
//!
//! Each round gives every recipe to the engine as a record of `parsed_recipes`, JSON and all, with 20 rules. In the first
//! round every recipe is new and every rule's word is written; the rounds after it are republished recipes, and in each a
//! tenth of them has other calories. What the statistics of sites cost a recipe, in a thread of their own, follows. Time is
//! that of the thread on a core, whatever else the machine does.

use std::time::Duration;

use anyhow::{Result, anyhow};
use consumer_notification::rules::file;
use consumer_notification::{Engine, OnRuleChange, stats};
use recipes::{ParsedRecipe, topics};
use service_kit::kafka::{Outcome, Place, Record};
use time::OffsetDateTime;

const RECIPES: usize = 50_000;
const ROUNDS: usize = 5;

const CONDITIONS: [&str; 20] = [
    "calories > 200",
    "calories > 400 && 'dessert' in category",
    "calories > 600 || nutrition.fat.value > 40",
    "total_time < 30 && !ingredients.exists(i, i.contains('peanut'))",
    "title.contains('Pie')",
    "site == 'a.example' && calories > 500",
    "rating.value >= 4.5 && rating.count > 100",
    "size(ingredients) > 12",
    "'vegan' in category && calories < 300",
    "cuisine.exists(c, c == 'Italian')",
    "prep_time < 10 || cook_time < 10",
    "nutrition.protein.value > 30",
    "nutrition.sugar.value > 25 && calories > 300",
    "servings >= 8",
    "language == 'de'",
    "extractor == 'heuristics' && calories > 1000",
    "description.contains('quick')",
    "url.startsWith('https://')",
    "has(nutrition.sodium) && nutrition.sodium.value > 800",
    "!('soup' in category) && calories > 250 && total_time > 60",
];

fn main() -> Result<()> {
    let mut engine = engine()?;
    for round in 0..ROUNDS {
        let records = records(round)?;
        let now = OffsetDateTime::now_utc();
        let (began, mut written) = (busy(), 0);
        for record in &records {
            match engine.decide(record, now) {
                Outcome::Done { outputs, after, .. } => written += outputs.len() + after.len(),
                other => return Err(anyhow!("{other:?}")),
            }
        }
        let rate = RECIPES as f64 / (busy() - began).as_secs_f64();
        let what = if round == 0 { "new recipes" } else { "republished" };
        println!("{what}: {rate:.0} recipes/s through {} rules, {written} records to write", CONDITIONS.len());
    }
    let (records, now) = (records(0)?, OffsetDateTime::now_utc());
    let began = busy();
    let told = records.iter().filter_map(|record| stats::told(record, now)).count();
    let rate = RECIPES as f64 / (busy() - began).as_secs_f64();
    println!("statistics: {rate:.0} recipes/s told of, {told} records to write");
    Ok(())
}

/// Time this thread was on a core.
fn busy() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn engine() -> Result<Engine> {
    let rules: Vec<String> = CONDITIONS
        .iter()
        .enumerate()
        .map(|(index, when)| format!("[[rule]]\nname = \"rule-{index}\"\nwhen = \"\"\"{when}\"\"\"\n"))
        .collect();
    let rules = file::parse("rules", &rules.concat()).map_err(|error| anyhow!(error))?.rules;
    Ok(Engine::new(&rules, OnRuleChange::Silent))
}

fn records(round: usize) -> Result<Vec<Record>> {
    let place = Place::new(topics::PARSED_RECIPES, 0);
    (0..RECIPES)
        .map(|index| {
            let changed = if index % 10 == round { 150 } else { 0 };
            let recipe: ParsedRecipe = serde_json::from_value(serde_json::json!({
                "title": format!("Plum Pie {index}"), "submitter": "Ann", "description": "A quick one for every day.",
                "calories": if index % 7 == 0 { None } else { Some(50 + index % 700 + changed) },
                "ingredients": ["2 eggs", "300 g flour", "200 ml milk", "1 kg plums", "100 g butter", "salt", "sugar"],
                "url": format!("https://a.example/recipes/plum-pie-{index}/"), "site": "a.example", "language": "en",
                "yields": "4 servings", "servings": 4, "prep_time": 15, "cook_time": 45, "total_time": 60,
                "instructions": ["Mix the dough.", "Put the plums on it.", "Bake for three quarters of an hour."],
                "nutrition": {"fat": {"value": 12, "unit": "g"}, "protein": {"value": 6, "unit": "g"}},
                "rating": {"value": 4.5, "count": 20}, "category": ["dessert"], "cuisine": ["Austrian"],
                "published_at": "2020-01-02", "parsed_at": "2026-11-20T13:30:00Z", "extractor": "json-ld",
                "schema_version": 1,
            }))?;
            let value = Some(recipe.to_json()?);
            let key = Some(recipe.url.into_bytes());
            Ok(Record { place: place.clone(), offset: index as i64, timestamp_ms: 0, key, value, headers: Vec::new() })
        })
        .collect()
}
