//! Energy in kcal, and other nutrients with their units.

use std::sync::LazyLock;

use recipes::{MAX_KCAL, Quantity};
use regex::Regex;

use super::number::{Number, numbers};

/// kJ in a kcal.
const KJ: f64 = 4.184;

/// What an amount of energy is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Energy {
    /// A serving, or nothing else said.
    Serving(f64),
    /// 100 grams or millilitres.
    Per100(f64),
    /// The whole recipe.
    Recipe(f64),
}

impl Energy {
    /// kcal a serving, where the page says how many servings the recipe has, or how many grams a serving.
    pub fn per_serving(self, servings: Option<f64>, grams: Option<f64>) -> Option<f64> {
        match self {
            Energy::Serving(kcal) => Some(kcal),
            Energy::Recipe(kcal) => servings.filter(|n| *n > 0.0).map(|n| kcal / n),
            Energy::Per100(kcal) => grams.map(|g| kcal * g / 100.0),
        }
        .filter(|kcal| *kcal <= MAX_KCAL)
    }
}

/// What a text says its numbers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A serving.
    Serving,
    /// 100 grams or millilitres.
    Per100,
    /// The whole recipe.
    Recipe,
}

impl Basis {
    /// The energy of so many kcal for this.
    pub fn of(self, kcal: f64) -> Energy {
        match self {
            Basis::Serving => Energy::Serving(kcal),
            Basis::Per100 => Energy::Per100(kcal),
            Basis::Recipe => Energy::Recipe(kcal),
        }
    }

    /// Every basis that a text in lower case names, in order.
    pub fn named(lower: &str) -> Vec<Basis> {
        // Most lines name none, and a page has thousands.
        static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let words: Vec<String> = SERVING.iter().chain(RECIPE).chain(&["100"]).map(|w| regex::escape(w)).collect();
            Regex::new(&words.join("|")).ok()
        });
        if ANY.as_ref().is_some_and(|any| !any.is_match(lower)) {
            return Vec::new();
        }
        let mut found: Vec<(usize, Basis)> = Vec::new();
        for (words, basis) in [(SERVING, Basis::Serving), (RECIPE, Basis::Recipe)] {
            let first = words.iter().filter_map(|word| find_word(lower, word)).min();
            found.extend(first.map(|at| (at, basis)));
        }
        let hundred = numbers(lower).find(|n| n.value == 100.0 && weighs(&lower[n.end..]));
        // "A serving (100 g)" weighs as much and is still a serving.
        if let Some(hundred) = hundred
            && !lower[..hundred.start].trim_end().ends_with('(')
        {
            found.push((hundred.start, Basis::Per100));
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, basis)| basis).collect()
    }
}

/// Words for a serving, as prefixes.
const SERVING: &[&str] = &[
    "serving",
    "portion",
    "person",
    "porcion",
    "porción",
    "ración",
    "racion",
    "porzion",
    "porção",
    "porcao",
    "porç",
    "portie",
    "porcj",
    "portsion",
    "μερίδα",
    "osob",
    "stück",
    "piece",
    "slice",
];

/// Words for the whole recipe.
const RECIPE: &[&str] = &[
    "whole recipe",
    "entire recipe",
    "full recipe",
    "total recipe",
    "per recipe",
    "per batch",
    "whole dish",
    "whole batch",
    "gesamtes rezept",
    "ganze rezept",
    "pro rezept",
    "gesamtrezept",
    "insgesamt",
    "gesamt",
    "toda la receta",
    "receta completa",
    "la receta",
    "por receta",
    "toute la recette",
    "la recette",
    "par recette",
    "recette entière",
    "ricetta intera",
    "intera ricetta",
    "tutta la ricetta",
    "per ricetta",
    "receita inteira",
    "receita toda",
    "a receita",
    "receita completa",
    "hele recept",
    "gehele recept",
    "per recept",
    "cały przepis",
    "całego przepisu",
    "na przepis",
    "całość",
    "całości",
];

fn find_word(text: &str, word: &str) -> Option<usize> {
    let starts = |at: usize| !text[..at].chars().next_back().is_some_and(char::is_alphabetic);
    text.match_indices(word).map(|(at, _)| at).find(|&at| starts(at))
}

