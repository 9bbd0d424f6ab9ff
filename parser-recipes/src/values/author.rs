//! Names of people.

use super::text::clean;

/// Words that pages put before a name.
const PREFIXES: &[&str] = &[
    "by ",
    "by: ",
    "recipe by ",
    "recipe by: ",
    "author: ",
    "written by ",
    "posted by ",
    "von ",
    "por ",
    "par ",
    "di ",
    "door ",
];

/// What stands where nobody in particular wrote it.
const NOBODY: &[&str] = &[
    "null",
    "none",
    "undefined",
    "unknown",
    "n/a",
    "admin",
    "administrator",
    "anonymous",
    "guest",
    "webmaster",
    "staff",
    "editor",
    "editors",
    "editorial staff",
    "editorial team",
    "redaktion",
    "die redaktion",
    "redazione",
    "redazione web",
    "redactie",
    "de redactie",
    "rédaction",
    "la rédaction",
    "redacción",
    "redação",
    "da redação",
    "redakcja",
    "redaktionen",
];

/// A clean name, or nothing where the text is a URL or no name at all.
pub fn author_name(text: &str) -> Option<String> {
    let mut name = clean(text);
    for prefix in PREFIXES {
        // "Di Marco" and "Von Trapp" are names: the short words are only taken off in lower case, or with "by".
        let head = name.get(..prefix.len());
        if head.is_some_and(|h| h == *prefix || (prefix.contains("by") && h.eq_ignore_ascii_case(prefix))) {
            name = name[prefix.len()..].trim().to_owned();
            break;
        }
    }
    let lower = name.to_ascii_lowercase();
    let nothing = name.is_empty()
        || name.len() > 200
        || lower.starts_with("http://")
        || lower.starts_with("https://")
        || lower.starts_with("www.")
        || !name.chars().any(char::is_alphabetic)
        || NOBODY.contains(&&*lower);
    (!nothing).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_is_no_name() {
        assert_eq!(author_name("By Jenn Segal").as_deref(), Some("Jenn Segal"));
        assert_eq!(author_name("<a href='/x'>Uno</a>").as_deref(), Some("Uno"));
        assert_eq!(author_name("Di Marco").as_deref(), Some("Di Marco"));
        assert_eq!(author_name("https://a.example/jenn"), None);
        assert_eq!(author_name(" "), None);
    }
}
