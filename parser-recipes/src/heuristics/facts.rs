//! Times, yields and energy by their labels: "Prep time: 10 min", "Serves 4", "Calories 312".

use super::lines::Line;
use crate::draft::Draft;
use crate::values::{self, Energy, Yield, author_name};

const PREP: &[&str] = &[
    "prep time",
    "preparation time",
    "prep",
    "vorbereitungszeit",
    "vorbereitung",
    "tiempo de preparación",
    "temps de préparation",
    "tempo de preparo",
    "tempo di preparazione",
    "voorbereidingstijd",
    "czas przygotowania",
    "förberedelsetid",
    "χρόνος προετοιμασίας",
    "hands-on time",
    "active time",
];
const COOK: &[&str] = &[
    "cook time",
    "cooking time",
    "bake time",
    "baking time",
    "cook",
    "kochzeit",
    "backzeit",
    "garzeit",
    "tiempo de cocción",
    "temps de cuisson",
    "cuisson",
    "tempo de cozimento",
    "tempo di cottura",
    "cottura",
    "kooktijd",
    "baktijd",
    "czas gotowania",
    "czas pieczenia",
    "tillagningstid",
    "χρόνος μαγειρέματος",
];
const TOTAL: &[&str] = &[
    "total time",
    "ready in",
    "time",
    "total",
    "takes",
    "gesamtzeit",
    "zubereitungszeit",
    "dauer",
    "tiempo total",
    "tiempo",
    "duración",
    "temps total",
    "durée",
    "tempo total",
    "tempo totale",
    "tempo",
    "bereidingstijd",
    "totale tijd",
    "tijd",
    "czas",
    "total tid",
    "tid",
    "idő",
    "συνολικός χρόνος",
    "χρόνος",
];
const YIELDS: &[&str] = &[
    "serves",
    "servings",
    "serving",
    "yield",
    "yields",
    "makes",
    "portions",
    "serving size",
    "portionen",
    "personen",
    "für",
    "ergibt",
    "porciones",
    "raciones",
    "comensales",
    "personnes",
    "pour",
    "portioner",
    "porzioni",
    "dosi per",
    "persone",
    "porções",
    "rendimento",
    "rende",
    "porties",
    "aantal personen",
    "voor",
    "porcje",
    "ilość porcji",
    "liczba porcji",
    "adag",
    "μερίδες",
    "people",
];
const CALORIES: &[&str] = &[
    "calories",
    "calorie",
    "energy",
    "kcal",
    "kalorien",
    "brennwert",
    "energie",
    "calorías",
    "energía",
    "calorias",
    "valor energético",
    "kcalorie",
    "kalorie",
    "energi",
    "θερμίδες",
    "calorieën",
];

/// Fills what `known` leaves open.
pub fn read(lines: &[Line], known: &Draft, draft: &mut Draft) {
    let untimed = known.prep_time.is_none() && known.cook_time.is_none() && known.total_time.is_none();
    if known.authors.is_empty() {
        draft.authors = byline(lines).into_iter().collect();
    }
    // Before the page's heading stands its menu, where "Time: 15 min" picks recipes.
    let heading = lines.iter().position(|l| l.heading == Some(1)).unwrap_or(0);
    for (at, line) in lines.iter().enumerate().skip(heading) {
        if line.aside || line.text.len() > 90 {
            continue;
        }
        let next = lines.get(at + 1).filter(|l| l.text.len() < 40).map_or("", |l| &*l.text);
        let before =
            at.checked_sub(1).and_then(|n| lines.get(n)).filter(|l| l.text.len() < 20).map_or("", |l| &*l.text);
        if untimed {
            fill(&mut draft.prep_time, || labelled(&line.text, next, PREP, values::minutes));
            fill(&mut draft.cook_time, || labelled(&line.text, next, COOK, values::minutes));
            fill(&mut draft.total_time, || labelled(&line.text, next, TOTAL, values::minutes));
        }
        if known.yields.is_none() {
            fill(&mut draft.yields, || yields(&line.text, next, before));
        }
        if known.calories.is_none() {
            fill(&mut draft.calories, || labelled(&line.text, next, CALORIES, energy));
        }
    }
}

