//! `send-test`.

use std::io::Write;

use recipes::{Alert, ParsedRecipe};
use service_kit::settings::Source;
use service_kit::{Exit, Failure};
use time::OffsetDateTime;

use crate::channels::notice::Notice;
use crate::rules::{Rule, RuleSource};

/// `send-test CHANNEL`: delivers a made-up alert at once, past quiet hours and digests.
///
/// # Errors
/// No such channel, a secret is missing (exit code 64), or it was not delivered (69).
pub fn send_test(from: &mut Source, arguments: &[String]) -> Result<(), Failure> {
    let source = RuleSource::read(from);
    from.problems_only()?;
    let [name] = arguments else {
        return Err(Failure::usage("send-test takes the name of a channel in the rules' file"));
    };
    let channels = source.load()?.channels;
    let Some(spec) = channels.iter().find(|spec| spec.name == *name) else {
        let names: Vec<&str> = channels.iter().map(|spec| &*spec.name).collect();
        let there = if names.is_empty() { "none; set --rules".to_owned() } else { names.join(", ") };
        return Err(Failure::usage(format!("no channel {name:?}; there are: {there}")));
    };
    let sender = spec.sender().map_err(|problem| Failure::usage(format!("channel {name}: {problem}")))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::software(error.to_string()))?;
    let notice = Notice::one(sample()?);
    runtime
        .block_on(sender.send(&notice))
        .map_err(|undelivered| Failure::new(Exit::Unavailable, format!("channel {name}: {}", undelivered.reason)))?;
    let written = writeln!(std::io::stdout(), "sent to {name}: {}", notice.text());
    written.map_err(|error| Failure::io(format!("cannot write to stdout: {error}")))
}

fn sample() -> Result<Alert, Failure> {
    let recipe = ParsedRecipe {
        title: "Test of this channel".to_owned(),
        url: "https://example.com/test".to_owned(),
        site: "example.com".to_owned(),
        calories: Some(310.0),
        ..ParsedRecipe::default()
    };
    let now = OffsetDateTime::now_utc();
    let rule = Rule::calories_above(200.0).map_err(Failure::software)?;
    Ok(rule.alert(uuid::Uuid::new_v4(), &recipe, &recipe.url, None, now))
}
