//! `check-rules` and `test-rule`.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;

use recipes::{ParsedRecipe, Verdict};
use service_kit::settings::Source;
use service_kit::{Exit, Failure};
use time::OffsetDateTime;

use crate::rules::condition::{Condition, context};
use crate::rules::facts::Facts;
use crate::rules::{Rule, RuleSet, RuleSource, file};

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
        let _ = writeln!(text, "{}: {} when {}", rule.name, rule.severity.as_str(), one_line(&rule.when));
    }
    let _ = writeln!(
        text,
        "{} in order",
        if rules.iter().count() == 1 { "1 rule".to_owned() } else { format!("{} rules", rules.iter().count()) }
    );
    print(&text)
}

/// `test-rule RULE FILE.json`: says what a rule makes of a recipe, and why.
///
/// # Errors
/// No such rule or wrong rules (exit code 64), a file that is missing (66) or no recipe (65).
pub fn test_rule(from: &mut Source, arguments: &[String]) -> Result<(), Failure> {
    let source = RuleSource::read(from);
    from.problems_only()?;
    let [name, path] = arguments else {
        return Err(Failure::usage("test-rule takes a rule and a file with a recipe as JSON (- for stdin)"));
    };
    let rules = source.load()?.rules;
    let rule = rules.get(name).ok_or_else(|| no_rule(name, &rules))?;
    let json = read(path).map_err(|error| Failure::new(Exit::NoInput, format!("cannot read {path}: {error}")))?;
    let recipe = ParsedRecipe::from_json(&json)
        .map_err(|error| Failure::new(Exit::Data, format!("{path} is no recipe: {error}")))?;
    print(&explain(rule, &recipe))
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

/// What a rule makes of a recipe it has not seen before.
fn explain(rule: &Rule, recipe: &ParsedRecipe) -> String {
    let facts = Facts::of(recipe, rule.fields());
    let verdict = rule.verdict(&context(&facts), None);
    let mut text = match verdict {
        Some(Verdict::Above) => format!("{}: ALERT\n", rule.name),
        Some(Verdict::Below) => format!("{}: no alert, the condition does not hold\n", rule.name),
        None => format!("{}: no alert, the recipe does not say what the rule asks for\n", rule.name),
    };
    describe(&mut text, "when", &rule.when, recipe);
    if let Some(clear) = &rule.clear {
        describe(&mut text, "clear", clear, recipe);
    }
    let json = serde_json::to_value(recipe).unwrap_or_default();
    for field in rule.fields().names() {
        let _ = writeln!(text, "  {field} is {}", json[field]);
    }
    if verdict == Some(Verdict::Above) {
        let now = OffsetDateTime::now_utc();
        let alert = rule.alert(uuid::Uuid::nil(), recipe, recipe.identity(), None, now);
        let channels = if alert.channels.is_empty() { "all".to_owned() } else { alert.channels.join(", ") };
        let quiet = if alert.quiet { ", quiet at this hour" } else { "" };
        let _ = writeln!(text, "  {} to {channels}{quiet}: {}", rule.severity.as_str(), alert.message);
    }
    text
}

fn describe(text: &mut String, name: &str, condition: &Condition, recipe: &ParsedRecipe) {
    let _ = writeln!(text, "  {name} {}", one_line(condition));
    for part in condition.explain(recipe) {
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
        let text = explain(rules.get("rich").unwrap(), &recipe);
        assert_eq!(
            text,
            "rich: ALERT\n  when calories > 200 && !('vegan' in category)\n    calories > 200 -> true\n    \
             'vegan' in category -> false\n  calories is 310\n  category is []\n  \
             warning to all: Alert: Pie calories count is 310\n"
        );
        let text = explain(rules.get("rich").unwrap(), &ParsedRecipe { calories: None, ..recipe });
        assert!(text.contains("does not say") && text.contains("calories > 200 -> unknown"), "{text}");
    }
}
