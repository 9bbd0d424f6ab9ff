//! schema.org's `Recipe` (<https://schema.org/Recipe>) as pages write it, read from a JSON value. JSON-LD comes as such;
//! microdata and RDFa are turned into the same shape first, so that there is one place that knows the properties.

use std::borrow::Cow;

use recipes::{Nutrition, Quantity, Rating};
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339};

use crate::draft::{Draft, Section};
use crate::json::{Json, Value};
use crate::values::{self, Energy, Yield, author_name, clean, clean_lines, cleaned};

/// A page that lists hundreds of recipes is no recipe page; the bound keeps its cost down.
pub(crate) const MAX_RECIPES: usize = 24;
/// What an `@id` names is searched for among so many objects of the page.
const MAX_OBJECTS: usize = 5000;
/// Longer lists of ingredients and steps are cut.
const MAX_ITEMS: usize = 1000;
/// More categories or cuisines are not read.
const MAX_NAMES: usize = 64;

/// The object's types include `name`, whatever vocabulary prefix they carry.
pub fn has_type(object: Value<'_>, name: &str) -> bool {
    has_type_of(object, &[name])
}

fn has_type_of(object: Value<'_>, names: &[&str]) -> bool {
    let Some(types) = object.types() else { return false };
    types.items().filter_map(Value::raw_text).any(|t| names.iter().any(|name| is_named(t, name)))
}

/// `Recipe` of `https://schema.org/Recipe`, `schema:Recipe` and `http:\/\/schema.org\/Recipe`.
fn is_named(text: &str, name: &str) -> bool {
    let text = text.trim().as_bytes();
    text.split_at_checked(text.len().wrapping_sub(name.len())).is_some_and(|(prefix, last)| {
        last.eq_ignore_ascii_case(name.as_bytes()) && prefix.last().is_none_or(|b| matches!(b, b'/' | b':' | b'#'))
    })
}

/// Every recipe in `json`, in document order. `others` are the page's remaining scripts, for references by `@id`.
pub fn recipes(json: &Json<'_>, others: &[Json<'_>]) -> Vec<Draft> {
    let reader = Reader { json, others };
    json.objects().filter(|o| has_type(*o, "Recipe")).take(MAX_RECIPES).map(|o| reader.draft(o)).collect()
}

/// Who wrote the page, as its article says, and who publishes it.
pub fn people(scripts: &[Json<'_>]) -> (Vec<String>, Option<String>) {
    const NAMED: [&str; 7] =
        ["Article", "NewsArticle", "BlogPosting", "SocialMediaPosting", "WebPage", "WebSite", "Recipe"];
    let mut authors = Vec::new();
    let mut publisher = None;
    let named = |o: &Value<'_>| has_type_of(*o, &NAMED);
    let objects = scripts.iter().flat_map(|json| json.objects().filter(named).take(8).map(move |o| (json, o)));
    for (json, object) in objects.take(64) {
        let reader = Reader { json, others: scripts };
        if authors.is_empty() && !has_type(object, "WebSite") {
            authors = reader.authors(object);
        }
        let name = |p: Value<'_>| p.items().take(16).find_map(|p| reader.author(p));
        publisher = publisher.or_else(|| object.get("publisher").and_then(name));
    }
    (authors, publisher)
}

struct Reader<'j> {
    json: &'j Json<'j>,
    others: &'j [Json<'j>],
}

