//! Times in messages: RFC 3339 in UTC with at most millisecond precision, as Kafka's own timestamps have.

use serde::{Deserialize, Deserializer, Serializer, de};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

const OUT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// `2026-11-20T13:30:00.000Z`; nothing for years RFC 3339 cannot write.
pub(crate) fn to_text(at: OffsetDateTime) -> Option<String> {
    let at = at.to_offset(UtcOffset::UTC);
    if !(0..=9999).contains(&at.year()) {
        return None;
    }
    at.format(OUT).ok()
}

/// RFC 3339, or a day alone (its first moment in UTC).
pub(crate) fn from_text(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| Date::parse(text, DAY).ok().map(|day| day.midnight().assume_utc()))
}

/// For `#[serde(with = "stamp")]`.
pub(crate) fn serialize<S: Serializer>(at: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    let text = to_text(*at).ok_or_else(|| serde::ser::Error::custom("a year outside 0..=9999 has no RFC 3339 form"))?;
    to.serialize_str(&text)
}

/// For `#[serde(with = "stamp")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OffsetDateTime, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    from_text(&text).ok_or_else(|| {
        de::Error::invalid_value(de::Unexpected::Str(&text), &"a time as in RFC 3339, `2026-11-20T13:30:00Z`")
    })
}

/// The same for a time that may be unknown.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, OffsetDateTime, Serializer};

    pub(crate) fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, to: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<OffsetDateTime>, D::Error> {
        #[derive(Deserialize)]
        struct Stamp(#[serde(with = "super")] OffsetDateTime);
        Ok(Option::<Stamp>::deserialize(from)?.map(|Stamp(at)| at))
    }
}
