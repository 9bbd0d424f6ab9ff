//! One rule: when it applies, and where each field stands.

use memchr::memmem;
use regex::bytes::Regex;
use serde::Deserialize;

use super::css::{Selector, SelectorError};
use crate::draft::{Draft, Section};
use crate::html::{Document, NodeId};
use crate::values::{self, Yield, author_name, clean};

/// The rules that come with the program.
const BUILT_IN: &str = include_str!("../../selectors.toml");

/// A rules file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("cannot read the selectors file {path}: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not TOML, or a field that no rule has.
    #[error("selectors: {0}")]
    Toml(#[from] toml::de::Error),
    /// A selector that cannot be read.
    #[error("rule `{rule}`, {field}: {source}")]
    Selector {
        /// The rule's name.
        rule: String,
        /// The field of the rule.
        field: &'static str,
        /// What is wrong with it.
        source: SelectorError,
    },
    /// A rule that would apply to every page and find nothing in particular.
    #[error("rule `{0}` names neither `hosts`, `when` nor `scope`: say which pages it is for")]
    Unbounded(String),
}

/// An ordered set of rules; earlier ones win.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Any of the texts that a page must contain for a rule that needs one.
    needles: Option<Regex>,
}

/// Where a recipe's fields stand in the pages of one site or plugin.
#[derive(Debug)]
pub struct Rule {
    /// Name for messages.
    pub name: String,
    /// Hosts it is for, with their subdomains; empty for any.
    hosts: Vec<String>,
    /// What must stand on the page; nothing in particular where absent.
    when: Option<Selector>,
    /// The element that holds the recipe; the whole page where absent.
    scope: Option<Selector>,
    /// Whether it wins over structured data.
    pub prefer: bool,
    fields: Fields,
}

#[derive(Debug)]
struct Fields {
    title: Vec<Place>,
    author: Vec<Place>,
    description: Vec<Place>,
    image: Vec<Place>,
    ingredients: Vec<Place>,
    ingredient_headings: Vec<Place>,
    instructions: Vec<Place>,
    instruction_headings: Vec<Place>,
    yields: Vec<Place>,
    prep_time: Vec<Place>,
    cook_time: Vec<Place>,
    total_time: Vec<Place>,
    calories: Vec<Place>,
    category: Vec<Place>,
    cuisine: Vec<Place>,
}

