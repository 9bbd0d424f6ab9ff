//! When to come again: pages that change are seen more often, within the bounds the user sets.

use std::time::Duration;

/// Bounds on the time between two visits of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// The shortest, and the one after the first visit.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

/// What a visit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Something new.
    Changed,
    /// What was known.
    Unchanged,
    /// Nothing: the visit failed for good.
    Failed,
}

impl Intervals {
    /// The time to the next visit, after one that came `last` after the one before (none for a first visit): half of it
    /// after a change, one and a half of it without one, twice as long after a failure.
    #[must_use]
    pub fn after(self, last: Option<Duration>, found: Found) -> Duration {
        let Some(last) = last else { return self.shortest };
        let next = match found {
            Found::Changed => last / 2,
            Found::Unchanged => last.saturating_mul(3) / 2,
            Found::Failed => last.saturating_mul(2),
        };
        next.clamp(self.shortest, self.longest.max(self.shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_page_that_changes_is_seen_more_often_than_one_that_does_not() {
        let bounds = Intervals { shortest: HOUR, longest: 8 * HOUR };
        let after = |found: &[Found]| found.iter().fold(None, |last, found| Some(bounds.after(last, *found))).unwrap();
        assert_eq!(after(&[Found::Changed]), HOUR);
        assert_eq!(after(&[Found::Unchanged; 20]), 8 * HOUR);
        assert!(after(&[Found::Unchanged, Found::Unchanged, Found::Unchanged]) > 2 * HOUR);
        assert_eq!(
            after(&[Found::Unchanged, Found::Unchanged, Found::Unchanged, Found::Changed, Found::Changed]),
            HOUR
        );
    }

    proptest! {
        #[test]
        fn the_bounds_hold(shortest in 0_u64..1_000_000, longest in 0_u64..1_000_000, last in proptest::option::of(any::<u64>()), way in 0..3) {
            let bounds = Intervals { shortest: Duration::from_secs(shortest), longest: Duration::from_secs(longest) };
            let found = [Found::Changed, Found::Unchanged, Found::Failed][way as usize];
            let next = bounds.after(last.map(Duration::from_secs), found);
            prop_assert!(next >= bounds.shortest && next <= bounds.longest.max(bounds.shortest));
        }
    }
}
