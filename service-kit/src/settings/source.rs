//! Where settings come from.

use std::collections::BTreeMap;

use crate::failure::{Exit, Failure};
use crate::settings::help::{Declared, nearest};
use crate::settings::pending::Pending;
use crate::settings::value::Value;

/// Flags, environment and file of one process, and what is wrong with them so far.
#[derive(Debug, Default)]
pub struct Source {
    /// Flags not read yet, by name with underscores, in order.
    flags: Vec<Flag>,
    env: BTreeMap<String, String>,
    file: toml::Table,
    file_name: String,
    pub(crate) declared: Vec<Declared>,
    pub(crate) problems: Vec<String>,
}

#[derive(Debug)]
struct Flag {
    /// As given, `--calories-threshold`.
    given: String,
    /// `calories_threshold`.
    name: String,
    /// After `=`, or the next argument when that is no flag.
    value: Option<String>,
    /// Whether the value stood in its own argument, so that a switch leaves it alone.
    apart: bool,
}

/// A value with the place it was found in.
pub(crate) struct Found {
    pub(crate) place: String,
    pub(crate) texts: Vec<String>,
    pub(crate) list: bool,
}

/// A command line, taken apart.
pub struct Invocation {
    /// The subcommand, if one was given.
    pub verb: Option<String>,
    /// What followed it and is no flag.
    pub arguments: Vec<String>,
    /// The settings.
    pub source: Source,
}

impl Source {
    /// Reads this process's arguments, environment, and the file that `--config` or `CONFIG` names.
    ///
    /// # Errors
    /// The file is missing or is no TOML, or there is an argument that is neither a flag nor one of `verbs`.
    pub fn from_process(verbs: &[&str]) -> Result<Invocation, Failure> {
        let arguments: Vec<String> =
            std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_parts(&arguments, env, verbs)
    }

    /// As [`Source::from_process`] for given arguments and environment.
    ///
    /// # Errors
    /// As [`Source::from_process`].
    pub fn from_parts(
        arguments: &[String],
        env: BTreeMap<String, String>,
        verbs: &[&str],
    ) -> Result<Invocation, Failure> {
        let (verb, arguments) = match arguments.split_first() {
            Some((first, rest)) if verbs.contains(&first.as_str()) => (Some(first.clone()), rest),
            Some((first, _)) if !first.starts_with('-') => {
                return Err(Failure::usage(format!("no command {first:?}; there are: {}", verbs.join(", "))));
            }
            _ => (None, arguments),
        };
        let env = env.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let (flags, positional) = flags(arguments);
        let mut source = Self { flags, env, ..Self::default() };
        source.read_file()?;
        Ok(Invocation { verb, arguments: positional, source })
    }

