//! `check-rules` and `test-rule`.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;

use recipes::{ParsedRecipe, Per, Verdict};
use service_kit::settings::Source;
use service_kit::{Exit, Failure};
use time::OffsetDateTime;

use crate::rules::condition::{Condition, context};
use crate::rules::facts::{Facts, STATS};
use crate::rules::{Rule, RuleSet, RuleSource, file};
use crate::stats::window::SiteNumbers;

/// `check-rules [FILE]`: says what is in a rules' file, or what is wrong with it.
///
/// # Errors
/// The file is wrong (exit code 64).
pub fn check_rules(from: &mut Source, arguments: &[String]) -> Result<(), Failure> {
    let source = RuleSource::read(from);
    from.problems_only()?;
    let config = match arguments {
        [] => source.load()?,
        [path] => file::read(Path::new(path)).map_err(Failure::usage)?,
        _ => return Err(Failure::usage("check-rules takes one file, or --rules")),
    };
    let (mut text, rules) = (String::new(), config.rules);
    for rule in rules.iter() {
        // Writing to a text cannot fail.
        let per = if rule.per == Per::Site { " per site" } else { "" };
        let _ = writeln!(text, "{}: {}{per} when {}", rule.name, rule.severity.as_str(), one_line(&rule.when));
    }
    let _ = writeln!(
        text,
        "{} in order",
        if rules.iter().count() == 1 { "1 rule".to_owned() } else { format!("{} rules", rules.iter().count()) }
    );
    print(&text)
}

/// `test-rule RULE [FILE.json] [--stats NAME=NUMBER,...]`: says what a rule makes of a recipe or site, and why.
///
/// # Errors
/// No such rule, wrong rules or statistics that are missing (exit code 64), a file that is missing (66) or no recipe (65).
pub fn test_rule(from: &mut Source, arguments: &[String]) -> Result<(), Failure> {
    let source = RuleSource::read(from);
    let stats = from
        .get::<Vec<String>>(
            "stats",
            "What test-rule takes for the last hour of the site, alerts_last_hour=25 and so on",
        )
        .maybe();
    from.problems_only()?;
    let usage = "test-rule takes a rule and, unless it is per site, a file with a recipe as JSON (- for stdin)";
    let (name, path) = match arguments {
        [name] => (name, None),
        [name, path] => (name, Some(path)),
        _ => return Err(Failure::usage(usage)),
    };
    let rules = source.load()?.rules;
    let rule = rules.get(name).ok_or_else(|| no_rule(name, &rules))?;
    let stats = stats.map(|pairs| numbers(&pairs)).transpose().map_err(Failure::usage)?;
    if rule.fields().stats() && stats.is_none() {
        return Err(Failure::usage(format!(
            "rule {name} asks for {STATS}: say what they are, as in --stats alerts_last_hour=25,recipes_last_hour=40"
        )));
    }
    let stats = stats.unwrap_or_default();
    let subject = match (rule.per, path) {
        (Per::Site, None) => Subject::Site("site.example".to_owned(), stats),
        (Per::Site, Some(_)) => {
            return Err(Failure::usage(format!("rule {name} is per site: it takes --stats and no recipe")));
        }
        (Per::Recipe, None) => return Err(Failure::usage(usage)),
        (Per::Recipe, Some(path)) => {
            let json =
                read(path).map_err(|error| Failure::new(Exit::NoInput, format!("cannot read {path}: {error}")))?;
            let recipe = ParsedRecipe::from_json(&json)
                .map_err(|error| Failure::new(Exit::Data, format!("{path} is no recipe: {error}")))?;
            Subject::Recipe(Box::new(recipe), stats)
        }
    };
    print(&explain(rule, &subject))
}

/// What a rule is tried on, with the last hour of the site.
enum Subject {
    Recipe(Box<ParsedRecipe>, SiteNumbers),
    Site(String, SiteNumbers),
}

/// Statistics as they are given, `alerts_last_hour=25`; what is not named is 0, or unknown.
fn numbers(pairs: &[String]) -> Result<SiteNumbers, String> {
    let mut named = serde_json::Map::new();
    for pair in pairs {
        let (name, number) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, number) = (name.trim(), number.trim());
        if !SiteNumbers::NAMES.contains(&name) {
            return Err(format!("{STATS} have no {name:?}; there are {}", SiteNumbers::NAMES.join(", ")));
        }
        let value = serde_json::from_str(number).map_err(|_| format!("{STATS}, {name}: {number:?} is no number"))?;
        named.insert(name.to_owned(), value);
    }
    serde_json::from_value(named.into()).map_err(|error| format!("{STATS}: {error}"))
}

fn no_rule(name: &str, rules: &RuleSet) -> Failure {
    let names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
    Failure::usage(format!("no rule {name:?}; there are: {}", names.join(", ")))
}

fn read(path: &str) -> std::io::Result<Vec<u8>> {
    if path != "-" {
        return std::fs::read(path);
    }
    let mut json = Vec::new();
    std::io::stdin().read_to_end(&mut json)?;
    Ok(json)
}

