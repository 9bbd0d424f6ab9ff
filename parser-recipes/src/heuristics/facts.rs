//! Times, yields and energy: by their labels ("Prep time: 10 min", "Serves 4", "Calories 312"), by the class of the
//! element that holds them, and a duration that stands alone above the ingredients.

use memchr::memmem;

use super::labels::{CALORIES, COOK, Fact, Labels, PREP, SERVING_SIZE, TOTAL, YIELDS, fact_of_class};
use super::lines::Line;
use crate::draft::Draft;
use crate::html::Document;
use crate::values::{self, Basis, Energy, Yield, author_name};

/// Fills what `known` leaves open. `until` is the line where the ingredients end: above it stand the recipe's facts,
/// below it those of other recipes too.
pub fn read(page: &Document<'_>, lines: &[Line], until: usize, known: &Draft, draft: &mut Draft) {
    let untimed = known.prep_time.is_none() && known.cook_time.is_none() && known.total_time.is_none();
    if known.authors.is_empty() {
        draft.authors = byline(lines).or_else(|| marked_author(page)).into_iter().collect();
    }
    // Before the page's heading stands its menu, where "Time: 15 min" picks recipes.
    let heading = lines.iter().position(|l| l.heading == Some(1)).unwrap_or(0);
    let values_first = untimed && values_stand_first(&lines[heading..]);
    for (at, line) in lines.iter().enumerate().skip(heading) {
        if line.aside || line.text.len() > 90 {
            continue;
        }
        let next = lines.get(at + 1).filter(|l| l.text.len() < 40).map_or("", |l| &*l.text);
        let before =
            at.checked_sub(1).and_then(|n| lines.get(n)).filter(|l| l.text.len() < 20).map_or("", |l| &*l.text);
        let lower = line.lower.as_str();
        if untimed {
            let value = if values_first { before } else { next };
            fill(&mut draft.prep_time, || labelled(lower, value, &PREP, values::minutes));
            fill(&mut draft.cook_time, || labelled(lower, value, &COOK, values::minutes));
            fill(&mut draft.total_time, || labelled(lower, value, &TOTAL, values::minutes));
        }
        if known.yields.is_none() {
            fill(&mut draft.yields, || yields(lower, next, before));
        }
    }
    let above = &lines[heading.min(until)..until.min(lines.len())];
    if untimed || known.yields.is_none() {
        by_class(page, above, untimed, known, draft);
    }
    if untimed && draft.prep_time.is_none() && draft.cook_time.is_none() {
        fill(&mut draft.total_time, || lone_duration(above));
    }
    if known.calories.is_none() {
        let servings = known.yields.as_ref().or(draft.yields.as_ref()).and_then(Yield::servings);
        draft.calories = calories(&lines[heading..], servings);
    }
}

/// Whether the page writes `10 min`, `Prep time`, `20 min`, `Cooking time`: its first run of durations and labels, line by
/// line, begins with a duration and ends with a label.
fn values_stand_first(lines: &[Line]) -> bool {
    let is_label = |line: &Line| {
        let label = line.lower.trim_end_matches([':', ' ']);
        [&PREP, &COOK, &TOTAL].iter().any(|labels| labels.contain(label))
    };
    let lines: Vec<&Line> = lines.iter().filter(|l| !l.aside && l.text.len() < 40).collect();
    let Some(first) = lines.iter().position(|l| is_label(l)).filter(|&at| at > 0) else { return false };
    let mut pairs = lines[first - 1..].chunks(2).take_while(|two| values::is_duration(&two[0].text));
    pairs.next().is_some() && pairs.all(|two| two.get(1).is_some_and(|l| is_label(l)))
}

/// Facts that only a class names: `<div class="cooking_time">15</div>`.
fn by_class(page: &Document<'_>, lines: &[Line], untimed: bool, known: &Draft, draft: &mut Draft) {
    let named = |node| page.names(node).find_map(fact_of_class);
    for line in lines.iter().filter(|l| !l.aside && l.text.len() < 40 && l.text.chars().any(char::is_numeric)) {
        let around = std::iter::once(line.block).chain(page.ancestors(line.block)).take(3);
        let inside = page.descendants(line.block).filter(|&n| page.is_element(n)).take(4);
        let Some(fact) = inside.chain(around).find_map(named) else { continue };
        match fact {
            Fact::Prep if untimed => fill(&mut draft.prep_time, || values::minutes(&line.text)),
            Fact::Cook if untimed => fill(&mut draft.cook_time, || values::minutes(&line.text)),
            Fact::Total if untimed => fill(&mut draft.total_time, || values::minutes(&line.text)),
            Fact::Yields if known.yields.is_none() => fill(&mut draft.yields, || amount(&line.text)),
            _ => {}
        }
    }
}

