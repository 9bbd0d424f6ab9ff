//! Microdata (<https://html.spec.whatwg.org/multipage/microdata.html>) and RDFa Lite
//! (<https://www.w3.org/TR/rdfa-lite/>), turned into the JSON shape of JSON-LD.
//!
//! Both say the same in different attributes: an element starts an item of a type (`itemscope itemtype` or `typeof`),
//! and elements below it are its properties (`itemprop` or `property`).

use std::borrow::Cow;

use memchr::memmem;

use crate::html::{Document, NodeId, Tag};
use crate::json::{Builder, Json};

/// Items nested deeper are read as text.
const MAX_DEPTH: usize = 8;
/// More properties of one item are not read.
const MAX_PROPERTIES: usize = 2000;
/// More recipes of a page are not read.
const MAX_RECIPES: usize = 24;
/// What `itemref` names stands among so many nodes.
const MAX_NODES: usize = 100_000;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `itemscope`, `itemtype`, `itemprop`.
    Microdata,
    /// `typeof`, `property`.
    Rdfa,
}

impl Syntax {
    /// What a page that uses it must contain.
    pub(crate) fn marker(self) -> &'static [u8] {
        if self == Syntax::Microdata { b"itemprop" } else { b"typeof" }
    }

    fn of_type(self) -> &'static str {
        if self == Syntax::Microdata { "itemtype" } else { "typeof" }
    }

    fn property(self) -> &'static str {
        if self == Syntax::Microdata { "itemprop" } else { "property" }
    }

    fn starts_item(self, page: &Document<'_>, node: NodeId) -> bool {
        let name = if self == Syntax::Microdata { "itemscope" } else { "typeof" };
        page.attr_raw(node, name).is_some()
    }
}

/// Names of the property that holds the steps.
const STEPS: [&str; 2] = ["recipeInstructions", "instructions"];
/// Names of the property that holds an ingredient.
const INGREDIENTS: [&str; 3] = ["recipeIngredient", "ingredients", "ingredient"];

