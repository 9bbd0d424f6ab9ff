//! Words that stand before a recipe's times, yields and energy, in lower case, and the classes that themes give them.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// The first two bytes of some texts, as a set that may also hold others: most lines start with no label, and a page has
/// thousands of lines.
#[derive(Default)]
pub(super) struct Starts([u64; 16]);

impl Starts {
    /// Where the first two bytes of a text stand in the set.
    const fn bit(text: &[u8]) -> (usize, u64) {
        let second = if text.len() > 1 { text[1] } else { 0 };
        let hash = (text[0] as usize * 31 + second as usize) % 1024;
        (hash / 64, 1 << (hash % 64))
    }

    /// Adds a text, which must not be empty.
    pub(super) const fn add(&mut self, text: &str) {
        let (word, bit) = Self::bit(text.as_bytes());
        self.0[word] |= bit;
    }

    /// False where no text of the set starts like this one.
    pub(super) fn may_start(&self, text: &str) -> bool {
        let (word, bit) = if text.is_empty() { (0, 0) } else { Self::bit(text.as_bytes()) };
        self.0[word] & bit != 0
    }
}

/// Labels of at least two bytes, to be found at the start of a line, or words of any length, to be found as a whole.
pub(super) struct Labels {
    all: &'static [&'static str],
    starts: Starts,
}

impl Labels {
    pub(super) const fn of(all: &'static [&'static str]) -> Labels {
        let mut starts = Starts([0; 16]);
        let mut nth = 0;
        while nth < all.len() {
            starts.add(all[nth]);
            nth += 1;
        }
        Labels { all, starts }
    }

    /// The longest label that the text starts with.
    pub(super) fn at_start(&self, text: &str) -> Option<&'static str> {
        if !self.starts.may_start(text) {
            return None;
        }
        self.all.iter().filter(|l| text.starts_with(**l)).max_by_key(|l| l.len()).copied()
    }

    /// Whether the text is one of the labels.
    pub(super) fn contain(&self, text: &str) -> bool {
        self.starts.may_start(text) && self.all.contains(&text)
    }
}

pub(super) static PREP: Labels = Labels::of(&[
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
    "prep in",
    "preps in",
]);
pub(super) static COOK: Labels = Labels::of(&[
    "cook time",
    "cook in",
    "cooks in",
    "cooking",
    "cooking time",
    "baking",
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
]);
pub(super) static TOTAL: Labels = Labels::of(&[
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
]);
pub(super) static YIELDS: Labels = Labels::of(&[
    "serve",
    "serves",
    "number of servings",
    "anzahl portionen",
    "nombre de personnes",
    "nombre de parts",
    "nombre de portions",
    "número de porciones",
    "número de porções",
    "numero di porzioni",
    "aantal porties",
    "antal portioner",
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
]);
pub(super) static CALORIES: Labels = Labels::of(&[
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
]);

/// Words of a class or id that say what the element holds; compared without separators.
pub(super) const CLASSES: &[(&str, Fact)] = &[
    ("totaltime", Fact::Total),
    ("readyin", Fact::Total),
    ("readytime", Fact::Total),
    ("recipetime", Fact::Total),
    ("recipeduration", Fact::Total),
    ("gesamtzeit", Fact::Total),
    ("tiempototal", Fact::Total),
    ("tempstotal", Fact::Total),
    ("preptime", Fact::Prep),
    ("preparationtime", Fact::Prep),
    ("timeprep", Fact::Prep),
    ("cooktime", Fact::Cook),
    ("cookingtime", Fact::Cook),
    ("timecook", Fact::Cook),
    ("bakingtime", Fact::Cook),
    ("serving", Fact::Yields),
    ("recipeyield", Fact::Yields),
    ("portion", Fact::Yields),
    ("porcion", Fact::Yields),
    ("rendimento", Fact::Yields),
];

/// What a class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    /// Minutes of preparation.
    Prep,
    /// Minutes of cooking.
    Cook,
    /// Minutes from start to end.
    Total,
    /// How much it makes.
    Yields,
}

/// The fact that a class or id names.
pub(super) fn fact_of_class(class: &str) -> Option<Fact> {
    // Parts of the words above that no separator parts: most classes have none, and a page has thousands.
    static STEMS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("(?i-u)time|ready|gesamt|tiempo|temps|duration|serving|yield|portion|porcion|rendimento").ok()
    });
    if class.len() > 200 || STEMS.as_ref().is_some_and(|stems| !stems.is_match(class.as_bytes())) {
        return None;
    }
    class.split_ascii_whitespace().find_map(|token| {
        let folded: String =
            token.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let video = ["video", "comment", "related", "button", "serving-size"].iter().any(|w| token.contains(w));
        CLASSES.iter().find(|(word, _)| !video && folded.contains(word)).map(|(_, fact)| *fact)
    })
}

/// What a serving weighs.
pub(super) static SERVING_SIZE: Labels = Labels::of(&[
    "serving size",
    "portion size",
    "portionsgröße",
    "portionsgewicht",
    "tamaño de la porción",
    "tamaño de porción",
    "tamaño de la ración",
    "taille de la portion",
    "taille d'une portion",
    "poids par portion",
    "dimensione della porzione",
    "dimensione porzione",
    "peso per porzione",
    "tamanho da porção",
    "portiegrootte",
    "wielkość porcji",
    "wielkość porcji:",
]);