impl Reader<'_> {
    fn draft(&self, recipe: Value<'_>) -> Draft {
        let nutrition = recipe.get("nutrition").and_then(|n| n.items().find(|n| n.is_object()));
        let yields = recipe.get("recipeYield").or_else(|| recipe.get("yield"));
        let (calories, nutrition) = nutrition.map(|n| read_nutrition(n, yields)).unwrap_or_default();
        let prep_time = duration(recipe, "prepTime");
        let cook_time = duration(recipe, "cookTime").or_else(|| duration(recipe, "performTime"));
        Draft {
            title: recipe.get("name").or_else(|| recipe.get("headline")).and_then(first_text).and_then(non_empty),
            authors: self.authors(recipe),
            description: recipe.get("description").and_then(first_text).and_then(non_empty),
            image: recipe.get("image").and_then(image),
            ingredients_spoilt: ingredient_list(recipe).is_some_and(is_spoilt),
            ingredients: ingredients(recipe),
            instructions: instructions(recipe),
            instructions_as_text: instruction_list(recipe).is_some_and(|v| v.items().all(|item| !item.is_object())),
            yields: yields.and_then(read_yield),
            prep_time,
            cook_time,
            total_time: duration(recipe, "totalTime"),
            calories,
            nutrition,
            rating: recipe.get("aggregateRating").and_then(|r| self.rating(r)),
            category: names(recipe.get("recipeCategory")),
            cuisine: names(recipe.get("recipeCuisine")),
            language: recipe.get("inLanguage").and_then(first_text).and_then(non_empty),
            published_at: recipe.get("datePublished").and_then(first_text).and_then(|t| date(&t)),
            url: own_url(recipe),
        }
    }

    fn authors(&self, recipe: Value<'_>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let author = recipe.get("author").or_else(|| recipe.get("Author")).or_else(|| recipe.get("creator"));
        for author in author.iter().flat_map(|a| a.items()).take(16) {
            if let Some(name) = self.author(author)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    fn author(&self, author: Value<'_>) -> Option<String> {
        if !author.is_object() {
            return author.text().and_then(|t| author_name(&t));
        }
        let named = |object: Value<'_>| {
            object.get("name").or_else(|| object.get("legalName")).and_then(first_text).and_then(|t| author_name(&t))
        };
        let id = author.get("@id").and_then(Value::raw_text);
        named(author).or_else(|| id.and_then(|id| self.by_id(id)).and_then(named))
    }

    /// The object that carries `id` and more than the `id` itself.
    fn by_id(&self, id: &str) -> Option<Value<'_>> {
        let full = |o: &Value<'_>| o.get("@id").and_then(Value::raw_text) == Some(id) && o.entries().nth(1).is_some();
        let others = self.others.iter().filter(|json| !std::ptr::eq(*json, self.json));
        std::iter::once(self.json).chain(others).flat_map(Json::objects).take(MAX_OBJECTS).find(full)
    }

    fn rating(&self, rating: Value<'_>) -> Option<Rating> {
        let rating = rating.items().find(|r| r.is_object())?;
        let number = |r: Value<'_>, name: &str| {
            r.get(name).and_then(Value::text).and_then(|t| values::first_number(&t)).map(|n| n.value)
        };
        let full = if rating.get("ratingValue").is_some() {
            rating
        } else {
            self.by_id(rating.get("@id").and_then(Value::raw_text)?)?
        };
        let value = number(full, "ratingValue").filter(|v| *v > 0.0 && *v <= 1000.0)?;
        let count =
            number(full, "ratingCount").or_else(|| number(full, "reviewCount")).filter(|c| *c >= 1.0 && *c < 1e12);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        Some(Rating { value, count: count.map(|c| c as u64) })
    }
}

/// The first text in a value: itself, its first item, or its `@value`/`name`/`text`.
fn first_text(value: Value<'_>) -> Option<String> {
    let first = value.items().next()?;
    let text = if first.is_object() {
        ["@value", "name", "text", "value"].iter().find_map(|key| first.get(key))?.text()?
    } else {
        first.text()?
    };
    Some(cleaned(text))
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Names as a list: arrays, and one text with commas.
fn names(value: Option<Value<'_>>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in value.iter().flat_map(|v| v.items()).take(MAX_NAMES) {
        let Some(text) = first_text(item) else { continue };
        for name in text.split([',', ';']).map(str::trim).filter(|n| !n.is_empty()) {
            if out.len() < MAX_NAMES && !out.iter().any(|known| known == name) {
                out.push(name.to_owned());
            }
        }
    }
    out
}

/// The first picture with an absolute address.
fn image(value: Value<'_>) -> Option<String> {
    value.items().take(16).find_map(|item| {
        let text = if item.is_object() {
            let url = item.get("url").or_else(|| item.get("contentUrl")).or_else(|| item.get("@id"))?;
            url.items().next()?.text()?
        } else {
            item.text()?
        };
        let text = clean(&text);
        (text.starts_with("http://") || text.starts_with("https://") || text.starts_with("//")).then_some(text)
    })
}

