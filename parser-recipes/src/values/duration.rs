//! Durations: ISO 8601, and as written in a dozen languages.

use super::number::numbers;

/// More is a slip of the page's author: thirty days.
const MAX_MINUTES: f64 = 60.0 * 24.0 * 30.0;

/// Whole minutes of a duration, seconds rounded up. Nothing for zero, for text without a duration, and for more than
/// thirty days. Of a range (`12-15 minutes`) the longer end counts.
pub fn minutes(text: &str) -> Option<u32> {
    let text = Some(text.trim()).filter(|text| text.len() <= 500)?;
    let total = iso(text).or_else(|| written(text))?;
    let total = (total - 1e-6).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    (1.0..=MAX_MINUTES).contains(&total).then_some(total as u32)
}

/// `PT1H30M`, also with fractions (`PT1.5H`), commas, lower case, spaces, a missing `T` or a missing last unit.
///
/// `PT45S` is 45 minutes: no recipe takes 45 seconds, and what really counts in seconds writes whole minutes (`PT2700S`).
fn iso(text: &str) -> Option<f64> {
    let rest = text.strip_prefix(['P', 'p'])?;
    if let Some(seconds) = rest.strip_prefix(['T', 't']).and_then(|t| t.strip_suffix(['S', 's'])?.parse::<u16>().ok())
        && seconds < 300
        && seconds % 60 != 0
    {
        return Some(f64::from(seconds));
    }
    let mut minutes = 0.0;
    let mut number = String::new();
    let mut in_time = false;
    let mut any = false;
    let mut last = 0.0;
    for c in rest.chars() {
        match c.to_ascii_uppercase() {
            '0'..='9' => number.push(c),
            '.' | ',' => number.push('.'),
            'T' => in_time = true,
            ' ' | '-' => {}
            unit => {
                let value: f64 = number.parse().ok()?;
                number.clear();
                any = true;
                last = match unit {
                    'Y' if value == 0.0 => 0.0,
                    'W' => 60.0 * 24.0 * 7.0,
                    'D' => 60.0 * 24.0,
                    'H' => 60.0,
                    // Months before the T; no recipe takes one, but "P0M" and "P30M" for minutes are found.
                    'M' => 1.0,
                    'S' => 1.0 / 60.0,
                    _ => return None,
                };
                minutes += value * last;
            }
        }
    }
    if !number.is_empty() {
        let value: f64 = number.parse().ok()?;
        // "PT1H30" means 30 minutes, "PT30" too.
        minutes += if last == 1.0 { value / 60.0 } else { value };
        any = in_time || any;
    }
    any.then_some(minutes)
}

/// `1 hr 15 mins`, `1 Std. 20 Min.`, `1:30`, `1½ heures`, `45`.
fn written(text: &str) -> Option<f64> {
    let lower = text.to_lowercase();
    let lower = in_figures(lower);
    if lower.bytes().all(|b| b.is_ascii_digit()) {
        return lower.parse().ok();
    }
    if let Some(clock) = clock(&lower) {
        return Some(clock);
    }
    let mut total = 0.0;
    let mut largest_seen = f64::INFINITY;
    let mut any = false;
    let mut previous: Option<(f64, bool)> = None;
    for number in numbers(&lower) {
        let after = lower[number.end..].trim_start_matches([' ', '\u{a0}', '.']);
        match unit(after) {
            // A second value of the same or a larger unit is another duration ("30 min + 1 h"), not part of this one;
            // it ends the first unless only ranges stand between.
            Some(size) if size < largest_seen => {
                total += number.value * size;
                largest_seen = size;
                any = true;
                previous = None;
            }
            Some(_) => break,
            None if after.starts_with(['-', '–', '—']) || starts_with_word(after, RANGE) => previous = None,
            None => previous = Some((number.value, after.is_empty())),
        }
    }
    // "1 h 30": the unit left out is the next smaller one.
    if let Some((value, true)) = previous
        && largest_seen == 60.0
    {
        total += value;
    }
    any.then_some(total)
}

