//! How much a recipe makes.

use super::number::numbers;
use super::text::clean;

/// Words for a serving, in lower case, as prefixes.
const SERVINGS: &[&str] = &[
    "serving",
    "serves",
    "serve",
    "people",
    "person",
    "portion",
    "porcion",
    "porción",
    "porcão",
    "porção",
    "porçõ",
    "porzion",
    "personne",
    "persona",
    "pessoa",
    "personen",
    "personer",
    "porties",
    "portie",
    "porcj",
    "osob",
    "osób",
    "osoby",
    "portsion",
    "порц",
    "чел",
    "μερίδ",
    "άτομ",
    "adag",
    "fő",
    "人分",
    "人",
    "인분",
    "comensal",
    "couvert",
    "pers",
    "guests",
    "adult",
    "porsj",
    "kişi",
];

/// One to twelve in the languages of [`SERVINGS`]; not "a", "un" and their like, which are articles too.
const COUNTS: [&[&str]; 12] = [
    &["one", "uno", "jeden", "jedna"],
    &["two", "dos", "zwei", "deux", "due", "dois", "duas", "twee", "dwa", "dwie"],
    &["three", "tres", "drei", "trois", "tre", "três", "drie", "trzy"],
    &["four", "cuatro", "vier", "quatre", "quattro", "quatro", "cztery"],
    &["five", "cinco", "fünf", "cinq", "cinque", "vijf", "pięć"],
    &["six", "seis", "sechs", "sei", "zes", "sześć"],
    &["seven", "siete", "sieben", "sept", "sette", "sete", "zeven", "siedem"],
    &["eight", "ocho", "acht", "huit", "otto", "oito", "osiem"],
    &["nine", "nueve", "neun", "neuf", "nove", "negen", "dziewięć"],
    &["ten", "diez", "zehn", "dix", "dieci", "dez", "tien", "dziesięć"],
    &["eleven", "once", "elf", "onze", "undici", "jedenaście"],
    &["twelve", "doce", "zwölf", "douze", "dodici", "doze", "twaalf", "dwanaście"],
];

/// A yield.
#[derive(Debug, Clone, PartialEq)]
pub struct Yield {
    /// As the page writes it; a bare number becomes `4 servings`.
    pub text: String,
    /// How many. Of a range, the larger end.
    pub count: Option<f64>,
    /// Whether the count is of servings (or of nothing named) rather than of cookies or litres.
    pub servings: bool,
}

impl Yield {
    /// Reads one or several spellings of the same yield (`["4", "4 servings"]`): the first number counts, and the first
    /// spelling that says of what.
    pub fn read<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Yield> {
        let mut best: Option<Yield> = None;
        for text in texts {
            let Some(next) = Self::of(text) else { continue };
            match &mut best {
                None => best = Some(next),
                Some(known) => {
                    let bare = known.text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
                        || known.text == default_text(known.count.unwrap_or(0.0));
                    if known.count.is_none() || (bare && next.count.is_some()) {
                        let count = known.count.or(next.count);
                        *known = Yield { count, ..next };
                    }
                }
            }
        }
        best
    }

    fn of(text: &str) -> Option<Yield> {
        let text = clean(text);
        if text.is_empty() || text.len() > 300 {
            return None;
        }
        let lower = text.to_lowercase();
        let Some(first) = numbers(&lower).next() else { return Self::in_words(&lower) };
        let mut count = first.value;
        let mut after = lower[first.end..].trim_start();
        if let Some(end) = after.strip_prefix(['-', '–', '—']).or_else(|| {
            ["to ", "bis ", "à ", "a ", "tot ", "or ", "ou ", "do "].iter().find_map(|w| after.strip_prefix(w))
        }) && let Some(upper) = numbers(end).next()
            && end[..upper.start].trim().is_empty()
            && upper.value > count
        {
            count = upper.value;
            after = end[upper.end..].trim_start();
        }
        if count <= 0.0 || count > 1e6 {
            return None;
        }
        let bare = first.start == 0 && !after.chars().any(char::is_alphanumeric);
        let named = SERVINGS.iter().any(|w| {
            after.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(w) || lower[..first.start].contains(w)
        });
        let nothing_named = !after.chars().any(char::is_alphabetic);
        let text = if bare { default_text(count) } else { text };
        Some(Yield { text, count: Some(count), servings: bare || named || nothing_named })
    }

    /// `Serves four`, `für zwei Personen`: text that counts in words becomes `4 servings`, other text without a number
    /// says nothing of how much there is.
    fn in_words(lower: &str) -> Option<Yield> {
        let words = lower.split(|c: char| !c.is_alphanumeric());
        let count = words.clone().find_map(|w| COUNTS.iter().position(|names| names.contains(&w)))? + 1;
        let servings = words.clone().count() == 1 || words.clone().any(|w| SERVINGS.iter().any(|s| w.starts_with(s)));
        #[expect(clippy::cast_precision_loss, reason = "at most twelve")]
        let count = count as f64;
        servings.then(|| Yield { text: default_text(count), count: Some(count), servings })
    }

    /// The number of servings, where it is known.
    pub fn servings(&self) -> Option<f64> {
        self.count.filter(|_| self.servings)
    }
}

/// `4 servings`, `1 serving`.
fn default_text(count: f64) -> String {
    if count == 1.0 { "1 serving".to_owned() } else { format!("{count} servings") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yields_are_read() {
        for (texts, text, count, servings) in [
            (&["4"][..], "4 servings", Some(4.0), true),
            (&["1"], "1 serving", Some(1.0), true),
            (&["39", "39 cookies"], "39 cookies", Some(39.0), false),
            (&["4", "serves 4-6"], "serves 4-6", Some(4.0), true),
            (&["8-10"], "10 servings", Some(10.0), true),
            (&["Serves 4-6"], "Serves 4-6", Some(6.0), true),
            (&["4 personnes"], "4 personnes", Some(4.0), true),
            (&["für 6 Portionen"], "für 6 Portionen", Some(6.0), true),
            (&["4人分"], "4人分", Some(4.0), true),
            (&["Makes 2 loaves"], "Makes 2 loaves", Some(2.0), false),
            (&["Serves 4.0"], "Serves 4.0", Some(4.0), true),
            (&["Serves 6 (makes a 18cm/7in cheesecake)"], "Serves 6 (makes a 18cm/7in cheesecake)", Some(6.0), true),
            (&["6.5 gallons"], "6.5 gallons", Some(6.5), false),
            (&["Serves four"], "4 servings", Some(4.0), true),
            (&["für zwei Personen"], "2 servings", Some(2.0), true),
        ] {
            let want = Yield { text: text.to_owned(), count, servings };
            assert_eq!(Yield::read(texts.iter().copied()), Some(want));
        }
        for nothing in ["", "0", "a lot", "Diverse mogelijkheden", "once upon a time"] {
            assert_eq!(Yield::read([nothing]), None, "{nothing}");
        }
    }
}
