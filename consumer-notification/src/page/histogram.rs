//! How many recipes have how many calories.

use serde::Serialize;

/// Width of a bar in kcal a serving.
const STEP: f64 = 100.0;
/// Bars; the last takes everything from there up.
const BARS: usize = 12;
/// Height of the chart in its own units.
const HEIGHT: u64 = 100;

/// Counts of recipes by calories, in bars of 100 kcal.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: [u64; BARS],
}

/// A bar as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// `200–299 kcal`.
    pub label: String,
    /// `200`, below the bar.
    pub from: u64,
    /// Recipes in it.
    pub count: u64,
    /// Height, 0 to 100, relative to the highest.
    pub height: u64,
    /// Whether all of it is above the threshold.
    pub above: bool,
}

impl Histogram {
    /// Counts a recipe.
    pub fn add(&mut self, kcal: f64) {
        self.counts[bar(kcal)] += 1;
    }

    /// The bars, drawn for a threshold in kcal.
    #[must_use]
    pub fn bars(&self, threshold: f64) -> Vec<Bar> {
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1);
        (0u64..)
            .zip(self.counts)
            .map(|(index, count)| {
                let from = index * 100;
                let label = if index as usize == BARS - 1 {
                    format!("{from} kcal and more")
                } else {
                    format!("{from}–{} kcal", from + 99)
                };
                #[expect(clippy::cast_precision_loss, reason = "at most 1,100")]
                let above = from as f64 >= threshold;
                // A bar with anything in it can be seen.
                let height = if count == 0 { 0 } else { (count * HEIGHT / most).max(2) };
                Bar { label, from, count, height, above }
            })
            .collect()
    }
}

fn bar(kcal: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let index = (kcal / STEP) as usize;
    index.min(BARS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_fall_into_bars_of_a_hundred() {
        let mut histogram = Histogram::default();
        for kcal in [0.0, 99.9, 200.0, 250.0, 299.0, 1100.0, 99_999.0] {
            histogram.add(kcal);
        }
        let bars = histogram.bars(200.0);
        let counts: Vec<u64> = bars.iter().map(|bar| bar.count).collect();
        assert_eq!(counts, [2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!((bars[2].height, bars[0].height, bars[1].height), (100, 66, 0));
        assert_eq!((bars[1].above, bars[2].above), (false, true));
        assert_eq!((&*bars[2].label, &*bars[11].label), ("200–299 kcal", "1100 kcal and more"));
    }
}