/// Durations that are written in words, as figures: `half an hour`, `anderthalb Stunden`, `1 hora y media`.
fn in_figures(mut lower: String) -> String {
    const WORDS: [(&[&str], &str); 6] = [
        (
            &[
                "three quarters of an hour",
                "dreiviertelstunde",
                "trois quarts d'heure",
                "tres cuartos de hora",
                "tre quarti d'ora",
                "três quartos de hora",
                "drie kwartier",
                "trzy kwadranse",
            ],
            "45 min",
        ),
        (
            &[
                "quarter of an hour",
                "quarter hour",
                "viertelstunde",
                "quart d'heure",
                "cuarto de hora",
                "quarto d'ora",
                "quarto de hora",
                "kwartier",
                "kwadrans",
            ],
            "15 min",
        ),
        (
            &[
                "an hour and a half",
                "anderthalb stunden",
                "eineinhalb stunden",
                "une heure et demie",
                "una hora y media",
                "un'ora e mezza",
                "uma hora e meia",
                "anderhalf uur",
                "półtorej godziny",
            ],
            "90 min",
        ),
        (
            &[
                "half an hour",
                "half hour",
                "halbe stunde",
                "demi-heure",
                "demi heure",
                "media hora",
                "mezz'ora",
                "mezza ora",
                "meia hora",
                "half uur",
                "pół godziny",
            ],
            "30 min",
        ),
        // Behind a number of hours.
        (&[" and a half", " et demie", " et demi", " y media", " e mezza", " e mezzo", " e meia"], " 30 min"),
        (
            &[
                "an hour",
                "one hour",
                "eine stunde",
                "une heure",
                "una hora",
                "un'ora",
                "uma hora",
                "een uur",
                "godzina",
                "godzinę",
            ],
            "1 hour",
        ),
    ];
    if lower.contains('’') {
        lower = lower.replace('’', "'");
    }
    for (nth, (phrases, figures)) in WORDS.iter().enumerate() {
        let counted = lower.bytes().any(|b| b.is_ascii_digit());
        // "1 godzina" counts already; "a half" needs what it halves.
        if (nth == 5 && counted) || (nth == 4 && !counted) {
            continue;
        }
        if let Some(phrase) = phrases.iter().find(|p| lower.contains(**p)) {
            lower = lower.replace(phrase, figures);
        }
    }
    lower
}

/// `1:30` and `01:30:00` as hours, minutes and seconds.
fn clock(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text
        .trim_end_matches(|c: char| !c.is_ascii_digit())
        .split(':')
        .map(|p| p.parse::<u32>().map(f64::from).ok())
        .collect::<Option<_>>()?;
    match parts[..] {
        [hours, minutes] if minutes < 60.0 => Some(hours * 60.0 + minutes),
        [hours, minutes, seconds] if minutes < 60.0 && seconds < 60.0 => Some(hours * 60.0 + minutes + seconds / 60.0),
        _ => None,
    }
}

const RANGE: &[&str] = &["to ", "bis ", "a ", "à ", "tot ", "do ", "till ", "až "];
const MINUTES: &[&str] =
    &["min", "m", "perc", "λεπτ", "мин", "хв", "dk", "dakika", "phút", "分", "분", "دقيقة", "минут", "mn"];
const HOURS: &[&str] = &[
    "h", "hr", "hour", "std", "stunde", "hora", "heure", "ora", "ore", "uur", "uren", "godz", "tim", "óra", "ώρ", "ωρ",
    "час", "год", "saat", "sat", "hod", "時間", "시간",
];
const DAYS: &[&str] =
    &["d", "day", "tag", "día", "dia", "jour", "giorn", "dag", "dni", "dzie", "dygn", "nap", "ημέρ", "日"];
const SECONDS: &[&str] = &["s", "sec", "sek", "seg", "秒"];

