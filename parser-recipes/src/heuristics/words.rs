//! Words that give a recipe away, in the languages of most recipe pages. All in lower case.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::labels::{Labels, Starts};

/// What a heading announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The ingredients follow.
    Ingredients,
    /// The steps follow.
    Instructions,
    /// Something else of a recipe page that ends a list: notes, nutrition, comments.
    Other,
}

const INGREDIENTS: &[&str] = &[
    "ingredients",
    "ingredient",
    "ingredient list",
    "ingredients list",
    "you will need",
    "you'll need",
    "what you need",
    "what you'll need",
    "shopping list",
    "das brauchst du",
    "du brauchst",
    "lo que necesitas",
    "necesitas",
    "il vous faut",
    "ce qu'il vous faut",
    "cosa serve",
    "cosa ti serve",
    "você vai precisar",
    "o que você precisa",
    "wat heb je nodig",
    "lista składników",
    "potrzebujesz",
    "zutaten",
    "zutatenliste",
    "ingrediëntenlijst",
    "ingredientenlijst",
    "ingredienslista",
    "ingrediensliste",
    "ingredientes",
    "ingrédients",
    "ingrédient",
    "les ingrédients",
    "ingredienti",
    "ingrediënten",
    "ingredienten",
    "dit heb je nodig",
    "benodigdheden",
    "składniki",
    "ingredienser",
    "ingredienserna",
    "hozzávalók",
    "suroviny",
    "ingredience",
    "ingrediencie",
    "υλικά",
    "sastojci",
    "sestavine",
    "malzemeler",
    "ингредиенты",
    "інгредієнти",
    "продукты",
    "ainekset",
    "bahan-bahan",
    "材料",
    "食材",
    "재료",
    "ingrediente",
    "состав",
    "съставки",
    "необходими продукти",
    "המצרכים",
    "מצרכים",
    "מרכיבים",
];

const INSTRUCTIONS: &[&str] = &[
    "instructions",
    "cooking instructions",
    "baking instructions",
    "recipe instructions",
    "directions",
    "direction",
    "method",
    "steps",
    "cooking steps",
    "preparation",
    "procedure",
    "get started",
    "let's cook",
    "let's get cooking",
    "zubereitung",
    "so geht's",
    "so wird's gemacht",
    "anleitung",
    "und so wird's gemacht",
    "arbeitsschritte",
    "modo de preparación",
    "procedimiento",
    "paso a paso",
    "instruções",
    "istruzioni",
    "come si fa",
    "werkwijze",
    "sposób wykonania",
    "zubereitungsschritte",
    "preparación",
    "preparacion",
    "elaboración",
    "elaboracion",
    "pasos",
    "instrucciones",
    "modo de preparo",
    "modo de preparação",
    "modo de fazer",
    "como fazer",
    "preparo",
    "preparação",
    "préparation",
    "preparation de la recette",
    "préparation de la recette",
    "étapes",
    "les étapes",
    "réalisation",
    "instructions de préparation",
    "preparazione",
    "procedimento",
    "bereiding",
    "bereidingswijze",
    "bereiden",
    "voorbereiding",
    "zo maak je het",
    "aan de slag",
    "instructies",
    "przygotowanie",
    "sposób przygotowania",
    "wykonanie",
    "przepis",
    "gör så här",
    "så här gör du",
    "instruktioner",
    "tillagning",
    "sådan gør du",
    "fremgangsmåde",
    "slik gjør du",
    "elkészítés",
    "elkészítése",
    "postup",
    "příprava",
    "εκτέλεση",
    "οδηγίες",
    "priprema",
    "postopek",
    "yapılışı",
    "hazırlanışı",
    "приготовление",
    "способ приготовления",
    "начин на приготвяне",
    "valmistus",
    "valmistusohje",
    "cara membuat",
    "作り方",
    "做法",
    "步驟",
    "만드는 법",
    "mod de preparare",
    "אופן ההכנה",
    "הוראות הכנה",
];