    /// Settings given by name, for tests and for services run by another program.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let flags = pairs.into_iter().map(|(name, value)| Flag {
            given: name.to_owned(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
            apart: false,
        });
        Self { flags: flags.collect(), ..Self::default() }
    }

    /// Declares and reads a setting; finish with [`Pending::or`], [`Pending::maybe`] or [`Pending::required`].
    ///
    /// `name` is in lower case with underscores; `doc` is a line for `--help` and says what the setting does.
    pub fn get<T: Value>(&mut self, name: &'static str, doc: &'static str) -> Pending<'_, T> {
        Pending::new(self, name, doc)
    }

    /// Takes every setting whose name begins with `prefix_` (a table of that name in the file), whatever follows:
    /// the rest of the name with underscores, and the value.
    pub fn take_all(&mut self, prefix: &'static str) -> Vec<(String, String, String)> {
        let start = format!("{prefix}_");
        let mut all: BTreeMap<String, (String, String)> = BTreeMap::new();
        if let Some(toml::Value::Table(table)) = self.file.remove(prefix) {
            for (name, value) in table {
                let place = format!("{prefix}.{name} in {}", self.file_name);
                match text(&value) {
                    Some(text) => drop(all.insert(name.replace(['.', '-'], "_"), (place, text))),
                    None => self.problems.push(format!("{place}: expected a text, a number or true/false")),
                }
            }
        }
        for (name, value) in &self.env {
            if let Some(rest) = name.strip_prefix(&start.to_uppercase()) {
                all.insert(rest.to_lowercase(), (name.clone(), value.clone()));
            }
        }
        let (taken, left): (Vec<Flag>, _) =
            std::mem::take(&mut self.flags).into_iter().partition(|flag| flag.name.starts_with(&start));
        self.flags = left;
        for flag in taken {
            match flag.value {
                Some(value) => drop(all.insert(flag.name[start.len()..].to_owned(), (flag.given, value))),
                None => self.problems.push(format!("{}: a value is missing", flag.given)),
            }
        }
        all.into_iter().map(|(name, (place, value))| (name, place, value)).collect()
    }

    /// Notes that something is wrong; [`Source::finish`] reports it.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Ends the reading: everything that is wrong, unknown flags and unknown names in the file included.
    ///
    /// # Errors
    /// One failure with exit code 64 that lists all problems.
    pub fn finish(mut self) -> Result<(), Failure> {
        let flags = std::mem::take(&mut self.flags);
        for flag in flags {
            let near =
                nearest(&flag.name, &self.declared).map(|near| format!("; did you mean --{}?", near.replace('_', "-")));
            self.problems.push(format!("{}: unknown flag{}", flag.given, near.unwrap_or_default()));
        }
        for name in self.file.keys() {
            let near = nearest(name, &self.declared).map(|near| format!("; did you mean {near}?"));
            self.problems.push(format!("{name} in {}: unknown setting{}", self.file_name, near.unwrap_or_default()));
        }
        self.problems_only()
    }

    /// As [`Source::finish`], without asking whether every setting was read.
    ///
    /// # Errors
    /// As [`Source::finish`].
    pub fn problems_only(&self) -> Result<(), Failure> {
        match &*self.problems {
            [] => Ok(()),
            [one] => Err(Failure::usage(format!("{one} (see --help)"))),
            many => {
                Err(Failure::usage(format!("{} settings are wrong (see --help)\n  {}", many.len(), many.join("\n  "))))
            }
        }
    }

    /// Whether `--help` is among the flags.
    #[must_use]
    pub fn asks_help(&self) -> bool {
        self.flags.iter().any(|flag| matches!(&*flag.given, "--help" | "-h"))
    }

    /// Whether `--version` is among the flags.
    #[must_use]
    pub fn asks_version(&self) -> bool {
        self.flags.iter().any(|flag| matches!(&*flag.given, "--version" | "-V"))
    }

    /// Takes a setting from the first place that has it.
    pub(crate) fn take(&mut self, name: &str, aliases: &[&str], switch: bool) -> Option<Found> {
        let from_file = self.take_from_file(name);
        let from_env = self.env.get(&name.to_uppercase()).map(|value| Found {
            place: name.to_uppercase(),
            texts: vec![value.clone()],
            list: false,
        });
        self.take_flags(name, aliases, switch).or(from_env).or(from_file)
    }

    fn take_from_file(&mut self, name: &str) -> Option<Found> {
        let value = self.file.remove(name)?;
        let place = format!("{name} in {}", self.file_name);
        let texts = match &value {
            toml::Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
            one => text(one).map(|text| vec![text]),
        };
        if texts.is_none() {
            self.problems.push(format!("{place}: expected a text, a number, true/false, or a list of these"));
        }
        Some(Found { place, texts: texts?, list: value.is_array() })
    }

    fn take_flags(&mut self, name: &str, aliases: &[&str], switch: bool) -> Option<Found> {
        let mut found: Option<Found> = None;
        let mut index = 0;
        while index < self.flags.len() {
            if self.flags[index].name != name && !aliases.contains(&self.flags[index].name.as_str()) {
                index += 1;
                continue;
            }
            let flag = self.flags.remove(index);
            if switch
                && flag.apart
                && let Some(stray) = &flag.value
            {
                self.problems.push(format!("{stray:?}: unexpected after {}, which needs no value", flag.given));
            }
            let value =
                if switch && (flag.apart || flag.value.is_none()) { Some("true".to_owned()) } else { flag.value };
            let Some(value) = value else {
                self.problems.push(format!("{}: a value is missing", flag.given));
                continue;
            };
            let all = found.get_or_insert_with(|| Found { place: flag.given, texts: Vec::new(), list: false });
            all.texts.push(value);
            all.list = all.texts.len() > 1;
        }
        found
    }

    fn read_file(&mut self) -> Result<(), Failure> {
        self.declared.push(Declared::config_file());
        let Some(found) = self.take("config", &[], false) else { return Ok(()) };
        let name = found.texts.into_iter().next_back().unwrap_or_default();
        let text = std::fs::read_to_string(&name)
            .map_err(|error| Failure::new(Exit::NoInput, format!("{}: cannot read {name}: {error}", found.place)))?;
        let table = text.parse::<toml::Table>();
        self.file = table.map_err(|error| Failure::usage(format!("{name} is no TOML: {}", one_line(&error))))?;
        self.file_name = name;
        Ok(())
    }
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Datetime(at) => Some(at.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// Splits arguments into flags and the rest. A flag's value is the next argument unless that begins with `--`.
fn flags(arguments: &[String]) -> (Vec<Flag>, Vec<String>) {
    let (mut flags, mut positional) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter().peekable();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") && !matches!(&**argument, "-h" | "-V") {
            positional.push(argument.clone());
            continue;
        }
        let (given, inline) = match argument.split_once('=') {
            Some((given, value)) => (given, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let apart = inline.is_none();
        let value = inline.or_else(|| arguments.next_if(|next| !next.starts_with("--")).cloned());
        let name = given.trim_start_matches('-').replace('-', "_");
        flags.push(Flag { given: given.to_owned(), name, apart: apart && value.is_some(), value });
    }
    (flags, positional)
}