/// kcal in a text such as `1,450 cals`, `1308 kJ / 312 kcal`, `250-300`, `312,8 kcal pro 100 g`; of several, the one for
/// a serving, else the first. Of a range the first number counts. Nothing for text without a number, for zero, and past
/// [`MAX_KCAL`].
pub fn kcal(text: &str) -> Option<Energy> {
    let lower = Some(text).filter(|t| t.len() <= 1000)?.to_lowercase();
    let amounts = amounts(&lower);
    let kind = amounts.iter().map(|a| a.kind).min()?;
    let amounts: Vec<&Amount> = amounts.iter().filter(|a| a.kind == kind).collect();
    let between = |from: usize, to: usize| Basis::named(&lower[from..to]);
    // Either every amount stands behind what it is for, or before it.
    let before = between(0, amounts.first()?.start);
    let energy = |nth: usize| {
        let amount = amounts[nth];
        let basis = if before.is_empty() {
            between(amount.end, amounts.get(nth + 1).map_or(lower.len(), |next| next.start))
        } else {
            let from = nth.checked_sub(1).map_or(0, |last| amounts[last].end);
            between(from, amount.start)
        };
        let named = basis.iter().find(|b| **b == Basis::Serving).or(basis.first()).copied();
        // What is said of one amount may hold for all: "per 100 g: 250 kcal (1046 kJ)".
        named.or(before.first().copied()).unwrap_or(Basis::Serving).of(amount.kcal)
    };
    let all: Vec<Energy> = (0..amounts.len()).map(energy).collect();
    all.iter().find(|e| matches!(e, Energy::Serving(_))).or(all.first()).copied()
}

/// The kcal of every amount of energy in a line, in order: the columns of a table's row.
pub fn kcal_columns(text: &str) -> Vec<f64> {
    let lower = text.to_lowercase();
    let amounts = amounts(&lower);
    let Some(kind) = amounts.iter().map(|a| a.kind).min() else { return Vec::new() };
    amounts.iter().filter(|a| a.kind == kind).map(|a| a.kcal).collect()
}

/// How an amount of energy is written; better kinds first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Kcal,
    Kilojoule,
    Bare,
}

struct Amount {
    kcal: f64,
    kind: Kind,
    start: usize,
    end: usize,
}

fn amounts(lower: &str) -> Vec<Amount> {
    let mut found = Vec::new();
    let mut range: Option<Number> = None;
    for number in numbers(lower) {
        let after = lower[number.end..].trim_start_matches([' ', '\u{a0}', ':', '(']);
        let from = range.take().unwrap_or(number);
        let unit: String = after.chars().take_while(|c| c.is_alphabetic()).collect();
        let kind = if is_kcal(&unit) {
            Kind::Kcal
        } else if unit.starts_with("kj") || unit.starts_with("kilojoule") {
            Kind::Kilojoule
        } else if after.starts_with(['-', '–', '—']) || after.starts_with("to ") || after.starts_with("bis ") {
            range = Some(from);
            continue;
        } else if weighs(after)
            || unit.starts_with("mg")
            || SERVING.iter().any(|s| unit.starts_with(s))
            || after.starts_with('%')
        {
            continue;
        } else {
            Kind::Bare
        };
        let value = if kind == Kind::Kilojoule { from.value / KJ } else { from.value };
        if value > 0.0 && value <= MAX_KCAL {
            found.push(Amount { kcal: value, kind, start: from.start, end: number.end });
        }
    }
    if let Some(Number { value, start, end }) = range.filter(|n| n.value > 0.0 && n.value <= MAX_KCAL) {
        found.push(Amount { kcal: value, kind: Kind::Bare, start, end });
    }
    found
}

fn is_kcal(unit: &str) -> bool {
    ["kcal", "cal", "kal", "ккал", "θερμ", "大卡", "kilocal", "kilokal"].iter().any(|u| unit.starts_with(u))
        && !["calci", "calcá", "kalci", "kalz", "kali"].iter().any(|u| unit.starts_with(u))
}

/// Whether a unit of weight or volume that servings are measured in stands first.
fn weighs(after: &str) -> bool {
    let unit: String = after.trim_start().chars().take_while(|c| c.is_alphabetic()).collect();
    matches!(
        &*unit,
        "g" | "gr" | "gram" | "grams" | "gramm" | "grammes" | "gramos" | "grammi" | "gramas" | "gramów" | "ml"
    )
}

/// Grams (or millilitres) of a serving size such as `1 cup (240 g)`.
pub fn grams(text: &str) -> Option<f64> {
    let lower = Some(text).filter(|t| t.len() <= 1000)?.to_lowercase();
    numbers(&lower).find(|n| n.value > 0.0 && weighs(&lower[n.end..])).map(|n| n.value)
}

