//! Energy in kcal, and other nutrients with their units.

use recipes::{MAX_KCAL, Quantity};

use super::number::numbers;

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

/// kcal in a text such as `1,450 cals`, `1308 kJ / 312 kcal`, `250-300`, `312,8 kcal pro 100 g`. Of a range the first
/// number counts. Nothing for text without a number, for zero, and past [`MAX_KCAL`].
pub fn kcal(text: &str) -> Option<Energy> {
    if text.len() > 1000 {
        return None;
    }
    let lower = text.to_lowercase();
    let mut bare = None;
    let mut joules = None;
    let mut calories = None;
    let mut range_start: Option<f64> = None;
    for number in numbers(&lower) {
        let after = lower[number.end..].trim_start_matches([' ', '\u{a0}', ':']);
        let value = range_start.take().unwrap_or(number.value);
        let unit: String = after.chars().take_while(|c| c.is_alphabetic()).collect();
        if is_kcal(&unit) {
            calories.get_or_insert(value);
        } else if unit.starts_with("kj") || unit.starts_with("kilojoule") {
            joules.get_or_insert(value / KJ);
        } else if after.starts_with(['-', '–', '—']) || after.starts_with("to ") || after.starts_with("bis ") {
            range_start = Some(value);
            bare.get_or_insert(value);
        } else if !matches!(&*unit, "g" | "gr" | "mg" | "ml" | "gram" | "grams" | "serving" | "servings" | "portion") {
            bare.get_or_insert(value);
        }
    }
    // "calories: 312" and "312" alike; a number before "g" is a weight.
    let value = calories.or(joules).or(bare).filter(|v| *v > 0.0 && *v <= MAX_KCAL)?;
    Some(basis(&lower)(value))
}

fn is_kcal(unit: &str) -> bool {
    ["kcal", "cal", "kal", "ккал", "θερμ", "大卡", "kilocal", "kilokal"].iter().any(|u| unit.starts_with(u))
}

fn basis(lower: &str) -> fn(f64) -> Energy {
    let per_100 = ["100 g", "100g", "100 ml", "100ml", "100 gr"].iter().any(|u| lower.contains(u));
    let whole = ["whole recipe", "entire recipe", "per recipe", "per batch", "gesamt", "la receta", "la recette"];
    if per_100 {
        Energy::Per100
    } else if whole.iter().any(|w| lower.contains(w)) {
        Energy::Recipe
    } else {
        Energy::Serving
    }
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
            ("250 - 300 kcal", 250.0),
            ("Calories: 312", 312.0),
            ("312", 312.0),
            ("312 calories per 55 g serving", 312.0),
        ] {
            let Some(Energy::Serving(got)) = kcal(text) else { panic!("{text}") };
            assert!((got - want).abs() < 1e-6, "{text}: {got}");
        }
        assert_eq!(kcal("250 kcal per 100 g"), Some(Energy::Per100(250.0)));
        assert_eq!(kcal("2000 kcal for the whole recipe"), Some(Energy::Recipe(2000.0)));
        assert_eq!(kcal("12 g"), None);
        assert_eq!(kcal("many"), None);
        assert_eq!(kcal("0"), None);
    }

    #[test]
    fn nutrients_keep_their_unit() {
        assert_eq!(quantity("12,5 g", "g"), Some(Quantity { value: 12.5, unit: "g".to_owned() }));
        assert_eq!(quantity("340mg", "g"), Some(Quantity { value: 340.0, unit: "mg".to_owned() }));
        assert_eq!(quantity("7", "g"), Some(Quantity { value: 7.0, unit: "g".to_owned() }));
    }
}
