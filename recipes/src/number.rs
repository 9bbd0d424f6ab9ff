//! Numbers in messages: finite, and written without a trailing `.0` when whole, as people and other languages write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Largest whole number that every JSON reader keeps exactly (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// For `#[serde(with = "number")]`.
pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    if !value.is_finite() {
        return Err(serde::ser::Error::custom(format!("{value} has no JSON form")));
    }
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return to.serialize_i64(*value as i64);
    }
    value.serialize(to)
}

/// For `#[serde(with = "number")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    f64::deserialize(from)
}

/// The same for a number that may be unknown.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        Option::<f64>::deserialize(from)
    }
}

/// Whole minutes that may be unknown; other writers' `30.0` is 30.
pub(crate) mod minutes {
    use super::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &Option<u32>, to: S) -> Result<S::Ok, S::Error> {
        value.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
        let Some(value) = Option::<f64>::deserialize(from)? else { return Ok(None) };
        if !(0.0..=f64::from(u32::MAX)).contains(&value) {
            return Err(de::Error::invalid_value(de::Unexpected::Float(value), &"minutes, 0 or more"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        Ok(Some(value.round() as u32))
    }
}