/// A nutrient such as `12,5 g` or `340 mg`; `unit` is what it counts in where the page names none.
pub fn quantity(text: &str, unit: &str) -> Option<Quantity> {
    let number = super::first_number(&text[..text.floor_char_boundary(1000)])?;
    if !number.value.is_finite() || number.value > 1e9 {
        return None;
    }
    let after = text[number.end..].trim_start_matches([' ', '\u{a0}']);
    let word: String = after.chars().take_while(|c| c.is_alphabetic()).collect::<String>().to_lowercase();
    let unit = match &*word {
        "g" | "gr" | "gram" | "grams" | "gramm" | "grammes" | "gramos" | "grammi" => "g",
        "mg" | "milligram" | "milligrams" | "milligramm" => "mg",
        "µg" | "mcg" | "ug" => "µg",
        "kcal" | "cal" | "calories" | "kilocalories" => "kcal",
        "kj" => "kJ",
        _ => unit,
    };
    Some(Quantity { value: number.value, unit: unit.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_read_in_every_spelling() {
        for (text, want) in [
            ("1,450 cals", 1450.0),
            ("1.046 kcal", 1046.0),
            ("312,8 kcal", 312.8),
            ("1308 kJ", 312.619_502_868),
            ("1308 kJ / 312 kcal", 312.0),
            ("312 kcal (1308 kJ)", 312.0),
            ("250-300", 250.0),
            ("250 -", 250.0),
            ("250 - 300 kcal", 250.0),
            ("250 to 300 kcal", 250.0),
            ("Calories: 312", 312.0),
            ("312", 312.0),
            ("312 calories per 55 g serving", 312.0),
            ("312 kcal per serving (100 g)", 312.0),
            ("1200 kcal whole recipe, 300 kcal per serving", 300.0),
            ("pro 100 g: 120 kcal, pro Portion: 312 kcal", 312.0),
            ("312 kilocalorías por ración", 312.0),
            ("312 kalorii na porcję", 312.0),
            ("312 Kalorien", 312.0),
            ("20% calcium, 312 calories", 312.0),
        ] {
            let Some(Energy::Serving(got)) = kcal(text) else { panic!("{text}: {:?}", kcal(text)) };
            assert!((got - want).abs() < 1e-6, "{text}: {got}");
        }
        assert_eq!(kcal("12 g"), None);
        assert_eq!(kcal("many"), None);
        assert_eq!(kcal("0"), None);
    }

    #[test]
    fn what_energy_is_for_is_read_in_eight_languages() {
        for text in [
            "250 kcal per 100 g",
            "250 kcal pro 100 g",
            "250 kcal / 100 ml",
            "250 kcal pour 100 grammes",
            "250 kcal por 100 gramos",
            "250 kcal per 100 grammi",
            "250 kcal por 100 gramas",
            "250 kcal per 100 gram",
            "250 kcal na 100 g",
            "per 100 g: 250 kcal (1046 kJ)",
        ] {
            assert_eq!(kcal(text), Some(Energy::Per100(250.0)), "{text}");
        }
        for text in [
            "2000 kcal for the whole recipe",
            "2000 kcal pro Rezept",
            "2000 kcal toda la receta",
            "2000 kcal pour la recette",
            "2000 kcal l'intera ricetta",
            "2000 kcal a receita inteira",
            "2000 kcal voor het hele recept",
            "2000 kcal cały przepis",
        ] {
            assert_eq!(kcal(text), Some(Energy::Recipe(2000.0)), "{text}");
        }
    }

    #[test]
    fn energy_is_converted_only_where_the_page_says_how() {
        assert_eq!(Energy::Recipe(2000.0).per_serving(Some(4.0), None), Some(500.0));
        assert_eq!(Energy::Recipe(2000.0).per_serving(None, Some(50.0)), None);
        assert_eq!(Energy::Per100(250.0).per_serving(Some(4.0), Some(240.0)), Some(600.0));
        assert_eq!(Energy::Per100(250.0).per_serving(Some(4.0), None), None);
        assert_eq!(Energy::Serving(312.0).per_serving(None, None), Some(312.0));
        assert_eq!(grams("1 cup (240 g)"), Some(240.0));
        assert_eq!(grams("2 slices"), None);
        assert_eq!(kcal_columns("Brennwert 1046 kJ / 250 kcal 2008 kJ / 480 kcal"), [250.0, 480.0]);
    }

    #[test]
    fn nutrients_keep_their_unit() {
        assert_eq!(quantity("12,5 g", "g"), Some(Quantity { value: 12.5, unit: "g".to_owned() }));
        assert_eq!(quantity("340mg", "g"), Some(Quantity { value: 340.0, unit: "mg".to_owned() }));
        assert_eq!(quantity("7", "g"), Some(Quantity { value: 7.0, unit: "g".to_owned() }));
    }
}
