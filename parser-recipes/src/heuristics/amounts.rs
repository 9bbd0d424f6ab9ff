//! Amounts: the units that tell an ingredient from other lines.

use super::labels::Labels;

/// Units that follow a number in a list of ingredients.
static UNITS: Labels = Labels::of(&[
    "g",
    "gr",
    "gram",
    "grams",
    "kg",
    "mg",
    "ml",
    "cl",
    "dl",
    "l",
    "oz",
    "oz.",
    "ounce",
    "ounces",
    "lb",
    "lb.",
    "lbs",
    "pound",
    "pounds",
    "cup",
    "cups",
    "c.",
    "tbsp",
    "tbsp.",
    "tablespoon",
    "tablespoons",
    "tsp",
    "tsp.",
    "teaspoon",
    "teaspoons",
    "pinch",
    "dash",
    "clove",
    "cloves",
    "can",
    "cans",
    "slice",
    "slices",
    "stick",
    "sticks",
    "bunch",
    "handful",
    "sprig",
    "sprigs",
    "pint",
    "quart",
    "piece",
    "pieces",
    "el",
    "tl",
    "esslöffel",
    "teelöffel",
    "prise",
    "bund",
    "stück",
    "zehe",
    "zehen",
    "dose",
    "becher",
    "päckchen",
    "cucharada",
    "cucharadas",
    "cucharadita",
    "cucharaditas",
    "taza",
    "tazas",
    "diente",
    "dientes",
    "pizca",
    "cuillère",
    "cuillères",
    "càs",
    "càc",
    "c.à.s",
    "pincée",
    "gousse",
    "gousses",
    "tasse",
    "sachet",
    "cucchiaio",
    "cucchiai",
    "cucchiaino",
    "cucchiaini",
    "spicchio",
    "spicchi",
    "pizzico",
    "colher",
    "colheres",
    "xícara",
    "xícaras",
    "dente",
    "dentes",
    "pitada",
    "eetlepel",
    "eetlepels",
    "theelepel",
    "theelepels",
    "teen",
    "tenen",
    "snufje",
    "blik",
    "łyżka",
    "łyżki",
    "łyżek",
    "łyżeczka",
    "łyżeczki",
    "szklanka",
    "szklanki",
    "ząbek",
    "ząbki",
    "szczypta",
    "msk",
    "tsk",
    "krm",
    "st",
    "klyfta",
    "spsk",
    "ss",
    "ts",
    "κ.σ.",
    "κ.γ.",
    "γρ.",
    "ml.",
    "gr.",
    "g.",
]);

/// How much a line looks like an ingredient: 2 for an amount with a unit, 1 for an amount, 0 for neither.
pub fn ingredient_likeness(line: &str) -> u32 {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if line.is_empty() || line.len() > 250 {
        return 0;
    }
    let starts_with_amount = line.starts_with(|c: char| c.is_numeric());
    let first_words = line.split_whitespace().take(4);
    let unit = first_words
        .flat_map(|w| [w, w.trim_start_matches(|c: char| c.is_numeric() || matches!(c, '.' | ',' | '/' | '-'))]);
    let has_unit = unit.filter(|w| !w.is_empty()).any(|w| UNITS.contain(w));
    match (starts_with_amount, has_unit) {
        (true, true) => 2,
        (true, false) => u32::from(line.split_whitespace().count() <= 14),
        (false, _) if ends_in_amount(&line) => 2,
        (false, true) => u32::from(line.split_whitespace().count() <= 10),
        (false, false) => 0,
    }
}

/// "Farina 500 g", "Mehl 500g": the food first.
fn ends_in_amount(line: &str) -> bool {
    let mut words = line.rsplit(' ');
    let (Some(last), Some(before)) = (words.next(), words.next()) else { return false };
    let counted = [last, before].iter().any(|word| word.starts_with(char::is_numeric));
    counted && UNITS.contain(last.trim_start_matches(|c: char| !c.is_alphabetic())) && line.len() < 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingredients_look_like_ingredients() {
        for (line, score) in [
            ("250g shortcrust pastry", 2),
            ("- 2 tablespoons sugar", 2),
            ("2 αβοκάντο ώριμα", 1),
            ("½ onion", 1),
            ("Handful of spinach", 1),
            ("Farina 00 500 g", 2),
            ("Ready in 20 min", 0),
            ("Salt", 0),
            ("Bake it well.", 0),
        ] {
            assert_eq!(ingredient_likeness(line), score, "{line}");
        }
    }
}
