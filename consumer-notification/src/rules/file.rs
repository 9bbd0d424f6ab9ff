//! The rules' file. Channels stand in it too; see [`ChannelSpec`].
//!
//! ```toml
//! timezone = "Europe/Vienna"          # of quiet hours; UTC unless told
//!
//! [[rule]]
//! name = "calories"
//! when = "calories > 200"
//! clear = "calories < 180"            # optional: an alert can come again only after this held
//! cooldown = "6h"                     # optional: least time between two alerts for one recipe
//! severity = "warning"                # info, warning or critical
//! message = "{{ title }}: {{ calories }} kcal"
//! channels = ["log"]                  # all unless told
//! quiet_hours = "22:00-07:00"
//!
//! [[rule]]
//! name = "noisy-source"
//! per = "site"                        # asked about each site; recipe unless told
//! when = "stats.alerts_last_hour > 20"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use recipes::{Per, Severity};
use serde::Deserialize;
use service_kit::settings::Value as _;
use toml::Spanned;

use crate::channels::{ChannelSpec, LOG};
use crate::rules::condition::Condition;
use crate::rules::message::Message;
use crate::rules::quiet::QuietHours;
use crate::rules::rule::{Rule, RuleSet};

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    timezone: Option<Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<Entry>>,
    #[serde(default)]
    channel: BTreeMap<String, Spanned<toml::Table>>,
}

/// What a file has.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The rules.
    pub rules: RuleSet,
    /// The channels besides the log.
    pub channels: Vec<ChannelSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    #[serde(default)]
    per: Per,
    when: Spanned<String>,
    clear: Option<Spanned<String>>,
    cooldown: Option<Spanned<String>>,
    #[serde(default)]
    severity: Severity,
    message: Option<Spanned<String>>,
    #[serde(default)]
    channels: Vec<Spanned<String>>,
    quiet_hours: Option<Spanned<String>>,
}

/// Reads and checks a file.
///
/// # Errors
/// The first thing that is wrong, in one line with file and line number.
pub fn read(path: &Path) -> Result<Config, String> {
    let name = path.display().to_string();
    let size = std::fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("{name}: has {size} bytes; rules take {MAX_BYTES} at most"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    parse(&name, &text)
}

/// Checks the text of a file of that name.
///
/// # Errors
/// As [`read`].
pub fn parse(name: &str, text: &str) -> Result<Config, String> {
    let reader = Reader { name, text };
    let file: File = toml::from_str(text).map_err(|error| {
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        reader.at(error.span().map_or(0, |span| span.start), &message)
    })?;
    let zone = match &file.timezone {
        None => TimeZone::UTC,
        Some(zone) => TimeZone::get(zone.get_ref()).map_err(|_| {
            reader.wrong(zone, "timezone", "no time zone of that name; expected one as in Europe/Paris")
        })?,
    };
    let mut channels = Vec::new();
    for (channel, table) in file.channel {
        let offset = table.span().start;
        let wrong = |problem: String| reader.at(offset, &format!("channel {channel}, {problem}"));
        if channel == LOG {
            return Err(wrong("the name of the channel that prints alerts; choose another".to_owned()));
        }
        channels.push(ChannelSpec::read(&channel, table.into_inner(), &zone).map_err(wrong)?);
    }
    if file.rule.is_empty() {
        return Err(format!("{name}: no rules; each begins with [[rule]]"));
    }
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for entry in &file.rule {
        let rule = reader.rule(entry.get_ref(), &zone, &channels)?;
        if !names.insert(rule.name.clone()) {
            return Err(reader.wrong(&entry.get_ref().name, "name", "another rule has it already"));
        }
        rules.push(rule);
    }
    Ok(Config { rules: RuleSet::new(rules), channels })
}

struct Reader<'t> {
    name: &'t str,
    text: &'t str,
}