/// What a rule makes of a recipe or site it has not seen before.
fn explain(rule: &Rule, subject: &Subject) -> String {
    let (facts, what, stats) = match subject {
        Subject::Recipe(recipe, stats) => (Facts::of(recipe, rule.fields()).with_stats(stats), "recipe", stats),
        Subject::Site(site, stats) => (Facts::of_site(site, stats), "site", stats),
    };
    let verdict = rule.verdict(&context(&facts), None);
    let mut text = match verdict {
        Some(Verdict::Above) => format!("{}: ALERT\n", rule.name),
        Some(Verdict::Below) => format!("{}: no alert, the condition does not hold\n", rule.name),
        None => format!("{}: no alert, the {what} does not say what the rule asks for\n", rule.name),
    };
    describe(&mut text, "when", &rule.when, &facts);
    if let Some(clear) = &rule.clear {
        describe(&mut text, "clear", clear, &facts);
    }
    let json = match subject {
        Subject::Recipe(recipe, _) => serde_json::to_value(recipe).unwrap_or_default(),
        Subject::Site(site, _) => serde_json::json!({ "site": site }),
    };
    for field in rule.fields().names() {
        let _ = writeln!(text, "  {field} is {}", json[field]);
    }
    if rule.fields().stats() {
        let _ = writeln!(text, "  {STATS} is {}", serde_json::to_value(stats).unwrap_or_default());
    }
    if verdict == Some(Verdict::Above) {
        let (id, now) = (uuid::Uuid::nil(), OffsetDateTime::now_utc());
        let alert = match subject {
            Subject::Recipe(recipe, _) => rule.alert(id, recipe, recipe.identity(), None, now),
            Subject::Site(site, stats) => rule.site_alert(id, site, stats, now),
        };
        let channels = if alert.channels.is_empty() { "all".to_owned() } else { alert.channels.join(", ") };
        let quiet = if alert.quiet { ", quiet at this hour" } else { "" };
        let _ = writeln!(text, "  {} to {channels}{quiet}: {}", rule.severity.as_str(), alert.message);
    }
    text
}

fn describe(text: &mut String, name: &str, condition: &Condition, facts: &Facts<'_>) {
    let _ = writeln!(text, "  {name} {}", one_line(condition));
    for part in condition.explain(facts) {
        let result = part.result.map_or_else(|why| why, |holds| holds.to_string());
        let _ = writeln!(text, "    {} -> {result}", part.source.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

fn one_line(condition: &Condition) -> String {
    condition.source().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn print(text: &str) -> Result<(), Failure> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::io(format!("cannot write to stdout: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_explained() {
        let rules = "[[rule]]\nname = \"rich\"\nwhen = \"\"\"calories > 200\n && !('vegan' in category)\"\"\"\n";
        let rules = file::parse("r.toml", rules).unwrap().rules;
        let recipe = ParsedRecipe { title: "Pie".to_owned(), calories: Some(310.0), ..ParsedRecipe::default() };
        let explain = |recipe: &ParsedRecipe| {
            let subject = Subject::Recipe(Box::new(recipe.clone()), SiteNumbers::default());
            super::explain(rules.get("rich").unwrap(), &subject)
        };
        let text = explain(&recipe);
        assert_eq!(
            text,
            "rich: ALERT\n  when calories > 200 && !('vegan' in category)\n    calories > 200 -> true\n    \
             'vegan' in category -> false\n  calories is 310\n  category is []\n  \
             warning to all: Alert: Pie calories count is 310\n"
        );
        let text = explain(&ParsedRecipe { calories: None, ..recipe });
        assert!(text.contains("does not say") && text.contains("calories > 200 -> unknown"), "{text}");
    }

    #[test]
    fn a_rule_per_site_is_explained_with_the_numbers_given() {
        let rules = "[[rule]]\nname = \"noisy\"\nper = \"site\"\nwhen = \"stats.alerts_last_hour > 20\"\n";
        let rules = file::parse("r.toml", rules).unwrap().rules;
        let given = numbers(&["alerts_last_hour=25".to_owned(), "mean_calories = 310.5".to_owned()]).unwrap();
        let text = explain(rules.get("noisy").unwrap(), &Subject::Site("a.example".to_owned(), given));
        assert_eq!(
            text,
            "noisy: ALERT\n  when stats.alerts_last_hour > 20\n    stats.alerts_last_hour > 20 -> true\n  \
             stats is {\"alerts_last_hour\":25,\"failures_last_hour\":0,\"mean_calories\":310.5,\"recipes_last_hour\":0}\n  \
             warning to all: Alert: a.example: noisy (25 alerts, 0 recipes, 0 failures in the last hour)\n"
        );
        let wrong = |pair: &str| numbers(&[pair.to_owned()]).unwrap_err();
        assert!(wrong("alerts=3").contains("there are alerts_last_hour, recipes_last_hour"));
        assert!(wrong("alerts_last_hour=many").contains("\"many\" is no number"));
        assert!(wrong("alerts_last_hour=-1").contains("-1"));
    }
}