/// The only line that is a duration and nothing else.
fn lone_duration(lines: &[Line]) -> Option<u32> {
    let mut found =
        lines.iter().filter(|l| !l.aside && values::is_duration(&l.text)).filter_map(|l| values::minutes(&l.text));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// kcal a serving: behind a label, or in a table whose heading says what its columns are for.
fn calories(lines: &[Line], servings: Option<f64>) -> Option<f64> {
    let mut columns: Vec<Basis> = Vec::new();
    let mut said_at = 0;
    let mut grams = None;
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| !l.aside && l.text.len() <= 90) {
        let next = lines.get(at + 1).filter(|l| l.text.len() < 40).map_or("", |l| &*l.text);
        let lower = line.lower.as_str();
        grams = grams.or_else(|| labelled(lower, next, &SERVING_SIZE, values::grams));
        if let Some(kcal) = labelled(lower, next, &CALORIES, |text| energy(text, &columns, servings, grams)) {
            return Some(kcal);
        }
        let named = if line.text.len() <= 60 { Basis::named(lower) } else { Vec::new() };
        if named.contains(&Basis::Per100) || named.contains(&Basis::Recipe) {
            (columns, said_at) = (named, at);
        } else if columns.len() == 1 && named == [Basis::Serving] && at == said_at + 1 {
            // A heading whose cells are lines of their own.
            columns.extend(named);
        } else if named == [Basis::Serving] || at > said_at + 30 {
            columns.clear();
        }
    }
    None
}

/// "By Ann Lee", "Author: Ann Lee", or "By" with the name on the next line; names have two or three words with capitals.
fn byline(lines: &[Line]) -> Option<String> {
    static LABELS: Labels = Labels::of(&[
        "by",
        "author",
        "recipe by",
        "written by",
        "autor",
        "autora",
        "auteur",
        "autore",
        "von",
        "rezept von",
        "por",
        "publié par",
        "recette de",
        "receta de",
        "receita de",
        "ricetta di",
        "recept van",
        "door",
        "av",
        "recept av",
    ]);
    let name = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let capital = |w: &&str| {
            w.starts_with(char::is_uppercase)
                && w.chars().all(|c| c.is_alphabetic() || matches!(c, '.' | '-' | '\'' | '’'))
        };
        (matches!(words.len(), 2 | 3) && words.iter().all(capital)).then(|| author_name(text))?
    };
    lines.iter().enumerate().filter(|(_, l)| !l.aside && l.text.len() < 60).find_map(|(at, line)| {
        let rest = line.text.get(LABELS.at_start(&line.lower)?.len()..)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if rest.trim().is_empty() {
            return name(&lines.get(at + 1)?.text);
        }
        rest.strip_prefix(' ').and_then(|rest| name(rest.trim()))
    })
}

/// The name in the first element that a link relation or a class marks as the author's, outside of comments.
fn marked_author(page: &Document<'_>) -> Option<String> {
    let source = page.source().as_bytes();
    let hinted = page.nodes_at(memmem::find_iter(source, b"author"));
    hinted.filter(|&n| page.is_element(n) && !page.tag(n).is_hidden()).take(500).find_map(|node| {
        let marked = page.attributes(node).any(|(name, value)| {
            let mut tokens = value.split_ascii_whitespace();
            match name {
                "rel" => tokens.any(|t| t == "author"),
                "href" => ["/author/", "/authors/"].iter().any(|path| value.contains(path)),
                "class" => tokens.any(|t| t == "author" || (t.contains("author") && t.ends_with("name"))),
                _ => false,
            }
        });
        let other = ["comment", "review", "related"];
        let elsewhere =
            || page.ancestors(node).any(|n| page.names(n).any(|value| other.iter().any(|w| value.contains(w))));
        if !marked || page.end(node) - node > 40 || elsewhere() {
            return None;
        }
        let name = author_name(&page.text(node))?;
        let words = name.split_whitespace().count();
        let plain = !name.contains(|c: char| c.is_numeric() || matches!(c, ',' | ':' | '@' | '/' | '|'));
        (words <= 4 && name.len() <= 40 && plain && name.starts_with(char::is_uppercase)).then_some(name)
    })
}

fn fill<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

