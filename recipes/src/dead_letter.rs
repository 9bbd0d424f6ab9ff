//! Why a record was given up.

use time::OffsetDateTime;

use crate::headers::{self, HeaderError};
use crate::stamp;

/// The headers a dead letter adds to those of the original record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why, for people.
    pub reason: String,
    /// Topic the record was read from.
    pub topic: String,
    /// Partition the record was read from.
    pub partition: i32,
    /// Offset the record was read at.
    pub offset: i64,
    /// How many times it was tried, 1 or more.
    pub attempts: u32,
    /// When it was given up.
    pub at: OffsetDateTime,
    /// Group that gave it up; empty in letters that name none.
    pub group: String,
}

impl DeadLetter {
    /// The headers to add.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (headers::DEAD_REASON, self.reason.clone()),
            (headers::DEAD_TOPIC, self.topic.clone()),
            (headers::DEAD_PARTITION, self.partition.to_string()),
            (headers::DEAD_OFFSET, self.offset.to_string()),
            (headers::DEAD_ATTEMPTS, self.attempts.to_string()),
        ];
        headers.extend(stamp::to_text(self.at).map(|at| (headers::DEAD_AT, at)));
        if !self.group.is_empty() {
            headers.push((headers::DEAD_GROUP, self.group.clone()));
        }
        headers
    }

    /// Reads the headers of a record from a dead-letter topic; the last of each name counts.
    ///
    /// # Errors
    /// A header is missing or is not what its name says.
    pub fn from_headers(pairs: &[(&str, &[u8])]) -> Result<Self, HeaderError> {
        let text = |name| headers::text(pairs, name)?.ok_or(HeaderError::Missing(name));
        let at = text(headers::DEAD_AT)?;
        Ok(Self {
            reason: text(headers::DEAD_REASON)?,
            topic: text(headers::DEAD_TOPIC)?,
            partition: headers::parsed(pairs, headers::DEAD_PARTITION, "a partition")?
                .ok_or(HeaderError::Missing(headers::DEAD_PARTITION))?,
            offset: headers::parsed(pairs, headers::DEAD_OFFSET, "an offset")?
                .ok_or(HeaderError::Missing(headers::DEAD_OFFSET))?,
            attempts: headers::parsed(pairs, headers::DEAD_ATTEMPTS, "a count")?
                .ok_or(HeaderError::Missing(headers::DEAD_ATTEMPTS))?,
            at: stamp::from_text(&at).ok_or(HeaderError::Invalid {
                name: headers::DEAD_AT,
                value: at,
                expected: "a time as in RFC 3339",
            })?,
            group: headers::text(pairs, headers::DEAD_GROUP)?.unwrap_or_default(),
        })
    }

    /// Whether a header belongs to the dead letter and not to the original record.
    #[must_use]
    pub fn owns(header: &str) -> bool {
        header.starts_with("dead.")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn headers_read_back_as_written() {
        let letter = DeadLetter {
            reason: "no recipe on this page".to_owned(),
            topic: "raw_recipes".to_owned(),
            partition: 2,
            offset: 41,
            attempts: 1,
            at: datetime!(2026-11-20 13:30:00 UTC),
            group: "parser-recipes".to_owned(),
        };
        let owned = letter.headers();
        assert!(owned.iter().all(|(name, _)| DeadLetter::owns(name)));
        let pairs: Vec<(&str, &[u8])> = owned.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        assert_eq!(DeadLetter::from_headers(&pairs), Ok(letter));
        assert_eq!(DeadLetter::from_headers(&pairs[..2]), Err(HeaderError::Missing(headers::DEAD_AT)));
    }
}