/// A selector, and the attribute to read where it is not the text: `meta[name=author]@content`.
#[derive(Debug)]
struct Place {
    selector: Selector,
    attribute: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRule {
    name: String,
    hosts: Vec<String>,
    when: Option<String>,
    scope: Option<String>,
    prefer: bool,
    title: OneOrMany,
    author: OneOrMany,
    description: OneOrMany,
    image: OneOrMany,
    ingredients: OneOrMany,
    ingredient_headings: OneOrMany,
    instructions: OneOrMany,
    instruction_headings: OneOrMany,
    yields: OneOrMany,
    prep_time: OneOrMany,
    cook_time: OneOrMany,
    total_time: OneOrMany,
    calories: OneOrMany,
    category: OneOrMany,
    cuisine: OneOrMany,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Rules {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// None in a program that passed its tests.
    pub fn built_in() -> Result<Rules, RulesError> {
        Self::parse(BUILT_IN)
    }

    /// Reads rules from TOML.
    ///
    /// # Errors
    /// The first thing that is wrong, with the rule's name.
    pub fn parse(toml: &str) -> Result<Rules, RulesError> {
        let file: RuleFile = toml::from_str(toml)?;
        let rules = file.rule.into_iter().map(Rule::compile).collect::<Result<_, _>>()?;
        Ok(Rules::of(rules))
    }

    /// These rules, and then `other`'s.
    #[must_use]
    pub fn then(mut self, other: Rules) -> Rules {
        self.rules.extend(other.rules);
        Rules::of(self.rules)
    }

    fn of(rules: Vec<Rule>) -> Rules {
        let needles: Vec<String> = rules.iter().flat_map(Rule::needles).map(regex::escape).collect();
        let needles = Some(needles).filter(|n| !n.is_empty()).and_then(|n| Regex::new(&n.join("|")).ok());
        Rules { rules, needles }
    }

    /// The rules that may find something in the page, in order: those for its host whose scope it can hold.
    pub fn for_page<'r>(&'r self, host: &'r str, source: &str) -> Vec<&'r Rule> {
        let mut seen: Vec<&[u8]> = Vec::new();
        if let Some(needles) = &self.needles {
            for found in needles.find_iter(source.as_bytes()) {
                if !seen.contains(&found.as_bytes()) {
                    seen.push(found.as_bytes());
                }
            }
        }
        // One text may hide another that begins alike.
        let is_seen = |needle: &str| seen.iter().any(|s| memmem::find(needle.as_bytes(), s).is_some());
        self.for_host(host)
            .filter(|rule| {
                let needles = rule.needles();
                needles.is_empty() || needles.into_iter().any(is_seen)
            })
            .collect()
    }

    /// Whether a rule was made for this very host, or wants to win everywhere: then the page must be read as a tree.
    pub fn has_rule_for(&self, host: &str) -> bool {
        self.rules.iter().any(|r| if r.hosts.is_empty() { r.prefer } else { r.is_for(host) })
    }

    /// The rules that are for a host, in order.
    pub fn for_host<'r>(&'r self, host: &'r str) -> impl Iterator<Item = &'r Rule> {
        self.rules.iter().filter(move |r| r.is_for(host))
    }
}

impl Rule {
    fn compile(raw: RawRule) -> Result<Rule, RulesError> {
        let name = raw.name;
        let place = |field: &'static str, text: &str| {
            let (selector, attribute) = match text.rsplit_once('@') {
                Some((selector, attribute)) if !attribute.contains([']', '"', '\'']) => {
                    (selector, Some(attribute.to_owned()))
                }
                _ => (text, None),
            };
            let selector = Selector::parse(selector);
            let error = |source| RulesError::Selector { rule: name.clone(), field, source };
            Ok(Place { selector: selector.map_err(error)?, attribute })
        };
        let places = |field: &'static str, texts: &OneOrMany| -> Result<Vec<Place>, RulesError> {
            match texts {
                OneOrMany::None => Ok(Vec::new()),
                OneOrMany::One(text) => Ok(vec![place(field, text)?]),
                OneOrMany::Many(texts) => texts.iter().map(|t| place(field, t)).collect(),
            }
        };
        let fields = Fields {
            title: places("title", &raw.title)?,
            author: places("author", &raw.author)?,
            description: places("description", &raw.description)?,
            image: places("image", &raw.image)?,
            ingredients: places("ingredients", &raw.ingredients)?,
            ingredient_headings: places("ingredient_headings", &raw.ingredient_headings)?,
            instructions: places("instructions", &raw.instructions)?,
            instruction_headings: places("instruction_headings", &raw.instruction_headings)?,
            yields: places("yields", &raw.yields)?,
            prep_time: places("prep_time", &raw.prep_time)?,
            cook_time: places("cook_time", &raw.cook_time)?,
            total_time: places("total_time", &raw.total_time)?,
            calories: places("calories", &raw.calories)?,
            category: places("category", &raw.category)?,
            cuisine: places("cuisine", &raw.cuisine)?,
        };
        let scope = raw.scope.map(|s| place("scope", &s)).transpose()?.map(|p| p.selector);
        let when = raw.when.map(|s| place("when", &s)).transpose()?.map(|p| p.selector);
        if raw.hosts.is_empty() && scope.is_none() && when.is_none() {
            return Err(RulesError::Unbounded(name));
        }
        Ok(Rule { name, hosts: raw.hosts, when, scope, prefer: raw.prefer, fields })
    }

    /// Texts of which the page must contain one; empty where nothing in particular is needed.
    fn needles(&self) -> Vec<&str> {
        self.scope.as_ref().or(self.when.as_ref()).map(Selector::needles).unwrap_or_default()
    }