/// "By Ann Lee", "Author: Ann Lee", or "By" with the name on the next line; names have two or three words with capitals.
fn byline(lines: &[Line]) -> Option<String> {
    const LABELS: &[&str] =
        &["by", "author", "recipe by", "written by", "autor", "autora", "auteur", "autore", "von", "rezept von", "por"];
    let name = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let capital = |w: &&str| {
            w.starts_with(char::is_uppercase)
                && w.chars().all(|c| c.is_alphabetic() || matches!(c, '.' | '-' | '\'' | '’'))
        };
        (matches!(words.len(), 2 | 3) && words.iter().all(capital)).then(|| author_name(text))?
    };
    lines.iter().enumerate().filter(|(_, l)| !l.aside && l.text.len() < 60).find_map(|(at, line)| {
        let lower = line.text.to_lowercase();
        LABELS.iter().find_map(|label| {
            let rest = line.text.get(label.len()..).filter(|_| lower.starts_with(label))?;
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            if rest.trim().is_empty() {
                return name(&lines.get(at + 1)?.text);
            }
            rest.strip_prefix(' ').and_then(|rest| name(rest.trim()))
        })
    })
}

fn fill<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

/// The value behind a label: on the same line, or on the next where the label stands alone.
fn labelled<T>(line: &str, next: &str, labels: &[&str], read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let lower = line.to_lowercase();
    let label = labels.iter().filter(|l| lower.starts_with(**l)).max_by_key(|l| l.len())?;
    let rest = &lower[label.len()..];
    if rest.starts_with(char::is_alphabetic) {
        return None;
    }
    let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
    if rest.is_empty() { read(next) } else { read(rest).filter(|_| rest.len() < 40) }
}

fn energy(text: &str) -> Option<f64> {
    // A bare number behind "energy" may be kJ; the unit must be there, or the label said calories.
    match values::kcal(text)? {
        Energy::Serving(kcal) => Some(kcal),
        Energy::Per100(_) | Energy::Recipe(_) => None,
    }
}

fn yields(line: &str, next: &str, before: &str) -> Option<Yield> {
    let number = |text: &str| {
        let short = text.len() < 40 && text.starts_with(|c: char| c.is_numeric());
        if short { Yield::read([text]).filter(|y| y.count.is_some_and(|c| c <= 200.0)) } else { None }
    };
    if let Some(found) = labelled(line, next, YIELDS, number) {
        return Some(found);
    }
    // "4 servings", "Ingredients for 4 people", and the number on the line before its label.
    let lower = line.to_lowercase();
    let label = |text: &str| YIELDS.iter().filter(|l| l.len() > 4).any(|l| text == *l);
    if label(lower.trim()) && before.bytes().all(|b| b.is_ascii_digit()) {
        return number(before);
    }
    let first = values::first_number(&lower)?;
    let unit = lower[first.end..].trim_start_matches(|c: char| !c.is_alphabetic());
    let word: String = unit.chars().take_while(|c| c.is_alphabetic()).collect();
    let alone = first.start == 0 && unit.len() == word.len();
    (alone && label(&word)).then(|| number(&lower))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(texts: &[&str]) -> Draft {
        let line = |t: &&str| Line {
            text: (*t).to_owned(),
            block: 0,
            heading: None,
            item: None,
            aside: false,
            topic: None,
            exact: false,
        };
        let lines: Vec<Line> = texts.iter().map(line).collect();
        let mut draft = Draft::default();
        read(&lines, &Draft::default(), &mut draft);
        draft
    }

    #[test]
    fn labels_tell_what_the_numbers_are() {
        let draft = facts(&["Prep time: 10 min", "Cooking time", "1 hour 5 min", "Serves: 4", "Calories: 312 kcal"]);
        assert_eq!((draft.prep_time, draft.cook_time), (Some(10), Some(65)));
        assert_eq!(draft.yields.unwrap().count, Some(4.0));
        assert_eq!(draft.calories, Some(312.0));
        assert_eq!(facts(&["4", "Personen"]).yields.unwrap().count, Some(4.0));
        assert_eq!(facts(&["4 Portionen"]).yields.unwrap().count, Some(4.0));
    }

    #[test]
    fn bylines_name_the_author() {
        assert_eq!(facts(&["By Ann Lee"]).authors, ["Ann Lee"]);
        assert_eq!(facts(&["BY", "Ann Lee"]).authors, ["Ann Lee"]);
        assert_eq!(facts(&["Author: Ann Lee"]).authors, ["Ann Lee"]);
        assert!(facts(&["By the way", "Author of many books", "By Popular demand"]).authors.is_empty());
    }

    #[test]
    fn numbers_without_a_label_are_nothing() {
        assert_eq!(facts(&["Timeless: 10 min", "I cooked for 4 people", "In 2019 we moved"]), Draft::default());
    }
}