const OTHER: &[&str] = &[
    "note",
    "notes",
    "recipe notes",
    "tip",
    "tips",
    "nutrition",
    "nutrition facts",
    "nutritional information",
    "nutrition information",
    "nutritional info",
    "video",
    "equipment",
    "comments",
    "leave a comment",
    "leave a reply",
    "reviews",
    "related",
    "related recipes",
    "you may also like",
    "you might also like",
    "more recipes",
    "faq",
    "faqs",
    "storage",
    "variations",
    "substitutions",
    "did you make this recipe?",
    "share",
    "tags",
    "categories",
    "about the author",
    "newsletter",
    "nährwerte",
    "tipps",
    "tipp",
    "kommentare",
    "notas",
    "información nutricional",
    "comentarios",
    "dicas",
    "dica",
    "informação nutricional",
    "comentários",
    "astuces",
    "conseils",
    "commentaires",
    "valeurs nutritionnelles",
    "note e consigli",
    "consigli",
    "commenti",
    "valori nutrizionali",
    "voedingswaarden",
    "voedingswaarde",
    "reacties",
    "tips & tricks",
    "uwagi",
    "komentarze",
    "wartości odżywcze",
    "kommentarer",
    "näringsvärde",
    "extra benodigdheden",
    "serving suggestions",
    "pro tips",
    "chef's notes",
    "cook's notes",
    "what to serve",
    "advertisement",
    "print",
];

/// The topic of a line in lower case, and whether the topic's name is all it says.
pub fn topic(lower: &str) -> Option<(Topic, bool)> {
    if lower.len() > 120 {
        return None;
    }
    let lower = lower.trim_matches(|c: char| !c.is_alphanumeric());
    name(lower).map(|topic| (topic, true)).or_else(|| Some((longer(lower)?, false)))
}

/// The topic of a name.
fn name(text: &str) -> Option<Topic> {
    if !NAMES.starts.may_start(text) {
        return None;
    }
    let head = head(text);
    NAMES.by_length.get(text.len())?.iter().find(|n| n.head == head && n.text == text).map(|n| n.topic)
}

/// The first bytes of a text as a number, by which most texts are told apart.
fn head(text: &str) -> u64 {
    text.bytes().take(8).fold(0, |head, byte| head << 8 | u64::from(byte))
}

/// The names of all topics.
struct Names {
    starts: Starts,
    /// By their length in bytes: few texts are names, and fewer are as long.
    by_length: Vec<Vec<Name>>,
}

struct Name {
    head: u64,
    text: &'static str,
    topic: Topic,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names { starts: Starts::default(), by_length: Vec::new() };
    // The first list that has a name decides.
    for (list, topic) in [(INGREDIENTS, Topic::Ingredients), (INSTRUCTIONS, Topic::Instructions), (OTHER, Topic::Other)]
    {
        for text in list {
            names.starts.add(text);
            if names.by_length.len() <= text.len() {
                names.by_length.resize_with(text.len() + 1, Vec::new);
            }
            names.by_length[text.len()].push(Name { head: head(text), text, topic });
        }
    }
    names
});

/// Where the words that a class may have stand in a page, without their first letters: it may be a large one.
pub fn topic_stems(page: &str) -> impl Iterator<Item = usize> {
    static STEMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("ngredient|utaten|nstruction|irection|reparation|ubereitung|ereiding|reparo|ethod|teps|rocedure")
            .ok()
    });
    STEMS.iter().flat_map(|stems| stems.find_iter(page.as_bytes())).map(|hit| hit.start())
}

/// The topic that an element's class or id gives away.
pub fn topic_of_class(class: &str) -> Option<Topic> {
    let lower = class.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if has(&["ingredient", "zutaten"]) && !has(&["instruction", "substitut"]) {
        Some(Topic::Ingredients)
    } else if has(&[
        "instruction",
        "direction",
        "preparation",
        "zubereitung",
        "bereiding",
        "preparo",
        "recipe-method",
        "recipe-steps",
    ]) || lower.split([' ', '-', '_']).any(|word| matches!(word, "steps" | "method" | "procedure"))
    {
        Some(Topic::Instructions)
    } else {
        None
    }
}