    fn is_for(&self, host: &str) -> bool {
        self.hosts.is_empty()
            || self
                .hosts
                .iter()
                .any(|h| host.strip_suffix(h.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// What the rule finds in the page; nothing where its scope is not there.
    pub fn read(&self, page: &Document<'_>) -> Option<Draft> {
        if let Some(when) = &self.when {
            when.first(page)?;
        }
        let root = match &self.scope {
            Some(scope) => {
                let node = scope.first(page)?;
                node..page.end(node)
            }
            None => page.all(),
        };
        let root = root.start..root.end.min(root.start.saturating_add(MAX_NODES));
        let at = Reader { page, root };
        let f = &self.fields;
        let total_time = at.first(&f.total_time, values::minutes);
        let yields = at.first(&f.yields, |text| Yield::read([text]));
        let servings = yields.as_ref().and_then(Yield::servings);
        let calories = at.first(&f.calories, values::kcal).and_then(|energy| energy.per_serving(servings, None));
        Some(Draft {
            title: at.first(&f.title, non_empty),
            authors: at.all(&f.author, author_name),
            description: at.first(&f.description, non_empty),
            image: at.first(&f.image, |url| url.starts_with("http").then(|| url.to_owned())),
            ingredients: values::tidy_ingredients(at.sections(&f.ingredients, &f.ingredient_headings, false)),
            instructions: values::tidy_steps(at.sections(&f.instructions, &f.instruction_headings, true)),
            yields,
            prep_time: at.first(&f.prep_time, values::minutes),
            cook_time: at.first(&f.cook_time, values::minutes),
            total_time,
            calories,
            category: at.all(&f.category, non_empty),
            cuisine: at.all(&f.cuisine, non_empty),
            ..Draft::default()
        })
    }
}

/// No recipe's markup has more nodes.
const MAX_NODES: NodeId = 100_000;

fn non_empty(text: &str) -> Option<String> {
    let text = clean(text);
    (!text.is_empty()).then_some(text)
}

struct Reader<'r, 'd> {
    page: &'r Document<'d>,
    root: std::ops::Range<NodeId>,
}

impl Reader<'_, '_> {
    fn text(&self, place: &Place, node: NodeId) -> String {
        match &place.attribute {
            Some(name) => clean(&self.page.attr(node, name).unwrap_or_default()),
            None => self.page.text(node),
        }
    }

    /// The first value that can be read at one of the places.
    fn first<T>(&self, places: &[Place], read: impl Fn(&str) -> Option<T>) -> Option<T> {
        places.iter().find_map(|place| {
            place.selector.find(self.page, self.root.clone()).find_map(|node| read(&self.text(place, node)))
        })
    }

    /// Every value at the first place that has one.
    fn all(&self, places: &[Place], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut values = Vec::new();
        for place in places {
            for node in place.selector.find(self.page, self.root.clone()).take(16) {
                if let Some(value) = read(&self.text(place, node))
                    && !values.contains(&value)
                {
                    values.push(value);
                }
            }
            if !values.is_empty() {
                break;
            }
        }
        values
    }

    /// Items at the first place that has some, each under the nearest heading before it.
    fn sections(&self, places: &[Place], headings: &[Place], by_line: bool) -> Vec<Section> {
        for place in places {
            let mut marks: Vec<(NodeId, Option<String>)> = Vec::new();
            for heading in headings {
                let found = heading.selector.find(self.page, self.root.clone());
                marks.extend(found.map(|n| (n, non_empty(&self.text(heading, n)))).filter(|(_, name)| name.is_some()));
            }
            marks.sort_by_key(|(node, _)| *node);
            let mut marks = marks.into_iter().peekable();
            let mut sections = vec![Section::default()];
            let mut count = 0;
            for node in place.selector.find(self.page, self.root.clone()) {
                while let Some((_, name)) = marks.next_if(|(mark, _)| *mark < node) {
                    sections.push(Section { name, items: Vec::new() });
                }
                let single =
                    by_line && place.attribute.is_none() && !matches!(self.page.tag(node), crate::html::Tag::Li);
                let lines = if single { self.page.lines(node) } else { vec![self.text(place, node)] };
                if let Some(last) = sections.last_mut() {
                    let lines = lines.into_iter().map(|l| clean(&l)).filter(|l| !l.is_empty());
                    let before = last.items.len();
                    last.items.extend(lines);
                    count += last.items.len() - before;
                }
            }
            if count > 0 {
                sections.retain(|s| !s.items.is_empty());
                return sections;
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rules_compile() {
        assert!(Rules::built_in().is_ok_and(|r| r.rules.len() > 5));
    }

    #[test]
    fn the_tutorials_markup_is_read() {
        let html = "<h1 class='recipe-summary__h1'>Lentil soup</h1><span class='submitter__name'>Ann</span>\
            <div class='submitter__description'>\"Good.\"</div><span class='calorie-count'><span>1,450</span> cals</span>\
            <ul><li><span class='recipe-ingred_txt added'>1 cup lentils</span><li><span class='recipe-ingred_txt'>▢ salt</span>\
            <li><span class='recipe-ingred_txt white'>Add all ingredients to list</span></ul>\
            <ol><li><span class='recipe-directions__list--item'>Boil.</span></ol>";
        let page = Document::parse(html);
        let rules = Rules::built_in().unwrap();
        let draft = rules.for_host("www.allrecipes.com").find_map(|r| r.read(&page)).unwrap();
        assert_eq!(draft.title.as_deref(), Some("Lentil soup"));
        assert_eq!(draft.authors, ["Ann"]);
        assert_eq!(draft.calories, Some(1450.0));
        assert_eq!(draft.ingredient_lines().collect::<Vec<_>>(), ["1 cup lentils", "salt"]);
        assert_eq!(draft.instruction_lines().collect::<Vec<_>>(), ["Boil."]);
    }

    #[test]
    fn rules_say_what_is_wrong_with_them() {
        let unbounded = Rules::parse("[[rule]]\nname='x'\ntitle='h1'").unwrap_err();
        assert!(unbounded.to_string().contains("rule `x`"));
        let selector = Rules::parse("[[rule]]\nname='x'\nhosts=['a.b']\ntitle='h1['").unwrap_err();
        assert!(selector.to_string().starts_with("rule `x`, title: selector `h1[`"));
        assert!(Rules::parse("[[rule]]\nname='x'\nhosts=['a']\ntitel='h1'").is_err());
    }

    #[test]
    fn hosts_include_their_subdomains_only() {
        let rules = Rules::parse("[[rule]]\nname='x'\nhosts=['a.example']\nprefer=true\ntitle='h1'").unwrap();
        assert!(rules.has_rule_for("a.example") && rules.has_rule_for("www.a.example"));
        assert!(!rules.has_rule_for("ba.example"));
    }
}
