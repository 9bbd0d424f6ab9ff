//! What a definition means for Rust: resolved types, lifetimes and defaults.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};

use crate::definition::{Definition, Field, Versions};

/// A field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> anyhow::Result<Self> {
        if let Some(element) = text.strip_prefix("[]") {
            return Ok(Self::Array(Box::new(Self::parse(element)?)));
        }
        Ok(match text {
            "bool" => Self::Bool,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "uint16" => Self::Uint16,
            "int32" => Self::Int32,
            "uint32" => Self::Uint32,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "uuid" => Self::Uuid,
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            name if name.starts_with(|first: char| first.is_ascii_uppercase()) => Self::Struct(name.to_owned()),
            other => bail!("unknown type {other:?}"),
        })
    }

    /// The type as Kafka writes it.
    pub fn name(&self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int8 => "int8".to_owned(),
            Self::Int16 => "int16".to_owned(),
            Self::Uint16 => "uint16".to_owned(),
            Self::Int32 => "int32".to_owned(),
            Self::Uint32 => "uint32".to_owned(),
            Self::Int64 => "int64".to_owned(),
            Self::Float64 => "float64".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::String => "string".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Records => "records".to_owned(),
            Self::Struct(name) => format!("[`{name}`]"),
            Self::Array(element) => format!("array of {}", element.name()),
        }
    }

    /// Name of the decoder's and encoder's method for a type of fixed size.
    pub fn fixed(&self) -> Option<(&'static str, usize)> {
        Some(match self {
            Self::Bool => ("bool", 1),
            Self::Int8 => ("i8", 1),
            Self::Int16 => ("i16", 2),
            Self::Uint16 => ("u16", 2),
            Self::Int32 => ("i32", 4),
            Self::Uint32 => ("u32", 4),
            Self::Int64 => ("i64", 8),
            Self::Float64 => ("f64", 8),
            Self::Uuid => ("uuid", 16),
            _ => return None,
        })
    }
}

/// A field's default.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// Zero, false, empty, or a struct of defaults.
    Natural,
    Null,
    /// A literal: a number, a boolean or a text.
    Literal(String),
}

/// A field, resolved.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    pub kind: Type,
    /// Cut to the versions of the message.
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub ignorable: bool,
    pub default: Default,
}

impl Member {
    /// Whether the Rust type is an `Option`. Records always are: Kafka's default for them is null.
    pub fn is_option(&self) -> bool {
        !self.nullable.is_empty() || self.kind == Type::Records
    }
}

/// A struct, resolved.
#[derive(Debug, Clone)]
pub struct Struct {
    pub name: String,
    pub members: Vec<Member>,
    pub borrows: bool,
    /// Fewest bytes that it takes in any version.
    pub min_size: usize,
}

/// A message: its structs, the message itself first.
#[derive(Debug, Clone)]
pub struct Message {
    pub definition: Definition,
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn resolve(definition: Definition) -> anyhow::Result<Self> {
        let name = definition.name.clone();
        Self::resolve_all(definition).with_context(|| name)
    }

    fn resolve_all(definition: Definition) -> anyhow::Result<Self> {
        let mut message = Self { structs: Vec::new(), definition };
        let top = message.definition.clone();
        message.collect(&top.name, &top.fields)?;
        for common in &top.common_structs {
            message.collect(&common.name, &common.fields)?;
        }
        message.settle_lifetimes();
        message.settle_sizes();
        Ok(message)
    }

    fn collect(&mut self, name: &str, fields: &[Field]) -> anyhow::Result<()> {
        let valid = self.definition.valid_versions;
        let fields: Vec<&Field> = fields.iter().filter(|field| !field.versions().intersect(valid).is_empty()).collect();
        let members = fields.iter().map(|field| resolve_field(field, valid)).collect::<anyhow::Result<_>>()?;
        ensure!(self.structs.iter().all(|known| known.name != name), "struct {name} is defined twice");
        self.structs.push(Struct { name: name.to_owned(), members, borrows: false, min_size: 1 });
        for field in fields.iter().filter(|field| !field.fields.is_empty()) {
            let name = field.kind.trim_start_matches("[]");
            self.collect(name, &field.fields)?;
        }
        Ok(())
    }

