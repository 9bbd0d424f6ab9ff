//! Subscriptions by regular expression (RE2's syntax, as Kafka has it through RE2/J).
//!
//! An expression is resolved to topic names apart from the heartbeat that brings it, and the result is stored: all
//! expressions of a group together, not more often than every ten seconds, when one is new, when topics were created,
//! or when the last time is long ago.

use std::collections::BTreeSet;

use regex::Regex;
use regex_syntax::ast::ErrorKind;
use tracing::info;

use super::group::ConsumerGroup;
use super::plan::Plan;
use crate::groups::GroupError;
use crate::groups::record::{ConsumerMetadataValue, ConsumerPart, GroupRecord, Name, RegexValue};
use crate::groups::request::Rejected;
use crate::groups::shard::{Effects, Group, Shard, Then};
use crate::groups::time::Now;
use crate::groups::topics::{Topics, metadata_hash};

/// A group's expressions are not resolved again within this time (a constant in Kafka too).
const MIN_INTERVAL_MS: i64 = 10_000;

/// How a member's regular expression changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub changed: bool,
    /// Changed to one whose topics are known already, or to none.
    pub changed_and_resolved: bool,
}

/// Writes what a change of the member's expression means, and says whether the group's have to be resolved.
pub(crate) fn look(plan: &mut Plan<'_>) -> Result<Look, Rejected> {
    let (old, new) = (plan.before.regex().cloned(), plan.member.regex().cloned());
    let mut look = Look::default();
    let mut resolve = false;
    if plan.before.value.topic_regex != plan.member.value.topic_regex {
        look.changed = true;
        if let Some(old) = old.as_ref().filter(|old| plan.group.regex_subscribers(old) == 1) {
            plan.push(ConsumerPart::Regex(old.clone(), None));
        }
        match &new {
            Some(new) if plan.group.regex_subscribers(new) == 0 => {
                compile(new).map_err(|error| {
                    let message = format!("SubscribedTopicRegex `{new}` is not a valid regular expression: {error}.");
                    Rejected::new(GroupError::InvalidRegularExpression, message)
                })?;
                resolve = true;
            }
            Some(new) => look.changed_and_resolved = plan.group.regexes().contains_key(new),
            None => look.changed_and_resolved = old.is_some(),
        }
    }
    plan.resolve = must_resolve(plan, old.as_ref(), new.as_ref(), resolve);
    Ok(look)
}

fn must_resolve(plan: &Plan<'_>, old: Option<&Name>, new: Option<&Name>, is_new: bool) -> bool {
    let mut subscribed = subscribed(plan.group);
    if !is_new && subscribed.is_empty() || plan.context.resolving {
        return false;
    }
    let now = plan.context.now.unix_ms;
    let resolved = plan.group.regexes();
    let last = resolved.values().map(|value| value.timestamp).max().unwrap_or(i64::MIN);
    if now <= last.saturating_add(MIN_INTERVAL_MS) {
        return false;
    }
    if let Some(old) = old.filter(|old| plan.group.regex_subscribers(old) == 1) {
        subscribed.remove(old);
    }
    subscribed.extend(new);
    let version = resolved.values().map(|value| value.version).max().unwrap_or(0);
    let refresh_ms = i64::from(plan.context.config.consumer.regex_refresh_interval_ms);
    let stale = subscribed.len() != resolved.len()
        || version < plan.context.topic_created_at
        || now > last.saturating_add(refresh_ms);
    (is_new || stale) && !subscribed.is_empty()
}

fn subscribed(group: &ConsumerGroup) -> BTreeSet<&Name> {
    group.members().filter_map(|member| member.regex()).collect()
}

