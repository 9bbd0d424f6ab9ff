//! Typed reading of properties out of layers of text.

use std::collections::BTreeMap;

use super::definition::{Scope, definitions};
use super::value::Value;

/// Properties by name, as text.
pub type Properties = BTreeMap<String, String>;

/// Reads broker properties: the first layer that has a name wins, the default comes last. What is wrong is collected,
/// and the reader goes on with the default, so that all of it is found in one pass.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    layers: Vec<&'a Properties>,
    pub problems: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    pub fn new(layers: Vec<&'a Properties>) -> Self {
        Self { layers, problems: Vec::new() }
    }

    /// The text that somebody set, not the default.
    pub fn set(&self, name: &str) -> Option<&'a str> {
        set_in(self.layers.iter().copied(), name)
    }

    /// The value of `name`, its default included; `None` for Kafka's null.
    fn value(&mut self, name: &'static str) -> Option<Value> {
        let Some(definition) = definitions(Scope::Broker).get(name) else {
            self.problems.push((name, format!("{name} is missing in the table of properties")));
            return None;
        };
        let fallback = || definition.default.and_then(|text| definition.kind.parse(name, text).ok());
        match self.set(name).map(|text| definition.parse(text)) {
            None => fallback(),
            Some(Ok(value)) => Some(value),
            Some(Err(error)) => {
                self.problems.push((name, error.to_string()));
                fallback()
            }
        }
    }

    /// The value of `name` as a `T`.
    pub fn get<T: FromValue>(&mut self, name: &'static str) -> T {
        let value = self.value(name);
        T::from_value(value).unwrap_or_else(|| {
            // Without a default to stand in, a wrong value is already among the problems.
            if !self.problems.iter().any(|(wrong, _)| *wrong == name) {
                self.problems.push((name, format!("{name} has no value of the type the broker reads")));
            }
            T::empty()
        })
    }
}

/// What the first layer that says something about `name` has for it.
pub(super) fn set_in<'a>(layers: impl IntoIterator<Item = &'a Properties>, name: &str) -> Option<&'a str> {
    for layer in layers {
        if let Some(text) = layer.get(name) {
            return Some(text);
        }
        if definitions(Scope::Broker).is_said_otherwise(name, |twin| layer.contains_key(twin)) {
            return None;
        }
    }
    None
}

/// A type that a property is read as.
pub(super) trait FromValue: Sized {
    /// `None` where the value is of another type, or null for a type that has no null.
    fn from_value(value: Option<Value>) -> Option<Self>;
    /// What stands in while a problem is reported.
    fn empty() -> Self;
}

macro_rules! from_value {
    ($($variant:ident => $type:ty),* $(,)?) => {$(
        impl FromValue for $type {
            fn from_value(value: Option<Value>) -> Option<Self> {
                match value {
                    Some(Value::$variant(inner)) => Some(inner),
                    _ => None,
                }
            }
            fn empty() -> Self {
                Self::default()
            }
        }
    )*};
}

from_value!(Boolean => bool, Int => i32, Short => i16, Long => i64, Double => f64, String => String, List => Vec<String>);

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Option<Value>) -> Option<Self> {
        match value {
            None => Some(None),
            some => T::from_value(some).map(Some),
        }
    }
    fn empty() -> Self {
        None
    }
}

/// A struct whose fields are broker properties, each with its type and name.
macro_rules! properties {
    ($(#[$doc:meta])* pub struct $struct:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $struct {
            $($(#[$field_doc])* #[doc = concat!("(`", $name, "`)")] pub $field: $type,)*
        }

        impl $struct {
            pub(super) fn read(reader: &mut $crate::config::reader::Reader<'_>) -> Self {
                Self { $($field: reader.get($name),)* }
            }
        }
    };
}
pub(super) use properties;
