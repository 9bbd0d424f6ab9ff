//! Structured data that is there and still wrong: lists without amounts, lists glued into one text, a description where
//! the steps should be. What the page shows its readers is then better, if it is found.

use crate::draft::{Draft, Section, has_items};
use crate::heuristics::ingredient_likeness;

/// Whether the ingredients look spoilt: no amount in several lines, or all of them in one line.
pub fn ingredients(draft: &Draft) -> bool {
    let lines: Vec<&str> = draft.ingredient_lines().collect();
    let amounts = lines.iter().filter(|l| l.chars().any(char::is_numeric)).count();
    match lines.as_slice() {
        [] => false,
        [one] => one.len() > 80,
        _ => (lines.len() >= 4 && amounts == 0) || draft.ingredients_spoilt,
    }
}

/// Whether the page's list should stand in for the doubtful one: as long, and with more amounts.
pub fn better_ingredients(now: &Draft, page: &[Section]) -> bool {
    let spoilt = now.ingredients_spoilt;
    let likeness = |lines: &[&str]| lines.iter().map(|l| ingredient_likeness(l)).sum::<u32>();
    let (now, page): (Vec<&str>, Vec<&str>) = (now.ingredient_lines().collect(), lines(page).collect());
    page.len() * 5 >= now.len() * 4 && (spoilt || likeness(&page) > likeness(&now))
}

/// Whether the steps came as one long text, or are the description once more.
pub fn instructions(draft: &Draft) -> bool {
    let mut lines = draft.instruction_lines();
    match (lines.next(), lines.next()) {
        (Some(one), None) => draft.instructions_as_text && (one.len() > 120 || is_description(draft, one)),
        _ => false,
    }
}

fn is_description(draft: &Draft, text: &str) -> bool {
    let text = folded(text);
    draft.description.as_deref().map(folded).is_some_and(|d| {
        let shared = d.chars().zip(text.chars()).take_while(|(a, b)| a == b).count();
        shared >= 40 && shared * 10 >= text.chars().count().min(d.chars().count()) * 8
    })
}

/// Whether the page's steps should stand in for the doubtful text: the same text cut where the page cuts it, or any
/// steps where there was only the description.
pub fn better_instructions(now: &Draft, page: &[Section]) -> bool {
    let steps: Vec<&str> = lines(page).collect();
    let text: String = now.instruction_lines().map(folded).collect();
    if now.instruction_lines().any(|line| is_description(now, line)) {
        return !steps.is_empty();
    }
    let known = steps.iter().map(|s| folded(s)).filter(|s| !s.is_empty() && text.contains(s.as_str()));
    let covered: usize = known.map(|s| s.len()).sum();
    steps.len() > 1 && covered * 10 >= text.len() * 8
}

/// Takes the page's list where it is better; says whether it did.
pub fn replace(now: &mut Draft, page: &Draft) -> (bool, bool) {
    let ingredients = ingredients(now) && has_items(&page.ingredients) && better_ingredients(now, &page.ingredients);
    if ingredients {
        now.ingredients_spoilt = false;
        now.ingredients.clone_from(&page.ingredients);
    }
    let instructions =
        instructions(now) && has_items(&page.instructions) && better_instructions(now, &page.instructions);
    if instructions {
        now.instructions.clone_from(&page.instructions);
    }
    (ingredients, instructions)
}

fn lines(sections: &[Section]) -> impl Iterator<Item = &str> {
    sections.iter().flat_map(|s| &s.items).map(String::as_str)
}

fn folded(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::one_section;

    fn draft(ingredients: &[&str], steps: &[&str], description: &str) -> Draft {
        let owned = |lines: &[&str]| one_section(lines.iter().map(|l| (*l).to_owned()).collect());
        Draft {
            ingredients: owned(ingredients),
            instructions: owned(steps),
            instructions_as_text: true,
            description: Some(description.to_owned()),
            ..Draft::default()
        }
    }

    #[test]
    fn food_without_amounts_gives_way_to_the_page() {
        let mut now = draft(&["gin", "lemon", "sugar", "soda"], &["Shake.", "Pour."], "");
        assert_eq!(replace(&mut now, &draft(&["4 cl gin", "1 lemon", "sugar", "soda"], &[], "")), (true, false));
        assert_eq!(now.ingredient_lines().next(), Some("4 cl gin"));
    }

    #[test]
    fn good_lists_stay() {
        let mut now = draft(&["4 cl gin", "1 lemon", "sugar", "soda"], &["Shake.", "Pour."], "");
        let page =
            draft(&["5 cl gin", "2 cl lemon juice", "2 g sugar", "1 l soda"], &["Shake it all well.", "Pour it."], "");
        assert_eq!(replace(&mut now, &page), (false, false));
    }

    #[test]
    fn one_text_is_cut_as_the_page_cuts_it() {
        let long = "Wash the lentils well under cold running water. Boil them in the stock for half an hour. Season with salt and pepper and serve hot.";
        let steps = [
            "Wash the lentils well under cold running water.",
            "Boil them in the stock for half an hour.",
            "Season with salt and pepper and serve hot.",
        ];
        let mut now = draft(&["1 egg"], &[long], "");
        assert_eq!(
            replace(&mut now, &draft(&[], &["Read our newsletter every week.", "Buy our book."], "")),
            (false, false)
        );
        assert_eq!(replace(&mut now, &draft(&[], &steps, "")), (false, true));
        assert_eq!(now.instruction_lines().count(), 3);
    }

    #[test]
    fn a_description_is_no_step() {
        let text = "Make the best soup of your life with this recipe that my mother gave me";
        let mut now = draft(&["1 egg"], &[text], text);
        assert_eq!(replace(&mut now, &draft(&[], &["Boil the egg."], "")), (false, true));
    }
}
