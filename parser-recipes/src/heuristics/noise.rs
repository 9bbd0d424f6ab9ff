//! Lines of a page that belong to its buttons and its advertising.

/// Lines that stand between a recipe's lines and are none of them.
pub fn is_noise(text: &str) -> bool {
    if text.len() > 160 {
        return false;
    }
    let lower = text.to_lowercase();
    let contains = [
        "newsletter",
        "subscribe to",
        "sign up",
        "advertisement",
        "cook mode",
        "prevent your screen",
        "jump to recipe",
    ];
    let whole = [
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
    ];
    contains.iter().any(|w| lower.contains(w)) || whole.contains(&lower.trim())
}