/// The value behind a label: on the same line, or on the next where the label stands alone.
fn labelled<T>(lower: &str, next: &str, labels: &Labels, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let label = labels.at_start(lower)?;
    let rest = &lower[label.len()..];
    if rest.starts_with(char::is_alphabetic) {
        return None;
    }
    let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
    // "Cook for 5 minutes" is a step, not a label.
    let about = [
        "about ", "around ", "approx. ", "approx ", "ca. ", "ca ", "circa ", "env. ", "environ ", "unos ", "około ",
        "ok. ",
    ];
    let value = about.iter().find_map(|a| rest.strip_prefix(a)).unwrap_or(rest);
    let numeric = value.starts_with(char::is_numeric) || values::first_number(value).is_none();
    if rest.is_empty() { read(next) } else { read(rest).filter(|_| rest.len() < 40 && numeric) }
}

/// Energy behind a label. `columns` is what the table's heading names; in a row of several the serving's counts.
fn energy(text: &str, columns: &[Basis], servings: Option<f64>, grams: Option<f64>) -> Option<f64> {
    let amounts = values::kcal_columns(text);
    if columns.len() > 1 && amounts.len() == columns.len() {
        let nth = columns.iter().position(|c| *c == Basis::Serving).unwrap_or(0);
        return columns[nth].of(amounts[nth]).per_serving(servings, grams);
    }
    match (values::kcal(text)?, columns.first()) {
        (Energy::Serving(kcal), Some(basis)) if Basis::named(&text.to_lowercase()).is_empty() => basis.of(kcal),
        (energy, _) => energy,
    }
    .per_serving(servings, grams)
}

/// A short text that starts with a number: `4 Personen`.
fn amount(text: &str) -> Option<Yield> {
    // "Serves 4-6" behind "Yield", "Até 4 porções" behind "Serve".
    let lower = text.to_lowercase();
    let text =
        ["serves ", "makes ", "about ", "up to ", "até ", "bis zu ", "hasta ", "jusqu'à ", "fino a ", "circa ", "ca. "]
            .iter()
            .find_map(|word| lower.strip_prefix(word))
            .unwrap_or(text);
    let short = text.len() < 40 && text.starts_with(|c: char| c.is_numeric());
    if short { Yield::read([text]).filter(|y| y.count.is_some_and(|c| c <= 200.0)) } else { None }
}

/// Whether the text is a number of servings and nothing else: `4 servings`, `4personnes`.
pub(super) fn is_yield(text: &str) -> bool {
    let lower = text.to_lowercase();
    let unit = lower.trim_start_matches(|c: char| c.is_numeric() || matches!(c, ' ' | '-' | '–' | '.' | ','));
    let unit = unit.trim_end_matches('.');
    unit.len() < lower.len() && (YIELDS.contain(unit) || matches!(unit, "port" | "pers" | "persons" | "personas"))
}