fn own_url(recipe: Value<'_>) -> Option<String> {
    ["url", "mainEntityOfPage", "@id"].iter().find_map(|key| {
        let value = recipe.get(key)?.items().next()?;
        let value = if value.is_object() { value.get("@id").or_else(|| value.get("url"))? } else { value };
        let text = value.text()?;
        text.starts_with("http").then(|| text.into_owned())
    })
}

fn duration(recipe: Value<'_>, name: &str) -> Option<u32> {
    let value = recipe.get(name)?.items().next()?;
    if value.is_object() {
        return ["maxValue", "value", "minValue", "name"]
            .iter()
            .find_map(|key| values::minutes(&value.get(key)?.text()?));
    }
    values::minutes(&value.text()?)
}

fn read_yield(value: Value<'_>) -> Option<Yield> {
    let texts: Vec<Cow<'_, str>> = value
        .items()
        .take(8)
        .filter_map(|item| {
            if !item.is_object() {
                return item.text();
            }
            let amount = item.get("value").or_else(|| item.get("@value")).or_else(|| item.get("name"))?.text()?;
            let unit = item.get("unitText").and_then(Value::text).unwrap_or_default();
            Some(Cow::Owned(format!("{amount} {unit}")))
        })
        .collect();
    Yield::read(texts.iter().map(|t| &**t))
}

fn date(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Iso8601::DEFAULT))
        .ok()
        .or_else(|| {
            time::PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).ok().map(time::PrimitiveDateTime::assume_utc)
        })
        .or_else(|| time::Date::parse(text.get(..10)?, &Iso8601::DATE).ok().map(|d| d.midnight().assume_utc()))
}

/// Energy in kcal a serving, and the other nutrients.
fn read_nutrition(value: Value<'_>, yields: Option<Value<'_>>) -> (Option<f64>, Nutrition) {
    let text = |name: &str| value.get(name).and_then(first_text).filter(|t| !t.is_empty());
    let read = |name: &str, unit: &str| text(name).and_then(|t| values::quantity(&t, unit));
    let energy = text("calories").or_else(|| text("energy")).and_then(|t| values::kcal(&t));
    let servings = || yields.and_then(read_yield).and_then(|y| y.servings());
    let size = || text("servingSize").and_then(|size| values::grams(&size));
    let calories = energy.and_then(|energy| match energy {
        Energy::Serving(kcal) => Some(kcal),
        other => other.per_serving(servings(), size()),
    });
    let nutrition = Nutrition {
        calories: calories.map(|value| Quantity { value, unit: "kcal".to_owned() }),
        carbohydrates: read("carbohydrateContent", "g"),
        cholesterol: read("cholesterolContent", "mg"),
        fat: read("fatContent", "g"),
        fiber: read("fiberContent", "g"),
        protein: read("proteinContent", "g"),
        saturated_fat: read("saturatedFatContent", "g"),
        sodium: read("sodiumContent", "mg"),
        sugar: read("sugarContent", "g"),
        trans_fat: read("transFatContent", "g"),
        unsaturated_fat: read("unsaturatedFatContent", "g"),
        serving_size: text("servingSize"),
    };
    (calories, nutrition)
}

fn ingredient_list(recipe: Value<'_>) -> Option<Value<'_>> {
    let keys = ["recipeIngredient", "ingredients", "recipeIngredients", "ingredient"];
    keys.iter().find_map(|k| recipe.get(k).filter(|v| v.items().next().is_some()))
}

/// Whether several items of a list hold several lines each; a line with nothing but an amount belongs to the next.
fn is_spoilt(list: Value<'_>) -> bool {
    let says = |line: &str| line.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let several = |item: &Value<'_>| {
        item.text().is_some_and(|t| t.contains('\n') && t.split('\n').filter(|line| says(line)).count() > 1)
    };
    list.items().nth(1).is_some() && list.items().filter(several).count() > 1
}

fn ingredients(recipe: Value<'_>) -> Vec<Section> {
    let Some(value) = ingredient_list(recipe) else { return Vec::new() };
    let mut sections = vec![Section::default()];
    let listed = value.is_array() && value.items().nth(1).is_some();
    for item in value.items().take(MAX_ITEMS) {
        push_ingredient(item, 0, listed, &mut sections);
    }
    values::tidy_ingredients(sections)
}

