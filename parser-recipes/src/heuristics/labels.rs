//! Words that stand before a recipe's times, yields and energy, in lower case, and the classes that themes give them.

pub(super) const PREP: &[&str] = &[
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
];
pub(super) const COOK: &[&str] = &[
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
];
pub(super) const TOTAL: &[&str] = &[
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
pub(super) const YIELDS: &[&str] = &[
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
pub(super) const CALORIES: &[&str] = &[
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
    if class.len() > 200 {
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
pub(super) const SERVING_SIZE: &[&str] = &[
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
];
