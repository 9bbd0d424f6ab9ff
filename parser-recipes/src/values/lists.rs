//! Lists of ingredients and steps: what is an item, what a heading, what only counts.

use super::text::{clean, clean_lines};
use crate::draft::Section;

/// Headings that name the list itself and say nothing inside it.
const NAMES_OF_LISTS: &[&str] = &[
    "ingredients",
    "instructions",
    "directions",
    "method",
    "preparation",
    "steps",
    "procedure",
    "zutaten",
    "zubereitung",
    "ingredientes",
    "preparación",
    "elaboración",
    "modo de preparo",
    "modo de preparação",
    "preparo",
    "ingrédients",
    "préparation",
    "ingredienti",
    "preparazione",
    "procedimento",
    "ingrediënten",
    "bereiding",
    "bereiden",
    "voorbereiden",
    "voorbereiding",
    "bereidingswijze",
    "składniki",
    "przygotowanie",
    "sposób przygotowania",
    "gör så här",
    "så här gör du",
    "instruktioner",
    "instructies",
    "how to make it",
];

/// Steps of a text that holds them all: its lines; where there is only one, what is numbered (`1. … 2. …`), or what a
/// lost line break glued together (`… in strips.Heat the oil …`).
pub fn steps(text: &str) -> Vec<String> {
    let lines = clean_lines(text);
    if let [line] = lines.as_slice()
        && let Some(numbered) = numbered(line)
    {
        return numbered;
    }
    lines.iter().flat_map(|line| glued(line)).collect()
}

/// Cuts at `1.`, `2.`, `3.` … where they count up from one.
fn numbered(line: &str) -> Option<Vec<String>> {
    let mut cuts = Vec::new();
    let mut from = 0;
    for n in 1..200 {
        let found = ["{}. ", "{}) ", "{}."].iter().find_map(|form| {
            let mark = form.replace("{}", &n.to_string());
            let starts = line[from..].match_indices(&*mark).map(|(at, _)| from + at);
            let mut fitting = starts.filter(|&at| {
                let before = line[..at].chars().next_back();
                let after = line[at + mark.len()..].chars().next();
                let begins = before.is_none_or(|c| c.is_whitespace() || matches!(c, '.' | '!' | '?' | ')'));
                begins && after.is_some_and(|c| c.is_uppercase() || c.is_whitespace())
            });
            fitting.next().map(|at| (at, mark.len()))
        });
        let Some((at, length)) = found else { break };
        if n == 1 && at != 0 {
            return None;
        }
        cuts.push((at, at + length));
        from = at + length;
    }
    if cuts.len() < 2 {
        return None;
    }
    let ends = cuts.iter().skip(1).map(|c| c.0).chain([line.len()]);
    let steps = cuts.iter().zip(ends).map(|(&(_, start), end)| line[start..end].trim().to_owned());
    Some(steps.filter(|s| !s.is_empty()).collect())
}

/// Cuts between a full stop and a capital letter with no space between, and before the name of a list ("Method:").
fn glued(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = 0;
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    for window in chars.windows(4) {
        let [(_, a), (_, b), (_, stop), (at, next)] = window else { continue };
        let word = a.is_lowercase() && b.is_lowercase() || (matches!(b, ')' | '°' | '"' | '”'));
        let soon = &line[*at..line.floor_char_boundary(at + 40)];
        let head = || soon.split_once(':').is_some_and(|(head, _)| names_the_list(head));
        let cut = next.is_uppercase() && (word || *stop == ' ' && matches!(b, '.' | '!') && head());
        if matches!(stop, '.' | '!' | '?' | ' ') && cut && (*stop != ' ' || head()) {
            out.push(line[start..*at].trim().to_owned());
            start = *at;
        }
    }
    out.push(line[start..].trim().to_owned());
    out.retain(|s| !s.is_empty());
    out
}

/// Lines that end in a colon and measure nothing become headings of what follows.
pub fn tidy_ingredients(sections: Vec<Section>) -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    for section in sections {
        let mut current = Section { name: section.name, items: Vec::new() };
        let mut items = section.items.into_iter().map(tidy_item).peekable();
        while let Some(item) = items.next() {
            if is_heading(&item) || (items.peek().is_some() && introduces(&item)) {
                out.push(std::mem::replace(
                    &mut current,
                    Section { name: Some(item.trim_end_matches([':', ' ']).to_owned()), items: Vec::new() },
                ));
            } else {
                current.items.push(item);
            }
        }
        out.push(current);
    }
    out.retain(|s| !s.items.is_empty());
    out
}

/// An ingredient without its list mark; `1 onion , chopped`: what was cut out of the middle left its space.
fn tidy_item(mut item: String) -> String {
    let bare = unmarked(&item);
    if bare.len() < item.len() {
        item.drain(..item.len() - bare.len());
    }
    if item.as_bytes().windows(2).any(|two| two == b" ,") { item.replace(" ,", ",") } else { item }
}

/// The line without the mark that lists put before it.
pub fn unmarked(line: &str) -> &str {
    let marks = |c: char| matches!(c, '•' | '·' | '▢' | '☐' | '●' | '◦' | '▪' | '□' | '✓' | '*') || c.is_whitespace();
    let bare = line.trim_start_matches(marks);
    // A dash only where a space follows: "-2 eggs" may be a slip, "- 2 eggs" is a list.
    let bare = ["- ", "– ", "— "].iter().find_map(|dash| bare.strip_prefix(dash)).unwrap_or(bare);
    // All marks and nothing else is left as it was; "*see note" keeps its star.
    if bare.is_empty() || line.starts_with('*') { line } else { bare.trim_start() }
}