fn push_ingredient(item: Value<'_>, depth: usize, listed: bool, sections: &mut Vec<Section>) {
    if depth > 4 {
        return;
    }
    let push = |text: String, sections: &mut Vec<Section>| {
        if !text.is_empty()
            && let Some(last) = sections.last_mut()
        {
            last.items.push(text);
        }
    };
    if item.is_array() {
        item.items().take(MAX_ITEMS).for_each(|i| push_ingredient(i, depth + 1, listed, sections));
    } else if item.is_object() {
        if let Some(list) =
            item.get("itemListElement").or_else(|| item.get("recipeIngredient")).or_else(|| item.get("ingredients"))
        {
            sections
                .push(Section { name: item.get("name").and_then(first_text).and_then(non_empty), items: Vec::new() });
            list.items().take(MAX_ITEMS).for_each(|i| push_ingredient(i, depth + 1, true, sections));
        } else if let Some(item) = item.get("item").filter(|i| i.is_object()) {
            push_ingredient(item, depth + 1, listed, sections);
        } else {
            push(amount_and_name(item), sections);
        }
    } else if let Some(text) = item.text() {
        if listed {
            push(cleaned(text), sections);
        } else {
            // One text for the whole list: a line each, or commas where there is only one line.
            // A line in bold type that measures nothing is a heading.
            let marked = BOLD.iter().fold(text.into_owned(), |text, (tag, mark)| text.replace(tag, mark));
            for line in clean_lines(&marked) {
                let bold = line.starts_with('\u{e000}') && line.ends_with('\u{e001}');
                let line = line.replace(['\u{e000}', '\u{e001}'], "");
                let heading = bold && !line.chars().any(char::is_numeric);
                push(if heading { format!("{}:", line.trim_end_matches(':')) } else { line }, sections);
            }
        }
    }
}

/// Marks that outlive cleaning, for bold type.
const BOLD: [(&str, &str); 4] =
    [("<b>", "\u{e000}"), ("</b>", "\u{e001}"), ("<strong>", "\u{e000}"), ("</strong>", "\u{e001}")];

/// `PropertyValue` and its home-made relatives: amount, unit, name.
fn amount_and_name(item: Value<'_>) -> String {
    let text = |keys: &[&str]| keys.iter().find_map(|k| item.get(k)).and_then(first_text).unwrap_or_default();
    let amount = text(&["value", "amount", "quantity", "requiredQuantity"]);
    let unit = text(&["unitText", "unitCode", "unit"]);
    let name = text(&["name", "text", "item", "ingredient", "@value"]);
    values::clean(&format!("{amount} {unit} {name}"))
}

fn instruction_list(recipe: Value<'_>) -> Option<Value<'_>> {
    let keys = ["recipeInstructions", "RecipeInstructions", "instructions", "step", "steps"];
    keys.iter().find_map(|k| recipe.get(k).filter(|v| v.items().next().is_some()))
}

fn instructions(recipe: Value<'_>) -> Vec<Section> {
    let Some(value) = instruction_list(recipe) else { return Vec::new() };
    let mut steps = Steps { sections: vec![Section::default()] };
    if value.is_array() || value.is_object() {
        let single = value.items().nth(1).is_none();
        value.items().take(MAX_ITEMS).for_each(|item| steps.item(item, 0, single));
    } else if let Some(text) = value.text() {
        values::steps(&text).into_iter().for_each(|line| steps.push(line));
    }
    values::tidy_steps(steps.sections)
}

/// An object of a list of instructions.
#[derive(Default)]
struct Step<'j> {
    /// Whether it is a section of the list, not a step.
    is_section: bool,
    is_list: bool,
    name: Option<Value<'j>>,
    text: Option<Value<'j>>,
    list: Option<Value<'j>>,
    inner: Option<Value<'j>>,
}