/// "How to make …"
static HOW_TO: Labels = Labels::of(&[
    "how to make ",
    "how to cook ",
    "how to prepare ",
    "how to bake ",
    "cómo hacer ",
    "cómo preparar ",
    "como fazer ",
    "como preparar ",
    "comment faire ",
    "comment préparer ",
    "come fare ",
    "come preparare ",
    "come si prepara ",
    "jak zrobić ",
    "jak przygotować ",
    "so macht man ",
    "so gelingt ",
    "hoe maak je ",
    "så gör du ",
    "så lagar du ",
]);

/// The same where the verb comes last: "Vlaai maken", "Suppe zubereiten".
const HOW_TO_ENDS: &[&str] = &[" maken", " bereiden", " zubereiten", " selber machen", " kochen", " backen", " bakken"];

const ARTICLES: &[&str] = &[
    "the", "our", "die", "der", "das", "la", "le", "les", "l", "el", "los", "las", "il", "lo", "gli", "i", "de", "het",
    "o", "a", "os", "as",
];

/// Headings that say more than the word: "Ingredients for 4 people", "Zutaten (für 2 Personen)", "How to make it".
fn longer(text: &str) -> Option<Topic> {
    if memchr::memchr_iter(b' ', text.as_bytes()).count() > 8 {
        return None;
    }
    // "La préparation", "Les ingrédients pour 4 personnes".
    let text = match text.split_once([' ', '\'', '’']) {
        Some((article, rest)) if ARTICLES.contains(&article) => match name(rest) {
            Some(topic) => return Some(topic),
            None => rest,
        },
        _ => text,
    };
    let (mut instructions, mut other) = (false, false);
    if NAMES.starts.may_start(text) {
        let parts = |c: char| !c.is_alphanumeric() && c != '\'' && c != '’';
        let ends = text.char_indices().filter(|(at, c)| *at >= 4 && parts(*c)).map(|(at, _)| at);
        for head in ends.map(|at| &text[..at]) {
            match name(head) {
                Some(Topic::Ingredients) => return Some(Topic::Ingredients),
                Some(Topic::Instructions) => instructions = true,
                Some(Topic::Other) => other = true,
                None => {}
            }
        }
    }
    for tail in memchr::memchr_iter(b' ', text.as_bytes()).map(|at| &text[at + 1..]).take_while(|w| w.len() >= 6) {
        match name(tail) {
            Some(Topic::Ingredients) => return Some(Topic::Ingredients),
            Some(Topic::Instructions) => instructions = true,
            _ => {}
        }
    }
    if instructions
        || HOW_TO.at_start(text).is_some()
        || (text.ends_with("en") && HOW_TO_ENDS.iter().any(|w| text.ends_with(w)))
    {
        Some(Topic::Instructions)
    } else {
        other.then_some(Topic::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_known_in_many_languages() {
        for text in [
            "Ingredients:",
            "Zutaten",
            "INGREDIENTES",
            "Ingrédients",
            "Ingrediënten (4 personen)",
            "Składniki",
            "Υλικά",
        ] {
            assert_eq!(topic(&text.to_lowercase()).map(|t| t.0), Some(Topic::Ingredients), "{text}");
        }
        for text in [
            "Method",
            "Zubereitung:",
            "Modo de preparo",
            "Préparation",
            "Bereiding",
            "How to make Soup",
            "La préparation de la recette",
            "Bereiden",
            "Preparazione",
        ] {
            assert_eq!(topic(&text.to_lowercase()).map(|t| t.0), Some(Topic::Instructions), "{text}");
        }
        assert_eq!(topic("notes"), Some((Topic::Other, true)));
        assert_eq!(topic("notes on flour"), Some((Topic::Other, false)));
        assert_eq!(topic("methodology of our tests, in a long sentence that goes on"), None);
        assert_eq!(topic("soup"), None);
    }
}