impl Reader<'_> {
    fn rule(&self, entry: &Entry, zone: &TimeZone, channels: &[ChannelSpec]) -> Result<Rule, String> {
        let name = entry.name.get_ref();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(self.wrong(&entry.name, "name", "expected letters, digits, - and _"));
        }
        let wrong = |value: &Spanned<String>, field: &str, problem: &str| {
            self.wrong(value, &format!("rule {name}, {field}"), problem)
        };
        let condition = |value: &Spanned<String>, field: &str| {
            Condition::compile_for(value.get_ref(), entry.per).map_err(|problem| wrong(value, field, &problem))
        };
        let mut rule = Rule::new(name, condition(&entry.when, "when")?);
        rule.per = entry.per;
        rule.severity = entry.severity;
        rule.clear = entry.clear.as_ref().map(|clear| condition(clear, "clear")).transpose()?;
        if let Some(cooldown) = &entry.cooldown {
            rule.cooldown =
                Duration::parse(cooldown.get_ref()).map_err(|problem| wrong(cooldown, "cooldown", &problem))?;
        }
        if let Some(message) = &entry.message {
            let compiled = Message::compile(message.get_ref(), entry.per)
                .map_err(|problem| wrong(message, "message", &problem))?;
            rule.message = Some(compiled);
        }
        if let Some(hours) = &entry.quiet_hours {
            let parsed = QuietHours::parse(hours.get_ref(), zone.clone());
            rule.quiet = Some(parsed.map_err(|problem| wrong(hours, "quiet_hours", &problem))?);
        }
        for channel in &entry.channels {
            let mut names = channels.iter().map(|spec| &*spec.name).chain([LOG]);
            if !names.any(|name| name == channel.get_ref()) {
                let there: Vec<&str> = channels.iter().map(|spec| &*spec.name).chain([LOG]).collect();
                let problem = format!("there is no channel of that name; there is {}", there.join(", "));
                return Err(wrong(channel, "channels", &problem));
            }
            rule.channels.push(channel.get_ref().clone());
        }
        Ok(rule)
    }

    fn wrong(&self, value: &Spanned<String>, what: &str, problem: &str) -> String {
        let text = value.get_ref().trim();
        let quoted = problem.contains(&format!("`{text}`"));
        let shown = if quoted { String::new() } else { format!(" {text:?}") };
        self.at(value.span().start, &format!("{what}{shown}: {problem}"))
    }

    fn at(&self, offset: usize, problem: &str) -> String {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}: {problem}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_documentation_is_in_order() {
        let doc = include_str!("file.rs").lines().skip_while(|line| *line != "//! ```toml").skip(1);
        let doc: Vec<&str> = doc.take_while(|line| *line != "//! ```").map(|line| line[3..].trim_start()).collect();
        let rules = parse("rules.toml", &doc.join("\n")).unwrap().rules;
        let rule = rules.get("calories").unwrap();
        assert_eq!(
            (rule.cooldown.as_secs(), rule.severity, &*rule.channels),
            (6 * 3600, Severity::Warning, &["log".to_owned()][..])
        );
        assert!(rule.clear.is_some() && rule.message.is_some() && rule.quiet.is_some());
    }

    #[test]
    fn what_is_wrong_is_one_line_with_its_place() {
        let rule = "[[rule]]\nname = \"a\"\nwhen = \"calories > 200\"\n";
        for (text, said) in [
            ("", "r.toml: no rules"),
            ("[[rule]]\nname = \"a\"\n", "r.toml:1: missing field `when`"),
            ("[[rule]]\nname = \"a\"\nper = \"page\"\nwhen = \"true\"\n", "r.toml:3: unknown variant `page`"),
            (
                "[[rule]]\nname = \"a\"\nper = \"site\"\nwhen = \"calories > 1\"\n",
                "r.toml:4: rule a, when \"calories > 1\"",
            ),
            ("[[rule]]\nname = \"a b\"\nwhen = \"true\"\n", "r.toml:2: name \"a b\": expected letters"),
            ("[[rule]]\nname = \"a\"\nwhen = \"kcal > 1\"\n", "r.toml:3: rule a, when \"kcal > 1\": no recipe has"),
            (&format!("{rule}cooldown = \"soon\"\n"), "r.toml:4: rule a, cooldown \"soon\": expected a time"),
            (&format!("{rule}severity = \"loud\"\n"), "r.toml:4: unknown variant `loud`"),
            (&format!("{rule}colour = 1\n"), "r.toml:4: unknown field `colour`"),
            (&format!("{rule}channels = [\"mail\"]\n"), "r.toml:4: rule a, channels \"mail\": there is no channel"),
            (&format!("{rule}quiet_hours = \"at night\"\n"), "r.toml:4: rule a, quiet_hours"),
            (&format!("{rule}message = \"{{{{ x }}}}\"\n"), "r.toml:4: rule a, message"),
            (&format!("{rule}[channel.ops]\ntype = \"pigeon\"\n"), "r.toml:4: channel ops, type: expected webhook"),
            (&format!("timezone = \"Vienna\"\n{rule}"), "r.toml:1: timezone \"Vienna\""),
            (&format!("{rule}{rule}"), "r.toml:5: name \"a\": another rule"),
        ] {
            let error = parse("r.toml", text).unwrap_err();
            assert!(error.starts_with(said) && !error.contains('\n'), "{text}\n{error}");
        }
    }
}