fn yields(lower: &str, next: &str, before: &str) -> Option<Yield> {
    if let Some(found) = labelled(lower, next, &YIELDS, amount) {
        return Some(found);
    }
    // "4 servings", "Ingredients for 4 people", and the number on the line before its label.
    let label = |text: &str| text.len() > 4 && YIELDS.contain(text);
    if label(lower.trim()) && before.bytes().all(|b| b.is_ascii_digit()) {
        return amount(before);
    }
    let first = values::first_number(lower)?;
    let unit = lower[first.end..].trim_start_matches(|c: char| !c.is_alphabetic());
    let word: String = unit.chars().take_while(|c| c.is_alphabetic()).collect();
    let alone = first.start == 0 && unit.len() == word.len();
    (alone && label(&word)).then(|| amount(lower))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(texts: &[&str]) -> Draft {
        let line = |t: &&str| Line {
            text: (*t).to_owned(),
            lower: t.to_lowercase(),
            block: 0,
            heading: None,
            item: None,
            aside: false,
            topic: None,
            exact: false,
        };
        let lines: Vec<Line> = texts.iter().map(line).collect();
        let mut draft = Draft::default();
        read(&Document::parse("<p>"), &lines, lines.len(), &Draft::default(), &mut draft);
        draft
    }

    fn calories_of(texts: &[&str]) -> Option<f64> {
        facts(texts).calories
    }

    #[test]
    fn energy_is_converted_where_the_page_says_how() {
        assert_eq!(calories_of(&["Nährwerte pro 100 g", "Energie: 250 kcal"]), None);
        assert_eq!(calories_of(&["Portionsgröße: 240 g", "Nährwerte pro 100 g", "Energie: 250 kcal"]), Some(600.0));
        assert_eq!(calories_of(&["4 Portionen", "Nährwerte gesamtes Rezept", "Energie: 2000 kcal"]), Some(500.0));
        assert_eq!(calories_of(&["Nutrition (whole recipe)", "Calories: 2000"]), None);
        assert_eq!(calories_of(&["per 100 g per serving", "Energy 250 kcal 480 kcal"]), Some(480.0));
        assert_eq!(calories_of(&["por 100 g", "por ración", "Energía 250 kcal 480 kcal"]), Some(480.0));
        assert_eq!(calories_of(&["Calories: 250 kcal per 100 g"]), None);
        assert_eq!(calories_of(&["Nutrition per serving", "Calories: 312"]), Some(312.0));
    }

    #[test]
    fn classes_and_lone_durations_tell_as_much_as_labels() {
        let read_page = |html: &str| {
            let page = Document::parse(html);
            let lines = super::super::lines::lines(&page);
            let mut draft = Draft::default();
            read(&page, &lines, lines.len(), &Draft::default(), &mut draft);
            draft
        };
        let draft = read_page(
            "<h1>Soup</h1><div class='item preparation_time'><b>5 λεπτά</b></div><div class=cooking-time><p>15</p></div>\
             <div class='item portions'>2</div>",
        );
        assert_eq!((draft.prep_time, draft.cook_time), (Some(5), Some(15)));
        assert_eq!(draft.yields.and_then(|y| y.count), Some(2.0));
        assert_eq!(read_page("<h1>Soup</h1><div>6 januari 2015</div><div>60 min</div>").total_time, Some(60));
        assert_eq!(read_page("<h1>Soup</h1><div>60 min</div><div>20 min</div>").total_time, None);
        assert_eq!(read_page("<h1>Soup</h1><i class=video-total-time>2:30</i>").total_time, None);
    }

    #[test]
    fn labels_tell_what_the_numbers_are() {
        let draft = facts(&["Prep time: 10 min", "Cooking time", "1 hour 5 min", "Serves: 4", "Calories: 312 kcal"]);
        assert_eq!((draft.prep_time, draft.cook_time), (Some(10), Some(65)));
        assert_eq!(draft.yields.unwrap().count, Some(4.0));
        assert_eq!(draft.calories, Some(312.0));
        assert_eq!(facts(&["Yield", "Serves 4"]).yields.unwrap().count, Some(4.0));
        assert_eq!(facts(&["4", "Personen"]).yields.unwrap().count, Some(4.0));
        assert_eq!(facts(&["4 Portionen"]).yields.unwrap().count, Some(4.0));
    }

    #[test]
    fn values_may_stand_before_their_labels() {
        let draft =
            facts(&["40 Min.", "Vorbereitung", "45 Min.", "Kochzeit", "1 Std. 25 Min.", "Gesamtzeit", "4 Eier"]);
        assert_eq!((draft.prep_time, draft.cook_time, draft.total_time), (Some(40), Some(45), Some(85)));
        let draft = facts(&["60 min", "Prep time", "10 min", "Cook time", "20 min"]);
        assert_eq!((draft.prep_time, draft.cook_time), (Some(10), Some(20)));
    }

    #[test]
    fn bylines_name_the_author() {
        assert_eq!(facts(&["By Ann Lee"]).authors, ["Ann Lee"]);
        assert_eq!(facts(&["BY", "Ann Lee"]).authors, ["Ann Lee"]);
        assert_eq!(facts(&["Author: Ann Lee"]).authors, ["Ann Lee"]);
        assert!(facts(&["By the way", "Author of many books", "By Popular demand"]).authors.is_empty());
    }

    #[test]
    fn what_is_marked_as_the_authors_names_the_author() {
        for (html, want) in [
            ("<a rel='author follow' href=/x>Ann Lee</a>", Some("Ann Lee")),
            ("<i class='post-author'></i><span class=author-box__name>Ann</span>", Some("Ann")),
            ("<p>Posted in <a href='/author/ann/'>Ann</a>", Some("Ann")),
            ("<div class=comments><b class=author>Bob</b></div>", None),
            ("<a rel=author>View all posts by the author</a><b class=author>5 May 2020</b>", None),
        ] {
            assert_eq!(marked_author(&Document::parse(html)).as_deref(), want, "{html}");
        }
    }

    #[test]
    fn numbers_of_servings_are_told_from_ingredients() {
        assert!(["4 servings", "4personnes", "6 port", "2 pers."].iter().all(|text| is_yield(text)));
        assert!(!["4 eggs", "servings", "4", "6 portobello mushrooms"].iter().any(|text| is_yield(text)));
    }

    #[test]
    fn numbers_without_a_label_are_nothing() {
        assert_eq!(facts(&["Timeless: 10 min", "I cooked for 4 people", "In 2019 we moved"]), Draft::default());
    }
}