/// "For the sauce", "Für den Teig": a heading without a colon.
fn introduces(item: &str) -> bool {
    const STARTS: &[&str] = &[
        "for the ",
        "für den ",
        "für die ",
        "für das ",
        "para el ",
        "para la ",
        "para los ",
        "para las ",
        "para o ",
        "para a ",
        "pour la ",
        "pour le ",
        "pour les ",
        "pour l'",
        "per la ",
        "per il ",
        "per le ",
        "per i ",
        "per lo ",
        "voor de ",
        "voor het ",
        "na ciasto",
        "till ",
        "to serve",
    ];
    let measures = || item.chars().any(char::is_numeric);
    if item.len() > 60 || item.starts_with(|c: char| c.is_ascii_digit()) || measures() || item.contains([',', '(', '.'])
    {
        return false;
    }
    let lower = item.to_lowercase();
    item.split_whitespace().count() <= 5 && STARTS.iter().any(|start| lower.starts_with(start))
}

fn is_heading(item: &str) -> bool {
    item.ends_with(':') && !item.chars().any(char::is_numeric) && item.split_whitespace().count() <= 8
}

/// Drops what only counts (`Step 3`, `2.`) and headings that name the whole list.
pub fn tidy_steps(sections: Vec<Section>) -> Vec<Section> {
    let mut out = sections;
    out.retain(|s| !s.items.is_empty());
    let single = out.len() == 1;
    // Numbers that the page wrote into its steps go; the last lines may have none.
    let total = out.iter().map(|s| s.items.len()).sum::<usize>();
    let counted =
        out.iter().flat_map(|s| &s.items).zip(1..).take_while(|(item, n)| without_number(item, *n).is_some()).count();
    for section in &mut out {
        if counted > 1 && counted * 5 >= total * 4 {
            for item in &mut section.items {
                let cut =
                    item.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['.', ')']).trim_start();
                *item = cut.to_owned();
            }
        }
        section.items.retain(|item| !only_counts(item));
        section.items.iter_mut().for_each(cut_list_name);
        if section.name.as_deref().is_some_and(|n| only_counts(n) || (single && names_the_list(n))) {
            section.name = None;
        }
        if section.items.len() > 1 && section.items.first().is_some_and(|first| names_the_list(first)) {
            section.items.remove(0);
        }
    }
    out.retain(|s| !s.items.is_empty());
    out
}

/// Whether a line is the name of a list, `Ingredients:`.
pub fn names_the_list(line: &str) -> bool {
    let line = line.trim().trim_end_matches([':', '.']).trim().to_lowercase();
    NAMES_OF_LISTS.contains(&&*line)
}

/// The step without the number `n` before it: `3. Bake`, `3) Bake`.
fn without_number(item: &str, n: usize) -> Option<&str> {
    let rest = item.strip_prefix(&n.to_string())?;
    rest.strip_prefix(['.', ')']).map(str::trim_start).filter(|rest| rest.starts_with(char::is_alphabetic))
}

/// `Bereiding: Verhit de olie` loses the name of the list.
fn cut_list_name(step: &mut String) {
    if let Some((head, tail)) = step.split_once(':')
        && names_the_list(head)
        && !tail.trim().is_empty()
    {
        *step = tail.trim().to_owned();
    }
}

fn only_counts(line: &str) -> bool {
    if line.len() > 24 {
        return false;
    }
    let lower = clean(line).to_lowercase();
    let rest = ["step", "schritt", "étape", "paso", "passo", "stap", "krok", "steg", "etape", "trin"]
        .iter()
        .find_map(|word| lower.strip_prefix(word))
        .unwrap_or(&lower);
    rest.chars().all(|c| c.is_numeric() || c.is_whitespace() || matches!(c, '.' | ':' | ')' | '#' | '-' | '–'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_cut_where_steps_begin() {
        assert_eq!(steps("1. Mix. 2. Bake at 180. 3. Eat."), ["Mix.", "Bake at 180.", "Eat."]);
        assert_eq!(steps("1. Mix all.2. Bake."), ["Mix all.", "Bake."]);
        assert_eq!(steps("Cut in strips.Heat the oil.Fry."), ["Cut in strips.", "Heat the oil.", "Fry."]);
        assert_eq!(steps("Mix. Bake."), ["Mix. Bake."]);
        assert_eq!(steps("Mix.\nBake."), ["Mix.", "Bake."]);
    }

    #[test]
    fn headings_leave_the_ingredients() {
        let items = ["1 egg", "For the sauce:", "salt"].map(str::to_owned).to_vec();
        let sections = tidy_ingredients(vec![Section { name: None, items }]);
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[1].name.as_deref(), Some("For the sauce"));
    }

    #[test]
    fn counters_leave_the_steps() {
        let items = ["Zubereitung", "1", "Kochen.", "Step 2:", "Essen."].map(str::to_owned).to_vec();
        let sections = tidy_steps(vec![Section { name: Some("Instructions".to_owned()), items }]);
        assert_eq!(sections, [Section { name: None, items: vec!["Kochen.".to_owned(), "Essen.".to_owned()] }]);
    }
}