/// The page's recipes as JSON-LD would say it.
pub fn read(page: &Document<'_>, syntax: Syntax) -> Json<'static> {
    // Properties within properties say the same text again and again.
    let mut builder = Builder::with_room(page.source().len());
    let (mut behind, mut count) = (0, 0);
    // Only nodes whose source has the attribute are asked for it: they are few.
    for node in page.nodes_at(names(page.source().as_bytes(), syntax.of_type())) {
        if count < MAX_RECIPES && node >= behind && page.is_element(node) && is_recipe(page, node, syntax) {
            item(page, node, syntax, &mut builder, 0);
            count += 1;
            behind = page.end(node);
        }
    }
    builder.finish()
}

/// Where an attribute's name stands, its last three letters in lower case (`itemType` is found).
fn names<'s>(source: &'s [u8], name: &'static str) -> impl Iterator<Item = usize> + 's {
    let (start, end) = name.as_bytes().split_at(name.len() - 3);
    memmem::find_iter(source, end).filter(move |&at| {
        source[..at].len().checked_sub(start.len()).is_some_and(|from| source[from..at].eq_ignore_ascii_case(start))
    })
}

fn is_recipe(page: &Document<'_>, node: NodeId, syntax: Syntax) -> bool {
    page.attr_raw(node, syntax.of_type()).is_some_and(|types| {
        types
            .split_ascii_whitespace()
            .any(|t| t.rsplit(['/', ':', '#']).next().is_some_and(|t| t.eq_ignore_ascii_case("recipe")))
    })
}

/// Writes the item at `node`: properties of the same name become an array.
fn item(page: &Document<'_>, node: NodeId, syntax: Syntax, builder: &mut Builder, depth: usize) {
    let mut properties: Vec<(&str, NodeId)> = Vec::new();
    let mut scopes: Vec<_> = std::iter::once(node..page.end(node)).collect();
    // itemref: properties that stand elsewhere on the page.
    if let Some(ids) = page.attr_raw(node, "itemref").filter(|_| syntax == Syntax::Microdata && depth == 0) {
        let ids: Vec<&str> = ids.split_ascii_whitespace().take(16).collect();
        let nodes = page.all().take(MAX_NODES).filter(|&n| !page.contains(n, node));
        let mut found: Vec<(usize, NodeId)> = Vec::new();
        for n in nodes {
            let nth = page.attr_raw(n, "id").and_then(|id| ids.iter().position(|known| *known == id));
            // Of several elements with one id the first has it.
            found.extend(nth.filter(|nth| found.iter().all(|(known, _)| known != nth)).map(|nth| (nth, n)));
        }
        found.sort_unstable();
        scopes.extend(found.into_iter().map(|(_, n)| n..page.end(n)));
    }
    for (nth, scope) in scopes.into_iter().enumerate() {
        let mut at = if nth == 0 { scope.start + 1 } else { scope.start };
        while at < scope.end && properties.len() < MAX_PROPERTIES {
            let name = page.attr_raw(at, syntax.property());
            if let Some(names) = name {
                properties.extend(names.split_ascii_whitespace().take(16).map(|n| (local(n), at)));
            }
            at = if syntax.starts_item(page, at) { page.end(at) } else { at + 1 };
        }
    }
    builder.begin_object();
    builder.key("@type");
    builder.string(page.attr(node, syntax.of_type()).as_deref().unwrap_or_default());
    let mut written: Vec<&str> = Vec::new();
    for &(name, _) in &properties {
        if written.contains(&name) {
            continue;
        }
        written.push(name);
        builder.key(name);
        builder.begin_array();
        let nodes: Vec<NodeId> = properties.iter().filter(|(n, _)| *n == name).map(|(_, node)| *node).collect();
        if STEPS.contains(&name) && nodes.len() > 1 {
            nodes.iter().for_each(|&node| step(page, node, syntax, builder, depth));
        } else if INGREDIENTS.contains(&name) && nodes.len() > 1 {
            ingredients(page, &nodes, builder);
        } else {
            nodes.iter().for_each(|&node| value(page, node, name, syntax, builder, depth));
        }
        builder.end();
    }
    builder.end();
}

/// `recipeIngredient` of `schema:recipeIngredient` and `http://schema.org/recipeIngredient`.
fn local(name: &str) -> &str {
    name.rsplit(['/', ':', '#']).next().unwrap_or(name)
}

fn value(page: &Document<'_>, node: NodeId, name: &str, syntax: Syntax, builder: &mut Builder, depth: usize) {
    if builder.is_full() {
        return;
    }
    if syntax.starts_item(page, node) && depth < MAX_DEPTH {
        item(page, node, syntax, builder, depth + 1);
        return;
    }
    match name {
        _ if STEPS.contains(&name) => steps(page, node, builder),
        _ if INGREDIENTS.contains(&name) => ingredient(page, node, builder),
        // What a step says may be all of them, one a line.
        "text" if page.attr_raw(node, "content").is_none() => builder.string(&page.lines(node).join("\n")),
        _ => builder.string(&property_text(page, node)),
    }
}

/// The value of a property as the standards define it: by `content`, an address, a time, or the text.
fn property_text<'d>(page: &Document<'d>, node: NodeId) -> Cow<'d, str> {
    let attr = |name: &str| page.attr(node, name);
    let value = attr("content").or_else(|| match page.tag(node) {
        Tag::A | Tag::Link | Tag::Area => None,
        Tag::Img | Tag::Audio | Tag::Video | Tag::Iframe | Tag::Source | Tag::Embed => {
            attr("src").or_else(|| attr("data-src"))
        }
        Tag::Time => attr("datetime"),
        _ => None,
    });
    let text = value.filter(|v| !v.trim().is_empty()).unwrap_or_else(|| Cow::Owned(page.text(node)));
    if text.is_empty() { attr("href").unwrap_or_default() } else { text }
}

/// One of several properties for steps is one step, whatever lines it has, unless it holds paragraphs or is an item.
fn step(page: &Document<'_>, node: NodeId, syntax: Syntax, builder: &mut Builder, depth: usize) {
    if builder.is_full() {
        return;
    }
    let paragraphs = page.descendants(node).filter(|&n| n != node && matches!(page.tag(n), Tag::P | Tag::Li)).count();
    if syntax.starts_item(page, node) && depth < MAX_DEPTH {
        item(page, node, syntax, builder, depth + 1);
    } else if paragraphs > 1 {
        steps(page, node, builder);
    } else {
        builder.string(&property_text(page, node));
    }
}

/// Ingredients, each below the heading that stands between it and the one before.
fn ingredients(page: &Document<'_>, nodes: &[NodeId], builder: &mut Builder) {
    let heading = |from: NodeId, to: NodeId| {
        let found = (from..to).rev().find(|&n| page.is_element(n) && page.tag(n).heading_level().is_some())?;
        Some(page.text(found)).filter(|t| !t.is_empty() && t.len() < 100)
    };
    let mut open = false;
    let mut behind = None;
    for &node in nodes {
        if builder.is_full() {
            break;
        }
        if let Some(name) = behind.and_then(|end| heading(end, node)) {
            if std::mem::replace(&mut open, true) {
                builder.end();
                builder.end();
            }
            builder.begin_object();
            builder.key("name");
            builder.string(&name);
            builder.key("itemListElement");
            builder.begin_array();
        }
        behind = Some(page.end(node).max(node + 1));
        ingredient(page, node, builder);
    }
    if open {
        builder.end();
        builder.end();
    }
}