impl<'j> Step<'j> {
    /// Reads the members in one pass: pages have more of these objects than of any other.
    fn of(item: Value<'j>) -> Step<'j> {
        let (mut names, mut texts, mut lists, mut inner) = ([None; 2], [None; 3], [None; 3], None);
        for (key, value) in item.entries().filter(|(_, value)| !value.is_null()) {
            let slot = match key {
                "name" => &mut names[0],
                "Name" => &mut names[1],
                "text" => &mut texts[0],
                "description" => &mut texts[1],
                "@value" => &mut texts[2],
                "itemListElement" => &mut lists[0],
                "steps" => &mut lists[1],
                "step" => &mut lists[2],
                "item" => &mut inner,
                _ => continue,
            };
            *slot = Some(value);
        }
        let list = lists.into_iter().flatten().next();
        let is_section = has_type(item, "HowToSection") || (list.is_some() && !has_type(item, "HowToStep"));
        Step {
            is_section,
            is_list: is_section && has_type(item, "ItemList"),
            name: names.into_iter().flatten().next(),
            text: texts.into_iter().flatten().next(),
            list,
            inner,
        }
    }

    /// Whether the text begins with the name as it stands in the page.
    fn repeats_itself(&self) -> bool {
        let raw = |value: Option<Value<'j>>| value.and_then(Value::raw_text);
        raw(self.name).zip(raw(self.text)).is_some_and(|(name, text)| text.starts_with(name))
    }
}

struct Steps {
    sections: Vec<Section>,
}

impl Steps {
    fn push(&mut self, text: String) {
        if !text.is_empty()
            && let Some(last) = self.sections.last_mut()
        {
            last.items.push(text);
        }
    }

    fn item(&mut self, item: Value<'_>, depth: usize, single: bool) {
        if depth > 6 {
            return;
        }
        if item.is_array() {
            item.items().take(MAX_ITEMS).for_each(|i| self.item(i, depth + 1, single));
            return;
        }
        if !item.is_object() {
            let Some(text) = item.text() else { return };
            self.text(text, single);
            return;
        }
        let item = Step::of(item);
        if item.is_section {
            let heading = item.name.filter(|_| !item.is_list).and_then(first_text).and_then(non_empty);
            self.sections.push(Section { name: heading, items: Vec::new() });
            let single = single && item.list.is_none_or(|l| l.items().nth(1).is_none());
            item.list.iter().flat_map(|l| l.items()).take(MAX_ITEMS).for_each(|i| self.item(i, depth + 1, single));
            return;
        }
        self.step(&item, depth, single);
    }

    fn step(&mut self, item: &Step<'_>, depth: usize, single: bool) {
        let text = item.text.and_then(|t| t.items().next()?.text());
        let name = || item.name.and_then(first_text).and_then(non_empty);
        match (text, item.list) {
            (Some(text), _) if !text.trim().is_empty() => {
                // Many sites repeat the start of the text as its name; only a name of its own is worth a line.
                if !item.repeats_itself()
                    && let Some(name) = name().filter(|name| !begins_with(&text, name))
                {
                    self.push(name);
                }
                self.text(text, single);
            }
            (_, Some(list)) => {
                if let Some(name) = name() {
                    self.push(name);
                }
                list.items().for_each(|i| self.item(i, depth + 1, single));
            }
            _ => {
                if let Some(inner) = item.inner.filter(|i| i.is_object()) {
                    self.item(inner, depth + 1, single);
                } else if let Some(name) = name() {
                    self.push(name);
                }
            }
        }
    }

    /// One item is one step, unless it is the only one and holds them all.
    fn text(&mut self, text: Cow<'_, str>, single: bool) {
        if single {
            values::steps(&text).into_iter().for_each(|line| self.push(line));
        } else {
            self.push(cleaned(text));
        }
    }
}

/// Whether the text begins with the name, which may have been cut off and have lost its spaces.
fn begins_with(text: &str, name: &str) -> bool {
    let name = name.trim_end_matches(['.', '…', ':', ' ']);
    if text.starts_with(name) {
        return true;
    }
    let letters = |c: &char| c.is_alphanumeric();
    let mut text = values::strip_tags(text).into_owned();
    if text.contains('&') {
        text = clean(&text);
    }
    let mut text = text.chars().filter(letters);
    let mut name = name.chars().filter(letters).peekable();
    name.peek().is_some() && name.all(|c| text.next() == Some(c))
}