/// Minutes in the unit that `text` starts with.
fn unit(text: &str) -> Option<f64> {
    let word: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
    if word.is_empty() {
        return None;
    }
    let is =
        |names: &[&str]| names.iter().any(|name| if name.len() <= 1 { word == *name } else { word.starts_with(name) });
    // Minutes before seconds before days: "m" and "s" only match alone.
    if is(MINUTES) {
        Some(1.0)
    } else if word == "u" || is(HOURS) {
        Some(60.0)
    } else if is(DAYS) {
        Some(60.0 * 24.0)
    } else if is(SECONDS) {
        Some(1.0 / 60.0)
    } else {
        None
    }
}

/// Whether a text is a duration and nothing else: `60 min`, `1 h 20 min`.
pub fn is_duration(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).peekable();
    lower.len() <= 30
        && lower.starts_with(char::is_numeric)
        && words.peek().is_some()
        && words.all(|w| unit(w).is_some() || matches!(w, "and" | "und" | "y" | "e" | "et" | "en" | "i"))
}

fn starts_with_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|w| text.starts_with(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_durations_are_read_with_their_slips() {
        for (text, want) in [
            ("PT1H30M", 90),
            ("P0DT0H35M", 35),
            ("P0Y0M0DT0H35M0.000S", 35),
            ("PT5400S", 90),
            ("PT90S", 90),
            ("PT75S", 75),
            ("PT610S", 11),
            ("PT120S", 2),
            ("P1DT2H", 1560),
            ("PT1.5H", 90),
            ("PT1H30", 90),
            ("pt45m", 45),
            ("P30M", 30),
            ("PT1H 30M", 90),
        ] {
            assert_eq!(minutes(text), Some(want), "{text}");
        }
        assert_eq!(minutes("PT0M"), None);
        assert_eq!(minutes("PTM"), None);
        assert_eq!(minutes("P"), None);
    }

    #[test]
    fn written_durations_are_read_in_many_languages() {
        for (text, want) in [
            ("45", 45),
            ("1 hr 15 mins", 75),
            ("1 hour and 5 minutes", 65),
            ("12-15 minutes", 15),
            ("12 to 15 minutes", 15),
            ("1:30", 90),
            ("1½ hours", 90),
            ("1 1/2 hours", 90),
            ("1h30", 90),
            ("1 Std. 20 Min.", 80),
            ("2 Stunden", 120),
            ("1 hora y 10 minutos", 70),
            ("1 heure 30 minutes", 90),
            ("1 ora e 30 minuti", 90),
            ("1 uur 15 minuten", 75),
            ("1 godz. 20 min", 80),
            ("2 timmar", 120),
            ("1 óra 20 perc", 80),
            ("2 days", 2880),
            ("half an hour", 30),
            ("an hour and a half", 90),
            ("eine halbe Stunde", 30),
            ("anderthalb Stunden", 90),
            ("une demi-heure", 30),
            ("1 heure et demie", 90),
            ("media hora", 30),
            ("1 hora y media", 90),
            ("mezz’ora", 30),
            ("un'ora e mezza", 90),
            ("1 ora e mezza", 90),
            ("meia hora", 30),
            ("1 hora e meia", 90),
            ("half uur", 30),
            ("anderhalf uur", 90),
            ("drie kwartier", 45),
            ("pół godziny", 30),
            ("półtorej godziny", 90),
            ("kwadrans", 15),
            ("1 godzina 30 minut", 90),
            ("godzina", 60),
            ("eine Stunde", 60),
            ("1/2 Std.", 30),
            ("¾ Stunde", 45),
            ("90 minuti", 90),
            ("2 horas", 120),
            ("45 minutos", 45),
            ("1h 05min", 65),
            ("3 uren", 180),
            ("Prep: 20 min", 20),
        ] {
            assert_eq!(minutes(text), Some(want), "{text}");
        }
        assert_eq!(minutes("soon"), None);
        assert_eq!(minutes("4 servings"), None);
    }
}