impl Shard {
    /// Resolves the group's regular expressions, and bumps its epoch if that changes what it reads.
    pub(crate) fn resolve_regexes(&mut self, now: Now, id: &Name, fx: &mut Effects) {
        let topics = std::sync::Arc::clone(&self.topics);
        let Some(Group::Consumer(group)) = self.groups.get(id) else { return };
        let (version, timestamp) = (topics.version(), now.unix_ms);
        let mut after = group.clone();
        let mut changed = false;
        for regex in subscribed(group).into_iter().cloned() {
            let value = RegexValue { topics: matching(&regex, &*topics), version, timestamp };
            let old = group.regexes().get(&regex).map(|old| &old.topics[..]).unwrap_or_default();
            changed |= old != value.topics;
            let part = ConsumerPart::Regex(regex, Some(value));
            after.replay(part.clone());
            fx.records.push(GroupRecord::Consumer { group: id.clone(), part });
        }
        let names: BTreeSet<&Name> = after.members().flat_map(|member| after.topics_of(member)).collect();
        let metadata_hash = metadata_hash(&*topics, names.into_iter());
        if changed || metadata_hash != group.metadata_hash {
            let epoch = group.epoch + 1;
            info!(group = &**id, epoch, "group epoch bumped: its regular expressions match other topics");
            let part = ConsumerPart::Metadata(Some(ConsumerMetadataValue { epoch, metadata_hash }));
            fx.records.push(GroupRecord::Consumer { group: id.clone(), part });
        }
        fx.then = Then::Replay;
    }
}

/// The topics whose whole name the expression matches, in order.
fn matching(regex: &str, topics: &dyn Topics) -> Vec<Name> {
    let mut names = Vec::new();
    // It compiled when it was brought. One from the log of another broker may not compile here: it matches nothing.
    if let Ok(regex) = compile(regex) {
        topics.for_each_name(&mut |name| {
            if regex.is_match(name) {
                names.push(Name::from(name));
            }
        });
    }
    names.sort();
    names
}

/// The expression, to match whole names. On errors, what RE2/J says.
fn compile(regex: &str) -> Result<Regex, String> {
    let plain = without_quotes(regex);
    // By itself first: `a)(b` only makes sense within the anchors.
    regex_syntax::parse(&plain).map_err(|error| describe(&error))?;
    Regex::new(&format!(r"\A(?:{plain})\z")).map_err(|error| error.to_string())
}

/// An error in RE2/J's words, where it has any for it.
fn describe(error: &regex_syntax::Error) -> String {
    let regex_syntax::Error::Parse(error) = error else { return error.to_string() };
    let words = match error.kind() {
        ErrorKind::ClassUnclosed => "missing closing ]",
        ErrorKind::ClassRangeInvalid => "invalid character class range",
        ErrorKind::GroupUnclosed => "missing closing )",
        ErrorKind::GroupUnopened => "unexpected )",
        ErrorKind::RepetitionMissing => "missing argument to repetition operator",
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => "invalid escape sequence",
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression",
        kind => return kind.to_string(),
    };
    words.to_owned()
}

/// RE2 takes `\Q...\E` for literal text, which this crate does not know.
fn without_quotes(regex: &str) -> String {
    let mut plain = String::with_capacity(regex.len());
    let mut rest = regex;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        if let Some(quoted) = escape.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            plain.push_str(&regex::escape(literal));
            rest = after;
        } else {
            // An escape and what it escapes, which may be a backslash.
            let end = escape.chars().take(2).map(char::len_utf8).sum();
            plain.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(regex: &str, name: &str) -> bool {
        compile(regex).unwrap().is_match(name)
    }

    #[test]
    fn whole_names_are_matched() {
        assert!(matches("raw.*", "raw_recipes"));
        assert!(!matches("raw", "raw_recipes"));
        assert!(compile("a)(b").is_err());
        assert!(matches("a|b", "b"));
        assert!(!matches("a|b", "ab"));
        assert!(matches("(?i)RAW", "raw"));
        assert!(matches("(?x) raw # and so on\n", "raw"));
    }

    #[test]
    fn quoted_text_is_literal() {
        assert!(matches(r"\Qa.b\E.*", "a.bc"));
        assert!(!matches(r"\Qa.b\E.*", "aXbc"));
        assert!(matches(r"\Qa.b", "a.b"));
        assert!(matches(r"\\Q", r"\Q"));
    }

    #[test]
    fn errors_are_one_line() {
        assert_eq!(compile("[").unwrap_err(), "missing closing ]");
        assert_eq!(compile("(a").unwrap_err(), "missing closing )");
        assert_eq!(compile(r"(a)\1").unwrap_err(), "invalid escape sequence");
        assert_eq!(compile("*").unwrap_err(), "missing argument to repetition operator");
        assert_eq!(compile("a\\").unwrap_err(), "trailing backslash at end of expression");
    }
}
