//! A setting between its name and its value.

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::settings::help::Declared;
use crate::settings::source::Source;
use crate::settings::value::Value;

type Test<T> = Box<dyn Fn(&T) -> Result<(), String>>;

/// A setting being declared; nothing is read until [`Pending::or`], [`Pending::maybe`] or [`Pending::required`].
#[must_use = "a setting is read by or(), maybe() or required()"]
pub struct Pending<'s, T> {
    source: &'s mut Source,
    declared: Declared,
    aliases: Vec<&'static str>,
    tests: Vec<Test<T>>,
    value: PhantomData<T>,
}

impl<'s, T: Value> Pending<'s, T> {
    pub(crate) fn new(source: &'s mut Source, name: &'static str, doc: &'static str) -> Self {
        let declared = Declared::new(name, doc, T::KIND);
        Self { source, declared, aliases: Vec::new(), tests: Vec::new(), value: PhantomData }
    }

    /// A second name for the flag, with underscores.
    pub fn flag(mut self, alias: &'static str) -> Self {
        self.aliases.push(alias);
        self.declared.aliases.push(alias);
        self
    }

    /// The unit, for `--help`.
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.declared.unit = unit;
        self
    }

    /// The values that are allowed.
    pub fn within(mut self, range: RangeInclusive<T>) -> Self
    where
        T: PartialOrd,
    {
        let text = format!("{} to {}", range.start().show(), range.end().show());
        self.declared.range.clone_from(&text);
        self.tests.push(Box::new(move |value| match range.contains(value) {
            true => Ok(()),
            false => Err(format!("expected {text}")),
        }));
        self
    }

    /// The texts that are allowed.
    pub fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.declared.range = choices.join(", ");
        self.tests.push(Box::new(move |value| match choices.contains(&&*value.show()) {
            true => Ok(()),
            false => Err(format!("expected one of {}", choices.join(", "))),
        }));
        self
    }

    /// A test of its own, whose error says what was expected.
    pub fn checked(mut self, test: impl Fn(&T) -> Result<(), String> + 'static) -> Self {
        self.tests.push(Box::new(test));
        self
    }

    /// The value, or a default.
    pub fn or(mut self, default: T) -> T {
        self.declared.default = Some(default.show());
        self.read().unwrap_or(default)
    }

    /// The value, if it was given.
    pub fn maybe(self) -> Option<T> {
        self.read()
    }

    /// The value; that it is missing is a problem, and the type's default stands in until the problem is reported.
    pub fn required(mut self) -> T
    where
        T: Default,
    {
        self.declared.required = true;
        let name = self.declared.name;
        let before = self.source.problems.len();
        let (value, source) = self.read_with_source();
        value.unwrap_or_else(|| {
            if source.problems.len() == before {
                source.problems.push(format!(
                    "{name}: is needed; set --{} or {}",
                    name.replace('_', "-"),
                    name.to_uppercase()
                ));
            }
            T::default()
        })
    }

    fn read(self) -> Option<T> {
        self.read_with_source().0
    }

    fn read_with_source(self) -> (Option<T>, &'s mut Source) {
        let Self { source, declared, aliases, tests, .. } = self;
        let found = source.take(declared.name, &aliases, T::KIND.is_empty());
        source.declared.push(declared);
        let Some(found) = found else { return (None, source) };
        let parsed = match &*found.texts {
            [one] if !found.list => T::parse(one),
            many if T::MANY => T::parse_many(many),
            // A flag given twice: the last one counts, as with most programs.
            [.., last] if found.place.starts_with('-') => T::parse(last),
            many => T::parse_many(many),
        };
        let tested = parsed.and_then(|value| tests.iter().try_for_each(|test| test(&value)).map(|()| value));
        match tested {
            Ok(value) => (Some(value), source),
            Err(expected) => {
                source.problems.push(format!("{} {:?}: {expected}", found.place, found.texts.join(" ")));
                (None, source)
            }
        }
    }
}