/// A property put on the whole list holds its items.
fn ingredient(page: &Document<'_>, node: NodeId, builder: &mut Builder) {
    let items: Vec<NodeId> = page.descendants(node).filter(|&n| page.tag(n) == Tag::Li).collect();
    if items.is_empty() {
        builder.string(&with_amount(page, node).unwrap_or_else(|| property_text(page, node).into_owned()));
    }
    let mut until = 0;
    for n in items {
        if n >= until {
            until = page.end(n);
            builder.string(&page.text(n));
        }
    }
}

/// `<li>4 cl <a itemprop=recipeIngredient>gin</a></li>`: the whole item where the property names the food only.
fn with_amount(page: &Document<'_>, node: NodeId) -> Option<String> {
    let item = page.ancestors(node).take(4).find(|&n| matches!(page.tag(n), Tag::Li | Tag::Tr))?;
    let others = page.descendants(item).any(|n| {
        n != node
            && page.is_element(n)
            && ["itemprop", "property"].iter().any(|a| page.attr_raw(n, a) == page.attr_raw(node, a).or(Some("")))
    });
    let has_digit = |t: &str| t.chars().any(|c| c.is_numeric());
    let (inner, whole) = (page.text(node), page.text(item));
    (!others && !has_digit(&inner) && has_digit(&whole) && whole.len() < inner.len() + 60).then_some(whole)
}

/// Steps of an element: its list items or paragraphs, else its lines.
fn steps(page: &Document<'_>, node: NodeId, builder: &mut Builder) {
    let items: Vec<NodeId> = page.descendants(node).filter(|&n| page.tag(n) == Tag::Li).collect();
    if items.is_empty() {
        let content = page.attr(node, "content").filter(|c| !c.trim().is_empty());
        match content {
            Some(content) => builder.string(&content),
            None => page.lines(node).iter().for_each(|line| builder.string(line)),
        }
        return;
    }
    let mut until = 0;
    for n in items {
        // A list inside an item belongs to that item.
        if n >= until {
            until = page.end(n);
            builder.string(&page.text(n));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn microdata_is_read_as_json_ld_would_be() {
        let html = "<div itemscope itemtype='http://schema.org/Recipe'><h1 itemprop=name>Soup</h1>\
            <span itemprop=author itemscope itemtype=http://schema.org/Person><b itemprop=name>Ann</b></span>\
            <meta itemprop=totalTime content=PT1H><ul><li itemprop=recipeIngredient>1 egg<li itemprop=recipeIngredient>salt</ul>\
            <div itemprop=nutrition itemscope><i itemprop=calories>250 kcal</i></div>\
            <ol itemprop=recipeInstructions><li>Mix.<li>Boil.</ol></div>";
        let drafts = schema::recipes(&read(&Document::parse(html), Syntax::Microdata), &[]);
        assert_eq!(drafts.len(), 1);
        let draft = &drafts[0];
        assert_eq!(draft.title.as_deref(), Some("Soup"));
        assert_eq!(draft.authors, ["Ann"]);
        assert_eq!(draft.total_time, Some(60));
        assert_eq!(draft.ingredient_lines().collect::<Vec<_>>(), ["1 egg", "salt"]);
        assert_eq!(draft.instruction_lines().collect::<Vec<_>>(), ["Mix.", "Boil."]);
        assert_eq!(draft.calories, Some(250.0));
    }

    #[test]
    fn rdfa_is_read_alike() {
        let html = "<div vocab='https://schema.org/' typeof=Recipe><h2 property=name>Soup</h2>\
            <span property=recipeIngredient>1 egg</span><p property='schema:recipeInstructions'>Boil.</p></div>";
        let drafts = schema::recipes(&read(&Document::parse(html), Syntax::Rdfa), &[]);
        assert_eq!(drafts[0].title.as_deref(), Some("Soup"));
        assert_eq!(drafts[0].ingredient_lines().collect::<Vec<_>>(), ["1 egg"]);
        assert_eq!(drafts[0].instruction_lines().collect::<Vec<_>>(), ["Boil."]);
    }
}
