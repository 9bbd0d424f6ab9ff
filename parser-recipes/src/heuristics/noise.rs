//! Lines of a page that belong to its buttons and its advertising.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::labels::Labels;

static WHOLE: Labels = Labels::of(&[
    "ad",
    "ads",
    "annons",
    "anzeige",
    "publicité",
    "advertentie",
    "print",
    "save",
    "share",
    "pin",
    "us customary",
    "metric",
    "1x",
    "2x",
    "3x",
    "1/2x",
    "▢",
    "view on",
    "learn more",
    "show more",
    "read more",
    "facebook",
    "twitter",
    "pinterest",
    "instagram",
    "whatsapp",
    "email",
    "e-mail",
    "x",
    "telegram",
    "copy link",
    "edit",
    "[edit]",
    "edit source",
    "[edit | edit source]",
]);

/// Lines, in lower case, that stand between a recipe's lines and are none of them.
pub fn is_noise(lower: &str) -> bool {
    static PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("newsletter|subscribe to|sign up|advertisement|cook mode|prevent your screen|jump to recipe").ok()
    });
    WHOLE.contain(lower) || PARTS.as_ref().is_some_and(|parts| parts.is_match(lower.as_bytes()))
}