    pub fn flexible_since(&self) -> Option<i16> {
        let flexible = self.definition.flexible_versions;
        (!flexible.is_empty()).then_some(flexible.min)
    }

    pub fn borrows(&self, kind: &Type) -> bool {
        match kind {
            Type::String | Type::Bytes | Type::Records => true,
            Type::Array(element) => self.borrows(element),
            Type::Struct(name) => self.structs.iter().any(|known| known.name == *name && known.borrows),
            _ => false,
        }
    }

    fn settle_lifetimes(&mut self) {
        loop {
            let borrows: Vec<bool> =
                self.structs.iter().map(|one| one.members.iter().any(|field| self.borrows(&field.kind))).collect();
            if self.structs.iter().zip(&borrows).all(|(one, borrows)| one.borrows == *borrows) {
                return;
            }
            self.structs.iter_mut().zip(borrows).for_each(|(one, borrows)| one.borrows = borrows);
        }
    }

    /// Structs refer to ones after them, so that one pass from the end settles all; a common struct that refers to
    /// another one before it only gets a lower bound.
    fn settle_sizes(&mut self) {
        let sizes: BTreeMap<String, usize> = BTreeMap::new();
        let mut sizes = sizes;
        for index in (0..self.structs.len()).rev() {
            let valid = self.definition.valid_versions;
            let always = |field: &&Member| field.tag.is_none() && field.versions.contains(valid);
            let one = &self.structs[index];
            let fields: usize = one.members.iter().filter(always).map(|field| self.min_size(field, &sizes)).sum();
            let tags = usize::from(self.definition.flexible_versions.contains(valid));
            let size = (fields + tags).max(1);
            sizes.insert(one.name.clone(), size);
            self.structs[index].min_size = size;
        }
    }

    fn min_size(&self, field: &Member, sizes: &BTreeMap<String, usize>) -> usize {
        if let (Type::Struct(_), true) = (&field.kind, field.is_option()) {
            return 1;
        }
        self.min_element_size(&field.kind, sizes)
    }

    fn min_element_size(&self, kind: &Type, sizes: &BTreeMap<String, usize>) -> usize {
        let rigid = self.definition.flexible_versions.intersect(self.definition.valid_versions).is_empty();
        match kind {
            Type::Struct(name) => sizes.get(name).copied().unwrap_or(1),
            Type::String if rigid => 2,
            Type::Bytes | Type::Records | Type::Array(_) if rigid => 4,
            kind => kind.fixed().map_or(1, |(_, size)| size),
        }
    }

    /// Fewest bytes that an array's element takes.
    pub fn element_size(&self, element: &Type) -> usize {
        let sizes = self.structs.iter().map(|one| (one.name.clone(), one.min_size)).collect();
        self.min_element_size(element, &sizes)
    }
}

fn resolve_field(field: &Field, valid: Versions) -> anyhow::Result<Member> {
    let kind = Type::parse(&field.kind)?;
    let versions = field.versions().intersect(valid);
    ensure!(
        field.tag.is_none() || field.tagged_versions.contains(versions),
        "{}: tagged in some of its versions only, which is not handled",
        field.name
    );
    let nullable = field.nullable_versions.intersect(versions);
    let default = resolve_default(field, &kind, nullable)?;
    let (name, tag, ignorable) = (field.name.clone(), field.tag, field.ignorable);
    Ok(Member { name, kind, versions, nullable, tag, ignorable, default })
}

fn resolve_default(field: &Field, kind: &Type, nullable: Versions) -> anyhow::Result<Default> {
    let text = field.default_text();
    Ok(match (kind, text.as_deref()) {
        (Type::Records, _) => Default::Null,
        (_, Some("null")) => {
            ensure!(!nullable.is_empty(), "{}: null as default of what is never null", field.name);
            Default::Null
        }
        (_, None | Some("" | "0" | "false")) => Default::Natural,
        (kind, Some(text)) if kind.fixed().is_some() && *kind != Type::Uuid => Default::Literal(text.to_owned()),
        (Type::String, Some(text)) => Default::Literal(text.to_owned()),
        (_, Some(text)) => bail!("{}: default {text:?} is not handled", field.name),
    })
}
