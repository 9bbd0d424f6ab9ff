//! What a setting can be.

use std::path::PathBuf;
use std::time::Duration;

/// A type that settings can have.
pub trait Value: Sized + Clone + 'static {
    /// What stands in `--help` for a value: `<NUMBER>`; empty for switches, which need none.
    const KIND: &'static str;
    /// Whether it takes more than one text.
    const MANY: bool = false;

    /// Reads one text.
    ///
    /// # Errors
    /// What was expected, as in "expected a number".
    fn parse(text: &str) -> Result<Self, String>;

    /// Reads several texts: a flag given more than once, or a list in the file.
    ///
    /// # Errors
    /// As [`Value::parse`].
    fn parse_many(_texts: &[String]) -> Result<Self, String> {
        Err("expected one value, not a list".to_owned())
    }

    /// The text that [`Value::parse`] would read.
    fn show(&self) -> String;
}

impl Value for String {
    const KIND: &'static str = "<TEXT>";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "<PATH>";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for f64 {
    const KIND: &'static str = "<NUMBER>";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|number: &Self| number.is_finite()).ok_or_else(|| "expected a number".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u64 {
    const KIND: &'static str = "<COUNT>";

    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    const KIND: &'static str = "";

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Duration {
    const KIND: &'static str = "<TIME>";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected a time with its unit (ms, s, m, h, d), as in 500ms or 10s".to_owned();
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim() {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        Self::try_from_secs_f64(number * seconds).map_err(|_| wrong())
    }

    fn show(&self) -> String {
        let ms = self.as_millis();
        match ms {
            0 => "0s".to_owned(),
            _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
            _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
            _ => format!("{ms}ms"),
        }
    }
}

/// A number of bytes, written with a unit (`10MB`, `64KiB`) or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Value for Size {
    const KIND: &'static str = "<SIZE>";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "expected a size in bytes, or with KB, MB, GB, KiB, MiB or GiB".to_owned();
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).map(Self).ok_or_else(wrong)
    }

    fn show(&self) -> String {
        match self.0 {
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
            bytes => bytes.to_string(),
        }
    }
}

/// A list: a flag given more than once, an array in the file, or texts with commas or blanks between them in the
/// environment. (A value with a comma in it goes into the file, or into a flag of its own.)
impl Value for Vec<String> {
    const KIND: &'static str = "<TEXT>...";
    const MANY: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn parse_many(texts: &[String]) -> Result<Self, String> {
        Ok(texts.to_vec())
    }

    fn show(&self) -> String {
        self.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_what_they_read() {
        for time in ["0s", "500ms", "10s", "5m", "2h"] {
            assert_eq!(Duration::parse(time).unwrap().show(), time);
        }
        assert_eq!(Size::parse("10MiB").unwrap().show(), "10MiB");
        assert_eq!(Size::parse("10 MB"), Ok(Size(10_000_000)));
        assert_eq!(Vec::parse(" a, b\nc "), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn wrong_values_are_refused() {
        assert!(f64::parse("NaN").is_err() && f64::parse("inf").is_err() && f64::parse("2 kcal").is_err());
        assert!(u64::parse("-1").is_err() && bool::parse("maybe").is_err());
        for time in ["10", "s", "-1s", "1e999s", "5 weeks", "99999999999999999999d"] {
            assert!(Duration::parse(time).is_err(), "{time}");
        }
        assert!(Size::parse("99999999999999999999").is_err() && Size::parse("10000000000000GiB").is_err());
    }
}
